"""Rotation of coefficients: (R.f)(x) = f(R^-1 x), exactly, for every rotation."""

import numpy as np
import pytest
import torch
from reference import KINDS, SPECIAL_ROTATIONS, about_z, from_euler, harmonics_at, randn, relative_error, unit_points

import equisphere as es
from equisphere.transforms import to_complex_basis

every_rotation = pytest.mark.parametrize("name", SPECIAL_ROTATIONS)
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])

#: rounding that rotations at a band limit of at most 32 may leave, relative
TOLERANCE = {torch.float64: 1e-13, torch.float32: 2e-6}


def draw(n, seed=1, dtype=torch.float64):
    return es.random_rotations(n, torch.Generator().manual_seed(seed), dtype)


@every_rotation
@every_dtype
def test_a_rotated_signal_has_its_values_at_rotated_points(name, dtype):
    """(R.f)(x) = f(R^-1 x), evaluated by the reference harmonics at points x and R^-1 x."""
    R, points = SPECIAL_ROTATIONS[name], unit_points(40)
    c = randn(10 * 10, dtype=dtype)
    complex_ = dtype.is_complex
    here = harmonics_at(points, 10, complex_) @ es.rotate(c, R)
    there = harmonics_at(points @ R, 10, complex_) @ c  # rows times R: R^-1 x
    assert relative_error(here, there) < TOLERANCE[torch.float64]


@pytest.mark.parametrize("angles", [(0.3, 1.2, -2.0), (0.0, 0.0, 1.0), (1.0, np.pi, 0.5), (3.0, 1e-9, 0.2)])
def test_complex_coefficients_are_multiplied_by_wigner_matrices(angles):
    """(R.f)_lm = sum_n D^l_mn(alpha, beta, gamma) f_ln for R = R_z(alpha) R_y(beta) R_z(gamma) (MATH 8)."""
    c = randn(2, 12 * 12, dtype=torch.complex128)
    turned = es.rotate(c, from_euler(*angles))
    for l in range(12):
        s = slice(l * l, (l + 1) ** 2)
        D = torch.from_numpy(es.harmonics.wigner_D(l, *angles))
        assert torch.allclose(turned[:, s], c[:, s] @ D.T, rtol=0, atol=1e-13)


def test_a_turn_about_z_adds_to_the_longitude():
    """R_z(a) takes f_lm to e^{-ima} f_lm: a feature at longitude phi goes to phi + a."""
    c = randn(8 * 8, dtype=torch.complex128)
    order = torch.from_numpy(es.harmonics.degrees_and_orders(8)[1])
    assert torch.allclose(es.rotate(c, about_z(0.6)), torch.exp(-0.6j * order.double()) * c, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("L", [1, 2, 3, 8, 32])
def test_rotations_compose(L, dtype):
    """R.(S.f) = (RS).f, and R^-1 undoes R, in either precision."""
    R, S = draw(2, dtype=torch.float64)
    c = randn(3, L * L, dtype=dtype)
    once, twice = es.rotate(c, R @ S), es.rotate(es.rotate(c, S), R)
    assert once.dtype == dtype
    assert relative_error(twice, once) < TOLERANCE[dtype]
    assert relative_error(es.rotate(es.rotate(c, R), R.mT), c) < TOLERANCE[dtype]


@pytest.mark.parametrize("pair", [("general", "general"), ("general", "poles_swapped"), ("almost_about_z", "general")])
def test_rotations_compose_at_band_limit_128(pair):
    """The homomorphism at L = 128 to 1e-12, in the norm and in the worst coefficient."""
    R, S = (SPECIAL_ROTATIONS[name] for name in pair)
    c = randn(2, 128 * 128)
    once, twice = es.rotate(c, R @ S), es.rotate(es.rotate(c, S), R)
    assert relative_error(twice, once) < 1e-12
    assert float((twice - once).abs().max() / c.abs().max()) < 1e-12


@every_rotation
def test_norms_and_powers_stay(name):
    """Each degree is turned by an orthogonal matrix: the power spectrum does not change."""
    c = randn(3, 32 * 32)
    powers = es.power_spectrum(c)
    assert torch.allclose(es.power_spectrum(es.rotate(c, SPECIAL_ROTATIONS[name])), powers, rtol=1e-13)
    complex_ = randn(16 * 16, dtype=torch.complex128)
    turned = es.rotate(complex_, SPECIAL_ROTATIONS[name])
    assert torch.allclose(es.power_spectrum(turned), es.power_spectrum(complex_), rtol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128, torch.float32])
