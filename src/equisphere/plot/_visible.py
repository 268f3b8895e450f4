"""What an eye far away sees of a signal on the sphere."""

from math import atan2, cos, hypot, pi, sin

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.harmonics import associated_legendre
from equisphere.transforms import SHT, rotate

#: (colatitude, longitude) of the eye, radians
View = tuple[float, float]
#: From thirty degrees north, as globes are mostly drawn.
TILTED: View = (pi / 3, pi / 2)
#: From below with y up: an image projected by `equisphere.data` reads right.
FROM_BELOW: View = (pi, pi / 2)


def frame_of(view: View) -> Float64[np.ndarray, "3 3"]:
    """Rows: unit vectors towards the eye, to the right (east) and up (north) of the picture."""
    theta, phi = view
    eye = [sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)]
    right = [-sin(phi), cos(phi), 0.0]
    up = [-cos(theta) * cos(phi), -cos(theta) * sin(phi), sin(theta)]
    return np.array([eye, right, up])


def facing(c: Float[Tensor, "coefficients"]) -> View:
    """The view onto the side where most of a signal lies: its mean direction, read from degree 1, which is (y, z, x).

    >>> facing(torch.tensor([0.0, 0.0, -2.0, 0.0])) == (pi, 0.0)  # everything in the south
    True
    """
    y, z, x = c[1:4].tolist() if len(c) >= 4 else (0.0, 0.0, 0.0)
    return (atan2(hypot(x, y), z), atan2(y, x)) if (x, y, z) != (0, 0, 0) else TILTED


def depth_of(pixels: int) -> Float64[np.ndarray, "pixels pixels"]:
    """How far the point under each pixel stands out towards the eye: 1 in the middle, 0 at the edge and beyond."""
    across = _centres(pixels)
    return np.sqrt(np.maximum(1 - across[None, :] ** 2 - across[:, None] ** 2, 0))


def visible(c: Float[Tensor, "coefficients"], view: View, pixels: int) -> Float64[np.ndarray, "pixels pixels"]:
    """Values at the centres of the pixels, exact up to rounding; first row lowest. Outside the disc, those of its edge.

    The signal is turned until the eye is on the x axis with north up. Then each row of pixels is a piece of one circle
    of latitude, so that the sum over l is done once for a row, and what remains is a polynomial in e^{i phi}:
        f(theta, phi) = Re sum_m (A_m - i B_m) e^{i m phi},  A_m - i B_m = sum_l N_m P_lm(cos theta) (c_lm - i c_l,-m),
    with N_0 = 1, B_0 = 0 and N_m = sqrt2 beyond (`harmonics.real_harmonics`).
    """
    turned = rotate(c.detach().cpu().double(), torch.tensor(frame_of(view)))
    L, flat, across = _checks.bandwidth_of(c), turned.numpy(), _centres(pixels)
    edge = np.sqrt(1 - across[:, None] ** 2)  # half the width of the disc in each row
    e = (depth_of(pixels) + 1j * np.clip(across[None, :], -edge, edge)) / edge
    total = np.zeros((pixels, pixels), dtype=np.complex128)
    for m in reversed(range(L)):  # Horner's rule
        place = np.arange(m, L) * np.arange(m + 1, L + 1)  # l*l + l
        both = flat[place] + 0j if m == 0 else np.sqrt(2) * (flat[place + m] - 1j * flat[place - m])
        total *= e
        total += (both @ associated_legendre(m, L, np.arccos(across)))[:, None]
    return total.real


def everywhere(c: Float[Tensor, "*n coefficients"]) -> Float64[Tensor, "*n nlat nlon"]:
    """Values on a grid at least twice as fine as the band limit asks, to find the least and the greatest."""
    L = _checks.bandwidth_of(c)
    rings = max(2 * L, 64)
    return SHT(GaussLegendre(L, nlat=rings, nlon=2 * rings), L).inverse(c.detach().cpu().double())


def signals_of(c: Tensor, ndim: int) -> Tensor:
    """Check for one real signal (`ndim` 1) or several (2)."""
    _checks.real(c, "coefficients")
    _checks.bandwidth_of(c)
    if c.ndim != ndim or c.numel() == 0:
        shape, remedy = (
            ("(L*L,)", "take one signal by `c[0]`") if ndim == 1 else ("(n, L*L)", "add a dimension by `c[None]`")
        )
        raise ValueError(f"coefficients must have shape {shape} here, got {tuple(c.shape)}: {remedy}.")
    _checks.finite(c, "coefficients")
    return c


def _centres(pixels: int) -> Float64[np.ndarray, "pixels"]:
    """Centres of the pixels across the globe, from -1 to 1."""
    pixels = _checks.positive_int(pixels, "pixels")
    return (2 * np.arange(pixels) + 1) / pixels - 1
