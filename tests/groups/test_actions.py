"""Actions: left actions all, and each moves what it should to where it should."""

import numpy as np
import pytest
import torch
from finite import Generated, Plane, cosets, on_faces
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import randn, unit_points

from equisphere.groups import (
    O3,
    SO3,
    Cyclic,
    Dihedral,
    Octahedral,
    Symmetric,
    act_on_edges,
    act_on_functions,
    act_on_images,
    act_on_indices,
    act_on_nodes,
    act_on_pixels,
    act_on_points,
    act_trivially,
    action_table,
    check_action,
    equivariance_error,
)

S3 = Symmetric(3)
KLEIN = Generated([(1, 0, 3, 2), (2, 3, 0, 1)])
SETS = {
    "integers": (Cyclic(6), Cyclic(6).compose, torch.arange(6)),
    "permuted": (Symmetric(4), act_on_indices, torch.arange(4)),
    "pixels, odd": (Dihedral(4), act_on_pixels(5), torch.arange(25)),
    "pixels, even": (Dihedral(4), act_on_pixels(4), torch.arange(16)),
    "torus": (Plane(4), Plane(4).on_pixels, torch.arange(16)),
    "faces": (Octahedral(), on_faces, torch.arange(6)),
    "sphere": (SO3(2), act_on_points, unit_points(5)),
    "space": (O3(2), act_on_points, unit_points(5)),
    "cosets": (KLEIN, cosets(KLEIN, Generated([(1, 0, 3, 2)]))[0], torch.arange(2)),
}


@pytest.mark.parametrize("name", SETS)
def test_actions_on_sets_are_left_actions(name):
    check_action(*SETS[name])


@pytest.mark.parametrize(
    ("group", "action", "points"),
    [
        (S3, lambda g, x: act_on_indices(S3.inverse(g), x), torch.arange(3)),  # a right action
        (Cyclic(4), lambda g, x: (g + x + 1) % 4, torch.arange(4)),  # the identity moves
        (SO3(2), lambda g, x: act_on_points(g.mT, x), unit_points(2)),
    ],
)
def test_what_is_no_left_action_is_refused(group, action, points):
    with pytest.raises(ValueError, match="no left action"):
        check_action(group, action, points)


def test_functions_move_with_their_points():
    """(g.f)(g.x) = f(x), for values on a finite set, with channels in front, and for functions of points."""
    G, act = Octahedral(), on_faces
    f = randn(2, 3, 6)
    for g in G.elements:
        moved = act_on_functions(G, act)(g, f)
        to = act(g[None, None], torch.arange(6)[None])[0]
        assert torch.equal(moved[..., to], f)
    points, G = unit_points(4), SO3(2)
    for g in G.elements[:5]:
        moved = act_on_functions(G, act_on_points)(g, lambda x: x[..., 0] * x[..., 2] ** 2)
        assert torch.allclose(moved(act_on_points(g, points)), points[:, 0] * points[:, 2] ** 2, rtol=0, atol=1e-14)


@given(st.integers(1, 6), st.integers(0, 7), st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_images_are_turned_as_their_pixels_are(n, place, seed):
    """Two ways to (g.f)(x) = f(g^-1 x): NumPy's turn of the picture, and the action on numbers of pixels."""
    D = Dihedral(4)
    g = D.elements[place]
    f = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, 3, n, n)))
    turned = act_on_images(g, f)
    assert torch.equal(turned.flatten(-2), act_on_functions(D, act_on_pixels(n))(g, f.flatten(-2)))
    flipped = f.numpy()[..., ::-1, :] if g[1] else f.numpy()
    np.testing.assert_array_equal(turned, np.rot90(flipped, int(g[0]), axes=(-2, -1)))


def test_nodes_and_edges_move_together():
    """A graph network, A x W summed over neighbours, commutes with any renaming of the nodes; a node's number does not."""
    A, W = randn(5, 5), randn(3, 2)
    G = Symmetric(5)
    for g in G.elements[::7]:
        x = randn(2, 5, 3)
        assert torch.allclose(
            act_on_nodes(g, A @ x @ W), act_on_edges(g, A) @ act_on_nodes(g, x) @ W, rtol=0, atol=1e-13
        )
        assert all(torch.equal(act_on_nodes(g, x)[:, g[i]], x[:, i]) for i in range(5))
    mean = equivariance_error(lambda x: x.mean(-2), G, act_on_nodes, act_trivially, randn(2, 5, 3))
    assert mean.worst < 1e-14
    weighted = equivariance_error(lambda x: x.cumsum(-2), G, act_on_nodes, act_on_nodes, randn(2, 5, 3))
    assert weighted.mean > 0.1


@pytest.mark.parametrize("act", [act_on_nodes, act_on_edges])
def test_actions_on_inputs_are_left_actions(act):
    """g.(h.x) = (gh).x; a right action would fail, since permutations do not commute."""
    x = randn(4, 4)
    G = Symmetric(4)
    for g in G.elements[::5]:
        for h in G.elements[::7]:
            assert torch.equal(act(g, act(h, x)), act(G.compose(g, h), x))


def test_images_are_acted_on_from_the_left():
    D, x = Dihedral(4), randn(3, 3)
    for g in D.elements:
        for h in D.elements:
            assert torch.equal(act_on_images(g, act_on_images(h, x)), act_on_images(D.compose(g, h), x))


def test_a_table_is_the_action():
    assert action_table(Symmetric(3), act_on_indices, 3).tolist() == Symmetric(3).elements.tolist()


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match=r"must take points 0 .. 2 to such points, got 4"):
        action_table(Cyclic(3), lambda g, x: g + x, 3)
    with pytest.raises(ValueError, match=r"to such points, got -2"):
        action_table(Cyclic(3), lambda g, x: x - g, 3)
    with pytest.raises(ValueError, match="two of them are taken to one"):
        action_table(Cyclic(3), lambda g, x: g + 0 * x, 3)
    with pytest.raises(ValueError, match="indices of points"):
        action_table(Cyclic(3), lambda g, x: (g + x) % 3 * 1.0, 3)
    with pytest.raises(ValueError, match="indices of points"):
        action_table(Cyclic(3), lambda g, x: g % 3, 3)
    with pytest.raises(ValueError, match="square images"):
        act_on_images(torch.tensor([1, 0]), torch.ones(3, 4))
    with pytest.raises(ValueError, match="permutation of 3 nodes"):
        act_on_nodes(torch.arange(3), torch.ones(4, 2))
    with pytest.raises(ValueError, match="permutation of 3 nodes"):
        act_on_edges(torch.arange(3), torch.ones(3, 2))
    with pytest.raises(ValueError, match="size must be at least 1"):
        act_on_pixels(0)