def test_the_identity_changes_nothing(dtype):
    """1.f = f to rounding."""
    c = randn(2, 32 * 32, dtype=dtype)
    assert relative_error(es.rotate(c, torch.eye(3)), c) < TOLERANCE.get(dtype, 1e-13)


@pytest.mark.parametrize(
    ("c_shape", "R_shape", "out"),
    [((), (), ()), ((4,), (), (4,)), ((), (4,), (4,)), ((2, 3), (2, 1), (2, 3)), ((3,), (2, 1), (2, 3))],
)
def test_leading_dimensions_broadcast(c_shape, R_shape, out):
    """Each signal is turned by its own rotation, as one at a time."""
    c, R = randn(*c_shape, 25), draw(max(1, int(np.prod(R_shape)))).reshape(*R_shape, 3, 3)
    turned = es.rotate(c, R)
    assert turned.shape == (*out, 25)
    all_c, all_R = c.expand(*out, 25).reshape(-1, 25), R.expand(*out, 3, 3).reshape(-1, 3, 3)
    one_by_one = torch.stack([es.rotate(*pair) for pair in zip(all_c, all_R, strict=True)])
    assert torch.allclose(turned.reshape(-1, 25), one_by_one, rtol=0, atol=1e-14)
    assert torch.allclose(es.rotate(to_complex_basis(c), R), to_complex_basis(turned), rtol=0, atol=1e-14)


def test_precisions_mix():
    """The coefficients' dtype stays; a float32 R with float64 c is a rotation to double precision all the same."""
    R, c = draw(1)[0], randn(5, 16 * 16)
    wanted = es.rotate(c, R)
    low_R, low_c = es.rotate(c, R.float()), es.rotate(c.float(), R)
    assert low_R.dtype == torch.float64
    assert low_c.dtype == torch.float32
    assert relative_error(low_R, wanted) < 1e-5  # rounded angles, times the degree
    assert torch.allclose(low_R.norm(dim=-1), c.norm(dim=-1), rtol=1e-13)
    assert relative_error(low_c, wanted) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@every_rotation
def test_rotate_signal_evaluates_the_signal_on_the_turned_grid(kind, name):
    """The samples of R.f are the values of f at R^-1 x_jk."""
    grid, R = KINDS[kind](nlat=13, nlon=18), SPECIAL_ROTATIONS[name]
    c = randn(2, grid.bandwidth**2)
    f = torch.einsum("jkc,nc->njk", harmonics_at(grid.points, grid.bandwidth), c)
    turned = torch.einsum("jkc,nc->njk", harmonics_at(grid.points @ R, grid.bandwidth), c)
    assert relative_error(es.rotate_signal(f, R, grid), turned) < 1e-13


def test_rotate_signal_takes_a_rotation_for_each_signal():
    """Leading dimensions of signals and rotations broadcast, and complex signals turn as their two parts do."""
    grid = es.grids.DriscollHealy(4)
    f, R = es.SHT(grid).inverse(randn(3, 16)), draw(3)
    turned = es.rotate_signal(f, R, grid)
    assert torch.allclose(turned[1], es.rotate_signal(f[1], R[1], grid), rtol=0, atol=1e-13)
    both = es.rotate_signal(torch.complex(f, -2 * f), R, grid)
    assert torch.allclose(both, torch.complex(turned, -2 * turned), rtol=0, atol=1e-12)


def test_the_memory_layout_of_the_input_does_not_matter():
    """Transposed coefficients and rotations are turned as their contiguous copies, and left as they were."""
    c, R = randn(16, 4).T, draw(4).mT
    before = c.clone()
    assert torch.allclose(es.rotate(c, R), es.rotate(c.contiguous(), R.contiguous()), rtol=0, atol=1e-14)
    assert torch.equal(c, before)
