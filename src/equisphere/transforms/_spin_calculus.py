"""Operators between signals of different spins: a number for each degree."""

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.transforms._convolution import spin_convolution

Coefficients = Shaped[Tensor, "*batch coefficients"]
SpinCoefficients = Complex[Tensor, "*batch coefficients"]


def eth(c: Coefficients, spin: int) -> SpinCoefficients:
    """ð, from spin s to s + 1: (ðf)_lm = sqrt((l-s)(l+s+1)) f_lm (Newman & Penrose 1966; Goldberg et al. 1967).

    ðf = -sin^s(theta) (d_theta + i / sin(theta) d_phi) (f / sin^s(theta)) at spin s. Of a real scalar f, -ðf is the gradient
    d_theta f + i / sin(theta) d_phi f, a vector in the convention of `SpinSHT`; `nn.Gradient` gives it as a layer.

    Args:
        c: coefficients `(..., L*L)` of signals of spin s: complex, or real ones of real scalars.
        spin: s.

    Returns:
        `(..., L*L)`, complex, over the harmonics of spin s + 1.

    Raises:
        ValueError: where `c` holds no L*L floating point numbers, one of the spins is no integer below L in size, or the first
            is not 0 where `c` is real.

    >>> import equisphere as es
    >>> f = torch.randn(9, dtype=torch.complex128)
    >>> bool(torch.allclose(ethbar(eth(f, 0), 1), es.transforms.laplacian(f)))
    True
    """
    return spin_convolution(c, _rates(c, spin, 1), spin, spin + 1)


def ethbar(c: Coefficients, spin: int) -> SpinCoefficients:
    """The conjugate of ð, from spin s to s - 1: -sqrt((l+s)(l-s+1)) f_lm. Minus the adjoint of `eth`.

    Args and errors as `eth`; the result is over the harmonics of spin s - 1.

    >>> f, g = torch.randn(2, 9, dtype=torch.complex128)
    >>> bool(torch.isclose((g.conj() * eth(f, -1)).sum(), -(ethbar(g, 0).conj() * f).sum()))
    True
    """
    return spin_convolution(c, -_rates(c, spin, -1), spin, spin - 1)


def kaiser_squires(convergence: Coefficients) -> SpinCoefficients:
    """Shear of spin 2 from the convergence of a gravitational lens, -sqrt((l+2)(l-1) / (l(l+1))) kappa_lm.

    Both come from one potential: kappa = Δψ / 2 and gamma = ðð ψ / 2 (Kaiser & Squires 1993; on the sphere Wallis et al. 2022).
    Degrees 0 and 1 of the convergence make no shear.

    Args:
        convergence: coefficients `(..., L*L)`, complex, or real ones of a real signal; L above 2.

    Returns:
        `(..., L*L)`, complex, over the harmonics of spin 2.

    Raises:
        ValueError: where these are no L*L floating point numbers, or L is at most 2.

    >>> kappa = torch.randn(16, dtype=torch.complex128)
    >>> again = inverse_kaiser_squires(kaiser_squires(kappa))
    >>> bool(torch.allclose(again[4:], kappa[4:])), again[:4].abs().max().item()
    (True, 0.0)
    """
    return spin_convolution(convergence, _shear(convergence), 0, 2)


def inverse_kaiser_squires(shear: SpinCoefficients) -> SpinCoefficients:
    """Convergence from the shear, the inverse of `kaiser_squires`; degrees 0 and 1, which shear does not hold, are zero.

    Of a shear with a part that no convergence makes (B), the convergence is complex: i times a real signal.

    Args:
        shear: coefficients `(..., L*L)` over the harmonics of spin 2, complex; L above 2.

    Raises:
        ValueError: as `kaiser_squires`, and where the coefficients are real.

    >>> inverse_kaiser_squires(torch.ones(9) + 0j)[4]
    tensor(-1.2247+0.j)
    """
    return spin_convolution(shear, 1 / _shear(shear), 2, 0)


def _rates(c: Tensor, spin: int, step: int) -> Float[Tensor, "degrees"]:
    """sqrt((l-s)(l+s+1)) for a step up, with -s for s a step down; 0 where that is less, in the precision of coefficients."""
    L = _checks.bandwidth_of(c)
    s = step * _checks.spin(spin, L)
    if s + 1 >= L:
        raise ValueError(
            f"what comes of spin {spin} has spin {step * (s + 1)}, and no degrees below band limit {L}: pad the coefficients "
            "to a higher band limit."
        )
    l = torch.arange(L, dtype=torch.float64, device=c.device)
    return ((l - s) * (l + s + 1)).clamp(min=0).sqrt().to(c.real.dtype)


def _shear(c: Tensor) -> Float[Tensor, "degrees"]:
    """-sqrt((l+2)(l-1) / (l(l+1))), -1 in degrees 0 and 1, which the spin leaves out."""
    L = _checks.bandwidth_of(c)
    if L < 3:
        raise ValueError(f"shear has degrees l >= 2 alone: give coefficients of band limit 3 at least, got {L}.")
    l = torch.arange(L, dtype=torch.float64, device=c.device)
    return -torch.where(l < 2, 1, (l + 2) * (l - 1) / (l * (l + 1))).sqrt().to(c.real.dtype)
