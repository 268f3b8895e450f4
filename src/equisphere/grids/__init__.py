"""Grids on the sphere: nodes, quadrature weights, and the degree to which they are exact."""

from equisphere.grids._grid import Grid
from equisphere.grids._healpix import HEALPix, from_nested, to_nested
from equisphere.grids._ring import ClenshawCurtis, DriscollHealy, GaussLegendre, RingGrid
from equisphere.grids._scattered import Scattered

__all__ = [
    "ClenshawCurtis",
    "DriscollHealy",
    "GaussLegendre",
    "Grid",
    "HEALPix",
    "RingGrid",
    "Scattered",
    "from_nested",
    "to_nested",
]
