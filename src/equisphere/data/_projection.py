"""Flat images onto the sphere."""

from functools import lru_cache
from math import pi

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.transforms import SHT


def image_coefficients(
    images: Shaped[Tensor, "*batch height width"], bandwidth: int, extent: float = pi / 2
) -> Float[Tensor, "*batch coefficients"]:
    r"""Project images stereographically, from the north pole, and take the coefficients of what results.

    The image lies on the plane that touches the sphere at the south pole; a ray from the north pole through a pixel meets
    the sphere at colatitude theta = pi - 2 atan(r / 2), r the distance of the pixel from the centre (Cohen et al. 2018).
    Stereographic projection keeps angles, so small shapes keep their form. Between pixels the image is bilinear, outside
    black. Convention: rows run along -y and columns along -x, so that the image reads right from outside the sphere,
    looked at from below with y up.

    The whole map is linear in the pixels, so it is one matrix, made once for each size of image: a batch costs one product.

    Args:
        images: `(..., height, width)`, of any range, integers as they are; but bytes (uint8) are grey levels of 255 and become
            0 to 1.
        bandwidth: band limit L of the result. A digit of 28 pixels across a hemisphere has features of 6 degrees, so that
            L = 28 resolves each pixel.
        extent: angle (radians) between the south pole and the middle of the image's edge; pi/2 puts the
            inscribed circle of the image on the equator.

    Returns:
        `(..., L*L)` in float32, or float64 for float64 images.

    Raises:
        ValueError: where the images are no tensor, have fewer than two dimensions, are empty, not finite or complex, or the
            extent is not between 0 and pi.

    >>> c = image_coefficients(torch.ones(2, 28, 28), bandwidth=12)
    >>> c.shape
    torch.Size([2, 144])
    """
    _checks.tensor(images, "images")
    if images.ndim < 2 or images.numel() == 0:
        raise ValueError(f"images must have shape (..., height, width) and hold pixels, got {tuple(images.shape)}.")
    if images.ndim == 3 and images.shape[-1] in (3, 4):
        raise ValueError(
            f"images must end with (height, width), got {tuple(images.shape)}: bring colours to the front by "
            "`images.permute(2, 0, 1)`, which gives a signal for each."
        )
    if images.is_complex():
        raise ValueError("images must be real, got complex numbers.")
    if not 0 < extent < pi:
        raise ValueError(f"extent must lie between 0 and pi radians (the distance from the pole), got {extent}.")
    _checks.finite(images, "images")
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    height, width = images.shape[-2:]
    matrix = _projection_matrix(height, width, _checks.positive_int(bandwidth, "bandwidth"), float(extent))
    pixels = images.to(dtype) / 255 if images.dtype == torch.uint8 else images.to(dtype)
    return pixels.flatten(-2) @ matrix.to(dtype=dtype, device=images.device)


@lru_cache(maxsize=8)
def _projection_matrix(height: int, width: int, bandwidth: int, extent: float) -> Float[Tensor, "pixels coefficients"]:
    """Coefficients of each pixel's bilinear hat, by quadrature on a grid several times finer than a pixel."""
    fine = max(2 * bandwidth, 96, 2 * max(height, width))
    grid = GaussLegendre(bandwidth, nlat=fine, nlon=2 * fine)
    points = grid.points
    # from the north pole to the plane z = -1: the ray through (x, y, z) meets it at 2 (x, y) / (1 - z)
    plane = 2 * points[..., :2] / (1 - points[..., 2:])
    half = 2 * torch.tan(torch.tensor(extent, dtype=torch.float64) / 2)  # radius of the image's inscribed circle
    size = max(height, width)
    column = -plane[..., 0] / half * size / 2 + (width - 1) / 2
    row = -plane[..., 1] / half * size / 2 + (height - 1) / 2
    rows = (1 - (row[..., None] - torch.arange(height)).abs()).clamp(min=0)
    columns = (1 - (column[..., None] - torch.arange(width)).abs()).clamp(min=0)
    sht = SHT(grid, bandwidth)
    # one row of the image at a time, to bound the memory
    return torch.cat([sht((rows[..., i, None] * columns).permute(2, 0, 1)) for i in range(height)]).contiguous()
