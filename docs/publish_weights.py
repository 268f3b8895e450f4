"""Take a trained network into the package, with a card that says what it is.

    equisphere train spherical-mnist --data mnist.npz --output runs/mnist
    python docs/publish_weights.py runs/mnist --data mnist.npz

Every figure on the card is one of the checkpoint's notes, or measured here, on test digits.
"""

import argparse

import torch

import equisphere as es
from equisphere.models import card, checkpoint_path
from equisphere.models._pretrained import FOLDER

LARGEST = 1_000_000  # bytes

DATA = """MNIST (LeCun, Cortes and Burges, CC BY-SA 3.0), put on the sphere from the north pole by stereographic projection,
{degrees:.0f} degrees in radius (`data.image_coefficients(images, bandwidth={bandwidth}, extent={extent})`, grey from 0 to 1)"""

LIMITS = """
**Not for** reading digits in earnest: a 6 and a 9 of the same form are one digit to a network that does not see orientation.

Made by `equisphere train {name}` and `python docs/publish_weights.py`; equisphere {version}, torch {torch}.
"""


def main() -> None:
    """Measure, write the checkpoint and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="output folder of `equisphere train`, or the checkpoint in it")
    parser.add_argument("--data", required=True, help="the digits that it was trained on, as for `equisphere train`")
    given = parser.parse_args()
    model, notes = es.models.load(checkpoint_path(given.run))
    recipe = es.train.recipe_of(notes, given.run)
    digits = recipe.load(given.data)
    signals = digits.part("test", model.bandwidth)[es.data.Batch(torch.arange(200), 0)][0]
    report = es.audit.audit(model, signals, rotations=32, lie=False)
    extent = recipe.options["extent"]
    notes["data"] = DATA.format(degrees=extent * 180 / torch.pi, bandwidth=model.bandwidth, extent=extent)
    notes |= {"classes": list(digits.classes), "audit": {**report.brief(), "on": "test digits"}}
    notes["figures"].setdefault("orientations", dict(digits.orientations))
    notes["recipe"]["data"] = "mnist"  # not where somebody's copy lies
    FOLDER.mkdir(exist_ok=True)
    path = es.models.save(model, FOLDER / f"{recipe.name}.safetensors", notes)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than the {LARGEST} that the package carries.")
    limits = LIMITS.format(name=recipe.name, version=es.__version__, torch=torch.__version__)
    (FOLDER / f"{recipe.name}.md").write_text(card(model, recipe.name, notes) + limits)


if __name__ == "__main__":
    main()
