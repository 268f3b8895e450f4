"""A signal that is not band-limited is projected onto the band; what the grid cannot tell apart is aliased."""

from itertools import pairwise

import pytest
import torch
from reference import KINDS, harmonics_at, randn

import equisphere as es

SHAPES = [(20, 20), (15, 101)]
cases = [pytest.mark.parametrize("kind", KINDS), pytest.mark.parametrize("shape", SHAPES)]


def every_grid(test):
    for mark in cases:
        test = mark(test)
    return test


@every_grid
def test_synthesis_after_analysis_is_a_projection(kind, shape):
    """P = synthesis . analysis has P P = P, and changes a signal that is not band-limited."""
    sht = es.SHT(KINDS[kind](nlat=shape[0], nlon=shape[1]))
    f = randn(2, *shape)
    once = sht.inverse(sht(f))
    assert torch.allclose(sht.inverse(sht(once)), once, rtol=0, atol=1e-12)
    assert float((once - f).norm() / f.norm()) > 0.1


@every_grid
def test_the_residual_is_orthogonal_to_the_band(kind, shape):
    """sum_jk w_jk (f - P f)(x_jk) Y_lm(x_jk) = 0 for every l < L: P is the orthogonal projection."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    sht = es.SHT(grid)
    f = randn(*shape)
    residual = grid.weights * (f - sht.inverse(sht(f)))
    inner = torch.einsum("jk,jkc->c", residual, harmonics_at(grid.points, sht.bandwidth))
    assert float(residual.abs().max()) > 1e-3
    assert float(inner.abs().max()) < 1e-12


@every_grid
def test_degrees_beyond_the_band_are_dropped_as_far_as_the_quadrature_reaches(kind, shape):
    """A signal of degrees below K with (K-1) + (L-1) <= exact_degree loses its degrees >= L and nothing else."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    K, L = grid.bandwidth, grid.bandwidth // 2
    K += min(grid.exact_degree - 2 * (K - 1), 1)  # one more degree where the quadrature has one to spare
    c = randn(K * K)
    f = harmonics_at(grid.points, K) @ c
    assert torch.allclose(es.SHT(grid, L)(f), c[: L * L], rtol=0, atol=1e-13)


def test_degrees_past_the_quadrature_are_aliased():
    """Of degree K = exact_degree + 2 - L, the first that the grid mistakes for a lower one, the most is seen at L - 1."""
    grid = es.grids.DriscollHealy(5)
    degree = grid.exact_degree + 2 - grid.bandwidth
    assert degree == 6
    aliased = es.SHT(grid)(harmonics_at(grid.points, 7)[..., 36:].movedim(-1, 0))
    assert float(aliased[:, :16].abs().max()) < 1e-13
    assert float(aliased[:, 16:].abs().max()) > 0.1


def test_a_finer_grid_has_less_aliasing():
    """The coefficients of a smooth signal that is not band-limited converge to its integrals as the grid is refined."""

    def coefficients(b):
        grid = es.grids.GaussLegendre(b)
        return es.SHT(grid, 4)((2 * grid.points @ torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)).exp())

    exact = coefficients(40)
    errors = [float((coefficients(b) - exact).norm()) for b in (4, 6, 8, 12)]
    assert errors[0] > 1e-4
    assert all(fine < coarse / 20 for coarse, fine in pairwise(errors))
    # the constant term is sqrt(4 pi) times the mean of e^{2t} over [-1, 1], sinh(2) / 2
    assert float(exact[0]) == pytest.approx((4 * torch.pi) ** 0.5 * torch.sinh(torch.tensor(2.0).double()).item() / 2)
