"""The transform of large band limits: Legendre functions on the fly, memory of the order of the data."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._legendre_compiled import CompiledLegendre
from equisphere.transforms._legendre_tiles import TiledLegendre
from equisphere.transforms._meridian import meridian_of

#: samples that are worked on at once: more signals than these hold go in turn
CHUNK = 1 << 24


class LargeEngine:
    """Synthesis and its transpose on one grid at one band limit, in double precision whatever the dtype."""

    def __init__(self, grid: RingGrid, bandwidth: int, backend: str) -> None:
        self.grid, self.bandwidth = grid, bandwidth
        self._meridian = meridian_of(grid, bandwidth)
        rings = grid.colatitudes.numpy() if self._meridian is None else self._meridian.core_colatitudes
        self._legendre = _legendre(backend)(bandwidth, rings)

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        parts = [self._synthesis(part.double(), weighted).to(c.dtype) for part in c.split(self._at_once, dim=-1)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).movedim(0, -1)

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        parts = [
            self._transpose(part.movedim(-1, 0).double(), weighted).to(f.dtype) for part in f.split(self._at_once, -1)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    @property
    def _at_once(self) -> int:
        return max(1, CHUNK // (self.grid.nlat * self.grid.nlon))

    def _synthesis(self, c: Tensor, weighted: bool) -> Tensor:
        spectrum = self._legendre.to_rings(c)
        half = spectrum.new_zeros(len(spectrum), self.grid.nlat, self.grid.nlon // 2 + 1)
        if self._meridian is None:
            half[..., : self.bandwidth] = spectrum.mT
        else:
            self._meridian.spread(spectrum, half[..., : self.bandwidth])
        del spectrum
        half *= self._ring_factors(c, weighted)
        half[..., 1:] *= 0.5**0.5
        return torch.fft.irfft(half, n=self.grid.nlon, norm="forward")

    def _transpose(self, f: Tensor, weighted: bool) -> Tensor:
        half = torch.fft.rfft(f)[..., : self.bandwidth]
        half *= self._ring_factors(f, weighted)
        half[..., 1:] *= 2**0.5
        spectrum = half.mT.contiguous() if self._meridian is None else self._meridian.gather(half)
        del half
        return self._legendre.from_rings(spectrum)

    def _ring_factors(self, like: Tensor, weighted: bool) -> Tensor:
        """Quadrature weight of each ring's nodes, `(nlat, 1)`, or ones."""
        weights = self.grid.ring_weights[:, None]
        return (weights if weighted else torch.ones_like(weights)).to(like.device)


def _legendre(backend: str) -> type[TiledLegendre] | type[CompiledLegendre]:
    return CompiledLegendre if backend == "numba" else TiledLegendre


@lru_cache(maxsize=4)
def large_engine(grid: RingGrid, bandwidth: int, backend: str) -> LargeEngine:
    """The engine of a grid, a large band limit and a backend (torch or numba), one for all modules."""
    return LargeEngine(grid, bandwidth, backend)
