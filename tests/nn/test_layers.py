"""Pooling, normalisation and invariants against what they mean on a grid: exact integrals of samples."""

from math import pi, sqrt

import pytest
import torch
from reference import harmonics_at, quadrature, randn, relative_error
from torch.nn import functional as F

import equisphere as es
from equisphere.nn import GlobalPool, PowerSpectrum, SpectralBatchNorm, SpectralPad, SpectralPool

L = 6
GRID = es.grids.ClenshawCurtis(nlat=25, nlon=30)


def samples(c):
    """Values on a grid fine enough for exact integrals of squares."""
    return torch.einsum("jkc,...c->...jk", harmonics_at(GRID.points, L), c.double())


def mean_over_sphere(f):
    return (GRID.weights * f).sum((-2, -1)) / (4 * pi)


def sample_statistics(c):
    """Mean and variance of each channel over batch and sphere, from the samples."""
    f = samples(c)
    mean = mean_over_sphere(f).mean(0)
    return mean, mean_over_sphere((f - mean[:, None, None]).square()).mean(0)


def shifted_signals(n, channels):
    """Signals with a mean and a size of their own in each channel."""
    c = randn(n, channels, L * L) * torch.arange(1, channels + 1)[:, None]
    c[..., 0] += 7
    return c


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_in_training_is_that_of_the_weighted_samples(affine):
    """torch's batch_norm of the samples, with the statistics of the exact integrals."""
    layer = SpectralBatchNorm(3, eps=1e-3, affine=affine).double()
    if affine:
        torch.nn.init.normal_(layer.weight)
        torch.nn.init.normal_(layer.bias)
    c = shifted_signals(4, 3)
    wanted = F.batch_norm(samples(c), *sample_statistics(c), layer.weight, layer.bias, training=False, eps=1e-3)
    assert relative_error(samples(layer(c)), wanted) < 1e-13


def test_batch_norm_tracks_the_statistics_and_uses_them_in_evaluation():
    """Running values move by `momentum` towards those of each batch; evaluation applies them and leaves them."""
    layer = SpectralBatchNorm(2, momentum=0.3).double()
    mean, var = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    for n in (3, 5, 2):
        c = shifted_signals(n, 2)
        layer(c)
        batch_mean, batch_var = sample_statistics(c)
        mean, var = 0.7 * mean + 0.3 * batch_mean, 0.7 * var + 0.3 * batch_var
    assert torch.allclose(layer.running_mean, mean, rtol=1e-13)
    assert torch.allclose(layer.running_var, var, rtol=1e-13)
    assert int(layer.num_batches_tracked) == 3

    layer.eval()
    c = shifted_signals(4, 2)
    wanted = F.batch_norm(samples(c), mean, var, layer.weight, layer.bias, training=False, eps=layer.eps)
    assert relative_error(samples(layer(c)), wanted) < 1e-13
    assert torch.allclose(layer.running_mean, mean, rtol=1e-13)
    assert int(layer.num_batches_tracked) == 3


def test_batch_norm_of_a_constant_signal():
    """Without variance the output is the bias: no NaN, in values and gradients."""
    layer = SpectralBatchNorm(1)
    c = torch.zeros(2, 1, L * L)
    c[..., 0] = 5.0
    c.requires_grad_()
    out = layer(c)
    out.square().sum().backward()
    assert float(out.detach().abs().max()) < 1e-2
    assert bool(torch.isfinite(c.grad).all())


def test_batch_norm_leaves_its_input_and_differentiates():
    """The input is not written to, and derivatives through the batch statistics agree with differences."""
    layer = SpectralBatchNorm(2).double()
    c = shifted_signals(3, 2)
    before = c.clone()
    layer(c)
    assert torch.equal(c, before)
    small = randn(2, 2, 9).requires_grad_()
    assert torch.autograd.gradcheck(layer, small)
    assert torch.autograd.gradgradcheck(layer, small, fast_mode=True)


def test_pooling_is_the_projection_to_a_lower_band_limit():
    """What is kept is the quadrature of the samples over the degrees below the new limit; l >= L_out is dropped."""
    c = randn(2, 3, L * L)
    pooled = SpectralPool(3)(c)
    assert torch.allclose(pooled, quadrature(samples(c), GRID, 3), rtol=0, atol=1e-13)
    assert torch.equal(SpectralPool(L)(c), c)
    assert repr(SpectralPool(3)) == "SpectralPool(3)"


def test_padding_is_the_same_signal_at_a_higher_band_limit():
    """The samples stay; pooling is its inverse and its adjoint."""
    c, d = randn(2, 3, L * L), randn(2, 3, (L + 3) ** 2)
    padded = SpectralPad(L + 3)(c)
    wanted = torch.einsum("jkc,...c->...jk", harmonics_at(GRID.points, L + 3), padded)
    assert relative_error(samples(c), wanted) < 1e-13
    assert torch.equal(SpectralPool(L)(padded), c)
    assert torch.equal(SpectralPad(L)(c), c)
    torch.testing.assert_close((padded * d).sum(), (c * SpectralPool(L)(d)).sum())
    assert repr(SpectralPad(3)) == "SpectralPad(3)"


def test_power_spectrum_layer_is_the_root_of_the_power():
    """||f^l|| for each degree, so that the squares sum to ∫ f^2."""
    c = randn(2, 3, L * L)
    norms = PowerSpectrum()(c)
    for l in range(L):
        assert torch.allclose(norms[..., l], c[..., l * l : (l + 1) ** 2].norm(dim=-1), rtol=1e-13)
    integral = 4 * pi * mean_over_sphere(samples(c).square())
    assert torch.allclose(norms.square().sum(-1), integral, rtol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_power_spectrum_of_silent_degrees(dtype):
    """The root of no power is 0 and its gradient 0, not NaN; degrees with power have theirs, f^l / ||f^l||."""
    c = torch.zeros(2, 9, dtype=dtype)
    c[1, 1:4] = torch.tensor([2.0, -1.0, 2.0])
    c.requires_grad_()
    norms = PowerSpectrum()(c)
    norms.sum().backward()
    assert torch.equal(norms, torch.tensor([[0.0, 0, 0], [0, 3, 0]], dtype=dtype))
    wanted = torch.zeros(2, 9, dtype=dtype)
    wanted[1, 1:4] = torch.tensor([2 / 3, -1 / 3, 2 / 3])
    assert torch.allclose(c.grad, wanted, rtol=1e-6, atol=0)


def test_power_spectrum_differentiates():
    """Derivatives away from zero agree with differences, to second order, for complex coefficients too."""
    for dtype in (torch.float64, torch.complex128):
        c = randn(2, 9, dtype=dtype).requires_grad_()
        assert torch.autograd.gradcheck(PowerSpectrum(), c)
        assert torch.autograd.gradgradcheck(PowerSpectrum(), c)


def test_global_pool_is_the_mean_over_the_sphere():
    """1 / 4 pi ∫ f, by the weighted samples; of a constant it is the constant."""
    c = randn(2, 3, L * L)
    assert torch.allclose(GlobalPool()(c), mean_over_sphere(samples(c)), rtol=1e-12)
    assert GlobalPool()(torch.tensor([sqrt(4 * pi)])).item() == pytest.approx(1)
