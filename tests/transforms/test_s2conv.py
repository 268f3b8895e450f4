"""Every convolution of s2conv on the same coefficients, to 1e-12 in double precision, where it is installed.

Conventions: harmonics of every spin are the same; its `flm` and `flmn` are ours in other places (`interop.to_s2fft`,
`to_s2fft_wigner`), and its Wigner coefficients are sqrt(8 pi^2 / (2l+1)) times ours. What it calls N is one more than the
highest order here. The formulas in Wigner coefficients change with that: what is Psi^l_nk conjugated there, in a kernel, is
sqrt(8 pi^2 / (2l+1)) times a coefficient here.
"""

import warnings
from functools import partial
from math import pi

import numpy as np
import pytest
import torch
from reference import randn, relative_error

import equisphere as es
from equisphere.harmonics import degrees_and_orders, so3_degrees_and_orders
from equisphere.interop import from_s2fft, from_s2fft_wigner, to_s2fft, to_s2fft_wigner
from equisphere.transforms import (
    SpinSHT,
    axisymmetric_convolution,
    commutative_convolution,
    directional_convolution,
    directional_synthesis,
    e_b_modes,
    eth,
    ethbar,
    from_spin_components,
    harmonic_multiplication,
    inverse_kaiser_squires,
    kaiser_squires,
    sifting_convolution,
    so3_convolution,
    spin_components,
    spin_convolution,
    standard_correlation,
    steerable_convolution,
    to_complex_basis,
    zonal_convolution,
)

L, N = 8, 3
DEGREE, ORDER = (torch.from_numpy(x) for x in degrees_and_orders(L))
EXACT = 1e-12
SPINS = [0, 1, -2]
every_spin = pytest.mark.parametrize("spin", SPINS)
#: its samplings "dh" and "gl", which are grids here
GRIDS = {
    "dh": es.grids.DriscollHealy(nlat=2 * L, nlon=2 * L - 1),
    "gl": es.grids.GaussLegendre(nlat=L, nlon=2 * L - 1),
}


@pytest.fixture(scope="module")
def s2conv():
    """In double precision; its packages warn as they are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("s2conv")
        import jax

        jax.config.update("jax_enable_x64", True)
        yield package


def signal(*shape, spin=0):
    return randn(*shape, L * L, dtype=torch.complex128) * (abs(spin) <= DEGREE)


def function(*shape, order=L - 1):
    """Wigner coefficients of the orders |n| <= N."""
    _, _, n = so3_degrees_and_orders(L)
    return randn(*shape, len(n), dtype=torch.complex128) * torch.from_numpy(abs(n) <= order)


def zonal(psi):
    return psi[..., torch.arange(L) ** 2 + torch.arange(L)]


def alike(found, theirs, back=from_s2fft):
    assert relative_error(found, back(np.asarray(theirs))) < EXACT


@every_spin
def test_axisymmetric(s2conv, spin):
    f, psi = signal(2, spin=spin), signal(spin=spin)
    theirs = s2conv.classical.axisymmetric_convolution(to_s2fft(f), to_s2fft(psi), spin)
    alike(axisymmetric_convolution(f, zonal(psi), spin), theirs)
    scalar, l = signal(2), torch.arange(L, dtype=torch.float64)
    theirs = s2conv.classical.axisymmetric_synthesis(to_s2fft(scalar), to_s2fft(psi), spin)
    alike(spin_convolution(scalar, (4 * pi / (2 * l + 1)).sqrt() * zonal(psi), 0, spin), theirs)


def test_left(s2conv):
    f, h = randn(2, L * L), randn(L * L)
    theirs = s2conv.classical.left_convolution(to_s2fft(f), to_s2fft(h))
    alike(zonal_convolution(f, zonal(h)), theirs, partial(from_s2fft, reality=True))


@every_spin
def test_directional(s2conv, spin):
    f, psi = signal(2, spin=spin), signal(spin=spin)
    theirs = s2conv.classical.directional_convolution(to_s2fft(f), to_s2fft(psi), spin)
    alike(directional_convolution(f, psi), theirs, from_s2fft_wigner)


@every_spin
def test_haar_synthesis(s2conv, spin):
    F, psi = function(2), signal(spin=spin)
    theirs = s2conv.classical.directional_synthesis(to_s2fft_wigner(F), to_s2fft(psi), spin)
    alike(directional_synthesis(F, psi), theirs)


def test_on_so3(s2conv):
    F, psi = function(2), function()
    theirs = s2conv.group_convolution(to_s2fft_wigner(F), to_s2fft_wigner(psi))
    alike(so3_convolution(F, psi), theirs, from_s2fft_wigner)


@pytest.mark.parametrize(("spin", "out_spin"), [(0, 2), (2, 0), (1, -3), (0, 0)])
def test_spin_changing(s2conv, spin, out_spin):
    f, c = signal(2, spin=spin), randn(L, dtype=torch.complex128)
    found = spin_convolution(f, c, spin, out_spin)
    alike(found, s2conv.spin_multiplier(to_s2fft(f), c.numpy(), spin, out_spin))
    kernel = s2conv.kernels.multiplier(c.numpy(), spin, out_spin)
    alike(found, s2conv.lifted_convolution(to_s2fft(f), kernel, spin, out_spin))


def test_the_lifted_convolutions_of_one_kernel(s2conv):
    """Its four operators: lift, group convolution, component; a kernel's conjugate transposed entries are multipliers."""
    kernel, F, f, spin, out_spin = function(), function(2), signal(2, spin=1), 1, -2
    theirs = to_s2fft_wigner(kernel)
    lifted = torch.zeros(2, 2 * L - 1, L * L, dtype=torch.complex128)
    lifted[:, L - 1 + spin] = f
    on_group = so3_convolution(from_spin_components(lifted), kernel)
    alike(from_spin_components(lifted), s2conv.lift(to_s2fft(f), spin, L), from_s2fft_wigner)
    alike(on_group, s2conv.spin_to_group(to_s2fft(f), theirs, spin), from_s2fft_wigner)
    alike(spin_components(on_group)[:, L - 1 + out_spin], s2conv.spin_to_spin(to_s2fft(f), theirs, spin, out_spin))
    to_spin = spin_components(so3_convolution(F, kernel))[:, L - 1 + out_spin]
    alike(to_spin, s2conv.group_to_spin(to_s2fft_wigner(F), theirs, out_spin))
    _, m, n = (torch.from_numpy(x) for x in so3_degrees_and_orders(L))
    entries = kernel[(m == -out_spin) & (n == -spin)].conj() * (-1) ** (spin + out_spin)
    degree = torch.arange(2, L)
    c = torch.nn.functional.pad((8 * pi**2 / (2 * degree.double() + 1)).sqrt() * entries, (2, 0))
    alike(spin_convolution(f, c, spin, out_spin), s2conv.spin_to_spin(to_s2fft(f), theirs, spin, out_spin))


