"""The equivariance error: the number it says it is, over all elements or samples, with an interval that covers."""

from math import inf

import pytest
import torch
from reference import randn
from scipy import stats

import equisphere as es
from equisphere.groups import (
    O3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    act_on_images,
    act_trivially,
    equivariance_error,
    relative_error,
)

act = es.transforms.act_on_coefficients


def shift(g, x):
    return x.roll(int(g), dims=-1)


def test_it_is_the_ratio_of_norms():
    """T = multiplication by the place: ||T(g.x) - g.T(x)|| / ||g.T(x)||, by hand."""
    x, place = randn(3, 5), torch.arange(1.0, 6).double()
    found = equivariance_error(lambda x: x * place, Cyclic(5), shift, shift, x)
    for g, error in zip(found.elements.tolist(), found.errors.tolist(), strict=True):
        gap = x.roll(g, -1) * (place - place.roll(g, -1))
        assert error == pytest.approx(float(gap.norm() / (x * place).norm()), rel=1e-14)
    assert found.mean == pytest.approx(float(found.errors.mean()))
    assert found.interval == (found.mean, found.mean)
    assert found.worst == float(found.errors.max())
    assert found.errors[found.elements == found.worst_element] == found.worst


def test_nodes_count_by_their_haar_weights():
    layer = es.nn.Activation(torch.relu, 4, 1.0)
    G, c = SO3(3), randn(2, 16)
    found = equivariance_error(layer, G, act, act, c)
    assert found.mean == pytest.approx(float((G.weights * found.errors).sum() / G.weights.sum()))
    assert found.mean != pytest.approx(float(found.errors.mean()), rel=1e-6)


@pytest.mark.parametrize(("confidence", "level"), [(0.95, 0.95), (0.5, 0.5)])
def test_the_interval_covers_as_often_as_it_says(confidence, level):
    """Of 200 intervals from 30 draws each, the share that covers the true mean is binomial about the confidence.

    Within three standard deviations, and 2 percent for errors that are not distributed normally.
    """
    place = torch.arange(16.0).double()
    x, G = randn(16), Cyclic(16)
    true = equivariance_error(lambda x: x * place, G, shift, shift, x).mean
    generator = torch.Generator().manual_seed(3)
    covered = 0
    for _ in range(200):
        found = equivariance_error(lambda x: x * place, G, shift, shift, x, 30, generator, confidence)
        covered += found.interval[0] <= true <= found.interval[1]
    assert abs(covered / 200 - level) < 3 * (level * (1 - level) / 200) ** 0.5 + 0.02


def test_the_interval_is_that_of_student():
    x = randn(8)
    found = equivariance_error(
        lambda x: x.cumsum(-1), Cyclic(8), shift, shift, x, 5, torch.Generator().manual_seed(0), 0.9
    )
    expected = stats.t.interval(0.9, 4, loc=found.mean, scale=stats.sem(found.errors.numpy()))
    assert found.interval == pytest.approx((max(0.0, expected[0]), expected[1]))
    one = equivariance_error(lambda x: x.cumsum(-1), Cyclic(8), shift, shift, x, 1)
    assert one.interval == (0.0, inf)


def test_haar_samples_and_nodes_agree():
    """Samples of SO(3) are rotations of their own, not nodes; their mean is that over the nodes."""
    layer = es.nn.Activation(torch.relu, 6, 1.0)
    c = randn(4, 36)
    every = equivariance_error(layer, SO3(3), act, act, c)
    some = equivariance_error(layer, SO3(3), act, act, c, 60, torch.Generator().manual_seed(0), 0.9999)
    assert some.interval[0] < every.mean < some.interval[1]
    assert float(torch.cdist(some.elements.flatten(1), SO3(3).elements.flatten(1)).min()) > 1e-3
    again = equivariance_error(layer, SO3(3), act, act, c, 60, torch.Generator().manual_seed(0))
    assert torch.equal(some.errors, again.errors)


