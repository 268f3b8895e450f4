"""The convolutions of the sphere that are a number for each degree."""

from math import pi

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.transforms._basis import degree_index, to_complex_basis

Coefficients = Shaped[Tensor, "*batch coefficients"]
Degrees = Shaped[Tensor, "*filters degrees"]


def convolution_constant(bandwidth: int) -> Float64[Tensor, "degrees"]:
    """2 pi sqrt(4 pi / (2l+1)) for every degree l < L: what stands between h_l0 and the multiplier of degree l.

    >>> float(convolution_constant(1)[0]) / pi**1.5  # l = 0: 4 pi^(3/2)
    4.0
    """
    degree = torch.arange(_checks.positive_int(bandwidth, "bandwidth"), dtype=torch.float64)
    return 2 * pi * (4 * pi / (2 * degree + 1)).sqrt()


def zonal_convolution(f: Coefficients, h: Float[Tensor, "*filters degrees"]) -> Shaped[Tensor, "*out coefficients"]:
    """(f * h)_lm = 2 pi sqrt(4 pi / (2l+1)) f_lm h_l0: convolution of a signal with a kernel over SO(3).

    (f * h)(x) = ∫_SO(3) f(g.N) h(g^-1 x) dg, N the north pole and dg of total measure 8 pi^2 (Driscoll & Healy 1994,
    theorem 1, with the constant of docs/math.md, 5). Of a kernel only its zonal part h_l0 matters.

    Args:
        f: coefficients `(..., L*L)`.
        h: the numbers h_l0, `(..., L)`; leading dimensions are broadcast against those of `f`.

    Raises:
        ValueError: where the band limits differ, or leading dimensions do not go together.

    >>> delta = torch.sqrt((2 * torch.arange(3) + 1) / (4 * pi))  # a point mass at the pole
    >>> f = torch.randn(9)
    >>> bool(torch.allclose(zonal_convolution(f, delta), 2 * pi * f, rtol=1e-5))
    True
    """
    L = _degrees_of(f, h, "h")
    return _multiplied(f, convolution_constant(L).to(h.real) * h, "h")


def axisymmetric_convolution(f: Coefficients, psi: Degrees, spin: int = 0) -> Shaped[Tensor, "*out coefficients"]:
    r"""(f . psi)_lm = sqrt(4 pi / (2l+1)) f_lm conj(psi_l0): the inner product with a kernel about each point, a scalar.

    (f . psi)(x) = <f, R.psi> = \int f conj(R.psi), R = R_z(phi) R_y(theta) the rotation that takes the north pole to x, for
    signals f of spin s and kernels psi of spin s that are the same when turned about the pole, psi_lm = 0 for m != 0
    (McEwen et al. 2015, Spin scale-discretised wavelets, section 3). Other orders m would not matter at spin 0 alone; they
    are what `directional_convolution` sees. At spin 0 it is `zonal_convolution` but for the measure of the turns, 2 pi,
    and the conjugation.

    Its adjoint, from a scalar W to spin s, is `spin_convolution(W, (4 * pi / (2 * l + 1)).sqrt() * psi, 0, s)`,
    with l in the precision of psi.

    Args:
        f: coefficients `(..., L*L)` of signals of spin s: complex, or real ones of real scalars.
        psi: the numbers psi_l0, `(..., L)`, real or complex; leading dimensions are broadcast against those of `f`.
        spin: s.

    Returns:
        Coefficients of scalars: real ones where `f` and `psi` are real.

    Raises:
        ValueError: where the band limits differ, leading dimensions do not go together, or the spin is no integer below L in
            size, or not 0 where `f` is real.

    >>> psi = torch.sqrt((2 * torch.arange(3) + 1) / (4 * pi))  # a point mass at the pole
    >>> f = torch.randn(9)
    >>> bool(torch.allclose(axisymmetric_convolution(f, psi), f))
    True
    """
    L = _degrees_of(f, psi, "psi")
    spin = spin_of(f, spin, L)
    return _multiplied(f, convolution_constant(L).to(psi.real) / (2 * pi) * psi.conj(), "psi", abs(spin))


