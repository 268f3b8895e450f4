"""The fast transform between flat coefficients of spin s and complex samples on rings.

Separation of variables: with F_m(theta) the waves of a ring,
    f(theta, phi) = sum_m F_m(theta) e^{i m phi},   F_m(theta) = sum_l k_l d^l_{m,-s}(theta) f_lm,
k_l = (-1)^s sqrt((2l+1) / 4 pi). The tables hold orders m >= 0 alone: d^l_{-m,-s}(theta) = (-1)^{l+s} d^l_{m,-s}(pi - theta):
order -m is read from the same table, upside down. For that the rings and their mirror images are all in it.

Memory order: signals stand side by side in the last dimension, coefficients `(L*L, N)`, samples `(nodes, N)`.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import pi

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equisphere.grids import Grid
from equisphere.harmonics import degrees_and_orders, wigner_d_orders
from equisphere.transforms._engines import TOLERANCE
from equisphere.transforms._refinement import chebyshev, chebyshev_steps, spectrum_bounds
from equisphere.transforms._rings import RingFourier, Rings, rings_of


@dataclass(frozen=True)
class Block:
    """Orders m = first .. last-1, of both signs, that share one batched product over the degrees l = lowest .. L-1."""

    first: int
    last: int
    lowest: int


def blocks(bandwidth: int, spin: int) -> list[Block]:
    """Cut the orders 0 .. L-1: long enough to fill a batched product, short enough to waste few zeros.

    >>> [(b.first, b.last, b.lowest) for b in blocks(8, -2)]
    [(0, 4, 2), (4, 8, 4)]
    """
    cuts = [*range(0, bandwidth, max(4, bandwidth // 8)), bandwidth]
    return [Block(a, b, max(a, abs(spin))) for a, b in pairwise(cuts)]


class SpinEngine:
    """Synthesis and its transpose for one set of rings, band limit and spin.

    Where the quadrature is not exact, a `tolerance` is given, and analysis refined until a round trip errs by no more.
    """

    def __init__(self, rings: Rings, bandwidth: int, spin: int, tolerance: float | None) -> None:
        self.rings, self.bandwidth, self.spin, self.tolerance = rings, bandwidth, spin, tolerance
        self.fourier = RingFourier(rings, bandwidth)
        self._tables: dict[tuple, list[Tensor]] = {}
        self._places: dict[tuple, tuple[Tensor, Tensor, Tensor]] = {}

    @cached_property
    def _blocks(self) -> list[Block]:
        return blocks(self.bandwidth, self.spin)

    @cached_property
    def _mirrored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colatitudes of the rings and their mirror images, and in which row each ring, and its mirror image, stands."""
        theta = self.rings.colatitudes
        distance = np.minimum(theta, pi - theta)
        north, inverse = np.unique(np.round(distance, 12), return_inverse=True)
        exact = np.zeros(len(north))
        exact[inverse[::-1]] = distance[::-1]  # the northern ones last: they keep all digits near the pole
        rows = np.where(theta <= pi / 2 + 1e-9, inverse, 2 * len(north) - 1 - inverse)
        return np.concatenate((exact, pi - exact[::-1])), rows, 2 * len(north) - 1 - rows

    def _wigner(self, x: Tensor) -> list[Tensor]:
        """k_l d^l_{m,-s} of each block `(orders, rows, degrees)`."""
        key = (x.dtype, x.device)
        if key not in self._tables:
            L, s = self.bandwidth, self.spin
            scale = (-1) ** s * np.sqrt((2 * np.arange(L) + 1) / (4 * pi))
            made = []
            for block in self._blocks:
                m = np.arange(block.first, block.last)
                d = wigner_d_orders(m, np.full_like(m, -s), L, self._mirrored[0])
                made.append(torch.from_numpy((d * scale)[..., block.lowest :]).to(x))
            self._tables[key] = made
        return self._tables[key]

    def _index(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The coefficient that each (order, degree, sign of m) reads; its inverse; and the sign of each coefficient."""
        key = (x.dtype, x.device)
        if key not in self._places:
            terms, back = gather_index(self.bandwidth, self.spin)
            degree, order = degrees_and_orders(self.bandwidth)
            sign = np.where(order < 0, (-1.0) ** (degree + self.spin), 1.0) * (degree >= abs(self.spin))
            self._places[key] = (
                torch.from_numpy(terms).to(x.device),
                torch.from_numpy(back).to(x.device),
                torch.from_numpy(sign[:, None]).to(x),
            )
        return self._places[key]

    def _rows(self, device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self._mirrored[1]).to(device), torch.from_numpy(self._mirrored[2]).to(device)

    def _weights(self, x: Tensor) -> Float[Tensor, "rings 1 1"]:
        return torch.from_numpy(self.rings.weights[:, None, None]).to(x)

    @cached_property
    def _bounds(self) -> tuple[float, float]:
        """Least and largest eigenvalue of the Gram matrix."""
        return spectrum_bounds(lambda x: self._gram(x.view(-1, 2)).view(-1, 1), 2 * self.bandwidth**2)

    def _gram(self, x: Float[Tensor, "coefficients n"]) -> Float[Tensor, "coefficients n"]:
        """Y^H W Y c, real and imaginary parts side by side; c itself in the degrees below |s|, which have no harmonics."""
        c = torch.view_as_complex(x.unflatten(1, (-1, 2)))
        product = self._sums(self._samples(c, weighted=True), weighted=False)
        none = torch.arange(len(c), device=c.device)[:, None] < self.spin**2
        return torch.view_as_real(torch.where(none, c, product)).flatten(1)

    def _refined(self, c: Complex[Tensor, "coefficients n"]) -> Complex[Tensor, "coefficients n"]:
        if self.tolerance is None:
            return c
        steps = chebyshev_steps(self._bounds, self.tolerance)
        x = chebyshev(self._gram, torch.view_as_real(c).flatten(1), self._bounds, steps)
        return torch.view_as_complex(x.unflatten(1, (-1, 2)))

    def to_grid(self, c: Complex[Tensor, "coefficients n"], weighted: bool) -> Complex[Tensor, "nodes n"]:
        """Samples of sum_lm c_lm sY_lm; if `weighted`, the adjoint of analysis."""
        return self._samples(self._refined(c) if weighted else c, weighted)

    def from_grid(self, f: Complex[Tensor, "nodes n"], weighted: bool) -> Complex[Tensor, "coefficients n"]:
        """Sums over the samples of f conj(sY_lm); if `weighted`, analysis."""
        c = self._sums(f, weighted)
        return self._refined(c) if weighted else c

    def _samples(self, c: Tensor, weighted: bool) -> Tensor:
        x = torch.view_as_real(c.resolve_conj().contiguous()).flatten(1)
        terms, _, sign = self._index(x)
        L, n = self.bandwidth, c.shape[1]
        there, mirror = self._rows(c.device)
        x = (x * sign).index_select(0, terms)
        waves = c.new_zeros(len(there), 2 * L - 1, n)
        start = 0
        for block, table in zip(self._blocks, self._wigner(x), strict=True):
            orders, rows, degrees = table.shape
            stop = start + orders * degrees * 2
            product = torch.bmm(table, x[start:stop].view(orders, degrees, -1)).view(orders, rows, 2, n, 2)
            product = torch.view_as_complex(product)
            # order 0 of the second half is written first, and then overwritten by that of the first
            waves[:, L - block.last : L - block.first] = product[:, mirror, 1].transpose(0, 1).flip(1)
            waves[:, L - 1 + block.first : L - 1 + block.last] = product[:, there, 0].transpose(0, 1)
            start = stop
        return self.fourier.synthesis(waves * self._weights(x) if weighted else waves)

    def _sums(self, f: Tensor, weighted: bool) -> Tensor:
        waves = self.fourier.transpose(f)
        x = torch.view_as_real(f[:0]).flatten(1)  # dtype and device of the real tables
        if weighted:
            waves = waves * self._weights(x)
        _, back, sign = self._index(x)
        L, n = self.bandwidth, f.shape[1]
        there, mirror = self._rows(f.device)
        terms = []
        for block, table in zip(self._blocks, self._wigner(x), strict=True):
            rows = f.new_zeros(block.last - block.first, table.shape[1], 2, n)
            rows[:, there, 0] = waves[:, L - 1 + block.first : L - 1 + block.last].transpose(0, 1)
            rows[:, mirror, 1] = waves[:, L - block.last : L - block.first].flip(1).transpose(0, 1)
            terms.append(torch.bmm(table.mT, torch.view_as_real(rows).flatten(2)).view(-1, 2 * n))
        c = torch.cat(terms).index_select(0, back) * sign
        return torch.view_as_complex(c.view(-1, n, 2))


def gather_index(bandwidth: int, spin: int) -> tuple[np.ndarray, np.ndarray]:
    """Which flat coefficient stands in each row of the blocks, and in which row each flat coefficient stands.

    Rows run over (block, order, degree, sign of the order); those without a coefficient (l < |m|) are met by a zero of the
    table, and coefficients without a row (l < |s|) are made zero.
    """
    rows: list[np.ndarray] = []
    back = np.zeros(bandwidth**2, dtype=np.int64)
    start = 0
    for block in blocks(bandwidth, spin):
        m = np.arange(block.first, block.last)[:, None, None] * np.array([1, -1])
        l = np.arange(block.lowest, bandwidth)[:, None]
        holds = abs(m) <= l
        flat = np.where(holds, l * l + l + m, 0)
        holds[np.ix_(m[:, 0, 0] == 0, range(len(l)), [1])] = False  # there is no order -0
        back[flat[holds]] = start + np.flatnonzero(holds)
        rows.append(flat.ravel())
        start += flat.size
    return np.concatenate(rows), back


@lru_cache(maxsize=64)
def spin_engine(grid: Grid, bandwidth: int, spin: int, tolerance: float | None) -> SpinEngine:
    """The engine of a grid, band limit and spin, one for all modules."""
    if grid.exact_degree >= 2 * (bandwidth - 1):
        tolerance = None
    elif tolerance is None:
        tolerance = TOLERANCE
    return SpinEngine(rings_of(grid), bandwidth, spin, tolerance)
