"""Convolutions to, on and from SO(3), and functions on it as tuples of spins."""

from functools import lru_cache
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Complex, Float64, Int, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders, so3_degrees_and_orders
from equisphere.transforms._basis import complex_coefficients

Signal = Shaped[Tensor, "*batch coefficients"]
Kernel = Shaped[Tensor, "*filters coefficients"]
Wigner = Complex[Tensor, "*batch wigner"]
Spins = Complex[Tensor, "*batch spins coefficients"]


def directional_convolution(f: Signal, psi: Kernel) -> Complex[Tensor, "*out wigner"]:
    r"""(f * psi)(R) = <f, R.psi>: the inner product of a signal with a kernel in every orientation, a function on SO(3).

    (f * psi)^l_mn = sqrt(8 pi^2 / (2l+1)) f_lm conj(psi_ln), with <f, g> = \int f conj(g) over the sphere, for signals and
    kernels of the same spin, whatever it is (Wandelt & Gorski 2001; McEwen et al. 2015; at spin 0 the lifting correlation of
    Cohen et al. 2018, section 3). It commutes with rotations: each column n of the result turns as f does.

    Convention: Wigner coefficients as in `SO3Transform`, which samples the function. A kernel of low orders |n| <= N alone has
    few columns: `steerable_convolution` gives these.

    Args:
        f: coefficients `(..., L*L)`, complex, or real ones of real scalars.
        psi: coefficients `(..., L*L)` of kernels; leading dimensions are broadcast against those of `f`.

    Returns:
        `(..., L (4 L^2 - 1) / 3)`.

    Raises:
        ValueError: where the band limits differ, leading dimensions do not go together, or one of the two holds no L*L
            floating point numbers.

    >>> import equisphere as es
    >>> f, R = torch.randn(16), es.transforms.SO3Transform(4).rotations
    >>> F = es.transforms.SO3Transform(4).inverse(directional_convolution(f, f), real=True)
    >>> bool(torch.isclose(F[1, 2, 3], (f * es.rotate(f, R[1, 2, 3].float())).sum(), rtol=1e-3))
    True
    """
    f, psi, L = _pair(f, psi)
    rows, columns = _degrees(f, L), _degrees(_scaled(psi.conj()), L)
    return torch.cat(
        [(x[..., :, None] * y[..., None, :]).flatten(-2) for x, y in zip(rows, columns, strict=True)], dim=-1
    )


def directional_synthesis(F: Wigner, psi: Kernel) -> Complex[Tensor, "*out coefficients"]:
    r"""\int F(R) (R.psi)(x) dR: kernels in every orientation, added up by a function on SO(3), a signal of their spin.

    f_lm = sqrt(8 pi^2 / (2l+1)) sum_n F^l_mn psi_ln: the adjoint of `directional_convolution` with the same kernel (McEwen et
    al. 2015, synthesis of directional wavelets).

    Args:
        F: Wigner coefficients `(..., L (4 L^2 - 1) / 3)`, as in `SO3Transform`.
        psi: coefficients `(..., L*L)` of kernels of any spin; leading dimensions are broadcast against those of `F`.

    Returns:
        `(..., L*L)`, complex, of the kernel's spin.

    Raises:
        ValueError: as `directional_convolution` does, and where `F` holds no complex Wigner coefficients.

    >>> f, psi = torch.randn(2, 16, dtype=torch.complex128)
    >>> F = torch.randn(84, dtype=torch.complex128)
    >>> left = (directional_convolution(f, psi) * F.conj()).sum()
    >>> bool(torch.isclose(left, (f * directional_synthesis(F, psi).conj()).sum()))
    True
    """
    L = _checks.wigner_bandwidth_of(F, "F")
    psi = complex_coefficients(psi, "psi")
    _checks.coefficients_of(psi, L, "psi")
    dtype = torch.promote_types(F.dtype, psi.dtype)
    vectors = _degrees(_scaled(psi).to(dtype)[..., None], L, -2)
    try:
        return torch.cat([(x @ y)[..., 0] for x, y in zip(_matrices(F.to(dtype), L), vectors, strict=True)], dim=-1)
    except RuntimeError as error:
        raise _unlike(F, psi, error) from None


