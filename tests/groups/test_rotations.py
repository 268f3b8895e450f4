"""Rotation matrices: Rodrigues' formula, Euler angles everywhere, and the uniform measure of SO(3)."""

from math import pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import SPECIAL_ROTATIONS, about_y, about_z, from_euler, harmonics_at, randn, unit_points
from scipy.stats import kstest

import equisphere as es
from equisphere.groups import euler_angles, rotation_about

DRAWS = 20_000
#: how many standard deviations a mean may be off: of some hundred numbers none is, but for one run in 100,000
SIGMAS = 5.5


def draw(n=DRAWS, seed=0):
    return es.random_rotations(n, torch.Generator().manual_seed(seed), torch.float64)


def angle_of(R):
    """Rotation angle in [0, pi]: tr R = 1 + 2 cos(angle)."""
    return ((R.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos()


def test_random_rotations_are_rotations():
    """R R^T = 1 and det R = 1 to rounding, in either precision."""
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
        R = es.random_rotations(100, dtype=dtype)
        assert R.dtype == dtype
        assert R.shape == (100, 3, 3)
        assert torch.allclose(R @ R.mT, torch.eye(3, dtype=dtype).expand(100, 3, 3), rtol=0, atol=tolerance)
        assert torch.allclose(torch.linalg.det(R), torch.ones(100, dtype=dtype), rtol=0, atol=tolerance)


def test_the_generator_makes_a_draw_reproducible():
    """One seed, one draw; another seed, another; and the default precision is torch's."""
    assert torch.equal(draw(5, seed=3), draw(5, seed=3))
    assert not torch.equal(draw(5, seed=3), draw(5, seed=4))
    assert es.random_rotations(1).dtype == torch.get_default_dtype()
    torch.manual_seed(7)
    first = es.random_rotations(2)
    torch.manual_seed(7)
    assert torch.equal(es.random_rotations(2), first)


def test_the_entries_of_a_uniform_rotation_have_their_moments():
    """Mean R_ij = 0; mean R_ij R_kl = [ij = kl] / 3: each entry is uniform on [-1, 1] and they are uncorrelated."""
    entries = draw().flatten(1)
    second = entries.T @ entries / DRAWS
    # variances: 1/3 of R_ij, 4/45 of R_ij^2; at most 1/5 of R_ij R_kl
    assert float(entries.mean(0).abs().max()) < SIGMAS * np.sqrt(1 / 3 / DRAWS)
    assert float((second.diagonal() - 1 / 3).abs().max()) < SIGMAS * np.sqrt(4 / 45 / DRAWS)
    assert float((second - torch.diag(second.diagonal())).abs().max()) < SIGMAS * np.sqrt(1 / 5 / DRAWS)
    assert kstest(entries[:, 8], "uniform", args=(-1, 2)).pvalue > 1e-4


def test_wigner_matrices_average_to_zero_over_uniform_rotations():
    """∫ D^l(R) dR = 0 for l = 1, 2, 3 (Peter-Weyl): seen on Y_lm at rotated poles, and on the characters.

    Column 0 of D^l is Y_l(R N) / Y_l0(N), each entry of variance 1 / (2l+1); the character
    sin((2l+1) w/2) / sin(w/2) of the rotation angle w has variance 1.
    """
    R = draw()
    Y = harmonics_at(R[:, :, 2], 4)[:, 1:]  # orthonormal: variance 1 / 4 pi over the sphere
    assert float(Y.mean(0).abs().max()) < SIGMAS / np.sqrt(4 * pi * DRAWS)
    w = angle_of(R)
    for l in (1, 2, 3):
        character = ((2 * l + 1) * w / 2).sin() / (w / 2).sin()
        assert abs(float(character.mean())) < SIGMAS / np.sqrt(DRAWS)
        D = es.rotate(torch.eye(16, dtype=torch.float64)[l * l : (l + 1) ** 2], R[:4000, None])
        assert float(D.mean(0).abs().max()) < SIGMAS / np.sqrt((2 * l + 1) * 4000)


def test_the_angle_of_a_uniform_rotation_has_its_density():
    """The angle has density (1 - cos w) / pi, so distribution (w - sin w) / pi; uniform Euler angles do not."""
    assert kstest(angle_of(draw()), lambda w: (w - np.sin(w)) / pi).pvalue > 1e-4
    a, b, c = (torch.rand(3, 2000, dtype=torch.float64) * torch.tensor([[2 * pi], [pi], [2 * pi]])).tolist()
    wrong = torch.stack([from_euler(*angles) for angles in zip(a, b, c, strict=True)])
    assert kstest(angle_of(wrong), lambda w: (w - np.sin(w)) / pi).pvalue < 1e-6


def test_a_fixed_rotation_does_not_change_the_measure():
    """g R and R g are as uniform as R: the angle keeps its distribution under shifts from either side."""
    g = from_euler(0.3, 2.0, 1.0)
    for shifted in (g @ draw(), draw() @ g):
        assert kstest(angle_of(shifted), lambda w: (w - np.sin(w)) / pi).pvalue > 1e-4


angles = st.floats(-7, 7) | st.sampled_from([0.0, pi, -pi, pi / 2, 1e-12, pi - 1e-9, 1e-200])


@settings(deadline=None, derandomize=True, database=None)
@given(alpha=angles, beta=angles, gamma=angles)
def test_euler_angles_recompose_the_rotation_everywhere(alpha, beta, gamma):
    """R_z(alpha) R_y(beta) R_z(gamma) = R to rounding, the ambiguous places included, with beta in [0, pi]."""
    R = from_euler(alpha, beta, gamma)
    found = [float(angle) for angle in euler_angles(R)]
    assert torch.allclose(from_euler(*found), R, rtol=0, atol=2e-15)
    assert 0 <= found[1] <= pi


@pytest.mark.parametrize("name", SPECIAL_ROTATIONS)
def test_euler_angles_of_batches(name):
    """Leading dimensions stay, and each angle belongs to its own rotation."""
    R = torch.stack((SPECIAL_ROTATIONS[name], *draw(5)))[:, None]
    alpha, beta, gamma = euler_angles(R)
    assert alpha.shape == beta.shape == gamma.shape == (6, 1)
    again = torch.stack([from_euler(*map(float, three)) for three in zip(alpha, beta, gamma, strict=True)])
    assert torch.allclose(again[:, None], R, rtol=0, atol=2e-15)


def test_rotation_about_an_axis():
    """It fixes the axis, turns by the angle, right-handed, and is R_z, R_y about those axes."""
    angle = torch.tensor([0.4, -2.0], dtype=torch.float64)
    axis = (1.0, -2.0, 0.5)
    R = rotation_about(axis, angle)
    direction = torch.tensor(axis, dtype=torch.float64)
    assert torch.allclose(R @ direction, direction.expand(2, 3), rtol=0, atol=1e-15)
    assert torch.allclose(angle_of(R), angle.abs(), rtol=0, atol=1e-14)
    for i, a in enumerate(angle.tolist()):
        assert torch.allclose(rotation_about((0, 0, 3), angle)[i], about_z(a), rtol=0, atol=1e-15)
        assert torch.allclose(rotation_about((0, 2, 0), angle)[i], about_y(a), rtol=0, atol=1e-15)
    v = unit_points(1)[0]
    small = rotation_about(axis, torch.tensor(1e-6, dtype=torch.float64)) @ v - v
    assert torch.allclose(small / 1e-6, torch.linalg.cross(direction / direction.norm(), v), rtol=0, atol=1e-6)


def test_an_angle_given_as_a_whole_number_means_the_same():
    """`rotation_about(axis, 1)` and an integer tensor 1 are the turn by one radian."""
    turn = rotation_about((0, 0, 1), 1.0)
    assert torch.equal(rotation_about((0, 0, 1), 1), turn)
    assert torch.equal(rotation_about((0, 0, 1), torch.tensor(1)), turn)


def test_rotations_about_many_axes():
    """Axes and angles broadcast; each matrix is the exponential of the cross-product matrix of angle times unit axis."""
    axes, angles = randn(4, 1, 3), randn(5)
    R = rotation_about(axes, angles)
    assert R.shape == (4, 5, 3, 3)
    for i, axis in enumerate(axes[:, 0]):
        x, y, z = (axis / axis.norm()).tolist()
        K = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
        assert torch.allclose(R[i], torch.linalg.matrix_exp(angles[:, None, None] * K), rtol=0, atol=1e-14)
    assert rotation_about(axes.float(), 0.5).dtype == torch.float32
    assert rotation_about(axes, 1).dtype == torch.float64
    assert rotation_about(axes.float(), angles).dtype == torch.float64


def test_rotations_are_differentiable_in_axis_and_angle():
    assert torch.autograd.gradcheck(rotation_about, (randn(2, 3).requires_grad_(), randn(2).requires_grad_()))
