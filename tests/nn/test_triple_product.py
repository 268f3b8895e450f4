"""A handed invariant: the same for every rotation, of opposite sign in the mirror."""

import pytest
import torch

import equisphere as es
from equisphere.models import SphericalClassifier
from equisphere.nn import TripleProduct


def mirrored(c):
    """Reflection y -> -y: it turns the sign of the sines, the coefficients of negative order."""
    order = torch.from_numpy(es.harmonics.degrees_and_orders(int(c.shape[-1] ** 0.5))[1])
    return torch.where(order < 0, -c, c)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_rotations_leave_it_and_reflections_turn_its_sign(dtype, bound):
    layer, c = TripleProduct(6, 5).to(dtype), torch.randn(7, 6, 25, dtype=dtype)
    with torch.no_grad():
        straight = layer(c)
        turned = layer(es.rotate(c, es.random_rotations(7, dtype=dtype)[:, None]))
        reflected = layer(mirrored(c))
    assert float((turned - straight).norm() / straight.norm()) < bound
    assert float((reflected + straight).norm() / straight.norm()) < bound


def test_it_is_the_determinant_of_mixed_vectors():
    layer, c = TripleProduct(4, 2).double(), torch.randn(3, 4, 9, dtype=torch.float64)
    with torch.no_grad():
        found = layer(c)
        for b in range(3):
            for k in range(2):
                u, v, w = (layer.weight[3 * k + i] @ c[b, :, 1:4] for i in range(3))
                torch.testing.assert_close(found[b, k], torch.linalg.det(torch.stack((u, v, w))))


@torch.no_grad()
def test_with_it_a_classifier_tells_mirror_images_apart_and_without_it_does_not():
    c = torch.randn(4, 1, 64)
    settings = {"classes": 3, "channels": (6,), "bandwidths": (8,), "hidden": 8}
    for triples, sees in ((0, False), (8, True)):
        model = SphericalClassifier(**settings, triples=triples).eval()
        change = float((model(mirrored(c)) - model(c)).norm() / model(c).norm())
        assert (change > 1e-3) is sees


def test_gradients_are_finite_for_a_signal_of_nothing():
    layer, c = TripleProduct(4, 2), torch.zeros(3, 4, 9, requires_grad=True)
    layer(c).sum().backward()
    assert torch.equal(c.grad, torch.zeros_like(c))


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="at least 2"):
        TripleProduct(2, 3)(torch.randn(1, 2, 1))
    with pytest.raises(ValueError, match=r"\(batch, 2, L\*L\)"):
        TripleProduct(2, 3)(torch.randn(1, 3, 9))
    with pytest.raises(ValueError, match="triples"):
        TripleProduct(2, 0)
