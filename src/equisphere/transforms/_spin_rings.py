"""The fast transform of signals of spin s > 0 in real numbers: E and B over the real harmonics to two components.

The convention is that of `SpinSHT` and `e_b_modes`: f = Q + iU = -sum_lm (E + iB)_lm sY_lm. For order m > 0 let
p = (-1)^m k_l d^l_{m,-s}, q = k_l d^l_{-m,-s}, k_l = (-1)^s sqrt((2l+1) / 4 pi), W = -(p + q) / 2 and X = (q - p) / 2. Then the
waves over sqrt2 cos(m phi) and sqrt2 sin(m phi) are
    Q: W E_m + X B_-m,  W E_-m - X B_m        U: W B_m - X E_-m,  W B_-m + X E_m,
and those of order 0, W E_0 and W B_0 with W = -k_l d^l_{0,-s}. The steps and the memory order are those of the scalar engine,
so that the samples of fields of any spin lie alike.

Coefficients `(L*L, 2, n)` hold E and B of n signals, samples `(*grid.shape, 2, n)` Q and U, which lie as (2, n, *grid.shape).
"""

from functools import cached_property, lru_cache
from math import pi, prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import Grid, RingGrid
from equisphere.harmonics import wigner_d_orders
from equisphere.transforms._engine import CHUNK_NUMBERS, FEWEST_SIGNALS, PARITY_LIMIT, PIECE_NUMBERS
from equisphere.transforms._engines import TOLERANCE
from equisphere.transforms._fourier import fourier
from equisphere.transforms._halves import Halves
from equisphere.transforms._layout import Layout
from equisphere.transforms._refinement import chebyshev, chebyshev_steps, spectrum_bounds
from equisphere.transforms._rings import UnevenFourier, rings_of
from equisphere.transforms._workspace import workspace


