"""Sums of harmonics at any points, and the least squares that analysis is there."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import Scattered
from equisphere.transforms import _nufft
from equisphere.transforms._point_harmonics import harmonics_at
from equisphere.transforms._refinement import conjugate_gradients

#: a table of harmonics of at most so many numbers is made once; a larger one, at every use, in chunks that stay in cache
TABLE_NUMBERS, CHUNK_NUMBERS = 2**23, 2**20

#: from so many numbers in the table and this band limit on, the non-uniform FFT is faster, where there is one
FFT_NUMBERS, FFT_BANDWIDTH = 2**22, 16


class PointSums:
    """Y and its transpose for fixed points: dense, in chunks, or by a non-uniform FFT."""

    def __init__(self, points: Float[Tensor, "n 3"], bandwidth: int, fast: bool | None = None) -> None:
        """`fast` chooses the non-uniform FFT or not; where it is None, size and what is installed do."""
        self.points, self.bandwidth = points.detach(), bandwidth
        numbers = len(points) * bandwidth**2
        if fast is None:
            fast = numbers >= FFT_NUMBERS and bandwidth >= FFT_BANDWIDTH and _nufft.available(points)
        self._fast = _nufft.NonUniformFFT(self.points, bandwidth) if fast else None
        self._chunk = max(1, CHUNK_NUMBERS // bandwidth**2)
        self._table = harmonics_at(self.points, bandwidth) if numbers <= TABLE_NUMBERS and not fast else None

    def to_points(self, c: Float[Tensor, "coefficients k"]) -> Float[Tensor, "n k"]:
        """Values of sum_lm c_lm Y_lm."""
        if self._fast is not None:
            return self._fast.to_points(c)
        if self._table is not None:
            return self._table.mT @ c
        return torch.cat([harmonics_at(some, self.bandwidth).mT @ c for some in self.points.split(self._chunk)])

    def from_points(self, v: Float[Tensor, "n k"]) -> Float[Tensor, "coefficients k"]:
        """Sums over the points of v Y_lm."""
        if self._fast is not None:
            return self._fast.from_points(v)
        if self._table is not None:
            return self._table @ v
        c = v.new_zeros(self.bandwidth**2, v.shape[-1])
        for some, values in zip(self.points.split(self._chunk), v.split(self._chunk), strict=True):
            c.addmm_(harmonics_at(some, self.bandwidth), values)
        return c


class ScatteredEngine:
    """Synthesis at points, its transpose, and least squares by conjugate gradients; tables for each dtype and device."""

    def __init__(self, grid: Scattered, bandwidth: int, tolerance: float) -> None:
        self.grid, self.bandwidth, self.tolerance = grid, bandwidth, tolerance
        self._sums: dict[tuple, tuple[PointSums, Tensor]] = {}

    def _tables(self, x: Tensor) -> tuple[PointSums, Tensor]:
        key = (x.dtype, x.device)
        if key not in self._sums:
            self._sums[key] = (PointSums(self.grid.points.to(x), self.bandwidth), self.grid.weights.to(x)[:, None])
        return self._sums[key]

    def to_grid(self, c: Float[Tensor, "coefficients k"], weighted: bool) -> Float[Tensor, "n k"]:
        """Samples of sum_lm c_lm Y_lm; if `weighted`, the adjoint of analysis, W Y G^-1 c."""
        sums, weights = self._tables(c)
        return weights * sums.to_points(self._solve(c)) if weighted else sums.to_points(c)

    def from_grid(self, f: Float[Tensor, "n k"], weighted: bool) -> Float[Tensor, "coefficients k"]:
        """Sums over the samples of f Y_lm; if `weighted`, analysis, G^-1 Y^T W f with G = Y^T W Y."""
        sums, weights = self._tables(f)
        return self._solve(sums.from_points(weights * f)) if weighted else sums.from_points(f)

    def _solve(self, right: Tensor) -> Tensor:
        sums, weights = self._tables(right)
        return conjugate_gradients(lambda c: sums.from_points(weights * sums.to_points(c)), right, self.tolerance)


@lru_cache(maxsize=4)
def scattered_engine(grid: Scattered, bandwidth: int, tolerance: float) -> ScatteredEngine:
    """The engine of some points, band limit and tolerance, one for all modules."""
    return ScatteredEngine(grid, bandwidth, tolerance)
