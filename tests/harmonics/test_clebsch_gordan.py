"""Clebsch-Gordan coefficients: e3nn's, orthonormal, and what they are for: they make degrees of degrees."""

import numpy as np
import pytest
import torch

from equisphere.harmonics import clebsch_gordan, clebsch_gordan_real, wigner_D, wigner_D_real

TRIPLES = [(a, b, l) for a in range(5) for b in range(5) for l in range(abs(a - b), a + b + 1)]
ANGLES = (0.4, 1.3, -2.0)


@pytest.mark.parametrize(("a", "b", "l"), TRIPLES)
def test_in_the_real_basis_they_are_those_of_e3nn(a, b, l):
    """Up to the sign of each triple, and the norm: there the whole array has norm 1, here each row."""
    o3 = pytest.importorskip("e3nn.o3")
    theirs = o3.wigner_3j(a, b, l, dtype=torch.float64).permute(2, 0, 1).numpy() * np.sqrt(2 * l + 1)
    mine = clebsch_gordan_real(a, b, l)
    assert min(abs(mine - theirs).max(), abs(mine + theirs).max()) < 1e-12


@pytest.mark.parametrize(("a", "b", "l"), [*TRIPLES, (12, 9, 7), (15, 15, 3), (10, 12, 22)])
@pytest.mark.parametrize("real", [False, True])
def test_a_product_turns_as_its_degree(a, b, l, real):
    """D^l C = C (D^a x D^b), rows orthonormal, at degrees where alternating sums of floats would have lost all digits."""
    C = (clebsch_gordan_real if real else clebsch_gordan)(a, b, l)
    D, Da, Db = ((wigner_D_real if real else wigner_D)(k, *ANGLES) for k in (l, a, b))
    rows = C.reshape(2 * l + 1, -1)
    assert np.allclose(rows @ rows.T, np.eye(2 * l + 1), atol=1e-12)
    assert np.allclose(np.einsum("mk,kij->mij", D, C), np.einsum("mab,ai,bj->mij", C, Da, Db), atol=1e-12)


def test_condon_and_shortley_set_the_signs():
    """<l1 l1 l2 l-l1 | l l> > 0; and nothing but zeros outside of the triangle."""
    for a, b, l in TRIPLES:
        assert clebsch_gordan(a, b, l)[2 * l, 2 * a, b + l - a] > 0
    assert not clebsch_gordan(1, 2, 4).any()


def test_of_two_vectors_the_odd_product_is_their_cross_product():
    x, y = np.random.default_rng(0).normal(size=(2, 3))
    order = [1, 2, 0]  # degree 1 is (y, z, x)
    found = clebsch_gordan_real(1, 1, 1) @ y[order] @ x[order]
    assert np.allclose(abs(found), abs(np.cross(x, y)[order]) / np.sqrt(2))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("degree", [-1, 1.5, "2"])
def test_degrees_that_are_none(degree):
    with pytest.raises(ValueError, match="integers of at least 0"):
        clebsch_gordan(1, degree, 1)
