"""Grids on the sphere: nodes, quadrature weights, and the degree to which they are exact."""

from equisphere.grids._ring import ClenshawCurtis, DriscollHealy, GaussLegendre, RingGrid

__all__ = ["ClenshawCurtis", "DriscollHealy", "GaussLegendre", "RingGrid"]
