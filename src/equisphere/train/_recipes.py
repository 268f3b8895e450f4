"""Recipes: everything that a training needs, by name."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from equisphere import _checks, models
from equisphere.data import DataSet, load_digits, load_molecules, load_panoramas, load_shapes, load_sky, load_winds
from equisphere.models import ConfiguredModule

#: loaders `(source, seed, **options)` of data, by the name that recipes use
DATA_SETS: dict[str, Callable[..., DataSet]] = {
    "digits": load_digits,
    "molecules": load_molecules,
    "panoramas": load_panoramas,
    "shapes": load_shapes,
    "sky": load_sky,
    "winds": load_winds,
}


@dataclass(frozen=True)
class Recipe:
    """A training, to the last number.

    Attributes:
        name: of the recipe.
        model: class in `equisphere.models`.
        settings: arguments of its constructor, beside those that follow from the data.
        task: what for, a name in `TASKS`.
        data_set: what on, a name in `DATA_SETS`.
        data: source of the data, as their loader takes it.
        options: further arguments of the loader.
        rotated: train on items each in an orientation of its own, or as they come.
        epochs: passes over the training data.
        batch_size: signals in a step.
        learning_rate: the highest of a one-cycle schedule (Smith & Topin 2018).
        weight_decay: of AdamW (Loshchilov & Hutter 2019).
        matrix_rate: the highest of the same cycle for the matrices of zonal convolutions, where they move as wholes (`Muon`);
            None: by AdamW, like everything else.
        label_smoothing: of the cross entropy.
        patience: stop after so many epochs without a better figure on validation data; None: never before the end.
        seed: of split, weights, order, rotations, jitter and dropout.
    """

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    task: str = "classification"
    data_set: str = "digits"
    data: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    rotated: bool = False
    epochs: int = 16
    batch_size: int = 64
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    matrix_rate: float | None = None
    label_smoothing: float = 0.0
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _checks.positive_int(getattr(self, name), name)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must be an integer from 0 to 2^31 - 1, got {self.seed!r}.")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}.")
        if self.matrix_rate is not None and not self.matrix_rate > 0:
            raise ValueError(f"matrix_rate must be above 0, or None for AdamW, got {self.matrix_rate}.")
        if self.patience is not None:
            _checks.positive_int(self.patience, "patience")

    def changed(self, **changes: Any) -> "Recipe":
        """The recipe with some numbers changed; None leaves one as it is."""
        return replace(self, **{key: value for key, value in changes.items() if value is not None})

    def load(self, source: str | None = None) -> DataSet:
        """The data, from the recipe's source or another.

        Raises:
            data.DataError: where they cannot be read.
            ValueError: where the options are none of these data.
        """
        loader = DATA_SETS[self.data_set]
        try:
            return loader(source or self.data, self.seed, **self.options)
        except TypeError as error:
            raise ValueError(f"options {self.options} do not fit the data {self.data_set!r}: {error}.") from error

    def network(self, data: DataSet) -> ConfiguredModule:
        """A new network for these data."""
        return getattr(models, self.model)(**{**data.model_settings, **self.settings})

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON types."""
        return asdict(self)


