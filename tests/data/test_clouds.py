"""Clouds on the sphere: the formula done plainly, equivariance to rounding, derivatives, the way back."""

from math import pi

import numpy as np
import pytest
import torch
from rounding import bound, product, rotation

import equisphere as es
from equisphere.data import Shells, cloud_coefficients, cloud_density, normalize_points
from equisphere.groups import rotation_about
from equisphere.harmonics import real_harmonics


def rotations(n=6):
    """Random ones, a turn about z, and one that takes the pole to the opposite pole."""
    chosen = [
        rotation_about((0.0, 0.0, 1.0), torch.tensor(0.7).double()),
        rotation_about((1.0, 0.0, 0.0), torch.tensor(pi).double()),
    ]
    return torch.cat((es.random_rotations(n, dtype=torch.float64), torch.stack(chosen)))


def test_it_is_the_sum_it_says():
    points = torch.randn(50, 3, dtype=torch.float64)
    weights = torch.rand(50, dtype=torch.float64)
    r = points.norm(dim=1)
    Y = real_harmonics(7, torch.arccos(points[:, 2] / r).numpy(), torch.atan2(points[:, 1], points[:, 0]).numpy())
    centres = (np.arange(4) + 0.5) * 0.5
    b = np.exp(-((r.numpy()[:, None] - centres) ** 2) / (2 * 0.25**2))
    expected = np.einsum("p,pk,pl->kl", weights.numpy(), b, Y)
    found = cloud_coefficients(points, 7, Shells(4, reach=2.0), weights)
    torch.testing.assert_close(found, torch.from_numpy(expected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equivariance_is_exact_up_to_rounding(dtype):
    """Both sides sum n rounded terms.

    The recurrence errs by up to L u in each harmonic (variance 3 L^2), and a turned point lies off by a product of three
    terms and a normalisation, 3 units more, which a harmonic magnifies by at most L; radii likewise, of which the
    logarithm of a shell changes by at most 4 (r - r_k) r / step^2 < 20 here.
    """
    L, n = 12, 200
    points = torch.randn(n, 3, dtype=torch.float64) / 2
    points[:3] = torch.tensor([[0.0, 0.0, 0.9], [0.0, 0.0, -0.4], [0.0, 0.0, 0.0]])
    signs = torch.randn(n, dtype=dtype)  # no degree towers above the others
    R = rotations()
    turned = torch.einsum("gij,nj->gni", R.to(dtype), points.to(dtype))
    left = cloud_coefficients(turned, L, 3, signs.expand(len(R), -1))
    right = es.rotate(cloud_coefficients(points.to(dtype), L, 3, signs), R.to(dtype)[:, None])
    error = (left - right).norm(dim=(1, 2)) / right.norm(dim=(1, 2))
    once = 3 * L**2 + product(n)
    assert error.max() <= bound(2 * once + (product(3) + 3) * (L**2 + 20**2) + rotation(L, dtype), dtype)
    assert error.max() > 0


def test_gradients_flow_to_points_and_weights():
    points = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p, w: cloud_coefficients(p, 4, 2, w), (points, weights))
    origin = torch.zeros(1, 3, requires_grad=True)
    cloud_coefficients(origin, 4)[:, 0].sum().backward()
    assert torch.isfinite(origin.grad).all()


def test_the_origin_counts_in_degree_zero_alone():
    c = cloud_coefficients(torch.zeros(1, 3), 5, Shells(2))
    assert (c[:, 1:] == 0).all()
    torch.testing.assert_close(c[:, 0], Shells(2)(torch.zeros(())) / (4 * pi) ** 0.5)


def test_padding_with_weight_zero_changes_nothing():
    points = torch.randn(30, 3)
    padded = torch.cat((points, torch.randn(10, 3)))
    weights = torch.cat((torch.full((30,), 1 / 30), torch.zeros(10)))
    torch.testing.assert_close(cloud_coefficients(padded, 6, 6, weights), cloud_coefficients(points, 6))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_tiny_and_huge_clouds_are_normalised(scale):
    points = torch.randn(40, 3)
    torch.testing.assert_close(
        normalize_points(points * scale + 5 * scale), normalize_points(points), rtol=0, atol=1e-5
    )
    assert torch.isfinite(cloud_coefficients(points * scale, 4, lambda r: torch.ones_like(r)[..., None])).all()


def test_density_is_the_adjoint_and_finds_the_points():
    points, there = torch.randn(2, 20, 3, dtype=torch.float64) / 2
    w, v = torch.randn(2, 20, dtype=torch.float64)
    once = cloud_density(cloud_coefficients(points, 8, 4, w), there) @ v
    other = cloud_density(cloud_coefficients(there, 8, 4, v), points) @ w
    torch.testing.assert_close(once, other)


def test_real_clouds_keep_their_spectrum_when_turned(real_data):
    with np.load(real_data / "modelnet10_train_points.npz") as file:
        points = torch.from_numpy(file["points"][:4].astype(np.float64) / 32767)
    R = es.random_rotations(4, dtype=torch.float64)
    before, after = (es.power_spectrum(cloud_coefficients(p, 12)) for p in (points, points @ R.mT))
    torch.testing.assert_close(before, after, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (torch.zeros(0, 3), {}, "at least one point"),
        (torch.zeros(4, 2), {}, r"\(\.\.\., n, 3\)"),
        (torch.full((4, 3), torch.nan), {}, "finite"),
        (torch.zeros(4, 3, dtype=torch.int64), {}, "floating point"),
        (torch.ones(4, 3), {"weights": torch.ones(5)}, "one number a point"),
        (torch.ones(4, 3), {"shells": 0}, "at least 1"),
        (torch.ones(4, 3), {"shells": lambda r: r}, "radial functions"),
    ],
)
def test_bad_input_is_explained(points, options, message):
    with pytest.raises(ValueError, match=message):
        cloud_coefficients(points, 4, **options)
