"""What equivariance is worth in training data: accuracy and cost against the number of training items.

    EQUISPHERE_DATA=... python benchmarks/data_efficiency.py              (some minutes; goes on where it was stopped)
    EQUISPHERE_DATA=... python benchmarks/data_efficiency.py --full       (50 to 55,000 digits; hours)

Three networks of equal size learn from the same items: an equivariant one, a planar CNN, and the planar CNN on items that are
turned anew in each epoch. All are tested on items in random orientations and on items as they come. For each number of items
and each seed the items, the weights and the orientations are drawn anew; an epoch has about `LEAST` items or more (few are seen
several times, distorted differently), so that few and many items get a like number of steps. Whole runs are kept in --runs;
the figures go to docs/evidence/data_efficiency.json, the picture to docs/data_efficiency.png.
"""

import argparse
import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from time import process_time
from typing import Any

import matplotlib as mpl
import numpy as np
import torch

from equisphere.data import Batch, DataSet, Part, loader, stratified_split
from equisphere.train import Recipe, fit

mpl.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "docs" / "evidence" / "data_efficiency.json"
LEAST, EPOCHS = 800, 8

DIGITS = {"data_set": "digits", "data": "mnist", "options": {"extent": 1.2, "jitter": 0.1, "fresh": True}}
MESHES = {
    "data_set": "shapes",
    "data": "shapes69",
    "options": {"shells": 8, "points": 1024, "distortion": {"affine": 0.15, "noise": 0.02, "keep": 0.5}},
}
ROUND = {"activation": "silu", "hidden": 32, "dropout": 0.2}
TASKS: dict[str, dict[str, Any]] = {
    "spherical MNIST": {
        "recipe": DIGITS,
        "sizes": (50, 200, 800, 3000),
        "full": (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 55_000),
        "equivariant": {"channels": [16, 24, 32, 32], "bandwidths": [16, 12, 10, 8], "triples": 16, **ROUND},
        "planar": {"bandwidth": 16, "channels": [16, 24, 36, 56]},
        "tested": 1000,
    },
    "69 classes of meshes": {
        "recipe": MESHES,
        "sizes": (138, 480, 1499),
        "full": (69, 138, 276, 480, 800, 1499),
        "equivariant": {"channels": [32, 32, 48], "bandwidths": [10, 8, 6], "pairs": 8, "triples": 16, **ROUND},
        "planar": {"bandwidth": 10, "channels": [20, 34, 46], "dropout": 0.2},
        "tested": 1000,
    },
}
#: words, key of the network's settings, trained in random orientations, colour
NETWORKS = {
    "equivariant": ("equivariant", False, "#1b6ca8"),
    "planar CNN": ("planar", False, "#b3541e"),
    "planar CNN, rotation augmentation": ("planar", True, "#7a7a7a"),
}


