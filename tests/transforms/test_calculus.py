"""Calculus on coefficients against finite differences, autograd, ducc0, pyshtools, e3nn and healpy."""

import warnings
from math import pi, sqrt

import e3nn.o3
import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, randn, relative_error, unit_points
from rounding import bound, product, rotation, tables, transform

import equisphere as es
from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre
from equisphere.transforms import (
    VectorSHT,
    curl,
    divergence,
    gradient,
    inverse_laplacian,
    laplacian,
    power_spectrum,
    rotate,
    rotated_gradient,
    rotation_generators,
    smooth,
)

L = 7
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
every_precision = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
#: derivatives of degree l are up to l times the signal: the rounding of the sums is measured against that
EXACT = 1e-13


def polynomial(points, c):
    """The signal of real coefficients c at points of space near the sphere, constant along rays; autograd sees it."""
    x = points / points.norm(dim=-1, keepdim=True)
    # e3nn calls (y, z, x) what is (x, y, z) here
    Y = e3nn.o3.spherical_harmonics(list(range(es._checks.bandwidth_of(c))), x[..., [1, 2, 0]], False, "integral")
    return Y @ c


def cartesian_gradient(points, c):
    points = points.clone().requires_grad_()
    return torch.autograd.grad(polynomial(points, c).sum(), points)[0]


def directions(grid):
    theta, phi = torch.meshgrid(grid.colatitudes, grid.longitudes, indexing="ij")
    e_theta = torch.stack((theta.cos() * phi.cos(), theta.cos() * phi.sin(), -theta.sin()), -1)
    return e_theta, torch.stack((-phi.sin(), phi.cos(), 0 * phi), -1)


def alm(c):
    """The coefficients of healpy and ducc0, order after order, plainly: a_lm, m >= 0, over the complex harmonics."""
    c, n = es.transforms.to_complex_basis(c).numpy(), int(sqrt(c.shape[-1]))
    return np.stack([c[..., l * l + l + m] for m in range(n) for l in range(m, n)], axis=-1)


@every_dtype
def test_the_generators_are_derivatives_of_rotations(dtype):
    """d/dt rotate(c, exp(t [a]x)) at t = 0, by central differences of eighth order's worth of digits."""
    c, axis, h = randn(2, 3, 49, dtype=dtype), randn(3), 1e-4
    axis = axis / axis.norm()
    turn = es.groups.rotation_about(tuple(axis.tolist()), torch.tensor([h, -h], dtype=torch.float64))
    wanted = (rotate(c, turn[0]) - rotate(c, turn[1])) / (2 * h)
    found = torch.einsum("i,...ic->...c", axis.to(dtype), rotation_generators(c))
    assert relative_error(found, wanted) < 1e-6


def test_the_generators_are_e3nns():
    """About its axes (y, z, x), e3nn's matrices of the real representations."""
    G = rotation_generators(torch.eye(49, dtype=torch.float64)).permute(1, 2, 0)
    for l in range(7):
        here = slice(l * l, (l + 1) ** 2)
        theirs = e3nn.o3.so3_generators(l).double()  # about e3nn's x, y, z: here's y, z, x
        assert relative_error(G[[1, 2, 0], here, here], theirs) < 1e-6 if l else not G[:, 0].any()


@every_dtype
def test_the_algebra_of_the_generators(dtype):
    """[G_x, G_y] = G_z and cyclic; antisymmetric; the Casimir operator is the Laplacian."""
    c, g = randn(3, 81, dtype=dtype), rotation_generators
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        commutator = g(g(c)[..., j, :])[..., i, :] - g(g(c)[..., i, :])[..., j, :]
        assert relative_error(commutator, g(c)[..., k, :]) < 1e-14 * 81
    squares = sum(g(g(c)[..., i, :])[..., i, :] for i in range(3))
    assert relative_error(squares, laplacian(c)) < EXACT
    b = randn(3, 81, dtype=dtype)
    left = (b.conj()[:, None] * g(c)).sum(-1)
    assert torch.allclose(left, -(g(b).conj() * c[:, None]).sum(-1), atol=1e-11)