def so3_convolution(F: Wigner, psi: Complex[Tensor, "*filters wigner"]) -> Complex[Tensor, "*out wigner"]:
    r"""(psi * F)(R) = \int conj(psi(R^-1 Q)) F(Q) dQ: group convolution on SO(3), in the form of a correlation.

    (psi * F)^l = sqrt(8 pi^2 / (2l+1)) F^l (psi^l)^H, a product of matrices for each degree (Cohen et al. 2018, section 3).
    `nn.SO3Conv` learns such kernels between channels.

    Args:
        F: Wigner coefficients `(..., L (4 L^2 - 1) / 3)`, as in `SO3Transform`.
        psi: those of kernels; leading dimensions are broadcast against those of `F`.

    Returns:
        `(..., L (4 L^2 - 1) / 3)`.

    Raises:
        ValueError: where the two hold no complex Wigner coefficients of one band limit, or leading dimensions do not go
            together.

    >>> F = torch.randn(5, 84, dtype=torch.complex128)
    >>> l, m, n = (torch.from_numpy(x) for x in so3_degrees_and_orders(4))
    >>> point = (m == n) * ((2 * l + 1) / (8 * pi**2)).sqrt() + 0j  # a point mass at the identity
    >>> bool(torch.allclose(so3_convolution(F, point), F))
    True
    """
    L = _checks.wigner_bandwidth_of(F, "F")
    if _checks.wigner_bandwidth_of(psi, "psi") != L:
        raise ValueError(f"F and psi must have one band limit, got shapes {tuple(F.shape)} and {tuple(psi.shape)}.")
    dtype = torch.promote_types(F.dtype, psi.dtype)
    pairs = zip(_matrices(F.to(dtype), L), _matrices(psi.to(dtype), L), strict=True)
    try:
        return torch.cat([(x @ (sqrt(8 * pi**2 / y.shape[-1]) * y.mH)).flatten(-2) for x, y in pairs], dim=-1)
    except RuntimeError as error:
        raise _unlike(F, psi, error) from None


def steerable_convolution(f: Signal, psi: Kernel, order: int) -> Complex[Tensor, "*out spins coefficients"]:
    r"""`directional_convolution` with a kernel of the orders |m| <= N, as a tuple of signals of the spins -N .. N.

    The component of spin s is a `spin_convolution`, (-1)^s sqrt(8 pi^2 / (2l+1)) conj(psi_{l,-s}) f_lm: 2N+1 numbers at each
    point say what the kernel answers in every direction there, by `spin_components` (steerable filters, Freeman & Adelson
    1991; on the sphere Wiaux et al. 2006). Other orders of the kernel are left out. `nn.LiftToSO3` learns such kernels.

    Args:
        f: coefficients `(..., L*L)`, complex, or real ones of real scalars.
        psi: coefficients `(..., L*L)` of kernels of the same spin; leading dimensions are broadcast against those of `f`.
        order: N, from 0 (the zonal part alone) to L - 1.

    Returns:
        `(..., 2 N + 1, L*L)`, complex: spin after spin from -N, as `spin_components` gives them.

    Raises:
        ValueError: as `directional_convolution` does, and where the order is no integer from 0 to L - 1.

    >>> f, psi = torch.randn(2, 16)
    >>> whole = spin_components(directional_convolution(f, psi))
    >>> bool(torch.allclose(steerable_convolution(f, psi, order=1), whole[2:5]))
    True
    """
    f, psi, L = _pair(f, psi)
    N = _checks.order(order, L)
    place, scale = _columns(L, N, f.device)
    return f[..., None, :] * (psi.conj()[..., place] * scale.to(psi.real))


def spin_components(F: Wigner, order: int | None = None) -> Spins:
    r"""A function on SO(3) as a tuple of signals of the spins -N .. N: its Fourier modes in the third angle.

    F(R_z(phi) R_y(theta) R_z(gamma)) = (2 pi)^(-1/2) sum_s e^{-is gamma} F_s(theta, phi), F_s of spin s with coefficients
    (-1)^s F^l_{m,-s}: an isometry, so that power is kept, and exact where F has the orders |n| <= N alone. Each F_s turns
    as any signal of its spin: `es.rotate` turns the tuple.

    Args:
        F: Wigner coefficients `(..., L (4 L^2 - 1) / 3)`, as in `SO3Transform`.
        order: N, from 0 to L - 1; by default L - 1, which loses nothing.

    Returns:
        `(..., 2 N + 1, L*L)`, complex, zero where l < |s|.

    Raises:
        ValueError: where `F` holds no complex Wigner coefficients, or the order is no integer from 0 to L - 1.

    >>> F = torch.randn(3, 84, dtype=torch.complex64)
    >>> spin_components(F, order=1).shape
    torch.Size([3, 3, 16])
    >>> bool(torch.equal(from_spin_components(spin_components(F)), F))
    True
    """
    L = _checks.wigner_bandwidth_of(F, "F")
    N = L - 1 if order is None else _checks.order(order, L)
    degree, m = degrees_and_orders(L)
    n = np.arange(N, -N - 1, -1)[:, None]
    begin = degree * (4 * degree**2 - 1) // 3 + (degree + m) * (2 * degree + 1) + degree
    place = torch.from_numpy(begin + np.clip(n, -degree, degree)).to(F.device)
    sign = torch.from_numpy((-1.0) ** n * (abs(n) <= degree)).to(F.real)
    return F[..., place] * sign


