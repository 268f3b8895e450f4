"""Retrieval: shapes that are alike, in any orientation, by descriptors that do not mind rotations."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import normalize

from equisphere.data import Part, cloud_coefficients, loader, normalize_points, read_shape
from equisphere.models import ConfiguredModule, SphericalClassifier
from equisphere.train._recipes import Recipe
from equisphere.transforms import power_spectrum


@torch.no_grad()
def descriptors(model: SphericalClassifier, data: Part, batch_size: int = 250) -> Float[Tensor, "n hidden"]:
    """Descriptors that a trained classifier gives to each item of a part, in order (`SphericalClassifier.descriptors`)."""
    return torch.cat([model.descriptors(c) for c, _ in loader(data, batch_size)])


def retrieval_figures(found: Float[Tensor, "n d"], labels: Int64[Tensor, "n"]) -> dict[str, float]:
    """Every item asks for those of its class among all others, ranked by the cosine of descriptors.

    Returns:
        Means over the items: "mean average precision" (of each relevant rank, the share of relevant ones up to it),
        "nearest neighbour" (precision at rank 1) and "first tier" (precision at rank R, R the number of relevant ones;
        Shilane et al. 2004, The Princeton Shape Benchmark, 4). Items that are alone in their class do not ask.

    >>> corner = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> retrieval_figures(corner, torch.tensor([0, 0, 1]))["mean average precision"]
    1.0
    """
    unit = normalize(found.double(), dim=1)
    likeness = unit @ unit.mT
    likeness.fill_diagonal_(-torch.inf)
    ranked = likeness.argsort(dim=1, descending=True, stable=True)[:, :-1]
    relevant = (labels[ranked] == labels[:, None]).double()
    count = relevant.sum(1)
    asks = count > 0
    relevant, count = relevant[asks], count[asks]
    ranks = torch.arange(1, relevant.shape[1] + 1)
    precision = relevant.cumsum(1) / ranks
    tier = precision.gather(1, count.long()[:, None] - 1)
    return {
        "mean average precision": float(((precision * relevant).sum(1) / count).mean()),
        "nearest neighbour": float(relevant[:, 0].mean()),
        "first tier": float(tier.mean()),
    }


def shape_coefficients(
    path: str | Path, model: ConfiguredModule, recipe: Recipe
) -> Float[Tensor, "channels coefficients"]:
    """A mesh or a cloud in a file as a network of shapes sees it that was trained by a recipe.

    Raises:
        DataError: where the file is missing or corrupt; the message names it.
    """
    points = normalize_points(read_shape(path, recipe.options.get("points", 1024)).float())
    return cloud_coefficients(points, model.bandwidth, model.config["in_channels"])


@torch.no_grad()
def describe_shape(
    path: str | Path, model: ConfiguredModule | None = None, recipe: Recipe | None = None
) -> Float[Tensor, "d"]:
    """The descriptor of a mesh or a cloud in a file, a unit vector that is the same in any orientation.

    With a classifier and the recipe that it was trained by, its own; without, the root of the power of each degree of each of 8
    shells at band limit 12 (Kazhdan et al. 2003), which needs no training.

    Raises:
        DataError: where the file is missing or corrupt; the message names it.
        ValueError: where the recipe is not one of shapes.
    """
    if model is None:
        c = cloud_coefficients(normalize_points(read_shape(path, 2048).float()), 12, 8)
        return normalize(power_spectrum(c).sqrt().flatten(), dim=0)
    if recipe is None or recipe.data_set != "shapes" or not isinstance(model, SphericalClassifier):
        raise ValueError("shapes are described by a classifier of shapes, such as `equisphere train modelnet10` makes.")
    return model.descriptors(shape_coefficients(path, model, recipe)[None])[0]


def most_similar(
    query: Float[Tensor, "d"], gallery: Sequence[Float[Tensor, "d"]], number: int
) -> list[tuple[int, float]]:
    """Places in the gallery, the most similar first, with the cosine of the angle to the query."""
    likeness = torch.stack(list(gallery)) @ query
    order = likeness.argsort(descending=True, stable=True)[:number]
    return [(int(i), float(likeness[i])) for i in order]