def test_the_generators_are_minus_x_cross_gradient():
    """(G f)(x) = -x × ∇f by autograd through e3nn's polynomials."""
    points, c = unit_points(50), randn(L * L)
    wanted = -torch.linalg.cross(points, cartesian_gradient(points, c))
    found = torch.einsum("pc,ic->pi", harmonics_at(points, L), rotation_generators(c))
    assert relative_error(found, wanted) < EXACT


def test_the_laplacian_is_the_trace_of_the_hessian():
    """For a function constant along rays, Δ on the sphere is the Laplacian of space."""
    c, points = randn(L * L), unit_points(6)
    hessians = [torch.autograd.functional.hessian(lambda x: polynomial(x[None], c)[0], p) for p in points]
    wanted = torch.stack([h.trace() for h in hessians])
    assert relative_error(harmonics_at(points, L) @ laplacian(c), wanted) < EXACT


@every_dtype
def test_the_inverse_laplacian_loses_the_mean_alone(dtype):
    c = randn(2, 36, dtype=dtype)
    u = inverse_laplacian(c)
    assert torch.equal(u[:, 0], torch.zeros(2, dtype=dtype))
    wanted = c.clone()
    wanted[:, 0] = 0
    assert torch.allclose(laplacian(u), wanted, rtol=1e-15)


def test_smoothing_is_the_beam_of_healpy():
    healpy = pytest.importorskip("healpy")
    for fwhm in (0.05, 0.3, 1.0):
        beam = healpy.gauss_beam(fwhm, lmax=11)
        found = power_spectrum(smooth(torch.ones(144, dtype=torch.float64), fwhm=fwhm))
        assert np.allclose(found, beam**2 * (2 * np.arange(12) + 1), rtol=1e-12)


def test_smoothing_solves_the_heat_equation():
    """du/dt = Δu; times add; the mean stays; the gradient reaches the time."""
    c, t = randn(4, 25), torch.rand(4, dtype=torch.float64)
    assert torch.allclose(smooth(smooth(c, t), 2 * t), smooth(c, 3 * t))
    assert torch.equal(smooth(c, t)[:, 0], c[:, 0])
    t.requires_grad_()
    (rate,) = torch.autograd.grad((smooth(c, t) * c).sum(), t)
    assert torch.allclose(rate, (laplacian(smooth(c, t)) * c).sum(-1))
    t = t.detach()
    assert torch.equal(smooth(c, 0.0), c)


@every_dtype
def test_identities_of_calculus(dtype):
    """div grad = Δ, curl grad = 0 exactly, curl of the rotated gradient = Δ, its divergence 0; Parseval."""
    c = randn(2, 64, dtype=dtype)
    assert torch.allclose(divergence(gradient(c)), laplacian(c), rtol=1e-14)
    assert torch.allclose(curl(rotated_gradient(c)), laplacian(c), rtol=1e-14)
    assert not curl(gradient(c)).any()
    assert not divergence(rotated_gradient(c)).any()
    energy = gradient(c).abs().square().sum((-1, -2))
    assert torch.allclose(energy, -(c.conj() * laplacian(c)).sum(-1).real)


def test_operators_commute_with_rotations():
    c, R = randn(8, 36), es.random_rotations(8, dtype=torch.float64)
    for operator in (laplacian, inverse_laplacian, lambda c: smooth(c, 0.1)):
        assert torch.allclose(operator(rotate(c, R)), rotate(operator(c), R), atol=1e-12)
    assert torch.allclose(gradient(rotate(c, R)), rotate(gradient(c), R[:, None]), atol=1e-12)
    # a vector of generators turns as a vector
    turned = torch.einsum("nij,njc->nic", R, rotate(rotation_generators(c), R[:, None]))
    assert torch.allclose(rotation_generators(rotate(c, R)), turned, atol=1e-12)


