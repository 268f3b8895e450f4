"""Where the rings of a grid lie, and the Fourier step on rings of any numbers of nodes.

A ring of n nodes from longitude p on tells waves apart modulo n alone: with T_k its FFT, the sum of f e^{-im phi} is
e^{-imp} T_k, k = m mod n, and for a real f the conjugate of T_{n-k} past the middle. Synthesis adds the waves that look alike.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from equisphere.grids import Grid, RingGrid


@dataclass(frozen=True)
class Rings:
    """Rings from north to south: colatitude, number of nodes, longitude of the first node, quadrature weight of a node."""

    colatitudes: Float64[np.ndarray, "rings"]
    nodes: Int[np.ndarray, "rings"]
    first: Float64[np.ndarray, "rings"]
    weights: Float64[np.ndarray, "rings"]

    def runs(self) -> list[slice]:
        """Runs of neighbouring rings with the same number of nodes, which share one FFT."""
        cuts = [0, *(np.flatnonzero(np.diff(self.nodes)) + 1), len(self.nodes)]
        return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def rings_of(grid: Grid) -> Rings:
    """The rings of a grid: its rows, or the runs of nodes of equal colatitude, evenly spaced in longitude.

    Raises:
        ValueError: where the nodes do not lie so.
    """
    theta, phi, w = (x.numpy() for x in (grid.colatitudes, grid.longitudes, grid.weights))
    if isinstance(grid, RingGrid):
        return Rings(theta, np.full(grid.nlat, grid.nlon), np.full(grid.nlat, phi[0]), w[:, 0])
    starts = np.flatnonzero(np.diff(theta, prepend=-1.0))
    nodes = np.diff(starts, append=len(theta))
    even = phi[starts].repeat(nodes) + 2 * np.pi * (np.arange(len(theta)) - starts.repeat(nodes)) / nodes.repeat(nodes)
    if len(starts) == len(theta) or not np.allclose(phi, even, rtol=0, atol=1e-9):
        raise ValueError(
            f"spin signals need a grid of rings (DriscollHealy, HEALPix, ..), but the nodes of {grid} lie on none."
        )
    return Rings(theta[starts], nodes, phi[starts], w[starts])


class UnevenFourier:
    """The FFT of every ring, for rings of any lengths: a `Fourier` whose nodes lie ring after ring in one dimension."""

    weighs = True

    def __init__(self, rings: Rings, bandwidth: int) -> None:
        self.rings, self.bandwidth = rings, bandwidth
        self.groups = [np.arange(bandwidth)]
        self._tables: dict[tuple, tuple[Tensor, ...]] = {}

    def pitch(self, rings: int) -> int:
        """One after the other."""
        return rings

    def _bins(self, x: Tensor) -> tuple[Tensor, ...]:
        """Bin, e^{imp} sqrt2 (1 where m = 0) and -1 for a conjugate, of each order and ring; what parts of each bin count."""
        key = (x.dtype, x.device)
        if key not in self._tables:
            m, n = np.arange(self.bandwidth)[:, None], self.rings.nodes
            k, size = m % n, n // 2 + 1
            start = np.cumsum(size) - size
            bins = start + np.minimum(k, n - k)
            turn = np.where(m == 0, 1.0, 2**0.5) * np.exp(1j * m * self.rings.first)
            half = np.full((size.sum(), 1, 2), 0.5)
            half[np.concatenate((start, (start + size - 1)[n % 2 == 0]))] = 1, 0
            arrays = turn.real[..., None], turn.imag[..., None], np.where(k > n // 2, -1.0, 1.0)[..., None], half
            index = torch.from_numpy(bins.ravel()).to(x.device)
            self._tables[key] = index, *(torch.from_numpy(array).to(x) for array in arrays)
        return self._tables[key]

    def analysis(self, samples: Tensor, out: Tensor, weights: Tensor | None) -> None:
        """Sums over the nodes of each ring, written to `out`, `(parts, rows, n, rings)`, of samples `(parts, n, nodes)`."""
        f, parts, start = samples.flatten(0, 1), [], 0
        for run in self.rings.runs():
            nodes, stop = int(self.rings.nodes[run.start]), start + int(self.rings.nodes[run].sum())
            parts.append(torch.fft.rfft(f[:, start:stop].unflatten(1, (-1, nodes))).flatten(1))
            start = stop
        self._spread(torch.view_as_real(torch.cat(parts, dim=1)).transpose(0, 1).contiguous(), out, weights)

    def synthesis(self, waves: Tensor, weights: Tensor | None, out: Tensor) -> Tensor:
        """Sums over the orders at each node, written to `out`, `(parts, n, nodes)`."""
        bins, parts, start = torch.view_as_complex(self._gathered(waves, weights)).T, [], 0
        for run in self.rings.runs():
            nodes = int(self.rings.nodes[run.start])
            stop = start + (nodes // 2 + 1) * (run.stop - run.start)
            rings = bins[:, start:stop].unflatten(1, (run.stop - run.start, -1))
            parts.append(torch.fft.irfft(rings, n=nodes, norm="forward").flatten(1))
            start = stop
        return out.copy_(torch.cat(parts, dim=1).view(out.shape))

    def aliased(self, waves: Tensor, weights: Tensor) -> None:
        """Analysis of the synthesis, weighted, in place: no nodes are visited, since an FFT there and back is a factor."""
        self._spread(self._gathered(waves, None), waves, weights * torch.from_numpy(self.rings.nodes).to(weights))

    def _gathered(self, waves: Tensor, weights: Tensor | None) -> Float[Tensor, "bins signals 2"]:
        """Half spectra of all rings: waves that look alike added up."""
        index, cosine, sine, sign, half = self._bins(waves)
        if weights is not None:
            cosine, sine = cosine * weights[:, None], sine * weights[:, None]
        c, s = waves.unflatten(1, (-1, 2)).permute(2, 1, 4, 0, 3).flatten(3).unbind(0)  # (orders, rings, signals)
        pairs = torch.stack((c * cosine + s * sine, (c * sine - s * cosine) * sign), dim=-1)
        return pairs.new_zeros(len(half), *pairs.shape[2:]).index_add_(0, index, pairs.flatten(0, 1)).mul_(half)

    def _spread(self, spectrum: Tensor, out: Tensor, weights: Tensor | None) -> None:
        """Each order's part in half spectra, written to `out`: the transpose."""
        index, cosine, sine, sign, _ = self._bins(out)
        real, imaginary = spectrum.index_select(0, index).unflatten(0, (self.bandwidth, -1)).unbind(-1)
        imaginary = imaginary * sign
        if weights is not None:
            cosine, sine = cosine * weights[:, None], sine * weights[:, None]
        waves = torch.stack((real * cosine + imaginary * sine, real * sine - imaginary * cosine), dim=1)
        out.copy_(waves.unflatten(3, (len(out), -1)).permute(3, 0, 1, 4, 2).flatten(1, 2))
