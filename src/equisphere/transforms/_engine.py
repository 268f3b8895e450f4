"""The fast real transform between flat coefficients and the samples on a grid of rings.

Separation of variables: with F_mj the Fourier coefficients of ring j,
    f(theta_j, phi_k) = sum_m F_mj e_m(phi_k),     F_mj = sum_l P_lm(cos theta_j) c_lm,
where e_m is sqrt2 cos, sqrt2 sin, or 1. The Legendre step is a batched matrix product for each block of orders.

Memory order: samples lie as users have them, `(N, nlat, nlon)`, and coefficients `(L*L, N)`, signals side by side. The
products do the transposition between the two on the way. On CPUs, few signals are worked on at a time, so that what lies
between the steps stays in the cache.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._fourier import fourier
from equisphere.transforms._layout import Layout

#: from this band limit on, even and odd degrees are apart: half the arithmetic and tables, against two passes over the samples
PARITY_LIMIT = 96
#: numbers that a CPU's cache holds well
CACHED_NUMBERS = 2**18
#: with fewer signals at a time than this, matrix products are slow
FEWEST_SIGNALS = 64


class RingEngine:
    """Synthesis and its transpose on one grid at one band limit; tables are shared by all who ask for the same.

    With parities apart, P_lm(-x) = (-1)^{l-m} P_lm(x): the even part of a signal about the equator meets even l - m alone, the
    odd part odd ones, and northern rings are enough for either.
    """

    def __init__(self, grid: RingGrid, bandwidth: int, parity: bool | None = None) -> None:
        self.grid, self.bandwidth = grid, bandwidth
        self.parities = 2 if (bandwidth >= PARITY_LIMIT if parity is None else parity) else 1
        theta = grid.colatitudes.numpy()
        north = int(np.sum(theta <= np.pi / 2 + 1e-9)) if self.parities == 2 else grid.nlat
        first = int(np.argmin(abs(theta[:north] + theta[-1] - np.pi)))
        #: northern rings that have a mirror image; the i-th of them, that of the i-th ring from the south
        self._paired = slice(first, first + grid.nlat - north)
        self._theta, self._north = theta[:north], north
        self.fourier = fourier(grid.nlon, bandwidth)
        self.layout = Layout(bandwidth, self.fourier.groups, self.parities)
        self._tables: dict[tuple, list[Tensor]] = {}
        self._indices: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def _legendre(self, x: Tensor, weighted: bool) -> list[Tensor]:
        """P_lm of each block, `(orders, terms, rings)`, times the quadrature weights if `weighted`."""
        key = (x.dtype, x.device, weighted)
        if key not in self._tables:
            if weighted:
                weights = self._weights(x)[:, 0]
                self._tables[key] = [table * weights for table in self._legendre(x, False)]
            else:
                dtype = np.float64 if x.dtype == torch.float64 else np.float32
                table = torch.from_numpy(self.layout.legendre(self._theta, dtype)).to(x)
                self._tables[key] = [table[block.rows].unflatten(0, (-1, block.terms)) for block in self.layout.blocks]
        return self._tables[key]

    def _weights(self, x: Tensor) -> Float[Tensor, "rings 1"]:
        return self.grid.weights[: self._north, :1].to(x)

    def _index(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Coefficient of each row of the Legendre step, and its inverse."""
        if device not in self._indices:
            rows, back = self.layout.gather_index()
            self._indices[device] = torch.from_numpy(rows).to(device), torch.from_numpy(back).to(device)
        return self._indices[device]

    def _chunks(self, x: Tensor, signals: int) -> Iterator[slice]:
        size = signals
        if x.device.type == "cpu":
            size = max(FEWEST_SIGNALS, CACHED_NUMBERS // (self.grid.nlat * self.grid.nlon))
        return (slice(i, min(i + size, signals)) for i in range(0, signals, size))

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        n = c.shape[-1]
        c = self._scaled(c.contiguous(), "synthesis")
        rows, _ = self._index(c.device)
        legendre = self._legendre(c, weighted and self.parities == 1)
        nlat, nlon = self.grid.shape
        f = c.new_empty_strided((nlat, nlon, n), (nlon, 1, nlat * nlon))  # no view: functions may write to it
        empty = c.new_empty if self.parities == 1 and self.fourier.pairs == self.bandwidth else c.new_zeros
        for part in self._chunks(c, n):
            width = 2 * (part.stop - part.start)
            terms = c[:, part].index_select(0, rows).view(-1, width)
            waves = [empty(self.fourier.pairs, width, self._north) for _ in range(self.parities)]
            for block, table in zip(self.layout.blocks, legendre, strict=True):
                here = terms[block.rows].unflatten(0, (-1, block.terms))
                torch.bmm(here.mT, table, out=waves[block.parity][block.orders])
            samples = f.movedim(-1, 0)[part]
            halves = [samples] if self.parities == 1 else [c.new_empty(width // 2, self._north, nlon) for _ in waves]
            for wave, half in zip(waves, halves, strict=True):
                self.fourier.synthesis(wave.view(2 * self.fourier.pairs, -1), half.view(-1, nlon))
            if self.parities == 2:
                self._unfold(halves[0], halves[1], samples, weighted)
        return f

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        f = f.flatten(0, 1).T.contiguous().unflatten(1, self.grid.shape)
        _, back = self._index(f.device)
        legendre = self._legendre(f, weighted and self.parities == 1)
        c = f.new_empty(self.bandwidth**2, len(f))
        for part in self._chunks(f, len(f)):
            width = 2 * (part.stop - part.start)
            rings = self._fold(f[part], weighted)
            waves = self.fourier.analysis(rings.flatten(0, -2)).view(-1, width, self.parities, self._north)
            terms = f.new_empty(self.layout.rows, width)
            for block, table in zip(self.layout.blocks, legendre, strict=True):
                here = terms[block.rows].unflatten(0, (-1, block.terms))
                torch.bmm(table, waves[block.orders, :, block.parity].mT, out=here)
            c[:, part] = terms.view(-1, width // 2).index_select(0, back)
        return self._scaled(c, "analysis")

    def _scaled(self, c: Tensor, direction: str) -> Tensor:
        """Times what the Fourier step leaves to be multiplied."""
        if self.fourier.scale is None:
            return c
        key = ("scale", direction, c.dtype, c.device)
        if key not in self._tables:
            cosine, sine = self.fourier.scale[direction]
            order = np.concatenate([np.arange(-l, l + 1) for l in range(self.bandwidth)])
            scale = np.where(order == 0, 1.0, np.where(order > 0, cosine, sine))
            self._tables[key] = [torch.from_numpy(scale[:, None]).to(c)]
        return c * self._tables[key][0]

    def _fold(self, f: Float[Tensor, "n nlat nlon"], weighted: bool) -> Float[Tensor, "n parities rings nlon"]:
        """Sum and difference of each northern ring and its mirror image (nothing, where it has none)."""
        if self.parities == 1:
            return f[:, None]
        north, south = f[:, : self._north], f[:, self._north :].flip(1)
        halves = f.new_empty(len(f), 2, *north.shape[1:])
        if south.shape != north.shape:
            halves.copy_(north[:, None].expand_as(halves))
        torch.add(north[:, self._paired], south, out=halves[:, 0, self._paired])
        torch.sub(north[:, self._paired], south, out=halves[:, 1, self._paired])
        return halves.mul_(self._weights(f)) if weighted else halves

    def _unfold(self, even: Tensor, odd: Tensor, f: Float[Tensor, "n nlat nlon"], weighted: bool) -> None:
        """Write the rings in the grid's order from the northern ones of each parity."""
        if weighted:
            even, odd = even.mul_(self._weights(f)), odd.mul_(self._weights(f))
        torch.add(even, odd, out=f[:, : self._north])
        f[:, self._north :] = (even[:, self._paired] - odd[:, self._paired]).flip(1)


@lru_cache(maxsize=64)
def ring_engine(grid: RingGrid, bandwidth: int) -> RingEngine:
    """The engine of a grid and band limit, one for all modules."""
    return RingEngine(grid, bandwidth)
