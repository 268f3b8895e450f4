"""Groups are groups: axioms, orders, measures, products; and what is none is refused."""

from math import pi

import pytest
import torch
from finite import Generated, Plane
from reference import SPECIAL_ROTATIONS

import equisphere as es
from equisphere.groups import (
    O3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    DirectProduct,
    Group,
    Icosahedral,
    MatrixGroup,
    Octahedral,
    Symmetric,
    Tetrahedral,
    check_axioms,
)

MIRROR = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
ORDERS = {
    1: Cyclic(1),
    5: Cyclic(5),
    2: Dihedral(1),
    6: Dihedral(3),
    8: Dihedral(4),
    120: Symmetric(5),
    12: Tetrahedral(),
    24: Octahedral(),
    60: Icosahedral(),
    48: MatrixGroup(torch.cat((Octahedral().elements[1:5], MIRROR[None]))),
    30: DirectProduct(Cyclic(5), Symmetric(3)),
    72: Plane(3),
    4: Generated([(1, 0, 3, 2), (2, 3, 0, 1)]),
}


@pytest.mark.parametrize("order", ORDERS)
def test_finite_groups_are_groups_of_their_order(order):
    group = ORDERS[order]
    check_axioms(group)
    assert len(group) == order == int(group.weights.sum())
    assert str(order) in repr(group) or isinstance(group, DirectProduct)


@pytest.mark.parametrize("group", [SO2(4), SO3(2), O3(2), DirectProduct(SO3(1), Cyclic(2), SO2(2))], ids=repr)
def test_groups_given_by_nodes_are_groups(group):
    check_axioms(group)
    assert not group.exact


@pytest.mark.parametrize(
    ("group", "total"),
    [
        (SO2(3), 2 * pi),
        (SO3(3), 8 * pi**2),
        (O3(3), 16 * pi**2),
        (DirectProduct(SO2(3), Cyclic(3), SO3(2)), 48 * pi**3),
    ],
)
def test_the_haar_measure_has_its_total(group, total):
    assert float(group.weights.sum()) == pytest.approx(total)


class Lopsided(Cyclic):
    def inverse(self, a):
        return a


class Open(Cyclic):
    def inverse(self, a):
        return -a

    def compose(self, a, b):
        return a + b


class Subtraction(Group):
    def compose(self, a, b):
        return (a - b) % 5

    def inverse(self, a):
        return a


def changed(group, **attributes):
    for name, value in attributes.items():
        setattr(group, name, value)
    return group


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (Lopsided(5), "axiom of inverse"),
        (Open(5), "not closed"),
        (Subtraction(torch.arange(5)), "axiom of identity"),
        (changed(Cyclic(4), elements=torch.tensor([0, 1, 2, 3, 3])), "more than once"),
        (changed(Cyclic(4), elements=torch.tensor([1, 2, 3])), "axiom of identity"),
        (changed(Cyclic(3), weights=torch.tensor([1.0, 2.0, 1.0])), "weigh the same"),
        (changed(Octahedral(), elements=Octahedral().elements[:-1]), "not closed"),
    ],
)
def test_what_is_no_group_is_refused(group, words):
    with pytest.raises(ValueError, match=words):
        check_axioms(group)


def test_a_composition_that_is_not_associative_is_refused():
    """A loop: identity and inverses hold, (ab)c = a(bc) does not."""
    table = torch.tensor([[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]])

    class Loop(Group):
        def compose(self, a, b):
            return table[a, b]

        def inverse(self, a):
            return a

    with pytest.raises(ValueError, match="associativity"):
        check_axioms(Loop(torch.arange(5)))


def test_dihedral_matrices_are_a_representation():
    D = Dihedral(5)
    a, b = D.elements[:, None], D.elements[None]
    torch.testing.assert_close(D.matrices(D.compose(a, b)), D.matrices(a) @ D.matrices(b))


def test_the_quadrature_of_so3_is_exact_on_wigner_matrices():
    """∫ D^l_mn = 8 pi^2 for l = 0, else 0; a matrix entry squared of degree 1 averages to 1/3."""
    G = SO3(3)
    assert float((G.weights * G.elements[:, 0, 1]).sum()) == pytest.approx(0, abs=1e-12)
    assert float((G.weights * G.elements[:, 2, 2] ** 2).sum() / (8 * pi**2)) == pytest.approx(1 / 3)
    c = torch.randn(25, dtype=torch.float64)
    mean = torch.einsum("g,gk->k", SO3(5).weights, es.rotate(c, SO3(5).elements)) / (8 * pi**2)
    torch.testing.assert_close(mean, torch.nn.functional.pad(c[:1], (0, 24)), atol=1e-12, rtol=0)


