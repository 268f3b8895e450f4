"""Every classical convolution against its definition, by quadrature over rotations; which of them commute with rotations."""

from math import pi, sqrt

import numpy as np
import pytest
import torch
from reference import SPECIAL_ROTATIONS, about_z, from_euler, randn, relative_error
from rounding import CONTRACT, bound, product, rotation
from torch.autograd import gradcheck

import equisphere as es
from equisphere.groups import euler_angles
from equisphere.harmonics import degrees_and_orders, so3_degrees_and_orders, wigner_D
from equisphere.transforms import (
    SO3Transform,
    SpinSHT,
    axisymmetric_convolution,
    commutative_convolution,
    directional_convolution,
    directional_synthesis,
    eth,
    ethbar,
    from_spin_components,
    harmonic_multiplication,
    inverse_kaiser_squires,
    kaiser_squires,
    section,
    sifting_convolution,
    so3_convolution,
    spin_components,
    spin_convolution,
    standard_correlation,
    steerable_convolution,
    to_complex_basis,
    zonal_convolution,
)

L = 4
DEGREE, ORDER = (torch.from_numpy(x) for x in degrees_and_orders(L))
GRID = es.grids.GaussLegendre(L, nlat=L, nlon=2 * L)
SO3 = SO3Transform(L)
SPINS = [0, 1, -2]
every_spin = pytest.mark.parametrize("spin", SPINS)
R = es.random_rotations(6, torch.Generator().manual_seed(3), torch.float64)


def signal(*shape, spin=0, dtype=torch.complex128):
    """Coefficients of spin s, zero where l < |s|."""
    return randn(*shape, L * L, dtype=dtype) * (abs(spin) <= DEGREE)


def values_at(F, rotations):
    """F(R) = sum F^l_mn sqrt((2l+1) / 8 pi^2) conj(D^l_mn(R)) at rotations `(n, 3, 3)`, from reference Wigner matrices."""
    rows = [
        np.concatenate([np.sqrt((2 * l + 1) / (8 * pi**2)) * wigner_D(l, *angles).conj().ravel() for l in range(L)])
        for angles in torch.stack(euler_angles(rotations), dim=-1).tolist()
    ]
    return torch.from_numpy(np.stack(rows)) @ F


def at_nodes(turn=0.0):
    """R_z(phi) R_y(theta) R_z(chi) at each node of the grid."""
    return torch.stack(
        [
            from_euler(phi, theta, turn(theta, phi) if callable(turn) else turn)
            for theta in GRID.colatitudes.tolist()
            for phi in GRID.longitudes.tolist()
        ]
    )


def inner(f, g, spin):
    """The integral of f conj(g) over the sphere, by quadrature of samples."""
    sht = SpinSHT(GRID, L, spin)
    return (GRID.weights * sht.inverse(f) * sht.inverse(g).conj()).sum((-2, -1))


@every_spin
def test_directional_convolution_is_the_inner_product_with_turned_kernels(spin):
    """(f * psi)(R) = <f, R.psi>, at random R."""
    f, psi = signal(spin=spin), signal(spin=spin)
    wanted = inner(f, es.rotate(psi, R), spin)
    assert relative_error(values_at(directional_convolution(f, psi), R), wanted) < 1e-13


@every_spin
def test_synthesis_adds_up_turned_kernels(spin):
    """The integral over SO(3) of F(R) (R.psi)(x), by the quadrature of SO3Transform."""
    F, psi = randn(SO3.size, dtype=torch.complex128), signal(spin=spin)
    rotations, values = SO3.rotations.flatten(0, 2), SO3.inverse(F).flatten()
    sht = SpinSHT(GRID, L, spin)
    turned = sht.inverse(es.rotate(psi, rotations))
    wanted = torch.einsum("r,rjk->jk", SO3.weights.flatten() * values, turned)
    assert relative_error(sht.inverse(directional_synthesis(F, psi)), wanted) < 1e-13


def test_group_convolution_is_the_integral_over_so3():
    """(psi * F)(R) = integral of conj(psi(R^-1 Q)) F(Q) dQ, at random R."""
    F, psi = randn(2, SO3.size, dtype=torch.complex128)
    Q, weights = SO3.rotations.flatten(0, 2), SO3.weights.flatten()
    of_F = values_at(F, Q)
    wanted = torch.stack([(weights * values_at(psi, turn.mT @ Q).conj() * of_F).sum() for turn in R])
    assert relative_error(values_at(so3_convolution(F, psi), R), wanted) < 1e-12


