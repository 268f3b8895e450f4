"""Which engine computes the transform of a grid at a band limit."""

from functools import lru_cache
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from equisphere.grids import Grid, HEALPix, RingGrid, Scattered
from equisphere.transforms._backends import accelerated, chosen_backend
from equisphere.transforms._ducc import DuccEngine
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._healpix_engine import healpix_engine
from equisphere.transforms._lane_engine import fills_lanes, lane_engine
from equisphere.transforms._large_engine import large_engine
from equisphere.transforms._points_engine import scattered_engine

#: relative error of a round trip where none is asked for, on grids whose quadrature is not exact
TOLERANCE = 1e-6

#: tables of more bytes than these are not made: the Legendre functions are then computed on the fly
TABLE_LIMIT = 3 << 27

#: bytes of tables above which few signals, for each 2 bytes of a number one at most, have compiled functions made anew instead
READ_LIMIT = 1 << 26


@runtime_checkable
class Engine(Protocol):
    """Synthesis and its transpose between coefficients `(L*L, N)` and samples `(*grid.shape, N)` of real signals.

    Unweighted, `to_grid` is synthesis and `from_grid` its transpose. With `weighted=True`, `from_grid` is analysis (of
    a grid with exact quadrature the same sums with the quadrature weights, of others refined) and `to_grid` its adjoint.
    """

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "*grid n"]:
        """Samples of sum_lm c_lm Y_lm."""
        ...

    def from_grid(self, f: Float[Tensor, "*grid n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm."""
        ...


class SizedEngine:
    """Stored tables up to a size, and for few signals a smaller one; Legendre functions on the fly beyond."""

    def __init__(self, grid: RingGrid, bandwidth: int, backend: str) -> None:
        self.grid, self.bandwidth, self.backend = grid, bandwidth, backend
        self.table_numbers = bandwidth**2 * (grid.nlat + 1) // 4

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm."""
        return self._serving(c).to_grid(c, weighted)

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm."""
        return self._serving(f).from_grid(f, weighted)

    def _serving(self, x: Tensor) -> Engine:
        backend = self.backend if x.device.type == "cpu" else "torch"
        table, few = self.table_numbers * x.element_size(), x.shape[-1] <= x.element_size() // 2
        if table <= (READ_LIMIT if few and backend != "torch" else TABLE_LIMIT):
            compiled = accelerated() and fills_lanes(x, self.grid, self.bandwidth)
            return (lane_engine if compiled else ring_engine)(self.grid, self.bandwidth)
        if backend == "ducc0":
            return DuccEngine(self.grid, self.bandwidth)
        return large_engine(self.grid, self.bandwidth, backend)


def engine_for(grid: Grid, bandwidth: int, tolerance: float | None = None) -> Engine:
    """The engine that serves a grid and band limit best; the same object for all who ask."""
    if isinstance(grid, RingGrid):
        return _sized_engine(grid, bandwidth, chosen_backend())
    tolerance = TOLERANCE if tolerance is None else tolerance
    if isinstance(grid, HEALPix):
        return healpix_engine(grid, bandwidth, tolerance)
    if isinstance(grid, Scattered):
        return scattered_engine(grid, bandwidth, tolerance)
    raise ValueError(f"no transform is known for a grid of type {type(grid).__name__}.")


@lru_cache(maxsize=64)
def _sized_engine(grid: RingGrid, bandwidth: int, backend: str) -> SizedEngine:
    return SizedEngine(grid, bandwidth, backend)
