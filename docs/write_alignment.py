"""The alignment of shapes by the features of a trained network (Esteves et al. 2018, section 5.4); writes docs/alignment.md.

    EQUISPHERE_DATA=folder python docs/write_alignment.py [--recipes modelnet10 shapes69] [--epochs 4] [--run FOLDER]

For each recipe a network is trained to tell classes apart, on shapes turned about the vertical alone, or taken from a run of
`equisphere train`. Then pairs of validation shapes are drawn, of each class alike; the second of each is turned by a random
rotation, and `align` is asked for it, from the lifted shapes themselves and from the feature maps after the last two blocks.
Errors are angles between the rotation found and the true one; between two objects of a class the true one is that between
the orientations that the data give them. Recipes that are not named keep their lines.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import equisphere as es
from equisphere import models, train
from equisphere.data import cloud_coefficients, normalize_points

PAGE = Path(__file__).parent / "alignment.md"
FEATURES = r"<!-- begin features -->.*?<!-- end features -->"
#: pairs that are aligned together: what memory holds
TOGETHER = 8


def pairs_of(labels: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """`(2, n)`: as many pairs of different shapes of each class as were asked for, or as there are."""
    found = []
    for label in labels.unique():
        members = torch.nonzero(labels == label)[:, 0]
        if len(members) < 2:
            continue
        for _ in range(number):
            found.append(members[torch.randperm(len(members), generator=generator)[:2]])
    return torch.stack(found, dim=1)


@torch.no_grad()
def features(model: models.SphericalClassifier, points: Tensor, blocks: int) -> Tensor:
    """Lifted clouds, or feature maps after some blocks of a network."""
    c = cloud_coefficients(normalize_points(points), model.bandwidth, model.config["in_channels"])
    return model.blocks[:blocks](c) if blocks else c


def errors(a: Tensor, b: Tensor, R: Tensor) -> np.ndarray:
    """Degrees between the rotation that `align` finds and the true one, of each pair."""
    found = [
        es.align.align(x, y, channels=True).rotation for x, y in zip(a.split(TOGETHER), b.split(TOGETHER), strict=True)
    ]
    chord = (torch.cat(found).double() - R.double()).flatten(-2).norm(dim=-1).numpy()
    return np.degrees(2 * np.arcsin(np.minimum(chord / 8**0.5, 1)))


def rows(name: str, epochs: int, number: int, folder: str | None) -> list[str]:
    """The table's lines for the shapes of one recipe."""
    recipe = train.RECIPES[name].changed(epochs=epochs)
    data = recipe.load()
    folder = folder or str(train.fit(recipe, tempfile.mkdtemp(), data, progress=False).folder)
    model, _ = models.load(Path(folder, "model.safetensors"))
    figures, trained = (json.loads(Path(folder, f"{part}.json").read_text()) for part in ("figures", "recipe"))
    told = (
        f"trained for {trained['epochs']} epochs on shapes {'in any orientation' if trained['rotated'] else 'upright'}, "
        f"{100 * figures['test_accuracy']['SO3']:.1f} % right in any orientation"
    )
    model = model.eval()
    generator = torch.Generator().manual_seed(0)
    points, labels = data.validation.points, data.validation.labels
    first, second = pairs_of(labels, number, generator)
    R = es.random_rotations(len(first), generator, torch.float32)
    half = points.shape[1] // 2
    kinds = {
        "the same shape": (points[first], points[first]),
        "the same shape, by other points": (points[first, :half], points[first, half:]),
        "another of its class": (points[first], points[second]),
    }
    found = []
    for kind, (a, b) in kinds.items():
        turned = b @ R.mT
        for blocks in (0, len(model.blocks) - 1, len(model.blocks)):
            x, y = features(model, a, blocks), features(model, turned, blocks)
            by = f"after block {blocks}" if blocks else "the lifted shapes"
            error = errors(x, y, R)
            low, middle, high = np.percentile(error, (25, 50, 75))
            limit = round(x.shape[-1] ** 0.5)
            near = 100 * (error < 30).mean()
            quartiles = " | ".join(f"{e:.2g}" if e < 99.5 else f"{e:.0f}" for e in (low, middle, high))
            cells = f"{name}, {kind} | {by} | {x.shape[1]} | {limit} | {quartiles} | {near:.0f}"
            found.append(f"| {cells} |")
            print(found[-1], flush=True)
    return [*found, f"\n{name}: {len(first)} pairs; {told}.\n"]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=["modelnet10"])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=12, help="of each class")
    parser.add_argument("--run", help="folder of a finished run of the recipe, in place of a training")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    page = PAGE.read_text()
    lines, notes = kept(page, options.recipes)
    for name in options.recipes:
        *found, note = rows(name, options.epochs, options.pairs, options.run)
        lines += found
        notes.append(note.strip())
    head = (
        "| pair | aligned by | channels | band limit | lower quartile, degrees | median | upper quartile | % below 30 |"
    )
    text = "\n".join([head, "|---|---|---|---|---|---|---|---|", *lines]) + "\n\n" + "\n\n".join(notes) + "\n"
    new = f"<!-- begin features -->\n{text}<!-- end features -->"
    PAGE.write_text(re.sub(FEATURES, lambda _: new, page, flags=re.DOTALL))


def kept(page: str, recipes: list[str]) -> tuple[list[str], list[str]]:
    """Lines of the table and notes of the recipes that are not measured now."""
    (part,) = re.findall(FEATURES, page, flags=re.DOTALL)
    others = [
        line
        for line in part.splitlines()[1:-1]
        if line and not re.match(rf"(\| )?({'|'.join(map(re.escape, recipes))})[,:]", line)
    ]
    table = [line for line in others if line.startswith("|") and not line.startswith(("| pair", "|---"))]
    return table, [line for line in others if not line.startswith("|")]


if __name__ == "__main__":
    main()
