"""One definition of convolution: it is each known one where there is one, and commutes with the group everywhere."""

from itertools import product
from math import pi

import numpy as np
import pytest
import torch
from finite import Generated, Plane, cosets, on_faces
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import harmonics_at, randn, unit_points

import equisphere as es
from equisphere.groups import (
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    DirectProduct,
    Octahedral,
    Symmetric,
    act_on_functions,
    act_on_indices,
    act_on_pixels,
    act_on_points,
    action_table,
    convolve,
    equivariance_error,
)

seeds = st.integers(0, 2**31 - 1)


def plain_sum(f, h, group, action, pole):
    """The definition, as three loops over numbers."""
    table = action_table(group, action, len(f)).tolist()
    out = [0.0] * len(f)
    for row, weight in zip(table, group.weights.tolist(), strict=True):
        for y, x in enumerate(row):  # x = g.y, so y = g^-1 x
            out[x] += weight * float(f[row[pole]]) * float(h[y])
    return torch.tensor(out, dtype=torch.float64)


def error_on_a_set(f, h, group, action, pole):
    act = act_on_functions(group, action)
    return equivariance_error(lambda x: convolve(x, h, group, action, pole), group, act, act, f).worst


permutations = st.integers(2, 5).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=2))


@given(permutations, st.data(), seeds)
@settings(max_examples=40, deadline=None)
def test_every_convolution_commutes_with_its_group(generators, data, seed):
    """The theorem of docs/math.md, 2, on random homogeneous spaces: cosets of random subgroups of random permutation groups,
    random functions, kernels and poles. And the convolution is the plain sum.
    """
    G = Generated(generators)
    H = Generated([tuple(G.elements[data.draw(st.integers(0, len(G) - 1))].tolist())])
    action, size = cosets(G, H)
    assert size == len(G) // len(H)
    f, h = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, size)))
    pole = data.draw(st.integers(0, size - 1))
    torch.testing.assert_close(convolve(f, h, G, action, pole), plain_sum(f, h, G, action, pole), rtol=0, atol=1e-10)
    # sums of |G| <= 120 products, of 2^-53 each, over a norm that is not tiny but by chance
    if float(convolve(f, h, G, action, pole).norm()) > 1e-3 * len(G):
        assert error_on_a_set(f, h, G, action, pole) < 1e-10


SPACES = {
    "cube faces": (Octahedral(), on_faces, 6),
    "pixels": (Dihedral(4), act_on_pixels(3), 9),
    "torus": (Plane(3), Plane(3).on_pixels, 9),
    "permuted points": (Symmetric(4), act_on_indices, 4),
}


@pytest.mark.parametrize("name", SPACES)
@given(seeds, st.data())
@settings(max_examples=5, deadline=None)
def test_convolution_commutes_with_the_group_on_known_sets(name, seed, data):
    """The pixels of an image are several orbits: of f, the orbit of the pole is seen alone."""
    group, action, size = SPACES[name]
    f, h = torch.from_numpy(np.random.default_rng(seed).standard_normal((2, size)))
    pole = data.draw(st.integers(0, size - 1))
    torch.testing.assert_close(convolve(f, h, group, action, pole), plain_sum(f, h, group, action, pole))
    assert error_on_a_set(f, h, group, action, pole) < 1e-12


def test_the_wrong_side_is_not_equivariant():
    """h(g x) in the place of h(g^-1 x): on permutations acting on themselves, the theorem fails. So the tests above can."""
    G = Symmetric(3)
    table = {tuple(p): i for i, p in enumerate(G.elements.tolist())}

    def action(g, x):
        products = G.compose(g, G.elements[x])
        return torch.tensor([table[tuple(p)] for p in products.reshape(-1, 3).tolist()]).reshape(products.shape[:-1])

    f, h = randn(2, 6)
    assert error_on_a_set(f, h, G, action, 0) < 1e-14
    places, act = torch.arange(6), act_on_functions(G, action)

    def wrong(x):
        return torch.einsum(
            "g,gx->x",
            x[action(G.elements[:, None], places[None, :1])[:, 0]],
            h[action(G.elements[:, None], places[None])],
        )

    assert equivariance_error(wrong, G, act, act, f).worst > 0.1


