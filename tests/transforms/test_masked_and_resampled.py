"""Signals known in part, and signals carried from grid to grid."""

import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, randn, relative_error, unit_points
from torch.autograd import gradcheck, gradgradcheck

import equisphere as es
from equisphere.grids import ClenshawCurtis, GaussLegendre, HEALPix, Scattered
from equisphere.transforms import condition_number, evaluate, masked_fit, masked_quadrature, resample

GRIDS = [HEALPix(6), GaussLegendre(8), Scattered(unit_points(400))]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)
real_and_complex = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


def outside_a_cap(grid, degrees):
    """All but the nodes within so many degrees of the x axis."""
    return grid.points[..., 0] < np.cos(np.radians(degrees))


@every_grid
@real_and_complex
def test_both_analyses_are_the_dense_ones(grid, dtype):
    """Masked quadrature, and masked least squares with and without regularization; NaN behind the mask is not seen."""
    L, mask = 5, outside_a_cap(grid, 40)
    known = mask.flatten()
    Y = harmonics_at(grid.points, L, dtype.is_complex).reshape(-1, L * L)[known]
    W = grid.weights.flatten()[known, None].to(dtype)
    f = randn(2, *grid.shape, dtype=dtype)
    right = Y.mH @ (W * f.reshape(2, -1)[:, known].mT)
    f = f.masked_fill(~mask, float("nan"))
    assert relative_error(masked_quadrature(f, grid, mask, L), right.mT) < 1e-12
    for r in (0.0, 0.3):
        wanted = torch.linalg.solve(Y.mH @ (W * Y) + r * torch.eye(L * L, dtype=dtype), right).mT
        assert relative_error(masked_fit(f, grid, mask, L, r, tolerance=1e-12), wanted) < 1e-10
    if not dtype.is_complex:
        eigenvalues = torch.linalg.eigvalsh(Y.mT @ (W * Y))
        kappa = condition_number(grid, L, mask)
        assert kappa == pytest.approx(float(eigenvalues[-1] / eigenvalues[0]), rel=1e-2)


@every_grid
def test_derivatives_of_the_masked_fit(grid):
    """In the signal, to second order; zero behind the mask."""
    mask = outside_a_cap(grid, 40)
    f = randn(*grid.shape).requires_grad_()

    def fitted(f):
        return masked_fit(f, grid, mask, 3, tolerance=1e-14)

    assert gradcheck(fitted, f, fast_mode=True)
    assert gradgradcheck(lambda f: fitted(f.sin()), f, fast_mode=True)
    gradient = torch.autograd.grad(fitted(f).square().sum(), f)[0]
    assert float(gradient[~mask].abs().max()) == 0


def test_a_small_gap_is_filled():
    """L = 8 behind a hole of 15 degrees: the coefficients come back; a wide one is said to be beyond recovery."""
    grid, c = HEALPix(8), randn(64)
    f = es.SHT(grid, 8).inverse(c)
    assert relative_error(masked_fit(f, grid, outside_a_cap(grid, 15), 8, tolerance=1e-12), c) < 1e-9
    assert condition_number(grid, 8, outside_a_cap(grid, 15)) < 100
    assert condition_number(grid, 16, outside_a_cap(grid, 60)) > 1e8


@pytest.mark.parametrize("source", [*GRIDS, *(kind(8) for kind in KINDS.values())], ids=str)
@pytest.mark.parametrize("target", [*GRIDS, ClenshawCurtis(nlat=31, nlon=45)], ids=str)
def test_a_band_limited_signal_goes_from_any_grid_to_any_other(source, target):
    """The samples that arrive are those of the signal, real and complex, batched."""
    for dtype in (torch.float64, torch.complex128):
        c = randn(2, 25, dtype=dtype)
        f, wanted = (es.SHT(grid, 5).inverse(c) for grid in (source, target))
        found = resample(f, source, target, 5, tolerance=1e-11)
        assert found.shape == (2, *target.shape)
        assert relative_error(found, wanted) < 1e-9


def test_what_the_target_cannot_carry_is_dropped():
    """By default the smaller band limit; the degrees beyond it are gone, not mistaken for lower ones."""
    source, target = GaussLegendre(12), HEALPix(4)
    c = randn(144)
    found = resample(es.SHT(source).inverse(c), source, target)
    assert relative_error(found, es.SHT(target, 8).inverse(c[:64])) < 1e-12
    points = Scattered(unit_points(7))
    at_points = resample(es.SHT(source).inverse(c), source, points)
    assert relative_error(at_points, evaluate(c, points.points)) < 1e-12


def test_the_relief_of_the_earth_to_pixels_and_back(real_data):
    """A map of one degree to HEALPix, at its band limit: what comes back is the map's part of that band limit."""
    topography = np.load(real_data / "earth_sky_fields.npz")["topo1deg_m"].astype(np.float64)
    source, target = es.grids.DriscollHealy(nlat=180, nlon=360), HEALPix(48)
    f = torch.from_numpy(topography)
    sht = es.SHT(source, 90)
    again = resample(resample(f, source, target, 90, tolerance=1e-10), target, source, 90, tolerance=1e-10)
    assert relative_error(again, sht.inverse(sht(f))) < 1e-9
