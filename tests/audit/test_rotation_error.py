"""The error of a function of coefficients is that of the formula."""

import pytest
import torch

import equisphere as es
from equisphere.audit import rotation_error
from equisphere.models import SphericalClassifier


def by_order(c):
    """A planted fault: a weight that depends on the order m."""
    order = torch.from_numpy(es.harmonics.degrees_and_orders(int(c.shape[-1] ** 0.5))[1])
    return c * (1 + 0.1 * order.abs())


def test_rotations_about_z_do_not_show_a_fault_that_knows_the_axis_by_degree_of_order():
    """|m| is kept by rotations about z: general rotations are needed to see this fault."""
    c = torch.randn(4, 2, 64)
    about_z = es.groups.rotation_about((0, 0, 1), torch.tensor([0.3, 2.0]))
    assert float(rotation_error(by_order, c, about_z).max()) < 1e-6
    assert float(rotation_error(by_order, c, es.random_rotations(2)).min()) > 1e-2


def test_the_error_is_that_of_the_formula():
    layer, c, R = es.nn.Activation(torch.relu, 8), torch.randn(4, 2, 64), es.random_rotations(3)
    found = rotation_error(layer, c, R)
    for error, matrix in zip(found, R, strict=True):
        expected = es.rotate(layer(c), matrix)
        assert float(error) == pytest.approx(
            float((layer(es.rotate(c, matrix)) - expected).norm() / expected.norm()), rel=1e-4
        )


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
    with pytest.raises(ValueError, match="invariant=True"):
        rotation_error(lambda c: c[..., :2], torch.randn(2, 64), es.random_rotations(1))
    with pytest.raises(ValueError, match="output of the function must be finite"):
        rotation_error(lambda c: c / 0, torch.randn(2, 64), es.random_rotations(1))
    with pytest.raises(ValueError, match="R must"):
        rotation_error(torch.relu, torch.randn(2, 64), torch.randn(1, 3, 3))
