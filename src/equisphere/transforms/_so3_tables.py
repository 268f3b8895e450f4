"""Tables of Wigner functions for the transform on SO(3), and where its numbers stand.

The tables hold d^l_mn for |n| <= m alone: by the symmetries (Varshalovich et al. 1988, 4.4)
    d_mn = d_{-n,-m} = (-1)^{m-n} d_nm = (-1)^{m-n} d_{-m,-n}
each serves four pairs of orders, its images, side by side in one product. A real function has F_{-m,-n} = conj(F_mn), so that
the two images whose first order is not negative are enough.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from equisphere.grids import GaussLegendre
from equisphere.harmonics import so3_degrees_and_orders, wigner_d_orders


@dataclass(frozen=True)
class Block:
    """Pairs of orders |n| <= m that share one batched product, over the degrees l = first .. L-1."""

    first: int
    m: Int[np.ndarray, "pairs"]
    n: Int[np.ndarray, "pairs"]

    def images(self, real: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Orders of the images and their signs against d_mn, each `(pairs, images)`; of a real function, two of four."""
        m, n, sign, one = self.m, self.n, (-1) ** (self.m - self.n), np.ones_like(self.m)
        if not real:
            return np.stack((m, n, -n, -m), 1), np.stack((n, m, -m, -n), 1), np.stack((one, sign, one, sign), 1)
        second = np.where(n < 0, -m, m)
        return np.stack((m, abs(n)), 1), np.stack((n, second), 1), np.stack((one, np.where(n < 0, one, sign)), 1)


def blocks(bandwidth: int) -> list[Block]:
    """Cut the pairs by m: long enough to fill a batched product, short enough to waste few zeros.

    >>> [(b.first, len(b.m)) for b in blocks(8)]
    [(0, 16), (4, 48)]
    """
    width = max(4, bandwidth // 8)
    out = []
    for first in range(0, bandwidth, width):
        orders = range(first, min(first + width, bandwidth))
        m = np.concatenate([np.full(2 * k + 1, k) for k in orders])
        out.append(Block(first, m, np.concatenate([np.arange(-k, k + 1) for k in orders])))
    return out


def so3_colatitudes(bandwidth: int) -> GaussLegendre:
    """The grid whose rings are the angles beta: exact on products of two functions of the band limit."""
    return GaussLegendre(bandwidth, nlat=max(2, bandwidth), nlon=2 * bandwidth)


@lru_cache(maxsize=16)
def wigner_tables(bandwidth: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """sqrt((2l+1) / 8 pi^2) d^l_mn(beta_j) of each block `(pairs, angles, degrees)`."""
    betas = so3_colatitudes(bandwidth).colatitudes.numpy()
    scale = np.sqrt((2 * np.arange(bandwidth) + 1) / (8 * pi**2))
    tables = []
    for block in blocks(bandwidth):
        d = wigner_d_orders(block.m, block.n, bandwidth, betas) * scale
        tables.append(torch.tensor(d[..., block.first :], dtype=dtype, device=device))
    return tables


@dataclass(frozen=True)
class Places:
    """Where numbers stand, and by what their real and imaginary parts are multiplied there (a sign, a conjugation, or 0).

    Attributes:
        terms: the coefficient that each (pair, degree, image) of a block reads.
        back: the (pair, degree, image), blocks in turn, that each coefficient is read from.
        back_factor: `(K, 1, 2)`.
        waves: the (pair, image) that each Fourier coefficient (n, m) is read from.
        waves_factor: `(waves, 1, 1, 2)`.
        images: the Fourier coefficient (n, m) that each (pair, image) of a block reads.
    """

    terms: list[Tensor]
    back: Tensor
    back_factor: Tensor
    waves: Tensor
    waves_factor: Tensor
    images: list[Tensor]


@lru_cache(maxsize=16)
def places(bandwidth: int, real: bool, dtype: torch.dtype, device: torch.device) -> Places:
    """The places of one band limit. Fourier coefficients: n, m = 0 .. L-1, unused, -(L-1) .. -1; of a real function m >= 0."""
    L = bandwidth
    width = L + 1 if real else 2 * L
    degree, m_of, n_of = so3_degrees_and_orders(L)
    back, waves = np.zeros(len(degree), np.int64), np.zeros(2 * L * width, np.int64)
    back_factor, waves_factor = np.zeros((len(degree), 2)), np.zeros((2 * L * width, 2))
    terms, images = [], []
    row, pair = 0, 0
    for block in blocks(L):
        m, n, sign = block.images(real)
        l = np.arange(block.first, L)[:, None]
        m_, n_ = m[:, None], n[:, None]  # (pairs, degrees, images)
        flat = l * (4 * l**2 - 1) // 3 + (l + m_) * (2 * l + 1) + l + n_
        holds = l >= np.maximum(abs(m_), abs(n_))
        back[flat[holds]] = row + np.flatnonzero(holds)
        back_factor[flat[holds]] = np.broadcast_to(sign[:, None, :], flat.shape)[holds][:, None]
        terms.append(np.where(holds, flat, 0).ravel())
        place = n % (2 * L) * width + m % (2 * L)
        waves[place] = pair + np.arange(m.size).reshape(m.shape)
        waves_factor[place] = sign[..., None]
        images.append(place.ravel())
        row, pair = row + flat.size, pair + m.size
    if real:  # the other half, F_{-m,-n} = conj(F_mn) and f^l_{-m,-n} = (-1)^{m-n} conj(f^l_mn)
        other = (m_of < 0) | ((m_of == 0) & (n_of < 0))
        partner = partners(L)
        back[other] = back[partner[other]]
        back_factor[other] = back_factor[partner[other]] * [1, -1] * ((-1.0) ** (m_of - n_of))[other, None]
        k = np.arange(1, L)
        waves[(2 * L - k) * width] = waves[k * width]
        waves_factor[(2 * L - k) * width] = waves_factor[k * width] * [1, -1]

    def index(x: np.ndarray) -> Tensor:
        return torch.tensor(x, dtype=torch.int32, device=device)

    def factor(x: np.ndarray) -> Tensor:
        return torch.tensor(x, dtype=dtype, device=device)

    return Places(
        [index(x) for x in terms],
        index(back),
        factor(back_factor)[:, None],
        index(waves),
        factor(waves_factor)[:, None, None],
        [index(x) for x in images],
    )


def partners(bandwidth: int) -> np.ndarray:
    """Place of (l, -m, -n) for each coefficient (l, m, n).

    >>> partners(2)
    array([0, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    """
    degree = so3_degrees_and_orders(bandwidth)[0]
    begin = degree * (4 * degree**2 - 1) // 3
    return 2 * begin + (2 * degree + 1) ** 2 - 1 - np.arange(len(degree))
