"""What networks are trained for: a loss, and figures that sums over the data give."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import functional

from equisphere.train._dense_tasks import FieldRegression, Segmentation
from equisphere.train._recipes import Recipe


@runtime_checkable
class Task(Protocol):
    """A loss for training, and figures for judging.

    Figures are functions of sums, so that batches, and the shares of several processes, add up to what the whole would give:
    `figures(sums(all)) = figures(sums(some) + sums(others))`, key by key.

    Attributes:
        chooses: the figure by which the epoch is chosen, on validation data.
        mode: "max" or "min", whichever is better.
        percents: figures that people read as percentages.
    """

    chooses: ClassVar[str]
    mode: ClassVar[str]
    percents: ClassVar[tuple[str, ...]]

    def loss(self, output: Tensor, target: Any) -> Tensor:
        """What training makes small, a mean over the batch."""
        ...

    def sums(self, output: Tensor, target: Any) -> dict[str, Tensor]:
        """What a batch adds."""
        ...

    def figures(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Figures, "loss" among them, from the sums over all batches."""
        ...


class Classification:
    """Cross entropy of logits `(n, classes)` against classes `(n,)`; judged by the share of right answers.

    >>> import torch
    >>> task = Classification()
    >>> task.figures(task.sums(torch.eye(3), torch.tensor([0, 1, 1])))["accuracy"]
    0.666...
    """

    chooses: ClassVar[str] = "accuracy"
    mode: ClassVar[str] = "max"
    percents: ClassVar[tuple[str, ...]] = ("accuracy",)

    def __init__(self, label_smoothing: float = 0.0) -> None:
        self.label_smoothing = label_smoothing

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy, with label smoothing (Szegedy et al. 2016)."""
        return functional.cross_entropy(output, target, label_smoothing=self.label_smoothing)

    def sums(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Cross entropy without smoothing, right answers, number."""
        return {
            "loss": functional.cross_entropy(output, target, reduction="sum"),
            "right": (output.argmax(1) == target).sum(),
            "n": target.new_tensor(len(target)),
        }

    def figures(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Mean loss and accuracy."""
        return {"loss": float(sums["loss"] / sums["n"]), "accuracy": int(sums["right"]) / int(sums["n"])}


class Regression:
    """Mean squared error of numbers `(n,)`; judged by its root (RMSE) and the mean absolute error (MAE), in their unit.

    >>> import torch
    >>> task = Regression()
    >>> task.figures(task.sums(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0])))
    {'loss': 12.5, 'rmse': 3.535..., 'mae': 3.5}
    """

    chooses: ClassVar[str] = "rmse"
    mode: ClassVar[str] = "min"
    percents: ClassVar[tuple[str, ...]] = ()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean squared error."""
        return functional.mse_loss(output, target)

    def sums(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Squared and absolute errors, number."""
        error = output - target
        return {"squared": error.square().sum(), "absolute": error.abs().sum(), "n": error.new_tensor(error.numel())}

    def figures(self, sums: dict[str, Tensor]) -> dict[str, float]:
        """Mean squared error, its root, mean absolute error."""
        squared, absolute = float(sums["squared"] / sums["n"]), float(sums["absolute"] / sums["n"])
        return {"loss": squared, "rmse": squared**0.5, "mae": absolute}


#: by the name that recipes use
TASKS: dict[str, Callable[[Recipe], Task]] = {
    "classification": lambda recipe: Classification(recipe.label_smoothing),
    "field-regression": lambda _: FieldRegression(),
    "regression": lambda _: Regression(),
    "segmentation": lambda _: Segmentation(),
}
