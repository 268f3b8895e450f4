"""Alignment finds the rotation, says how sure it is, and gives every symmetry."""

from math import pi

import numpy as np
import pytest
import torch
from reference import SPECIAL_ROTATIONS, harmonics_at, randn, relative_error
from torch.autograd import gradcheck, gradgradcheck

import equisphere as es
from equisphere.align import align, correlation
from equisphere.transforms import SO3Transform, to_complex_basis


def draw(n, seed=1, dtype=torch.float64):
    return es.random_rotations(n, torch.Generator().manual_seed(seed), dtype)


def angle(R, S):
    """Angle between rotations, radians: |R - S|^2 = 8 sin^2(angle / 2)."""
    return 2 * torch.asin(((R.double() - S.double()).flatten(-2).norm(dim=-1) / 8**0.5).clamp(max=1))


def coefficients_of_points(points, L):
    """A point mass at each point, cut to the band limit and made smooth: it has the symmetries of the points."""
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    return harmonics_at(points, L).sum(0) * torch.exp(-degree * (degree + 1) / 40.0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.complex128])
def test_the_rotation_between_two_signals_is_found(dtype):
    """To rounding, since the maximum is climbed with exact derivatives; the special rotations are among them."""
    R = torch.cat((torch.stack(list(SPECIAL_ROTATIONS.values())), draw(8)))
    a = randn(len(R), 10 * 10, dtype=dtype)
    found = align(a, es.rotate(a, R))
    exact = dtype in (torch.float64, torch.complex128)
    assert found.rotation.dtype == (torch.float64 if exact else torch.float32)
    assert float(angle(found.rotation, R).max()) < (1e-7 if exact else 2e-6)
    assert torch.allclose(found.score, torch.ones_like(found.score), rtol=0, atol=1e-6)
    assert bool((found.margin > 0.2).all())
    assert relative_error(es.rotate(a, found.rotation), es.rotate(a, R)) < (1e-6 if exact else 2e-5)


@pytest.mark.parametrize("L", [2, 3, 20])
def test_small_and_large_band_limits(L, monkeypatch):
    """Degree 1 alone is a vector, whose turn about itself is free: it is degree 2 that makes L = 3 unique up to half turns."""
    monkeypatch.setattr("equisphere.align._align.SEARCHED", 8)  # the climb alone sees the degrees beyond
    R = draw(2)
    a = randn(2, L * L)
    b = es.rotate(a, R)
    found = align(a, b)
    assert torch.allclose(found.score, torch.ones(2, dtype=torch.float64), atol=1e-9)
    assert relative_error(es.rotate(a, found.rotation)[:, 1:], b[:, 1:]) < 1e-6


def test_the_score_is_the_correlation_over_the_sphere():
    """Pearson's, between R.a and b with means removed: scale and offset do not matter, and its range is [0, 1]."""
    a = randn(64)
    b = es.rotate(a, draw(1)[0]) + 0.5 * randn(64)
    found = align(a, b)
    moved = es.rotate(a, found.rotation)
    assert np.isclose(float(found.score), np.corrcoef(sphere(moved), sphere(b))[0, 1], atol=0.02)
    scaled = align(a + 100 * torch.eye(64)[0], 3 * b)
    assert torch.allclose(scaled.rotation, found.rotation, atol=1e-7)
    assert torch.isclose(scaled.score, found.score, atol=1e-12)


def sphere(c):
    """Values at many points spread evenly."""
    n = 20000
    z = 1 - (2 * torch.arange(n, dtype=torch.float64) + 1) / n
    phi = pi * (1 + 5**0.5) * torch.arange(n)
    r = (1 - z * z).sqrt()
    return (harmonics_at(torch.stack((r * phi.cos(), r * phi.sin(), z), dim=-1), 8) @ c).numpy()


def test_correlation_is_the_inner_product_with_each_rotated_signal():
    a, b = randn(2, 25), randn(2, 25)
    C = correlation(a, b)
    R = SO3Transform(5).rotations
    assert C.shape == (2, 10, 5, 10)
    a[:, 0] = b[:, 0] = 0
    turned = es.rotate(a[:, None, None, None], R)
    wanted = (turned * b[:, None, None, None]).sum(-1) / (a.norm(dim=1) * b.norm(dim=1))[:, None, None, None]
    assert torch.allclose(C, wanted, rtol=0, atol=1e-13)
    complex_ = correlation(to_complex_basis(a), to_complex_basis(b), bandwidth=5)
    assert torch.allclose(complex_, C, rtol=0, atol=1e-13)


