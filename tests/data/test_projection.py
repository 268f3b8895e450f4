"""Flat images on the sphere: where they lie, which way round, and that the map is linear and exact."""

from math import pi, tan

import numpy as np
import pytest
import torch

from equisphere.data import image_coefficients
from equisphere.harmonics import real_harmonics


def values_at(c, points):
    x, y, z = points.numpy().T
    Y = real_harmonics(int(c.shape[-1] ** 0.5), np.arccos(z), np.arctan2(y, x))
    return c.double() @ torch.from_numpy(Y).T


def point_of_pixel(row, column, size, extent):
    """The point of the sphere on the ray from the north pole through a pixel of the plane z = -1, done by hand."""
    radius = 2 * tan(extent / 2)
    x = -(column - (size - 1) / 2) * 2 / size * radius
    y = -(row - (size - 1) / 2) * 2 / size * radius
    t = 4 / (x * x + y * y + 4)  # the ray N + t ((x, y, -1) - N) meets the unit sphere
    return torch.tensor([t * x, t * y, 1 - 2 * t])


@pytest.mark.parametrize("extent", [0.7, pi / 2])
def test_a_bright_pixel_lands_where_its_ray_meets_the_sphere(extent):
    image = torch.zeros(12, 12)
    image[2, 8] = 1
    expected = point_of_pixel(2, 8, 12, extent)
    assert abs(expected.norm() - 1) < 1e-6
    c = image_coefficients(image, 40, extent)
    near = torch.nn.functional.normalize(expected + 0.15 * torch.randn(2000, 3), dim=1)
    near = torch.cat((expected[None], near))
    brightest = near[values_at(c, near).argmax()]
    assert torch.arccos((brightest @ expected).clamp(-1, 1)) < 0.05


def test_the_image_reads_right_from_outside():
    """From below with y up, the viewer's right is -x and the image's first row lies towards +y."""
    image = torch.zeros(16, 16)
    image[:, 8:] = 1  # right half
    c = image_coefficients(image, 16)
    left, right = values_at(c, torch.tensor([[0.5, 0.0, -(0.75**0.5)], [-0.5, 0.0, -(0.75**0.5)]]))
    assert right > 0.8
    assert abs(left) < 0.2
    top = image_coefficients(image.T.flip(0), 16)
    up, down = values_at(top, torch.tensor([[0.0, 0.5, -(0.75**0.5)], [0.0, -0.5, -(0.75**0.5)]]))
    assert up > 0.8
    assert abs(down) < 0.2


def test_a_white_image_has_the_area_of_its_square():
    """The mean over the sphere is the solid angle of the projected square, here by integrating 16 / (r^2 + 4)^2."""
    c = image_coefficients(torch.ones(64, 64, dtype=torch.float64), 1, pi / 2)
    half = 2.0 * (63 / 64)  # bilinear interpolation falls to zero over the last pixel: its edge counts half
    t = np.linspace(-half, half, 2001)
    x, y = np.meshgrid(t, t)
    area = (16 / (x * x + y * y + 4) ** 2).sum() * (t[1] - t[0]) ** 2
    assert abs(float(c[0]) * (4 * pi) ** 0.5 - area) < 0.02 * area


def test_it_is_linear_and_keeps_batches():
    a, b = torch.randn(2, 3, 20, 28, dtype=torch.float64)
    together = image_coefficients(2 * a - b, 10)
    assert together.shape == (3, 100)
    assert together.dtype == torch.float64
    torch.testing.assert_close(together, 2 * image_coefficients(a, 10) - image_coefficients(b, 10))


def test_bytes_are_grey_of_255():
    image = torch.randint(256, (28, 28), dtype=torch.uint8)
    torch.testing.assert_close(image_coefficients(image, 8), image_coefficients(image.float() / 255, 8))
    torch.testing.assert_close(image_coefficients(image.long(), 8), image_coefficients(image.float(), 8))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.ones(28), {}, "height, width"),
        (np.ones((28, 28)), {}, "torch tensor"),
        (torch.ones(0, 28, 28), {}, "hold pixels"),
        (torch.full((28, 28), torch.nan), {}, "finite"),
        (torch.ones(28, 28, dtype=torch.complex64), {}, "real"),
        (torch.ones(28, 28), {"extent": 4.0}, "between 0 and pi"),
        (torch.ones(28, 28), {"bandwidth": 0}, "at least 1"),
    ],
)
def test_bad_input_is_explained(images, options, message):
    with pytest.raises(ValueError, match=message):
        image_coefficients(images, **({"bandwidth": 8} | options))
