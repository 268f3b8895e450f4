"""`equisphere demo`."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from equisphere._files import replacing
from equisphere.cli._common import answer, console, percent, print_json, teaching
from equisphere.cli._train import Data, Json


@teaching
def demo(
    output: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("demo-report"),
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    data: Data = None,
    epochs: Annotated[int | None, typer.Option(help="Fewer, for a quick look; the recipes' by default.")] = None,
    as_json: Json = False,
) -> None:
    """Train on real digits, upright; read them in any orientation; measure how equivariant each layer is.

    Trains an equivariant network and an ordinary CNN of the same size on 5,000 digits projected onto the sphere (some minutes
    on two cores) and writes report.html, its pictures and results.json to the output folder. Interrupted, it goes on where it
    stopped when it is called again.
    """
    from equisphere.plot import write_report
    from equisphere.train import run_demo

    began = time.perf_counter()
    results, signals = run_demo(
        output,
        lambda line: console.print(f"[bold]{line}[/]"),
        seed,
        data,
        epochs,
        progress=not as_json and console.is_terminal,
    )
    console.print("[bold]drawing the report[/]")
    drawing = time.perf_counter()
    with replacing(output / "results.json") as part:
        part.write_text(json.dumps(results, indent=2))
    report = write_report(results, signals, output)
    finished = time.perf_counter()
    if as_json:
        print_json(results)
        return
    table = Table("trained on / tested on", "equivariant", "planar CNN", title="test accuracy")
    for protocol in ("NR/NR", "NR/R", "R/R"):
        row = (results["accuracy"][network][protocol] for network in ("equivariant", "planar"))
        table.add_row(protocol, *map(percent, row))
    answer.print(table)
    answer.print("NR: upright digits; R: each digit in a random orientation of its own", style="dim")
    answer.print(f"{finished - began:.0f} s in all, {finished - drawing:.0f} s of it for drawing")
    answer.print(f"report: {report}")