def test_correlation_on_a_finer_grid_and_its_gradient():
    a, b = randn(16), randn(16)
    assert correlation(a, b, bandwidth=7).shape == (14, 7, 14)
    assert float(correlation(a, es.rotate(a, draw(1)[0]), bandwidth=20).max()) > 0.97
    assert gradcheck(correlation, (a.requires_grad_(), b.requires_grad_()), fast_mode=True)


def test_channels_turn_together():
    """Degree 1 of each channel is a vector: two of them fix a rotation that one leaves free."""
    R = draw(1)[0]
    a = torch.zeros(2, 4, dtype=torch.float64)
    a[0, 1:], a[1, 1:] = randn(3), randn(3)
    found = align(a, es.rotate(a, R), channels=True)
    assert float(angle(found.rotation, R)) < 1e-7
    alone = align(a, es.rotate(a, R))
    assert alone.rotation.shape == (2, 3, 3)
    assert bool(alone.error.isinf().all())


def test_leading_dimensions_broadcast():
    R = draw(6).reshape(2, 3, 3, 3)
    a = randn(3, 49)
    found = align(a, es.rotate(a, R), peaks=3)
    assert found.rotation.shape == (2, 3, 3, 3)
    assert found.score.shape == found.margin.shape == found.error.shape == (2, 3)
    assert found.rotations.shape == (2, 3, 3, 3, 3)
    assert float(angle(found.rotation, R).max()) < 1e-7
    assert torch.equal(found.rotations[:, :, 0], found.rotation)


@pytest.mark.parametrize(("name", "order"), [("Tetrahedral", 12), ("Octahedral", 24), ("Icosahedral", 60)])
def test_every_symmetry_of_a_solid_is_a_maximum(name, order):
    """The maxima of a turned solid are R S for each symmetry S, and the margin says that one is as good as another."""
    group = getattr(es.groups, name)()
    start = torch.tensor([1.0, 1, 1], dtype=torch.float64) if order == 12 else torch.tensor([0.1, 0.0, 1]).double()
    a = coefficients_of_points(torch.nn.functional.normalize(group.elements @ start, dim=-1), 16)
    R = draw(1)[0]
    found = align(a, es.rotate(a, R), peaks=order + 6)
    assert int(found.count(1e-6)) == order
    assert float(found.margin) < 1e-9
    distances = angle(found.rotations[:order, None], R @ group.elements)
    assert float(distances.min(dim=0).values.max()) < 1e-6
    assert float(distances.min(dim=1).values.max()) < 1e-6


def test_a_zonal_signal_leaves_a_turn_free():
    a = torch.zeros(64, dtype=torch.float64)
    a[torch.arange(8) ** 2 + torch.arange(8)] = randn(8)
    R = draw(1)[0]
    found = align(a, es.rotate(a, R))
    assert torch.isclose(found.score, torch.ones((), dtype=torch.float64), atol=1e-9)
    assert float((found.rotation[:, 2] - R[:, 2]).norm()) < 1e-6  # where the axis goes is found
    assert bool(found.error.isinf())


def test_the_stated_error_is_the_error_made():
    """Over noise as strong as the signal: the root mean square of what was stated is that of what was found."""
    n, L = 60, 12
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    a = randn(L * L) / (1.0 + degree)
    a[0] = 0
    R = draw(n)
    noise = randn(n, L * L)
    b = es.rotate(a, R) + noise / noise.norm(dim=1, keepdim=True) * a.norm()
    found = align(a, b)
    made, stated = (x.square().mean().sqrt() for x in (angle(found.rotation, R), found.error))
    assert 0.75 < float(stated / made) < 1.33
    assert 0.6 < float(found.score.mean()) < 0.8  # sqrt(1/2), and the noise that fits


def test_unrelated_signals_score_low():
    found = align(randn(5, 256), randn(5, 256))
    assert bool((found.score < 0.4).all())
    assert bool((found.margin < 0.1).all())
    assert bool((found.score[:, None] >= found.scores).all())


