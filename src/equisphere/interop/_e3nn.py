"""e3nn: real harmonics about the y axis."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.harmonics import degrees_and_orders
from equisphere.interop._layouts import as_tensor, real_coefficients
from equisphere.transforms import rotate

#: its harmonics at (x, y, z) are those here at (z, x, y): the rotation that takes the one point to the other
_AXES = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def _scale(c: Tensor, normalization: str) -> Tensor:
    """e3nn's harmonic of each degree in units of the orthonormal one."""
    degree = torch.from_numpy(degrees_and_orders(real_coefficients(c))[0]).to(c)
    if normalization == "integral":
        return torch.ones_like(degree)
    if normalization == "component":
        return torch.full_like(degree, (4 * pi) ** 0.5)
    if normalization == "norm":
        return (4 * pi / (2 * degree + 1)).sqrt()
    raise ValueError(f"normalization must be 'integral', 'component' or 'norm', got {normalization!r}.")


def to_e3nn(
    c: Float[Tensor, "*batch coefficients"], normalization: str = "integral"
) -> Float[Tensor, "*batch coefficients"]:
    """Coefficients over `e3nn.o3.spherical_harmonics` of the same function of the same points (x, y, z).

    e3nn's polar axis is y, so that a rotation of 120 degrees about (1, 1, 1) stands between the two. Where renaming the axes
    is enough (points given to e3nn as (y, z, x)), the numbers are the same and nothing needs conversion but the norm.

    Args:
        c: real coefficients `(..., L*L)`.
        normalization: of e3nn's harmonics: "integral" (orthonormal, as here), "component" or "norm".

    Returns:
        `(..., L*L)`, the irreps 0e + 1o + 2e + ..; differentiable.

    Raises:
        ValueError: where the coefficients are complex, no L*L, or the normalisation is unknown.

    >>> to_e3nn(torch.tensor([0.0, 0.0, 1.0, 0.0])).abs().round()  # z stands last among e3nn's x, y, z
    tensor([0., 0., 0., 1.])
    """
    scale = _scale(c, normalization)
    return rotate(c, torch.tensor(_AXES, dtype=torch.float64, device=c.device)) / scale


def from_e3nn(
    a: Float[Tensor, "*batch coefficients"], normalization: str = "integral"
) -> Float[Tensor, "*batch coefficients"]:
    """Coefficients `(..., L*L)` from those over e3nn's harmonics: the inverse of `to_e3nn`.

    Raises:
        ValueError: as `to_e3nn` does.

    >>> c = torch.randn(3, 25)
    >>> bool(torch.allclose(from_e3nn(to_e3nn(c, "norm"), "norm"), c, atol=1e-5))
    True
    """
    a = as_tensor(a, "a")
    scaled = a * _scale(a, normalization)
    return rotate(scaled, torch.tensor(_AXES, dtype=torch.float64, device=a.device).mT)