@every_spin
def test_axisymmetric_convolution_is_the_inner_product_about_each_point(spin):
    """<f, R_z(phi) R_y(theta) psi> at the nodes, for a kernel of orders 0 alone."""
    f, psi = signal(spin=spin), randn(L, dtype=torch.complex128)
    kernel = torch.where(ORDER == 0, psi[DEGREE], 0) * (abs(spin) <= DEGREE)
    wanted = inner(f, es.rotate(kernel, at_nodes()), spin).unflatten(0, GRID.shape)
    found = axisymmetric_convolution(f, psi, spin)
    assert relative_error(es.SHT(GRID, L).inverse(found), wanted) < 1e-13
    if spin:
        assert not found[: spin**2].any()


def test_axisymmetric_convolution_of_real_signals_is_the_left_one_over_2_pi():
    f, h = randn(3, L * L), randn(L)
    found = axisymmetric_convolution(f, h)
    assert found.dtype == torch.float64
    assert relative_error(2 * pi * found, zonal_convolution(f, h)) < 1e-15
    complex_filter = axisymmetric_convolution(f, h + 0j)
    assert relative_error(complex_filter, to_complex_basis(found)) < 1e-15


@pytest.mark.parametrize(("spin", "out_spin"), [(0, 0), (0, 2), (2, 0), (-1, 3), (1, 1)])
def test_spin_convolution_is_a_convolution_on_so3(spin, out_spin):
    """Lift, group convolution with the one coefficient of the docstring, component of spin s'."""
    f, c = signal(2, spin=spin), randn(L, dtype=torch.complex128)
    lifted = torch.zeros(2, 2 * L - 1, L * L, dtype=torch.complex128)
    lifted[:, L - 1 + spin] = f
    l, m, n = (torch.from_numpy(x) for x in so3_degrees_and_orders(L))
    one = ((m == -out_spin) & (n == -spin)) * ((2 * l.double() + 1) / (8 * pi**2)).sqrt() * (-1) ** (spin + out_spin)
    components = spin_components(so3_convolution(from_spin_components(lifted), one * c.conj()[l]))
    found = spin_convolution(f, c, spin, out_spin)
    assert relative_error(found, components[:, L - 1 + out_spin]) < 1e-14
    assert not found[..., : max(spin**2, out_spin**2)].any()
    assert not components.abs().sum((0, 2))[[s for s in range(2 * L - 1) if s != L - 1 + out_spin]].any()


def test_a_function_on_so3_is_a_tuple_of_spins():
    """F(R_z(phi) R_y(theta) R_z(gamma)) = (2 pi)^-1/2 sum_s e^{-is gamma} F_s(theta, phi), with as much power."""
    F, gamma = randn(SO3.size, dtype=torch.complex128), 0.8
    c = spin_components(F)
    wanted = values_at(F, at_nodes(gamma)).unflatten(0, GRID.shape)
    spins = range(1 - L, L)
    found = sum(SpinSHT(GRID, L, s).inverse(c[L - 1 + s]) * np.exp(-1j * s * gamma) for s in spins) / sqrt(2 * pi)
    assert relative_error(found, wanted) < 1e-13
    assert torch.isclose(c.norm(), F.norm(), rtol=1e-14)
    assert torch.equal(from_spin_components(c), F)
    few = from_spin_components(spin_components(F, order=1))
    assert torch.equal(few, torch.where(torch.from_numpy(abs(so3_degrees_and_orders(L)[2]) <= 1), F, 0))


@pytest.mark.parametrize("order", [0, 1, L - 1])
@every_spin
def test_a_steerable_kernel_gives_the_spins_of_the_directional_convolution(spin, order):
    f, psi = signal(2, spin=spin), signal(spin=spin) * (ORDER.abs() <= order)
    found = steerable_convolution(f, psi, order)
    assert relative_error(found, spin_components(directional_convolution(f, psi), order)) < 1e-15
    assert relative_error(from_spin_components(found), directional_convolution(f, psi)) < 1e-15
    real = steerable_convolution(randn(L * L), randn(L * L), order)  # a real function: F_-s is the conjugate of F_s
    conjugate = (real.conj() * (-1) ** (ORDER % 2))[:, DEGREE * (DEGREE + 1) - ORDER]
    signs = torch.tensor([(-1.0) ** s for s in range(-order, order + 1)])[:, None]
    assert relative_error(real.flip(0), signs * conjugate) < 1e-15


