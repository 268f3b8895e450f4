"""What every sampling of the sphere has in common."""

from abc import ABC, abstractmethod

from jaxtyping import Float64
from torch import Tensor


class Grid(ABC):
    """Nodes on the sphere with quadrature weights: what `es.SHT` transforms from and to.

    Convention: theta in [0, pi] is the colatitude, phi in [0, 2 pi) the longitude, in radians; the node is
    x = (sin theta cos phi, sin theta sin phi, cos theta).

    A grid is a value: frozen, hashable, equal to every grid of the same kind and numbers.
    """

    #: band limit that a transform takes where it is told none
    bandwidth: int

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """A signal on this grid has shape `(..., *shape)`."""

    @property
    @abstractmethod
    def exact_degree(self) -> int:
        """Largest degree to which `weights` integrate every spherical harmonic exactly."""

    @property
    @abstractmethod
    def max_bandwidth(self) -> int:
        """Largest band limit whose coefficients the samples determine."""

    @property
    @abstractmethod
    def colatitudes(self) -> Float64[Tensor, "nodes"]:
        """Colatitude of each ring or, on grids without a table of rings, of each node; radians."""

    @property
    @abstractmethod
    def longitudes(self) -> Float64[Tensor, "nodes"]:
        """Longitude of each node of a ring or, on grids without a table of rings, of each node; radians in [0, 2 pi)."""

    @property
    @abstractmethod
    def weights(self) -> Float64[Tensor, "*shape"]:
        """Quadrature weight of each node; they sum to 4 pi, the area of the sphere."""

    @property
    @abstractmethod
    def points(self) -> Float64[Tensor, "*shape 3"]:
        """The nodes as unit vectors (x, y, z)."""

    @abstractmethod
    def limit(self) -> str:
        """Why the grid carries no more than `max_bandwidth`, in words, for an error."""
