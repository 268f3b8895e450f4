"""The transform of large band limits: Legendre functions on the fly, memory of the order of the data."""

from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._legendre_compiled import CompiledLegendre
from equisphere.transforms._legendre_tiles import TiledLegendre
from equisphere.transforms._meridian import meridian_of
from equisphere.transforms._workspace import workspace

#: samples that are worked on at once, in matrix products and by compiled loops: more signals than these hold go in turn
CHUNK, COMPILED_CHUNK = 1 << 24, 1 << 20


class LargeEngine:
    """Synthesis and its transpose on one grid at one band limit, in double precision whatever the dtype."""

    def __init__(self, grid: RingGrid, bandwidth: int, backend: str) -> None:
        self.grid, self.bandwidth = grid, bandwidth
        self._meridian = meridian_of(grid, bandwidth)
        rings = grid.colatitudes.numpy() if self._meridian is None else self._meridian.core_colatitudes
        self._legendre = _legendre(backend)(bandwidth, rings)

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        out = c.new_empty(c.shape[-1], *self.grid.shape)
        for into, part in zip(out.split(self._at_once), c.split(self._at_once, dim=-1), strict=True):
            self._synthesis(part.double(), weighted, into)
        return out.movedim(0, -1)

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        parts = [
            self._transpose(part.movedim(-1, 0).double(), weighted).to(f.dtype) for part in f.split(self._at_once, -1)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    @property
    def _at_once(self) -> int:
        chunk = COMPILED_CHUNK if isinstance(self._legendre, CompiledLegendre) else CHUNK
        return max(1, chunk // (self.grid.nlat * self.grid.nlon))

    def _synthesis(self, c: Tensor, weighted: bool, out: Tensor) -> None:
        spectrum = self._legendre.to_rings(c)
        half = self._room(len(spectrum), c)
        half[..., self.bandwidth :] = 0
        if self._meridian is None:
            half[..., : self.bandwidth] = spectrum.mT
        else:
            self._meridian.spread(spectrum, half[..., : self.bandwidth])
        del spectrum
        half *= self._ring_factors(c, weighted)
        half[..., 1:] *= 0.5**0.5
        if out.dtype == torch.float64:
            torch.fft.irfft(half, n=self.grid.nlon, norm="forward", out=out)
        else:
            out.copy_(torch.fft.irfft(half, n=self.grid.nlon, norm="forward"))

    def _transpose(self, f: Tensor, weighted: bool) -> Tensor:
        half = torch.fft.rfft(f, out=self._room(len(f), f))[..., : self.bandwidth]
        half *= self._ring_factors(f, weighted)
        half[..., 1:] *= 2**0.5
        if self._meridian is None:
            spectrum = workspace("large spectrum", half, len(f), self.bandwidth, self.grid.nlat).copy_(half.mT)
        else:
            spectrum = self._meridian.gather(half)
        del half
        return self._legendre.from_rings(spectrum)

    def _room(self, n: int, like: Tensor) -> Complex[Tensor, "n nlat waves"]:
        """Room for the Fourier coefficients of all rings of n signals."""
        none = like.new_empty(0, dtype=torch.complex128)
        return workspace("large waves", none, n, self.grid.nlat, self.grid.nlon // 2 + 1)

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
