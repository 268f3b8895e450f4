"""`equisphere train` and `equisphere evaluate`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from equisphere.cli._common import answer, console, percent, print_json, teaching

Data = Annotated[
    str | None,
    typer.Option(
        help="MNIST: an npz file, a folder of idx files, or 'mnist' to download it. Default: what the recipe names."
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
        int | None, typer.Option(help="Stop after so many epochs without a better validation accuracy.")
    ] = None,
    rotated: Annotated[
        bool, typer.Option("--rotated", help="Train on randomly rotated signals (R), not upright.")
    ] = False,
    devices: Annotated[int, typer.Option(help="Number of processes (CPU) or accelerators.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe; the folder receives its weights, log and figures.

    Training sees upright digits (unless --rotated). The test digits are looked at once, at the end: upright (NR) and each
    in a random orientation of its own (R).

    Example: equisphere train spherical-mnist --data mnist.npz --output runs/mnist
    """
    from equisphere.train import RECIPES, fit, recorded

    if recipe == "list":
        if as_json:
            print_json([known.to_dict() for known in RECIPES.values()])
            return
        for known in RECIPES.values():
            answer.print(
                f"[bold]{known.name}[/]: {known.model} {known.settings}, {known.epochs} epochs", highlight=False
            )
        return
    if recipe not in RECIPES:
        raise typer.BadParameter(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}.", param_hint="RECIPE")
    given = {"data": data, "seed": seed, "epochs": epochs, "patience": patience, "rotated": rotated or None}
    chosen = RECIPES[recipe].changed(**given)
    folder = output or Path("runs") / f"{recipe}-seed{chosen.seed}"
    if resume and (folder / "recipe.json").exists():  # what is not given stays as it was
        chosen = recorded(folder).changed(**given)
    bar = not as_json and console.is_terminal
    run = fit(chosen, folder, devices=devices, accelerator=accelerator, progress=bar, resume=resume)
    report = {"folder": str(folder), **{k: v for k, v in run.figures.items() if k != "history"}}
    _show(report, "trained on " + ("rotated" if chosen.rotated else "upright") + " signals", as_json)
    if not as_json:
        answer.print(f"weights: {folder / 'model.safetensors'} ({run.figures['parameters']:,} parameters)")


@teaching
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A model.safetensors that `equisphere train` wrote.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Test a trained network: upright digits (NR), and each in a random orientation of its own (R)."""
    from equisphere import models
    from equisphere.data import load_digits
    from equisphere.train import accuracy, recipe_of, signals

    model, notes = models.load(checkpoint)
    recipe = recipe_of(notes, checkpoint)
    digits = load_digits(data or recipe.data, recipe.seed)
    figures = {n: accuracy(model, signals(digits.test, recipe, "test", r)) for n, r in (("NR", False), ("R", True))}
    report = {"checkpoint": str(checkpoint), "data": digits.name, "n": len(digits.test), "test_accuracy": figures}
    _show(report, "trained on " + ("rotated" if recipe.rotated else "upright") + " signals", as_json)


def _show(report: dict[str, Any], protocol: str, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    table = Table(title=f"test accuracy, {protocol}")
    table.add_column("test digits")
    table.add_column("accuracy", justify="right")
    table.add_row("upright (NR)", percent(report["test_accuracy"]["NR"]))
    table.add_row("randomly rotated (R)", percent(report["test_accuracy"]["R"]))
    answer.print(table)
