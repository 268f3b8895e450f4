"""Figures of a trained network."""

import torch
from torch import Tensor

from equisphere.data import SphericalImages, loader
from equisphere.models import ConfiguredModule


@torch.no_grad()
def predictions(model: ConfiguredModule, data: SphericalImages, batch_size: int = 250) -> Tensor:
    """Class that the network gives to each signal, in order."""
    return torch.cat([model(c).argmax(1) for c, _ in loader(data, batch_size)])


def accuracy(model: ConfiguredModule, data: SphericalImages) -> float:
    """Share of the signals that the network classifies rightly."""
    return float((predictions(model, data) == data.source.labels).double().mean())