def test_o3_is_so3_twice():
    """It is the direct product of SO(3) and {1, -1}: (R, s) -> (-1)^s R composes alike, and the measures are one."""
    product, G = DirectProduct(SO3(2), Cyclic(2)), O3(2)

    def matrices(a):
        R, s = product.split(a)
        return R * (1 - 2 * s)[..., None, None]

    a, b = product.elements[:, None], product.elements[None]
    torch.testing.assert_close(matrices(product.compose(a, b)), G.compose(matrices(a), matrices(b)))
    torch.testing.assert_close(matrices(product.inverse(a)), G.inverse(matrices(a)))
    ours = {
        (*m.flatten().mul(1e9).round().tolist(), round(w, 9))
        for m, w in zip(G.elements, G.weights.tolist(), strict=True)
    }
    theirs = matrices(product.elements)
    assert ours == {
        (*m.flatten().mul(1e9).round().tolist(), round(w, 9))
        for m, w in zip(theirs, product.weights.tolist(), strict=True)
    }
    assert float((G.weights * torch.linalg.det(G.elements)).sum()) == pytest.approx(0, abs=1e-12)


def test_a_product_splits_into_what_it_was_joined_from():
    """Matrices, whole numbers and angles go in and come out in their own shapes and dtypes, in any batch."""
    G = DirectProduct(SO3(1), Dihedral(3), SO2(2))
    R, d, t = SO3(1).elements[:, None], Dihedral(3).elements[None], SO2(2).elements[1]
    parts = G.split(G.join(R, d, t))
    assert [part.dtype for part in parts] == [torch.float64, torch.int64, torch.float64]
    for part, given in zip(parts, (R, d, t), strict=True):
        assert torch.equal(part, given.expand(part.shape))
    assert len(G.elements.unique(dim=0)) == len(SO3(1)) * 6 * 4
    assert "SO3" in repr(G)
    assert "Dihedral, 6" in repr(G)


@pytest.mark.parametrize("group", [SO2(1), SO3(1), O3(1), Symmetric(3), DirectProduct(SO3(1), Cyclic(3))], ids=repr)
def test_samples_are_of_the_haar_measure(group):
    """Their mean (each entry of an element, and whether a draw repeats) is that of the group; SO2, SO3, O3 are not
    drawn from nodes alone.

    Entries are at most pi in size, so that of 4000 draws the mean is off by less than 5.5 * pi / sqrt(4000) = 0.28.
    """
    drawn = group.sample(4000, torch.Generator().manual_seed(1))
    exact = torch.einsum("g,g...->...", group.weights, group.elements.double()) / group.weights.sum()
    if isinstance(group, SO2):
        exact = torch.zeros(())  # in [-pi, pi)
    assert float((drawn.double().mean(0) - exact).abs().max()) < 0.28
    assert (len(drawn.unique(dim=0)) == 4000) == (not group.exact)
    again = group.sample(4000, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, again)
    if isinstance(group, O3):
        assert abs(float(torch.linalg.det(drawn).mean())) < 5.5 / 4000**0.5


def test_generated_matrices_may_hold_reflections():
    half_turn = SPECIAL_ROTATIONS["poles_swapped"]
    assert len(MatrixGroup(torch.stack((half_turn, -half_turn)))) == 4


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="at least 1"):
        Cyclic(0)
    with pytest.raises(ValueError, match="at most 8"):
        Symmetric(9)
    with pytest.raises(ValueError, match="must be float64"):
        MatrixGroup(torch.eye(3)[None])
    with pytest.raises(ValueError, match="orthogonal"):
        MatrixGroup(torch.ones(1, 3, 3))
    with pytest.raises(ValueError, match="more than 1000"):
        MatrixGroup(SPECIAL_ROTATIONS["general"][None])
    with pytest.raises(ValueError, match="at least one group"):
        DirectProduct()
    with pytest.raises(ValueError, match="n at least 1"):
        Subtraction(torch.ones(0, 3))
    with pytest.raises(ValueError, match="one for each of 3"):
        Subtraction(torch.arange(3), torch.ones(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="n must be at least 1"):
        SO3(2).sample(0)
