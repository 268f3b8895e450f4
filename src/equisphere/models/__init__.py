"""Whole networks, and checkpoints that carry their configuration."""

from equisphere.models._checkpoint import CheckpointError, load, save
from equisphere.models._classifier import SphericalClassifier
from equisphere.models._configured import ConfiguredModule
from equisphere.models._molecules import MoleculeRegressor
from equisphere.models._on_grid import OnGrid
from equisphere.models._planar import PlanarClassifier
from equisphere.models._planar_unet import PlanarUNet
from equisphere.models._pretrained import model_card, pretrained_names
from equisphere.models._unet import SphericalUNet

__all__ = [
    "CheckpointError",
    "ConfiguredModule",
    "MoleculeRegressor",
    "OnGrid",
    "PlanarClassifier",
    "PlanarUNet",
    "SphericalClassifier",
    "SphericalUNet",
    "load",
    "model_card",
    "pretrained_names",
    "save",
]