def spin_convolution(
    f: Coefficients, multiplier: Degrees, spin: int, out_spin: int
) -> Shaped[Tensor, "*out coefficients"]:
    r"""c_l f_lm, a signal of spin s': all that is linear, acts on one signal of spin s, and commutes with rotations.

    Degrees below |s| or |s'| have no harmonics of one of the spins, and become zero. Spin-weighted convolutional networks
    (Esteves et al. 2020, eq. 13) learn c; ð, E and B, shear from convergence (`eth`, `e_b_modes`, `kaiser_squires`) are such
    numbers given once and for all. As a convolution over SO(3), f is lifted to the function (2 pi)^(-1/2) e^{-is gamma} f(x)
    of rotations R_z(phi) R_y(theta) R_z(gamma), meets the kernel that has the one coefficient
    sqrt((2l+1) / 8 pi^2) (-1)^{s+s'} conj(c_l) at the orders (-s', -s) in `so3_convolution`, and of the result the component
    of spin s' is taken (`spin_components`).

    Args:
        f: coefficients `(..., L*L)` of signals of spin s: complex, or real ones of real scalars.
        multiplier: c_l, `(..., L)`, real or complex; leading dimensions are broadcast against those of `f`.
        spin: s.
        out_spin: s'.

    Returns:
        Coefficients over the harmonics of spin s': complex, but for a real multiplier from real scalars to scalars.

    Raises:
        ValueError: as `axisymmetric_convolution` does.

    >>> spin_convolution(torch.ones(9, dtype=torch.complex64), torch.tensor([1.0, 2.0, 3.0]), spin=0, out_spin=1).real
    tensor([0., 2., 2., 2., 3., 3., 3., 3., 3.])
    """
    L = _degrees_of(f, multiplier, "multiplier")
    spin, out_spin = spin_of(f, spin, L), _checks.spin(out_spin, L, "out_spin")
    if out_spin and not f.is_complex():
        f = to_complex_basis(f)
    return _multiplied(f, multiplier, "multiplier", max(abs(spin), abs(out_spin)))


def spin_of(f: Tensor, spin: int, bandwidth: int) -> int:
    """The spin of coefficients, checked: real ones are those of scalars."""
    spin = _checks.spin(spin, bandwidth)
    if spin and not f.is_complex():
        raise ValueError(
            f"coefficients of signals of spin {spin} are complex, got {f.dtype}: real ones are those of real scalars, spin 0. "
            "`es.transforms.from_e_b_modes` makes complex ones of the real ones of E and B."
        )
    return spin


def _degrees_of(f: Tensor, h: Tensor, name: str) -> int:
    """Band limit of coefficients and of the numbers for each degree that are to multiply them."""
    L = _checks.bandwidth_of(f)
    _checks.floating(f, "f")
    _checks.floating(h, name)
    if h.shape[-1:] != (L,):
        raise ValueError(f"{name} must hold one number for each of the {L} degrees of f, got shape {tuple(h.shape)}.")
    return L


def _multiplied(f: Tensor, multiplier: Tensor, name: str, lowest: int = 0) -> Tensor:
    """Each degree of coefficients times its number, zero below a degree."""
    if multiplier.is_complex() and not f.is_complex():
        f = to_complex_basis(f)
    degree = degree_index(multiplier.shape[-1], f.device)
    if lowest:
        multiplier = torch.where(torch.arange(multiplier.shape[-1], device=multiplier.device) < lowest, 0, multiplier)
    try:
        return f * multiplier[..., degree]
    except RuntimeError as error:
        raise ValueError(
            f"leading dimensions of f {tuple(f.shape)} and {name} {tuple(multiplier.shape)} must broadcast, on one device: "
            f"{error}."
        ) from None