def test_weights_leave_out_degrees():
    """Noise in high degrees is not seen where their weight is zero."""
    R = draw(1)[0]
    a = randn(100)
    b = es.rotate(a, R)
    b[25:] = 10 * randn(75)
    weights = (torch.arange(10) < 5).double()
    assert float(angle(align(a, b, weights=weights).rotation, R)) < 1e-7


def test_score_and_rotation_have_the_derivatives_of_the_maximum():
    """By differences: the maximum is found anew for each changed signal."""
    a = randn(16).requires_grad_()
    b = es.rotate(a.detach(), draw(1)[0]) + 0.1 * randn(16)

    def outcome(a, b):
        found = align(a, b)
        return found.rotation, found.score

    assert gradcheck(outcome, (a, b.requires_grad_()), eps=1e-5, atol=1e-5, fast_mode=True)
    assert gradgradcheck(
        outcome, (a, b), eps=1e-5, atol=1e-5, fast_mode=True
    )  # the rotation answers, in the second too


def test_a_mirror_image_is_not_found():
    """(-1)^l f_lm is the signal at -x: no rotation makes it of a chiral one."""
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(8)[0])
    a = randn(64)
    assert float(align(a, (-1.0) ** degree * a).score) < 0.9


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: align(torch.ones(16), torch.ones(25)), "b must have band limit 4.*got band limit 5"),
        (lambda: align(torch.ones(15), torch.ones(15)), "no positive square number"),
        (lambda: align(torch.ones(1), torch.ones(1)), "band limit 1 are constants"),
        (lambda: align(torch.ones(16), torch.ones(16), weights=[1.0] * 4), "weights must be a torch tensor"),
        (lambda: align(torch.zeros(16), torch.ones(16)), "a must differ from a constant"),
        (lambda: align(torch.ones(2, 16), torch.eye(16)[:2]), "b must differ from a constant.*number \\[0\\]"),
        (lambda: align(torch.ones(16), torch.full((16,), float("nan"))), "b must be finite"),
        (lambda: align(torch.ones(16), torch.ones(16).long()), "b must hold floating point"),
        (lambda: align(torch.ones(16), torch.ones(16) + 0j), "both be real.*or both complex"),
        (lambda: align(torch.ones(2, 16), torch.ones(3, 16)), "must broadcast"),
        (lambda: align(torch.ones(16), torch.ones(16), channels=True), "channels, L\\*L"),
        (lambda: align(torch.ones(2, 16), torch.ones(3, 16), channels=True), "same channels"),
        (lambda: align(torch.ones(16), torch.ones(16), peaks=0), "peaks must be at least 1"),
        (lambda: align(torch.ones(16), torch.ones(16), weights=torch.ones(3)), "weights must be 4 finite numbers"),
        (lambda: align(torch.ones(16), torch.ones(16), weights=-torch.ones(4)), "weights must be 4 finite numbers"),
        (lambda: correlation(torch.ones(16), torch.ones(16), bandwidth=3), "at least that of the signals, 4, got 3"),
        (lambda: align(torch.ones(0, 16), torch.ones(16)), "at least one signal"),
        (lambda: align([1.0], torch.ones(16)), "must be a torch tensor"),
    ],
)
@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_randomly_rotated_topography_is_found(real_data):
    """The Earth's relief at band limit 32, turned at random: far below 0.1 degree; below 2 under noise of its own size."""
    with np.load(real_data / "earth_sky_fields.npz") as fields:
        relief = torch.from_numpy(fields["topo1deg_m"].astype(np.float32))
    a = es.SHT(es.grids.DriscollHealy(nlat=180, nlon=360), 32)(relief)
    R = draw(6, dtype=torch.float32)
    b = es.rotate(a, R)
    degrees = 180 / pi
    assert float(angle(align(a, b).rotation, R).median()) * degrees < 1e-4
    noise = randn(6, 32 * 32, dtype=torch.float32)
    noise[:, 0] = 0
    b = b + noise / noise.norm(dim=1, keepdim=True) * a[1:].norm()
    assert float(angle(align(a, b).rotation, R).median()) * degrees < 2
