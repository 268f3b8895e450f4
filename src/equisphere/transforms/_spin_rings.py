"""The fast transform of signals of spin s > 0 in real numbers: E and B over the real harmonics to two components.

The convention is that of `SpinSHT` and `e_b_modes`: f = Q + iU = -sum_lm (E + iB)_lm sY_lm. For order m > 0 let
p = (-1)^m k_l d^l_{m,-s}, q = k_l d^l_{-m,-s}, k_l = (-1)^s sqrt((2l+1) / 4 pi), W = -(p + q) / 2 and X = (q - p) / 2. Then the
waves over sqrt2 cos(m phi) and sqrt2 sin(m phi) are
    Q: W E_m + X B_-m,  W E_-m - X B_m        U: W B_m - X E_-m,  W B_-m + X E_m,
and those of order 0, W E_0 and W B_0 with W = -k_l d^l_{0,-s}. The steps and the memory order are those of the scalar engine,
so that the samples of fields of any spin lie alike.

Coefficients `(L*L, 2, n)` hold E and B of n signals, samples `(nlat, nlon, 2, n)` Q and U, which lie as (2, n, nlat, nlon).
"""

from functools import lru_cache
from math import pi

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.harmonics import wigner_d_orders
from equisphere.transforms._engine import CHUNK_NUMBERS, FEWEST_SIGNALS
from equisphere.transforms._fourier import fourier
from equisphere.transforms._layout import Layout
from equisphere.transforms._workspace import workspace


