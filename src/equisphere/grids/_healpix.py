"""HEALPix: pixels of equal area on rings of equal latitude (Gorski et al. 2005, ApJ 622, 759)."""

from dataclasses import dataclass, field
from functools import lru_cache
from math import isqrt, pi

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.grids._grid import Grid


@dataclass(frozen=True)
class Rings:
    """The 4 nside - 1 rings from north to south, as arrays with one number a ring."""

    colatitude: np.ndarray
    nodes: np.ndarray
    first_longitude: np.ndarray
    weight: np.ndarray


@lru_cache(maxsize=16)
def rings(nside: int) -> Rings:
    """Colatitude, number of pixels, longitude of the first pixel, and quadrature weight of a pixel, for each ring.

    Gorski et al. (2005), equations 4 to 9. In the caps z = 1 - i^2 / 3 nside^2, so sin(theta / 2) = i / sqrt6 nside,
    which keeps all digits at the poles.
    """
    i = np.arange(1, 2 * nside + 1)
    cap = 2 * np.arcsin(np.minimum(i, nside) / (np.sqrt(6) * nside))
    north = np.where(i < nside, cap, np.arccos(np.clip(4 / 3 - 2 * i / (3 * nside), -1, 1)))
    north[-1] = pi / 2
    nodes = 4 * np.minimum(i, nside)
    first = np.where((i < nside) | ((i - nside) % 2 == 0), pi / nodes, 0.0)
    weight = _ring_weights(nside, np.cos(north), nodes)
    south = slice(-2, None, -1)
    return Rings(
        np.concatenate((north, pi - north[south])),
        np.concatenate((nodes, nodes[south])),
        np.concatenate((first, first[south])),
        np.concatenate((weight, weight[south])),
    )


