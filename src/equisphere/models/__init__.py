"""Whole networks, and checkpoints that carry their configuration."""

from equisphere.models._checkpoint import CheckpointError, load, save
from equisphere.models._classifier import SphericalClassifier
from equisphere.models._configured import ConfiguredModule
from equisphere.models._planar import PlanarClassifier

__all__ = ["CheckpointError", "ConfiguredModule", "PlanarClassifier", "SphericalClassifier", "load", "save"]
