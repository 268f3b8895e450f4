"""Real harmonics at any points, in torch: a table of them, chunk by chunk where it would not fit."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.harmonics import degrees_and_orders


@lru_cache(maxsize=16)
def _factors(bandwidth: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """a_lm and a_lm b_lm of the recurrence (`harmonics.associated_legendre`), `(L, L)`, and P_mm / sin^m theta."""
    l = torch.arange(bandwidth, dtype=torch.float64)[:, None]
    m = l.T
    a = ((4 * l**2 - 1) / (l**2 - m**2).clamp_min(1)).clamp_min(0).sqrt()
    b = (((l - 1) ** 2 - m**2).clamp_min(0) / (4 * (l - 1) ** 2 - 1).clamp_min(1)).sqrt()
    k = torch.arange(1, bandwidth, dtype=torch.float64)
    start = torch.cat((torch.ones(1, dtype=torch.float64), ((2 * k + 1) / (2 * k)).cumprod(0))) / (4 * torch.pi)
    return a.to(device), (a * b).to(device), start.sqrt().to(device)


@lru_cache(maxsize=16)
def _places(bandwidth: int, device: torch.device) -> tuple[Tensor, Tensor]:
    degree, order = degrees_and_orders(bandwidth)
    legendre = degree * bandwidth + abs(order)
    return torch.from_numpy(legendre).to(device), torch.from_numpy(order + bandwidth - 1).to(device)


def harmonics_at(points: Float[Tensor, "n 3"], bandwidth: int) -> Float[Tensor, "coefficients n"]:
    """Y_lm (`harmonics.real_harmonics`) at unit vectors, in their dtype and on their device; recurrences in float64.

    All orders of a degree at once: P_lm = a_lm (z P_{l-1,m} - b_lm P_{l-2,m}); e^{i m phi} sin^m theta needs no angle.
    """
    L = bandwidth
    x, y, z = points.double().unbind(-1)
    s = torch.hypot(x, y)
    at_pole = s == 0
    a, ab, start = _factors(L, points.device)
    legendre = s.new_zeros(L, L, len(s))
    powers = s.expand(L, -1).clone()
    powers[0] = 1
    legendre.diagonal().copy_((start[:, None] * powers.cumprod(0)).T)
    for l in range(1, L):
        legendre[l, :l] = a[l, :l, None] * z * legendre[l - 1, :l]
        if l > 1:
            legendre[l, : l - 1] -= ab[l, : l - 1, None] * legendre[l - 2, : l - 1]
    azimuth = torch.where(at_pole, 0.0, torch.atan2(y, x))
    angle = torch.arange(1, L, device=points.device)[:, None] * azimuth
    waves = torch.cat((angle.sin().flip(0), torch.full_like(s, 0.5**0.5)[None], angle.cos())) * 2**0.5
    rows, orders = _places(L, points.device)
    return (legendre.flatten(0, 1).index_select(0, rows) * waves.index_select(0, orders)).to(points.dtype)
