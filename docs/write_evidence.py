"""Write the figures of README.md from finished runs: no number there is typed by hand.

    equisphere demo --seed 0 --output runs/demo-0        (and seeds 1, 2)
    equisphere train spherical-mnist --data mnist.npz --output runs/mnist       (and with --rotated: runs/mnist-rotated)
    python docs/write_evidence.py --demo runs/demo-0 runs/demo-1 runs/demo-2 --mnist runs/mnist runs/mnist-rotated

Each part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; what it was made from is kept in docs/evidence/.
"""

import argparse
import json
import re
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from PIL import Image

ROOT = Path(__file__).parent.parent
KEPT = Path(__file__).parent / "evidence"


def main() -> None:
    """Take the folders of the runs, keep their figures, write the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", nargs="+", type=Path, default=[], help="output folders of `equisphere demo`")
    parser.add_argument(
        "--mnist",
        nargs="+",
        type=Path,
        default=[],
        help="output folders of `equisphere train spherical-mnist [--rotated]`",
    )
    parser.add_argument("--note", default="", help="what a reader should know about the machine meanwhile")
    given = parser.parse_args()
    if given.demo:
        for old in KEPT.glob("demo-*.json"):
            old.unlink()
        for folder in given.demo:
            results = json.loads((folder / "results.json").read_text())
            _keep(f"demo-{results['seed']}", {**results, "note": given.note})
        first = given.demo[0]
        with Image.open(first / "figures" / "digits.png") as picture:
            picture.convert("RGB").quantize(128).save(ROOT / "docs" / "digits.png", optimize=True)
    for folder in given.mnist:
        figures = json.loads((folder / "figures.json").read_text())
        recipe = json.loads((folder / "recipe.json").read_text())
        recipe["data"] = "mnist"  # not where somebody's copy of it lies
        name = recipe["name"].removeprefix("spherical-") + ("-rotated" if recipe["rotated"] else "")
        _keep(name, {"figures": figures, "recipe": recipe, "note": given.note})
    text = (ROOT / "README.md").read_text()
    for name, part in (("demo", _demo_table()), ("mnist", _mnist_line())):
        if part:
            marked = f"<!-- begin {name} -->\n{part}\n<!-- end {name} -->"
            text = re.sub(rf"<!-- begin {name} -->.*?<!-- end {name} -->", lambda _: marked, text, flags=re.DOTALL)  # noqa: B023
    (ROOT / "README.md").write_text(text)


def _keep(name: str, value: dict[str, Any]) -> None:
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


def _demo_table() -> str:
    runs = [json.loads(path.read_text()) for path in sorted(KEPT.glob("demo-*.json"))]
    if not runs:
        return ""
    first = runs[0]
    lines = ["| trained / tested | equivariant | planar CNN |", "| --- | --- | --- |"]
    for protocol, words in (
        ("NR/NR", "upright / upright"),
        ("NR/R", "upright / any orientation"),
        ("R/R", "any orientation / any orientation"),
    ):
        cells = [_spread([run["accuracy"][network][protocol] for run in runs]) for network in ("equivariant", "planar")]
        lines.append(f"| {words} | {cells[0]} | {cells[1]} |")
    minutes = sum(first["seconds"].values()) / 60
    note = f"; {first['note']}" if first.get("note") else ""
    parameters = first["parameters"]
    lines += [
        "",
        f"Test accuracy in %, mean ± standard deviation over {len(runs)} seeds (split, weights, order and rotations all "
        f"drawn anew); {first['data']['train']:,} digits to train on, {first['data']['test']:,} to test on; "
        f"{parameters['equivariant']:,} and {parameters['planar']:,} parameters; seed {first['seed']} took {minutes:.1f} "
        f"minutes for all four trainings and every measurement ({first['machine']}, torch {first['versions']['torch']}{note}). "
        "Made by `equisphere demo --seed 0` (1, 2) and `python docs/write_evidence.py`.",
    ]
    return "\n".join(lines)


def _mnist_line() -> str:
    path = KEPT / "mnist.json"
    if not path.exists():
        return ""
    kept = json.loads(path.read_text())
    figures, recipe = kept["figures"], kept["recipe"]
    accuracy, samples = figures["test_accuracy"], figures["samples"]
    note = f" ({kept['note']})" if kept["note"] else ""
    path = KEPT / "mnist-rotated.json"
    both = ""
    if path.exists():
        rotated = json.loads(path.read_text())
        both = (
            f"; trained on rotated ones{otherwise(rotated['recipe'], recipe)}, "
            f"{100 * rotated['figures']['test_accuracy']['R']:.2f} % of rotated ones"
        )
    return (
        f"On the whole of MNIST ({samples['train']:,} digits to train on, {samples['test']:,} to test on): trained "
        f"upright, **{100 * accuracy['NR']:.2f} %** of upright test digits and **{100 * accuracy['R']:.2f} %** of "
        f"randomly rotated ones, with {figures['parameters']:,} parameters, {recipe['epochs']} epochs, "
        f"{figures['seconds'] / 60:.0f} minutes{note}, one seed{both}. The published zonal network (Esteves et al. 2018) has "
        "98.75 and 98.08 with 57,000. Made by `equisphere train spherical-mnist`."
    )


def otherwise(recipe: dict[str, Any], than: dict[str, Any]) -> str:
    """How a network was trained, in brackets, where by other numbers than another one."""
    if all(recipe[key] == than[key] for key in ("settings", "epochs", "matrix_rate")):
        return ""
    return f" (band limit {recipe['settings']['bandwidths'][0]}, {recipe['epochs']} epochs)"


def _spread(values: list[float]) -> str:
    percents = [100 * value for value in values]
    return f"{mean(percents):.1f} ± {stdev(percents):.1f}" if len(percents) > 1 else f"{percents[0]:.1f}"


if __name__ == "__main__":
    main()
