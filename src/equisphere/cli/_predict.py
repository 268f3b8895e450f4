"""`equisphere predict` and `equisphere info`."""

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer
from rich.markup import escape
from rich.table import Column, Table

from equisphere import __version__
from equisphere.cli._common import Checkpoint, answer, console, describe, print_json, teaching
from equisphere.cli._train import Json

if TYPE_CHECKING:
    from equisphere.cli._kinds import Kind


@teaching
def predict(
    checkpoint: Checkpoint,
    files: Annotated[list[Path], typer.Argument(help="Files of the kind that it was trained on, or folders of them.")],
    invert: Annotated[
        bool | None,
        typer.Option("--invert/--no-invert", help="Digits: swap black and white. Default: where the edge is bright."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for answers that are pictures or maps (panoramas, skies).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask a trained network about files, whatever way up they are.

    What it reads follows from what it was trained on. Pictures of digits: the digit. Meshes (off obj ply stl glb) and clouds
    (npy pts): the class. Molecules (xyz): the energy. Panoramas (png jpg ... hdr): the class of each direction, as a label map.
    HEALPix maps (fits): what lies in the gaps. Folders are not searched deeper. A file that cannot be read does not stop the
    others: it is named at the end, and the exit code is 1. Since no orientation is preferred, a 6 and a 9 of the same form are
    one and the same.

    Example: equisphere predict spherical-mnist photo.png
    """
    from equisphere import models
    from equisphere.cli._kinds import Asked, kinds
    from equisphere.data import DataError
    from equisphere.train import recipe_of

    model, notes = models.load(models.checkpoint_path(checkpoint))
    recipe = recipe_of(notes, checkpoint)
    kind = kinds().get(recipe.data_set)
    if kind is None:
        known = ", ".join(k.what for k in kinds().values())
        raise ValueError(
            f"{checkpoint} was trained on {recipe.data_set}, which `equisphere predict` does not read; it reads {known}. "
            "`equisphere evaluate` tests the network on its data."
        )
    asked = Asked(model, recipe, notes.get("classes"), invert, output)
    found: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for given in files:
        try:
            paths = _paths(given, kind)
        except DataError as error:
            failed.append({"file": str(given), "error": str(error)})
            continue
        for path in paths:
            try:
                with torch.no_grad():
                    found += [{"file": str(path), **row} for row in kind.answer(path, asked)]
            except (DataError, ValueError) as error:
                words = str(error) if str(path) in str(error) else f"{path}: {error}"
                failed.append({"file": str(path), "error": words})
    if as_json:
        print_json({"predictions": found, "failed": failed})
    else:
        if found:
            table = Table(Column("file", overflow="fold"), *kind.heads)
            for row in found:
                table.add_row(escape(row["file"]), *map(escape, kind.cells(row)))
            answer.print(table)
        for bad in failed:
            console.print(f"[red]not read:[/] {escape(bad['error'])}", highlight=False)
    if failed:
        raise typer.Exit(1)


def _paths(given: Path, kind: "Kind") -> list[Path]:
    """The file itself, or the files of a kind in a folder, by name."""
    from equisphere.data import DataError

    known = ", ".join(sorted(kind.suffixes))
    if given.is_dir():
        found = sorted(p for p in given.iterdir() if p.suffix.lower() in kind.suffixes)
        if not found:
            raise DataError(f"the folder {given} holds none of the {kind.what} that this network reads ({known}).")
        return found
    if not given.exists():
        raise DataError(f"there is no file or folder {given}.")
    if given.suffix.lower() not in kind.suffixes:
        raise DataError(f"{given} is of another kind: this network reads {kind.what} ({known}).")
    return [given]


@teaching
def info(
    checkpoint: Annotated[str | None, typer.Argument(help="Tell about this checkpoint instead.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what is installed, or what a checkpoint holds."""
    facts = _checkpoint_facts(checkpoint) if checkpoint else _machine_facts()
    if as_json:
        print_json(facts)
        return
    table = Table("", Column(overflow="fold"), show_header=False)
    for name, value in facts.items():
        table.add_row(name, escape(describe(value)))
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


def _checkpoint_facts(name: str) -> dict[str, Any]:
    from equisphere import models

    path = models.checkpoint_path(name)
    model, notes = models.load(path)
    figures = notes.get("figures")
    if isinstance(figures, dict):
        figures = {k: v for k, v in figures.items() if k != "history"}
    return {
        "file": str(path),
        "model": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "settings": model.config,
        "data": notes.get("data", "not said"),
        "recipe": notes.get("recipe", "not said"),
        "figures": figures or "not said",
    }
