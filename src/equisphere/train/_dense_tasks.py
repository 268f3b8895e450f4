"""Tasks whose answers are signals, judged over the area of the sphere."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from equisphere.data import Readout


class Segmentation:
    """The class of each point of the sphere: cross entropy of logits, judged by the mean intersection over union (mIoU).

    Every node counts by its quadrature weight, so that the poles of a picture count as little as they are; nodes without a
    class do not count. IoU_k is the area that is k by both the network and the labels, over the area that is k by one of them,
    both summed over all signals; mIoU is its mean over the classes that occur.

    >>> import torch, equisphere as es
    >>> from equisphere.data import Readout
    >>> grid = es.grids.DriscollHealy(4)
    >>> labels = (grid.points[..., 2] < 0).long()[None]  # north 0, south 1
    >>> target = Readout(labels, grid.weights.float()[None], grid)
    >>> height = es.SHT(grid)(grid.points[..., 2].float())
    >>> task = Segmentation()
    >>> task.figures(task.sums(torch.stack((height, -height))[None], target))["miou"]
    1.0
    """

    chooses: ClassVar[str] = "miou"
    mode: ClassVar[str] = "max"
    percents: ClassVar[tuple[str, ...]] = ("miou", "accuracy")

    def loss(self, output: Float[Tensor, "n classes coefficients"], target: Readout) -> Tensor:
        """Mean cross entropy over the area with labels."""
        return self._entropy(target.read(output), target) / target.weights.sum()

    def sums(self, output: Float[Tensor, "n classes coefficients"], target: Readout) -> dict[str, Tensor]:
        """Cross entropy, and the area of each pair (class by the labels, class by the network)."""
        logits = target.read(output)
        classes = logits.shape[1]
        weights = target.weights.double()
        pair = torch.where(target.weights > 0, target.values.long(), 0) * classes + logits.argmax(1)
        areas = weights.new_zeros(classes**2).index_add(0, pair.flatten(), weights.flatten())
        return {"loss": self._entropy(logits, target).double(), "areas": areas.unflatten(0, (classes, classes))}

    def figures(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Mean cross entropy, mIoU, and the share of the area with the right class."""
        areas = sums["areas"]
        both, either = areas.diagonal(), areas.sum(0) + areas.sum(1) - areas.diagonal()
        occurs = areas.sum(1) > 0
        return {
            "loss": float(sums["loss"] / areas.sum()),
            "miou": float((both[occurs] / either[occurs]).mean()),
            "accuracy": float(both.sum() / areas.sum()),
        }

    @staticmethod
    def _entropy(logits: Tensor, target: Readout) -> Tensor:
        labels = torch.where(target.weights > 0, target.values.long(), 0)
        return (functional.cross_entropy(logits, labels, reduction="none") * target.weights).sum()


class FieldRegression:
    """Mean squared error over the area of the sphere, of scalars or tangent fields; judged by its root (RMSE), in their unit.

    Of a tangent field the error is that of a component: half of the squared length of the difference.

    >>> import torch, equisphere as es
    >>> from equisphere.data import Readout
    >>> grid = es.grids.HEALPix(4)
    >>> target = Readout(torch.full((1, 1, 192), 3.0), grid.weights.float()[None], grid)
    >>> task = FieldRegression()
    >>> round(task.figures(task.sums(torch.zeros(1, 1, 4), target))["rmse"], 4)
    3.0
    """

    chooses: ClassVar[str] = "rmse"
    mode: ClassVar[str] = "min"
    percents: ClassVar[tuple[str, ...]] = ()

    def loss(self, output: Float[Tensor, "n channels coefficients"], target: Readout) -> Tensor:
        """Mean squared error."""
        return self._squared(output, target) / (target.weights.sum() * target.values.shape[1])

    def sums(self, output: Float[Tensor, "n channels coefficients"], target: Readout) -> dict[str, Tensor]:
        """Squared error, and the area that it is over."""
        area = target.weights.double().sum() * target.values.shape[1]
        return {"squared": self._squared(output, target).double(), "area": area}

    def figures(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Mean squared error, and its root."""
        squared = float(sums["squared"] / sums["area"])
        return {"loss": squared, "rmse": squared**0.5}

    @staticmethod
    def _squared(output: Tensor, target: Readout) -> Tensor:
        error = (target.read(output) - target.values).square()
        return torch.einsum("nc...,n...->", error, target.weights)
