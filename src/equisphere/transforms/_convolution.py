"""The convolution theorem on the sphere."""

from math import pi

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders


def convolution_constant(bandwidth: int) -> Float64[Tensor, "degrees"]:
    """2 pi sqrt(4 pi / (2l+1)) for every degree l < L: what stands between h_l0 and the multiplier of degree l.

    >>> float(convolution_constant(1)[0]) / pi**1.5  # l = 0: 4 pi^(3/2)
    4.0
    """
    degree = torch.arange(_checks.positive_int(bandwidth, "bandwidth"), dtype=torch.float64)
    return 2 * pi * (4 * pi / (2 * degree + 1)).sqrt()


def zonal_convolution(
    f: Shaped[Tensor, "*batch coefficients"], h: Float[Tensor, "*filters degrees"]
) -> Shaped[Tensor, "*out coefficients"]:
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
    L = _checks.bandwidth_of(f)
    _checks.floating(f, "f")
    _checks.floating(h, "h")
    if h.shape[-1:] != (L,):
        raise ValueError(f"h must hold one number for each of the {L} degrees of f, got shape {tuple(h.shape)}.")
    multiplier = convolution_constant(L).to(h) * h
    degree = torch.from_numpy(degrees_and_orders(L)[0]).to(f.device)
    try:
        return f * multiplier[..., degree]
    except RuntimeError as error:
        raise ValueError(
            f"leading dimensions of f {tuple(f.shape)} and h {tuple(h.shape)} must broadcast, on one device: {error}."
        ) from None
