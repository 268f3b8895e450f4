"""`equisphere predict` and `equisphere info`."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.markup import escape
from rich.table import Table

from equisphere import __version__
from equisphere.cli._common import answer, console, percent, print_json, teaching
from equisphere.cli._train import Json


@teaching
def predict(
    checkpoint: Annotated[Path, typer.Argument(help="A model.safetensors that `equisphere train` wrote.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of digits, or folders of them.")],
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Swap black and white. Default: where the edge is bright."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read digits from pictures, whatever way up they are.

    A picture that cannot be read does not stop the others: it is named at the end, and the exit code is 1. Folders are
    not searched deeper. Since no orientation is preferred, a 6 and a 9 of the same form are one and the same.
    """
    from equisphere import models
    from equisphere.data import DataError, find_pictures, image_coefficients, read_digit
    from equisphere.train import recipe_of

    model, notes = models.load(checkpoint)
    recipe = recipe_of(notes, checkpoint)
    if recipe.data_set != "digits":
        raise ValueError(f"{checkpoint} was trained on {notes['data']}: `equisphere predict` reads digits.")
    found: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for given in pictures:
        try:
            paths = find_pictures(given)
        except DataError as error:
            failed.append({"file": str(given), "error": str(error)})
            continue
        for path in paths:
            try:
                image = read_digit(path, invert)
            except DataError as error:
                failed.append({"file": str(path), "error": str(error)})
                continue
            with torch.no_grad():
                c = image_coefficients(image.float() / 255, model.bandwidth, recipe.options["extent"])
                shares = model(c[None, None]).softmax(1)[0]
            found.append(
                {
                    "file": str(path),
                    "digit": int(shares.argmax()),
                    "probability": float(shares.max()),
                    "probabilities": [round(share, 6) for share in shares.tolist()],
                }
            )
    if as_json:
        print_json({"predictions": found, "failed": failed})
    else:
        table = Table("picture", "digit", "probability")
        for row in found:
            table.add_row(escape(row["file"]), str(row["digit"]), percent(row["probability"]))
        if found:
            answer.print(table)
        for row in failed:
            console.print(f"[red]not read:[/] {escape(row['error'])}", highlight=False)
    if failed:
        raise typer.Exit(1)


@teaching
def info(
    checkpoint: Annotated[Path | None, typer.Argument(help="Tell about this checkpoint instead.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what is installed, or what a checkpoint holds."""
    facts = _checkpoint_facts(checkpoint) if checkpoint else _machine_facts()
    if as_json:
        print_json(facts)
        return
    table = Table("", "", show_header=False)
    for name, value in facts.items():
        table.add_row(name, escape(str(value)))
    answer.print(table)


def _machine_facts() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "equisphere": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }
    for package in ("torch", "numpy", "scipy", "pytorch-lightning", "safetensors", "matplotlib", "mlxtend"):
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _checkpoint_facts(path: Path) -> dict[str, Any]:
    from equisphere import models

    model, notes = models.load(path)
    figures = {k: v for k, v in notes.get("figures", {}).items() if k != "history"}
    return {
        "file": str(path),
        "model": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "settings": model.config,
        "data": notes.get("data", "not said"),
        "recipe": notes.get("recipe", "not said"),
        "figures": figures or "not said",
    }