@every_spin
def test_steerable(s2conv, spin):
    f, psi = signal(2, spin=spin), signal(spin=spin) * (ORDER.abs() < N)
    theirs = s2conv.classical.directional_convolution(to_s2fft(f), to_s2fft(psi), spin, N)
    alike(steerable_convolution(f, psi, N - 1), s2conv.lifting.spin_components(theirs))
    F = from_s2fft_wigner(np.asarray(theirs))
    alike(spin_components(F, N - 1), s2conv.lifting.spin_components(theirs))


@pytest.mark.parametrize("spin", [0, 2, -3])
def test_eth(s2conv, spin):
    f = signal(2, spin=spin)
    alike(eth(f, spin), s2conv.physics.eth(to_s2fft(f), spin))
    alike(ethbar(f, spin), s2conv.physics.ethbar(to_s2fft(f), spin))


def test_e_and_b(s2conv):
    p = signal(2, spin=2)
    for ours, theirs in zip(e_b_modes(p).unbind(-2), s2conv.physics.eb_decomposition(to_s2fft(p)), strict=True):
        alike(to_complex_basis(ours), theirs)


def test_shear(s2conv):
    kappa = signal(2)
    gamma = kaiser_squires(kappa)
    alike(gamma, s2conv.physics.kaiser_squires(to_s2fft(kappa)))
    alike(inverse_kaiser_squires(gamma), s2conv.physics.kaiser_squires_inverse(to_s2fft(gamma)))


@pytest.mark.parametrize("sampling", GRIDS)
@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("standard_correlation", standard_correlation),
        ("commutative_anisotropic_convolution", commutative_convolution),
    ],
)
def test_on_a_section(s2conv, name, ours, sampling):
    f, psi = signal(), signal() * (ORDER.abs() < N)
    convolve = getattr(s2conv.section, name)
    theirs = convolve(to_s2fft(f), to_s2fft(psi), N, sampling=sampling, method="precompute")
    theirs, found = torch.from_numpy(np.array(theirs)), ours(f, psi, GRIDS[sampling], order=N - 1)
    assert relative_error(found, theirs) < EXACT


def test_diagonal(s2conv):
    f, g = signal(2), signal()
    alike(harmonic_multiplication(f, g), s2conv.diagonal.harmonic_multiplication(to_s2fft(f), to_s2fft(g)))
    alike(sifting_convolution(f, g), s2conv.diagonal.sifting_convolution(to_s2fft(f), to_s2fft(g)))


@pytest.mark.parametrize("spin", [0, 2, -7])
def test_samples_of_spins(s2conv, spin):
    """Its convolution of samples is ours between transforms."""
    c = randn(L, dtype=torch.complex128)
    sht, out = SpinSHT(GRIDS["dh"], L, spin), SpinSHT(GRIDS["dh"], L, 1)
    f = sht.inverse(signal(spin=spin))
    theirs = s2conv.convolve_multiplier(f.numpy(), c.numpy(), L, spin, 1, sampling="dh", method="precompute")
    found = out.inverse(spin_convolution(sht(f), c, spin, 1))
    assert relative_error(found, torch.from_numpy(np.array(theirs))) < EXACT
