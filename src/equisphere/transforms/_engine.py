"""The fast real transform between flat coefficients and the samples on a grid of rings.

Separation of variables: with F_mj the Fourier coefficients of ring j,
    f(theta_j, phi_k) = sum_m F_mj e_m(phi_k),     F_mj = sum_l P_lm(cos theta_j) c_lm,
where e_m is sqrt2 cos, sqrt2 sin, or 1. The Legendre step makes use of the mirror symmetry about the equator,
P_lm(-x) = (-1)^{l-m} P_lm(x): even and odd degrees apart, on the northern rings alone.

Memory order: many signals stand side by side in the last dimension, coefficients `(L*L, N)` and samples
`(nlat, nlon, N)`, so that every step is a batched matrix product and none a transposition.
"""

from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms import _legendre_tables as tables

#: up to this many nodes on a ring, a product with a cos/sin matrix beats the FFT (measured on CPUs)
FOURIER_MATRIX_LIMIT = 96


class RingEngine:
    """Synthesis and its transpose on one grid at one band limit; tables are shared by all who ask for the same.

    With `mirrored=True` the southern rings are stored in the order of their northern twins (for grids symmetric about
    the equator, and samples that nobody else sees), which saves turning them over.
    """

    def __init__(self, grid: RingGrid, bandwidth: int, mirrored: bool = False) -> None:
        self.grid, self.bandwidth, self.mirrored = grid, bandwidth, mirrored
        theta = grid.colatitudes.numpy()
        self.north = int(np.sum(theta <= np.pi / 2 + 1e-9))
        self.south = len(theta) - self.north
        #: northern ring `first_paired + i` is the mirror image of the i-th ring from the south
        self.first_paired = int(np.argmin(abs(theta[: self.north] + theta[-1] - np.pi)))
        self._legendre: dict[tuple, list[Tensor]] = {}
        self._small: dict[tuple, tuple[Tensor, Tensor, Tensor]] = {}

    @cached_property
    def _blocks(self) -> list[tables.Block]:
        return tables.blocks(self.bandwidth)

    def _legendre_tables(self, x: Tensor, weighted: bool) -> list[Tensor]:
        """P_lm of each block and parity `(orders, rings, terms)`, times the quadrature weights if `weighted`."""
        key = (x.dtype, x.device, weighted)
        if key not in self._legendre:
            theta = self.grid.colatitudes.numpy()[: self.north]
            weights = self.grid.weights.numpy()[: self.north, :1] if weighted else 1.0
            self._legendre[key] = [
                torch.from_numpy(tables.legendre_table(self.bandwidth, block, parity, theta) * weights).to(x)
                for block in self._blocks
                for parity in (0, 1)
            ]
        return self._legendre[key]

    def _small_tables(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Index of the blocks' rows, its inverse, and the matrix e_m(phi_k) `(nlon, 2L)`: cosines, then sines."""
        key = (x.dtype, x.device)
        if key not in self._small:
            rows, back = _gather_index(self.bandwidth)
            angle = np.outer(self.grid.longitudes.numpy(), np.arange(self.bandwidth))
            scale = np.where(np.arange(self.bandwidth) == 0, 1.0, np.sqrt(2))
            waves = np.concatenate((np.cos(angle) * scale, np.sin(angle) * scale), axis=1)
            self._small[key] = (
                torch.from_numpy(rows).to(x.device),
                torch.from_numpy(back).to(x.device),
                torch.from_numpy(waves).to(x),
            )
        return self._small[key]

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        rows, _, waves = self._small_tables(c)
        legendre = self._legendre_tables(c, weighted)
        terms = c.index_select(0, rows)
        fourier = c.new_empty(2, self.north, 2, self.bandwidth, c.shape[-1])
        start = 0
        for sine in (0, 1):
            for b, block in enumerate(self._blocks):
                halves = []
                for parity in (0, 1):
                    stop = start + block.orders * block.terms[parity]
                    halves.append(
                        torch.bmm(legendre[2 * b + parity], terms[start:stop].view(block.orders, -1, c.shape[-1]))
                    )
                    start = stop
                even, odd = (half.transpose(0, 1) for half in halves)
                torch.add(even, odd, out=fourier[0, :, sine, block.first : block.last])
                torch.sub(even, odd, out=fourier[1, :, sine, block.first : block.last])
        return self._fourier_synthesis(self._unfold(fourier.flatten(2, 3)), waves)

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        _, back, waves = self._small_tables(f)
        legendre = self._legendre_tables(f, weighted)
        folded = [half.unflatten(1, (2, self.bandwidth)) for half in self._fold(self._fourier_analysis(f, waves))]
        terms = []
        for sine in (0, 1):
            for b, block in enumerate(self._blocks):
                for parity in (0, 1):
                    rings = folded[parity][:, sine, block.first : block.last].transpose(0, 1)
                    terms.append(torch.bmm(legendre[2 * b + parity].mT, rings).flatten(0, 1))
        return torch.cat(terms).index_select(0, back)

    def _unfold(self, halves: Float[Tensor, "2 north waves n"]) -> Float[Tensor, "nlat waves n"]:
        """Rings in the grid's order from the northern ones and their mirror images."""
        south = halves[1, self.first_paired : self.first_paired + self.south]
        if self.mirrored:
            return halves.flatten(0, 1)
        return torch.cat((halves[0], south.flip(0)))

    def _fold(self, rings: Float[Tensor, "nlat waves n"]) -> tuple[Tensor, Tensor]:
        """Sum and difference of each northern ring and its mirror image (nothing, where it has none)."""
        north, south = rings[: self.north], rings[self.north :]
        if self.mirrored:
            return north + south, north - south
        south = south.flip(0)
        even, odd = north.clone(), north.clone()
        paired = slice(self.first_paired, self.first_paired + self.south)
        even[paired] += south
        odd[paired] -= south
        return even, odd

    def _fourier_synthesis(self, rings: Float[Tensor, "nlat waves n"], waves: Tensor) -> Tensor:
        if self.grid.nlon <= FOURIER_MATRIX_LIMIT:
            return torch.bmm(waves.expand(len(rings), -1, -1), rings)
        cosine, sine = rings.movedim(1, 2).unflatten(2, (2, self.bandwidth)).unbind(2)
        scale = waves[0, : self.bandwidth] / 2
        scale = torch.where(scale == 0.5, 1.0, scale)  # e^{i 0 phi} has no conjugate partner
        spectrum = torch.complex(cosine * scale, -sine * scale)
        return torch.fft.irfft(spectrum, n=self.grid.nlon, dim=2, norm="forward").movedim(1, 2)

    def _fourier_analysis(self, f: Float[Tensor, "nlat nlon n"], waves: Tensor) -> Tensor:
        if self.grid.nlon <= FOURIER_MATRIX_LIMIT:
            return torch.bmm(waves.mT.expand(len(f), -1, -1), f)
        spectrum = torch.fft.rfft(f.movedim(1, 2), dim=2)[..., : self.bandwidth] * waves[0, : self.bandwidth]
        return torch.cat((spectrum.real, -spectrum.imag), dim=2).movedim(1, 2)


@lru_cache(maxsize=64)
def _gather_index(bandwidth: int) -> tuple[np.ndarray, np.ndarray]:
    return tables.gather_index(bandwidth)


@lru_cache(maxsize=64)
def ring_engine(grid: RingGrid, bandwidth: int, mirrored: bool = False) -> RingEngine:
    """The engine of a grid and band limit, one for all modules."""
    return RingEngine(grid, bandwidth, mirrored)