def test_elements_of_ones_own_choice():
    """A tensor of elements stands for the group: each is tried, in order, and counts the same."""
    layer = es.nn.Activation(torch.relu, 6, 1.0)
    c, R = randn(2, 36), es.random_rotations(4, dtype=torch.float64)
    found = equivariance_error(layer, R, act, act, c)
    by_hand = [relative_error(layer(es.rotate(c, r)), es.rotate(layer(c), r)) for r in R]
    torch.testing.assert_close(found.errors, torch.stack(by_hand))
    assert torch.equal(found.elements, R)
    assert found.interval[0] < found.mean == float(found.errors.mean()) < found.interval[1]


def test_a_mirror_tells_what_rotations_cannot():
    """The triple product is invariant under SO(3), and changes its sign under the other half of O(3)."""
    layer = es.nn.TripleProduct(4, 5).double()
    c = randn(3, 4, 9)
    assert equivariance_error(layer, SO3(2), act, act_trivially, c).worst < 1e-12
    both = equivariance_error(layer, O3(2), act, act_trivially, c)
    assert both.mean == pytest.approx(1)
    assert both.worst == pytest.approx(2)
    assert float(torch.linalg.det(both.worst_element)) == pytest.approx(-1)
    handed = equivariance_error(layer, O3(2), act, lambda g, y: torch.linalg.det(g) * y, c)
    assert handed.worst < 1e-12


def test_planar_convolutions_know_quarter_turns_only_with_symmetric_filters():
    """Module inputs: images under Dihedral(4)."""
    conv = torch.nn.Conv2d(2, 3, 3, padding=1).double()
    x = randn(2, 2, 6, 6)
    assert equivariance_error(conv, Dihedral(4), act_on_images, act_on_images, x).mean > 0.1
    with torch.no_grad():
        conv.weight.copy_(sum(act_on_images(g, conv.weight) for g in Dihedral(4).elements))
    assert equivariance_error(conv, Dihedral(4), act_on_images, act_on_images, x).worst < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128, torch.bfloat16])
def test_elements_have_the_precision_of_the_inputs(dtype):
    """Rotations in float32 for signals in single precision or half; counted errors are float64 always."""
    seen = []

    def watched(g, x):
        seen.append(g.dtype)
        return x

    found = equivariance_error(lambda x: x, SO3(1), watched, act_trivially, randn(9).to(dtype))
    single = dtype in (torch.float32, torch.complex64, torch.bfloat16)
    assert set(seen) == {torch.float32 if single else torch.float64}
    assert found.errors.dtype == torch.float64
    whole = equivariance_error(lambda x: x, Cyclic(3), watched, act_trivially, randn(9).to(dtype))
    assert whole.elements.dtype == torch.int64


def test_no_gradients_are_kept():
    layer = es.nn.ZonalConv(1, 1, 3)
    assert not equivariance_error(
        layer, SO2(2), lambda g, x: x, lambda g, x: x, torch.randn(1, 1, 9)
    ).errors.requires_grad


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    x, G = torch.ones(3), Cyclic(3)
    cases = {
        "zero everywhere": (torch.zeros_like, G, shift, shift, x),
        "must be finite": (lambda x: x / 0, G, shift, shift, x),
        "at transformed inputs must be finite": (lambda x: x.sqrt(), G, lambda g, x: x - int(g), shift, x),
        "one shape": (lambda x: x, G, shift, lambda g, y: y[:2], x),
        "function must be callable": ("relu", G, shift, shift, x),
        "samples must be at least 1|n must be at least 1": (torch.relu, G, shift, shift, x, 0),
        "samples are drawn from a group": (torch.relu, torch.arange(3), shift, shift, x, 2),
        "n at least 1": (torch.relu, torch.arange(0), shift, shift, x),
        "between 0 and 1": (torch.relu, G, shift, shift, x, 2, None, 95),
        "inputs must be a torch tensor": (torch.relu, G, shift, shift, [1.0]),
    }
    for words, arguments in cases.items():
        with pytest.raises(ValueError, match=words):
            equivariance_error(*arguments)
