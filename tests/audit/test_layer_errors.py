"""Measured errors are the errors, and are found in the layer where they arise."""

import pytest
import torch
from torch import nn

import equisphere as es
from equisphere.audit import layer_errors, rotation_error
from equisphere.models import SphericalClassifier


class ByOrder(nn.Module):
    """A planted fault: a weight that depends on the order m."""

    def forward(self, c):
        order = torch.from_numpy(es.harmonics.degrees_and_orders(int(c.shape[-1] ** 0.5))[1])
        return c * (1 + 0.1 * order.abs())


def network(fault=None):
    model = nn.Sequential()
    model.append(es.nn.ZonalConv(2, 3, 8))
    model.append(es.nn.SpectralBatchNorm(3))
    model.append(fault or nn.Identity())
    model.append(es.nn.Activation(torch.square, 8))
    model.append(es.nn.PowerSpectrum())
    return model


def test_a_fault_is_found_where_it_sits():
    c, R = torch.randn(4, 2, 64), es.random_rotations(5)
    sound = {e.name: e for e in layer_errors(network(), c, R)}
    assert all(float(e.own.max()) < 1e-5 and float(e.reaching.max()) < 1e-5 for e in sound.values())
    faulty = {e.name: e for e in layer_errors(network(ByOrder()), c, R)}
    assert [name for name, e in faulty.items() if e.own.min() > 1e-3] == ["2"]
    assert [name for name, e in faulty.items() if e.reaching.min() > 1e-3] == ["2", "3", "4"]
    assert faulty["2"].kind == "ByOrder"


def test_rotations_about_z_do_not_show_a_fault_that_knows_the_axis_by_degree_of_order():
    """|m| is kept by rotations about z: general rotations are needed to see this fault."""
    c = torch.randn(4, 2, 64)
    about_z = es.groups.rotation_about((0, 0, 1), torch.tensor([0.3, 2.0]))
    assert float(rotation_error(ByOrder(), c, about_z).max()) < 1e-6
    assert float(rotation_error(ByOrder(), c, es.random_rotations(2)).min()) > 1e-2


def test_the_error_is_that_of_the_formula():
    layer, c, R = es.nn.Activation(torch.relu, 8), torch.randn(4, 2, 64), es.random_rotations(3)
    found = rotation_error(layer, c, R)
    for error, matrix in zip(found, R, strict=True):
        expected = es.rotate(layer(c), matrix)
        assert float(error) == pytest.approx(
            float((layer(es.rotate(c, matrix)) - expected).norm() / expected.norm()), rel=1e-4
        )


def test_the_whole_network_is_the_last_error_that_reaches():
    model = SphericalClassifier(4, 2, (4, 6), (8, 6), hidden=8).eval()
    c, R = torch.randn(4, 2, 64), es.random_rotations(3)
    torch.testing.assert_close(
        layer_errors(model, c, R)[-1].reaching, rotation_error(model, c, R, invariant=True), rtol=1e-3, atol=1e-9
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was_even_after_an_error(training):
    class Fails(nn.Module):
        def forward(self, c):
            raise RuntimeError("no")

    model = network(Fails()).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="no"):
        layer_errors(model, torch.randn(2, 2, 64), es.random_rotations(1))
    assert model.training is training
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_single_layer_is_a_network_too():
    (only,) = layer_errors(es.nn.Activation(nn.ReLU(), 8), torch.randn(2, 2, 64), es.random_rotations(2))
    assert (only.name, only.kind) == ("", "Activation")
    assert float(only.own.min()) > 1e-4


def test_a_module_is_measured_in_evaluation_mode():
    model = SphericalClassifier(4, 2, (4,), (8,), hidden=8, dropout=0.5).train()
    model.head[0].eval()
    c, R = torch.randn(4, 2, 64), es.random_rotations(2)
    errors = rotation_error(model, c, R, invariant=True)
    assert float(errors.max()) < 0.1
    assert model.training
    assert not model.head[0].training


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="zero everywhere"):
        rotation_error(torch.zeros_like, torch.randn(2, 64), es.random_rotations(1))
    with pytest.raises(ValueError, match="must be real"):
        layer_errors(network(), torch.randn(2, 2, 64, dtype=torch.complex64), es.random_rotations(1))
    with pytest.raises(ValueError, match="invariant=True"):
        rotation_error(lambda c: c[..., :2], torch.randn(2, 64), es.random_rotations(1))
    with pytest.raises(ValueError, match="output of the function must be finite"):
        rotation_error(lambda c: c / 0, torch.randn(2, 64), es.random_rotations(1))
    with pytest.raises(ValueError, match="R must"):
        rotation_error(torch.relu, torch.randn(2, 64), torch.randn(1, 3, 3))
