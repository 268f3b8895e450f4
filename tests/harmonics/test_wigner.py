"""Wigner matrices against the exponential of the generator, e3nn, and the groups' own law."""

from math import pi

import numpy as np
import pytest
import torch
from e3nn import o3
from reference import from_euler, harmonics_at, unit_points
from scipy.linalg import expm

from equisphere.harmonics import to_real, wigner_D, wigner_d, wigner_D_real, wigner_d_series

#: angles with the ambiguous ones, negative ones and more than a turn
ANGLES = [0.0, 1e-9, 0.3, pi / 2, 2.5, pi - 1e-9, pi, -0.4, -pi, 4.0, 2 * pi]


def generator_about_y(l):
    """J_y = (J_+ - J_-) / 2i with J_+ |l m> = sqrt(l(l+1) - m(m+1)) |l m+1>, rows and columns m = -l .. l."""
    m = np.arange(-l, l)
    raising = np.diag(np.sqrt(l * (l + 1) - m * (m + 1.0)), -1)
    return (raising - raising.T) / 2j


@pytest.mark.parametrize("l", [0, 1, 2, 5, 16])
@pytest.mark.parametrize("beta", ANGLES)
def test_small_d_is_the_exponential_of_its_generator(l, beta):
    """d^l(beta) = exp(-i beta J_y)."""
    assert np.allclose(wigner_d(l, beta), expm(-1j * beta * generator_about_y(l)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("beta", ANGLES)
def test_small_d_is_orthogonal_at_degree_128(beta):
    """d^128 d^128^T = 1."""
    d = wigner_d(128, beta)
    assert np.allclose(d @ d.T, np.eye(257), rtol=0, atol=5e-13)


@pytest.mark.parametrize("l", [1, 2, 9, 40])
@pytest.mark.parametrize("beta", [0.3, 2.5, -0.4])
def test_small_d_has_its_symmetries(l, beta):
    """d_mn = (-1)^{m-n} d_nm = d_{-n,-m}, d(-beta) = d(beta)^T, d_mn(pi - beta) = (-1)^{l+m} d_{m,-n}(beta)."""
    d, m = wigner_d(l, beta), np.arange(-l, l + 1)
    sign = (-1.0) ** (m[:, None] - m)
    assert np.allclose(d, sign * d.T, rtol=0, atol=1e-13)
    assert np.allclose(d, d[::-1, ::-1].T, rtol=0, atol=1e-13)
    assert np.allclose(wigner_d(l, -beta), d.T, rtol=0, atol=1e-13)
    assert np.allclose(wigner_d(l, pi - beta), (-1.0) ** (l + m)[:, None] * d[:, ::-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("l", [0, 1, 6, 64])
def test_small_d_at_the_ambiguous_angles(l):
    """d(0) = 1 and d(pi)_mn = (-1)^{l+m} [m = -n]."""
    m = np.arange(-l, l + 1)
    assert np.allclose(wigner_d(l, 0.0), np.eye(2 * l + 1), rtol=0, atol=2e-13)
    assert np.allclose(wigner_d(l, pi), np.fliplr(np.diag((-1.0) ** (l + m))), rtol=0, atol=2e-13)


def test_the_series_holds_every_degree():
    """`wigner_d_series` gives degree l as `exp(-i beta J_y)` of that degree, for every l < 9."""
    series = wigner_d_series(9, 0.8)
    assert len(series) == 9
    for l, d in enumerate(series):
        assert np.allclose(d, expm(-0.8j * generator_about_y(l)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("l", [0, 1, 2, 7])
def test_real_matrices_are_those_of_e3nn_at_the_same_angles(l):
    """Its D^l(alpha, beta, gamma) turns about its axes y, x, y, which with (y, z, x) for (x, y, z) are our z, y, z."""
    a, b, c = 0.3, 1.1, -0.7
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn makes its generators in the default dtype
    try:
        theirs = o3.wigner_D(l, torch.tensor(a), torch.tensor(b), torch.tensor(c))
    finally:
        torch.set_default_dtype(before)
    assert np.allclose(wigner_D_real(l, a, b, c), theirs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("complex_", [False, True])
def test_wigner_matrices_turn_the_harmonics(complex_):
    """With (R.f)_lm = sum_n D_mn f_ln, sum_m (R.f)_lm Y_lm(x) = sum_n f_ln Y_ln(R^-1 x): Y(x) D = Y(R^-1 x)."""
    angles = 0.5, 2.0, -1.3
    points, R = unit_points(20), from_euler(*angles)
    here, there = (harmonics_at(p, 7, complex_).numpy() for p in (points, points @ R))
    for l in range(7):
        D = (wigner_D if complex_ else wigner_D_real)(l, *angles)
        s = slice(l * l, (l + 1) ** 2)
        assert np.allclose(here[:, s] @ D, there[:, s], rtol=0, atol=1e-13)


@pytest.mark.parametrize("l", [1, 4, 20])
def test_wigner_matrices_are_a_homomorphism(l):
    """D(g) D(h) = D(gh) for turns g = R_y(a) R_z(b), h = R_z(-b) R_y(c), whose product R_y(a + c) is known."""
    a, b, c = 0.4, 1.9, 2.2
    product = wigner_D(l, 0.0, a, b) @ wigner_D(l, -b, c, 0.0)
    assert np.allclose(product, wigner_D(l, 0.0, a + c, 0.0), rtol=0, atol=1e-13)


def test_wigner_matrices_multiply_as_general_rotations_do():
    """D(g) D(h) = D(gh), the angles of gh read from the product of the 3 x 3 matrices."""
    R = from_euler(0.4, 1.0, -2.0) @ from_euler(1.4, 2.0, 0.3)
    alpha, beta = float(torch.atan2(R[1, 2], R[0, 2])), float(torch.acos(R[2, 2]))
    gamma = float(torch.atan2(R[2, 1], -R[2, 0]))
    for l in (1, 3, 12):
        product = wigner_D(l, 0.4, 1.0, -2.0) @ wigner_D(l, 1.4, 2.0, 0.3)
        assert np.allclose(product, wigner_D(l, alpha, beta, gamma), rtol=0, atol=1e-12)
        assert np.allclose(to_real(product), wigner_D_real(l, alpha, beta, gamma), rtol=0, atol=1e-12)
        assert np.allclose(to_real(product) @ to_real(product).T, np.eye(2 * l + 1), rtol=0, atol=1e-12)


def test_a_negative_degree_is_refused():
    """There is no d^-1."""
    with pytest.raises(ValueError, match="degree must be an integer of at least 0, got -1"):
        wigner_d(-1, 0.3)
