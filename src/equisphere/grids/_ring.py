"""Grids of rings: nlat circles of latitude with nlon equally spaced nodes each."""

from abc import abstractmethod
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from equisphere import _checks
from equisphere.grids import _quadrature
from equisphere.grids._grid import Grid
from equisphere.grids._quadrature import Rule


@dataclass(frozen=True, init=False)
class RingGrid(Grid):
    """Nodes (theta_j, phi_k), j < nlat, k < nlon, with phi_k = 2 pi k / nlon, and quadrature weights for them.

    Convention: theta in [0, pi] is the colatitude and row 0 the northernmost ring; phi in [0, 2 pi) is the longitude;
    the node is x = (sin theta cos phi, sin theta sin phi, cos theta). Angles are in radians.

    A grid is a value: frozen, hashable, equal to every grid of the same kind and numbers.
    """

    bandwidth: int
    nlat: int
    nlon: int
    _exact_degree: ClassVar[
        int
    ]  # of each grid: it follows from the fields, and compilers cannot follow the quadrature rule

    def __init__(self, bandwidth: int | None = None, *, nlat: int | None = None, nlon: int | None = None) -> None:
        """Make a grid of 2b x 2b nodes for band limit b, or of any nlat x nlon.

        Args:
            bandwidth: the band limit b that the grid is to carry; where it is left out, `nlat` and `nlon`
                must be given, and it is the largest that they carry.
            nlat: number of rings, 2b by default.
            nlon: number of nodes on a ring, 2b by default.

        Raises:
            ValueError: where a number is not a positive integer, or nlat x nlon nodes cannot carry the band limit.
        """
        if bandwidth is None and (nlat is None or nlon is None):
            raise ValueError(f"{type(self).__name__} needs a bandwidth, or both nlat= and nlon=.")
        if bandwidth is not None:
            bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        rows = 2 * bandwidth if nlat is None and bandwidth is not None else _checks.positive_int(nlat, "nlat")
        columns = 2 * bandwidth if nlon is None and bandwidth is not None else _checks.positive_int(nlon, "nlon")
        if rows < 2:
            raise ValueError(f"nlat must be at least 2, got {rows}.")
        object.__setattr__(self, "nlat", rows)
        object.__setattr__(self, "nlon", columns)
        object.__setattr__(self, "_exact_degree", min(self._rule()[2], columns - 1))
        most = self.max_bandwidth
        object.__setattr__(self, "bandwidth", most if bandwidth is None else bandwidth)
        if self.bandwidth > most:
            raise ValueError(
                f"a {type(self).__name__} grid of {rows} x {columns} nodes integrates degree {self.exact_degree} exactly "
                f"and carries band limits up to {most}, but bandwidth {self.bandwidth} was asked for. "
                f"Lower the bandwidth to {most}, or raise nlat and nlon (2 x bandwidth always suffices)."
            )

    @abstractmethod
    def _rule(self) -> Rule:
        """Colatitudes, weights (sum 2) and exact degree of the quadrature over the colatitude."""

    def refined(self, factor: int = 2) -> "RingGrid":
        """The grid of the same kind with `factor` times as many rings and nodes on each, for the same band limit.

        >>> GaussLegendre(16).refined().shape
        (64, 64)
        """
        options: dict[str, Any] = {"poles": True} if getattr(self, "poles", False) else {}
        return type(self)(self.bandwidth, nlat=factor * self.nlat, nlon=factor * self.nlon, **options)

    @property
    def shape(self) -> tuple[int, int]:
        """(nlat, nlon): a signal on this grid has shape `(..., nlat, nlon)`."""
        return self.nlat, self.nlon

    @property
    def exact_degree(self) -> int:
        """Largest degree to which `weights` integrate every spherical harmonic exactly.

        The rings integrate e^{im phi} exactly for |m| < nlon, the colatitudes polynomials of their rule's degree.
        A band limit L needs products of two degrees below L, so 2 (L - 1): the grid carries L <= exact_degree // 2 + 1.
        """
        return self._exact_degree

    @property
    def max_bandwidth(self) -> int:
        """The largest L with 2 (L - 1) <= exact_degree."""
        return self.exact_degree // 2 + 1

    def limit(self) -> str:
        """See `Grid.limit`."""
        return (
            f"its quadrature is exact to degree {self.exact_degree}, enough for band limits up to {self.max_bandwidth}"
        )

    @property
    def colatitudes(self) -> Float64[Tensor, "nlat"]:
        """Colatitude of each ring, radians, from north to south."""
        return torch.tensor(self._rule()[0])

    @property
    def longitudes(self) -> Float64[Tensor, "nlon"]:
        """Longitude of each node on a ring, radians, in [0, 2 pi)."""
        return 2 * pi * torch.arange(self.nlon, dtype=torch.float64) / self.nlon

    @property
    def ring_weights(self) -> Float64[Tensor, "nlat"]:
        """Quadrature weight of a node of each ring."""
        return torch.tensor(self._rule()[1]) * (2 * pi / self.nlon)

    @property
    def weights(self) -> Float64[Tensor, "nlat nlon"]:
        """Quadrature weight of each node; they sum to 4 pi, the area of the sphere."""
        return self.ring_weights[:, None].repeat(1, self.nlon)

    @property
    def points(self) -> Float64[Tensor, "nlat nlon 3"]:
        """The nodes as unit vectors (x, y, z)."""
        theta, phi = torch.meshgrid(self.colatitudes, self.longitudes, indexing="ij")
        return torch.stack((theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()), dim=-1)


