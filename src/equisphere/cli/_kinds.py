"""What `equisphere predict` makes of a file, by the kind of data that a network was trained on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from equisphere.cli._common import percent
from equisphere.models import ConfiguredModule

if TYPE_CHECKING:
    from equisphere.train import Recipe

#: what a file is answered by: rows of a table, as JSON types
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """A trained network, and how it is asked."""

    model: ConfiguredModule
    recipe: "Recipe"
    classes: list[str] | None
    invert: bool | None = None
    output: Path | None = None

    def named(self, number: int) -> list[str]:
        """Names of the classes: numbers, where the checkpoint does not tell."""
        return self.classes or [str(k) for k in range(number)]


@dataclass(frozen=True)
class Kind:
    """Files of a kind: what they are, how their names end, heads of the table, what is answered, a row as cells."""

    what: str
    suffixes: frozenset[str]
    heads: tuple[str, ...]
    answer: Callable[[Path, Asked], Rows]
    cells: Callable[[dict[str, Any]], tuple[str, ...]]


def kinds() -> dict[str, Kind]:
    """By the data set that a recipe names."""
    from equisphere.data import IMAGE_SUFFIXES, SHAPE_SUFFIXES

    pictures = frozenset(IMAGE_SUFFIXES)
    classified = ("class", "probability", "next")
    return {
        "digits": Kind("pictures of digits", pictures, classified, _digit, _likely),
        "shapes": Kind("meshes and clouds of points", frozenset(SHAPE_SUFFIXES), classified, _shape, _likely),
        "molecules": Kind(
            "molecules", frozenset({".xyz"}), ("molecule", "formula", "energy, kcal/mol"), _energy, _energetic
        ),
        "panoramas": Kind("panoramas", pictures | {".hdr"}, ("share of the sphere", "labels"), _panorama, _areas),
        "sky": Kind("HEALPix maps with gaps, in mK", frozenset({".fits"}), ("pixels filled", "map"), _sky, _filled),
    }


def _classified(c: torch.Tensor, asked: Asked) -> dict[str, Any]:
    """The likeliest class of one signal, and the probability of each."""
    shares = asked.model(c[None]).softmax(1)[0]
    best = int(shares.argmax())
    return {
        "class": asked.named(len(shares))[best],
        "probability": float(shares[best]),
        "probabilities": {name: round(p, 6) for name, p in zip(asked.named(len(shares)), shares.tolist(), strict=True)},
    }


def _likely(row: dict[str, Any]) -> tuple[str, ...]:
    others = sorted((p, name) for name, p in row["probabilities"].items() if name != row["class"])
    return row["class"], percent(row["probability"]), f"{others[-1][1]} ({percent(others[-1][0])})" if others else ""


def _digit(path: Path, asked: Asked) -> Rows:
    from equisphere.data import Digits, image_coefficients, read_digit

    image = read_digit(path, asked.invert)
    extent = asked.recipe.options.get("extent", Digits.extent)
    found = _classified(image_coefficients(image, asked.model.bandwidth, extent)[None], asked)
    return [{"digit": int(found["class"]), **found}]


def _shape(path: Path, asked: Asked) -> Rows:
    from equisphere.train import shape_coefficients

    return [_classified(shape_coefficients(path, asked.model, asked.recipe), asked)]


def _energy(path: Path, asked: Asked) -> Rows:
    from equisphere.data import SYMBOLS, Decaying, Molecules, neighbour_coefficients, read_xyz

    options, elements = asked.recipe.options, asked.model.config["elements"]
    radial = Decaying(options.get("radial", Molecules.radial), options.get("reach", Molecules.reach))
    rows: Rows = []
    for number, molecule in enumerate(read_xyz(path), 1):
        c = neighbour_coefficients(
            molecule.charges, molecule.positions.float(), asked.model.bandwidth, radial, elements
        )
        energy = float(asked.model(c[None], molecule.charges[None]))
        atoms = Counter(SYMBOLS[z] for z in molecule.charges.tolist())
        order = sorted(atoms, key=lambda s: (("C", "H").index(s) if s in ("C", "H") and "C" in atoms else 2, s))  # Hill
        formula = "".join(s + (str(atoms[s]) if atoms[s] > 1 else "") for s in order)
        rows.append({"molecule": number, "formula": formula, "energy": energy, "comment": molecule.comment})
    return rows


def _energetic(row: dict[str, Any]) -> tuple[str, ...]:
    return str(row["molecule"]), row["formula"], f"{row['energy']:.2f}"


def _panorama(path: Path, asked: Asked) -> Rows:
    from equisphere.data import panorama_colours, read_panorama, write_labels
    from equisphere.grids import DriscollHealy
    from equisphere.transforms import SHT

    image = read_panorama(path).expand(3, -1, -1)
    inside = asked.recipe.options.get("inside", True)
    seen = image.flip(-1) if inside else image
    grid = DriscollHealy(nlat=image.shape[1], nlon=image.shape[2])
    c = asked.model(panorama_colours(seen, asked.model.bandwidth)[None])[0]
    labels = SHT(grid, asked.model.bandwidth).inverse(c).argmax(0)
    names, weights = asked.named(len(c)), grid.weights
    areas = {name: float(weights[labels == k].sum() / weights.sum()) for k, name in enumerate(names)}
    written = None
    if asked.output is not None:
        written = asked.output / f"{path.stem}-classes.png"
        write_labels(labels.flip(-1) if inside else labels, written)
    return [{"areas": areas, "labels": written and str(written)}]


def _areas(row: dict[str, Any]) -> tuple[str, ...]:
    areas = sorted(row["areas"].items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {percent(share)}" for name, share in areas), row[
        "labels"
    ] or "(--output FOLDER writes them)"


def _sky(path: Path, asked: Asked) -> Rows:
    from equisphere.data import DataError, fill_sky, read_healpix, write_healpix

    fields, _ = read_healpix(path)
    sky = fields[0]
    gaps = int(torch.isnan(sky).sum())
    if not 0 < gaps < len(sky):
        raise DataError(
            f"{path} must have pixels that were not seen, and others that were: {gaps} of {len(sky)} are not."
        )
    filled, written = fill_sky(asked.model, sky, asked.model.bandwidth), None
    if asked.output is not None:
        written = asked.output / f"{path.stem}-filled.fits"
        write_healpix(filled[None], written)
    return [{"gaps": gaps, "map": written and str(written)}]


def _filled(row: dict[str, Any]) -> tuple[str, ...]:
    return f"{row['gaps']:,}", row["map"] or "(--output FOLDER writes it)"