@pytest.mark.parametrize("spin", [0, 1, -2, 3])
def test_eth_and_its_conjugate_are_derivatives(spin):
    """ðf = -sin^s (d_theta + i / sin d_phi) (f / sin^s), by differences along the meridian; and ð̄ with -s and -i."""
    low = 5
    degree, order = (torch.from_numpy(x) for x in degrees_and_orders(low))
    theta, phi, h = torch.tensor([0.5, 1.4, 2.5], dtype=torch.float64), 0.7, 1e-4
    f = randn(low * low, dtype=torch.complex128) * (degree >= abs(spin))
    along = 1j * order

    def at(angle, c, s):
        R = torch.stack([from_euler(phi, float(t), 0.0) for t in angle])
        tuple_of_one = torch.zeros(2 * low - 1, low * low, dtype=torch.complex128)
        tuple_of_one[low - 1 + s] = c
        F = from_spin_components(tuple_of_one)
        rows = []
        for angles in torch.stack(euler_angles(R), dim=-1).tolist():
            parts = [sqrt((2 * l + 1) / (4 * pi)) * wigner_D(l, *angles).conj().ravel() for l in range(low)]
            rows.append(torch.from_numpy(np.concatenate(parts)) @ F)
        return torch.stack(rows)

    sine = theta.sin()
    for s, sign, operator in ((spin, 1, eth), (-spin, -1, ethbar)):
        g = f  # a signal of spin s
        if abs(s + sign) >= low:
            continue
        power = sign * s
        slope = at(theta + h, g, s) / (theta + h).sin() ** power - at(theta - h, g, s) / (theta - h).sin() ** power
        slope = slope / (2 * h) + sign * 1j / sine * at(theta, g * along, s) / sine**power
        wanted = -(sine**power) * slope
        assert relative_error(at(theta, operator(g, s), s + sign), wanted) < 1e-6


def test_eth_of_real_scalars_is_minus_the_gradient():
    f = randn(3, L * L)
    grid = es.grids.GaussLegendre(L)
    south, east = es.transforms.VectorSHT(grid).inverse(es.transforms.gradient(f)).unbind(-3)
    assert relative_error(-SpinSHT(grid, L, 1).inverse(eth(f, 0)), torch.complex(south, east)) < 1e-12
    assert relative_error(ethbar(eth(f, 0), 1), to_complex_basis(es.transforms.laplacian(f))) < 1e-14


def test_shear_and_convergence_come_from_one_potential():
    """kappa = Laplacian of psi / 2, gamma = ðð psi / 2."""
    potential = randn(2, L * L)
    kappa, gamma = es.transforms.laplacian(potential) / 2, eth(eth(potential, 0), 1) / 2
    assert relative_error(kaiser_squires(kappa), gamma) < 1e-14
    kappa[..., :4] = 0
    assert relative_error(inverse_kaiser_squires(gamma), to_complex_basis(kappa)) < 1e-14


@pytest.mark.parametrize("turn", [None, 0.4, 0.5, "nodes"])
def test_a_section_is_the_function_at_one_rotation_for_each_node(turn):
    F = randn(2, SO3.size, dtype=torch.complex128)
    angle = {None: None, 0.4: torch.tensor(0.4), 0.5: 0.5}.get(turn, GRID.points[..., 0])
    at = {None: 0.0, 0.4: 0.4000000059604645, 0.5: 0.5}.get(turn, lambda t, p: np.sin(t) * np.cos(p))
    wanted = torch.stack([values_at(x, at_nodes(at)) for x in F]).unflatten(1, GRID.shape)
    assert relative_error(section(spin_components(F), GRID, angle), wanted) < 1e-12


@every_spin
def test_standard_correlation_moves_the_kernel_to_each_node(spin):
    """<f, R_z(phi) R_y(theta) psi>, by quadrature."""
    f, psi = signal(spin=spin), signal(spin=spin)
    wanted = inner(f, es.rotate(psi, at_nodes()), spin).unflatten(0, GRID.shape)
    assert relative_error(standard_correlation(f, psi, GRID), wanted) < 1e-12
    low = psi * (ORDER.abs() <= 1)
    assert relative_error(standard_correlation(f, psi, GRID, order=1), standard_correlation(f, low, GRID)) < 1e-14


