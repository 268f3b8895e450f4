"""The correlation of two signals over all rotations, by one transform on SO(3)."""

from math import pi, sqrt

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.align._features import Features, paired
from equisphere.transforms import SO3Transform, to_complex_basis


def correlation(
    a: Shaped[Tensor, "*a_batch coefficients"],
    b: Shaped[Tensor, "*b_batch coefficients"],
    *,
    channels: bool = False,
    weights: Float[Tensor, "degrees"] | None = None,
    bandwidth: int | None = None,
) -> Float[Tensor, "*batch alpha beta gamma"]:
    r"""Correlation of R.a with b over a grid of all rotations R: one number in [-1, 1] for each.

    C(R) = <R.a, b> / (|a| |b|), the integral over the sphere of the product of both signals, means removed: degree 0 does not
    see rotations. C is a function on SO(3) of the band limit of the signals, with Wigner coefficients
    sqrt(8 pi^2 / (2l+1)) b_lm conj(a_ln): one synthesis gives it everywhere (Kostelec & Rockmore 2008, 5), in O(L^4).
    Differentiable in both signals.

    Convention: sample (j, k, i) belongs to the rotation `es.transforms.SO3Transform(bandwidth).rotations[j, k, i]`.

    Args:
        a: coefficients `(..., L*L)`, real or complex (the real part of <R.a, b> then).
        b: coefficients of the same band limit; leading dimensions broadcast against those of `a`.
        channels: the last dimension but one holds channels, which turn together and whose correlations are added.
        weights: one number for each degree, which multiplies its part of the products (1 by default).
        bandwidth: sample on the finer grid of this band limit, at least L (the default).

    Returns:
        Samples `(..., 2B, B, 2B)` by alpha, beta and gamma.

    Raises:
        ValueError: as `align` does.

    >>> import torch, equisphere as es
    >>> a, R = torch.randn(64), es.transforms.SO3Transform(8).rotations[3, 4, 5]
    >>> C = es.align.correlation(a, es.rotate(a, R))
    >>> C.shape, int(C.argmax()) == (3 * 8 + 4) * 16 + 5
    (torch.Size([16, 8, 16]), True)
    """
    L = _checks.bandwidth_of(a, "a")
    B = L if bandwidth is None else _checks.positive_int(bandwidth, "bandwidth")
    if B < L:
        raise ValueError(f"bandwidth must be at least that of the signals, {L}, got {B}.")
    x, y, leading = paired(a, b, channels, weights)
    return sampled(x, y, B).reshape(*leading, *SO3Transform(B).shape)


def sampled(a: Features, b: Features, bandwidth: int) -> Float[Tensor, "n alpha beta gamma"]:
    """Correlation of features of norm 1 on the grid of rotations of a band limit."""
    so3 = SO3Transform(bandwidth)
    c = wigner_coefficients(a, b)
    return so3.inverse(torch.nn.functional.pad(c, (0, so3.size - c.shape[-1])), real=True)


def wigner_coefficients(a: Features, b: Features) -> Complex[Tensor, "n wigner"]:
    """sqrt(8 pi^2 / (2l+1)) sum_channels b_lm conj(a_ln), flat."""
    x, y = to_complex_basis(a).conj(), to_complex_basis(b).mT
    parts = []
    for l in range(_checks.bandwidth_of(a)):
        here = slice(l * l, (l + 1) ** 2)
        parts.append((y[:, here] @ x[:, :, here]).flatten(1) * sqrt(8 * pi**2 / (2 * l + 1)))
    return torch.cat(parts, dim=1)