def recipe_of(notes: dict[str, Any], path: object) -> Recipe:
    """The recipe that the notes of a checkpoint carry.

    Raises:
        ValueError: where they carry none.
    """
    try:
        return Recipe(**notes["recipe"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not say how its network was trained ({error}): `equisphere train` writes that."
        ) from None


SMALL = {
    "channels": [24, 24, 24, 24, 32],
    "bandwidths": [20, 16, 12, 10, 8],
    "anchors": 8,
    "activation": "silu",
    "hidden": 32,
    "dropout": 0.1,
    "triples": 24,
    "pairs": 9,
}
PLANAR = {"bandwidth": 24, "channels": [12, 24, 40, 52]}
DIRECTED = {
    "channels": [36, 36, 36, 36, 40],
    "bandwidths": [24, 16, 16, 12, 10],
    "anchors": 8,
    "activation": "silu",
    "hidden": 24,
    "dropout": 0.1,
    "triples": 24,
    "pairs": 14,
}

PANORAMAS = {"channels": [16, 24, 32, 32], "bandwidths": [32, 24, 16, 8], "anchors": 8, "dropout": 0.2}
PICTURES = {"bandwidth": 32, "channels": [12, 24, 36], "dropout": 0.2}
WINDS = {"channels": [12, 12], "bandwidths": [32, 12], "anchors": 8, "dropout": 0.3, "direct": True}
SKY = {"channels": [16, 24, 32], "bandwidths": [32, 16, 8], "direct": True}
LIFTED = {
    "channels": [64, 64, 64, 96],
    "bandwidths": [12, 10, 8, 6],
    "activation": "silu",
    "pairs": 16,
    "triples": 24,
    "hidden": 64,
    "dropout": 0.3,
}
NARROWER = {**LIFTED, "channels": [48, 48, 64], "bandwidths": [12, 10, 8], "pairs": 12, "dropout": 0.4}

#: angular radius of an image whose edge lies on the equator
HEMISPHERE = 1.57
SPHERICAL_IMAGES = {"extent": 1.2, "jitter": 0.1}
CLOUDS = {"shells": 10, "distortion": {"affine": 0.1, "noise": 0.01, "keep": 0.75}}
SURFACES = {"shells": 10, "points": 2048, "distortion": {"affine": 0.15, "noise": 0.02, "keep": 0.375}}

#: what the recipes of shapes have in common
SHAPES = Recipe(
    "shapes",
    "SphericalClassifier",
    LIFTED,
    data_set="shapes",
    options=CLOUDS,
    epochs=25,
    batch_size=32,
    label_smoothing=0.1,
)

#: our own network; those of the papers learn the same digits by the same steps
MNIST = Recipe(
    "spherical-mnist",
    "SphericalClassifier",
    DIRECTED,
    data="mnist",
    options={"extent": HEMISPHERE, "jitter": 0.12},
    epochs=28,
    batch_size=32,
    learning_rate=5e-3,
    matrix_rate=0.04,
    weight_decay=0.02,
    label_smoothing=0.05,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "digits",
            "SphericalClassifier",
            SMALL,
            options=SPHERICAL_IMAGES,
            epochs=20,
            learning_rate=8e-3,
            label_smoothing=0.1,
        ),
        Recipe("digits-planar", "PlanarClassifier", PLANAR, options=SPHERICAL_IMAGES, epochs=12, label_smoothing=0.1),
        MNIST,
        *(
            MNIST.changed(name=f"spherical-mnist-{paper.lower()}", model=paper, settings={}, epochs=10)
            for paper in ("Cohen2018", "Esteves2020", "Cobb2021")
        ),
        Recipe("pano-layout", "SphericalUNet", PANORAMAS, "segmentation", "panoramas", epochs=80, batch_size=8),
        Recipe("pano-layout-planar", "PlanarUNet", PICTURES, "segmentation", "panoramas", epochs=80, batch_size=8),
        Recipe(
            "wind",
            "SphericalUNet",
            WINDS,
            "field-regression",
            "winds",
            epochs=25,
            batch_size=4,
            learning_rate=6e-3,
            weight_decay=0.03,
        ),
        Recipe("sky-inpaint", "SphericalUNet", SKY, "field-regression", "sky", epochs=8, batch_size=16),
        SHAPES.changed(name="modelnet10", data="modelnet10"),
        SHAPES.changed(name="modelnet40", data="modelnet40"),
        SHAPES.changed(name="shapes69", data="shapes69", settings=NARROWER, options=SURFACES, epochs=40),
        Recipe(
            "qm7",
            "MoleculeRegressor",
            {"bandwidth": 5, "mixtures": 64, "hidden": [128, 64]},
            task="regression",
            data_set="molecules",
            options={"radial": 8, "reach": 5.0},
            epochs=40,
            batch_size=32,
            learning_rate=3e-3,
            weight_decay=0.01,
        ),
    )
}
