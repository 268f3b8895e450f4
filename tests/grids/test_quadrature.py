"""Quadrature: weights that integrate harmonics exactly, to the degree that they state and no further."""

import numpy as np
import pytest
import torch
from reference import KINDS, SHAPES, harmonics_at
from scipy.special import eval_legendre, roots_legendre

from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre

every_kind = pytest.mark.parametrize("kind", KINDS)
SMALL = [*SHAPES[:5], (2, 3), (2, 9), (3, 7), (20, 5)]


def error_by_degree(grid, bandwidth):
    """Largest |sum_jk w_jk Y_lm(x_jk) - ∫ Y_lm| of each degree l < bandwidth; ∫ Y_lm = sqrt(4 pi) for l = 0, else 0."""
    integral = torch.einsum("jk,jkc->c", grid.weights, harmonics_at(grid.points, bandwidth))
    integral[0] -= np.sqrt(4 * np.pi)
    return [float(integral[l * l : (l + 1) ** 2].abs().max()) for l in range(bandwidth)]


@every_kind
@pytest.mark.parametrize("shape", SMALL)
def test_every_harmonic_up_to_the_exact_degree_is_integrated_exactly(kind, shape):
    """sum_jk w_jk Y_lm(x_jk) = sqrt(4 pi) [l = 0] for every l <= exact_degree."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    assert max(error_by_degree(grid, grid.exact_degree + 1)) < 1e-13


@every_kind
@pytest.mark.parametrize("shape", SMALL)
def test_some_harmonic_of_the_next_degree_is_not(kind, shape):
    """The exact degree is not understated: degree exact_degree + 1 holds a harmonic with the wrong integral."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    assert error_by_degree(grid, grid.exact_degree + 2)[-1] > 1e-3


@every_kind
def test_a_large_grid_is_exact_too(kind):
    """400 rings: sum_j w_j P_l(cos theta_j) = 2 [l = 0] for the Legendre polynomials of every degree stated."""
    grid = KINDS[kind](nlat=400, nlon=1000)
    weights = grid.weights.sum(1) / (2 * np.pi)
    degrees = np.arange(grid.exact_degree + 1)[:, None]
    integrals = eval_legendre(degrees, np.cos(grid.colatitudes.numpy())) @ weights.numpy()
    assert np.allclose(integrals, 2 * (degrees[:, 0] == 0), rtol=0, atol=2e-14)


@every_kind
@pytest.mark.parametrize("shape", SMALL)
def test_weights_sum_to_the_area_of_the_sphere(kind, shape):
    """sum_jk w_jk = 4 pi, and no weight is negative."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    assert float(grid.weights.sum()) == pytest.approx(4 * np.pi, rel=1e-14)
    assert float(grid.weights.min()) >= -1e-16


@pytest.mark.parametrize("poles", [False, True])
@pytest.mark.parametrize("b", [1, 2, 6, 17, 64])
def test_driscoll_healy_weights_are_those_of_the_sampling_theorem(b, poles):
    """w_j = (2/b) sin(theta_j) sum_{l<b} sin((2l+1) theta_j) / (2l+1), times pi / b for a node (MATH 4)."""
    grid = DriscollHealy(b, poles=poles)
    j = np.arange(2 * b)
    theta = np.pi * j / (2 * b) if poles else np.pi * (2 * j + 1) / (4 * b)
    w = [2 / b * np.sin(t) * sum(np.sin((2 * l + 1) * t) / (2 * l + 1) for l in range(b)) for t in theta]
    assert sum(w) == pytest.approx(2, rel=1e-14)
    assert np.allclose(grid.colatitudes, theta, rtol=0, atol=1e-15)
    assert np.allclose(grid.weights, np.pi / b * np.outer(w, np.ones(2 * b)), rtol=0, atol=1e-15)


def test_the_north_pole_of_driscoll_healy_has_no_weight():
    """With `poles=True` theta_0 = 0, where sin(theta_0) = 0 makes the weight vanish."""
    grid = DriscollHealy(8, poles=True)
    assert float(grid.colatitudes[0]) == 0
    assert float(grid.weights[0].abs().max()) == 0


@pytest.mark.parametrize("n", [2, 3, 8, 31, 128, 511])
def test_gauss_legendre_agrees_with_numpy_and_scipy(n):
    """cos(theta_j) are the roots of P_n, with the Christoffel weights."""
    grid = GaussLegendre(nlat=n, nlon=4)
    for x, w in (np.polynomial.legendre.leggauss(n), roots_legendre(n)):
        assert np.allclose(torch.cos(grid.colatitudes), x[::-1], rtol=0, atol=1e-15)
        assert np.allclose(grid.weights.sum(1) / (2 * np.pi), w[::-1], rtol=0, atol=2e-13)  # SciPy is the less accurate


def test_clenshaw_curtis_of_three_rings_is_simpson():
    """Integrals over theta with weights 1/3, 4/3, 1/3 at the poles and the equator."""
    grid = ClenshawCurtis(nlat=3, nlon=4)
    assert np.allclose(grid.weights.sum(1) / (2 * np.pi), [1 / 3, 4 / 3, 1 / 3], rtol=0, atol=1e-15)
    assert np.allclose(grid.colatitudes, [0, np.pi / 2, np.pi], rtol=0, atol=1e-15)
