"""Converted coefficients mean the same signal in the package they were converted for, and come back as they were."""

import warnings
from pathlib import Path

import e3nn.o3
import numpy as np
import pytest
import torch
from reference import harmonics_at, randn, relative_error, unit_points

import equisphere as es
from equisphere import interop
from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre
from equisphere.harmonics import so3_degrees_and_orders
from equisphere.transforms import (
    SO3Transform,
    SpinSHT,
    VectorSHT,
    section,
    spin_components,
    to_complex_basis,
    to_real_basis,
)

EXACT = 1e-12
BACK_AND_FORTH = {
    "healpy": (interop.to_healpy, interop.from_healpy),
    "ducc0": (interop.to_ducc0, interop.from_ducc0),
    "torch-harmonics": (interop.to_torch_harmonics, interop.from_torch_harmonics),
    "torch-harmonics four-pi": (
        lambda c: interop.to_torch_harmonics(c, "four-pi", False),
        lambda a: interop.from_torch_harmonics(a, "four-pi", False),
    ),
    "s2fft": (interop.to_s2fft, lambda a: interop.from_s2fft(a, reality=True)),
    "pyshtools": (interop.to_pyshtools, interop.from_pyshtools),
    "pyshtools schmidt": (
        lambda c: interop.to_pyshtools(c, "schmidt", -1),
        lambda a: interop.from_pyshtools(a, "schmidt", -1),
    ),
    "e3nn": (interop.to_e3nn, interop.from_e3nn),
    "e3nn norm": (lambda c: interop.to_e3nn(c, "norm"), lambda a: interop.from_e3nn(a, "norm")),
}