def test_commutative_convolution_is_its_integral_and_commutes():
    """The integral of (R_z(phi) R_y(theta) R_z(pi - phi) h) f, for complex signals; exchanged, the same."""
    f, h = signal(), signal()
    sht = es.SHT(GRID, L)
    turned = sht.inverse(es.rotate(h, at_nodes(lambda t, p: pi - p)))
    wanted = (GRID.weights * turned * sht.inverse(f)).sum((-2, -1)).unflatten(0, GRID.shape)
    assert relative_error(commutative_convolution(f, h, GRID), wanted) < 1e-12
    assert relative_error(commutative_convolution(h, f, GRID), wanted) < 1e-12


def test_multiplications_of_harmonics_are_what_they_say():
    f, g = signal(3), signal()
    assert torch.equal(harmonic_multiplication(f, g), f * g)
    assert torch.equal(sifting_convolution(f, g), f * g.conj())
    assert torch.equal(sifting_convolution(f.real, g.real), to_complex_basis(f.real) * to_complex_basis(g.real).conj())


KERNEL, FUNCTION = signal(spin=1), randn(SO3.size, dtype=torch.complex128)
MULTIPLIER = randn(L, dtype=torch.complex128)
#: what commutes: from tuples of spins (one, where the input is a signal) to such
EQUIVARIANT = {
    "axisymmetric": lambda c: axisymmetric_convolution(c[:, 0], MULTIPLIER.to(c), spin=1)[:, None],
    "left": lambda c: zonal_convolution(c, MULTIPLIER.real.to(c.real)),
    "directional": lambda c: spin_components(directional_convolution(c[:, 0], KERNEL.to(c))),
    "synthesis": lambda c: directional_synthesis(from_spin_components(c), KERNEL.to(c))[:, None],
    "on SO(3)": lambda c: spin_components(so3_convolution(from_spin_components(c), FUNCTION.to(c))),
    "steerable": lambda c: steerable_convolution(c[:, 0], KERNEL.to(c), 2),
    "spin-changing": lambda c: spin_convolution(c, MULTIPLIER.to(c), 1, 2),
    "eth": lambda c: eth(c, 1),
    "shear": kaiser_squires,
}
ROTATIONS = {
    "random": es.random_rotations(5, torch.Generator().manual_seed(5), torch.float64)[:, None],
    **{name: SPECIAL_ROTATIONS[name] for name in ("about_z", "poles_swapped", "poles_swapped_and_turned", "identity")},
}


def error(map_, c, R):
    """||T(R.f) - R.T(f)|| / ||R.T(f)||."""
    return relative_error(map_(es.rotate(c, R)), es.rotate(map_(c), R))


@pytest.mark.parametrize("name", ROTATIONS)
@pytest.mark.parametrize("kind", EQUIVARIANT)
@pytest.mark.parametrize("dtype", CONTRACT)
def test_they_commute_with_rotations(kind, name, dtype):
    """To the rounding of two rotations and, within, of a product of at most 2L - 1 complex terms."""
    c = randn(5, 3, L * L, dtype=dtype.to_complex())
    assert error(EQUIVARIANT[kind], c, ROTATIONS[name]) <= bound(2 * rotation(L, dtype) + 2 * product(4 * L), dtype)


SHT = es.SHT(es.grids.GaussLegendre(3 * L))
#: what does not; cuts of functions on SO(3) have no band limit: their part of three times the band limit is compared
BOUND_TO_AXES = {
    "standard": lambda f: SHT(standard_correlation(f, KERNEL, SHT.grid)),
    "commutative": lambda f: SHT(commutative_convolution(f, KERNEL, SHT.grid)),
    "multiplication": lambda f: harmonic_multiplication(f, KERNEL),
    "sifting": lambda f: sifting_convolution(f, KERNEL),
}


@pytest.mark.parametrize("kind", BOUND_TO_AXES)
def test_those_of_sections_and_orders_do_not_commute(kind):
    """By errors of their own size; but about z all but the commutative one do."""
    f = signal(5)
    assert error(BOUND_TO_AXES[kind], f, ROTATIONS["random"][:, 0]) > 0.3
    if kind == "commutative":
        assert error(BOUND_TO_AXES[kind], f, about_z(0.7)) > 0.3
    elif kind != "standard":  # whose values at the poles depend on the direction they are reached from
        assert error(BOUND_TO_AXES[kind], f, about_z(0.7)) < 1e-14


def test_standard_correlation_follows_turns_about_z():
    """By a whole number of longitudes, node by node."""
    f, psi = signal(), signal()
    steps = 3
    turned = standard_correlation(es.rotate(f, about_z(float(GRID.longitudes[steps]))), psi, GRID)
    assert relative_error(turned, standard_correlation(f, psi, GRID).roll(steps, dims=-1)) < 1e-13


