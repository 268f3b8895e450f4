"""`equisphere search`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from equisphere.cli._common import answer, console, print_json, teaching
from equisphere.cli._train import Json


@teaching
def search(
    folder: Annotated[Path, typer.Argument(help="Folder of meshes and clouds, searched to any depth.")],
    query: Annotated[Path, typer.Argument(help="A mesh or a cloud.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="A classifier of shapes that `equisphere train` wrote. Default: power spectra, untrained."),
    ] = None,
    number: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    as_json: Json = False,
) -> None:
    """Find the shapes in a folder that are most like another one, however each is turned, moved and scaled.

    Meshes: off obj ply stl glb; clouds: npy (n, 3), pts. A file that cannot be read does not stop the others: it is named at
    the end, and the exit code is 1. The query itself, where it lies in the folder, is left out.

    Example: equisphere search shapes/ chair.off --checkpoint runs/modelnet10-seed0/model.safetensors
    """
    from equisphere import models
    from equisphere.data import SHAPE_SUFFIXES, DataError
    from equisphere.train import describe_shape, most_similar, recipe_of

    model = recipe = None
    if checkpoint is not None:
        model, notes = models.load(models.checkpoint_path(checkpoint))
        recipe = recipe_of(notes, checkpoint)
    wanted = describe_shape(query, model, recipe)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}.")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SHAPE_SUFFIXES and not p.samefile(query))
    gallery, named, failed = [], [], []
    for path in track(files, "describing", console=console, disable=as_json or not console.is_terminal):
        try:
            gallery.append(describe_shape(path, model, recipe))
            named.append(path)
        except DataError as error:
            failed.append({"file": str(path), "error": str(error)})
    if not gallery:
        raise DataError(f"the folder {folder} holds no shape that can be read ({', '.join(sorted(SHAPE_SUFFIXES))}).")
    found = [{"file": str(named[i]), "similarity": round(x, 6)} for i, x in most_similar(wanted, gallery, number)]
    if as_json:
        print_json({"query": str(query), "found": found, "failed": failed})
    else:
        table = Table("shape", "similarity")
        for row in found:
            table.add_row(escape(str(row["file"])), f"{row['similarity']:.4f}")
        answer.print(table)
        for bad in failed:
            console.print("[red]not read:[/]", end=" ")
            console.print(bad["error"], markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
