"""The Legendre step of large band limits on the CPU, compiled: as `_legendre_tiles`, where numba is installed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Complex, Float64
from torch import Tensor

from equisphere.transforms import _recurrence as recurrence
from equisphere.transforms._legendre_kernels import WIDTH, kernels, task
from equisphere.transforms._openmp import in_threads, openmp
from equisphere.transforms._workspace import workspace

#: orders of one task: neighbouring coefficients of a degree share a cache line
GROUP = 8


class CompiledLegendre:
    """As `TiledLegendre`, on the CPU, for one signal after the other."""

    def __init__(self, bandwidth: int, colatitudes: Float64[np.ndarray, "rings"]) -> None:
        self.bandwidth, self.rings = bandwidth, len(colatitudes)
        theta = colatitudes[: (len(colatitudes) + 1) // 2]
        sine, self._x = np.sin(theta), np.cos(theta)
        polar = int(np.sum(sine**2 < recurrence.POLAR))
        self._argument = np.concatenate((-(sine[:polar] ** 2), self._x[polar:] ** 2))
        self._cuts = np.array(
            [[a, min(a + WIDTH, end), end <= polar] for start, end in ((0, polar), (polar, len(theta)))
             for a in range(start, end, WIDTH)],
            dtype=np.int64,
        )  # fmt: skip
        self._starts = recurrence.starts(bandwidth, theta)
        self._skip = np.array([recurrence.reach(bandwidth, m, sine) for m in range(bandwidth)])

    def to_rings(self, c: Float64[Tensor, "coefficients n"]) -> Complex[Tensor, "n orders rings"]:
        """sum_l (c_lm - i c_l,-m) P_lm(cos theta_j), m >= 0, at every ring."""
        room = torch.empty(0, dtype=torch.complex128)
        out = workspace("large spectrum", room, c.shape[-1], self.bandwidth, self.rings)
        values = out.numpy()
        for signal, rings in zip(c.T, values, strict=True):
            self._run(kernels()[0], np.ascontiguousarray(signal.numpy()), rings)
        return out

    def from_rings(self, spectrum: Complex[Tensor, "n orders rings"]) -> Float64[Tensor, "coefficients n"]:
        """The transpose: sums over the rings of P_lm(cos theta_j) times the real part (m) and minus the imaginary (-m)."""
        out = torch.zeros(len(spectrum), self.bandwidth**2, dtype=torch.float64)
        for rings, signal in zip(spectrum.resolve_conj().contiguous().numpy(), out.numpy(), strict=True):
            self._run(kernels()[1], signal, rings)
        return out.T

    def _run(self, kernel: Callable[..., None], c: np.ndarray, rings: np.ndarray) -> None:
        """Groups of orders, those of low orders, the longest, first, in torch's own threads where they can be had."""
        L, threads = self.bandwidth, torch.get_num_threads()
        arrays = (c, rings, *self._starts, self._argument, self._x, self._cuts, self._skip)
        library = openmp() if threads > 1 else None
        if library is not None:
            sizes = (L, GROUP, self.rings, len(self._x), len(self._cuts))
            numbers = [*sizes, *(array.ctypes.data for array in arrays)]
            in_threads(library, task(kernel, library).address, numbers, threads)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda first: kernel(L, first, min(first + GROUP, L), *arrays), range(0, L, GROUP)))
