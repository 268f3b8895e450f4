"""The Legendre step without stored tables, in torch: tiles of values are made, used for all signals, and dropped.

A tile holds the values p_n of a block of orders at a run of rings for a few steps n of the recurrence, so that making
it and using it stay in cache. Its memory does not depend on the band limit; what is kept grows as L^2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Complex, Float64
from torch import Tensor

from equisphere.transforms import _recurrence as recurrence

#: numbers in one step of a tile: enough to outweigh the call, few enough to stay in cache
STEP_SIZE = 1 << 15


@dataclass(frozen=True)
class _Run:
    """Northern rings first .. last-1, from the pole towards the equator, that share a form of the recurrence."""

    first: int
    last: int
    polar: bool


class TiledLegendre:
    """Sums over the degrees, and their transposes, at rings that are mirror images of each other about the equator."""

    def __init__(self, bandwidth: int, colatitudes: Float64[np.ndarray, "rings"]) -> None:
        self.bandwidth, self.rings = bandwidth, len(colatitudes)
        self.theta = colatitudes[: (len(colatitudes) + 1) // 2]
        split = int(np.sum(np.sin(self.theta) ** 2 < recurrence.POLAR))
        self._runs = [
            run for run in (_Run(0, split, True), _Run(split, len(self.theta), False)) if run.last > run.first
        ]
        self._starts = recurrence.starts(bandwidth, self.theta)

    def to_rings(self, c: Float64[Tensor, "coefficients n"]) -> Complex[Tensor, "n orders rings"]:
        """sum_l (c_lm - i c_l,-m) P_lm(cos theta_j), m >= 0, at every ring."""
        L, n = self.bandwidth, c.shape[-1]
        out = c.new_empty(n, L, self.rings, dtype=torch.complex128)
        for run in self._runs:
            x = torch.from_numpy(np.cos(self.theta[run.first : run.last])).to(c)
            for first, last in self._blocks(run):
                terms = self._gather(c, first, last)
                sums = c.new_zeros(last - first, 4 * n, run.last - run.first)
                for step, rings, tile in self._tiles(run, first, last, c):
                    orders, count = tile.shape[:2]
                    part = terms[:orders, step : step + count].mT
                    sums[:orders, :, rings:].baddbmm_(part, tile)
                even, odd = sums.view(last - first, 2, 2, n, -1).unbind(1)
                odd *= x
                south = torch.complex(*(even - odd).unbind(1)).transpose(0, 1)
                north = torch.complex(*(even + odd).unbind(1)).transpose(0, 1)
                out[:, first:last, self.rings - run.last : self.rings - run.first] = south.flip(-1)
                out[:, first:last, run.first : run.last] = north
        return out

    def from_rings(self, spectrum: Complex[Tensor, "n orders rings"]) -> Float64[Tensor, "coefficients n"]:
        """The transpose: sums over the rings of P_lm(cos theta_j) times the real part (m) and minus the imaginary (-m)."""
        L, n = self.bandwidth, len(spectrum)
        out = torch.zeros(L * L, n, dtype=torch.float64, device=spectrum.device)
        for run in self._runs:
            x = torch.from_numpy(np.cos(self.theta[run.first : run.last])).to(out)
            for first, last in self._blocks(run):
                north = spectrum[:, first:last, run.first : run.last]
                south = spectrum[:, first:last, self.rings - run.last : self.rings - run.first].flip(-1)
                even, odd = north + south, (north - south) * x
                if 2 * run.last > self.rings:  # the equator is its own mirror image
                    even[..., -1] /= 2
                folded = torch.stack([torch.view_as_real(half) for half in (even, odd)])  # parity, n, m, ring, part
                folded = folded.permute(2, 0, 4, 1, 3).flatten(1, 3)
                terms = out.new_zeros(last - first, (L - first + 1) // 2, 4 * n)
                for step, rings, tile in self._tiles(run, first, last, out):
                    orders, count = tile.shape[:2]
                    terms[:orders, step : step + count] = torch.bmm(tile, folded[:orders, :, rings:].mT)
                self._scatter(terms, out, first, last)
        return out

    def _blocks(self, run: _Run) -> Iterator[tuple[int, int]]:
        """Blocks of orders: `STEP_SIZE` numbers for one step of the recurrence at the rings of a run."""
        width = max(1, STEP_SIZE // (run.last - run.first))
        for first in range(0, self.bandwidth, width):
            yield first, min(first + width, self.bandwidth)

    def _tiles(self, run: _Run, first: int, last: int, like: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """Values p_n `(orders, steps, rings)` of a block, with the first step n and the first ring of the run.

        Orders at the end of the block that have no more degrees are left out, and rings near the pole where all is
        still negligible. The next tile is written over the one before.
        """
        sine = np.sin(self.theta[run.first : run.last])
        skip = recurrence.reach(self.bandwidth, first, sine)
        if skip == len(sine):
            return
        factor, centre = _factors(self.bandwidth, first, last, run.polar)
        factor, centre = factor.to(like), centre.to(like)
        argument = torch.from_numpy(
            -(sine[skip:] ** 2) if run.polar else np.cos(self.theta[run.first : run.last][skip:]) ** 2
        )
        argument = argument.to(like)
        mantissa, exponent = (
            torch.from_numpy(part[first:last, run.first + skip : run.last]).to(like.device) for part in self._starts
        )
        steps, total = recurrence.STEPS, (self.bandwidth - first + 1) // 2
        tile = like.new_empty(last - first, steps, len(argument))
        tile[:, -1] = 0  # p_-1; slot n mod steps holds p_n
        scratch = torch.empty_like(mantissa)
        shrunk = like.new_tensor([1.0, 2.0**-recurrence.UNIT])  # in double precision: in single, the second is zero
        rings, pending = len(argument), True
        for step in range(0, total, steps):
            orders = min(last - first, self.bandwidth - first - 2 * step)
            tile, scratch, exponent = tile[:orders], scratch[:orders], exponent[:orders]
            slots = tile.unbind(1)
            factors = factor[:orders, step : step + steps, None].unbind(1)
            centres = centre[:orders, step : step + steps, None].unbind(1)
            for t in range(steps):
                if step + t:
                    torch.addcmul(centres[t], factors[t], argument, out=scratch)
                    torch.addcmul(slots[t - 2], scratch, slots[t - 1], out=slots[t])
                else:
                    slots[0].copy_(mantissa)
            if pending:
                rings = int(
                    (tile[:, -1].abs().amax(0) < recurrence.NEGLIGIBLE).sum()
                )  # they are those nearest the pole
            if rings < len(argument):
                yield step, skip + rings, tile[:, : total - step, rings:]
            if pending:
                last_two = tile[:, -2:]
                grown = (exponent < 0) & (last_two[:, 1].abs() > 2.0 ** (recurrence.UNIT - recurrence.FLOOR))
                last_two.mul_(shrunk[grown.long()][:, None])
                exponent = exponent + grown.int()
                pending = rings > 0 or bool((exponent < 0).any())

    def _gather(self, c: Tensor, first: int, last: int) -> Tensor:
        """Coefficients of the chain `(orders, steps, (parity, part, n))` of a block."""
        kappa, up, up2, _ = _weights(self.bandwidth, first, last, c.device)
        flat, inside = _places(self.bandwidth, first, last, c.device)
        values = c[flat.clamp(max=c.shape[0] - 1)] * inside[..., None]  # part, order, degree - order, n
        values[1].neg_()
        even, odd = values[:, :, 0::2], values[:, :, 1::2]
        even = even[:, :, :-1] * up + even[:, :, 1:] * up2
        both = torch.stack((even, odd[:, :, : even.shape[2]])) * kappa  # parity, part, order, step, n
        return both.permute(2, 3, 0, 1, 4).flatten(2)

    def _scatter(self, terms: Tensor, out: Tensor, first: int, last: int) -> None:
        """Add what `from_rings` summed for a block to the coefficients: the transpose of `_gather`."""
        kappa, up, up2, even_terms = _weights(self.bandwidth, first, last, out.device)
        flat, inside = _places(self.bandwidth, first, last, out.device)
        even, odd = (terms.unflatten(2, (2, 2, -1)).permute(2, 3, 0, 1, 4) * kappa).unbind(0)
        values = out.new_zeros(2, last - first, 2 * even_terms, out.shape[-1])
        values[:, :, 0:-2:2] = even * up
        values[:, :, 2::2] += even * up2
        values[:, :, 1:-1:2] = odd
        for part, sign in ((1, -1.0), (0, 1.0)):
            out.index_add_(0, flat[part][inside[part]], sign * values[part][inside[part]])


@lru_cache(maxsize=8)
def _factors(bandwidth: int, first: int, last: int, polar: bool) -> tuple[Tensor, Tensor]:
    """a_n and what is added to a_n x^2 (or -a_n sin^2) in the step that makes p_{n+1}, `(orders, n + 1)`, of a block."""
    steps = -(-((bandwidth - first + 1) // 2) // recurrence.STEPS) * recurrence.STEPS
    order, n = np.arange(first, last)[:, None], np.arange(-1, steps - 1)
    kappa = np.zeros((last - first, steps))
    known = recurrence.scales(bandwidth)[: steps - 1, first:last].T
    kappa[:, 1 : 1 + known.shape[1]] = known
    factor = kappa**2 / recurrence.Q * (1 - 2 * (n % 2))
    centre, polar_centre = recurrence.centres(order + 2 * n + 1, order)
    return torch.from_numpy(factor), torch.from_numpy(factor * (polar_centre if polar else -centre))


def _weights(bandwidth: int, first: int, last: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, int]:
    """kappa_n, eps_{m+2n+1} and eps_{m+2n+2} `(orders, steps, 1)`, and the number of even degrees with one to spare."""
    steps = (bandwidth - first + 1) // 2
    order, n = np.arange(first, last)[:, None], np.arange(steps)
    kappa = recurrence.scales(bandwidth)[:steps, first:last].T.copy()
    eps = [recurrence.epsilon(order + 2 * n + k, order) for k in (1, 2)]
    made = [torch.from_numpy(v).to(device)[..., None] for v in (kappa, *eps)]
    return made[0], made[1], made[2], steps + 1


def _places(bandwidth: int, first: int, last: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Flat index of (l, m) and of (l, -m) `(2, orders, l - m)`, and whether there is such a coefficient."""
    m = torch.arange(first, last, device=device)[:, None]
    l = m + torch.arange(2 * ((bandwidth - first + 1) // 2) + 2, device=device)
    inside = torch.stack((l < bandwidth, (l < bandwidth) & (m > 0)))
    return torch.stack((l * l + l + m, l * l + l - m)), inside
