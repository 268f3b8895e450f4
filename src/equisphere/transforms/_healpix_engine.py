"""The fast real transform between flat coefficients and HEALPix pixels.

On ring i of n_i pixels from longitude p_i on, with S_m = sum_j f_j e^{-i m (p_i + 2 pi j / n_i)}, the sums over the ring
are sum f cos(m phi) = Re S_m and sum f sin(m phi) = -Im S_m. An FFT gives T_k for k <= n_i / 2 alone; the others are
aliases: S_m = e^{-i m p_i} T_k with k = m mod n_i, and the conjugate of T at n_i - k past the middle. `_Waves` holds, for
each order and ring, the bin and the phase.

The rings lie mirrored about the equator in pairs: their sums serve the l - m even, their differences the odd ones.
Refinement needs no pixels: there and back on a ring, each bin is multiplied by n_i.
"""

import warnings
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equisphere.grids import HEALPix
from equisphere.grids._healpix import rings
from equisphere.transforms import _legendre_tables as tables
from equisphere.transforms._refinement import chebyshev, chebyshev_steps, spectrum_bounds, worst_condition

#: Legendre tables of at most so many numbers are kept; larger ones are made anew, block by block, whenever they are used
KEPT_NUMBERS = 2**27

#: most refinement steps of an analysis
MAX_REFINEMENT = 100


class _Waves(NamedTuple):
    """For each order m and northern ring: bin, phase, sign of the imaginary part, and weights of a ring's bins."""

    bins: Tensor
    phase: Tensor
    sign: Tensor
    quadrature: Tensor
    gram: Tensor
    half: Tensor
    real_bins: Tensor
    rows: Tensor
    back: Tensor
    sine: Tensor


