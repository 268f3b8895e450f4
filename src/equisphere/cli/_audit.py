"""`equisphere audit`."""

import importlib
import os
import sys
from collections.abc import Mapping
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from equisphere.cli._common import answer, console, print_json, teaching
from equisphere.cli._train import Data, Json

if TYPE_CHECKING:
    from equisphere.audit import Report

#: what a factory may say of an audit: arguments of the library's `audit` that are no options of the command
OPTIONS = ("grid", "representations", "arguments", "keywords", "lie")


@teaching
def audit(
    model: Annotated[str, typer.Argument(help="A checkpoint, or package.module:factory for anybody's model.")],
    rotations: Annotated[int, typer.Option(help="How many to draw.")] = 32,
    signals: Annotated[
        Path | None, typer.Option(help="Signals to measure on: a .pt, .npy or .npz file. Default: see above.")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            help="Grid of the signals: DriscollHealy, ClenshawCurtis, GaussLegendre (sizes are read from the signals), or "
            "coefficients."
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Number of signals.")] = 16,
    training: Annotated[bool, typer.Option("--training", help="Measure in training mode.")] = False,
    random: Annotated[bool, typer.Option("--random", help="Measure a checkpoint on random signals.")] = False,
    data: Data = None,
    seed: Annotated[int, typer.Option(help="Of rotations and random signals.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write the report to this HTML file.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="Exit with code 1 where the error of the output is larger.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how far a model, and each of its layers, is from commuting with rotations.

    A checkpoint is measured on test data of its recipe. A factory is called without arguments and returns a
    torch.nn.Module, or (module, signals), or (module, signals, options), options being further arguments of
    equisphere.audit.audit.

    Example: equisphere audit mymodels.networks:small --signals maps.npy --grid ClenshawCurtis --output audit.html
    """
    from equisphere import audit as library

    network, found, options = (
        _from_factory(model)
        if ":" in model and not Path(model).exists()
        else _from_checkpoint(model, random, batch, data, seed, given=signals is not None)
    )
    if signals is not None:
        found = _read(signals, network)
    if found is None:
        raise ValueError(
            f"{model} makes a model but no signals: give some by --signals FILE, or let the factory return (module, signals)."
        )
    _check_batch(found, options.get("grid") if grid is None else grid)
    if grid is not None:
        options["grid"] = _grid(grid, found)
    first = found[:batch]
    try:
        report = library.audit(network, first, rotations=rotations, training=training, seed=seed, **options)
    except ValueError as error:
        if len(first) == len(found) or str(tuple(first.shape)) not in str(error):
            raise
        raise ValueError(f"{error} These are the first {batch} signals (--batch) of {tuple(found.shape)}.") from error
    _show(report, output, as_json)
    if tolerance is not None and report.total.own.worst > tolerance:
        console.print(
            f"[bold red]error:[/] the output is off by {report.total.own.worst:.2g}, more than {tolerance:g}."
        )
        raise typer.Exit(1)


def audited(checkpoint: str, random: bool, data: str | None) -> "Report":
    """The audit of a checkpoint, on test data of its recipe or on random signals."""
    from equisphere import audit as library

    network, signals, _ = _from_checkpoint(checkpoint, random, 16, data, 0, given=False)
    return library.audit(network, signals, rotations=16)  # type: ignore[arg-type]


def _show(report: "Report", output: Path | None, as_json: bool) -> None:
    if output is not None:
        report.save_html(output)
    if as_json:
        print_json(report.to_dict())
        return
    answer.print(report.table())
    if output is not None:
        answer.print(f"report: {output}")


def _from_factory(name: str) -> tuple[nn.Module, Tensor | None, dict[str, Any]]:
    module, _, factory = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        make: Any = importlib.import_module(module)
    except ImportError:
        raise
    except Exception as error:  # anybody's code
        raise ValueError(f"the module {module} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(os.getcwd())
    try:
        for part in factory.split("."):
            make = getattr(make, part)
    except AttributeError:
        raise ValueError(f"the module {module} has no {factory!r}.") from None
    try:
        made = make() if callable(make) and not isinstance(make, nn.Module) else make
    except Exception as error:  # anybody's code
        raise ValueError(f"the factory {name} failed: {type(error).__name__}: {error}") from error
    network, found, options, *rest = (*made, None, None) if isinstance(made, tuple) else (made, None, None)
    fits = isinstance(network, nn.Module) and isinstance(found, Tensor | None) and isinstance(options, Mapping | None)
    if not fits or any(rest):
        raise ValueError(
            f"{name} must return a torch.nn.Module, (module, signals) or (module, signals, options), options a dict, got "
            f"{_types(made)}."
        )
    unknown = [option for option in options or {} if option not in OPTIONS]
    if unknown:
        raise ValueError(
            f"the options of {name} must be further arguments of equisphere.audit.audit ({', '.join(OPTIONS)}), got "
            f"{', '.join(map(repr, unknown))}. Number of rotations, training mode and seed are options of the command."
        )
    return network, found, dict(options or {})


def _types(made: object) -> str:
    return f"({', '.join(type(x).__name__ for x in made)})" if isinstance(made, tuple) else type(made).__name__


def _from_checkpoint(
    path: str, random: bool, batch: int, data: str | None, seed: int, given: bool
) -> tuple[nn.Module, Tensor | None, dict[str, Any]]:
    from equisphere import models

    network, notes = models.load(models.checkpoint_path(path))
    if given:
        return network, None, {}
    if random:
        generator = torch.Generator().manual_seed(seed)
        channels = network.config.get("in_channels", 1)
        return network, torch.randn(batch, channels, network.bandwidth**2, generator=generator), {}
    from equisphere.data import Batch
    from equisphere.train import recipe_of

    try:
        recipe = recipe_of(notes, path)
    except ValueError as error:
        raise ValueError(f"{error} Without it, give signals by --signals FILE, or --random for random ones.") from None
    test = recipe.load(data).part("test", network.bandwidth)
    found, _ = test[Batch(torch.arange(min(batch, len(test))), 0)]
    if not isinstance(found, Tensor):
        raise ValueError(
            f"{path} takes no signals but {type(found).__name__}s of tensors, which an audit cannot rotate."
        )
    return network, found, {}


def _read(path: Path, network: nn.Module) -> Tensor:
    """Signals of a file, real ones in the dtype of the network: NumPy makes float64 unless told otherwise."""
    if not path.is_file():
        kind = f"{path} is a folder: give a file" if path.is_dir() else f"there is no file {path}: give one"
        raise ValueError(f"{kind} of signals, .npy, .npz or what torch.save wrote.")
    try:
        found: Any
        if path.suffix in (".npy", ".npz"):
            held = np.load(path, allow_pickle=False)
            found = torch.from_numpy(held if path.suffix == ".npy" else held[held.files[0]])
        else:
            found = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # unpicklers raise anything
        raise ValueError(
            f"{path} cannot be read as signals: it must be a .npy or .npz file, or a tensor that torch.save wrote "
            f"({type(error).__name__})."
        ) from error
    if not isinstance(found, Tensor):
        raise ValueError(f"{path} must hold one tensor of signals, got {type(found).__name__}.")
    dtype = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
    return found if found.is_complex() else found.to(dtype)


def _check_batch(signals: Tensor, grid: Any) -> None:
    """Check for enough dimensions, before the first signals are taken: of one alone it would be the first rows."""
    named = isinstance(grid, str) and grid != "coefficients"
    nodes = 2 if named else len(getattr(grid, "shape", (1,)))
    if grid is None and signals.ndim and isqrt(signals.shape[-1]) ** 2 != signals.shape[-1]:
        nodes = 2  # no coefficients
    if signals.ndim < nodes + 1:
        raise ValueError(
            "signals must have a batch dimension, (batch, ..., L*L), or (batch, ..., nlat, nlon) with their --grid, as the "
            f"model takes them, got shape {tuple(signals.shape)}: put one in front, by `x[None]`."
        )


def _grid(name: str, signals: Tensor) -> Any:
    from equisphere import grids

    if name == "coefficients":
        return name
    known = ("DriscollHealy", "ClenshawCurtis", "GaussLegendre")
    if name not in known:
        raise ValueError(
            f"--grid must be one of {', '.join(known)} (for signals (..., nlat, nlon)) or coefficients, got {name!r}."
        )
    return getattr(grids, name)(nlat=signals.shape[-2], nlon=signals.shape[-1])
