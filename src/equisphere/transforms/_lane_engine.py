"""The transform of many signals on the CPU, compiled by numba: signals side by side in the lanes of vector registers.

On rings of nlon nodes whose mirror images about the equator are rings too, one complex Fourier transform serves both: of
e + io, e the sum and o the difference of a ring and its image. P_lm(-x) = (-1)^{l-m} P_lm(x), so that e meets even l - m
alone and o odd ones. As many signals as fill some registers go through all of it together, and what lies between the steps
stays in the cache, where it is not too large: samples are read once, coefficients written once, and no step is a call into
PyTorch.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.harmonics import associated_legendre
from equisphere.transforms._lane_formulas import CONSTANTS
from equisphere.transforms._openmp import in_threads, openmp
from equisphere.transforms._workspace import workspace

#: signals that go together, a multiple of 16; numbers between the steps above which all threads go through them together
LANES, MOST_SUMS = 32, 2**19
#: signals that are worth a set of lanes, largest band limit measured
FEWEST, LARGEST = 6, 512
#: signals for each thread from which threads work apart; band limit to which they do where they cannot work together
APART, LARGEST_APART = 12, 192


class LaneEngine:
    """Synthesis and its transpose on one grid at one band limit, as `RingEngine`.

    Args:
        grid: of the samples.
        bandwidth: band limit L.
        functions: in place of P_lm: those of an order m, `(degrees from m on, rings)`, on all rings.
        odd: whether they are odd about the equator for even l - m, and even for odd ones.
        turned: whether they meet e_m'(phi) / m in place of e_m(phi), the waves of the order.

    Raises:
        ValueError: where the number of nodes of a ring has other prime factors than 2, 3, 5 and 7.
    """

    def __init__(
        self,
        grid: RingGrid,
        bandwidth: int,
        functions: Callable[[int], np.ndarray] | None = None,
        odd: bool = False,
        turned: bool = False,
    ) -> None:
        self.grid, self.bandwidth, self._kind = grid, bandwidth, (int(odd), int(turned))
        radices = radices_of(grid.nlon)
        if radices is None:
            raise ValueError(f"compiled transforms need rings of 2^a 3^b 5^c 7^d nodes, got {grid.nlon}.")
        self._radices = np.array(radices, dtype=np.int64)
        theta = grid.colatitudes.numpy()
        north = int(np.sum(theta <= np.pi / 2 + 1e-9))
        first = int(np.argmin(abs(theta[:north] + theta[-1] - np.pi)))
        self._mirrors = np.full(north, -1)
        self._mirrors[first : first + grid.nlat - north] = np.arange(grid.nlat - 1, north - 1, -1)
        self._theta = theta[:north]
        self._functions = functions or (lambda m: associated_legendre(m, bandwidth, self._theta))
        self._tables: dict[torch.dtype, tuple[np.ndarray, ...]] = {}
        self._given: dict[tuple[torch.dtype, bool], tuple[tuple[np.ndarray, ...], list[int]]] = {}

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        from equisphere.transforms._lane_kernels import analysis

        f = _plain(f.movedim(-1, 0))
        c = f.new_empty(self.bandwidth**2, len(f))
        self._run(analysis, f, c, len(f), weighted)
        return c

    def to_grid(
        self, c: Float[Tensor, "coefficients n"], weighted: bool, out: Float[Tensor, "nlat nlon n"] | None = None
    ) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis).

        They are written to `out` where it is given, whose signals follow one another in memory.
        """
        from equisphere.transforms._lane_kernels import synthesis

        c, (nlat, nlon), n = _plain(c), self.grid.shape, c.shape[-1]
        # no view: functions may write to it
        f = c.new_empty_strided((nlat, nlon, n), (nlon, 1, nlat * nlon)) if out is None else out
        self._run(synthesis, c, f.movedim(-1, 0), n, weighted)
        return f

    def _run(self, kernel: Callable, x: Tensor, y: Tensor, signals: int, weighted: bool) -> None:
        """Each thread takes some signals from end to end; of few signals or large ones some rings, and then some orders."""
        from equisphere.transforms._lane_kernels import task

        arrays, addresses = self._tables_for(x.dtype, weighted)
        threads = torch.get_num_threads()
        library = openmp() if threads > 1 else None
        rings, vector = -(-len(self._theta) // 4) * 4, 64 // x.element_size()
        large = 4 * self.bandwidth * rings * LANES > MOST_SUMS
        together = library is not None and (large or signals < APART * threads)
        of = 1 if together else threads
        lanes = min(LANES, max(16, -(-signals // of // 16) * 16))
        share = -(-signals // of // lanes) * lanes
        parts = threads if together else -(-signals // share)
        own = 2 * lanes * max(2 * self.grid.nlon, self.bandwidth // 2 + 5)  # two rings, or the coefficients of an order
        each = 2 * self.bandwidth * (2 * lanes * rings + vector)
        room = workspace("lanes", x, (1 if together else parts) * each + parts * own)
        if library is not None and parts > 1:
            call = task(kernel, arrays[0].dtype, library).address
            given = [x.data_ptr(), x.numel(), y.data_ptr(), y.numel(), room.data_ptr(), own, each, share]
            rest = [signals, *addresses, lanes, self._kind[0] + 2 * self._kind[1]]
            for begin in range(0, signals, lanes if together else signals):
                for half in (1, 2) if together else (0,):
                    in_threads(library, call, [*given, begin, half, *rest], parts)
            return
        flat, to, spare = (t.detach().numpy().reshape(-1) for t in (x, y, room))

        def part(number: int) -> None:
            sums, work = spare[number * each :][:each], spare[parts * each + number * own :][:own]
            kernel(
                flat, to, signals, self.grid.nlat, *arrays, self._kind, work, sums, lanes, vector, number, parts, share, 0, 0,
            )  # fmt: skip

        running = [_pool(threads, os.getpid()).submit(part, other) for other in range(1, parts)]
        part(0)
        for future in running:
            future.result()

    def _tables_for(self, dtype: torch.dtype, weighted: bool) -> tuple[tuple[np.ndarray, ...], list[int]]:
        """What kernels read besides signals: arrays, and the same in integers, sizes and addresses, as `task` takes them."""
        key = dtype, weighted
        if key not in self._given:
            table, starts, weights, turns, scales = self._table(dtype)
            scales = scales * weights[:, None] if weighted else scales
            arrays = table, starts, self._mirrors, scales, self._radices, turns
            places = [array.ctypes.data for array in arrays]
            sizes = [self.grid.nlat, self.bandwidth, len(self._mirrors), self.grid.nlon, table.size]
            self._given[key] = arrays, [*sizes, *places[:5], len(self._radices), places[5]]
        return self._given[key]

    def _table(self, dtype: torch.dtype) -> tuple[np.ndarray, ...]:
        """P_lm by order and parity, in tiles of 4 x 4; where each begins; weights; e^{-2 pi i k / nlon}; 1 and sqrt2 / 2."""
        if dtype not in self._tables:
            L, rings = self.bandwidth, -(-len(self._theta) // 4) * 4
            kind = np.float64 if dtype == torch.float64 else np.float32
            starts, blocks, at = np.zeros((L, 2), dtype=np.int64), [], 0
            for m in range(L):
                values = self._functions(m)[:, : len(self._theta)].astype(kind)
                for parity in range(2):
                    here = values[parity::2]
                    rows = -(-len(here) // 4) * 4
                    padded = np.pad(here, ((0, rows - len(here)), (0, rings - len(self._theta))))
                    blocks.append(padded.reshape(rows // 4, 4, rings // 4, 4).swapaxes(1, 2).ravel())
                    starts[m, parity], at = at, at + padded.size
            turns = np.exp(-2j * np.pi * np.arange(self.grid.nlon) / self.grid.nlon)
            scales = np.tile([1.0, np.sqrt(0.5)], (len(self._theta), 1))
            weights = self.grid.weights[: len(self._theta), 0].numpy()
            table, weights, turns, scales = (
                np.ascontiguousarray(x, dtype=kind)
                for x in (np.concatenate(blocks), weights, np.stack((turns.real, turns.imag), axis=1), scales)
            )
            self._tables[dtype] = table, starts, weights, turns, scales
        return self._tables[dtype]


def _plain(x: Tensor) -> Tensor:
    """Numbers as they lie in memory: kernels know of no strides, signs that wait to be turned, or zeros that are not there."""
    return torch.zeros_like(x) if x._is_zerotensor() else x.contiguous().resolve_neg()


@cache
def radices_of(n: int) -> tuple[int, ...] | None:
    """The passes of a Fourier transform of length n, or None where it has another prime factor than 2, 3, 5 and 7.

    >>> radices_of(96), radices_of(22)
    ((4, 4, 2, 3), None)
    """
    out: list[int] = []
    for radix in (4, *(r for r in CONSTANTS if r != 4)):
        while n % radix == 0:
            out.append(radix)
            n //= radix
    return tuple(out) if n == 1 else None


def fills_lanes(x: Tensor, grid: RingGrid, bandwidth: int) -> bool:
    """Whether this engine can transform such signals (n in the last dimension), and faster than another."""
    fewest, largest = (FEWEST, LARGEST) if openmp() is not None else (APART * torch.get_num_threads(), LARGEST_APART)
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.shape[-1] >= fewest
        and bandwidth <= largest
        and radices_of(grid.nlon) is not None
    )


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """Threads beside the calling one, kept from call to call; a forked process has none of its parent's."""
    return ThreadPoolExecutor(max(1, threads - 1))


@lru_cache(maxsize=64)
def lane_engine(grid: RingGrid, bandwidth: int) -> LaneEngine:
    """The engine of a grid and band limit, one for all modules."""
    return LaneEngine(grid, bandwidth)
