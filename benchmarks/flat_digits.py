"""What an ordinary CNN of our size makes of flat digits turned in the plane, and which digits both get wrong.

    EQUISPHERE_DATA=... python benchmarks/flat_digits.py        (about half an hour of one thread)

Spherical MNIST asks for digits in any orientation. Some digits are another digit then: a turned 9 may be a 6. How much of the
error that is, no published figure says. Here a CNN, which knows nothing of the sphere, learns the same digits as
`equisphere train spherical-mnist`, by as many epochs and the same distortion, but flat, and turned in the plane anew whenever
they are seen. It is tested on the flat test digits, turned: each once, and by the mean answer over `TURNS` turns, which is
invariant as well as it can be. What it and the network that comes with the package answer to the digits that either gets wrong
is kept in docs/evidence/flat-digits.json and drawn in docs/wrong.png; `python docs/write_results.py` tells it.
"""

import argparse
import json
import platform
from math import pi
from pathlib import Path
from time import process_time
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from equisphere.data import Digits, LabelledImages, load_digits, loader
from equisphere.data._spherical_images import mapped, near_identity
from equisphere.models import SphericalClassifier
from equisphere.train import RECIPES

DOCS = Path(__file__).parent.parent / "docs"
RECIPE = RECIPES["spherical-mnist"]
CHANNELS = (16, 28, 28, 56, 56)
STRIDES = (1, 2, 1, 2, 1)
TURNS = 16
SHARE = 500
#: digits in the picture
SHOWN = 60


def network() -> nn.Sequential:
    """Five convolutions of 3 x 3, the mean of each channel, a linear layer."""
    layers: list[nn.Module] = []
    for before, after, stride in zip((1, *CHANNELS[:-1]), CHANNELS, STRIDES, strict=True):
        layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS[-1], 10))


def turned(images: Tensor, generator: torch.Generator, jitter: float = 0.0) -> Tensor:
    """One channel of each image, turned about its middle by an angle of its own, after a distortion near the identity."""
    angle = 2 * pi * torch.rand(len(images), generator=generator)
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)
    return mapped(images, turn @ near_identity(len(images), jitter, generator))[:, None]


def trained(part: LabelledImages, epochs: int, seed: int) -> nn.Sequential:
    """The CNN after one cycle of the learning rate, by AdamW, with the recipe's batches and smoothing."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = network()
    images, size = part.images.float() / 255, RECIPE.batch_size
    steps = len(images) // size
    optimizer = torch.optim.AdamW(net.parameters(), RECIPE.learning_rate, weight_decay=RECIPE.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RECIPE.learning_rate, epochs * steps, pct_start=0.2)
    for _ in tqdm(range(epochs), "epochs"):
        for index in torch.randperm(len(images), generator=generator).split(size)[:steps]:
            logits = net(turned(images[index], generator, RECIPE.options["jitter"]))
            loss = functional.cross_entropy(logits, part.labels[index], label_smoothing=RECIPE.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def answers(net: nn.Module, part: LabelledImages, seed: int) -> Tensor:
    """Probabilities `(TURNS, n, 10)`, each image turned anew each time."""
    generator = torch.Generator().manual_seed(seed + 1)
    images = part.images.float() / 255
    every = [[net(turned(some, generator)).softmax(1) for some in images.split(SHARE)] for _ in range(TURNS)]
    return torch.stack([torch.cat(one) for one in every])


@torch.no_grad()
def ours(data: Digits) -> Tensor:
    """What the network that comes with the package answers to the test digits."""
    net = SphericalClassifier.from_pretrained("spherical-mnist").eval()
    return torch.cat([net(c).argmax(1) for c, _ in loader(data.part("test", net.bandwidth), SHARE)])


def drawn(part: LabelledImages, wrong: list[dict[str, int]]) -> Figure:
    """Digits that both networks get wrong, each with its label and what they say."""
    both = [row for row in wrong if row["label"] not in (row["flat"], row["spherical"])][:SHOWN]
    rows = -(-len(both) // 12)
    figure, axes = plt.subplots(rows, 12, figsize=(12, 1.25 * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, row in zip(axes.flat, both, strict=False):
        ax.imshow(part.images[row["item"]], cmap="gray_r")
        ax.set_title(f"{row['label']}: {row['flat']}, {row['spherical']}", fontsize=9)
    figure.tight_layout()
    return figure


def main() -> None:
    """Train, test, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = load_digits(RECIPE.data, RECIPE.seed, **RECIPE.options)
    began = process_time()
    net = trained(data.train, given.epochs, given.seed)
    seconds = process_time() - began
    labels = data.test.labels
    every = answers(net, data.test, given.seed)
    theirs, mine = every.mean(0).argmax(1), ours(data)
    wrong = torch.nonzero((theirs != labels) | (mine != labels))[:, 0]
    kept: dict[str, Any] = {
        "parameters": sum(p.numel() for p in net.parameters()),
        "epochs": given.epochs,
        "seed": given.seed,
        "turns": TURNS,
        "processor minutes": round(seconds / 60, 1),
        "machine": f"{platform.system()} {platform.machine()}, threads: {torch.get_num_threads()}",
        "torch": torch.__version__,
        "accuracy": {
            "turned once": float((every.argmax(2) == labels).float().mean()),
            "mean of all turns": float((theirs == labels).float().mean()),
            "spherical": float((mine == labels).float().mean()),
        },
        "wrong": [
            {"item": int(i), "label": int(labels[i]), "flat": int(theirs[i]), "spherical": int(mine[i])} for i in wrong
        ],
    }
    (DOCS / "evidence" / "flat-digits.json").write_text(json.dumps(kept, indent=1) + "\n")
    drawn(data.test, kept["wrong"]).savefig(DOCS / "wrong.png", dpi=90)


if __name__ == "__main__":
    main()
