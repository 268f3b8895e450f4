"""Generators of rotations: the derivatives of a rotated signal."""

import pytest
import torch
from reference import randn, relative_error
from torch.autograd import gradcheck

import equisphere as es
from equisphere.groups import rotation_about
from equisphere.transforms import rotation_generators

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

AXES = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_they_are_the_derivatives_of_rotations(dtype):
    c = randn(2, 3, 64, dtype=dtype)
    found = rotation_generators(c)
    assert found.shape == (2, 3, 3, 64)
    for i, axis in enumerate(AXES):
        h = torch.tensor(1e-4, dtype=torch.float64)
        central = (es.rotate(c, rotation_about(axis, h)) - es.rotate(c, rotation_about(axis, -h))) / (2 * h)
        assert relative_error(found[..., i, :], central) < 1e-6


def test_they_commute_as_the_algebra_says_and_sum_to_l_l_plus_1():
    """[L_x, L_y] = L_z and cyclic; L_x^2 + L_y^2 + L_z^2 = -l (l+1)."""
    c = randn(10 * 10)
    twice = rotation_generators(rotation_generators(c))  # [j, i] is L_i L_j c
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert torch.allclose(twice[j, i] - twice[i, j], rotation_generators(c)[k], rtol=0, atol=1e-11)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(10)[0])
    assert torch.allclose(sum(twice[i, i] for i in range(3)), -degree * (degree + 1) * c, rtol=0, atol=1e-11)


def test_gradients():
    assert gradcheck(rotation_generators, randn(2, 9).requires_grad_(), check_forward_ad=True)


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="no positive square number"):
        rotation_generators(torch.ones(5))