@given(st.integers(1, 12), seeds)
@settings(max_examples=20, deadline=None)
def test_circular_convolution_is_that_of_the_fft(n, seed):
    rng = np.random.default_rng(seed)
    f, h = rng.standard_normal((2, n))
    expected = np.fft.ifft(np.fft.fft(f) * np.fft.fft(h)).real
    found = convolve(torch.from_numpy(f), torch.from_numpy(h), Cyclic(n), Cyclic(n).compose, 0)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_convolution_on_a_torus_of_two_sizes_is_that_of_the_fft():
    """The direct product of Z_3 and Z_5 on itself."""
    G = DirectProduct(Cyclic(3), Cyclic(5))

    def action(g, x):
        i, j = G.split(g)
        return (i + x // 5) % 3 * 5 + (j + x % 5) % 5

    f, h = randn(2, 15)
    expected = np.fft.ifft2(np.fft.fft2(f.reshape(3, 5)) * np.fft.fft2(h.reshape(3, 5))).real
    np.testing.assert_allclose(convolve(f, h, G, action, 0).reshape(3, 5), expected, atol=1e-13)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_convolution_on_pixels_under_shifts_turns_and_flips_is_that_of_the_fft(n):
    """On the torus, it is the circular one with the kernel summed over its eight symmetric images about the pole."""
    G = Plane(n)
    f, h = randn(2, n, n).numpy()
    symmetric = 0
    for turns, flip in product(range(4), (False, True)):
        image = np.rot90(h[::-1] if flip else h, turns)  # about the middle
        corner = np.argwhere(np.rot90(_mark(n)[::-1] if flip else _mark(n), turns))[0]
        symmetric = symmetric + np.roll(image, tuple(-corner), axis=(0, 1))  # the pole, pixel (0, 0), back in its place
    expected = np.fft.ifft2(np.fft.fft2(f) * np.fft.fft2(symmetric)).real
    found = convolve(torch.from_numpy(f.ravel()), torch.from_numpy(h.ravel()), G, G.on_pixels, 0)
    np.testing.assert_allclose(found.reshape(n, n), expected, atol=1e-12)


def _mark(n):
    """An image of the pole alone."""
    mark = np.zeros((n, n))
    mark[0, 0] = 1
    return mark


def test_convolution_on_the_faces_of_a_cube_knows_same_opposite_and_neighbours():
    """4 turns take the pole to a face; the kernel counts by its mean over neighbours of the pole, of which there are 4."""
    f, h = randn(2, 6)
    opposite = torch.tensor([1, 0, 3, 2, 5, 4])
    neighbours = torch.stack([f.sum() - f[x] - f[opposite[x]] for x in range(6)])
    expected = 4 * (f * h[0] + f[opposite] * h[1] + neighbours * h[2:].mean())
    torch.testing.assert_close(convolve(f, h, Octahedral(), on_faces, 0), expected)


def test_convolution_on_the_circle_is_the_product_of_fourier_coefficients():
    def f(t):
        return 1 + 2 * torch.cos(t) + torch.sin(2 * t)

    def h(t):
        return 0.5 + torch.cos(t) + 3 * torch.cos(2 * t)

    t = torch.linspace(0, 6, 7, dtype=torch.float64)
    found = convolve(f, h, SO2(4), SO2(4).compose, torch.tensor(0.0, dtype=torch.float64))(t)
    torch.testing.assert_close(found, pi * (1 + 2 * torch.cos(t) + 3 * torch.sin(2 * t)))


@pytest.mark.parametrize("b", [1, 4, 7])
def test_convolution_on_the_circle_is_that_of_the_fft(b):
    """For trigonometric polynomials of degree below b, samples of f * h are 2 pi / 2b times the circular convolution."""
    f, h = np.random.default_rng(b).standard_normal((2, 2 * b))

    def polynomial(samples):
        spectrum = np.fft.fft(samples) / (2 * b)
        spectrum[b] = 0
        waves = torch.from_numpy(np.fft.fftfreq(2 * b, 1 / (2 * b)))

        def at(t):
            return ((1j * t[..., None] * waves).exp() @ torch.from_numpy(spectrum)).real

        return at

    t = torch.arange(2 * b, dtype=torch.float64) * pi / b
    p, q = polynomial(f), polynomial(h)
    expected = np.fft.ifft(np.fft.fft(p(t)) * np.fft.fft(q(t))).real * pi / b
    found = convolve(p, q, SO2(b), SO2(b).compose, torch.tensor(0.0, dtype=torch.float64))(t)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def evaluate(c):
    """The signal of coefficients, at points."""
    L = es._checks.bandwidth_of(c)
    return lambda points: harmonics_at(points, L) @ c.to(torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_convolution_on_the_sphere_is_the_spectral_layer(dtype, monkeypatch):
    """The layer ZonalConv with kernels h_l0 gives the integral over SO(3); done in several parts, too."""
    L = 3
    layer = es.nn.ZonalConv(1, 1, L, bias=False).to(dtype)
    f, h = randn(L * L), randn(L * L)
    zonal = [l * l + l for l in range(L)]
    h[zonal] = layer.filters[0, 0].detach().double()
    north = torch.tensor([0.0, 0.0, 1.0], dtype=dtype)
    points = unit_points(5).to(dtype)
    expected = evaluate(layer(f[None, None].to(dtype)).detach()[0, 0])(points)
    for chunk in (2**20, 11):
        monkeypatch.setattr("equisphere.groups._convolution.CHUNK", chunk)
        found = convolve(evaluate(f), evaluate(h), SO3(L), act_on_points, north)(points)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-3)


def test_convolution_on_the_sphere_commutes_with_rotations():
    """With the pole anywhere: the theorem, at the nodes of another quadrature and at random rotations."""
    L = 3
    f, h = randn(L * L), randn(L * L)
    points, pole = unit_points(4), unit_points(1)[0]
    act = act_on_functions(SO3(L), act_on_points)

    def convolved(function):
        return convolve(function, evaluate(h), SO3(L), act_on_points, pole)

    for R in es.random_rotations(3, dtype=torch.float64):
        torch.testing.assert_close(convolved(act(R, evaluate(f)))(points), act(R, convolved(evaluate(f)))(points))


def test_batches_precisions_and_gradients_pass():
    """Leading dimensions broadcast, float32 stays, and the map is linear in f and h with the derivatives of autograd."""
    f, h = randn(2, 1, 6).requires_grad_(), randn(3, 6).requires_grad_()
    assert convolve(f, h, Octahedral(), on_faces, 0).shape == (2, 3, 6)
    assert convolve(f.float(), h.float(), Octahedral(), on_faces, 0).dtype == torch.float32
    assert torch.autograd.gradcheck(lambda f, h: convolve(f, h, Octahedral(), on_faces, 2), (f, h), fast_mode=True)


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    shift = Cyclic(3).compose
    with pytest.raises(ValueError, match="one set"):
        convolve(torch.ones(3), torch.ones(4), Cyclic(3), shift, 0)
    with pytest.raises(ValueError, match="both be tensors"):
        convolve(torch.ones(3), torch.sin, Cyclic(3), shift, 0)
    with pytest.raises(ValueError, match="must take points"):
        convolve(torch.ones(3), torch.ones(3), Cyclic(3), lambda g, x: g + x, 0)
    with pytest.raises(ValueError, match="must be alike"):
        convolve(torch.ones(3), torch.ones(3).double(), Cyclic(3), shift, 0)
    with pytest.raises(ValueError, match=r"0 .. 2 to such points, got 3"):
        convolve(torch.ones(3), torch.ones(3), Cyclic(4), lambda g, x: (g + x) % 4, 3)
