"""Take the network of a finished run into the package, with a card that says what it is.

    equisphere train spherical-mnist --data mnist.npz --output runs/mnist
    python docs/publish_weights.py runs/mnist --data mnist.npz

Every figure on the card is read from the run or measured here, on test digits.
"""

import argparse
import json
import platform
from pathlib import Path

import torch

import equisphere as es
from equisphere.models._pretrained import FOLDER

LARGEST = 1_000_000  # bytes

CARD = """# {name}

`{kind}.from_pretrained("{name}")`: {parameters:,} parameters, {size:.0f} kB, band limit {bandwidth}.

**Data.** MNIST (LeCun, Cortes and Burges, CC BY-SA 3.0): {train:,} handwritten digits to train on,
{validation:,} to choose the epoch, {test:,} to test on, put
on the sphere from the north pole by stereographic projection, {degrees:.0f} degrees in radius
(`data.image_coefficients(images, bandwidth={bandwidth}, extent={extent})`, grey values from 0 to 1).

**Protocol.** Trained on upright digits alone (NR), in {epochs} epochs, seed {seed}; tested on upright ones and on
digits each in a Haar-random orientation of its own (R).

| test digits | accuracy |
| --- | --- |
| upright (NR/NR) | {upright:.2f} % |
| any orientation (NR/R) | {rotated:.2f} % |

**Equivariance, measured** on {signals} test digits under {rotations} random rotations, float32 ({machine}): the logits
change by {median:.1e} in the median and {worst:.1e} at worst (relative, over the whole batch), and {flips:.2f} % of
the answers change. All of it is aliasing of the nonlinearities at oversampling {oversampling:g}.

**Made by** `equisphere train spherical-mnist` and `python docs/publish_weights.py`; equisphere {version}, torch {torch}.

**Not for** reading digits in earnest: a 6 and a 9 of the same form are one digit to a network that does not see orientation.
"""


def main() -> None:
    """Measure, write the checkpoint and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="output folder of `equisphere train`")
    parser.add_argument("--data", required=True, help="the digits that it was trained on, as for `equisphere train`")
    given = parser.parse_args()
    model, notes = es.models.load(given.run / "model.safetensors")
    figures = json.loads((given.run / "figures.json").read_text())
    recipe = es.train.recipe_of(notes, given.run)
    name = recipe.name
    digits = recipe.load(given.data)
    signals = digits.part("test", model.bandwidth)[es.data.Batch(torch.arange(500), 0)][0]
    R = es.random_rotations(32, torch.Generator().manual_seed(0), torch.float32)
    errors = es.audit.rotation_error(model, signals, R, invariant=True)
    with torch.no_grad():
        straight = model(signals).argmax(1)
        flips = torch.stack([(model(es.rotate(signals, r)).argmax(1) != straight).float().mean() for r in R]).mean()
    notes["recipe"]["data"] = "mnist"
    FOLDER.mkdir(exist_ok=True)
    path = es.models.save(model, FOLDER / f"{name}.safetensors", notes)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than the {LARGEST} that the package carries.")
    card = CARD.format(
        name=name,
        kind=type(model).__name__,
        parameters=figures["parameters"],
        size=path.stat().st_size / 1000,
        bandwidth=model.bandwidth,
        extent=recipe.options["extent"],
        degrees=recipe.options["extent"] * 180 / torch.pi,
        epochs=recipe.epochs,
        seed=recipe.seed,
        signals=len(signals),
        rotations=len(R),
        machine=platform.machine(),
        median=errors.median(),
        worst=errors.max(),
        flips=100 * flips,
        oversampling=model.config["oversampling"],
        version=es.__version__,
        torch=torch.__version__,
        upright=100 * figures["test_accuracy"]["NR"],
        rotated=100 * figures["test_accuracy"]["R"],
        **figures["samples"],
    )
    (FOLDER / f"{name}.md").write_text(card)


if __name__ == "__main__":
    main()
