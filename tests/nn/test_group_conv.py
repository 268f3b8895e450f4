"""The learned convolution on finite sets: every linear map that commutes with the group, and nothing else."""

from math import sqrt

import numpy as np
import pytest
import torch
from finite import Generated, Plane, cosets, on_faces, union
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import randn

from equisphere.groups import (
    SO3,
    Cyclic,
    Dihedral,
    Octahedral,
    Symmetric,
    act_on_functions,
    act_on_images,
    act_on_indices,
    act_on_pixels,
    action_table,
    convolve,
    equivariance_error,
)
from equisphere.nn import GroupConv

permutations = st.integers(2, 5).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=2))

SPACES = {
    "integers": (Cyclic(7), Cyclic(7).compose, 7),
    "permuted points": (Symmetric(4), act_on_indices, 4),
    "cube faces": (Octahedral(), on_faces, 6),
    "torus": (Plane(4), Plane(4).on_pixels, 16),
    "pixels": (Dihedral(4), act_on_pixels(5), 25),
}
every_space = pytest.mark.parametrize("name", SPACES)


def shaken(*arguments, dtype=torch.float64, **options):
    """A layer whose bias is not zero."""
    layer = GroupConv(*arguments, **options).to(dtype)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    return layer


def by_definition(layer, f, group, action):
    """Sum over input channels and poles of `convolve` with the layer's filters."""
    parts = [
        convolve(f[:, None], layer.filters[:, :, i], group, action, pole).sum(2) for i, pole in enumerate(layer.poles)
    ]
    return sum(parts) + (0 if layer.bias is None else layer.bias[:, layer.orbits])


@every_space
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_is_the_definition(name, bias):
    group, action, size = SPACES[name]
    layer, f = shaken(2, 3, group, action, size, bias), randn(4, 2, size)
    torch.testing.assert_close(layer(f), by_definition(layer, f, group, action))


@every_space
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_the_layer_commutes_with_the_group_before_and_after_training(name, dtype, bound):
    """Sums of in_channels * |E| products at most, in another order after g: rounding alone, as of a product with a matrix."""
    group, action, size = SPACES[name]
    layer, f = shaken(3, 4, group, action, size, dtype=dtype), randn(2, 3, size, dtype=dtype)
    act = act_on_functions(group, action)
    before = equivariance_error(layer, group, act, act, f)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(f) - randn(2, 4, size, dtype=dtype)).square().mean().backward()
        optimizer.step()
    after = equivariance_error(layer, group, act, act, f)
    assert max(before.worst, after.worst) < bound
    assert not torch.equal(before.errors, after.errors) or before.worst == 0


@given(permutations, st.data(), st.integers(0, 2**31 - 1))
@settings(max_examples=25, deadline=None)
def test_the_layer_holds_all_that_commutes_and_nothing_else(generators, data, seed):
    """On random sets of one or two orbits: one number for each dimension of the maps that commute with the group.

    That dimension is the mean over g of the squared number of points that g leaves where they are (Burnside's lemma for pairs).
    Any map, averaged over the group, is one of the layer's.
    """
    G = Generated(generators)
    elements = st.integers(0, len(G) - 1).map(lambda i: tuple(G.elements[i].tolist()))
    subgroups = data.draw(st.lists(elements, min_size=1, max_size=2))
    action, size = union(*(cosets(G, Generated([h])) for h in subgroups))
    layer = shaken(1, 1, G, action, size)
    table = action_table(G, action, size)
    fixed = (table == torch.arange(size)).sum(1).double()
    assert layer.weight.shape[-1] == round(float(fixed.square().mean()))
    assert layer.bias.shape[-1] == len(layer.poles) == round(float(fixed.mean())) == len(subgroups)

    f = torch.from_numpy(np.random.default_rng(seed).standard_normal((1, 1, size)))
    torch.testing.assert_close(layer(f), by_definition(layer, f, G, action))
    act = act_on_functions(G, action)
    assert equivariance_error(layer, G, act, act, f).worst < 1e-9

    M = torch.from_numpy(np.random.default_rng(seed).standard_normal((size, size)))
    mean = torch.stack([M[row][:, row] for row in table]).mean(0)
    with torch.no_grad():
        layer.weight[0, 0, layer.index.flatten()] = mean.flatten()
        layer.bias.zero_()
    torch.testing.assert_close(layer(f)[0, 0], f[0, 0] @ mean)


def test_known_numbers_of_weights():
    """Z_7: 7. Points under all permutations: same and other. Faces: same, opposite, neighbour. Torus of 4: by distance."""
    orbitals = {name: GroupConv(1, 1, *space).weight.shape[-1] for name, space in SPACES.items()}
    # torus of 4 x 4: (dx, dy) up to signs and order, both in 0..2; pixels: (25^2 + 2 * 1 + 1 + 4 * 5^2 ...) by Burnside:
    # turns leave 25, 1, 1, 1 pixels where they are, each flip 5
    pixels = (25**2 + 3 * 1 + 4 * 5**2) // 8
    assert orbitals == {"integers": 7, "permuted points": 2, "cube faces": 3, "torus": 6, "pixels": pixels}


def test_images_turn_with_their_input():
    """Pixels under quarter turns and flips, as images."""
    layer = shaken(2, 3, Dihedral(4), act_on_pixels(6), 36)

    def on_images(x):
        return layer(x.flatten(2)).unflatten(2, (6, 6))

    assert equivariance_error(on_images, Dihedral(4), act_on_images, act_on_images, randn(2, 2, 6, 6)).worst < 1e-13