@dataclass(frozen=True, init=False)
class DriscollHealy(RingGrid):
    """The equiangular grid of the sampling theorem of Driscoll and Healy (1994, theorem 3).

    theta_j = pi (2j+1) / 2 nlat avoids the poles; with `poles=True` it is theta_j = pi j / nlat, the north pole
    included (at weight 0) and the south pole not. Either is exact to degree nlat - 1 (for even nlat).

    >>> grid = DriscollHealy(16)
    >>> grid.shape, grid.exact_degree
    ((32, 32), 31)
    >>> round(float(grid.weights.sum()), 12)  # 4 pi
    12.566370614359
    >>> DriscollHealy(nlat=180, nlon=360).bandwidth  # a map of one degree
    90
    """

    poles: bool

    def __init__(
        self,
        bandwidth: int | None = None,
        poles: bool = False,
        *,
        nlat: int | None = None,
        nlon: int | None = None,
    ) -> None:
        """See `RingGrid.__init__`; `poles` chooses the variant that has the north pole as a node."""
        if not isinstance(poles, bool):
            raise ValueError(
                f"poles must be True or False, got {poles!r}. A grid of any size is DriscollHealy(nlat=..., nlon=...)."
            )
        object.__setattr__(self, "poles", poles)
        super().__init__(bandwidth, nlat=nlat, nlon=nlon)

    def _rule(self) -> Rule:
        return (_quadrature.fejer_with_north_pole if self.poles else _quadrature.fejer_midpoints)(self.nlat)


@dataclass(frozen=True, init=False)
class ClenshawCurtis(RingGrid):
    """The equiangular grid with both poles, theta_j = pi j / (nlat - 1): that of most weather and climate maps.

    Exact to degree nlat - 1, and to nlat where nlat is odd.

    >>> era5 = ClenshawCurtis(nlat=721, nlon=1440)
    >>> era5.exact_degree, era5.bandwidth
    (721, 361)
    """

    def _rule(self) -> Rule:
        return _quadrature.clenshaw_curtis(self.nlat)


@dataclass(frozen=True, init=False)
class GaussLegendre(RingGrid):
    """Rings at the roots of the Legendre polynomial P_nlat: the fewest rings for a band limit.

    Exact to degree 2 nlat - 1 in the colatitude. Square (2b x 2b) by default as the other grids are;
    `nlat=b` is enough for band limit b, and halves the work.

    >>> GaussLegendre(16, nlat=16).exact_degree
    31
    """

    def _rule(self) -> Rule:
        return _quadrature.gauss_legendre(self.nlat)