@dataclass(frozen=True)
class Repeated:
    """A part several times in an epoch; each time is an epoch of its own to what is random in it."""

    once: Part
    times: int

    @property
    def seed(self) -> int:
        """That of the part."""
        return self.once.seed

    def __len__(self) -> int:
        """Items in an epoch."""
        return self.times * len(self.once)

    def __getitem__(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Signals and labels."""
        turn, place = batch.index // len(self.once), batch.index % len(self.once)
        found: list[Any] = [None] * len(place)
        for t in turn.unique().tolist():
            (here,) = torch.where(turn == t)
            c, labels = self.once[Batch(place[here], batch.epoch * self.times + t)]
            for i, *row in zip(here.tolist(), c, labels, strict=True):
                found[i] = row
        return torch.stack([c for c, _ in found]), torch.stack([label for _, label in found])


@dataclass(frozen=True)
class Fewer:
    """A data set with few items, of each class in proportion."""

    whole: Any  # Digits or Shapes
    train: int
    test: int
    validation: int = 200

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> Part:
        """A part, cut."""
        items, number = getattr(self.whole, name), getattr(self, name)
        if number < len(items):
            share = number / len(items)
            items = items.take(stratified_split(items.labels, self.whole.seed, share, 0.0)["test"])
        part = replace(self.whole, **{name: items}).part(name, bandwidth, rotated, augmented)
        return Repeated(part, max(1, round(LEAST / len(part))) if name == "train" else 1)


def main() -> None:
    """Train what is missing, write figures and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "data-efficiency", help="folder of the trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="all sizes, all test items")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        for task, what in TASKS.items():
            data = Recipe("x", "x", **what["recipe"], seed=seed).load()
            for n in what["full" if given.full else "sizes"]:
                for network in NETWORKS:
                    rows.append(_trained(task, what, data, n, network, seed, given))
                    print(rows[-1], flush=True)
        _write(rows)


def _write(rows: list[dict[str, Any]]) -> None:
    """Figures and picture of the seeds that are done."""
    machine = f"{platform.system()} {platform.machine()}, threads: {torch.get_num_threads()}"
    kept = {"rows": rows, "epochs": EPOCHS, "least": LEAST, "machine": machine, "torch": torch.__version__}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    _picture(rows)


def _trained(
    task: str, what: dict[str, Any], data: DataSet, n: int, network: str, seed: int, given: argparse.Namespace
) -> dict[str, Any]:
    key, rotated, _ = NETWORKS[network]
    name = f"{task}-{n}-{network}-{seed}{'-full' if given.full else ''}".replace(" ", "_").replace(",", "")
    model = "SphericalClassifier" if key == "equivariant" else "PlanarClassifier"
    recipe = Recipe(
        name,
        model,
        what[key],
        **what["recipe"],
        rotated=rotated,
        epochs=EPOCHS,
        batch_size=32,
        seed=seed,
        label_smoothing=0.1,
    )
    fewer = Fewer(data, n, len(data.test) if given.full else what["tested"])  # type: ignore[attr-defined]
    figures = fit(recipe, given.runs / name, fewer, progress=False, resume=True).figures
    upright, turned = figures["test_accuracy"].values()
    items = EPOCHS * len(fewer.part("train", 4))
    return {
        "task": task,
        "network": network,
        "n": n,
        "seed": seed,
        "upright": upright,
        "rotated": turned,
        "seconds": items * _cost(recipe, data),
        "parameters": figures["parameters"],
        "tested": figures["samples"]["test"],
    }


def _cost(recipe: Recipe, data: DataSet) -> float:
    """Processor seconds that a network takes to learn from one item, its making included: wall times depend on neighbours."""
    key = (recipe.model, recipe.data_set, recipe.rotated)
    if key not in COSTS:
        network = recipe.network(data).train()
        optimizer = torch.optim.AdamW(network.parameters())
        part = Fewer(data, 640, 64).part("train", network.bandwidth, recipe.rotated, augmented=True)
        took = []
        for c, labels in loader(part, 32, shuffle=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(c), labels).backward()
            optimizer.step()
            took.append(process_time())
        COSTS[key] = float(np.median(np.diff(took))) / 32
    return COSTS[key]


#: what `_cost` has measured
COSTS: dict[tuple[str, str, bool], float] = {}


def _picture(rows: list[dict[str, Any]]) -> None:
    """Accuracy in random orientations, and cost of training, against the number of items; mean and standard deviation."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, axes = plt.subplots(2, len(tasks), figsize=(4.6 * len(tasks), 5.6), sharex="col", height_ratios=(2, 1))
    for column, task in zip(axes.T, tasks, strict=True):
        for network, (_, _, colour) in NETWORKS.items():
            here = [row for row in rows if row["task"] == task and row["network"] == network]
            sizes = sorted({row["n"] for row in here})
            for ax, key, scale, style in (
                (column[0], "rotated", 100, "-"),
                (column[0], "upright", 100, ":"),
                (column[1], "seconds", 1, "-"),
            ):
                if key == "upright" and network != "planar CNN":
                    continue
                values = [[scale * row[key] for row in here if row["n"] == n] for n in sizes]
                spread = [stdev(v) if len(v) > 1 else 0 for v in values]
                label = f"{network}, tested upright" if key == "upright" else network
                ax.errorbar(
                    sizes,
                    list(map(mean, values)),
                    spread,
                    label=label,
                    color=colour,
                    linestyle=style,
                    marker="o",
                    capsize=3,
                    markersize=4,
                )
        column[0].set(title=task, xscale="log", ylim=(0, 100))
        column[1].set(xlabel="training items", xscale="log", ylim=(0, None))
        sizes = sorted({row["n"] for row in rows if row["task"] == task})
        column[1].set_xticks(sizes, [f"{n:,}" for n in sizes])
        column[1].minorticks_off()
        for ax in column:
            ax.grid(alpha=0.3)
            ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("accuracy in random\norientations, %")
    axes[1, 0].set_ylabel("training,\nprocessor s")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    figure.savefig(ROOT / "docs" / "data_efficiency.png", dpi=110)


if __name__ == "__main__":
    main()
