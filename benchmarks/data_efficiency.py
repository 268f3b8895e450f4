"""What equivariance is worth in training data: accuracy and cost against the number of training items.

    EQUISPHERE_DATA=... python benchmarks/data_efficiency.py              (two hours; goes on where it was stopped)
    EQUISPHERE_DATA=... python benchmarks/data_efficiency.py --anew       (trains again what the kept figures hold already)

Networks of equal size learn from the same items: an equivariant one, a planar CNN, and the planar CNN on items that are
turned anew whenever they are seen, for as many steps as the others and for `LONGER` times as many, which takes it longer than
the equivariant one. All are tested on items in random orientations and on items as they come. For each number of items
and each seed the items, the weights and the orientations are drawn anew. The number of steps has bounds (`schedule`): few items
are seen again and again, distorted differently. The epoch is chosen on `VALIDATED` further items. Small numbers of items come
first, with all seeds. Whole runs are kept in --runs, the figures in docs/evidence/data_efficiency.json, from which those of the
same settings are taken over, and `python docs/write_efficiency.py` makes the page and its picture of them.
"""

import argparse
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch

from equisphere.data import Batch, DataSet, Part, loader, stratified_split
from equisphere.train import Recipe, fit

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "docs" / "evidence" / "data_efficiency.json"
#: the bounds of a training: items in an epoch at least, epochs at most, items in all (of two epochs at least)
LEAST, EPOCHS, MOST = 1600, 8, 40_000
#: so many times the steps for a planar network on turned items
LONGER = 4
BATCH, VALIDATED = 32, 200

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
        "sizes": (50, 200, 800, 3000, 10_000, 55_000),
        "equivariant": {
            "channels": [16, 24, 32, 32],
            "bandwidths": [16, 12, 10, 8],
            "pairs": 8,
            "triples": 16,
            **ROUND,
        },
        "planar": {"bandwidth": 16, "channels": [16, 24, 36, 56]},
        "tested": 2000,
    },
    "69 classes of meshes": {
        "recipe": MESHES,
        "sizes": (138, 480, 1499),
        "equivariant": {"channels": [32, 32, 48], "bandwidths": [10, 8, 6], "pairs": 8, "triples": 16, **ROUND},
        "planar": {"bandwidth": 10, "channels": [20, 34, 46], "dropout": 0.2},
        "tested": 2000,
    },
}


@dataclass(frozen=True)
class Contestant:
    """A network and how it is trained: key of its settings, on turned items or not, how many times the steps."""

    settings: str
    rotated: bool = False
    longer: int = 1


NETWORKS = {
    "equivariant": Contestant("equivariant"),
    "planar CNN": Contestant("planar"),
    "planar CNN, rotation augmentation": Contestant("planar", rotated=True),
    f"planar CNN, rotation augmentation, {LONGER} times the steps": Contestant("planar", rotated=True, longer=LONGER),
}


def schedule(n: int) -> tuple[int, int]:
    """How often each of n items is seen in an epoch, and the number of epochs.

    >>> schedule(50), schedule(3000), schedule(10_000), schedule(55_000)
    ((32, 8), (1, 8), (1, 4), (1, 2))
    """
    times = max(1, round(LEAST / n))
    return times, max(2, min(EPOCHS, MOST // (times * n)))


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
    validation: int = VALIDATED

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> Part:
        """A part, cut."""
        items, number = getattr(self.whole, name), getattr(self, name)
        if number < len(items):
            share = number / len(items)
            items = items.take(stratified_split(items.labels, self.whole.seed, share, 0.0)["test"])
        part = replace(self.whole, **{name: items}).part(name, bandwidth, rotated, augmented)
        return Repeated(part, schedule(len(part))[0] if name == "train" else 1)


def main() -> None:
    """Train what is missing, write the figures of what is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "data-efficiency", help="folder of the trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--anew", action="store_true", help="take nothing over from the kept figures")
    given = parser.parse_args()
    rows = [] if given.anew else _kept()
    for task, n, seed in _plan(given.seeds):
        data = _load(task, seed)
        fewer = Fewer(data, n, TASKS[task]["tested"])
        for network in NETWORKS:
            key = {"task": task, "network": network, "n": n, "seed": seed}
            if any(key.items() <= row.items() for row in rows):
                continue
            recipe = _recipe(task, network, n, seed)
            figures = fit(recipe, given.runs / recipe.name, fewer, progress=False, resume=True).figures
            rows.append({**key, **_row(recipe, fewer, figures)})
            print(rows[-1], flush=True)
            _write(rows)


def _plan(seeds: int) -> Iterator[tuple[str, int, int]]:
    """Task, number of items and seed, small numbers first."""
    for _, task, n in sorted((i, task, n) for task, what in TASKS.items() for i, n in enumerate(what["sizes"])):
        for seed in range(seeds):
            yield task, n, seed


def _kept() -> list[dict[str, Any]]:
    """Rows of earlier runs, where they were of the same settings."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"rows": []}
    return kept["rows"] if json.loads(json.dumps(_conditions())).items() <= kept.items() else []


@cache
def _load(task: str, seed: int) -> DataSet:
    return Recipe("x", "x", **TASKS[task]["recipe"], seed=seed).load()


def _recipe(task: str, network: str, n: int, seed: int) -> Recipe:
    what, how = TASKS[task], NETWORKS[network]
    return Recipe(
        f"{task}-{n}-{network}-{seed}".replace(" ", "_").replace(",", ""),
        "SphericalClassifier" if how.settings == "equivariant" else "PlanarClassifier",
        what[how.settings],
        **what["recipe"],
        rotated=how.rotated,
        epochs=how.longer * schedule(n)[1],
        batch_size=BATCH,
        seed=seed,
        label_smoothing=0.1,
    )


def _row(recipe: Recipe, fewer: Fewer, figures: dict[str, Any]) -> dict[str, Any]:
    upright, turned = figures["test_accuracy"].values()
    steps = recipe.epochs * (len(fewer.part("train", 4)) // recipe.batch_size)
    return {
        "upright": upright,
        "rotated": turned,
        "steps": steps,
        "seconds": steps * recipe.batch_size * _cost(recipe, fewer.whole),
        "parameters": figures["parameters"],
        "tested": figures["samples"]["test"],
    }


def _conditions() -> dict[str, Any]:
    """What figures depend on, beside networks, items and seeds."""
    bounds = {"least": LEAST, "epochs": EPOCHS, "most": MOST, "longer": LONGER, "batch": BATCH, "validated": VALIDATED}
    settings = {task: {key: what[key] for key in ("equivariant", "planar")} for task, what in TASKS.items()}
    return {"bounds": bounds, "settings": settings}


def _write(rows: list[dict[str, Any]]) -> None:
    machine = f"{platform.system()} {platform.machine()}, threads: {torch.get_num_threads()}"
    rows = sorted(rows, key=lambda row: (row["task"], row["n"], row["seed"], list(NETWORKS).index(row["network"])))
    kept = {"rows": rows, **_conditions(), "machine": machine, "torch": torch.__version__}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")


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


if __name__ == "__main__":
    main()
