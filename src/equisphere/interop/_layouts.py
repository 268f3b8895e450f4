"""Where each coefficient stands in the arrays of other packages."""

from math import isqrt

import numpy as np
import torch
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms import to_complex_basis, to_real_basis


def orders_and_degrees(lmax: int, mmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and degree of each entry of an `alm`: order after order, m >= 0, the degrees l >= m of each."""
    order = np.repeat(np.arange(mmax + 1), lmax + 1 - np.arange(mmax + 1))
    degree = np.concatenate([np.arange(m, lmax + 1) for m in range(mmax + 1)])
    return order, degree


def alm_limits(size: int, lmax: int | None, mmax: int | None) -> tuple[int, int]:
    """(lmax, mmax) of an `alm` of so many entries, or an error that says why none fits."""
    if lmax is None:
        lmax = (isqrt(8 * size + 1) - 3) // 2 if mmax is None else (2 * size // (mmax + 1) + mmax - 2) // 2
    mmax = lmax if mmax is None else mmax
    if not 0 <= mmax <= lmax or (mmax + 1) * (2 * lmax + 2 - mmax) // 2 != size:
        raise ValueError(
            f"an alm must hold (mmax+1) (2 lmax + 2 - mmax) / 2 numbers, got {size} for lmax={lmax}, mmax={mmax}. "
            "Where mmax is below lmax, say so: lmax=..., mmax=..."
        )
    return lmax, mmax


def real_coefficients(c: Tensor, name: str = "coefficients") -> int:
    """Check real coefficients `(..., L*L)`; their band limit."""
    _checks.floating(c, name)
    if c.is_complex():
        raise ValueError(
            f"{name} must be real here, those of a real signal, got {c.dtype}. A complex signal is two real ones: "
            "`a = transforms.to_real_basis(c)`, then `a.real` and `a.imag`."
        )
    return _checks.bandwidth_of(c, name)


def half(c: Tensor) -> Tensor:
    """Real coefficients to the complex a_lm, m >= 0, of the square `(..., L, L)`, zero above the diagonal."""
    L = real_coefficients(c)
    l, m = torch.arange(L, device=c.device)[:, None], torch.arange(L, device=c.device)
    square = to_complex_basis(c)[..., torch.where(m <= l, l * l + l + m, 0)]
    return torch.where(m <= l, square, 0)


def from_half(square: Tensor) -> Tensor:
    """Inverse of `half`: the other half is a_l,-m = (-1)^m conj(a_lm); the imaginary part of a_l0 means nothing."""
    degree, order = (torch.from_numpy(x).to(square.device) for x in degrees_and_orders(square.shape[-1]))
    a = square[..., degree, order.abs()]
    sign = (1 - 2 * (order % 2)).to(a.real.dtype)
    return to_real_basis(
        torch.where(
            order < 0, sign * a.conj(), torch.where(order == 0, torch.complex(a.real, torch.zeros_like(a.real)), a)
        )
    ).real


def square(a: Tensor, name: str) -> Tensor:
    """Check an array `(..., L, L)`."""
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name} must have shape (..., L, L), a row a degree, got {tuple(a.shape)}.")
    return a


def as_tensor(a: object, name: str) -> Tensor:
    """A foreign array as a tensor of floating point numbers, native byte order; NaN and infinity refused."""
    if not isinstance(a, Tensor):
        array = np.asarray(a)
        if array.dtype.kind not in "fc":
            raise ValueError(f"{name} must hold floating point numbers, got an array of {array.dtype}.")
        a = torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("=")))
    _checks.floating(a, name)
    if a.numel() == 0:
        raise ValueError(f"{name} must hold at least one signal, got shape {tuple(a.shape)}.")
    _checks.finite(a, name)
    return a


def as_numpy(a: Tensor) -> np.ndarray:
    """A tensor as the NumPy array that a foreign package takes: detached, on the CPU."""
    return a.detach().cpu().numpy()
