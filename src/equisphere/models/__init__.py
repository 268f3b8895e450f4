"""Whole networks, and checkpoints that carry their configuration."""

from equisphere.models._card import card
from equisphere.models._checkpoint import CheckpointError, load, save
from equisphere.models._classifier import SphericalClassifier
from equisphere.models._cobb2021 import Cobb2021
from equisphere.models._cohen2018 import Cohen2018
from equisphere.models._configured import ConfiguredModule
from equisphere.models._esteves2018 import Esteves2018
from equisphere.models._esteves2020 import Esteves2020
from equisphere.models._hub import HubError, card_folder
from equisphere.models._molecules import MoleculeRegressor
from equisphere.models._on_grid import OnGrid
from equisphere.models._planar import PlanarClassifier
from equisphere.models._planar_unet import PlanarUNet
from equisphere.models._pretrained import checkpoint_path, model_card, pretrained_names
from equisphere.models._spin_classifier import SpinClassifier
from equisphere.models._unet import SphericalUNet

__all__ = [
    "CheckpointError",
    "Cobb2021",
    "Cohen2018",
    "ConfiguredModule",
    "Esteves2018",
    "Esteves2020",
    "HubError",
    "MoleculeRegressor",
    "OnGrid",
    "PlanarClassifier",
    "PlanarUNet",
    "SphericalClassifier",
    "SphericalUNet",
    "SpinClassifier",
    "card",
    "card_folder",
    "checkpoint_path",
    "load",
    "model_card",
    "pretrained_names",
    "save",
]
