"""`equisphere train` and `equisphere evaluate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from equisphere.cli._common import Checkpoint, answer, console, percent, print_json, teaching

if TYPE_CHECKING:
    from equisphere.train import Recipe

Data = Annotated[
    str | None,
    typer.Option(
        help="A file or folder of the recipe's data (for digits: an npz file or idx files of MNIST, or 'mnist' to download "
        "it). Default: what the recipe names."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write the figures as JSON to standard output.")]


@teaching
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe; 'list' shows them.")] = "digits",
    output: Annotated[Path | None, typer.Option(help="Folder of the run. Default: runs/RECIPE-seedN.")] = None,
    data: Data = None,
    seed: Annotated[
        int | None, typer.Option(help="Of split, weights, order, rotations. Default: the recipe's.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data. Default: the recipe's.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better figure on validation data.")
    ] = None,
    rotated: Annotated[
        bool, typer.Option("--rotated", help="Train on randomly rotated signals (R), not upright.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, an option of the recipe's data; shared=500: 500 digits have one rotation."),
    ] = None,
    devices: Annotated[int, typer.Option(help="Number of processes (CPU) or accelerators.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe; the folder receives its weights, log and figures.

    Training sees items as they come (unless --rotated). The test items are looked at once, at the end: as they come, and
    each in a random orientation of its own.

    ModelNet and the like: trained turned about the vertical (z), tested so and in random orientations (SO3).

    Example: equisphere train spherical-mnist --data mnist.npz --output runs/mnist
    """
    from equisphere.train import RECIPES

    if recipe == "list":
        if as_json:
            print_json([known.to_dict() for known in RECIPES.values()])
            return
        heads = ("recipe", "task", "data", "network", "epochs")
        table = Table(*heads, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption="settings and options: train list --json")
        for known in RECIPES.values():
            table.add_row(known.name, known.task, known.data or known.data_set, known.model, str(known.epochs))
        answer.print(table)
        return
    if recipe not in RECIPES:
        raise typer.BadParameter(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}.", param_hint="RECIPE")
    from equisphere.train import fit, recorded

    given = {"data": data, "seed": seed, "epochs": epochs, "patience": patience, "rotated": rotated or None}
    chosen = RECIPES[recipe].changed(**given)
    folder = output or Path("runs") / f"{recipe}-seed{chosen.seed}"
    if resume and (folder / "recipe.json").exists():  # what is not given stays as it was
        chosen = recorded(folder).changed(**given)
    chosen = chosen.changed(options=chosen.options | dict(map(_named, option or [])))
    bar = not as_json and console.is_terminal
    run = fit(chosen, folder, devices=devices, accelerator=accelerator, progress=bar, resume=resume)
    report = {"folder": str(folder), **{k: v for k, v in run.figures.items() if k != "history"}}
    _show(report, chosen, as_json)
    if not as_json:
        answer.print(f"weights: {folder / 'model.safetensors'} ({run.figures['parameters']:,} parameters)")


@teaching
def evaluate(
    checkpoint: Checkpoint,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Test a trained network on the test data of its recipe, as they come and each in a random orientation of its own."""
    from equisphere import models
    from equisphere.train import TASKS, figures_of, recipe_of

    model, notes = models.load(models.checkpoint_path(checkpoint))
    recipe = recipe_of(notes, checkpoint)
    found = recipe.load(data)
    number = len(found.part("test", model.bandwidth))
    figures = figures_of(model, found, TASKS[recipe.task](recipe))
    _show({"checkpoint": checkpoint, "data": found.name, "n": number, **figures}, recipe, as_json)


def _named(given: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON where it is such, a word otherwise."""
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"must read NAME=VALUE, got {given!r}.", param_hint="--option")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _show(report: dict[str, Any], recipe: "Recipe", as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    from equisphere.train import TASKS

    percents = TASKS[recipe.task](recipe).percents
    figures = {name.removeprefix("test_"): values for name, values in report.items() if name.startswith("test_")}
    table = Table(title=f"test data, trained {'in random orientations' if recipe.rotated else 'as they come'}")
    table.add_column("")
    for name, words in report["orientations"].items():
        table.add_column(f"{words} ({name})", justify="right")
    for name, values in figures.items():
        table.add_row(name, *(percent(x) if name in percents else f"{x:.4g}" for x in values.values()))
    answer.print(table)
