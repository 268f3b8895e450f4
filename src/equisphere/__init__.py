"""equisphere: rotation-equivariant deep learning on the sphere.

>>> import torch, equisphere as es
>>> sht = es.SHT(es.grids.DriscollHealy(16))
>>> layer = es.nn.ZonalConv(1, 8, bandwidth=16)
>>> c = sht(torch.randn(4, 1, 32, 32))
>>> R = es.random_rotations(1)
>>> bool(torch.allclose(layer(es.rotate(c, R)), es.rotate(layer(c), R), atol=1e-4))  # equivariant
True
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from equisphere import align, audit, grids, groups, harmonics, interop, models, nn, transforms
from equisphere.groups import random_rotations
from equisphere.transforms import SHT, power_spectrum, rotate, rotate_signal

if TYPE_CHECKING:
    from equisphere import data, plot, train

__version__ = "0.1.0"

__all__ = [
    "SHT",
    "align",
    "audit",
    "data",
    "grids",
    "groups",
    "harmonics",
    "interop",
    "models",
    "nn",
    "plot",
    "power_spectrum",
    "random_rotations",
    "rotate",
    "rotate_signal",
    "train",
    "transforms",
]


def __getattr__(name: str) -> ModuleType:
    """Load the packages that need an extra only when they are asked for."""
    if name in ("data", "plot", "train"):
        return import_module(f"equisphere.{name}")
    raise AttributeError(f"module 'equisphere' has no attribute {name!r}")
