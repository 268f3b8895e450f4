"""Coefficients in the complex basis from those in the real one, and back."""

from functools import lru_cache
from math import sqrt

import torch
from jaxtyping import Complex, Int, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders


@lru_cache(maxsize=64)
def degree_index(bandwidth: int, device: torch.device) -> Int[Tensor, "coefficients"]:
    """Degree l of each flat coefficient (l, m)."""
    return torch.from_numpy(degrees_and_orders(bandwidth)[0]).to(device)


@lru_cache(maxsize=64)
def partner_index(bandwidth: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Order m of each flat coefficient (l, m), and the place of its partner (l, -m)."""
    degree, order = degrees_and_orders(bandwidth)
    return torch.from_numpy(order).to(device), torch.from_numpy(degree * degree + degree - order).to(device)


@lru_cache(maxsize=64)
def _mixing(bandwidth: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Factors of each coefficient and of its partner: to the complex basis, then to the real one."""
    order = partner_index(bandwidth, device)[0]
    sign = (1 - 2 * (order % 2)).to(torch.complex128)
    one, root = torch.ones_like(sign), torch.full_like(sign, sqrt(2))
    pairs = (
        (torch.where(order > 0, sign, 1j * one), torch.where(order > 0, -1j * sign, one)),
        (torch.where(order > 0, sign, -1j * one), torch.where(order > 0, one, 1j * sign)),
    )
    complex_dtype = torch.complex128 if dtype in (torch.float64, torch.complex128) else torch.complex64
    return tuple(
        (torch.where(order == 0, middle, factor) / sqrt(2)).to(complex_dtype)
        for own, other in pairs
        for factor, middle in ((own, root), (other, 0 * one))
    )


def to_complex_basis(a: Shaped[Tensor, "*batch coefficients"]) -> Complex[Tensor, "*batch coefficients"]:
    """Coefficients over the complex Y_lm of a function given over the real ones.

    c_lm = (-1)^m (a_lm - i a_l,-m) / sqrt2 and c_l,-m = (a_lm + i a_l,-m) / sqrt2 for m > 0; c_l0 = a_l0.
    Unitary: norms and powers stay.

    Args:
        a: `(..., L*L)`, real for a real function, complex for a complex one.

    Raises:
        ValueError: where the last dimension is no L*L.

    >>> to_complex_basis(torch.tensor([0.0, 0.0, 0.0, 2.0**0.5])).real.round(decimals=4)  # cos phi
    tensor([ 0.,  1.,  0., -1.])
    """
    L = _checks.bandwidth_of(a)
    own, other, _, _ = _mixing(L, a.dtype, a.device)
    return own * a + other * a[..., partner_index(L, a.device)[1]]


def to_real_basis(c: Complex[Tensor, "*batch coefficients"]) -> Complex[Tensor, "*batch coefficients"]:
    """Coefficients over the real Y_lm of a function given over the complex ones: the inverse of `to_complex_basis`.

    Complex numbers; for the coefficients of a real function their imaginary parts are zero.

    >>> c = to_complex_basis(torch.randn(2, 9))
    >>> bool(to_real_basis(c).imag.abs().max() < 1e-6)
    True
    """
    L = _checks.bandwidth_of(c)
    _, _, own, other = _mixing(L, c.dtype, c.device)
    return own * c + other * c[..., partner_index(L, c.device)[1]]


def complex_coefficients(c: Shaped[Tensor, "*batch coefficients"], name: str) -> Complex[Tensor, "*batch coefficients"]:
    """Coefficients over the complex harmonics, of whatever is given: complex ones as they are, real ones of a real signal.

    Raises:
        ValueError: where the last dimension is no L*L, the batch is empty, or the numbers are not floating point.

    >>> complex_coefficients(torch.ones(1), "f")
    tensor([1.+0.j])
    """
    _checks.floating(c, name)
    _checks.bandwidth_of(c, name)
    return c if c.is_complex() else to_complex_basis(c)
