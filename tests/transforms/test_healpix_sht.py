"""The transform on HEALPix: the plain sums, healpy, and analysis refined to its tolerance with the right adjoint."""

import copy
import pickle

import healpy
import numpy as np
import pytest
import torch
from reference import harmonics_at, randn, relative_error
from rounding import CONTRACT
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacfwd, jacrev, vmap

import equisphere as es
from equisphere.grids import HEALPix
from equisphere.transforms import condition_number, to_complex_basis

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

real_and_complex = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


@pytest.mark.parametrize(("nside", "L"), [(1, 1), (1, 3), (2, 4), (3, 6), (3, 9), (4, 5), (5, 15), (8, 16)])
@real_and_complex
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_synthesis_and_its_adjoint_are_the_plain_sums(nside, L, dtype, leading):
    """Every alias on the short rings is met; any nside, band limits to 3 nside, real and complex."""
    grid = HEALPix(nside)
    sht = es.SHT(grid, L)
    Y = harmonics_at(grid.points, L, dtype.is_complex)
    c, f = randn(*leading, L * L, dtype=dtype), randn(*leading, *grid.shape, dtype=dtype)
    assert torch.allclose(sht.inverse(c), c @ Y.mT, rtol=0, atol=1e-12)
    assert torch.allclose(sht.inverse_adjoint(f), f @ Y.conj(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("nside", "L"), [(2, 4), (4, 8), (3, 7)])
@real_and_complex
def test_analysis_is_weighted_least_squares(nside, L, dtype):
    """Of any pixels at all: G^-1 Y^H W f by a dense solver."""
    grid = HEALPix(nside)
    Y = harmonics_at(grid.points, L, dtype.is_complex)
    f = randn(2, *grid.shape, dtype=dtype)
    W = grid.weights[:, None].to(dtype)
    wanted = torch.linalg.solve(Y.mH @ (W * Y), Y.mH @ (W * f.mT)).mT
    assert relative_error(es.SHT(grid, L, tolerance=1e-13)(f), wanted) < 1e-12
    assert relative_error(es.SHT(grid, L)(f), wanted) < 1e-6


@pytest.mark.parametrize("nside", [4, 16])
@pytest.mark.parametrize("ratio", [1, 1.5, 2, 2.5])
def test_the_round_trip_keeps_the_tolerance(nside, ratio):
    """1e-6 by default, in either precision; 1e-12 when asked; and no more steps than a bound allows."""
    L = int(ratio * nside)
    c = randn(3, L * L)
    default, tight = es.SHT(HEALPix(nside), L), es.SHT(HEALPix(nside), L, tolerance=1e-12)
    assert relative_error(default(default.inverse(c)), c) < 1e-6
    assert relative_error(tight(tight.inverse(c)), c) < 1e-12
    assert relative_error(default(default.inverse(c.float())), c) < 3e-6
    assert default.refinement_steps <= {1: 2, 1.5: 3, 2: 5, 2.5: 7}[ratio]
    assert default.refinement_steps < tight.refinement_steps <= {1: 4, 1.5: 6, 2: 9, 2.5: 13}[ratio]


def test_the_worst_signal_keeps_the_tolerance_too():
    """The norm of (analysis after synthesis minus identity) as a matrix, at 3 nside, the steps neither too few nor idle."""
    L = 12
    sht = es.SHT(HEALPix(4), L)
    error = sht(sht.inverse(torch.eye(L * L, dtype=torch.float64))) - torch.eye(L * L, dtype=torch.float64)
    assert 1e-8 < float(torch.linalg.matrix_norm(error, 2)) < 1e-6


def test_a_band_limit_that_the_pixels_hardly_determine_warns():
    """At 3 nside the condition number grows with nside: past 100 steps it is said, and analysis stays bounded."""
    sht = es.SHT(HEALPix(20), 60, tolerance=1e-12)
    c = randn(3600)
    with pytest.warns(RuntimeWarning, match=r"hardly determines.*2\.5 nside = 50"):
        again = sht(sht.inverse(c))
    assert sht.refinement_steps == 100
    assert relative_error(again, c) < 1e-3
    loose = es.SHT(HEALPix(20), 60)
    assert relative_error(loose(loose.inverse(c)), c) < 1e-6


def test_the_condition_number_is_that_of_the_matrix():
    """Against dense eigenvalues."""
    grid, L = HEALPix(4), 12
    Y = harmonics_at(grid.points, L)
    eigenvalues = torch.linalg.eigvalsh(Y.mT @ (grid.weights[:, None] * Y))
    assert condition_number(grid, L) == pytest.approx(float(eigenvalues[-1] / eigenvalues[0]), rel=1e-3)


@pytest.mark.parametrize(("nside", "L"), [(8, 16), (16, 40)])
def test_healpy_makes_the_same_map_and_the_same_coefficients(nside, L):
    """alm2map of the same coefficients; map2alm with many iterations of the same map."""
    sht = es.SHT(HEALPix(nside), L, tolerance=1e-12)
    c = randn(L * L)
    pick = np.concatenate([[l * l + l + m for l in range(m, L)] for m in range(L)])
    alm = to_complex_basis(c).numpy()[pick]
    theirs = healpy.alm2map(alm, nside, lmax=L - 1)
    assert np.allclose(sht.inverse(c), theirs, rtol=0, atol=1e-11)
    again = healpy.map2alm(theirs, lmax=L - 1, iter=30, use_weights=True)
    assert np.allclose(to_complex_basis(sht(torch.from_numpy(theirs))).numpy()[pick], again, rtol=0, atol=1e-10)


def test_a_real_sky_agrees_with_healpy(real_data):
    """The WMAP intensity map at nside 32, L = 64: not band-limited, with real power at every degree."""
    sky = np.load(real_data / "earth_sky_fields.npz")["wmap_W_iqu_mK"][0].astype(np.float64)
    L = 64
    sky = np.where(np.isfinite(sky) & (sky > -1e20), sky, 0)
    pick = np.concatenate([[l * l + l + m for l in range(m, L)] for m in range(L)])
    ours = to_complex_basis(es.SHT(HEALPix(32), L, tolerance=1e-12)(torch.from_numpy(sky))).numpy()[pick]
    theirs = healpy.map2alm(sky, lmax=L - 1, iter=40)  # uniform weights: least squares of other weights
    assert np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) < 5e-3
    flat = es.SHT(HEALPix(32), L).inverse_adjoint(torch.from_numpy(sky * 4 * np.pi / sky.size))
    plain = healpy.map2alm(sky, lmax=L - 1, iter=0)
    assert np.linalg.norm(to_complex_basis(flat).numpy()[pick] - plain) / np.linalg.norm(plain) < 1e-12


