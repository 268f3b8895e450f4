"""The Fourier step: from the samples of many rings to a cosine and a sine sum of each order, and its transpose.

Two ways behind one interface. A product with a matrix of cosines and sines, the rings folded first: cos(m phi) and sin(m phi)
have the period pi for even m and change sign after it for odd m, so that sums and differences of two half rings are all
that is needed, at half the arithmetic. Or the FFT and one transposition, where rings are long. Either way orders come out in
front and rings side by side behind, as the Legendre step wants them.
"""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

#: longest ring for which the product is taken, and shortest for which it is folded (see docs/benchmarks.md)
MATRIX_LIMIT, FOLD_LIMIT = 96, 40


@runtime_checkable
class Fourier(Protocol):
    """Sums over rings of f cos(m phi) and f sin(m phi), m < L, in pairs of rows.

    Attributes:
        groups: orders as their pairs of rows follow one another; within a group they ascend.
        pairs: number of pairs of rows: the orders, and what may stand behind them.
        scale: factor of a coefficient (cosine, sine) before `synthesis` and after `analysis`, where m > 0.
    """

    groups: list[np.ndarray]
    pairs: int
    scale: Mapping[str, tuple[float, float]] | None

    def analysis(self, rings: Float[Tensor, "rings nlon"]) -> Float[Tensor, "rows rings"]:
        """Sums over the nodes of each ring."""
        ...

    def synthesis(self, waves: Float[Tensor, "rows rings"], out: Float[Tensor, "rings nlon"]) -> None:
        """Sums over the orders at each node, written to `out`."""
        ...


class MatrixFourier:
    """Products with matrices of cosines and sines, after folding the ring onto its half, and the even part again."""

    def __init__(self, nlon: int, bandwidth: int) -> None:
        self.nlon, self.pairs = nlon, bandwidth
        self.scale: Mapping[str, tuple[float, float]] | None = None
        self.folds = 0
        while nlon % 2 ** (self.folds + 1) == 0 and nlon >> self.folds >= FOLD_LIMIT:
            self.folds += 1
        orders = np.arange(bandwidth)
        self.groups = [orders[2**i :: 2 ** (i + 1)] for i in range(self.folds)] + [orders[:: 2**self.folds]]
        self._matrices: dict[tuple, list[Tensor]] = {}

    def _waves(self, x: Tensor) -> list[Tensor]:
        """For each group of orders: sqrt2 cos(m phi_k) and sqrt2 sin(m phi_k) (1 and 0 where m = 0), as (nodes, rows)."""
        key = (x.dtype, x.device)
        if key not in self._matrices:
            self._matrices[key] = []
            for i, orders in enumerate(self.groups):
                nodes = self.nlon >> min(i + 1, self.folds)
                angle = np.outer(np.arange(nodes), orders) % self.nlon * (2 * np.pi / self.nlon)
                scale = np.where(orders == 0, 1.0, np.sqrt(2))[:, None]
                waves = np.stack((np.cos(angle), np.sin(angle)), axis=-1) * scale
                self._matrices[key].append(torch.from_numpy(waves.reshape(nodes, -1)).to(x))
        return self._matrices[key]

    def analysis(self, rings: Float[Tensor, "rings nlon"]) -> Float[Tensor, "rows rings"]:
        """Sums over the nodes of each ring."""
        out, at = rings.new_empty(2 * self.pairs, len(rings)), 0
        *odd, even = self._waves(rings)
        for waves in odd:
            first, second = rings.chunk(2, dim=1)
            torch.mm(waves.T, (first - second).T, out=out[at : at + waves.shape[1]])
            rings, at = first + second, at + waves.shape[1]
        torch.mm(even.T, rings.T, out=out[at:])
        return out

    def synthesis(self, waves: Float[Tensor, "rows rings"], out: Float[Tensor, "rings nlon"]) -> None:
        """Sums over the orders at each node, written to `out`."""
        *odd, even = self._waves(waves)
        stop = 2 * self.pairs - even.shape[1]
        rings = out if not odd else out.new_empty(len(out), len(even))
        torch.mm(waves[stop:].T, even.T, out=rings)
        for i in reversed(range(len(odd))):
            other = waves[stop - odd[i].shape[1] : stop].T @ odd[i].T
            whole = out if i == 0 else out.new_empty(len(out), 2 * rings.shape[1])
            first, second = whole.chunk(2, dim=1)
            torch.add(rings, other, out=first)
            torch.sub(rings, other, out=second)
            rings, stop = whole, stop - odd[i].shape[1]


class FastFourier:
    """The FFT of every ring, and a transposition."""

    def __init__(self, nlon: int, bandwidth: int) -> None:
        root = 2**0.5
        # e^{-i m phi} = cos - i sin, and each m > 0 stands for its conjugate too
        self.scale: Mapping[str, tuple[float, float]] | None = {
            "analysis": (root, -root),
            "synthesis": (1 / root, -1 / root),
        }
        self.nlon, self.pairs = nlon, nlon // 2 + 1
        self.groups = [np.arange(bandwidth)]

    def analysis(self, rings: Float[Tensor, "rings nlon"]) -> Float[Tensor, "rows rings"]:
        """Sums over the nodes of each ring."""
        return torch.view_as_real(torch.fft.rfft(rings)).flatten(1).T.contiguous()

    def synthesis(self, waves: Float[Tensor, "rows rings"], out: Float[Tensor, "rings nlon"]) -> None:
        """Sums over the orders at each node, written to `out`."""
        spectrum = torch.view_as_complex(waves.T.contiguous().unflatten(1, (-1, 2)))
        out.copy_(torch.fft.irfft(spectrum, n=self.nlon, norm="forward"))


def fourier(nlon: int, bandwidth: int) -> Fourier:
    """The faster way for rings of a length."""
    return MatrixFourier(nlon, bandwidth) if nlon <= MATRIX_LIMIT else FastFourier(nlon, bandwidth)
