"""`linear`: a map with its adjoint for a derivative, to any order and in every mode, against a plain matrix."""

import pytest
import torch
from reference import randn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

from equisphere.transforms._linear import linear

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")


@pytest.fixture
def A():
    return randn(3, 5)


@pytest.fixture
def apply(A):
    """x `(5, n)` to A x `(3, n)`."""
    return lambda x: linear(x, lambda y: A @ y, lambda y: A.mT @ y)


def test_derivatives_of_either_order_and_mode(A, apply):
    """gradcheck and gradgradcheck, forwards over backwards included."""
    x = randn(5, 2).requires_grad_()
    assert gradcheck(apply, x, check_forward_ad=True)
    assert gradgradcheck(lambda x: apply(x.sin()), x, check_fwd_over_rev=True)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_the_jacobian_is_the_matrix(A, apply, jacobian):
    """d(A x) / dx = A."""
    assert torch.allclose(jacobian(lambda x: apply(x[:, None])[:, 0])(randn(5)), A)


@pytest.mark.parametrize("in_dim", [0, 1, 2])
def test_vmap_over_any_dimension(A, apply, in_dim):
    """The mapped dimension joins the columns, wherever it stood."""
    x = randn(4, 5, 2)
    assert torch.allclose(vmap(apply, in_dims=in_dim)(x.movedim(0, in_dim)), A @ x)


def test_modes_compose(A, apply):
    """Backwards through a jvp, forwards through a vjp, and the Hessian of |A x|^2, which is 2 A^T A."""
    x, y = randn(5, 1), randn(3, 1)
    through_jvp = grad(lambda t: (jvp(apply, (x,), (t,))[1] * y).sum())(x)
    assert torch.allclose(through_jvp, A.mT @ y)
    through_vjp = jvp(lambda v: vjp(apply, x)[1](v)[0], (y,), (2 * y,))[1]
    assert torch.allclose(through_vjp, 2 * A.mT @ y)
    second = hessian(lambda x: apply(x[:, None]).square().sum())(x[:, 0])
    assert torch.allclose(second, 2 * A.mT @ A)
