"""The contract: every layer commutes with every rotation, up to the rounding error derived in `rounding`."""

from itertools import pairwise

import pytest
import torch
from reference import SPECIAL_ROTATIONS, randn, relative_error
from rounding import CONTRACT, bound, pointwise_variance, product, rotation, transform
from torch import nn

import equisphere as es
from equisphere.nn import (
    Activation,
    GlobalPool,
    PowerSpectrum,
    SpectralBatchNorm,
    SpectralPad,
    SpectralPool,
    SphericalConv,
    ZonalConv,
)

L, C, N = 12, 4, 6
every_dtype = pytest.mark.parametrize("dtype", CONTRACT)

#: of `(N, 1, 3, 3)` Haar-random rotations each sample of a batch gets its own; the others turn all alike
ROTATIONS = {
    "random": es.random_rotations(N, torch.Generator().manual_seed(5), torch.float64)[:, None],
    **{name: SPECIAL_ROTATIONS[name] for name in ("about_z", "poles_swapped", "poles_swapped_and_turned", "identity")},
}
every_rotation = pytest.mark.parametrize("name", ROTATIONS)


def equivariance_error(layer, c, R):
    """||T(R.f) - R.(T f)|| / ||R.(T f)||."""
    with torch.no_grad():
        return relative_error(layer(es.rotate(c, R)), es.rotate(layer(c), R))


def invariance_error(layer, c, R):
    """||T(R.f) - T f|| / ||T f||."""
    with torch.no_grad():
        return relative_error(layer(es.rotate(c, R)), layer(c))


def normalising(training):
    norm = SpectralBatchNorm(C)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm(randn(20, C, L * L, dtype=torch.float32) + 1)
    return norm.train(training)


LINEAR = {
    "convolution": lambda: ZonalConv(C, 5, L),
    "anchored convolution": lambda: ZonalConv(C, 5, L, anchors=4, bias=False),
    "pooling": lambda: SpectralPool(L // 2),
    "padding": lambda: SpectralPad(L + 5),
    "batch norm, training": lambda: normalising(True),
    "batch norm, evaluation": lambda: normalising(False),
}
#: rounding in the layer, once: sums over channels, or the statistics of N L^2 numbers
SUMS = product(N * L * L)


@pytest.mark.parametrize("kind", LINEAR)
@every_rotation
@every_dtype
def test_linear_layers_commute_with_rotations(kind, name, dtype):
    """T(R.f) = R.(T f) to rounding, a rotation for each sample of the batch."""
    layer = LINEAR[kind]().to(dtype)
    c = randn(N, C, L * L, dtype=dtype)
    own = SUMS if "norm" in kind else product(C)
    assert equivariance_error(layer, c, ROTATIONS[name]) <= bound(2 * rotation(L) + 2 * own, dtype)


@pytest.mark.parametrize("layer", [PowerSpectrum(), GlobalPool()], ids=str)
@every_rotation
@every_dtype
def test_invariants_do_not_see_rotations(layer, name, dtype):
    """T(R.f) = T f to rounding: one rotation, and a sum of 2L - 1 squares on either side."""
    c = randn(N, C, L * L, dtype=dtype)
    variance = rotation(L, dtype) + 2 * product(2 * L - 1)
    assert invariance_error(layer, c, ROTATIONS[name]) <= bound(variance, dtype)


@pytest.mark.parametrize("grid", [es.grids.DriscollHealy(L), es.grids.GaussLegendre(L, nlon=101)], ids=str)
@every_rotation
@every_dtype
def test_the_convolution_of_samples_commutes_with_rotations(grid, name, dtype):
    """T(R.f) = R.(T f) for SphericalConv on the samples of band-limited signals, where each step is two transforms."""
    layer = SphericalConv(C, 3, grid, bandwidth=L).to(dtype)
    f = es.SHT(grid).inverse(randn(N, C, L * L, dtype=dtype))
    R = ROTATIONS[name]
    with torch.no_grad():
        turned, wanted = layer(es.rotate_signal(f, R, grid)), es.rotate_signal(layer(f), R, grid)
    both_ways = transform(grid.nlat, grid.nlon, L, dtype) + transform(L, 2 * L, L, dtype)
    variance = 2 * (rotation(L, dtype) + product(C) + 2 * both_ways)
    assert relative_error(turned, wanted) <= bound(variance, dtype)


@pytest.mark.parametrize("degree", [2, 3])
@every_rotation
@every_dtype
def test_polynomials_commute_with_rotations_at_their_oversampling(degree, name, dtype):
    """sigma(R.f) = R.sigma(f) to rounding alone, for a polynomial of degree p at oversampling (p+1)/2 (MATH 7)."""
    layer = Activation(lambda x: x**degree + x - 1, L, oversampling=(degree + 1) / 2)
    c = randn(N, C, L * L, dtype=dtype)
    variance = pointwise_variance(degree, (degree + 1) / 2, L, dtype)
    assert equivariance_error(layer, c, ROTATIONS[name]) <= bound(variance, dtype)


def network():
    """Conv, norm, square, pool, anchored conv, invariants."""
    return nn.Sequential(
        ZonalConv(2, C, 8),
        SpectralBatchNorm(C),
        Activation(torch.square, 8),
        SpectralPool(5),
        ZonalConv(C, 5, 5, anchors=3),
        PowerSpectrum(),
    )


@every_rotation
@every_dtype
def test_training_does_not_break_equivariance(name, dtype):
    """Each layer and the whole network hold the contract before and after five steps of Adam, training and evaluating."""
    net, head = network().to(dtype), nn.Linear(25, 3).to(dtype)
    c, labels = randn(N, 2, 64, dtype=dtype), torch.arange(N) % 3
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=0.01)
    start = net[0].weight.detach().clone()
    linear = bound(2 * rotation(8) + 2 * product(N * 64), dtype)
    square = bound(pointwise_variance(2, 1.5, 8, dtype), dtype)
    # what comes before the square is seen through it; the rest adds a conv, two rotations' worth at most, and the roots
    first = 2 * (product(2) + product(N * 64)) * 2**2
    whole = bound(pointwise_variance(2, 1.5, 8, dtype) + first + 2 * product(C) + 2 * product(9), dtype)
    for steps in (0, 5):
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(net(c).flatten(1)), labels).backward()
            optimizer.step()
        for training in (True, False):
            net.train(training)
            x = c
            for layer in net[:-1]:
                limit = square if isinstance(layer, Activation) else linear
                assert equivariance_error(layer, x, ROTATIONS[name]) <= limit
                x = layer(x).detach()
            assert invariance_error(net, c, ROTATIONS[name]) <= whole
        net.train()
    assert not torch.allclose(net[0].weight, start, atol=0.01)


