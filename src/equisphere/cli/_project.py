"""`equisphere project`."""

from math import pi
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from equisphere.cli._common import answer, console, print_json, teaching
from equisphere.cli._train import Json


@teaching
def project(
    files: Annotated[list[Path], typer.Argument(help="Meshes, clouds, molecules, pictures, maps, tables; or folders.")],
    output: Annotated[Path, typer.Option(help="Folder for the coefficients, one npz for each file.")],
    bandwidth: Annotated[int, typer.Option(help="Band limit L: L*L coefficients a channel.")] = 32,
    picture: Annotated[
        str, typer.Option(help="How pictures lie on the sphere: panorama, stereographic, gnomonic or perspective.")
    ] = "panorama",
    field_of_view: Annotated[float, typer.Option(help="Of a picture that is no panorama, degrees.")] = 90.0,
    shells: Annotated[int, typer.Option(help="Radial functions of a cloud of points.")] = 6,
    branches: Annotated[str, typer.Option(help="What rays tell of a mesh: outer, inner, hull.")] = "outer,hull",
    variable: Annotated[str | None, typer.Option(help="Of a NetCDF file that has several.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: by the number of files.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cache. Default: the user's.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor write a cache.")] = False,
    as_json: Json = False,
) -> None:
    """Bring files onto the sphere: coefficients of meshes, clouds of points, molecules, pictures, maps and sensors.

    Meshes: off obj ply stl glb; clouds: npy (n, 3), pts; molecules: xyz; pictures: png jpg ... and hdr; HEALPix maps: fits;
    latitude-longitude maps: nc; sensors: csv. A file that cannot be read does not stop the others: it is named at
    the end, and the exit code is 1. What was projected before, under whatever name, comes from the cache.

    Example: equisphere project shapes/ --output coefficients --bandwidth 16
    """
    from platformdirs import user_cache_dir

    from equisphere.data import Projection, default_workers, find_files, project_files

    settings = Projection(
        bandwidth, picture, field_of_view * pi / 180, shells, tuple(b.strip() for b in branches.split(",")), variable
    )
    found = find_files(files)
    kept = None if no_cache else cache or Path(user_cache_dir("equisphere")) / "projected"
    columns = (TextColumn("projecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task("", total=len(found))
        outcomes = project_files(
            found, output, settings, kept, workers or default_workers(len(found)), lambda _: bar.advance(task)
        )
    failed = [o for o in outcomes if o.error is not None]
    cached = sum(o.cached for o in outcomes)
    if as_json:
        print_json(
            {
                "projected": [
                    {"file": str(o.source), "coefficients": str(o.output), "cached": o.cached}
                    for o in outcomes
                    if o.error is None
                ],
                "failed": [{"file": str(o.source), "error": o.error} for o in failed],
            }
        )
    else:
        projected = len(outcomes) - len(failed)
        of_them = "" if kept is None else f" ({cached} of them from the cache)"
        answer.print(
            f"{projected} files projected to {output}{of_them}" if projected else "no file projected", markup=False
        )
        for o in failed:
            console.print("[red]not projected:[/]", end=" ")
            console.print(str(o.error), markup=False, highlight=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
