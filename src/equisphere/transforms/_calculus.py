"""Differential operators of the sphere: a number for each degree, so exact and without a grid.

A tangent field v is kept as its coefficients over the orthonormal vector harmonics of degree l >= 1,
    B_lm = ∇Y_lm / sqrt(l(l+1)),     C_lm = x × ∇Y_lm / sqrt(l(l+1)),     v = sum b_lm B_lm + c_lm C_lm,
as `(..., 2, L*L)`: the b_lm (the part that is a gradient, "E mode", spheroidal), then the c_lm (the part that only swirls,
"B mode", toroidal). They are flat as a signal's are, rotate by the same Wigner matrices, and their squares sum to the
integral of |v|^2 (Freeden & Schreiner 2009, chapter 5). The numbers of degree 0 mean nothing and are taken for zero.
"""

from functools import lru_cache
from math import log

import torch
from jaxtyping import Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders

Coefficients = Shaped[Tensor, "*batch coefficients"]
Field = Shaped[Tensor, "*batch 2 coefficients"]


@lru_cache(maxsize=64)
def _eigenvalues(bandwidth: int, device: torch.device) -> Tensor:
    degree = torch.from_numpy(degrees_and_orders(bandwidth)[0])
    return (degree * (degree + 1)).to(dtype=torch.float64, device=device)


def eigenvalues_of(c: Tensor) -> Tensor:
    """The number l (l+1) for each of the coefficients `(..., L*L)`, in float64: minus the eigenvalues of the Laplacian."""
    _checks.floating(c, "coefficients")
    return _eigenvalues(_checks.bandwidth_of(c), c.device)


def reciprocal(x: Tensor) -> Tensor:
    """1 / x, and 0 for 0, of numbers that are 0 or at least 1."""
    return torch.where(x == 0, 0, 1 / x.clamp(min=1))


def scaled(c: Tensor, factors: Tensor) -> Tensor:
    """`c` times float64 factors, in the precision of `c`."""
    return c * factors.to(c.real.dtype)


def field_of(v: Tensor, name: str = "field") -> None:
    """Check the coefficients `(..., 2, L*L)` of a tangent field."""
    _checks.floating(v, name)
    _checks.bandwidth_of(v, name)
    if v.ndim < 2 or v.shape[-2] != 2:
        raise ValueError(
            f"{name} must have shape (..., 2, L*L), the coefficients of its gradient part and those of its curl part, got "
            f"{tuple(v.shape)}. Of a signal `transforms.gradient(c)` makes one, of components `transforms.VectorSHT(grid)`."
        )


def laplacian(c: Coefficients) -> Coefficients:
    """The Laplace-Beltrami operator, (Δf)_lm = -l (l+1) f_lm, on the unit sphere.

    Args:
        c: coefficients `(..., L*L)`, real or complex.

    Raises:
        ValueError: where the last dimension is no L*L, the batch is empty, or the numbers are not floating point.

    >>> laplacian(torch.ones(4))
    tensor([-0., -2., -2., -2.])
    """
    return scaled(c, -eigenvalues_of(c))


def inverse_laplacian(c: Coefficients) -> Coefficients:
    """The solution of Δu = f whose mean is zero (Poisson's equation), u_lm = -f_lm / l(l+1).

    A solution exists for an f of mean zero alone, so the mean of `f` is left out of account:
    `laplacian(inverse_laplacian(c))` is `c` less its mean.

    Args:
        c: coefficients `(..., L*L)`, real or complex.

    Raises:
        ValueError: as `laplacian` does.

    >>> inverse_laplacian(torch.ones(4))
    tensor([-0.0000, -0.5000, -0.5000, -0.5000])
    """
    return scaled(c, -reciprocal(eigenvalues_of(c)))