def test_relu_errs_by_aliasing_which_falls_with_oversampling():
    """ReLU is no polynomial: its error is far above rounding, and falls as its grid is refined."""
    c = randn(N, C, L * L)
    errors = [
        equivariance_error(Activation(torch.relu, L, oversampling=s), c, ROTATIONS["random"]) for s in (1, 1.5, 2, 4, 8)
    ]
    assert errors[0] > 1e-2
    assert errors[-1] > 1e6 * bound(pointwise_variance(1, 8, L, torch.float64), torch.float64)
    assert all(finer < coarser for coarser, finer in pairwise(errors))
    assert errors[-1] < errors[0] / 10


class WeightPerCoefficient(nn.Module):
    """Not equivariant: a weight for each (l, m); `even=True` makes it depend on |m| alone."""

    def __init__(self, even):
        super().__init__()
        degree, order = es.harmonics.degrees_and_orders(L)
        partner = torch.from_numpy(degree**2 + degree + (abs(order) if even else order))
        self.weight = randn(L * L)[partner]

    def forward(self, c):
        return c * self.weight.to(c)


def test_a_layer_that_looks_at_the_order_fails_the_contract():
    """The check can fail: a weight that depends on m is off by half and more.

    Not so for the identity, nor for the half turn about y, (x, y, z) -> (-x, y, -z): it only changes signs of real
    harmonics. One rotation proves little.
    """
    c = randn(N, C, L * L)
    limit = bound(2 * rotation(L, torch.float64) + 2 * product(C), torch.float64)
    errors = {name: equivariance_error(WeightPerCoefficient(False), c, R) for name, R in ROTATIONS.items()}
    assert max(errors.pop("identity"), errors.pop("poles_swapped")) <= limit
    assert min(errors.values()) > 0.5


def test_a_layer_that_is_equivariant_about_z_alone_fails_for_general_rotations():
    """A weight that depends on l and |m| passes every turn about z and the swap of the poles: those do not suffice."""
    c = randn(N, C, L * L)
    limit = bound(2 * rotation(L, torch.float64) + 2 * product(C), torch.float64)
    errors = {name: equivariance_error(WeightPerCoefficient(True), c, R) for name, R in ROTATIONS.items()}
    assert errors.pop("random") > 0.1
    assert max(errors.values()) <= limit
