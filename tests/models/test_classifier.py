"""Networks: invariant, trainable, and honest about what does not fit."""

import copy
import pickle

import pytest
import torch

import equisphere as es
from equisphere.models import PlanarClassifier, SphericalClassifier

SMALL = {"classes": 4, "in_channels": 2, "channels": (6, 6, 8), "bandwidths": (10, 8, 6), "hidden": 8}


def train_a_little(model, c, labels):
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model.train()(c), labels).backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-11)])
def test_with_exact_nonlinearities_the_logits_are_invariant(trained, dtype, bound):
    """A square at oversampling 1.5 does not alias, so that rounding alone is left, grown by a few layers."""
    model = SphericalClassifier(**SMALL).to(dtype)
    for block in model.blocks:
        block.activation = es.nn.Activation(torch.square, block.activation.bandwidth, oversampling=1.5)
    c = torch.randn(6, 2, 100, dtype=dtype)
    if trained:
        train_a_little(model, c, torch.arange(6) % 4)
    model.eval()
    with torch.no_grad():
        straight = model(c)
        turned = model(es.rotate(c, es.random_rotations(6, dtype=dtype)[:, None]))
    assert float((turned - straight).norm() / straight.norm()) < bound


@torch.no_grad()
def test_the_error_of_relu_falls_with_oversampling():
    c, R = torch.randn(6, 2, 100), es.random_rotations(6)[:, None]
    errors = []
    for oversampling in (1, 2, 4):
        torch.manual_seed(1)
        model = SphericalClassifier(**SMALL, oversampling=oversampling).eval()
        errors.append(float((model(es.rotate(c, R)) - model(c)).norm() / model(c).norm()))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_it_learns():
    c = torch.randn(12, 2, 100)
    labels = torch.arange(12) % 4
    model = train_a_little(SphericalClassifier(**SMALL), c, labels)
    assert torch.equal(model.train()(c).argmax(1), labels)


@pytest.mark.parametrize("model", [SphericalClassifier(**SMALL), PlanarClassifier(4, 2, 10, (6, 8))])
def test_copies_and_pickles_are_the_same_network(model):
    c = torch.randn(2, 2, 100)
    model.eval()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        torch.testing.assert_close(other(c), model(c))


def test_no_table_is_in_the_state_dict():
    state = SphericalClassifier(**SMALL, anchors=4).state_dict()
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked", "_extra_state")
    assert all(name.rsplit(".", 1)[-1] in parts for name in state)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (6, 6)}, "one number for each block"),
        ({"channels": (), "bandwidths": ()}, "one number for each block"),
        ({"bandwidths": (6, 6, 10)}, "must not rise"),
        ({"bandwidths": (10, 6, 0)}, "at least 1"),
        ({"activation": "step"}, "must be one of relu"),
        ({"dropout": 1.0}, "probability"),
        ({"classes": 0}, "at least 1"),
        ({"oversampling": 0.5}, "at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        SphericalClassifier(**(SMALL | change))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("model", [SphericalClassifier(**SMALL), PlanarClassifier(4, 2, 10, (6, 8))])
@pytest.mark.parametrize("shape", [(2, 2, 99), (2, 3, 100), (2, 100), (2, 2, 144)])
def test_input_that_does_not_fit_is_explained(model, shape):
    with pytest.raises(ValueError, match=r"must have"):
        model(torch.randn(shape))