def from_spin_components(c: Spins) -> Wigner:
    """Wigner coefficients of the function on SO(3) that is a tuple of spins: the inverse of `spin_components`.

    Of one signal of spin s, in its place among zeros, it is the lift (2 pi)^(-1/2) e^{-is gamma} f(x).

    Args:
        c: `(..., 2 N + 1, L*L)`, complex; what stands at degrees l < |s| is ignored.

    Returns:
        `(..., L (4 L^2 - 1) / 3)`, zero where |n| > N.

    Raises:
        ValueError: where the shape is not that, with N below L, or the numbers are not complex.

    >>> from_spin_components(torch.ones(3, 4, dtype=torch.complex64)).real
    tensor([ 1., -1.,  1., -1., -1.,  1., -1., -1.,  1., -1.])
    """
    L, N = spins_of(c)
    degree, m, n = so3_degrees_and_orders(L)
    held = torch.from_numpy(np.where(abs(n) <= N, (-1.0) ** n, 0.0)).to(c.real)
    place = np.clip(N - n, 0, 2 * N) * L * L + degree * degree + degree + m
    return c.flatten(-2)[..., torch.from_numpy(place).to(c.device)] * held


def spins_of(c: Tensor, name: str = "c") -> tuple[int, int]:
    """Band limit and N of a tuple of the spins -N .. N."""
    L = _checks.bandwidth_of(c, name)
    if not c.is_complex() or c.ndim < 2 or c.shape[-2] % 2 == 0 or c.shape[-2] > 2 * L - 1:
        raise ValueError(
            f"{name} must hold the spins -N .. N, complex (..., 2 N + 1, L*L) with N < L, got {c.dtype} {tuple(c.shape)}."
        )
    return L, c.shape[-2] // 2


def _pair(f: Tensor, psi: Tensor) -> tuple[Tensor, Tensor, int]:
    """Signal and kernel over the complex harmonics, and their band limit."""
    f, psi = complex_coefficients(f, "f"), complex_coefficients(psi, "psi")
    L = _checks.bandwidth_of(f)
    _checks.coefficients_of(psi, L, "psi")
    try:
        torch.broadcast_shapes(f.shape, psi.shape)
    except RuntimeError as error:
        raise _unlike(f, psi, error) from None
    return f, psi, L


def _unlike(f: Tensor, psi: Tensor, error: RuntimeError) -> ValueError:
    return ValueError(
        f"leading dimensions of the signal {tuple(f.shape)} and the kernel {tuple(psi.shape)} must broadcast: {error}."
    )


def _degrees(c: Tensor, bandwidth: int, dim: int = -1) -> tuple[Tensor, ...]:
    """The coefficients of each degree: views."""
    return c.split([2 * l + 1 for l in range(bandwidth)], dim)


def _matrices(F: Tensor, bandwidth: int) -> list[Tensor]:
    """The matrix F^l of each degree: views."""
    sizes = [2 * l + 1 for l in range(bandwidth)]
    return [x.unflatten(-1, (n, n)) for n, x in zip(sizes, F.split([n * n for n in sizes], dim=-1), strict=True)]


def _scaled(psi: Tensor) -> Tensor:
    """sqrt(8 pi^2 / (2l+1)) psi_lm."""
    L = _checks.bandwidth_of(psi)
    return psi * _columns(L, 0, psi.device)[1][0].to(psi.real)


@lru_cache(maxsize=64)
def _columns(
    bandwidth: int, order: int, device: torch.device
) -> tuple[Int[Tensor, "spins coefficients"], Float64[Tensor, "spins coefficients"]]:
    """Of each spin s = -N .. N and degree l: the place of (l, -s), and (-1)^s sqrt(8 pi^2 / (2l+1)), 0 where l < |s|."""
    degree, spin = degrees_and_orders(bandwidth)[0], np.arange(-order, order + 1)[:, None]
    holds = abs(spin) <= degree
    scale = np.where(holds, (-1.0) ** spin * np.sqrt(8 * pi**2 / (2 * degree + 1)), 0.0)
    place = np.where(holds, degree * degree + degree - spin, 0)
    return torch.from_numpy(place).to(device), torch.from_numpy(scale).to(device)
