"""Neighbour densities: the sum done plainly, equivariance to rounding, a smooth end, padding that is not there."""

import numpy as np
import pytest
import torch
from rounding import bound, product, rotation

import equisphere as es
from equisphere.data import Decaying, neighbour_coefficients
from equisphere.groups import rotation_about
from equisphere.harmonics import real_harmonics

CHARGES = torch.tensor([6, 1, 1, 8, 7, 0])
BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@pytest.fixture
def places():
    return 1.5 * torch.randn(6, 3, dtype=torch.float64)


def test_it_is_the_sum_it_says(places):
    L, elements, radial = 5, (1, 6, 7, 8), Decaying(4, reach=4.0)
    expected = np.zeros((6, len(elements), 4, L * L))
    p = places.numpy()
    for i in range(5):
        for j in range(5):
            if i != j:
                apart = p[j] - p[i]
                r = np.linalg.norm(apart)
                Y = real_harmonics(L, np.arccos(apart[2:] / r), np.arctan2(apart[1:2], apart[:1]))
                x = min(r / 4.0, 1)
                mu = np.linspace(np.exp(-4.0), 1, 4)
                width = (mu[1] - mu[0]) / 2
                b = (1 - 10 * x**3 + 15 * x**4 - 6 * x**5) * np.exp(-(((np.exp(-r) - mu) / width) ** 2))
                expected[i, elements.index(int(CHARGES[j]))] += b[:, None] * np.asarray(Y).reshape(-1)
    found = neighbour_coefficients(CHARGES, places, L, radial, elements)
    torch.testing.assert_close(found, torch.from_numpy(expected.reshape(6, 16, L * L)))


@BOTH
def test_equivariance_is_exact_up_to_rounding(places, dtype):
    """Each coefficient sums at most 4 terms (5 atoms).

    A harmonic errs by up to L u (variance 3 L^2) and a turned, rounded difference of places by 2 PRODUCT(3) units, which a
    harmonic magnifies by at most L, a radial function by r b'(r) / b(r): below 2 K e^-r r < 8 K / e in the exponent, K = 6.
    """
    L, radial = 6, Decaying(6)
    R = torch.cat(
        (
            es.random_rotations(6, dtype=torch.float64),
            rotation_about((0.0, 0.0, 1.0), torch.tensor([0.7]).double()),
            rotation_about((1.0, 0.0, 0.0), torch.tensor([torch.pi]).double()),
        )
    )
    places = places.clone()
    places[1] = places[0] + torch.tensor([0.0, 0.0, 1.1])  # a neighbour straight above
    p = places.to(dtype)
    c = neighbour_coefficients(CHARGES, p, L, radial)
    turned = neighbour_coefficients(CHARGES.expand(8, 6), p @ R.to(dtype).mT, L, radial)
    expected = es.rotate(c, R[:, None, None])
    error = float((turned - expected).norm() / expected.norm())
    each = 3 * L**2 + product(4) + 2 * product(3) * (L**2 + (8 * 6 / np.e) ** 2)
    assert error < bound(2 * each + rotation(L, dtype), dtype)


def test_a_neighbour_leaves_without_a_jump():
    radial = Decaying(5, reach=3.0)
    r = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    near = radial(r - 1e-3)
    assert float(near.detach().abs().max()) < 1e-7
    assert not radial(torch.tensor([3.0, 4.0])).any()
    (slope,) = torch.autograd.grad(near.sum(), r)
    assert abs(float(slope)) < 1e-4


def test_derivatives_in_the_places_are_those_of_differences(places):
    def power(p):
        return neighbour_coefficients(CHARGES, p, 4, Decaying(3)).square().sum()

    assert torch.autograd.gradcheck(power, places.requires_grad_())


def test_padding_neither_has_neighbours_nor_is_one(places):
    c = neighbour_coefficients(CHARGES, places, 4, Decaying(3))
    assert not c[5].any()
    torch.testing.assert_close(c[:5], neighbour_coefficients(CHARGES[:5], places[:5], 4, Decaying(3)))


def test_atoms_in_one_place_do_not_make_nan():
    c = neighbour_coefficients(torch.tensor([1, 1]), torch.zeros(2, 3), 4, Decaying(3))
    assert not c.any()


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(("arguments", "message"), [((1,), "at least 2"), ((3, 0.0), "positive number of Angstrom")])
def test_radial_functions_that_cannot_be_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        Decaying(*arguments)
