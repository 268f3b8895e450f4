"""The zonal convolution layer: a matrix of channels for each degree, its filters, anchors and first weights."""

from math import log2, pi, sqrt

import pytest
import torch
from reference import harmonics_at, randn, relative_error

import equisphere as es
from equisphere.nn import Activation, SphericalConv, ZonalConv

anchored_or_not = pytest.mark.parametrize("anchors", [None, 2, 4, 6])


@anchored_or_not
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_multiplies_each_degree_by_a_matrix_of_channels(anchors, bias):
    """out_lm = sum_i w_oi,l in_lm, plus the constant b_o = b_o sqrt(4 pi) Y_00."""
    layer = ZonalConv(3, 5, 6, anchors, bias).double()
    c = randn(4, 3, 36)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(6)[0])
    wanted = torch.einsum("oic,nic->noc", layer.multipliers[..., degree], c)
    if bias:
        torch.nn.init.normal_(layer.bias)
        wanted[..., 0] += sqrt(4 * pi) * layer.bias
    assert torch.allclose(layer(c), wanted, rtol=0, atol=1e-13)


def test_the_bias_is_a_constant_on_the_sphere():
    """A layer whose weights are zero gives the constant function b."""
    layer = ZonalConv(1, 2, 3).double()
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    samples = harmonics_at(es.grids.GaussLegendre(3).points, 3) @ layer(randn(1, 1, 9))[0].T
    assert torch.allclose(samples, layer.bias.expand_as(samples), rtol=0, atol=1e-14)


@anchored_or_not
def test_filters_are_the_kernels_of_the_convolution_theorem(anchors):
    """The layer sums the convolutions with kernels h_l0 = `filters` over its input channels."""
    layer = ZonalConv(3, 5, 6, anchors, bias=False).double()
    c = randn(4, 3, 36)
    each = es.transforms.zonal_convolution(c[:, None], layer.filters)
    assert layer.filters.shape == (5, 3, 6)
    assert torch.allclose(layer(c), each.sum(2), rtol=0, atol=1e-12)


def test_anchors_are_interpolated_linearly():
    """Weights at evenly spaced degrees 0 .. L-1 are the multipliers there, and straight lines in between."""
    layer = ZonalConv(1, 1, 7, anchors=3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0, -2.0, 4.0]]]))
    wanted = torch.tensor([1.0, 0.0, -1.0, -2.0, 0.0, 2.0, 4.0]).double()
    assert torch.allclose(layer.multipliers[0, 0], wanted, rtol=0, atol=1e-6)
    assert torch.allclose(ZonalConv(1, 1, 5, anchors=5).interpolation, torch.eye(5), rtol=0, atol=1e-6)


def test_few_anchors_make_filters_local():
    """With two anchors (a straight line of multipliers) the kernel holds more of its square near the pole than with all."""
    torch.manual_seed(0)
    theta = torch.linspace(0, pi, 200, dtype=torch.float64)
    points = torch.stack((theta.sin(), torch.zeros_like(theta), theta.cos()), dim=-1)
    zonal = harmonics_at(points, 24)[:, [l * l + l for l in range(24)]]
    near = {}
    for anchors in (2, None):
        kernels = ZonalConv(1, 200, 24, anchors).double().filters[:, 0].detach() @ zonal.T
        mass = kernels.square() * theta.sin()
        near[anchors] = float(mass[:, theta < pi / 6].sum() / mass.sum())
    assert near[2] > 0.8
    assert near[None] < 0.3


@pytest.mark.parametrize("gain", [sqrt(2), 1.0])
def test_first_weights_have_the_stated_variance(gain):
    """Multipliers of variance gain^2 / in_channels at every degree; biases zero."""
    layer = ZonalConv(40, 500, 8)
    layer.reset_parameters(gain)
    variance = layer.multipliers.detach().var((0, 1))
    # of 20,000 normal numbers the sample variance is off by 1 percent (one standard deviation)
    assert torch.allclose(variance, torch.full((8,), gain**2 / 40), rtol=0.05)
    assert not bool(layer.bias.any())


