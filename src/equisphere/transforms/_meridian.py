"""From the fewest rings that carry a band limit to the rings of an equiangular grid, and the transpose.

Continued over the poles, the Fourier coefficient F_m(theta) of a signal of band limit L is a trigonometric polynomial of
degree below L, even or odd in theta as m is. L + 1 rings from pole to pole hold it, and FFTs along the meridian give it
at any equally spaced rings: half of the Legendre functions that a grid of 2L rings would need.
"""

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from jaxtyping import Complex
from torch import Tensor

from equisphere.grids import ClenshawCurtis, DriscollHealy, RingGrid

#: numbers that are worked on at once: they stay in cache
CHUNK = 1 << 16


@dataclass(frozen=True)
class Meridian:
    """Rings theta_i = offset + 2 pi i / circle, i < rings, from the rings pi i / (core - 1), i < core."""

    bandwidth: int
    rings: int
    circle: int
    offset: float

    @property
    def core(self) -> int:
        """Number of rings, both poles included, that hold the band limit: a good length for an FFT."""
        from scipy.fft import next_fast_len

        return 1 + next_fast_len(max(self.bandwidth, 2))

    @property
    def core_colatitudes(self) -> np.ndarray:
        """Their colatitudes."""
        return pi * np.arange(self.core) / (self.core - 1)

    def spread(self, spectrum: Complex[Tensor, "n orders core"], out: Complex[Tensor, "n rings orders"]) -> None:
        """Write the values at all rings into `out`."""
        L, sign, turn = self.bandwidth, *self._factors(spectrum)
        for part in self._chunks(spectrum):
            F = spectrum[:, part]
            whole = torch.cat((F, F[..., 1:-1].flip(-1) * sign[part, None]), dim=-1)
            waves = torch.fft.fft(whole, norm="forward")
            padded = waves.new_zeros(*waves.shape[:-1], self.circle)
            padded[..., :L] = waves[..., :L] * turn
            if L > 1:
                padded[..., 1 - L :] = waves[..., 1 - L :] * turn[1:].flip(0).conj()
            out[..., part] = torch.fft.ifft(padded, norm="forward")[..., : self.rings].mT

    def gather(self, rings: Complex[Tensor, "n rings orders"]) -> Complex[Tensor, "n orders core"]:
        """The transpose of `spread`."""
        L, sign, turn = self.bandwidth, *self._factors(rings)
        out = rings.new_empty(len(rings), L, self.core)
        for part in self._chunks(out):
            waves = torch.fft.fft(rings[..., part].mT.contiguous(), n=self.circle)
            cut = waves.new_zeros(*waves.shape[:-1], 2 * (self.core - 1))
            cut[..., :L] = waves[..., :L] * turn.conj()
            if L > 1:
                cut[..., 1 - L :] = waves[..., 1 - L :] * turn[1:].flip(0)
            whole = torch.fft.ifft(cut)
            out[:, part] = whole[..., : self.core]
            out[:, part, 1:-1] += whole[..., self.core :].flip(-1) * sign[part, None]
        return out

    def _chunks(self, spectrum: Tensor) -> list[slice]:
        width = max(1, CHUNK // (len(spectrum) * self.circle))
        return [slice(m, min(m + width, self.bandwidth)) for m in range(0, self.bandwidth, width)]

    def _factors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(-1)^m, and the turn e^{ik offset} from the core's rings to the grid's."""
        k = torch.arange(self.bandwidth, dtype=torch.float64, device=like.device)
        return 1 - 2 * (k % 2), torch.polar(torch.ones_like(k), k * self.offset)


def meridian_of(grid: RingGrid, bandwidth: int) -> Meridian | None:
    """How to reach the rings of an equiangular grid; nothing for one that is not, or has few rings to begin with."""
    if isinstance(grid, DriscollHealy):
        made = Meridian(bandwidth, grid.nlat, 2 * grid.nlat, 0.0 if grid.poles else pi / (2 * grid.nlat))
    elif isinstance(grid, ClenshawCurtis):
        made = Meridian(bandwidth, grid.nlat, 2 * (grid.nlat - 1), 0.0)
    else:
        return None
    return made