@pytest.mark.parametrize("grid", [ClenshawCurtis(nlat=15, nlon=14), GaussLegendre(nlat=7, nlon=13)], ids=str)
def test_samples_of_gradients_are_derivatives(grid):
    """∇f and x × ∇f by autograd in Cartesian components, on the poles too."""
    c, points = randn(L * L), grid.points
    wanted = cartesian_gradient(points, c)
    e_theta, e_phi = directions(grid)
    south, east = (wanted * e_theta).sum(-1), (wanted * e_phi).sum(-1)
    sht = VectorSHT(grid, L)
    assert relative_error(sht.inverse(gradient(c)), torch.stack((south, east))) < EXACT
    assert relative_error(sht.inverse(rotated_gradient(c)), torch.stack((-east, south))) < EXACT


def test_samples_are_ducc0s_of_spin_1():
    """The E and B of spin 1 in ducc0 are the two parts here."""
    ducc0 = pytest.importorskip("ducc0")
    field = randn(2, 400)
    field[:, 0] = 0
    samples = VectorSHT(ClenshawCurtis(nlat=41, nlon=44), 20).inverse(field)
    wanted = ducc0.sht.synthesis_2d(alm=alm(field), spin=1, lmax=19, geometry="CC", ntheta=41, nphi=44)
    assert relative_error(samples, torch.from_numpy(wanted)) < EXACT
    back = ducc0.sht.analysis_2d(map=wanted, spin=1, lmax=19, geometry="CC")
    assert np.allclose(alm(VectorSHT(ClenshawCurtis(nlat=41, nlon=44), 20)(torch.from_numpy(wanted))), back, atol=1e-12)


def test_samples_are_pyshtools_gradient():
    """pyshtools' gradient, with its components south and east, of 4-pi normalised coefficients."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyshtools = pytest.importorskip("pyshtools")
    n, c = 8, randn(64)
    cilm = np.zeros((2, n, n))
    for l in range(n):
        for m in range(-l, l + 1):
            cilm[int(m < 0), l, abs(m)] = c[l * l + l + m] / sqrt(4 * pi)
    theirs = pyshtools.SHCoeffs.from_array(cilm, lmax=n - 1).gradient(extend=False, radius=1.0)
    south, east = theirs.theta.data[1:], theirs.phi.data[1:]  # not the pole, where it has zeros
    samples = VectorSHT(DriscollHealy(n, poles=True, nlon=4 * n)).inverse(gradient(c))[:, 1:]
    wanted = torch.from_numpy(np.stack((south, east)))
    assert relative_error(samples[..., : wanted.shape[-1]], wanted) < 1e-12


@pytest.mark.parametrize("kind", KINDS)
@every_dtype
@pytest.mark.parametrize("shape", [(12, 12), (21, 8), (11, 101)])
def test_the_round_trip_of_fields_is_exact(kind, dtype, shape):
    """Analysis of synthesis, at the largest band limit that the grid carries for signals; degree 0 comes back zero."""
    sht = VectorSHT(KINDS[kind](nlat=shape[0], nlon=shape[1]))
    field = randn(2, 3, 2, sht.bandwidth**2, dtype=dtype)
    back = sht(sht.inverse(field))
    field[..., 0] = 0
    assert relative_error(back, field) < EXACT


@every_precision
def test_fields_turn_with_their_signal(dtype):
    """Sampled components of the rotated gradient field: v'(x) = R v(R^-1 x), within the rounding of each step."""
    grid, n = GaussLegendre(8), 8
    R = torch.cat((es.random_rotations(6, dtype=dtype), torch.eye(3, dtype=dtype)[None]))
    R = torch.cat((R, es.groups.rotation_about((0, 0, 1), torch.tensor([0.7], dtype=dtype))))
    R = torch.cat((R, es.groups.rotation_about((1, 0, 0), torch.tensor([pi], dtype=dtype))))
    field = randn(2, 64, dtype=dtype)
    field[..., 0] = 0
    samples = VectorSHT(grid).inverse(rotate(field, R[:, None]))
    e_theta, e_phi = directions(grid)
    found = samples[:, 0, ..., None] * e_theta + samples[:, 1, ..., None] * e_phi
    # the field at the points turned back, from reference harmonics: v = x × G phi - G psi
    back = torch.einsum("nij,abi->nabj", R.double(), grid.points)
    l = torch.from_numpy(es.harmonics.degrees_and_orders(n)[0]).double()
    potentials = field.double() / (l * (l + 1)).clamp(min=1).sqrt()
    w = torch.einsum("nabc,pic->pnabi", harmonics_at(back, n), rotation_generators(potentials))
    wanted = torch.einsum("nij,nabj->nabi", R.double(), torch.linalg.cross(back, w[0], dim=-1) - w[1])
    # a rotation, three scalar syntheses of the generators (4 products), and the sum over directions, to sqrt2 in the norm
    variance = rotation(n, dtype) + 2 * (transform(n, 2 * n, n, dtype) + product(8) + 3 * n**2 * tables(dtype))
    assert relative_error(found, wanted) < bound(variance + 3 * 9, dtype)  # R is rounded itself: 9 entries


