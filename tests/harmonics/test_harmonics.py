"""The reference harmonics against SciPy and e3nn, and the change between the real and the complex ones."""

import numpy as np
import pytest
import torch
from e3nn import o3
from reference import harmonics_at, unit_points
from scipy.integrate import quad
from scipy.special import sph_harm_y

from equisphere.harmonics import (
    associated_legendre,
    complex_harmonics,
    degrees_and_orders,
    flat_index,
    real_from_complex,
    real_harmonics,
)

#: colatitudes with both poles, longitudes beyond one turn
THETA = np.concatenate(([0.0, np.pi], np.linspace(0.01, 3.1, 23)))
PHI = np.linspace(-4.0, 9.0, 25)


def test_complex_harmonics_are_those_of_scipy():
    """Y_lm = scipy.special.sph_harm_y(l, m, theta, phi), Condon-Shortley phase included, in the flat order."""
    degree, order = degrees_and_orders(24)
    Y = sph_harm_y(degree, order, THETA[:, None], PHI[:, None])
    assert np.allclose(complex_harmonics(24, THETA, PHI), Y, rtol=0, atol=2e-14)


def test_real_harmonics_are_those_of_e3nn_with_its_polar_axis_y():
    """Ours at (x, y, z) are e3nn's of the same degree at (y, z, x), in the same order of m."""
    points = torch.cat((unit_points(50), torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)))
    theirs = o3.spherical_harmonics(list(range(12)), points[:, [1, 2, 0]], normalize=False, normalization="integral")
    assert torch.allclose(harmonics_at(points, 12), theirs, rtol=0, atol=1e-13)


def test_real_harmonics_are_cosines_and_sines_without_condon_shortley_phase():
    """Y_{l,m} = sqrt2 (-1)^m Re Y^c_lm, Y_{l,-m} = sqrt2 (-1)^m Im Y^c_lm, and Y_l0 = Y^c_l0 (MATH 3), from SciPy."""
    Y = real_harmonics(9, THETA, PHI)
    for l in range(9):
        assert np.allclose(Y[:, flat_index(l, 0)], sph_harm_y(l, 0, THETA, PHI).real, rtol=0, atol=1e-14)
        for m in range(1, l + 1):
            plain = np.sqrt(2) * (-1) ** m * sph_harm_y(l, m, THETA, PHI)
            assert np.allclose(Y[:, flat_index(l, m)], plain.real, rtol=0, atol=1e-14)
            assert np.allclose(Y[:, flat_index(l, -m)], plain.imag, rtol=0, atol=1e-14)


def test_degree_one_is_y_z_x():
    """The real harmonics of degree 1 are sqrt(3 / 4 pi) (y, z, x)."""
    points = unit_points(10)
    assert torch.allclose(harmonics_at(points, 2)[:, 1:], np.sqrt(3 / (4 * np.pi)) * points[:, [1, 2, 0]], atol=1e-15)


def test_flat_index_counts_through_degrees_and_orders():
    """(l, m) stands at l*l + l + m, and an order beyond the degree is refused."""
    degree, order = degrees_and_orders(7)
    assert [flat_index(int(l), int(m)) for l, m in zip(degree, order, strict=True)] == list(range(49))
    with pytest.raises(ValueError, match=r"\|m\| <= l"):
        flat_index(2, -3)


@pytest.mark.parametrize("degree", [0, 1, 2, 7, 30])
def test_the_change_of_basis_is_unitary_and_right(degree):
    """Y^real = U Y^complex with U U* = 1."""
    U = real_from_complex(degree)
    here = slice(degree**2, (degree + 1) ** 2)
    assert np.allclose(U @ U.conj().T, np.eye(2 * degree + 1), rtol=0, atol=1e-15)
    real = real_harmonics(degree + 1, THETA, PHI)[:, here]
    assert np.allclose(complex_harmonics(degree + 1, THETA, PHI)[:, here] @ U.T, real, rtol=0, atol=1e-13)


@pytest.mark.parametrize("m", [0, 1, 2, 57, 150, 199, 200])
def test_associated_legendre_agrees_with_scipy_at_degree_200(m):
    """(-1)^m P_lm(cos theta) is SciPy's Y_lm(theta, 0) for every l <= 200, for low, middle and sectoral orders.

    Rounding x = cos theta alone moves P_l0 by eps/2 P_l0'(1) = 2^-53 l(l+1)/2 sqrt((2l+1) / 4 pi) = 1.3e-11 at a pole.
    """
    ours = associated_legendre(m, 201, THETA)
    degrees = np.arange(m, 201)[:, None]
    theirs = (-1) ** m * sph_harm_y(degrees, m, THETA, 0.0).real
    assert ours.shape == (201 - m, len(THETA))
    assert np.allclose(ours, theirs, rtol=0, atol=1.3e-11)
    away = np.sin(THETA) > 0.2
    assert np.allclose(ours[:, away], theirs[:, away], rtol=0, atol=1e-13)


@pytest.mark.parametrize(("l", "k", "m"), [(3, 3, 0), (5, 3, 1), (8, 8, 8), (20, 18, 6), (20, 20, 6)])
def test_associated_legendre_functions_are_orthonormal(l, k, m):
    """2 pi ∫ P_lm P_km sin(theta) dtheta = [l = k]."""

    def integrand(theta):
        P = associated_legendre(m, 21, np.array([theta]))[:, 0]
        return 2 * np.pi * P[l - m] * P[k - m] * np.sin(theta)

    assert quad(integrand, 0, np.pi, limit=200)[0] == pytest.approx(float(l == k), abs=1e-10)


def test_orders_beyond_the_band_limit_have_no_degrees():
    """For m >= L there is no degree m <= l < L."""
    assert associated_legendre(5, 5, THETA).shape == (0, len(THETA))


def test_very_high_orders_vanish_at_the_poles_without_warning():
    """sin^m theta underflows to 0 for m = 400 near a pole, as the function itself does."""
    P = associated_legendre(400, 402, np.array([1e-3, np.pi / 2]))
    assert P[0, 0] == 0
    assert P[0, 1] == pytest.approx(abs(sph_harm_y(400, 400, np.pi / 2, 0.0)), rel=1e-12)