@real_and_complex
@pytest.mark.parametrize(("nside", "L"), [(1, 3), (2, 3)])
def test_adjoints_and_derivatives(nside, L, dtype):
    """The refined analysis is linear to rounding, however loose its tolerance, and its adjoint is exact."""
    sht = es.SHT(HEALPix(nside), L, tolerance=1e-2)
    f, c = randn(2, *sht.grid.shape, dtype=dtype), randn(2, L * L, dtype=dtype)
    assert torch.allclose((sht(f).conj() * c).sum(), (f.conj() * sht.adjoint(c)).sum(), rtol=1e-12)
    assert torch.allclose((sht.inverse(c).conj() * f).sum(), (c.conj() * sht.inverse_adjoint(f)).sum(), rtol=1e-12)
    f.requires_grad_(), c.requires_grad_()
    for linear_map, x in ((sht, f), (sht.inverse, c), (sht.adjoint, c), (sht.inverse_adjoint, f)):
        assert gradcheck(linear_map, x, check_forward_ad=True, fast_mode=True)
        assert gradgradcheck(lambda x, g=linear_map: g(x.sin()), x, fast_mode=True)


def test_jacobians_and_vmap():
    """Reverse, forward, and mapped over any dimension."""
    sht = es.SHT(HEALPix(2))
    f = randn(3, 48)
    assert torch.allclose(jacrev(sht)(f[0]), jacfwd(sht)(f[0]), rtol=0, atol=1e-13)
    assert torch.allclose(jacrev(sht)(f[0]) @ f[0], sht(f[0]), rtol=0, atol=1e-12)
    assert torch.allclose(vmap(sht, in_dims=1)(f.mT), sht(f), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rotation_commutes_with_the_round_trip(dtype):
    """Rotated coefficients, there and back, are the coefficients there and back, rotated."""
    sht = es.SHT(HEALPix(8), tolerance=1e-13)
    c, R = randn(256, dtype=dtype), es.random_rotations(4).to(dtype)
    turned = es.rotate(c, R)
    assert relative_error(sht(sht.inverse(turned)), es.rotate(sht(sht.inverse(c)), R)) < CONTRACT[dtype]
    grid = es.grids.HEALPix(8)
    assert relative_error(es.rotate_signal(sht.inverse(c), R, grid), sht.inverse(turned)) < 3e-6


def test_it_is_a_module_without_state():
    """Copies and pickles are small and equal; half precisions are computed in float32; it says what it is."""
    sht = es.SHT(HEALPix(4), 8, tolerance=1e-9)
    f = randn(2, 192)
    for again in (copy.deepcopy(sht), pickle.loads(pickle.dumps(sht))):
        assert torch.equal(again(f), sht(f))
    assert sht.state_dict() == {}
    assert "HEALPix(nside=4), bandwidth=8, tolerance=1e-09" in repr(sht)
    assert torch.equal(sht(f.bfloat16()), sht(f.bfloat16().float()).bfloat16())
    assert sht(f.float()).dtype == torch.float32


def test_tables_made_block_by_block_change_nothing(monkeypatch):
    """Past the number of table entries that are kept, the same values come out."""
    from equisphere.transforms import _healpix_engine

    c = randn(144)
    wanted = es.SHT(HEALPix(6), 12).inverse(c)
    monkeypatch.setattr(_healpix_engine, "KEPT_NUMBERS", 0)
    engine = _healpix_engine.HEALPixEngine(HEALPix(6), 12, 1e-6)
    assert torch.equal(engine.to_grid(c[:, None], weighted=False)[:, 0], wanted)


def test_layers_take_pixels():
    """The convolution on samples runs on HEALPix, and refuses other shapes."""
    layer = es.nn.SphericalConv(2, 3, HEALPix(4))
    assert layer(torch.randn(5, 2, 192)).shape == (5, 3, 192)
    with pytest.raises(ValueError, match=r"\(batch, 2, 192\)"):
        layer(torch.randn(5, 1, 192))
