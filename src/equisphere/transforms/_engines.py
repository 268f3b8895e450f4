"""Which engine computes the transform of a grid at a band limit."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from equisphere.grids import Grid, HEALPix, RingGrid, Scattered
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._healpix_engine import healpix_engine
from equisphere.transforms._points_engine import scattered_engine

#: relative error of a round trip where none is asked for, on grids whose quadrature is not exact
TOLERANCE = 1e-6


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


def engine_for(grid: Grid, bandwidth: int, tolerance: float | None = None) -> Engine:
    """The engine that serves a grid and band limit best; the same object for all who ask."""
    if isinstance(grid, RingGrid):
        return ring_engine(grid, bandwidth)
    tolerance = TOLERANCE if tolerance is None else tolerance
    if isinstance(grid, HEALPix):
        return healpix_engine(grid, bandwidth, tolerance)
    if isinstance(grid, Scattered):
        return scattered_engine(grid, bandwidth, tolerance)
    raise ValueError(f"no transform is known for a grid of type {type(grid).__name__}.")
