"""Whole networks, and checkpoints that carry their configuration."""

from equisphere.models._checkpoint import CheckpointError, load, save
from equisphere.models._classifier import SphericalClassifier
from equisphere.models._configured import ConfiguredModule
from equisphere.models._planar import PlanarClassifier
from equisphere.models._pretrained import model_card, pretrained_names
from equisphere.models._spin_classifier import SpinClassifier

__all__ = [
    "CheckpointError",
    "ConfiguredModule",
    "PlanarClassifier",
    "SphericalClassifier",
    "SpinClassifier",
    "load",
    "model_card",
    "pretrained_names",
    "save",
]
