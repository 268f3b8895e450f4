"""Solid harmonics: r^l Y_lm, polynomials in (x, y, z), of whole batches of points at once."""

from functools import lru_cache
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from equisphere import _checks

#: so many harmonics are held at a time: what stays in a processor's cache, and bounds the memory
CHUNK_NUMBERS = 2**20


def solid_harmonics(points: Float[Tensor, "*batch 3"], bandwidth: int) -> Float[Tensor, "coefficients *batch"]:
    r"""|p|^l Y_lm(p / |p|), the regular solid harmonics, for every degree l < L: at unit vectors, the harmonics.

    Polynomials in (x, y, z): smooth everywhere, the origin and the z axis included, and differentiable to any order. No
    angle is ever computed. Upward recurrence in l, all orders of a degree at once (that of `harmonics.associated_legendre`,
    with the powers of r put in):
        R_{m,m} + i R_{m,-m} = k_m (x + i y)^m,     R_lm = a_lm (z R_{l-1,m} - b_lm r^2 R_{l-2,m}).

    Convention: the real harmonics of docs/conventions.md; (l, m) stands at l*l + l + m of the first dimension.

    Args:
        points: `(..., 3)`, of any length (beyond length 1 the powers r^l grow fast).
        bandwidth: band limit L.

    Raises:
        ValueError: where points are not real vectors (x, y, z).

    >>> import torch
    >>> solid_harmonics(torch.tensor([0.0, 0.0, 2.0]), 2) * (4 * torch.pi / 3) ** 0.5  # (1/sqrt3, y, z, x)
    tensor([0.5774, 0.0000, 2.0000, 0.0000])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    _checks.real(points, "points")
    if points.ndim < 1 or points.shape[-1] != 3:
        raise ValueError(f"points must be vectors (x, y, z) of shape (..., 3), got {tuple(points.shape)}.")
    p = points.movedim(-1, 0)
    return torch.cat(_degrees(p.reshape(3, -1), L)).reshape(L * L, *points.shape[:-1])


@lru_cache(maxsize=16)
def _factors(
    bandwidth: int, dtype: torch.dtype, device: torch.device
) -> tuple[list[Tensor], list[Tensor], list[float]]:
    """a_lm and a_lm b_lm `(2l - 1, 1)` and `(2l - 3, 1)` for each degree, and k_l / k_{l-1}."""
    a, ab, k = [], [], []
    for l in range(1, bandwidth):
        m = torch.arange(1 - l, l, dtype=torch.float64)[:, None]
        a.append(((4 * l**2 - 1) / (l**2 - m**2)).sqrt())
        m = m[1:-1]
        b = (((l - 1) ** 2 - m**2) / (4 * (l - 1) ** 2 - 1)).sqrt()
        ab.append(a[-1][1:-1] * b)
        k.append(((2 * l + 1) / (2 * l) * (2 if l == 1 else 1)) ** 0.5)
    return [x.to(device, dtype) for x in a], [x.to(device, dtype) for x in ab], k


def _degrees(p: Float[Tensor, "3 n"], bandwidth: int) -> list[Float[Tensor, "orders n"]]:
    """The harmonics `(2l + 1, n)` of each degree."""
    a, ab, k = _factors(bandwidth, p.dtype, p.device)
    x, y, z = p.split(1)
    r2 = (p * p).sum(0, keepdim=True)
    cosine = torch.full_like(z, (1 / (4 * pi)) ** 0.5)
    sine = torch.zeros_like(z)
    found = [cosine]
    for l in range(1, bandwidth):
        cosine, sine = k[l - 1] * (x * cosine - y * sine), k[l - 1] * (x * sine + y * cosine)
        middle = a[l - 1] * (z * found[-1])
        if l > 1:
            inner = torch.addcmul(middle[1:-1], ab[l - 1], r2 * found[-2], value=-1)
            middle = torch.cat((middle[:1], inner, middle[-1:]))
        found.append(torch.cat((sine, middle, cosine)))
    return found


def accumulate_each(
    values: Float[Tensor, "sets k n"], points: Float[Tensor, "sets n 3"], bandwidth: int
) -> Float[Tensor, "sets k coefficients"]:
    r"""Sums over the points of each set, c_lm = sum_i v_i |p_i|^l Y_lm(p_i / |p_i|): `accumulate` for a batch of sets.

    Points inside the unit ball count by the powers of their length (the regular solid harmonics); at unit vectors the
    sums are those of `accumulate`. Differentiable to any order in values and points. Work goes in chunks of sets, which
    are computed again in the backward pass, so that memory does not grow with the number of harmonics.

    Args:
        values: `(sets, k, n)`: k numbers for each point.
        points: `(sets, n, 3)`.
        bandwidth: band limit L.

    Raises:
        ValueError: where values and points do not go together.

    >>> import torch
    >>> accumulate_each(torch.ones(5, 2, 100), torch.zeros(5, 100, 3), 4).shape
    torch.Size([5, 2, 16])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    for name, x in (("values", values), ("points", points)):
        _checks.real(x, name)
    if values.ndim != 3 or points.shape != (values.shape[0], values.shape[2], 3) or values.numel() == 0:
        raise ValueError(
            f"values (sets, k, n) and points (sets, n, 3) must go together and hold a point, got {tuple(values.shape)} "
            f"and {tuple(points.shape)}."
        )
    many = max(1, CHUNK_NUMBERS // (L * L * points.shape[1]))
    few = max(1, CHUNK_NUMBERS // (L * L))  # of a set that is too large by itself
    keep = torch.is_grad_enabled() and (values.requires_grad or points.requires_grad)
    rows = []
    for some, where in zip(values.split(many), points.split(many), strict=True):
        parts = zip(some.split(few, dim=2), where.split(few, dim=1), strict=True)
        sums = [checkpoint(_sums, v, p, L, use_reentrant=False) if keep else _sums(v, p, L) for v, p in parts]
        rows.append(sums[0] if len(sums) == 1 else torch.stack(sums).sum(0))
    return torch.cat(rows)


def _sums(v: Float[Tensor, "sets k n"], points: Float[Tensor, "sets n 3"], L: int) -> Tensor:
    sets, n = points.shape[:2]
    harmonics = torch.cat(_degrees(points.movedim(-1, 0).reshape(3, -1), L)).view(L * L, sets, n)
    return torch.bmm(v, harmonics.permute(1, 2, 0))
