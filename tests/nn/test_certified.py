"""Activations that keep a tolerance, or err by rounding alone, or without bias."""

import pytest
import torch
from rounding import bound, pointwise_variance
from torch import nn

import equisphere as es
from equisphere.audit import rotation_error

F = nn.functional


@pytest.mark.parametrize("function", [F.gelu, F.silu, torch.tanh, F.softplus])
def test_a_certified_activation_keeps_its_tolerance_on_new_signals(function):
    layer = es.nn.Activation(function, 8, tolerance=1e-3)
    assert 0 < layer.measured <= 1e-3
    error = rotation_error(layer, torch.randn(6, 3, 64), es.random_rotations(6))
    assert float(error.max()) <= 1e-3
    assert "tolerance=0.001" in repr(layer)
    coarser = es.nn.Activation(function, 8, oversampling=layer.oversampling / 2)
    assert float(rotation_error(coarser, torch.randn(6, 3, 64), es.random_rotations(3)).max()) > 1e-3  # it was needed


def test_it_calibrates_on_signals_of_ones_own():
    layer = es.nn.Activation(torch.tanh, 8, tolerance=1e-3)
    before = layer.oversampling
    small = 0.1 * torch.randn(4, 64)
    assert layer.calibrate(small) <= 1e-3
    assert layer.oversampling < before
    assert float(rotation_error(layer, small, es.random_rotations(3)).max()) <= 1e-3
    assert es.nn.Activation(torch.tanh, 8, tolerance=1e-3, sample=small).oversampling == layer.oversampling
    again = es.nn.Activation(torch.tanh, 8, tolerance=1e-3)
    again.load_state_dict(layer.state_dict())
    assert (again.oversampling, again.measured, again.grid) == (layer.oversampling, layer.measured, layer.grid)
    assert not es.nn.Activation(torch.tanh, 8).state_dict()  # nothing to keep where nothing was calibrated


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("trained", [False, True])
def test_a_polynomial_errs_by_rounding_alone(dtype, trained):
    L, layer = 8, es.nn.PolynomialActivation((0.0, 1.0, 0.5, 0.1), 8).to(dtype)
    c = torch.randn(4, 2, L * L, dtype=dtype)
    if trained:
        optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
        for _ in range(5):
            optimizer.zero_grad()
            (layer(c) - c).square().mean().backward()
            optimizer.step()
    R = torch.cat((es.random_rotations(4, dtype=dtype), torch.diag(torch.tensor([1.0, -1, -1])).to(dtype)[None]))
    errors = rotation_error(layer, c, R)
    assert float(errors.max()) <= bound(pointwise_variance(3, 2.0, L, dtype), dtype)


def test_a_polynomial_is_its_value_on_the_sphere():
    layer = es.nn.PolynomialActivation((0.3, -1.0, 0.5), 6).double()
    c = torch.randn(2, 36, dtype=torch.float64)
    fine = es.SHT(es.grids.GaussLegendre(24), 6)
    f = fine.inverse(c)
    torch.testing.assert_close(layer(c), fine(0.3 - f + 0.5 * f * f))


def test_randomised_orientations_average_to_an_equivariant_layer():
    layer = es.nn.Activation(torch.relu, 4, oversampling=1, randomised=True)
    c, R = torch.randn(1, 16), es.random_rotations(1)

    def mean(c, n):
        return layer(c.expand(n, 16)).mean(0)

    fixed = float(rotation_error(layer, c, R)[0])  # in evaluation mode the grid stands still
    assert fixed > 0.05
    errors = [
        float((mean(es.rotate(c, R), n) - es.rotate(mean(c, n), R)).norm() / mean(c, n).norm()) for n in (100, 6400)
    ]
    assert errors[1] < errors[0] / 3  # as one over the root of the number: no bias is left
    assert errors[1] < fixed / 10
    assert torch.equal(layer.eval()(c), layer(c))
    shapes = [(16,), (3, 16), (3, 2, 16)]
    assert [tuple(layer.train()(torch.randn(s)).shape) for s in shapes] == shapes


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="not both"):
        es.nn.Activation(torch.tanh, 8, oversampling=2, tolerance=1e-3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        es.nn.Activation(torch.tanh, 8, tolerance=2)
    with pytest.raises(ValueError, match="relu does not reach the tolerance"):
        es.nn.Activation(torch.relu, 8, tolerance=1e-9)
    with pytest.raises(ValueError, match="no tolerance"):
        es.nn.Activation(torch.relu, 8).calibrate(torch.randn(2, 64))
    with pytest.raises(ValueError, match="two finite coefficients"):
        es.nn.PolynomialActivation((1,), 8)
