"""The type of a feature, and functions on SO(3) as features."""

import numpy as np
import pytest
import torch
from fields import feature, values_at
from reference import relative_error

import equisphere as es
from equisphere.nn import Field, SO3Activation, from_wigner, to_wigner
from equisphere.transforms import SO3Transform, SpinSHT, e_b_modes, from_e_b_modes, pointwise_spins

L = 5


def test_where_everything_stands():
    field = Field(L, spins=(2, 0, 1), channels=(3, 5, 2))
    assert (field.spins, field.channels, field.sizes, field.rows) == ((0, 1, 2), (5, 2, 3), (5, 4, 6), 15)
    assert [field.rows_at(l) for l in range(4)] == [5, 9, 15, 15]
    c = feature(field)
    parts = field.parts(c)
    assert torch.equal(torch.cat(list(parts.values()), dim=1), c)
    assert field == Field(L, (0, 1, 2), [5, 2, 3])
    assert len({field, Field(L, (0, 1, 2), [5, 2, 3])}) == 1
    assert field.at(4) == Field(4, (0, 1, 2), [5, 2, 3])
    assert (field.of(1), field.of(7)) == (2, 0)


@pytest.mark.parametrize("spin", [1, 3])
def test_a_spin_signal_goes_in_and_comes_out(spin):
    """E of all channels, then B of all: the samples that functions see are those of SpinSHT."""
    grid = es.grids.GaussLegendre(L, nlat=8)
    field, sht = Field(L, (spin,), 2), SpinSHT(grid, L, spin)
    c = feature(field)
    seen = []
    pointwise_spins(lambda f: seen.append(f) or [f], [c], (spin, spin), grid, L)
    E, B = c.chunk(2, dim=1)
    wanted = sht.inverse(from_e_b_modes(torch.stack((E, B), dim=-2)))
    torch.testing.assert_close(torch.complex(*seen[0]), wanted)
    again = e_b_modes(sht(wanted)).transpose(1, 2).flatten(1, 2)
    torch.testing.assert_close(again, c)


@pytest.mark.parametrize("order", [0, 1, L - 1])
def test_a_function_on_so3_is_real_and_is_what_the_formula_says(order):
    """f(R) = F_0(x) + sqrt2 Re sum_s F_s(x) e^{-is gamma} at the nodes of SO3Transform; there and back."""
    field, so3 = Field.on_so3(L, order, 2), SO3Transform(L)
    c = feature(field, 3)
    f = so3.inverse(to_wigner(field, c))
    assert float(f.imag.abs().max()) < 1e-13 * float(f.real.abs().max())
    grid = es.grids.GaussLegendre(L, nlat=L)  # the nodes (beta, alpha) of so3
    gamma = torch.arange(2 * L, dtype=torch.float64) * torch.pi / L
    value = torch.zeros(())
    for spin, part in field.parts(c).items():
        if spin == 0:
            value = es.SHT(grid, L).inverse(part)[..., None]
        else:
            modes = torch.stack(part.chunk(2, dim=1), dim=-2)
            F = SpinSHT(grid, L, spin).inverse(from_e_b_modes(modes))
            value = value + 2**0.5 * (F[..., None] * torch.exp(-1j * spin * gamma)).real
    torch.testing.assert_close(f.real, value.transpose(-2, -3).expand(*f.shape))
    torch.testing.assert_close(from_wigner(field, so3(f)), c)


def test_rotating_the_rows_rotates_the_function():
    """(Q.f)(R) = f(Q^-1 R)."""
    field = Field.on_so3(L, 2, 1)
    c = feature(field)
    Q, R = es.random_rotations(10, torch.Generator().manual_seed(1), torch.float64).chunk(2)
    found = values_at(field, es.rotate(c, Q[:, None]), R)
    torch.testing.assert_close(found, values_at(field, c, Q.mT @ R))


def test_the_norm_is_that_on_so3():
    """The integral of f^2 over SO(3), of measure 8 pi^2, is 2 pi times the sum of squares of the rows."""
    field, so3 = Field.on_so3(L, 3, 1), SO3Transform(L)
    c = feature(field, 1)
    f = so3.inverse(to_wigner(field, c), real=True)
    torch.testing.assert_close((so3.weights * f.square()).sum(), 2 * torch.pi * c.square().sum())


def test_a_pointwise_function_acts_at_rotations():
    """SO3Activation of the square is the square of samples on the grid of SO3Transform at twice the band limit."""
    field, wide = Field.on_so3(L, 2, 1), Field.on_so3(2 * L, 4, 1)
    c = feature(field, 2)
    padded = torch.nn.functional.pad(c, (0, 3 * L * L, 0, 4))
    so3 = SO3Transform(2 * L)
    square = from_wigner(wide, so3(so3.inverse(to_wigner(wide, padded), real=True).square()))
    assert relative_error(SO3Activation(torch.square, field)(c), square[:, : field.rows, : L * L]) < 1e-13


BAD = {
    "no band limit": (lambda: Field(0), "bandwidth must be at least 1"),
    "no spins": (lambda: Field(4, ()), "sequence of integers"),
    "one spin, no sequence": (lambda: Field(4, 1), "sequence of integers"),
    "a spin that is no integer": (lambda: Field(4, (0, 0.5)), "must be integers"),
    "a negative spin": (lambda: Field(4, (0, -1)), "conjugate of one of spin 1"),
    "a spin without degrees": (lambda: Field(4, (4,)), "none below the band limit 4"),
    "a spin twice": (lambda: Field(4, (1, 1)), "Give one spin more channels"),
    "no channels": (lambda: Field(4, (0,), 0), "channels must be at least 1"),
    "too few channels": (lambda: Field(4, (0, 1), (3,)), "2 spins, 1 numbers"),
    "another number of rows": (
        lambda: Field(4, (0, 1)).parts(torch.ones(2, 2, 16)),
        "1 of spin 0, 2 of E and B of spin 1",
    ),
    "another band limit": (lambda: Field(4).parts(torch.ones(2, 1, 25)), "band limit 4, got"),
    "an empty batch": (
        lambda: Field(4).parts(torch.ones(0, 1, 16)),
        r"at least one signal, got an empty batch of shape \(0, 1, 16\)\.$",
    ),
    "complex numbers": (lambda: Field(4).parts(torch.ones(2, 1, 16) + 0j), "must be real"),
    "integers": (lambda: Field(4).parts(torch.ones(2, 1, 16, dtype=torch.int)), "floating point"),
    "no function on SO(3)": (lambda: to_wigner(Field(4, (0, 2)), torch.ones(1, 3, 16)), "has the spins 0 .. N"),
    "Wigner coefficients of another band limit": (
        lambda: from_wigner(Field(4), torch.ones(1, 1, 10) + 0j),
        "\\(batch, 1, 84\\)",
    ),
    "a NumPy array": (lambda: from_wigner(Field(4), np.ones((1, 1, 84))), "must be a torch tensor"),
    "functions that are not real": (
        lambda: from_wigner(Field(4), 1j * torch.ones(1, 1, 84)),
        "functions on SO.3. with real values",
    ),
    "channels that are no sequence": (lambda: Field(8, (0, 1), np.array([2, 3])), "channels must be an integer, or a"),
    "real Wigner coefficients": (lambda: from_wigner(Field(4), torch.ones(1, 1, 84)), "must be complex"),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()
