"""The Fourier step: from the samples of many rings to a cosine and a sine sum of each order, and its transpose.

Two ways behind one interface. A product with a matrix of cosines and sines, the rings folded first: cos(m phi) and sin(m phi)
have the period pi for even m and change sign after it for odd m, so that sums and differences of two half rings are all
that is needed, at half the arithmetic. Or the FFT and one transposition, where rings are long. Either way orders come out in
front and rings side by side behind, as the Legendre step wants them.
"""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.transforms._workspace import workspace

#: longest ring for which the product is taken, and shortest for which it is folded (see docs/benchmarks.md)
MATRIX_LIMIT, FOLD_LIMIT = 96, 40


@runtime_checkable
class Fourier(Protocol):
    """Sums over rings of sqrt2 f cos(m phi) and sqrt2 f sin(m phi) (f and 0 where m = 0), m < L, a row for each.

    Attributes:
        groups: orders as their pairs of rows follow one another; within a group they ascend.
        weighs: whether rings can be multiplied by weights on the way.
    """

    groups: list[np.ndarray]
    weighs: bool

    def pitch(self, rings: int) -> int:
        """How far apart in memory the rings of neighbouring signals are to stand in `waves`."""
        ...

    def analysis(
        self,
        samples: Float[Tensor, "parts n rings nlon"],
        out: Float[Tensor, "parts rows n rings"],
        weights: Float[Tensor, "rings"] | None,
    ) -> None:
        """Sums over the nodes of each ring, written to `out`."""
        ...

    def synthesis(
        self,
        waves: Float[Tensor, "parts rows n rings"],
        weights: Float[Tensor, "rings"] | None,
        out: Float[Tensor, "parts n rings nlon"] | None = None,
    ) -> Float[Tensor, "parts n rings nlon"]:
        """Sums over the orders at each node, written to `out` where it is given."""
        ...


class MatrixFourier:
    """Products with matrices of cosines and sines, after folding the ring onto its half, and the even part again."""

    weighs = False

    def __init__(self, nlon: int, bandwidth: int) -> None:
        self.nlon, self.bandwidth = nlon, bandwidth
        self.folds = 0
        while nlon % 2 ** (self.folds + 1) == 0 and nlon >> self.folds >= FOLD_LIMIT:
            self.folds += 1
        orders = np.arange(bandwidth)
        self.groups = [orders[2**i :: 2 ** (i + 1)] for i in range(self.folds)] + [orders[:: 2**self.folds]]
        self._matrices: dict[tuple, list[Tensor]] = {}

    def pitch(self, rings: int) -> int:
        """One after the other: a product fills all rings of all signals."""
        return rings

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

    def analysis(self, samples: Tensor, out: Tensor, weights: Tensor | None) -> None:
        """Sums over the nodes of each ring, written to `out`."""
        *odd, even = self._waves(samples)
        for part, rows in zip(samples.flatten(1, 2), out.flatten(2), strict=True):
            rings, at = part, 0
            for i, waves in enumerate(odd):
                first, second = rings.chunk(2, dim=1)
                difference = torch.sub(first, second, out=workspace("difference", rings, *first.shape))
                torch.mm(waves.T, difference.T, out=rows[at : at + waves.shape[1]])
                rings = torch.add(first, second, out=workspace(f"sum {i % 2}", rings, *first.shape))
                at += waves.shape[1]
            torch.mm(even.T, rings.T, out=rows[at:])

    def synthesis(self, waves: Tensor, weights: Tensor | None, out: Tensor | None = None) -> Tensor:
        """Sums over the orders at each node, written to `out` where it is given."""
        *odd, even = self._waves(waves)
        parts, _, n, rings = waves.shape
        out = workspace("halves", waves, parts, n, rings, self.nlon) if out is None else out
        for rows, whole in zip(waves.flatten(2), out.flatten(1, 2), strict=True):
            stop = len(rows) - even.shape[1]
            half = whole if not odd else workspace(f"sum {len(odd) % 2}", waves, len(whole), len(even))
            torch.mm(rows[stop:].T, even.T, out=half)
            for i in reversed(range(len(odd))):
                nodes, pairs = odd[i].shape
                difference = workspace("difference", waves, len(whole), nodes)
                torch.mm(rows[stop - pairs : stop].T, odd[i].T, out=difference)
                both = whole if i == 0 else workspace(f"sum {i % 2}", waves, len(whole), 2 * nodes)
                torch.add(half, difference, out=both[:, :nodes])
                torch.sub(half, difference, out=both[:, nodes:])
                half, stop = both, stop - pairs
        return out


class FastFourier:
    """The FFT of every ring, and a transposition, which multiplies by what is to be multiplied."""

    weighs = True

    def __init__(self, nlon: int, bandwidth: int) -> None:
        self.nlon, self.bandwidth = nlon, bandwidth
        self.groups = [np.arange(bandwidth)]
        self._scales: dict[tuple, Tensor] = {}

    def pitch(self, rings: int) -> int:
        """An odd number: at a power of two, the rows of a transposition fight for the same lines of the cache."""
        return rings | 1

    def _scale(self, x: Tensor, factor: float) -> Float[Tensor, "orders 2"]:
        """e^{-i m phi} = cos - i sin, and each m > 0 stands for its conjugate too."""
        key = (x.dtype, x.device, factor)
        if key not in self._scales:
            scale = np.tile([factor, -factor], (self.bandwidth, 1))
            scale[0] = 1, 0
            self._scales[key] = torch.from_numpy(scale).to(x)
        return self._scales[key]

    def analysis(self, samples: Tensor, out: Tensor, weights: Tensor | None) -> None:
        """Sums over the nodes of each ring, written to `out`."""
        spectrum = torch.view_as_real(torch.fft.rfft(samples))[..., : self.bandwidth, :]
        scale = self._scale(samples, 2**0.5)[:, :, None, None]
        scale = scale if weights is None else scale * weights
        torch.mul(spectrum.permute(0, 3, 4, 1, 2), scale, out=out.unflatten(1, (-1, 2)))

    def synthesis(self, waves: Tensor, weights: Tensor | None, out: Tensor | None = None) -> Tensor:
        """Sums over the orders at each node, written to `out` where it is given."""
        parts, _, n, rings = waves.shape
        spectrum = workspace("spectrum", waves, parts, n, rings, self.nlon // 2 + 1, 2)
        spectrum[..., self.bandwidth :, :] = 0
        scale = self._scale(waves, 0.5**0.5)
        scale = scale if weights is None else scale * weights[:, None, None]
        here = waves.unflatten(1, (-1, 2)).permute(0, 3, 4, 1, 2)
        torch.mul(here, scale, out=spectrum[..., : self.bandwidth, :])
        samples = torch.fft.irfft(torch.view_as_complex(spectrum), n=self.nlon, norm="forward")
        return samples if out is None else out.copy_(samples)


def fourier(nlon: int, bandwidth: int) -> Fourier:
    """The faster way for rings of a length."""
    return MatrixFourier(nlon, bandwidth) if nlon <= MATRIX_LIMIT else FastFourier(nlon, bandwidth)
