"""What the commands share."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

#: what is going on, and what went wrong
console = Console(stderr=True)
#: what was asked for
answer = Console()

#: a trained network, as `models.checkpoint_path` finds it
Checkpoint = Annotated[
    str,
    typer.Argument(
        help="A model.safetensors that `equisphere train` wrote, or its folder; a network of the package (spherical-mnist); or "
        "OWNER/NAME on the Hugging Face Hub."
    ),
]

Command = TypeVar("Command", bound=Callable[..., Any])


def teaching(command: Command) -> Command:
    """Turn errors that a user can mend into a line on standard error and exit code 1; an interruption into 130."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            console.print("[yellow]interrupted[/]; what is finished is kept, and --resume goes on from there.")
            raise typer.Exit(130) from None
        except BrokenPipeError:  # whoever read the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (ValueError, OSError, ImportError) as error:
            console.print("[bold red]error:[/]", end=" ")
            console.print(str(error), markup=False, highlight=False)
            raise typer.Exit(1) from None

    return run  # type: ignore[return-value]


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def describe(value: Any) -> str:
    """A value in words: of a dict a line for each entry.

    >>> print(describe({"channels": [16, 24], "accuracy": {"NR": 0.98269999, "R": 0.5}}))
    channels: 16, 24
    accuracy: NR 0.9827, R 0.5
    """
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_inline(entry)}" for key, entry in value.items())
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_inline(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_inline, value)) or "none"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """A share as people write it.

    >>> percent(0.9555)
    '95.55 %'
    """
    return f"{100 * share:.2f} %"
