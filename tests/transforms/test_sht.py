"""The fast transform is the plain sum over reference harmonics, and its own inverse on band-limited signals."""

import pytest
import torch
from reference import KINDS, SHAPES, harmonics_at, quadrature, randn, relative_error

import equisphere as es

every_kind = pytest.mark.parametrize("kind", KINDS)
real_and_complex = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])

#: largest relative error of analysis after synthesis, in double and single precision
ROUND_TRIP = {torch.float64: 1e-13, torch.float32: 2e-6}


@every_kind
@real_and_complex
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_synthesis_is_the_sum_of_the_harmonics(kind, dtype, shape, leading):
    """f(x_jk) = sum_lm f_lm Y_lm(x_jk), real over real harmonics, complex over complex ones."""
    sht = es.SHT(KINDS[kind](nlat=shape[0], nlon=shape[1]))
    c = randn(*leading, sht.bandwidth**2, dtype=dtype)
    wanted = torch.einsum("jkc,...c->...jk", harmonics_at(sht.grid.points, sht.bandwidth, dtype.is_complex), c)
    found = sht.inverse(c)
    assert found.shape == (*leading, *shape)
    assert found.dtype == dtype
    assert torch.allclose(found, wanted, rtol=0, atol=1e-13)


@every_kind
@real_and_complex
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_analysis_is_the_quadrature(kind, dtype, shape, leading):
    """f_lm = sum_jk w_jk f(x_jk) conj(Y_lm(x_jk)) (MATH 4), of samples that are not band-limited at all."""
    sht = es.SHT(KINDS[kind](nlat=shape[0], nlon=shape[1]))
    f = randn(*leading, *shape, dtype=dtype)
    found = sht(f)
    assert found.shape == (*leading, sht.bandwidth**2)
    assert found.dtype == dtype
    assert torch.allclose(found, quadrature(f, sht.grid, sht.bandwidth), rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [(30, 30), (17, 111)])
@pytest.mark.parametrize("L", [1, 2, 5])
def test_a_band_limit_below_the_grids_own(shape, L):
    """With a lower `bandwidth`, synthesis and analysis are the same sums over fewer degrees."""
    grid = es.grids.DriscollHealy(nlat=shape[0], nlon=shape[1])
    sht = es.SHT(grid, bandwidth=L)
    c, f = randn(2, L * L), randn(2, *shape)
    assert torch.allclose(sht.inverse(c), torch.einsum("jkc,nc->njk", harmonics_at(grid.points, L), c), atol=1e-13)
    assert torch.allclose(sht(f), quadrature(f, grid, L), rtol=0, atol=1e-13)


@every_kind
@pytest.mark.parametrize("dtype", ROUND_TRIP)
@pytest.mark.parametrize("L", [1, 2, 3, 8, 32, 128])
def test_the_round_trip_is_exact_on_band_limited_signals(kind, dtype, L):
    """analysis(synthesis(c)) = c to rounding, in the norm and in the worst coefficient."""
    check_round_trip(es.SHT(KINDS[kind](L)), dtype)


@pytest.mark.parametrize("dtype", ROUND_TRIP)
@pytest.mark.parametrize(
    "grid",
    [es.grids.DriscollHealy(256), es.grids.GaussLegendre(256, nlat=256, nlon=511), es.grids.ClenshawCurtis(3, nlon=5)],
    ids=str,
)
def test_the_round_trip_at_band_limit_256_and_on_the_smallest_grids(grid, dtype):
    """The same at L = 256, and where nlat = L and nlon = 2L - 1 are the least that carry L."""
    check_round_trip(es.SHT(grid), dtype)


def check_round_trip(sht, dtype):
    c = randn(sht.bandwidth**2, dtype=dtype)
    again = sht(sht.inverse(c))
    assert relative_error(again, c) <= ROUND_TRIP[dtype]
    assert float((again - c).abs().max() / c.abs().max()) <= ROUND_TRIP[dtype]


@pytest.mark.parametrize("dtype", [torch.complex128, torch.complex64])
@pytest.mark.parametrize("L", [1, 8, 64])
def test_the_round_trip_of_complex_signals(dtype, L):
    """analysis(synthesis(c)) = c for complex coefficients too."""
    sht = es.SHT(es.grids.DriscollHealy(L))
    c = randn(2, L * L, dtype=dtype)
    assert relative_error(sht(sht.inverse(c)), c) <= ROUND_TRIP[torch.zeros((), dtype=dtype).real.dtype]


@every_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_parseval(kind, dtype):
    """sum_lm |f_lm|^2 = ∫ |f|^2, the integral taken by the weights of the grid: both degrees lie below L."""
    grid = KINDS[kind](12, nlon=101)
    sht = es.SHT(grid)
    c = randn(3, 144, dtype=dtype)
    integral = (grid.weights * sht.inverse(c).abs().square()).sum((-2, -1))
    assert torch.allclose(integral, c.abs().square().sum(-1), rtol=1e-13)


def test_a_real_signal_has_the_same_coefficients_in_either_basis():
    """The complex coefficients of a real signal, given as a complex one, are f_l,-m = (-1)^m conj(f_lm)."""
    sht = es.SHT(es.grids.GaussLegendre(6))
    f = randn(12, 12)
    c = sht(f.to(torch.complex128))
    degree, order = (torch.from_numpy(n) for n in es.harmonics.degrees_and_orders(6))
    partner = c[degree**2 + degree - order]
    assert torch.allclose(partner, (-1.0) ** order * c.conj(), rtol=0, atol=1e-13)
    assert torch.allclose(es.transforms.to_real_basis(c).imag, torch.zeros(36, dtype=torch.float64), atol=1e-13)
    assert torch.allclose(es.transforms.to_real_basis(c).real, sht(f), rtol=0, atol=1e-13)
    assert torch.allclose(es.transforms.to_complex_basis(sht(f)), c, rtol=0, atol=1e-13)
