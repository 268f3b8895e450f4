"""The fast real transform between flat coefficients and the samples on a grid of rings.

Separation of variables: with F_mj the Fourier coefficients of ring j,
    f(theta_j, phi_k) = sum_m F_mj e_m(phi_k),     F_mj = sum_l P_lm(cos theta_j) c_lm,
where e_m is sqrt2 cos, sqrt2 sin, or 1. The Legendre step is a batched matrix product for each block of orders.

Memory order: samples lie as users have them, `(N, nlat, nlon)`, and coefficients `(L*L, N)`, signals side by side. The
products do the transposition between the two on the way. On CPUs, few signals are worked on at a time, so that what lies
between the steps stays in the cache.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._fourier import fourier
from equisphere.transforms._halves import Halves
from equisphere.transforms._layout import Layout
from equisphere.transforms._workspace import workspace

#: from this band limit on, even and odd degrees are apart: half the arithmetic and tables, against two passes over the samples
PARITY_LIMIT = 96
#: samples that go through the Fourier step together on CPUs: few enough to stay in a core's cache
PIECE_NUMBERS = 2**19
#: samples that meet the tables together on CPUs, and how few signals these may be: matrix products want many
CHUNK_NUMBERS, FEWEST_SIGNALS = 2**20, 32


class RingEngine:
    """Synthesis and its transpose on one grid at one band limit; tables are shared by all who ask for the same.

    With parities apart, P_lm(-x) = (-1)^{l-m} P_lm(x): the even part of a signal about the equator meets even l - m alone, the
    odd part odd ones, and northern rings are enough for either.

    Args:
        grid: of the samples.
        bandwidth: band limit L.
        parity: whether even and odd degrees are apart; by the band limit where nothing is said.
    """

    def __init__(self, grid: RingGrid, bandwidth: int, parity: bool | None = None) -> None:
        self.grid, self.bandwidth = grid, bandwidth
        theta = grid.colatitudes.numpy()
        self.halves = Halves(theta, bandwidth >= PARITY_LIMIT if parity is None else parity)
        self.parities, self._north = self.halves.parities, self.halves.north
        self._theta = theta[: self._north]
        self.fourier = fourier(grid.nlon, bandwidth)
        self._pitch = self.fourier.pitch(self._north)
        self.layout = Layout(bandwidth, self.fourier.groups, self.parities)
        self._tables: dict[tuple, list[Tensor]] = {}
        self._indices: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def _legendre(self, x: Tensor, weighted: bool) -> list[Tensor]:
        """P_lm of each block, `(orders, terms, pitch)`, times the quadrature weights if `weighted`."""
        key = (x.dtype, x.device, weighted)
        if key not in self._tables:
            if weighted:
                weights = torch.nn.functional.pad(self._weights(x), (0, self._pitch - self._north))
                self._tables[key] = [table * weights for table in self._legendre(x, False)]
            else:
                dtype = np.float64 if x.dtype == torch.float64 else np.float32
                table = torch.from_numpy(self.layout.legendre(self._theta, self._pitch, dtype)).to(x)
                self._tables[key] = [table[block.rows].unflatten(0, (-1, block.terms)) for block in self.layout.blocks]
        return self._tables[key]

    def _weights(self, x: Tensor) -> Float[Tensor, "rings"]:
        return self.grid.weights[: self._north, 0].to(x)

    def _weighing(self, x: Tensor, weighted: bool) -> tuple[list[Tensor], Tensor | None]:
        """Tables, and the weights that the Fourier step is to multiply by, where it can on its way."""
        there = weighted and self.fourier.weighs
        return self._legendre(x, weighted and not there), self._weights(x) if there else None

    def _index(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Coefficient of each row of the Legendre step, and its inverse."""
        if device not in self._indices:
            rows, back = self.layout.gather_index()
            self._indices[device] = torch.from_numpy(rows).to(device), torch.from_numpy(back).to(device)
        return self._indices[device]

    def _cut(self, x: Tensor, signals: int, numbers: int, fewest: int = 1) -> list[slice]:
        """Signals a few at a time: as many as have so many samples, on CPUs.

        They are an odd number: at a power of two, the rows of a product fight for the same lines of the cache.
        """
        size = max(fewest, numbers // (self.grid.nlat * self.grid.nlon)) | 1 if x.device.type == "cpu" else signals
        return [slice(i, min(i + size, signals)) for i in range(0, signals, size)]

    def _waves(self, x: Tensor, chunk: slice) -> Float[Tensor, "parities rows signals pitch"]:
        """Room for what lies between the two steps."""
        signals = chunk.stop - chunk.start
        return workspace("waves", x, self.parities, 2 * self.bandwidth, signals, self._pitch)

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        c, n = c.contiguous(), c.shape[-1]
        rows, _ = self._index(c.device)
        legendre, weights = self._weighing(c, weighted)
        nlat, nlon = self.grid.shape
        f = c.new_empty_strided((nlat, nlon, n), (nlon, 1, nlat * nlon))  # no view: functions may write to it
        for chunk in self._cut(c, n, CHUNK_NUMBERS, FEWEST_SIGNALS):
            waves, samples = self._waves(c, chunk), f.movedim(-1, 0)[chunk]
            terms = c[:, chunk].index_select(0, rows).view(-1, 2 * len(samples))
            flat = waves.view(self.parities, self.bandwidth, -1, self._pitch)
            for block, table in zip(self.layout.blocks, legendre, strict=True):
                here = terms[block.rows].unflatten(0, (-1, block.terms))
                torch.bmm(here.mT, table, out=flat[block.parity, block.orders])
            for piece in self._cut(c, len(samples), PIECE_NUMBERS):
                rings, here = samples[piece], waves[:, :, piece, : self._north]
                if self.parities == 1:
                    self.fourier.synthesis(here, weights, rings[None])
                else:
                    self.halves.unfold(self.fourier.synthesis(here, weights), rings)
        return f

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        f = f.movedim(-1, 0)
        _, back = self._index(f.device)
        legendre, weights = self._weighing(f, weighted)
        c = f.new_empty(self.bandwidth**2, len(f))
        for chunk in self._cut(f, len(f), CHUNK_NUMBERS, FEWEST_SIGNALS):
            waves, samples = self._waves(f, chunk)[..., : self._north], f[chunk]
            for piece in self._cut(f, len(samples), PIECE_NUMBERS):
                self.fourier.analysis(self.halves.fold(samples[piece].contiguous()), waves[:, :, piece], weights)
            flat = waves.unflatten(1, (-1, 2)).flatten(2, 3)
            terms = workspace("terms", f, self.layout.rows, flat.shape[2])
            for block, table in zip(self.layout.blocks, legendre, strict=True):
                here = terms[block.rows].unflatten(0, (-1, block.terms))
                torch.bmm(table[..., : self._north], flat[block.parity, block.orders].mT, out=here)
            c[:, chunk] = terms.view(-1, len(samples)).index_select(0, back)
        return c


@lru_cache(maxsize=64)
def ring_engine(grid: RingGrid, bandwidth: int) -> RingEngine:
    """The engine of a grid and band limit, one for all modules."""
    return RingEngine(grid, bandwidth)
