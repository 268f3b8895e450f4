"""Which engine computes the transform of a grid at a band limit."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._engine import ring_engine


@runtime_checkable
class Engine(Protocol):
    """Synthesis and its transpose between coefficients `(L*L, N)` and samples `(*grid.shape, N)` of real signals.

    `weighted` multiplies the samples by the quadrature weights: `from_grid(weighted=True)` is analysis, and
    `to_grid(weighted=True)` its adjoint; without weights they are the adjoint of synthesis, and synthesis.
    """

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "*grid n"]:
        """Samples of sum_lm c_lm Y_lm."""
        ...

    def from_grid(self, f: Float[Tensor, "*grid n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm."""
        ...


def engine_for(grid: RingGrid, bandwidth: int) -> Engine:
    """The engine that serves a grid and band limit best; the same object for all who ask."""
    return ring_engine(grid, bandwidth)