class SpinRingEngine:
    """Synthesis and its transpose on one grid of rings at one band limit and spin; tables of L^2 numbers a ring."""

    def __init__(self, grid: RingGrid, bandwidth: int, spin: int) -> None:
        self.grid, self.bandwidth, self.spin = grid, bandwidth, spin
        self.fourier = fourier(grid.nlon, bandwidth)
        self.layout = Layout(bandwidth, self.fourier.groups, 1)
        orders = np.concatenate(self.fourier.groups)
        self._orders = [orders[block.orders] for block in self.layout.blocks]
        self._tables: dict[tuple, list[Tensor]] = {}

    def _wigner(self, x: Tensor, weighted: bool) -> list[Tensor]:
        """W, and below it X, of each block `(orders, 2 degrees, rings)`, times the quadrature weights if `weighted`."""
        key = (x.dtype, x.device, weighted)
        if key not in self._tables:
            if weighted:
                weights = self.grid.weights[:, 0].to(x)
                self._tables[key] = [table * weights for table in self._wigner(x, False)]
            else:
                self._tables[key] = [torch.from_numpy(table).to(x) for table in self._made()]
        return self._tables[key]

    def _made(self) -> list[np.ndarray]:
        L, s, theta = self.bandwidth, self.spin, self.grid.colatitudes.numpy()
        scale = (-1) ** s * np.sqrt((2 * np.arange(L) + 1) / (4 * pi))
        made = []
        for block, m in zip(self.layout.blocks, self._orders, strict=True):
            p, q = (wigner_d_orders(sign * m, np.full_like(m, -s), L, theta) * scale for sign in (1, -1))
            p *= (1 - 2 * (m % 2))[:, None, None]
            degree = m[:, None] + np.arange(block.terms)  # past the band limit: zeros
            both = np.stack((-(p + q) / 2, np.where(m[:, None, None] > 0, (q - p) / 2, 0)), axis=1)
            both = np.concatenate((both, np.zeros_like(both[..., :1])), axis=-1)
            picked = np.take_along_axis(both, np.minimum(degree, L)[:, None, None, :], axis=-1)
            made.append(picked.swapaxes(2, 3).reshape(len(m), -1, len(theta)))
        return made

    def _index(self, x: Tensor) -> tuple[Tensor, ...]:
        """What each term (row, cosine or sine, Q or U) reads; the two that read each coefficient; factors of the terms."""
        key = (x.dtype, x.device)
        if key not in self._tables:
            terms, sign, back = self._places()
            index = (torch.from_numpy(array.ravel()).to(x.device) for array in (terms, back[0], back[1]))
            self._tables[key] = [*index, torch.from_numpy(sign[..., None]).to(x)]
        return tuple(self._tables[key])

    def _places(self) -> tuple[np.ndarray, ...]:
        L, layout = self.bandwidth, self.layout
        size = L * L
        rows = 2 * layout.rows
        terms, sign = np.zeros((rows, 2, 2), np.int64), np.ones((rows, 2, 2))
        back = np.zeros((2, 2 * size), np.int64)
        for block, orders in zip(layout.blocks, self._orders, strict=True):
            for i, m in enumerate(orders):
                first = 2 * (block.rows.start + i * block.terms)
                l = np.arange(m, min(m + block.terms, L))
                w = first + np.arange(len(l))
                x = w + block.terms
                cosine, sine = l * l + l + m, l * l + l - m
                terms[w] = np.stack((cosine, cosine + size, sine, sine + size), 1).reshape(-1, 2, 2)
                terms[x] = np.stack((sine + size, sine, cosine + size, cosine), 1).reshape(-1, 2, 2)
                sign[x] = [[1, -1], [-1, 1]]
                for flat, here, there in ((cosine, 0, 3), (cosine + size, 1, 2), (sine, 2, 1), (sine + size, 3, 0)):
                    if m or here < 2:  # there is no order -0
                        back[0, flat], back[1, flat] = 4 * w + here, 4 * x + there
        return terms, sign, back

    def to_grid(self, c: Float[Tensor, "coefficients 2 n"], weighted: bool) -> Float[Tensor, "nlat nlon 2 n"]:
        """Samples Q and U of E and B; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        n = c.shape[-1]
        c = c.transpose(0, 1).reshape(-1, n)
        rows, _, _, factor = self._index(c)
        nlat, nlon = self.grid.shape
        f = c.new_empty(2, n, nlat, nlon)
        for part in self._chunks(c, n):
            few = part.stop - part.start
            terms = (c[:, part].index_select(0, rows).view(-1, 2, 2, few) * factor).view(-1, 4 * few)
            waves = workspace("waves", c, self.bandwidth, 4 * few, nlat)
            for block, table in zip(self.layout.blocks, self._wigner(c, weighted), strict=True):
                here = terms[2 * block.rows.start : 2 * block.rows.stop].unflatten(0, (-1, 2 * block.terms))
                torch.bmm(here.mT, table, out=waves[block.orders])
            whole = few == n
            samples = f if whole else c.new_empty(2, few, nlat, nlon)
            self.fourier.synthesis(waves.view(1, -1, 2 * few, nlat), None, samples.view(1, -1, nlat, nlon))
            if not whole:
                f[:, part] = samples
        return f.permute(2, 3, 0, 1)

    def from_grid(self, f: Float[Tensor, "nlat nlon 2 n"], weighted: bool) -> Float[Tensor, "coefficients 2 n"]:
        """Sums over the samples, the transpose; `weighted` makes them the quadrature of analysis."""
        f = f.permute(2, 3, 0, 1).contiguous()
        n, size = f.shape[1], self.bandwidth**2
        _, first, second, factor = self._index(f)
        c = f.new_empty(2 * size, n)
        for part in self._chunks(f, n):
            few = part.stop - part.start
            waves = workspace("waves", f, self.bandwidth, 4 * few, self.grid.nlat)
            samples = f[:, part].reshape(1, -1, *self.grid.shape)
            self.fourier.analysis(samples, waves.view(1, -1, 2 * few, self.grid.nlat), None)
            terms = f.new_empty(2 * self.layout.rows, 4 * few)
            for block, table in zip(self.layout.blocks, self._wigner(f, weighted), strict=True):
                here = terms[2 * block.rows.start : 2 * block.rows.stop].unflatten(0, (-1, 2 * block.terms))
                torch.bmm(table, waves[block.orders].mT, out=here)
            rows = (terms.view(-1, 2, 2, few) * factor).view(-1, few)
            torch.add(rows.index_select(0, first), rows.index_select(0, second), out=c[:, part])
        return c.unflatten(0, (2, -1)).transpose(0, 1)

    def _chunks(self, x: Tensor, signals: int) -> list[slice]:
        size = signals
        if x.device.type == "cpu":
            size = max(2 * FEWEST_SIGNALS, CHUNK_NUMBERS // (self.grid.nlat * self.grid.nlon)) // 2 | 1
        return [slice(i, min(i + size, signals)) for i in range(0, signals, size)]


@lru_cache(maxsize=128)
def spin_ring_engine(grid: RingGrid, bandwidth: int, spin: int) -> SpinRingEngine:
    """The engine of a grid, band limit and spin, one for all modules."""
    return SpinRingEngine(grid, bandwidth, spin)