def quietly(name):
    """Import a package that warns as it is imported, or skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


@pytest.mark.parametrize("name", BACK_AND_FORTH)
@pytest.mark.parametrize("L", [1, 2, 9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back(name, L, dtype):
    """Batch dimensions and precision are kept, and the numbers to rounding."""
    to, back = BACK_AND_FORTH[name]
    c = randn(2, 3, L * L, dtype=dtype)
    found = back(to(c))
    assert found.dtype == dtype
    assert found.shape == c.shape
    assert relative_error(found, c) < 20 * torch.finfo(dtype).eps


@pytest.mark.parametrize("nside", [8])
def test_healpy(nside):
    healpy = quietly("healpy")
    c, n = randn(64), 8
    x = torch.from_numpy(np.stack(healpy.pix2vec(nside, np.arange(12 * nside**2)), -1))
    alm = interop.to_healpy(c)
    assert relative_error(torch.from_numpy(healpy.alm2map(alm, nside)), harmonics_at(x, n) @ c) < EXACT
    theirs = healpy.map2alm(healpy.alm2map(alm, nside), lmax=7, iter=20)
    assert relative_error(interop.from_healpy(theirs), c) < 1e-6  # healpy's quadrature is not exact
    # the fields of spin 1, E and B
    field = randn(2, 64)
    field[:, 0] = 0
    south, _ = healpy.alm2map_spin(list(interop.to_healpy(field)), nside, 1, n - 1)
    phi = torch.atan2(x[:, 1], x[:, 0])
    theta = torch.acos(x[:, 2])
    e_theta = torch.stack((theta.cos() * phi.cos(), theta.cos() * phi.sin(), -theta.sin()), -1)
    potentials = es.transforms.inverse_laplacian(
        torch.stack((es.transforms.divergence(field), es.transforms.curl(field)))
    )
    w = torch.einsum("pc,nic->npi", harmonics_at(x, n), es.transforms.rotation_generators(potentials))
    v = torch.linalg.cross(x, w[0]) - w[1]
    assert relative_error(torch.from_numpy(south), (v * e_theta).sum(-1)) < EXACT


def test_healpy_with_fewer_orders():
    healpy = quietly("healpy")
    lmax, mmax = 7, 3
    alm = randn(healpy.Alm.getsize(lmax, mmax), dtype=torch.complex128).numpy()
    alm[: lmax + 1].imag = 0
    c = interop.from_healpy(alm, mmax=mmax)
    assert torch.equal(c, interop.from_healpy(alm, lmax=lmax, mmax=mmax))
    found = np.array(
        [interop.to_healpy(c)[healpy.Alm.getidx(lmax, *lm)] for lm in zip(*healpy.Alm.getlm(lmax), strict=True)]
    )
    wanted = healpy.resize_alm(alm, lmax, mmax, lmax, lmax)
    assert np.allclose(found, wanted, atol=1e-14)


@pytest.mark.parametrize("name", ["CC", "F1", "DH", "GL"])
def test_ducc0(name):
    """Synthesis and analysis on each of its grids that is one here, of spin 0, 1 and 2."""
    ducc0 = quietly("ducc0")
    grid = interop.grid_named("ducc0", name, 25, 26)
    n = grid.bandwidth
    for spin, sht in ((0, es.SHT(grid)), (1, VectorSHT(grid))):
        c = randn(*(2,) * spin, n * n)
        c[..., 0] *= 1 - spin
        alm = interop.to_ducc0(c, spin)
        theirs = ducc0.sht.synthesis_2d(alm=alm, spin=spin, lmax=n - 1, geometry=name, ntheta=25, nphi=26)
        assert relative_error(sht.inverse(c), torch.from_numpy(theirs).reshape(*(2,) * spin, *grid.shape)) < EXACT
        back = ducc0.sht.analysis_2d(map=theirs, spin=spin, lmax=n - 1, geometry=name)
        assert relative_error(interop.from_ducc0(back, spin), c) < EXACT
    modes = randn(2, n * n)
    modes[:, :4] = 0
    theirs = ducc0.sht.synthesis_2d(
        alm=interop.to_ducc0(modes, 2), spin=2, lmax=n - 1, geometry=name, ntheta=25, nphi=26
    )
    ours = SpinSHT(grid, n, 2).inverse(es.transforms.from_e_b_modes(modes))
    assert relative_error(torch.complex(*torch.from_numpy(theirs)), ours) < EXACT


@pytest.mark.filterwarnings("ignore::RuntimeWarning:s2fft")
@pytest.mark.parametrize("name", ["dh", "gl", "mwss"])
def test_s2fft(name):
    quietly("s2fft")
    from s2fft import sampling
    from s2fft.transforms.spherical import forward, inverse

    n = 6
    nlat, nlon = sampling.s2_samples.f_shape(n, name)
    grid = interop.grid_named("s2fft", name, nlat, nlon)
    assert np.allclose(grid.colatitudes, sampling.s2_samples.thetas(n, name), atol=1e-13)
    assert np.allclose(grid.longitudes, sampling.s2_samples.phis_equiang(n, name), atol=1e-13)
    for reality, c in ((True, randn(n * n)), (False, randn(n * n, dtype=torch.complex128))):
        flm = interop.to_s2fft(c)
        theirs = inverse(flm, n, sampling=name, method="numpy", reality=reality)
        wanted = torch.einsum("...c,c->...", harmonics_at(grid.points, n, not reality).to(c.dtype), c)
        inner = slice(1, -1) if name == "mwss" else slice(None)  # on the poles themselves s2fft is good to 1e-8
        assert relative_error(torch.from_numpy(theirs).to(c.dtype)[inner], wanted[inner]) < EXACT
        back = forward(theirs, n, sampling=name, method="numpy", reality=reality)
        assert relative_error(interop.from_s2fft(back, reality), c) < (1e-7 if name == "mwss" else EXACT)
    if name != "mwss":
        assert grid.bandwidth == n


@pytest.mark.parametrize("normalization", ["4pi", "ortho", "schmidt"])
@pytest.mark.parametrize("csphase", [1, -1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_pyshtools(normalization, csphase, dtype):
    pyshtools = quietly("pyshtools")
    n = 6
    c = randn(n * n, dtype=dtype)
    cilm = interop.to_pyshtools(c, normalization, csphase)
    theirs = pyshtools.SHCoeffs.from_array(cilm, normalization=normalization, csphase=csphase)
    for name, options in (("DH", {"extend": False}), ("GLQ", {"extend": False})):
        samples = theirs.expand(grid=name, **options)
        grid = interop.grid_named("pyshtools", name, *samples.data.shape)
        assert relative_error(torch.from_numpy(samples.data), es.SHT(grid, n).inverse(c)) < EXACT
        back = samples.expand(normalization=normalization, csphase=csphase)
        assert relative_error(interop.from_pyshtools(back.coeffs, back.normalization, back.csphase), c) < EXACT


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # it takes logarithms of what it then does not use
@pytest.mark.parametrize("N", [1, 3, 5])
def test_s2fft_on_so3(N):
    """Its function at its rotations is the sum of the functions that `SO3Transform` stands on."""
    s2fft = quietly("s2fft")
    L = 5
    order = torch.from_numpy(so3_degrees_and_orders(L)[2])
    f = randn(SO3Transform(L).size, dtype=torch.complex128) * (order.abs() < N)
    flmn = interop.to_s2fft_wigner(f, N)
    assert relative_error(interop.from_s2fft_wigner(flmn), f) < EXACT
    theirs = s2fft.wigner.inverse(flmn, L, N, sampling="dh", method="numpy")
    grid = DriscollHealy(nlat=2 * L, nlon=2 * L - 1)
    gammas = 2 * np.pi * torch.arange(2 * N - 1, dtype=torch.float64) / (2 * N - 1)
    ours = torch.stack([section(spin_components(f, N - 1), grid, gamma) for gamma in gammas])
    assert relative_error(torch.from_numpy(np.asarray(theirs)), ours) < EXACT


@pytest.mark.parametrize("normalization", ["integral", "component", "norm"])
def test_e3nn(normalization):
    """The function of the same points (x, y, z), whichever axis is the pole."""
    c, points = randn(3, 49), unit_points(40)
    Y = e3nn.o3.spherical_harmonics(list(range(7)), points, False, normalization)
    assert relative_error(interop.to_e3nn(c, normalization) @ Y.T, c @ harmonics_at(points, 7).T) < EXACT
    a = randn(3, 49)
    assert relative_error(interop.from_e3nn(a, normalization) @ harmonics_at(points, 7).T, a @ Y.T) < EXACT


@pytest.mark.parametrize("norm", ["ortho", "four-pi", "schmidt"])
@pytest.mark.parametrize("csphase", [True, False])
def test_torch_harmonics_as_recorded(norm, csphase):
    """Its analysis of a signal, recorded by `record_torch_harmonics.py` with version 0.9.3."""
    recorded = np.load(Path(__file__).parent / "torch_harmonics_0_9_3.npz")
    signal, theirs = (torch.from_numpy(recorded[key]) for key in ("signal", f"{norm} {csphase}"))
    nlat, nlon = signal.shape
    c = es.SHT(GaussLegendre(nlat=nlat, nlon=nlon))(signal)
    assert relative_error(interop.to_torch_harmonics(c, norm, csphase), theirs) < EXACT
    assert relative_error(interop.from_torch_harmonics(theirs, norm, csphase), c) < EXACT


@pytest.mark.parametrize("name", ["equiangular", "legendre-gauss"])
@pytest.mark.parametrize("norm", ["ortho", "four-pi", "schmidt"])
@pytest.mark.parametrize("csphase", [True, False])
def test_torch_harmonics(name, norm, csphase):
    """Its own synthesis and analysis, where it is installed."""
    theirs = quietly("torch_harmonics")
    n = 8
    grid = interop.grid_named("torch-harmonics", name, 2 * n + 1, 2 * n)
    options = {"lmax": n, "mmax": n, "grid": name, "norm": norm, "csphase": csphase}
    c = randn(4, n * n)
    a = interop.to_torch_harmonics(c, norm, csphase)
    samples = theirs.InverseRealSHT(*grid.shape, **options).double()(a)
    assert relative_error(samples, es.SHT(grid, n).inverse(c)) < EXACT
    back = theirs.RealSHT(*grid.shape, **options).double()(samples)
    assert relative_error(interop.from_torch_harmonics(back, norm, csphase), c) < EXACT


def test_complex_signals_are_pairs():
    """What the error of `to_healpy` says: real and imaginary part are two real signals."""
    c = randn(2, 25, dtype=torch.complex128)
    a = to_real_basis(c)
    parts = [interop.from_healpy(interop.to_healpy(x)) for x in (a.real, a.imag)]
    assert relative_error(to_complex_basis(torch.complex(*parts)), c) < 1e-15 * 25
    assert relative_error(interop.from_s2fft(interop.to_s2fft(c)), c) == 0
    assert relative_error(interop.from_pyshtools(interop.to_pyshtools(c)), c) < 1e-14


def test_gradients_reach_through_where_the_package_is_torch():
    c = randn(2, 9).requires_grad_()
    for function in (interop.to_e3nn, interop.to_torch_harmonics):
        assert torch.autograd.gradcheck(function, c)
    a = torch.view_as_real(interop.to_torch_harmonics(c).detach()).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: interop.from_torch_harmonics(torch.view_as_complex(a)), a)
    assert torch.autograd.gradcheck(interop.from_e3nn, c)


def test_named_grids():
    assert interop.grid_named("torch-harmonics", "equiangular", 9, 16) == ClenshawCurtis(nlat=9, nlon=16)
    assert interop.grid_named("pyshtools", "DH", 8, 16) == DriscollHealy(nlat=8, nlon=16, poles=True)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: interop.to_healpy(torch.ones(5)), r"L\*L numbers"),
        (lambda: interop.to_healpy(1j * torch.ones(4)), "must be real.*to_real_basis"),
        (lambda: interop.from_healpy(np.ones(5) + 0j), r"an alm must hold.*got 5"),
        (lambda: interop.from_healpy(np.ones(6) + 0j, lmax=3), "an alm must hold"),
        (lambda: interop.from_healpy(np.ones(6)), "complex"),
        (lambda: interop.from_healpy(np.full(6, np.nan + 0j)), "finite"),
        (lambda: interop.from_healpy(np.ones(6, dtype=int)), "floating point"),
        (lambda: interop.from_healpy(np.ones((0, 6)) + 0j), "at least one"),
        (lambda: interop.to_ducc0(torch.ones(4), spin=-1), "spin must be an integer from 0 on"),
        (lambda: interop.to_ducc0(torch.ones(4), spin=2), r"of spin 2 must have shape"),
        (lambda: interop.to_ducc0(torch.ones(4), spin=1), r"\(..., 2, n\)"),
        (lambda: interop.from_ducc0(np.ones(6) + 0j), r"\(..., 1, n\)"),
        (lambda: interop.to_torch_harmonics(torch.ones(4), "4pi"), "four-pi"),
        (lambda: interop.from_torch_harmonics(torch.ones(3, 4) + 0j), r"\(..., L, L\)"),
        (lambda: interop.from_torch_harmonics(torch.ones(4, 4)), "must be complex"),
        (lambda: interop.from_s2fft(np.ones((3, 4)) + 0j), r"\(..., L, 2L - 1\)"),
        (lambda: interop.to_s2fft_wigner(torch.ones(10)), "complex Wigner coefficients"),
        (lambda: interop.to_s2fft_wigner(torch.ones(10) + 0j, 3), "not be above the band limit 2, got 3"),
        (lambda: interop.from_s2fft_wigner(np.ones((2, 2, 3)) + 0j), r"\(..., 2 N - 1, L, 2 L - 1\)"),
        (lambda: interop.to_pyshtools(torch.ones(4), "four-pi"), "4pi"),
        (lambda: interop.to_pyshtools(torch.ones(4), csphase=0), "csphase must be 1"),
        (lambda: interop.from_pyshtools(np.ones((3, 3))), r"\(..., 2, L, L\)"),
        (lambda: interop.to_e3nn(torch.ones(4), "unit"), "component"),
        (lambda: interop.grid_named("ducc0", "MW", 4, 4), "no grid here.*F1"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