class SpinRingEngine:
    """Synthesis and its transpose on one grid of rings at one band limit and spin s > 0; tables of L^2 numbers a ring.

    W(pi - theta) = (-1)^{l+m+s} W(theta), and X has the opposite sign: with parities apart, of each degree the even part of
    samples about the equator meets one of the two, the odd part the other, and northern rings are enough.
    """

    def __init__(self, grid: Grid, bandwidth: int, spin: int, parity: bool | None = None) -> None:
        self.grid, self.bandwidth, self.spin = grid, bandwidth, spin
        self.rings = rings_of(grid)
        self.fourier: Any = UnevenFourier(self.rings, bandwidth)
        if isinstance(grid, RingGrid):
            self.fourier = fourier(grid.nlon, bandwidth)
        parity = bandwidth >= PARITY_LIMIT if parity is None else parity
        self.halves = Halves(self.rings.colatitudes, isinstance(grid, RingGrid) and parity)
        self.layout = Layout(bandwidth, self.fourier.groups, 1)
        orders = np.concatenate(self.fourier.groups)
        self._orders = [orders[block.orders] for block in self.layout.blocks]
        self._tables: dict[tuple, list[Tensor]] = {}

    def _wigner(self, x: Tensor, weighted: bool) -> list[Tensor]:
        """W, and below it X, of each block `(orders, 2 degrees, rings)`, times the quadrature weights if `weighted`.

        With parities apart, what meets the even part, and below it what meets the odd one.
        """
        key = (x.dtype, x.device, weighted)
        if key not in self._tables:
            if weighted:
                self._tables[key] = [table * self._weights(x) for table in self._wigner(x, False)]
            else:
                self._tables[key] = [torch.from_numpy(table).to(x) for table in self._made()]
        return self._tables[key]

    def _weights(self, x: Tensor) -> Float[Tensor, "rings"]:
        return torch.from_numpy(self.rings.weights[: self.halves.north]).to(x)

    def _weighing(self, x: Tensor, weighted: bool) -> tuple[list[Tensor], Tensor | None]:
        """Tables, and the weights that the Fourier step is to multiply by, where it can on its way."""
        there = weighted and self.fourier.weighs
        return self._wigner(x, weighted and not there), self._weights(x) if there else None

    def _made(self) -> list[np.ndarray]:
        L, s, theta = self.bandwidth, self.spin, self.rings.colatitudes[: self.halves.north]
        scale = (-1) ** s * np.sqrt((2 * np.arange(L) + 1) / (4 * pi))
        made = []
        for block, m in zip(self.layout.blocks, self._orders, strict=True):
            p, q = (wigner_d_orders(sign * m, np.full_like(m, -s), L, theta) * scale for sign in (1, -1))
            p *= (1 - 2 * (m % 2))[:, None, None]
            degree = m[:, None] + np.arange(block.terms)  # past the band limit: zeros
            both = np.stack((-(p + q) / 2, np.where(m[:, None, None] > 0, (q - p) / 2, 0)), axis=1)
            both = np.concatenate((both, np.zeros_like(both[..., :1])), axis=-1)
            picked = np.take_along_axis(both, np.minimum(degree, L)[:, None, None, :], axis=-1)
            if self.halves.parities == 2:
                is_even = ((degree + m[:, None] + s) % 2 == 0)[:, None, None]
                picked = np.where(is_even, picked, picked[:, ::-1])
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
                odd = (l + m + self.spin) % 2 * (self.halves.parities - 1)
                w = first + np.arange(len(l)) + odd * block.terms
                x = first + np.arange(len(l)) + (1 - odd) * block.terms
                cosine, sine = l * l + l + m, l * l + l - m
                terms[w] = np.stack((cosine, cosine + size, sine, sine + size), 1).reshape(-1, 2, 2)
                terms[x] = np.stack((sine + size, sine, cosine + size, cosine), 1).reshape(-1, 2, 2)
                sign[x] = [[1, -1], [-1, 1]]
                for flat, here, there in ((cosine, 0, 3), (cosine + size, 1, 2), (sine, 2, 1), (sine + size, 3, 0)):
                    if m or here < 2:  # there is no order -0
                        back[0, flat], back[1, flat] = 4 * w + here, 4 * x + there
        return terms, sign, back

    def to_grid(self, c: Float[Tensor, "coefficients 2 n"], weighted: bool) -> Float[Tensor, "*grid 2 n"]:
        """Samples Q and U of E and B; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        n, nodes = c.shape[-1], self.grid.shape
        c = c.transpose(0, 1).reshape(-1, n)
        wigner, weights = self._weighing(c, weighted)
        f = c.new_empty(2, n, *nodes)
        for part in self._chunks(c, n):
            waves = self._waves(c[:, part], wigner)
            whole = waves.shape[2] == 2 * n
            samples = f if whole else c.new_empty(2, part.stop - part.start, *nodes)
            for piece in self._pieces(waves):
                here, rows = waves[:, :, piece], samples.view(-1, *nodes)[piece]
                if self.halves.parities == 1:
                    self.fourier.synthesis(here, weights, rows[None])
                else:
                    self.halves.unfold(self.fourier.synthesis(here, weights), rows)
            if not whole:
                f[:, part] = samples
        return f.movedim((0, 1), (-2, -1))

    def from_grid(self, f: Float[Tensor, "*grid 2 n"], weighted: bool) -> Float[Tensor, "coefficients 2 n"]:
        """Sums over the samples, the transpose; `weighted` makes them the quadrature of analysis."""
        f = f.movedim((-2, -1), (0, 1)).contiguous()
        wigner, weights = self._weighing(f, weighted)
        c = f.new_empty(2 * self.bandwidth**2, f.shape[1])
        for part in self._chunks(f, f.shape[1]):
            waves = self._room(f, part.stop - part.start)
            samples = f[:, part].reshape(-1, *self.grid.shape)
            for piece in self._pieces(waves):
                self.fourier.analysis(self.halves.fold(samples[piece]), waves[:, :, piece], weights)
            self._sums(waves, wigner, c[:, part])
        return c.unflatten(0, (2, -1)).transpose(0, 1)

    def gram(self, c: Float[Tensor, "coefficients 2 n"]) -> Float[Tensor, "coefficients 2 n"]:
        """Y^H W Y c, on rings of uneven lengths: without going through samples."""
        n = c.shape[-1]
        c = c.transpose(0, 1).reshape(-1, n)
        wigner, weights = self._wigner(c, False), self._weights(c)
        out = torch.empty_like(c)
        for part in self._chunks(c, n):
            waves = self._waves(c[:, part], wigner)
            self.fourier.aliased(waves, weights)
            self._sums(waves, wigner, out[:, part])
        return out.unflatten(0, (2, -1)).transpose(0, 1)

    def _room(self, x: Tensor, signals: int) -> Float[Tensor, "parities rows both_of_n rings"]:
        """Room for what lies between the two steps: Q and U of all signals, side by side."""
        return workspace("waves", x, self.halves.parities, 2 * self.bandwidth, 2 * signals, self.halves.north)

    def _waves(
        self, c: Float[Tensor, "both n"], wigner: list[Tensor]
    ) -> Float[Tensor, "parities rows both_of_n rings"]:
        rows, _, _, factor = self._index(c)
        waves = self._room(c, c.shape[1])
        flat = waves.view(len(waves), self.bandwidth, 4 * c.shape[1], -1)
        terms = c.index_select(0, rows).view(-1, 2, 2, c.shape[1]).mul_(factor).view(-1, flat.shape[2])
        for block, table in zip(self.layout.blocks, wigner, strict=True):
            here = terms[2 * block.rows.start : 2 * block.rows.stop].unflatten(0, (len(table), len(flat), -1))
            for half, part in enumerate(table.chunk(len(flat), dim=1)):
                torch.bmm(here[:, half].mT, part, out=flat[half, block.orders])
        return waves

    def _sums(
        self, waves: Float[Tensor, "parities rows both_of_n rings"], wigner: list[Tensor], out: Float[Tensor, "both n"]
    ) -> None:
        _, first, second, factor = self._index(waves)
        flat = waves.view(len(waves), self.bandwidth, 4 * out.shape[1], -1)
        terms = workspace("terms", waves, 2 * self.layout.rows, flat.shape[2])
        for block, table in zip(self.layout.blocks, wigner, strict=True):
            here = terms[2 * block.rows.start : 2 * block.rows.stop].unflatten(0, (len(table), len(flat), -1))
            for half, part in enumerate(table.chunk(len(flat), dim=1)):
                torch.bmm(part, flat[half, block.orders].mT, out=here[:, half])
        rows = terms.view(-1, 2, 2, out.shape[1]).mul_(factor).view(-1, out.shape[1])
        torch.add(rows.index_select(0, first), rows.index_select(0, second), out=out)

    def _pieces(self, waves: Tensor) -> list[slice]:
        """Rows of samples that go through the Fourier step together, as in `RingEngine`."""
        rows = size = waves.shape[2]
        if waves.device.type == "cpu" and isinstance(self.grid, RingGrid):
            size = max(1, PIECE_NUMBERS // prod(self.grid.shape)) | 1
        return [slice(i, min(i + size, rows)) for i in range(0, rows, size)]

    def _chunks(self, x: Tensor, signals: int) -> list[slice]:
        size = signals
        if x.device.type == "cpu":
            size = max(2 * FEWEST_SIGNALS, CHUNK_NUMBERS // prod(self.grid.shape)) // 2 | 1
        return [slice(i, min(i + size, signals)) for i in range(0, signals, size)]


class RefinedSpinEngine:
    """The same where the quadrature is not exact: analysis is refined until a round trip errs by no more than a tolerance.

    Least squares by a fixed polynomial in the Gram matrix, as on HEALPix for scalars (docs/samplings.md).
    """

    def __init__(self, engine: SpinRingEngine, tolerance: float) -> None:
        self.engine, self.tolerance = engine, tolerance

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        """Least and largest eigenvalue of the Gram matrix."""
        size = 2 * self.engine.bandwidth**2
        return spectrum_bounds(lambda x: self._gram(x.view(-1, 2, 1)).reshape(-1, 1), size)

    def _gram(self, c: Float[Tensor, "coefficients 2 n"]) -> Float[Tensor, "coefficients 2 n"]:
        """Y^H W Y c; c itself in the degrees below s, which have no harmonics."""
        product = self.engine.gram(c)
        none = torch.arange(len(c), device=c.device)[:, None, None] < self.engine.spin**2
        return torch.where(none, c, product)

    def _refined(self, c: Float[Tensor, "coefficients 2 n"]) -> Float[Tensor, "coefficients 2 n"]:
        return chebyshev(self._gram, c, self._bounds, chebyshev_steps(self._bounds, self.tolerance))

    def to_grid(self, c: Float[Tensor, "coefficients 2 n"], weighted: bool) -> Float[Tensor, "*grid 2 n"]:
        """Samples of E and B; if `weighted`, the adjoint of analysis."""
        return self.engine.to_grid(self._refined(c) if weighted else c, weighted)

    def from_grid(self, f: Float[Tensor, "*grid 2 n"], weighted: bool) -> Float[Tensor, "coefficients 2 n"]:
        """Sums over the samples; if `weighted`, analysis."""
        c = self.engine.from_grid(f, weighted)
        return self._refined(c) if weighted else c


@lru_cache(maxsize=128)
def spin_ring_engine(
    grid: Grid, bandwidth: int, spin: int, tolerance: float | None = None
) -> SpinRingEngine | RefinedSpinEngine:
    """The engine of a grid, band limit and spin, one for all modules."""
    engine = SpinRingEngine(grid, bandwidth, spin)
    if grid.exact_degree >= 2 * (bandwidth - 1):
        return engine
    return RefinedSpinEngine(engine, TOLERANCE if tolerance is None else tolerance)
