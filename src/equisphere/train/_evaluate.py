"""Figures of a trained network."""

from typing import Any

import torch
from torch import Tensor, nn

from equisphere.data import DataSet, Part, loader
from equisphere.models import ConfiguredModule
from equisphere.train._tasks import Task


def answer(model: nn.Module, inputs: Any) -> Tensor:
    """What a network says to the inputs of a batch: one tensor, or a tuple of arguments."""
    return model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)


def add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sums of `Task.sums` over a further batch."""
    return {key: sums[key] + value if sums else value for key, value in more.items()}


@torch.no_grad()
def measure(model: nn.Module, data: Part, task: Task, batch_size: int = 250) -> dict[str, float]:
    """Figures of a task over a part of a data set."""
    sums: dict[str, Tensor] = {}
    for inputs, target in loader(data, batch_size):
        sums = add(sums, task.sums(answer(model, inputs), target))
    return task.figures(sums)


def figures_of(model: ConfiguredModule, data: DataSet, task: Task, batch_size: int = 250) -> dict[str, Any]:
    """Figures on the test part, each under both orientations: `{"test_accuracy": {"NR": 0.98, "R": 0.98}, ..}`.

    Under "orientations" stands what the two are.
    """
    found = {
        name: measure(model, data.part("test", model.bandwidth, rotated), task, batch_size)
        for name, rotated in zip(data.orientations, (False, True), strict=True)
    }
    figures = next(iter(found.values()))
    tested = {f"test_{key}": {name: values[key] for name, values in found.items()} for key in figures}
    return {**tested, "orientations": dict(data.orientations)}


@torch.no_grad()
def predictions(model: nn.Module, data: Part, batch_size: int = 250) -> Tensor:
    """Class that a network gives to each item, in order."""
    return torch.cat([answer(model, inputs).argmax(1) for inputs, _ in loader(data, batch_size)])
