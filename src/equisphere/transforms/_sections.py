"""Convolutions that give a signal on the sphere by leaving out the third angle, or turn no degree as a whole.

None of them commutes with rotations, for kernels that see directions: no such map can be other than a number for each degree
(`spin_convolution`). They are here since they are used, and so that they can be compared and audited.
"""

from math import pi, sqrt

import torch
from jaxtyping import Complex, Real, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.grids import Grid
from equisphere.transforms._basis import complex_coefficients, partner_index
from equisphere.transforms._so3_convolution import spins_of, steerable_convolution
from equisphere.transforms._spin import SpinSHT

Signal = Shaped[Tensor, "*batch coefficients"]
Kernel = Shaped[Tensor, "*filters coefficients"]


def section(
    c: Complex[Tensor, "*batch spins coefficients"], grid: Grid, turn: Real[Tensor, "*nodes"] | float | None = None
) -> Complex[Tensor, "..."]:
    """Values of a function on SO(3) at one rotation for each node, R_z(phi) R_y(theta) R_z(chi): a cut through it.

    (2 pi)^(-1/2) sum_s e^{-is chi} F_s(theta, phi), for the tuple of spins F_s that the function is (`spin_components`).

    No cut commutes with rotations: one about z keeps all of them where chi is constant, and others turn the axes at x, not only
    x. (There is no continuous choice of axes on the sphere.) What commutes is the tuple of spins itself, and power in it.

    Args:
        c: `(..., 2 N + 1, L*L)`, the spins -N .. N.
        grid: of rings, carries band limit L.
        turn: chi in radians, one angle for all nodes or for each, broadcast against `grid.shape`; zero by default.

    Returns:
        Samples `(..., *grid.shape)`, complex.

    Raises:
        ValueError: where `c` is no tuple of spins, the grid has no rings or cannot carry L, or the angles fit no node.

    >>> import equisphere as es
    >>> so3, grid = es.transforms.SO3Transform(4), es.grids.GaussLegendre(4, nlat=4)
    >>> F = torch.randn(84, dtype=torch.complex128)
    >>> values = section(es.transforms.spin_components(F), grid, pi / 4)
    >>> bool(torch.allclose(values, so3.inverse(F)[:, :, 1].T))  # its second gamma
    True
    """
    L, N = spins_of(c)
    samples = [SpinSHT(grid, L, s).inverse(c[..., N + s, :]) for s in range(-N, N + 1)]
    if turn is not None:
        try:
            angle = torch.as_tensor(turn, dtype=torch.float64, device=samples[0].device).expand(grid.shape)
        except (RuntimeError, TypeError, ValueError):
            got = tuple(turn.shape) if isinstance(turn, Tensor) else repr(turn)
            raise ValueError(f"turn must hold an angle for each node of {grid}, or one, got {got}.") from None
        samples = [f * torch.polar(torch.ones_like(angle), -s * angle).to(f) for s, f in enumerate(samples, start=-N)]
    return torch.stack(samples).sum(0) / sqrt(2 * pi)


def standard_correlation(f: Signal, psi: Kernel, grid: Grid, order: int | None = None) -> Complex[Tensor, "..."]:
    """<f, R.psi> at R = R_z(phi) R_y(theta): the kernel moved to each node, upright there, by `section`.

    It commutes with rotations about z alone; it errs by its own size under others, unless only orders 0 of the kernel are there
    (`axisymmetric_convolution`). `directional_convolution` is what commutes with all.

    Args:
        f: coefficients `(..., L*L)`, complex, or real ones of real scalars.
        psi: coefficients `(..., L*L)` of kernels of the same spin; leading dimensions are broadcast against those of `f`.
        grid: of rings, carries band limit L.
        order: highest |m| of the kernel, from 0 to L - 1, by default L - 1; fewer cost less.

    Returns:
        Samples `(..., *grid.shape)`, complex: they have no band limit.

    Raises:
        ValueError: as `steerable_convolution` and `section` do.

    >>> import equisphere as es
    >>> grid = es.grids.GaussLegendre(4)
    >>> standard_correlation(torch.randn(3, 16), torch.randn(16), grid).shape
    torch.Size([3, 8, 8])
    """
    return section(steerable_convolution(f, psi, _order(psi, order)), grid)


def commutative_convolution(f: Signal, h: Kernel, grid: Grid, order: int | None = None) -> Complex[Tensor, "..."]:
    r"""\int (R.h) f at R = R_z(phi) R_y(theta) R_z(pi - phi), the same for h and f exchanged (Sadeghi et al. 2012).

    A turn by pi in the plane of N and x exchanges N and x: so it is a commutative product of functions on the sphere. It
    commutes with hardly any rotation, unless h is zonal. Arguments and errors as of `standard_correlation`, scalars alone.

    >>> import equisphere as es
    >>> (f, h), grid = torch.randn(2, 16, dtype=torch.float64), es.grids.GaussLegendre(4)
    >>> bool(torch.allclose(commutative_convolution(f, h, grid), commutative_convolution(h, f, grid)))
    True
    """
    h = complex_coefficients(h, "h")
    order_m, partner = partner_index(_checks.bandwidth_of(h), h.device)
    conjugate = h.conj()[..., partner] * (1 - 2 * (order_m % 2))  # of the signal
    angle = torch.full(grid.shape, pi, dtype=torch.float64) - grid.longitudes
    return section(steerable_convolution(f, conjugate, _order(h, order)), grid, angle)


def harmonic_multiplication(f: Signal, g: Kernel) -> Complex[Tensor, "*out coefficients"]:
    """f_lm g_lm: a number for each harmonic (Kennedy et al. 2011).

    It commutes with rotations about z, and with all where g_lm does not depend on m (`spin_convolution`).

    Args:
        f: coefficients `(..., L*L)`, complex, or real ones of a real signal, over the real harmonics.
        g: coefficients of the same band limit, likewise; leading dimensions are broadcast.

    Returns:
        `(..., L*L)`, complex, over the complex harmonics: of two real signals no real signal is made.

    Raises:
        ValueError: where the band limits differ, or leading dimensions do not go together.

    >>> harmonic_multiplication(torch.ones(4) + 0j, torch.arange(4.0) + 0j).real
    tensor([0., 1., 2., 3.])
    """
    f, g = complex_coefficients(f, "f"), complex_coefficients(g, "g")
    _checks.coefficients_of(g, _checks.bandwidth_of(f), "g")
    try:
        return f * g
    except RuntimeError as error:
        raise ValueError(
            f"leading dimensions of f {tuple(f.shape)} and g {tuple(g.shape)} must broadcast: {error}."
        ) from None


def sifting_convolution(f: Signal, g: Kernel) -> Complex[Tensor, "*out coefficients"]:
    """f_lm conj(g_lm), the inner product with translates of g (Roddy & McEwen 2021): as `harmonic_multiplication`.

    A translate T_x of g has T_x Y_lm = conj(Y_lm(x)) Y_lm, which is no rotation: that is why this does not commute with any
    but those about z.

    >>> sifting_convolution(torch.ones(1) + 0j, torch.ones(1) * 1j)
    tensor([0.-1.j])
    """
    return harmonic_multiplication(f, complex_coefficients(g, "g").conj())


def _order(psi: Tensor, order: int | None) -> int:
    return _checks.bandwidth_of(psi, "psi") - 1 if order is None else order