def test_derivatives_go_through():
    """Everything is linear; `gradcheck` and `gradgradcheck` see it so, `vmap` too."""
    sht = VectorSHT(GaussLegendre(nlat=2, nlon=4))
    field = randn(2, 4).requires_grad_()
    samples = randn(2, 2, 4).requires_grad_()
    for function, x in ((sht.inverse, field), (sht, samples), (rotation_generators, field), (gradient, field)):
        assert torch.autograd.gradcheck(function, x)
        assert torch.autograd.gradgradcheck(function, x)
    batch = randn(4, 2, 4)
    assert torch.allclose(torch.func.vmap(sht.inverse)(batch), sht.inverse(batch))
    assert torch.allclose(torch.func.vmap(rotation_generators)(batch), rotation_generators(batch))


@every_precision
def test_the_dtype_stays(dtype):
    c = randn(2, 16, dtype=dtype)
    sht = VectorSHT(DriscollHealy(4))
    for y in (laplacian(c), smooth(c, torch.tensor(0.1)), gradient(c), rotation_generators(c), sht.inverse(c)):
        assert y.dtype == dtype
    assert sht(sht.inverse(c)).dtype == dtype


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: laplacian(torch.ones(5)), r"L\*L numbers"),
        (lambda: laplacian(torch.ones(4).long()), "floating point"),
        (lambda: inverse_laplacian(torch.ones(0, 4)), "empty batch"),
        (lambda: smooth(torch.ones(4)), "either time"),
        (lambda: smooth(torch.ones(4), 1.0, fwhm=1.0), "not both"),
        (lambda: smooth(torch.ones(4), -1.0), "not negative.*heat does not flow back"),
        (lambda: smooth(torch.ones(4), fwhm=float("nan")), "fwhm must be finite"),
        (lambda: smooth(torch.ones(2, 4), torch.ones(3)), "broadcast"),
        (lambda: gradient([1.0]), "torch tensor"),
        (lambda: divergence(torch.ones(4)), r"\(\.\.\., 2, L\*L\).*gradient\(c\)"),
        (lambda: curl(torch.ones(3, 4)), r"\(\.\.\., 2, L\*L\)"),
        (lambda: rotation_generators(torch.ones(7)), r"L\*L numbers"),
        (lambda: VectorSHT(GaussLegendre(2), 3), "bandwidth 3 is too large"),
        (lambda: VectorSHT(GaussLegendre(2)).inverse(torch.ones(4)), r"\(\.\.\., 2, L\*L\)"),
        (lambda: VectorSHT(GaussLegendre(2)).inverse(torch.ones(2, 9)), "band limit 2"),
        (lambda: VectorSHT(GaussLegendre(2))(torch.ones(4, 4)), r"\(\.\.\., 2, 4, 4\).*wind"),
        (lambda: VectorSHT(GaussLegendre(2))(torch.ones(2, 4, 5)), r"\(\.\.\., 2, 4, 4\)"),
        (lambda: VectorSHT(GaussLegendre(2))(torch.ones(0, 2, 4, 4)), "at least one signal"),
        (lambda: VectorSHT(GaussLegendre(2))(torch.full((2, 4, 4), float("nan"))), "finite"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
