"""healpy and ducc0: complex a_lm of m >= 0, order after order, orthonormal, with the Condon-Shortley phase."""

import numpy as np
import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from equisphere.interop._layouts import alm_limits, as_numpy, as_tensor, from_half, half, orders_and_degrees


def to_healpy(c: Float[Tensor, "*batch coefficients"]) -> Complex[np.ndarray, "*batch alm"]:
    """The `alm` of healpy, lmax = mmax = L - 1, of a real signal: `healpy.alm2map(alm, nside)` shows it.

    Batch dimensions stay, so that a tangent field `(..., 2, L*L)` becomes the pair (E, B) that
    `healpy.alm2map_spin([E, B], nside, 1, lmax)` takes, whose maps are the components along e_theta and e_phi.
    A complex signal is two real ones: `a = transforms.to_real_basis(c)`, then `a.real` and `a.imag`.

    Args:
        c: real coefficients `(..., L*L)`.

    Returns:
        `(..., L (L+1) / 2)` complex numbers.

    Raises:
        ValueError: where the coefficients are complex, or no L*L.

    >>> to_healpy(torch.tensor([1.0, 0.0, 2.0, 0.0])).real + 0  # (l, m) = (0, 0), (1, 0), (1, 1)
    array([1., 2., 0.], dtype=float32)
    """
    square = half(c)
    order, degree = orders_and_degrees(square.shape[-1] - 1, square.shape[-1] - 1)
    return as_numpy(square[..., degree, order])


def from_healpy(
    alm: Shaped[np.ndarray, "*batch alm"] | Shaped[Tensor, "*batch alm"],
    lmax: int | None = None,
    mmax: int | None = None,
) -> Float[Tensor, "*batch coefficients"]:
    """Real coefficients, of band limit lmax + 1, of the `alm` of healpy: the inverse of `to_healpy`.

    Args:
        alm: `(..., n)` complex numbers.
        lmax: the largest degree, where it is not to be guessed.
        mmax: the largest order, where it is below lmax; higher orders are zero.

    Raises:
        ValueError: where the number of entries fits no lmax and mmax, or they are not finite.

    >>> from_healpy(to_healpy(torch.arange(9.0))).round()
    tensor([0., 1., 2., 3., 4., 5., 6., 7., 8.])
    """
    a = as_tensor(alm, "alm")
    if not a.is_complex():
        raise ValueError(f"alm must be complex, got {a.dtype}.")
    lmax, mmax = alm_limits(a.shape[-1] if a.ndim else 0, lmax, mmax)
    order, degree = orders_and_degrees(lmax, mmax)
    place = np.zeros((lmax + 1, lmax + 1), dtype=np.int64)
    place[degree, order] = np.arange(len(order))
    known = torch.zeros(lmax + 1, lmax + 1, dtype=torch.bool)
    known[degree, order] = True
    return from_half(torch.where(known.to(a.device), a[..., torch.from_numpy(place).to(a.device)], 0))


def to_ducc0(c: Float[Tensor, "*batch coefficients"], spin: int = 0) -> Complex[np.ndarray, "*field_or_batch alm"]:
    """The `alm` of `ducc0.sht`: healpy's, with a dimension for the components, one of spin 0 and two of others.

    Args:
        c: real coefficients `(..., L*L)`, or, for spin 1, those of a tangent field `(..., 2, L*L)` (`transforms.gradient`); for
            higher spins E and B `(..., 2, L*L)` (`transforms.e_b_modes`).
        spin: from 0 on; positive ones are alike here, and told to `ducc0.sht`.

    Returns:
        `(..., 1, L (L+1) / 2)` or `(..., 2, L (L+1) / 2)`.

    Raises:
        ValueError: where the coefficients are complex or no L*L, or the shape is not that of the spin.

    >>> to_ducc0(torch.ones(16)).shape
    (1, 10)
    """
    _components(c.shape, spin, "coefficients")
    return to_healpy(c if spin else c.unsqueeze(-2))


def from_ducc0(
    alm: Shaped[np.ndarray, "*field_or_batch alm"] | Shaped[Tensor, "*field_or_batch alm"],
    spin: int = 0,
    lmax: int | None = None,
    mmax: int | None = None,
) -> Float[Tensor, "*batch coefficients"]:
    """Real coefficients `(..., L*L)`, or for higher spins E and B `(..., 2, L*L)`: the inverse of `to_ducc0`.

    Raises:
        ValueError: as `from_healpy` does, and where the number of components is not that of the spin.

    >>> from_ducc0(to_ducc0(torch.ones(2, 9), spin=1), spin=1).shape
    torch.Size([2, 9])
    """
    a = as_tensor(alm, "alm")
    if spin == 0 and a.shape[-2:-1] != (1,):
        raise ValueError(f"alm of spin 0 must have shape (..., 1, n), got {tuple(a.shape)}.")
    _components(a.shape, spin, "alm")
    c = from_healpy(a, lmax, mmax)
    return c if spin else c.squeeze(-2)


def _components(shape: torch.Size, spin: int, name: str) -> None:
    if isinstance(spin, bool) or not isinstance(spin, int) or spin < 0:
        raise ValueError(
            f"spin must be an integer from 0 on, got {spin!r}: a signal of negative spin is the conjugate of one of "
            "positive spin."
        )
    if spin and shape[-2:-1] != (2,):
        raise ValueError(
            f"{name} of spin {spin} must have shape (..., 2, n): E and B, of spin 1 gradient and curl part; got {tuple(shape)}."
        )