def test_convolution_on_a_torus_is_that_of_torch():
    """Shifts alone: Conv2d with circular padding and a kernel as large as the image."""
    n = 4

    def shifted(g, x):
        return (g // n + x // n) % n * n + (g + x) % n

    class Shifts(Cyclic):
        def compose(self, a, b):
            return shifted(a, b)

        def inverse(self, a):
            return -(a // n) % n * n + -a % n

    layer, f = shaken(2, 3, Shifts(n * n), shifted, n * n), randn(2, 2, n, n)
    kernels = layer.filters[:, :, 0].unflatten(2, (n, n)).flip(2, 3)  # torch correlates
    padded = torch.nn.functional.pad(f, (n - 1, 0, n - 1, 0), mode="circular")
    expected = torch.nn.functional.conv2d(padded, kernels, layer.bias[:, 0])
    torch.testing.assert_close(layer(f.flatten(2)).unflatten(2, (n, n)), expected)


@every_space
@pytest.mark.parametrize("gain", [sqrt(2), 1.0])
def test_first_weights_keep_the_power_of_every_signal(name, gain):
    """Mean square of outputs over that of inputs is gain^2: for white signals, for constants, for a single point.

    Means of the squares of 4000 channels: relative deviation sqrt(2 / 4000) = 0.022, and 4.5 times that is allowed.
    """
    group, action, size = SPACES[name]
    layer = GroupConv(4, 4000, group, action, size)
    layer.reset_parameters(gain)
    point = torch.zeros(size)
    point[size // 2] = 1
    for signal in (torch.randn(size), torch.ones(size), point):
        f = signal * torch.randn(1, 4, 1)
        out = layer(f).detach()
        # per orbit of the set the power may move elsewhere, but the sum over all points stays
        assert float(out.square().sum() / 4000 / (f.square().sum() / 4)) == pytest.approx(gain**2, rel=0.1)
    assert not bool(layer.bias.any())


@pytest.mark.parametrize(("one_variance", "low", "high"), [(False, 1 / 14, 14), (True, 1e6, 1e14)])
def test_the_power_stays_through_twenty_layers(one_variance, low, high):
    """On the torus, where a point has orbitals of 1, 4 and 4 others: with weights of one variance it explodes.

    As for `ZonalConv`, the log of the power wanders by sqrt(20 * 5 / 128) = 0.88; log 14 is 3 times that.
    """
    group, channels = Plane(3), 128
    f = torch.randn(4, channels, 9)
    start = float(f.square().mean())
    for _ in range(20):
        layer = GroupConv(channels, channels, group, group.on_pixels, 9)
        if one_variance:
            torch.nn.init.normal_(layer.weight, std=sqrt(2 / (9 * channels)))
        f = layer(f).relu().detach()
    assert low < float(f.square().mean()) / start < high


def test_the_state_of_a_layer_is_its_weights():
    """What the group makes is made anew, not saved."""
    arguments = (2, 3, Octahedral(), on_faces, 6)
    layer, other = GroupConv(*arguments), GroupConv(*arguments)
    assert {name: tuple(value.shape) for name, value in layer.state_dict().items()} == {
        "weight": (3, 2, 3),
        "bias": (3, 1),
    }
    other.load_state_dict(layer.state_dict())
    f = torch.randn(1, 2, 6)
    assert torch.equal(other(f), layer(f))
    assert "2, 3, Octahedral, 24 elements, points=6, orbitals=3, bias=True" in repr(layer)


def test_gradients():
    layer = shaken(2, 2, Octahedral(), on_faces, 6)

    def run(f, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (f,))

    inputs = [x.detach().requires_grad_() for x in (randn(2, 2, 6), layer.weight, randn(2, 1))]
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    shift = Cyclic(5).compose
    layer = GroupConv(2, 3, Cyclic(5), shift, 5)
    with pytest.raises(ValueError, match="in_channels must be at least 1"):
        GroupConv(0, 3, Cyclic(5), shift, 5)
    with pytest.raises(ValueError, match="points must be at least 1"):
        GroupConv(2, 3, Cyclic(5), shift, 0)
    with pytest.raises(ValueError, match=r"must be finite.*ZonalConv"):
        GroupConv(2, 3, SO3(2), shift, 5)
    with pytest.raises(ValueError, match="must be finite"):
        GroupConv(2, 3, "C5", shift, 5)
    with pytest.raises(ValueError, match="to such points"):
        GroupConv(2, 3, Cyclic(5), shift, 4)
    with pytest.raises(ValueError, match="no left action"):
        GroupConv(2, 3, Symmetric(3), lambda g, x: act_on_indices(Symmetric(3).inverse(g), x), 3)
    for f, words in {
        torch.ones(2, 2, 4): r"shape \(batch, 2, 5\).*got \(2, 2, 4\)",
        torch.ones(2, 3, 5): r"shape \(batch, 2, 5\)",
        torch.ones(2, 5): r"got \(2, 5\)",
        torch.ones(0, 2, 5): "batch at least 1",
        torch.ones(1, 2, 5).double(): "the input is torch.float64, the layer torch.float32",
        torch.ones(1, 2, 5).cfloat(): "must be real",
        torch.ones(1, 2, 5).long(): "floating point",
    }.items():
        with pytest.raises(ValueError, match=words):
            layer(f)