def smooth(c: Coefficients, time: float | Tensor | None = None, *, fwhm: float | Tensor | None = None) -> Coefficients:
    """Smooth by the heat kernel, f_lm -> exp(-l (l+1) t) f_lm: heat diffusing for the time t, or a Gaussian beam.

    The heat kernel is the Gaussian of the sphere: t = sigma^2 / 2, and the full width at half maximum is sigma sqrt(8 ln 2),
    so that `fwhm` gives the window of `healpy.gauss_beam`. The mean of the signal stays.

    Args:
        c: coefficients `(..., L*L)`, real or complex.
        time: t >= 0, one number, or a tensor that broadcasts against the leading dimensions of `c`; gradients reach it.
        fwhm: in its place, the beam's full width at half maximum in radians.

    Raises:
        ValueError: where not just one of the two is given, it is negative or not finite (a negative time sharpens without
            bound), it does not broadcast, or as `laplacian` does.

    >>> smooth(torch.ones(4), time=0.5)
    tensor([1.0000, 0.3679, 0.3679, 0.3679])
    >>> smooth(torch.ones(2, 4), fwhm=torch.tensor([0.0, 1.0]))[:, 1]
    tensor([1.0000, 0.8350])
    """
    eigenvalues = eigenvalues_of(c)
    if (time is None) == (fwhm is None):
        raise ValueError(
            "smooth needs either time=t (the heat kernel exp(-l (l+1) t)) or fwhm= in radians, and not both."
        )
    name, given = ("time", time) if fwhm is None else ("fwhm", fwhm)
    width = torch.as_tensor(given, dtype=torch.float64, device=c.device)
    if _checks.readable(width) and not bool((torch.isfinite(width) & (width >= 0)).all()):
        raise ValueError(f"{name} must be finite and not negative, got {given!r}: heat does not flow back.")
    t = width if fwhm is None else width.square() / (16 * log(2))
    try:
        torch.broadcast_shapes(t.shape, c.shape[:-1])
    except RuntimeError:
        raise ValueError(
            f"{name} of shape {tuple(t.shape)} must broadcast against the leading dimensions of coefficients {tuple(c.shape)}."
        ) from None
    return scaled(c, torch.exp(-eigenvalues * t[..., None]))


def gradient(c: Coefficients) -> Field:
    """The field ∇f on the unit sphere: b_lm = sqrt(l (l+1)) f_lm, and no curl.

    ∇f = (∂f/∂theta) e_theta + (1/sin theta) (∂f/∂phi) e_phi; `VectorSHT(grid).inverse` gives these components at nodes.

    Args:
        c: coefficients `(..., L*L)`, real or complex.

    Returns:
        The coefficients `(..., 2, L*L)` of the field over the vector harmonics B and C: gradient part, curl part.

    Raises:
        ValueError: as `laplacian` does.

    >>> c = torch.randn(5, 16)
    >>> gradient(c).shape
    torch.Size([5, 2, 16])
    >>> bool(torch.allclose(divergence(gradient(c)), laplacian(c), rtol=1e-5))
    True
    """
    b = scaled(c, eigenvalues_of(c).sqrt())
    return torch.stack((b, torch.zeros_like(b)), dim=-2)


def rotated_gradient(c: Coefficients) -> Field:
    """The field x × ∇f, the gradient turned by a right angle to its left: the flow whose stream function is f.

    It has no divergence, and `curl(rotated_gradient(c))` is `laplacian(c)`. Args and errors as `gradient`.

    >>> solid = torch.tensor([0.0, 0.0, -1.0, 0.0])  # f = -z up to a factor: the sphere turning eastwards about z
    >>> rotated_gradient(solid)
    tensor([[ 0.0000,  0.0000,  0.0000,  0.0000],
            [ 0.0000,  0.0000, -1.4142,  0.0000]])
    """
    return gradient(c).flip(-2)


def divergence(field: Field) -> Coefficients:
    """The signal ∇ . v of a tangent field on the unit sphere, -sqrt(l (l+1)) b_lm.

    Args:
        field: coefficients `(..., 2, L*L)` over the vector harmonics B and C.

    Raises:
        ValueError: where the shape is not `(..., 2, L*L)`, the batch is empty, or the numbers are not floating point.

    >>> divergence(torch.ones(2, 4))
    tensor([-0.0000, -1.4142, -1.4142, -1.4142])
    """
    field_of(field)
    return scaled(field[..., 0, :], -eigenvalues_of(field).sqrt())


def curl(field: Field) -> Coefficients:
    """The signal x . (∇ × v) of a tangent field on the unit sphere (its vorticity), -sqrt(l (l+1)) c_lm.

    Args:
        field: coefficients `(..., 2, L*L)` over the vector harmonics B and C.

    Raises:
        ValueError: as `divergence` does.

    >>> curl(gradient(torch.ones(4)))
    tensor([-0., -0., -0., -0.])
    """
    field_of(field)
    return divergence(field.flip(-2))
