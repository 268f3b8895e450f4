"""Write docs/data_efficiency.md and its picture from the figures that `python benchmarks/data_efficiency.py` keeps.

    python docs/write_efficiency.py

No number there is typed by hand, and the words follow from the numbers.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent
Row = dict[str, Any]

EQUIVARIANT, PLAIN, AUGMENTED = "equivariant", "planar CNN", "planar CNN, rotation augmentation"
COLOURS = ("#1b6ca8", "#b3541e", "#a8a8a8", "#4a4a4a")


def main() -> None:
    """Read the figures, write page and picture."""
    kept = json.loads((ROOT / "evidence" / "data_efficiency.json").read_text())
    rows = kept["rows"]
    _picture(rows)
    longer = next(name for name in _names(rows) if name.startswith(AUGMENTED) and name != AUGMENTED)
    parts = [
        "# What equivariance is worth in data",
        "![Accuracy in random orientations, and cost of training, against the number of training items](data_efficiency.png)",
        _plainly(rows, longer),
        *(_table(rows, task) for task in _tasks(rows)),
        _protocol(kept),
    ]
    (ROOT / "data_efficiency.md").write_text("\n\n".join(parts) + "\n")


def _tasks(rows: list[Row]) -> list[str]:
    return sorted({row["task"] for row in rows}, reverse=True)


def _names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row["network"] for row in rows))


def _of(rows: list[Row], task: str, network: str, n: int, key: str) -> list[float]:
    return [row[key] for row in rows if (row["task"], row["network"], row["n"]) == (task, network, n)]


def _sizes(rows: list[Row], task: str) -> list[int]:
    return sorted({row["n"] for row in rows if row["task"] == task})


def _spread(shares: Iterable[float]) -> str:
    values = [100 * share for share in shares]
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def _table(rows: list[Row], task: str) -> str:
    sizes = _sizes(rows, task)
    lines = [["network", "tested", *(f"{n:,} items" for n in sizes)], ["---"] * (2 + len(sizes))]
    for network in _names(rows):
        for key, words in (("rotated", "random orientations"), ("upright", "as they come")):
            lines.append([network, words, *(_spread(_of(rows, task, network, n, key)) for n in sizes)])
        cells = (f"{mean(_of(rows, task, network, n, 'seconds')):.0f}" for n in sizes)
        lines.append([network, "training, processor s", *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {_title(task)}, accuracy in %\n\n{table}"


def _title(task: str) -> str:
    return task[0].upper() + task[1:]


def _plainly(rows: list[Row], longer: str) -> str:
    """What the figures say, in words that follow from them."""
    said = []
    for task in _tasks(rows):
        sizes = _sizes(rows, task)
        few, n = sizes[0], sizes[-1]

        def of(network: str, key: str, at: int, task: str = task) -> float:
            return 100 * mean(_of(rows, task, network, at, key))

        own, upright, plain = of(EQUIVARIANT, "rotated", few), of(EQUIVARIANT, "upright", n), of(PLAIN, "upright", n)
        enough = next((k for k in sizes if of(longer, "rotated", k) >= own), None)
        reached = of(longer, "rotated", enough or n)
        needs = f"reads as much with {enough:,}" if enough else f"does not come to that with {n:,}"
        ratio = of(longer, "seconds", n) / of(EQUIVARIANT, "seconds", n)
        blind = f"{of(PLAIN, 'rotated', few):.0f} %"
        turned = [f"{of(network, 'rotated', n):.0f} %" for network in (EQUIVARIANT, longer, PLAIN)]
        said.append(
            f"**{_title(task)}.** In random orientations the equivariant network, which saw items only as they come, reads "
            f"{own:.0f} % with {few:,} items. The planar CNN that sees rotations, and trains {ratio:.1f} times as "
            f"long, {needs} ({reached:.0f} %); the plain one reads {blind}. With {n:,} items it is {turned[0]}, "
            f"{turned[1]} and {turned[2]}. Where every item stands as those it learned from, the plain CNN is "
            f"{'better' if plain > upright else 'no better'}: {plain:.0f} % against {upright:.0f} %."
        )
    gaps = [
        abs(mean(_of(rows, task, EQUIVARIANT, n, "upright")) - mean(_of(rows, task, EQUIVARIANT, n, "rotated")))
        for task in _tasks(rows)
        for n in _sizes(rows, task)
    ]
    said.append(
        "**What equivariance buys**: orientation, whole and at once. Turned or not, the accuracy is the same (to "
        f"{100 * max(gaps):.1f} points in every column), with few items as with many, without random orientations in training. "
        f"**What it does not buy**: accuracy where items always stand the same way. {_fixed(rows)}, and a step of the "
        f"equivariant network takes {_dearer(rows):.1f} times as long. Nor does it buy knowledge of forms: that takes items, "
        "for any of these networks. **What the figures leave open**: four times the steps bring the planar CNN on turned items "
        f"{_gained(rows, longer):.0f} points in the mean over all columns, and more steps may bring more: the figures are what "
        "this budget buys."
    )
    return "\n\n".join(said)


def _gained(rows: list[Row], longer: str) -> float:
    """Points that the longer training brings to the planar CNN on turned items."""
    places = [(task, n) for task in _tasks(rows) for n in _sizes(rows, task)]
    means = [[mean(_of(rows, task, name, n, "rotated")) for task, n in places] for name in (AUGMENTED, longer)]
    return 100 * (mean(means[1]) - mean(means[0]))


def _fixed(rows: list[Row]) -> str:
    """Upright digits: by how much the plain CNN is ahead, with few items and with many."""
    task = _tasks(rows)[0]
    ahead = [
        100 * (mean(_of(rows, task, PLAIN, n, "upright")) - mean(_of(rows, task, EQUIVARIANT, n, "upright")))
        for n in (_sizes(rows, task)[0], _sizes(rows, task)[-1])
    ]
    if min(ahead) <= 0:
        return "On upright digits the plain CNN is not ahead"
    return (
        "A plain CNN may use which way is up and where things are, and on upright digits it is ahead by "
        f"{ahead[0]:.0f} points with the fewest items and by {ahead[1]:.1f} with the most"
    )


def _dearer(rows: list[Row]) -> float:
    own, plain = (
        mean(row["seconds"] / row["steps"] for row in rows if row["network"] == network)
        for network in (EQUIVARIANT, PLAIN)
    )
    return own / plain


def _protocol(kept: dict[str, Any]) -> str:
    rows, bounds = kept["rows"], kept["bounds"]
    seeds = len({row["seed"] for row in rows})
    counts = {(n, len(_of(rows, task, PLAIN, n, "n"))) for task in _tasks(rows) for n in _sizes(rows, task)}
    fewer = " and ".join(f"{n:,} items {count}" for n, count in sorted(counts) if count < seeds)
    steps = sorted({row["steps"] for row in rows if row["network"] == PLAIN})
    parameters = sorted({row["parameters"] for row in rows})
    tested = " and ".join(
        f"{number:,} ({task})" for task, number in sorted({(r["task"], r["tested"]) for r in rows})[::-1]
    )
    settings = [
        f"- {task}: `SphericalClassifier` with {_words(found['equivariant'])};\n  `PlanarClassifier` with "
        f"{_words(found['planar'])}"
        for task, found in sorted(kept["settings"].items(), reverse=True)
    ]
    return "\n".join(
        (
            "## Protocol\n",
            "Every network sees the same items, as they come (digits upright, meshes turned about the vertical), distorted",
            "anew each time; with rotation augmentation, in a new random orientation each time. An epoch holds each item",
            f"once, or as often as makes {bounds['least']:,}; there are {bounds['epochs']} epochs, or fewer so that",
            f"{bounds['most']:,} items are seen in all (two epochs at least): {steps[0]:,} to {steps[-1]:,} steps of",
            f"{bounds['batch']} items, one cycle of the learning rate. The second planar network on turned items takes",
            f"{bounds['longer']} times as many, more processor time than the equivariant one has. The epoch is",
            f"chosen on {bounds['validated']} further items; networks are tested once, on {tested}. Mean and standard",
            f"deviation over {seeds} seeds (items, weights, order and orientations drawn anew)"
            + (f"; with {fewer}." if fewer else "."),
            f"\nNetworks of {parameters[0]:,} to {parameters[-1]:,} parameters:\n",
            *settings,
            f"\n{kept['machine']}, torch {kept['torch']}; processor times are of one thread, data included, from the median of",
            "40 steps. Made by `python benchmarks/data_efficiency.py` and `python docs/write_efficiency.py`.",
        )
    )


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {', '.join(map(str, x)) if isinstance(x, list) else x}" for key, x in settings.items())


def _picture(rows: list[Row]) -> None:
    """Accuracy in random orientations, and cost of training, against the number of items; mean and standard deviation."""
    tasks = _tasks(rows)
    figure, axes = plt.subplots(
        2, len(tasks), figsize=(4.8 * len(tasks), 6.2), sharex="col", height_ratios=(2, 1), squeeze=False
    )
    for column, task in zip(axes.T, tasks, strict=True):
        for network, colour in zip(_names(rows), COLOURS, strict=True):
            _curve(column[0], rows, task, network, "rotated", color=colour, label=network)
            if network == PLAIN:
                _curve(
                    column[0], rows, task, network, "upright", color=colour, label=f"{network}, tested upright", ls=":"
                )
            _curve(column[1], rows, task, network, "seconds", color=colour)
        column[0].set(title=task, xscale="log", ylim=(0, 100))
        column[1].set(xlabel="training items", xscale="log", ylim=(0, None))
        column[1].set_xticks(_sizes(rows, task), [f"{n:,}" for n in _sizes(rows, task)])
        column[1].minorticks_off()
        for ax in column:
            ax.grid(alpha=0.3)
            ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("accuracy in random\norientations, %")
    axes[1, 0].set_ylabel("training,\nprocessor s")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(ROOT / "data_efficiency.png", dpi=110)


def _curve(ax: plt.Axes, rows: list[Row], task: str, network: str, key: str, **how: Any) -> None:
    sizes = _sizes(rows, task)
    values = [[(1 if key == "seconds" else 100) * x for x in _of(rows, task, network, n, key)] for n in sizes]
    spread = [stdev(v) if len(v) > 1 else 0 for v in values]
    ax.errorbar(sizes, list(map(mean, values)), spread, marker="o", capsize=3, markersize=4, **how)


if __name__ == "__main__":
    main()
