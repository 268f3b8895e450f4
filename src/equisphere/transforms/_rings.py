"""The Fourier step of complex signals on rings of any numbers of nodes, and where the rings of a grid lie.

A ring of n nodes from longitude p on tells the waves e^{im phi} apart modulo n alone: synthesis adds those that look alike,
its transpose gives the same sum to each of them.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Complex, Float64, Int
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


class RingFourier:
    """Waves m = -(L-1) .. L-1 on each ring to samples, and the transpose."""

    def __init__(self, rings: Rings, bandwidth: int) -> None:
        self.rings, self.waves = rings, 2 * bandwidth - 1
        self.runs = rings.runs()
        self.order = np.arange(1 - bandwidth, bandwidth)
        self._turns: dict[tuple, Tensor] = {}

    def _turn(self, x: Tensor) -> Tensor:
        """e^{i m p} of each ring and wave `(rings, waves, 1)`."""
        key = (x.dtype, x.device)
        if key not in self._turns:
            turn = np.exp(1j * np.outer(self.rings.first, self.order))
            self._turns[key] = torch.from_numpy(turn[..., None]).to(x)
        return self._turns[key]

    def synthesis(self, waves: Complex[Tensor, "rings waves n"]) -> Complex[Tensor, "nodes n"]:
        """Add F_m e^{i m phi} over m, at each node, ring after ring."""
        turned = waves * self._turn(waves) if self.rings.first.any() else waves
        parts = []
        for run in self.runs:
            nodes = int(self.rings.nodes[run.start])
            begin, periods = self._unrolled(nodes)
            rolled = turned.new_zeros(run.stop - run.start, periods * nodes, turned.shape[-1])
            rolled[:, begin : begin + self.waves] = turned[run]
            spectrum = rolled.unflatten(1, (periods, nodes)).sum(1)
            parts.append(torch.fft.ifft(spectrum, dim=1, norm="forward").flatten(0, 1))
        return torch.cat(parts)

    def transpose(self, f: Complex[Tensor, "nodes n"]) -> Complex[Tensor, "rings waves n"]:
        """Sum over the nodes of each ring of f e^{-i m phi}."""
        parts = []
        start = 0
        for run in self.runs:
            nodes = int(self.rings.nodes[run.start])
            begin, periods = self._unrolled(nodes)
            stop = start + nodes * (run.stop - run.start)
            spectrum = torch.fft.fft(f[start:stop].unflatten(0, (-1, nodes)), dim=1)
            parts.append(spectrum.repeat(1, periods, 1)[:, begin : begin + self.waves])
            start = stop
        waves = torch.cat(parts)
        return waves * self._turn(waves).conj() if self.rings.first.any() else waves

    def _unrolled(self, nodes: int) -> tuple[int, int]:
        """Where wave 1 - L stands among whole periods of the bins, and how many periods hold all waves."""
        begin = int(self.order[0]) % nodes
        return begin, -(-(begin + self.waves) // nodes)