def _ring_weights(nside: int, z: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Weights nearest to 4 pi / npix that integrate the zonal harmonics of every degree <= 3 nside exactly.

    The mirror symmetry serves the odd degrees; of the even ones, sum_i 2 n_i w_i sqrt(2l+1) P_l(z_i) = 4 pi [l = 0]
    is solved by the least change in the norm that counts each pixel once.
    """
    count = np.where(np.arange(len(z)) == len(z) - 1, nodes, 2 * nodes)  # the equator has no mirror image
    uniform = 4 * pi / (12 * nside**2)
    rows = []
    before, value = np.zeros_like(z), np.ones_like(z)
    for l in range(3 * nside + 1):
        if l % 2 == 0:
            rows.append(np.sqrt(2 * l + 1) * value)
        before, value = value, ((2 * l + 1) * z * value - l * before) / (l + 1)
    A = np.array(rows)
    missing = -uniform * (A @ count)
    missing[0] += 4 * pi
    return uniform + A.T @ np.linalg.solve((A * count) @ A.T, missing)


@dataclass(frozen=True, init=False)
class HEALPix(Grid):
    """The 12 nside^2 pixel centres of HEALPix, in RING order: from north to south, eastwards on each ring.

    The rings of a cap have 4, 8, .. nodes, those between 4 nside. nside may be any positive integer; the NEST order
    exists for powers of two alone (`from_nested`, `to_nested`).

    `weights` are ring weights: alike on a ring, summing to 4 pi, exact for the zonal harmonics to degree 3 nside and
    for every harmonic to degree 3 only. Analysis is therefore refined (see `es.SHT`): the pixels determine band limits
    up to 2.5 nside well, and hardly beyond; 3 nside is the most that is taken. The default band limit is 2 nside.

    >>> grid = HEALPix(16)
    >>> grid.shape, grid.bandwidth, grid.max_bandwidth
    ((3072,), 32, 48)
    >>> round(float(grid.weights.sum()), 12)  # 4 pi
    12.566370614359
    """

    nside: int
    bandwidth: int = field(repr=False, compare=False)

    def __init__(self, nside: int) -> None:
        """Make the grid of 12 nside^2 pixels.

        Raises:
            ValueError: where nside is not a positive integer.
        """
        object.__setattr__(self, "nside", _checks.positive_int(nside, "nside"))
        object.__setattr__(self, "bandwidth", 2 * self.nside)

    @property
    def shape(self) -> tuple[int]:
        """(12 nside^2,): a signal on this grid has shape `(..., npix)`."""
        return (12 * self.nside**2,)

    @property
    def exact_degree(self) -> int:
        """3: the four pixels next to a pole mistake e^{4 i phi} for a constant, whatever their weight."""
        return 3

    @property
    def max_bandwidth(self) -> int:
        """3 nside; beyond, the coefficients are hardly determined."""
        return 3 * self.nside

    def limit(self) -> str:
        """See `Grid.limit`."""
        return f"its {self.shape[0]} pixels determine band limits up to 3 nside = {self.max_bandwidth}"

    @property
    def colatitudes(self) -> Float64[Tensor, "pixels"]:
        """Colatitude of each pixel, radians."""
        return self._each(rings(self.nside).colatitude)

    @property
    def longitudes(self) -> Float64[Tensor, "pixels"]:
        """Longitude of each pixel, radians, in [0, 2 pi)."""
        nodes = rings(self.nside).nodes
        place = np.arange(self.shape[0]) - np.repeat(np.cumsum(nodes) - nodes, nodes)
        first, step = self._each(rings(self.nside).first_longitude), self._each(2 * pi / nodes)
        return first + step * torch.from_numpy(place)

    @property
    def weights(self) -> Float64[Tensor, "pixels"]:
        """Quadrature weight of each pixel; they sum to 4 pi."""
        return self._each(rings(self.nside).weight)

    @property
    def points(self) -> Float64[Tensor, "pixels 3"]:
        """The pixel centres as unit vectors (x, y, z)."""
        theta, phi = self.colatitudes, self.longitudes
        return torch.stack((theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()), dim=-1)

    def _each(self, of_ring: np.ndarray) -> Float64[Tensor, "pixels"]:
        return torch.from_numpy(np.repeat(of_ring, rings(self.nside).nodes))


def from_nested(signal: Shaped[Tensor, "*batch pixels"]) -> Shaped[Tensor, "*batch pixels"]:
    """A HEALPix signal in NEST order, put in RING order.

    Args:
        signal: `(..., 12 nside^2)`, nside a power of two.

    Raises:
        ValueError: where the last dimension is no such number.

    >>> from_nested(torch.arange(12))  # at nside 1 the two are one
    tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11])
    """
    return signal[..., _nested_index(_nside_of(signal)).argsort().to(signal.device)]


def to_nested(signal: Shaped[Tensor, "*batch pixels"]) -> Shaped[Tensor, "*batch pixels"]:
    """A HEALPix signal in RING order, put in NEST order: the inverse of `from_nested`.

    >>> to_nested(torch.arange(48))[:4]  # the first base pixel of nside 2
    tensor([13,  5,  4,  0])
    """
    return signal[..., _nested_index(_nside_of(signal)).to(signal.device)]


def _nside_of(signal: Tensor) -> int:
    _checks.tensor(signal, "signal")
    size = signal.shape[-1] if signal.ndim else 0
    nside = isqrt(size // 12)
    if nside == 0 or 12 * nside**2 != size or nside & (nside - 1):
        raise ValueError(
            f"signal must have a last dimension of 12 nside^2 pixels, nside a power of two (NEST order exists for those "
            f"alone), got shape {tuple(signal.shape)}."
        )
    return nside


@lru_cache(maxsize=16)
def _nested_index(nside: int) -> Tensor:
    """RING index of each pixel in NEST order (Gorski et al. 2005, section 5).

    The NEST index is 12 base faces of nside^2 pixels each, whose x and y are its even and odd bits.
    """
    index = np.arange(12 * nside**2)
    face, within = np.divmod(index, nside**2)
    x, y = np.zeros_like(index), np.zeros_like(index)
    for bit in range(nside.bit_length()):
        x |= ((within >> (2 * bit)) & 1) << bit
        y |= ((within >> (2 * bit + 1)) & 1) << bit
    face_row, face_column = np.array([2, 3, 4])[face // 4], np.array([1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7])[face]
    i = face_row * nside - x - y - 1  # ring, from 1
    nodes = 4 * np.minimum(np.minimum(i, 4 * nside - i), nside)
    inside_caps = nodes < 4 * nside
    shifted = np.where(inside_caps, 0, (i - nside) % 2)
    column = (face_column * (nodes // 4) + x - y + 1 + shifted) // 2 - 1
    starts = np.concatenate(([0], np.cumsum(rings(nside).nodes)))
    return torch.from_numpy(starts[i - 1] + column % nodes)