def test_a_new_layer_has_the_gain_of_relu():
    """Without another word multipliers have variance 2 / in_channels, and biases are zero."""
    layer = ZonalConv(40, 500, 8)
    assert float(layer.multipliers.detach().var()) == pytest.approx(2 / 40, rel=0.02)
    assert not bool(layer.bias.any())


def powers_through(layers, anchors, gain, channels=512, bandwidth=4):
    """Power (mean over channels and samples) after each of some layers of convolution and ReLU, over that before."""
    c = torch.randn(4, channels, bandwidth**2)
    start, powers = float(c.square().mean()), []
    for _ in range(layers):
        conv = ZonalConv(channels, channels, bandwidth, anchors)
        conv.reset_parameters(gain)
        c = Activation(torch.relu, bandwidth)(conv(c)).detach()
        powers.append(float(c.square().mean()) / start)
    return powers


@pytest.mark.parametrize("anchors", [None, 3])
def test_the_power_of_signals_keeps_its_size_through_twenty_layers(anchors):
    """With the default gain sqrt2 the power stays within a factor of 3 of where it started, all the way.

    The power of the constant part, which ReLU makes the largest, is multiplied in each layer by a mean of `channels`
    numbers of relative variance 5; so its logarithm wanders by sqrt(20 * 5 / 512) = 0.44, and log 3 is 2.5 times that.
    """
    powers = powers_through(20, anchors, sqrt(2))
    assert min(powers) > 1 / 3
    assert max(powers) < 3


def test_without_the_gain_it_collapses():
    """With gain 1 each layer halves the power: 2^-20 after twenty (by a factor of 3, as above)."""
    assert log2(powers_through(20, None, 1.0)[-1]) == pytest.approx(-20, abs=log2(3))


@pytest.mark.parametrize("grid", [es.grids.DriscollHealy(6), es.grids.ClenshawCurtis(nlat=15, nlon=100)], ids=str)
@pytest.mark.parametrize("anchors", [None, 3])
def test_the_layer_on_samples_is_the_layer_on_coefficients(grid, anchors):
    """SphericalConv: samples of the convolution of the band-limited part, by the sums over reference harmonics."""
    layer = SphericalConv(2, 3, grid, bandwidth=5, anchors=anchors).double()
    f = randn(2, 2, *grid.shape)
    Y = harmonics_at(grid.points, 5)
    c = torch.einsum("nijk,jk,jkc->nic", f, grid.weights, Y)
    assert relative_error(layer(f), torch.einsum("noc,jkc->nojk", layer.conv(c), Y)) < 1e-13


def test_a_layer_of_one_degree():
    """Band limit 1 is a linear layer on constants."""
    layer = ZonalConv(4, 2, 1).double()
    c = randn(3, 4, 1)
    assert torch.allclose(layer(c)[..., 0], c[..., 0] @ layer.weight[..., 0].T, rtol=0, atol=1e-14)


def test_the_state_of_a_layer_is_its_weights():
    """Interpolation is made anew, not saved; a loaded layer gives the same numbers."""
    layer, other = ZonalConv(2, 3, 9, anchors=4), ZonalConv(2, 3, 9, anchors=4)
    assert set(layer.state_dict()) == {"weight", "bias"}
    other.load_state_dict(layer.state_dict())
    c = randn(1, 2, 81, dtype=torch.float32)
    assert torch.equal(other(c), layer(c))
    assert "2, 3, bandwidth=9, anchors=4, bias=True" in repr(layer)


@pytest.mark.parametrize("anchors", [None, 3])
def test_gradients(anchors):
    """First and second derivatives in the signal and in the weights agree with differences."""
    layer = ZonalConv(2, 2, 4, anchors).double()

    def run(c, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (c,))

    inputs = [x.detach().requires_grad_() for x in (randn(2, 2, 16), layer.weight, randn(2))]
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)