class HEALPixEngine:
    """Synthesis, its transpose, and analysis refined to a tolerance; tables are shared by all who ask for the same."""

    def __init__(self, grid: HEALPix, bandwidth: int, tolerance: float) -> None:
        self.grid, self.bandwidth, self.tolerance = grid, bandwidth, tolerance
        self.north = 2 * grid.nside
        of_rings = rings(grid.nside)
        self._theta, self._nodes = of_rings.colatitude[: self.north], of_rings.nodes[: self.north]
        self._first, self._weight = of_rings.first_longitude[: self.north], of_rings.weight[: self.north]
        #: pixels of the northern rings, the equator's included, and of those that have a mirror image
        self.half = int(self._nodes.sum())
        self.paired = self.grid.shape[0] - self.half
        self._legendre: dict[tuple, list[Tensor]] = {}
        self._small: dict[tuple, _Waves] = {}
        self._mirrors: dict[torch.device, tuple[Tensor, Tensor]] = {}

    @cached_property
    def _blocks(self) -> list[tables.Block]:
        return tables.blocks(self.bandwidth)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Least and largest eigenvalue of the Gram matrix that refinement serves.

        Signals below the least, which the pixels hardly see, are recovered in part only.
        """
        least, largest = spectrum_bounds(self._gram, self.bandwidth**2)
        within_reach = largest / worst_condition(self.tolerance, MAX_REFINEMENT)
        if least < within_reach:
            warnings.warn(
                f"{self.grid} hardly determines some signals of band limit {self.bandwidth} "
                f"(condition number {largest / least:.1g}): "
                f"{MAX_REFINEMENT} refinement steps do not bring every round trip to {self.tolerance:g}. "
                f"Lower the bandwidth (2.5 nside = {int(2.5 * self.grid.nside)} is well determined) or raise nside.",
                RuntimeWarning,
                stacklevel=2,
            )
        return max(least, within_reach), largest

    @cached_property
    def steps(self) -> int:
        """Refinement steps after which a round trip errs by no more than the tolerance."""
        return min(chebyshev_steps(self.bounds, self.tolerance), MAX_REFINEMENT)

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "pixels n"]:
        """Samples of sum_lm c_lm Y_lm; if `weighted`, the adjoint of analysis."""
        if weighted:
            c = chebyshev(self._gram, c, self.bounds, self.steps)
        f = self._pixels(self._to_bins(c))
        return f * self.grid.weights.to(f)[:, None] if weighted else f

    def from_grid(self, f: Float[Tensor, "pixels n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; if `weighted`, analysis."""
        waves = self._waves(f)
        c = self._from_bins(self._bins(f), waves.quadrature if weighted else None)
        return chebyshev(self._gram, c, self.bounds, self.steps) if weighted else c

    def _gram(self, c: Float[Tensor, "coefficients n"]) -> Float[Tensor, "coefficients n"]:
        """Y^T W Y c, without going through pixels."""
        waves = self._waves(c)
        halves = self._to_bins(c)
        for half in halves:
            torch.view_as_real(half)[waves.real_bins, :, 1] = 0
        return self._from_bins(halves, waves.gram)

    def _table(self, x: Tensor, block: int, parity: int) -> Tensor:
        """P_lm of a block and parity, `(orders, rings, terms)`."""
        key = (x.dtype, x.device)
        if self.bandwidth**2 * self.north > 2 * KEPT_NUMBERS:
            return self._made(x, block, parity)
        if key not in self._legendre:
            self._legendre[key] = [self._made(x, b, p) for b in range(len(self._blocks)) for p in (0, 1)]
        return self._legendre[key][2 * block + parity]

    def _made(self, x: Tensor, block: int, parity: int) -> Tensor:
        return torch.from_numpy(tables.legendre_table(self.bandwidth, self._blocks[block], parity, self._theta)).to(x)

    def _waves(self, x: Tensor) -> _Waves:
        key = (x.dtype, x.device)
        if key not in self._small:
            m, n = np.arange(self.bandwidth)[:, None], self._nodes[None, :]
            k = m % n
            aliased = k > n // 2
            size = n // 2 + 1
            starts = np.cumsum(size[0]) - size[0]
            place = np.where(aliased, n - k, k)
            first = np.concatenate((starts, starts + size[0] - 1))  # bins 0 and n / 2 of each ring: real
            half = np.full(size.sum(), 0.5)
            half[first] = 1
            scale = np.where(m == 0, 1.0, np.sqrt(2))
            mirror = np.where(np.arange(self.north) == self.north - 1, 1.0, 2.0)
            rows, back = (torch.from_numpy(index).to(x.device) for index in tables.gather_index(self.bandwidth))
            degree_rows = rows.view(2, -1)
            order = np.concatenate([np.repeat(np.arange(b.first, b.last), t) for b in self._blocks for t in b.terms])
            wide = torch.complex128 if x.dtype == torch.float64 else torch.complex64
            self._small[key] = _Waves(
                bins=torch.from_numpy(starts + place).to(x.device),
                phase=torch.from_numpy(scale * np.exp(-1j * np.where(aliased, -1, 1) * m * self._first)).to(
                    x.device, wide
                ),
                sign=torch.from_numpy(np.where(aliased, -1.0, 1.0)).to(x),
                quadrature=torch.from_numpy(self._weight).to(x),
                gram=torch.from_numpy(self._weight * self._nodes * mirror).to(x),
                half=torch.from_numpy(half).to(x)[:, None],
                real_bins=torch.from_numpy(first).to(x.device),
                rows=degree_rows,
                back=back,
                sine=torch.from_numpy(np.where(order == 0, 0.0, -1.0)).to(x)[:, None],
            )
        return self._small[key]

    def _to_bins(self, c: Float[Tensor, "coefficients n"]) -> list[Complex[Tensor, "bins n"]]:
        """Half spectra of the even and of the odd part of each northern ring."""
        waves, count = self._waves(c), c.shape[-1]
        terms = torch.stack((c.index_select(0, waves.rows[0]), c.index_select(0, waves.rows[1]) * waves.sine), dim=-1)
        spectra = [c.new_zeros(len(waves.half), 2 * count) for _ in (0, 1)]
        start = 0
        for b, block in enumerate(self._blocks):
            here = slice(block.first, block.last)
            # a lazy conj() is lost in the first call of a compiled program (torch 2.13)
            bins, phase = waves.bins[here].flatten(), waves.phase[here].conj_physical()[..., None]
            sign = waves.sign[here][..., None]
            for parity in (0, 1):
                stop = start + block.orders * block.terms[parity]
                shape = (block.orders, block.terms[parity], 2 * count)
                z = torch.bmm(self._table(c, b, parity), terms[start:stop].view(shape))
                start = stop
                z = z.unflatten(-1, (count, 2))
                z = torch.view_as_complex(torch.stack((z[..., 0], z[..., 1] * sign), dim=-1)) * phase
                spectra[parity].index_add_(0, bins, torch.view_as_real(z).flatten(2).flatten(0, 1))
        return [torch.view_as_complex(s.unflatten(-1, (count, 2))) * waves.half for s in spectra]

    def _from_bins(
        self, halves: list[Complex[Tensor, "bins n"]], weights: Float[Tensor, "rings"] | None
    ) -> Float[Tensor, "coefficients n"]:
        """Coefficients from the half spectra of the sums and differences of each ring and its mirror image."""
        waves, count = self._waves(halves[0].real), halves[0].shape[-1]
        terms = []
        for b, block in enumerate(self._blocks):
            here = slice(block.first, block.last)
            bins, phase = waves.bins[here].flatten(), waves.phase[here][..., None]
            sign = waves.sign[here][..., None]
            if weights is not None:
                phase = phase * weights[:, None]
            for parity in (0, 1):
                z = halves[parity].index_select(0, bins).unflatten(0, (block.orders, self.north)) * phase
                z = torch.stack((z.real, z.imag * sign), dim=-1).flatten(2)
                terms.append(torch.bmm(self._table(z, b, parity).mT, z).flatten(0, 1))
        both = torch.cat(terms).unflatten(-1, (count, 2))
        return torch.cat((both[..., 0], both[..., 1] * waves.sine)).index_select(0, waves.back)

    def _bins(self, f: Float[Tensor, "pixels n"]) -> list[Complex[Tensor, "bins n"]]:
        """FFT of the sum and of the difference of each northern ring and its mirror image."""
        rows = f.mT
        south = rows[:, self.half :].index_select(1, self._mirror(f.device)[0])
        both = torch.stack((rows[:, : self.half], rows[:, : self.half]))
        both[0, :, : self.paired] += south
        both[1, :, : self.paired] -= south
        nside, spectra, start = self.grid.nside, [], 0
        for i in range(1, nside):
            spectra.append(torch.fft.rfft(both[..., start : start + 4 * i]))
            start += 4 * i
        belt = both[..., start:].unflatten(-1, (nside + 1, 4 * nside))
        spectra.append(torch.fft.rfft(belt).flatten(-2))
        return [half.mT.contiguous() for half in torch.cat(spectra, dim=-1)]

    def _pixels(self, halves: list[Complex[Tensor, "bins n"]]) -> Float[Tensor, "pixels n"]:
        """Pixels from half spectra of the even and the odd part of each northern ring."""
        spectra = torch.stack([half.mT for half in halves]).contiguous()
        nside, parts, start = self.grid.nside, [], 0
        for i in range(1, nside):
            parts.append(torch.fft.irfft(spectra[..., start : start + 2 * i + 1], n=4 * i, norm="forward"))
            start += 2 * i + 1
        belt = spectra[..., start:].unflatten(-1, (nside + 1, 2 * nside + 1))
        parts.append(torch.fft.irfft(belt, n=4 * nside, norm="forward").flatten(-2))
        even, odd = torch.cat(parts, dim=-1)
        south = (even[:, : self.paired] - odd[:, : self.paired]).index_select(1, self._mirror(even.device)[1])
        return torch.cat((even + odd, south), dim=1).mT

    def _mirror(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Puts the southern rings in the order of their northern twins, and back."""
        if device not in self._mirrors:
            nodes = self._nodes[:-1]
            stops = np.cumsum(nodes)
            there = np.concatenate([self.paired - stop + np.arange(n) for stop, n in zip(stops, nodes, strict=True)])
            back = torch.from_numpy(there.argsort()).to(device)
            self._mirrors[device] = torch.from_numpy(there).to(device), back
        return self._mirrors[device]


@lru_cache(maxsize=16)
def healpix_engine(grid: HEALPix, bandwidth: int, tolerance: float) -> HEALPixEngine:
    """The engine of a grid, band limit and tolerance, one for all modules."""
    return HEALPixEngine(grid, bandwidth, tolerance)