def test_gradients_and_batches():
    """In signals and kernels; leading dimensions are broadcast, each pair as by itself."""
    f, g = (signal(2).requires_grad_(), signal(3, 1).requires_grad_())
    F, c = randn(2, SO3.size, dtype=torch.complex128).requires_grad_(), MULTIPLIER.clone().requires_grad_()
    for function, inputs in (
        (directional_convolution, (f, g)),
        (directional_synthesis, (F, g)),
        (so3_convolution, (F, FUNCTION.clone().requires_grad_())),
        (lambda f, g: steerable_convolution(f, g, 1), (f, g)),
        (axisymmetric_convolution, (f, c)),
        (lambda f, c: spin_convolution(f, c, 1, -2), (f, c)),
        (lambda f, g: standard_correlation(f, g, GRID, 1), (f[0], g[0, 0])),
        (lambda f, g: commutative_convolution(f, g, GRID, 1), (f[0], g[0, 0])),
        (sifting_convolution, (f, g)),
    ):
        assert gradcheck(function, inputs, fast_mode=True)
    for function, x in ((directional_convolution, f), (directional_synthesis, F)):
        both = function(x, g)
        assert both.shape[:2] == (3, 2)
        torch.testing.assert_close(both[2, 1], function(x[1], g[2, 0]))


ONE = torch.ones(16) + 0j
BAD = {
    "two band limits": (lambda: directional_convolution(ONE, ONE[:9]), "psi must have band limit 4.*got band limit 3"),
    "batches": (lambda: directional_convolution(torch.ones(2, 16), torch.ones(3, 16)), "must broadcast"),
    "no Wigner coefficients": (lambda: directional_synthesis(ONE, ONE), r"1, 10, 35, 84"),
    "real Wigner coefficients": (lambda: spin_components(torch.ones(84)), "complex Wigner coefficients"),
    "another band limit": (lambda: directional_synthesis(torch.ones(10) + 0j, ONE), "psi must have band limit 2"),
    "batches on SO(3)": (
        lambda: so3_convolution(torch.ones(2, 84) + 0j, torch.ones(3, 84) + 0j),
        "must broadcast",
    ),
    "two band limits on SO(3)": (lambda: so3_convolution(torch.ones(10) + 0j, ONE[:1]), "one band limit"),
    "a high order": (lambda: steerable_convolution(ONE, ONE, 4), "order must be an integer from 0 to 3 at.* got 4"),
    "a steered negative order": (
        lambda: steerable_convolution(ONE, ONE, -1),
        "order must be an integer from 0 to 3.* got -1",
    ),
    "a broken order": (lambda: steerable_convolution(ONE, ONE, 1.5), "order must be an integer from 0 to 3.* got 1.5"),
    "a high order of spins": (lambda: spin_components(torch.ones(84) + 0j, 4), "order must be an integer from 0 to 3"),
    "a negative order": (lambda: spin_components(torch.ones(84) + 0j, -1), "order must be an integer from 0 to 3"),
    "an even tuple": (lambda: from_spin_components(torch.ones(2, 16) + 0j), r"the spins -N .. N"),
    "a real vector": (lambda: spin_convolution(torch.ones(16), torch.ones(4), 1, 0), "spin 1 are complex"),
    "a high spin": (lambda: spin_convolution(ONE, torch.ones(4), 0, 4), "out_spin must lie between -3 and 3"),
    "few numbers": (lambda: spin_convolution(ONE, torch.ones(3), 0, 1), "one number for each of the 4 degrees"),
    "raised too high": (lambda: eth(ONE, 3), "what comes of spin 3 has spin 4, and no degrees below band limit 4"),
    "lowered too low": (lambda: ethbar(ONE, -3), "what comes of spin -3 has spin -4"),
    "a spin that is none": (lambda: eth(ONE, 4), "spin must lie between -3 and 3"),
    "no shear": (lambda: kaiser_squires(torch.ones(4)), "shear has degrees l >= 2 alone"),
    "an angle that is none": (lambda: section(torch.ones(3, 16) + 0j, GRID, "x"), "an angle for each node.*got 'x'"),
    "angles": (lambda: section(torch.ones(3, 16) + 0j, GRID, torch.ones(5)), "an angle for each node"),
    "multiplied batches": (
        lambda: harmonic_multiplication(torch.ones(2, 16), torch.ones(3, 16)),
        "leading dimensions of f",
    ),
    "integers": (lambda: sifting_convolution(torch.ones(16).long(), ONE), "floating point"),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_explained(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()
