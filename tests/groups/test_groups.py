"""Groups are groups, and every convolution that the definition gives commutes with them."""

from math import pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import equisphere as es
from equisphere.groups import (
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Icosahedral,
    Octahedral,
    Symmetric,
    Tetrahedral,
    check_axioms,
    convolve,
    equivariance_error,
)

FINITE = [
    Cyclic(1),
    Cyclic(5),
    Dihedral(1),
    Dihedral(3),
    Dihedral(4),
    Symmetric(4),
    Tetrahedral(),
    Octahedral(),
    Icosahedral(),
]


@pytest.mark.parametrize("group", [*FINITE, SO2(4), SO3(2)], ids=repr)
def test_the_axioms_hold(group):
    check_axioms(group)


def test_a_broken_group_is_refused():
    class Lopsided(Cyclic):
        def inverse(self, a):
            return a

    class Open(Cyclic):
        def compose(self, a, b):
            return a + b

    with pytest.raises(ValueError, match="inverse"):
        check_axioms(Lopsided(5))
    with pytest.raises(ValueError, match=r"inverse|closed"):
        check_axioms(Open(5))


@pytest.mark.parametrize(
    ("group", "order"), [(Tetrahedral(), 12), (Octahedral(), 24), (Icosahedral(), 60), (Symmetric(5), 120)]
)
def test_orders(group, order):
    assert len(group) == order


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


@given(st.integers(1, 12), st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_circular_convolution_is_that_of_the_fft(n, seed):
    rng = np.random.default_rng(seed)
    f, h = rng.standard_normal((2, n))
    expected = np.fft.ifft(np.fft.fft(f) * np.fft.fft(h)).real
    found = convolve(torch.from_numpy(f), torch.from_numpy(h), Cyclic(n), lambda g, x: (g + x) % n, 0)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def face_action(g, x):
    """Faces of the cube, numbered +x, -x, +y, -y, +z, -z, under rotations."""
    normals = torch.eye(3, dtype=torch.float64).repeat_interleave(2, 0) * torch.tensor([1.0, -1.0] * 3)[:, None]
    return (torch.einsum("...ij,...j->...i", g, normals[x]) @ normals.T).argmax(-1)


def pixel_action(size):
    """Pixels of a square under quarter turns and flips about its middle."""
    D = Dihedral(4)

    def act(g, x):
        place = torch.stack((x // size, x % size), -1).double() - (size - 1) / 2
        moved = torch.einsum("...ij,...j->...i", D.matrices(g), place) + (size - 1) / 2
        moved = moved.round().long()
        return moved[..., 0] * size + moved[..., 1]

    return act


def permuted(g, x):
    """Points 0 .. n-1 under permutations: g `(n, 1, k)` and x `(1, m)` to `(n, m)`."""
    return g.expand(-1, x.shape[1], -1).gather(-1, x.expand(len(g), -1)[..., None])[..., 0]


SPACES = {
    "cube faces": (Octahedral(), face_action, 6),
    "pixels": (Dihedral(4), pixel_action(3), 9),
    "permuted points": (Symmetric(4), permuted, 4),
}


@pytest.mark.parametrize("name", SPACES)
@given(st.integers(0, 2**31 - 1), st.data())
@settings(max_examples=10, deadline=None)
def test_convolution_commutes_with_the_group(name, seed, data):
    """The theorem of docs/math.md, 2, on finite sets: (g.f) * h = g.(f * h) for random f, h and poles."""
    group, action, size = SPACES[name]
    generator = torch.Generator().manual_seed(seed)
    f, h = torch.randn(2, size, dtype=torch.float64, generator=generator)
    pole = data.draw(st.integers(0, size - 1))

    def moved(g, values):
        return values[..., action(group.inverse(g)[None, None], torch.arange(size)[None])[0]]

    error = equivariance_error(lambda x: convolve(x, h, group, action, pole), group, moved, moved, f)
    assert error.worst < 1e-12


def test_convolution_on_the_circle_is_the_product_of_fourier_coefficients():
    def f(t):
        return 1 + 2 * torch.cos(t) + torch.sin(2 * t)

    def h(t):
        return 0.5 + torch.cos(t) + 3 * torch.cos(2 * t)

    t = torch.linspace(0, 6, 7, dtype=torch.float64)
    found = convolve(f, h, SO2(4), lambda g, x: g + x, torch.tensor(0.0, dtype=torch.float64))(t)
    torch.testing.assert_close(found, pi * (1 + 2 * torch.cos(t) + 3 * torch.sin(2 * t)))


def test_convolution_on_the_sphere_is_the_spectral_one():
    L = 3
    f, h = torch.randn(2, L * L, dtype=torch.float64)

    def evaluate(c):
        def at(points):
            x, y, z = points.reshape(-1, 3).numpy().T
            Y = es.harmonics.real_harmonics(L, np.arctan2(np.hypot(x, y), z), np.arctan2(y, x))
            return (torch.from_numpy(Y) @ c).reshape(points.shape[:-1])

        return at

    north = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    points = torch.nn.functional.normalize(torch.randn(5, 3, dtype=torch.float64), dim=1)
    found = convolve(evaluate(f), evaluate(h), SO3(L), lambda g, x: torch.einsum("...ij,...j->...i", g, x), north)(
        points
    )
    zonal = torch.stack([h[l * l + l] for l in range(L)])
    torch.testing.assert_close(found, evaluate(es.transforms.zonal_convolution(f, zonal))(points))


def test_haar_samples_give_an_interval_that_covers():
    layer = es.nn.Activation(torch.relu, 6, 1.0)
    c = torch.randn(4, 36, dtype=torch.float64)
    every = equivariance_error(layer, SO3(4), lambda g, x: es.rotate(x, g), lambda g, x: es.rotate(x, g), c)
    some = equivariance_error(
        layer,
        SO3(4),
        lambda g, x: es.rotate(x, g),
        lambda g, x: es.rotate(x, g),
        c,
        60,
        torch.Generator().manual_seed(0),
    )
    assert every.interval == (every.mean, every.mean)
    assert some.interval[0] < some.mean < some.interval[1]
    assert abs(some.mean - every.mean) < 2 * (some.interval[1] - some.interval[0])


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="at least 1"):
        Cyclic(0)
    with pytest.raises(ValueError, match="at most 8"):
        Symmetric(9)
    with pytest.raises(ValueError, match="one set"):
        convolve(torch.ones(3), torch.ones(4), Cyclic(3), lambda g, x: (g + x) % 3, 0)
    with pytest.raises(ValueError, match="both be tensors"):
        convolve(torch.ones(3), torch.sin, Cyclic(3), lambda g, x: (g + x) % 3, 0)
    with pytest.raises(ValueError, match="must take points"):
        convolve(torch.ones(3), torch.ones(3), Cyclic(3), lambda g, x: g + x, 0)
    with pytest.raises(ValueError, match="zero everywhere"):
        equivariance_error(torch.zeros_like, Cyclic(3), lambda g, x: x, lambda g, x: x, torch.ones(3))
