"""Derivatives of a rotated signal in its coefficients and in the rotation, at the ambiguous Euler angles too."""

import pytest
import torch
from reference import SPECIAL_ROTATIONS, harmonics_at, randn, relative_error, unit_points
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jacfwd, jacrev, jvp, vmap

import equisphere as es

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

every_rotation = pytest.mark.parametrize("name", SPECIAL_ROTATIONS)
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


def near(w, R):
    """exp([w]x) R: the rotation R, turned further by |w| about w."""
    x, y, z = w.unbind(-1)
    o = torch.zeros_like(x)
    cross = torch.stack((o, -z, y, z, o, -x, -y, x, o), dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(cross) @ R


@every_rotation
@every_dtype
def test_first_derivatives_in_coefficients_and_rotation(name, dtype):
    """Reverse and forward mode agree with differences along w in exp([w]x) R, at every R."""
    R = SPECIAL_ROTATIONS[name]
    c = randn(2, 9, dtype=dtype).requires_grad_()
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda c, w: es.rotate(c, near(w, R)), (c, w), check_forward_ad=True)


@every_rotation
def test_second_derivatives_in_coefficients_and_rotation(name):
    """The derivative of the derivative, mixed ones in c and w included."""
    R = SPECIAL_ROTATIONS[name]
    c = randn(9).requires_grad_()
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    assert gradgradcheck(lambda c, w: es.rotate(c, near(w, R)), (c, w))


@every_rotation
def test_the_derivative_in_the_rotation_is_that_of_the_signal(name):
    """d/dt f(R^-1 exp(-t [w]x) x) at t = 0, by differences of reference harmonics, is the derivative of `rotate`."""
    R, w, points = SPECIAL_ROTATIONS[name], randn(3), unit_points(20)
    c, h = randn(36), 1e-5

    def value(t):
        return harmonics_at(points @ near(t * w, R), 6) @ c

    _, tangent = jvp(
        lambda t: es.rotate(c, near(t * w, R)), (torch.zeros((), dtype=torch.float64),), (torch.ones(()).double(),)
    )
    assert relative_error(harmonics_at(points, 6) @ tangent, (value(h) - value(-h)) / (2 * h)) < 1e-7


@every_rotation
def test_the_gradient_in_the_rotation_is_tangent_to_the_group(name):
    """G = dL/dR has G R^T antisymmetric: no step across SO(3), which means nothing."""
    R = SPECIAL_ROTATIONS[name].clone().requires_grad_()
    (es.rotate(randn(5, 16), R) * randn(5, 16)).sum().backward()
    torque = R.grad @ R.detach().mT
    assert float(torque.abs().max()) > 0.1
    assert torch.allclose(torque, -torque.mT, rtol=0, atol=1e-13)


def test_the_gradient_in_the_coefficients_is_the_inverse_rotation():
    """<R.f, g> = <f, R^-1.g>."""
    R = SPECIAL_ROTATIONS["general"]
    f, g = randn(2, 25).requires_grad_(), randn(2, 25)
    (es.rotate(f, R) * g).sum().backward()
    assert torch.allclose(f.grad, es.rotate(g, R.mT), rtol=0, atol=1e-13)


def test_a_shared_rotation_gathers_the_gradients_of_all_its_signals():
    """With R broadcast over signals, its gradient is the sum of theirs."""
    R = SPECIAL_ROTATIONS["general"].clone().requires_grad_()
    c, g = randn(4, 3, 16), randn(4, 3, 16)
    (together,) = torch.autograd.grad((es.rotate(c, R) * g).sum(), R)
    each = [torch.autograd.grad((es.rotate(a, R) * b).sum(), R)[0] for a, b in zip(c, g, strict=True)]
    assert torch.allclose(together, sum(each), rtol=1e-12)


def test_precisions_mix_in_the_gradient():
    """Each gradient has the dtype of its argument; that of the norm, an invariant, vanishes in R."""
    R = SPECIAL_ROTATIONS["general"].float().requires_grad_()
    c = randn(16).requires_grad_()
    es.rotate(c, R).square().sum().backward()
    assert R.grad.dtype == torch.float32
    assert c.grad.dtype == torch.float64
    assert float(R.grad.abs().max()) < 1e-5


@pytest.mark.parametrize("off", [1e-7, 1e-4])
def test_the_gradient_is_the_adjoint_of_the_map_where_the_matrix_is_only_nearly_a_rotation(off):
    """What is applied is an exact rotation near R, so that d|R.c|^2 / dc = 2 c to double precision (R in float32, say)."""
    R = SPECIAL_ROTATIONS["general"] + off * randn(3, 3)
    c = randn(16).requires_grad_()
    es.rotate(c, R).square().sum().backward()
    assert relative_error(c.grad, 2 * c.detach()) < 1e-13


@every_rotation
def test_gradient_descent_finds_a_small_rotation_from_anywhere(name):
    """Steps along w lower the distance of R.f to a slightly turned copy by orders of magnitude, at the poles too."""
    R0 = SPECIAL_ROTATIONS[name]
    c = randn(16)
    wanted = es.rotate(c, near(torch.tensor([0.1, -0.05, 0.08], dtype=torch.float64), R0))
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=30, line_search_fn="strong_wolfe")

    def distance():
        optimizer.zero_grad()
        loss = (es.rotate(c, near(w, R0)) - wanted).square().sum()
        loss.backward()
        return loss

    before = float(distance().detach())
    optimizer.step(distance)
    assert float(distance().detach()) < 1e-6 * before


def test_grad_and_jvp_of_torch_func():
    """torch.func's grad and jvp go through, and agree with the matrix of the rotation."""
    R, c = SPECIAL_ROTATIONS["general"], randn(2, 9)
    matrix = es.rotate(torch.eye(9, dtype=torch.float64), R).T
    assert torch.allclose(grad(lambda x: (es.rotate(x, R) * c[1]).sum())(c[0]), matrix.T @ c[1], atol=1e-13)
    assert torch.allclose(jvp(lambda x: es.rotate(x, R), (c[0],), (c[1],))[1], matrix @ c[1], atol=1e-13)


def test_vmap_of_a_rotation():
    """vmap over signals, over rotations and over both is the batch that `rotate` takes anyway."""
    R, c = es.random_rotations(3, dtype=torch.float64), randn(3, 9)
    assert torch.allclose(vmap(lambda x: es.rotate(x, R[0]))(c), es.rotate(c, R[0]), atol=1e-13)
    assert torch.allclose(vmap(lambda S: es.rotate(c[0], S))(R), es.rotate(c[0], R), atol=1e-13)
    assert torch.allclose(vmap(es.rotate)(c, R), es.rotate(c, R), atol=1e-13)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobians_of_a_rotation(jacobian):
    """The Jacobian in the coefficients is the block-diagonal matrix of the rotation."""
    R = SPECIAL_ROTATIONS["general"]
    matrix = es.rotate(torch.eye(9, dtype=torch.float64), R).T
    assert torch.allclose(jacobian(lambda x: es.rotate(x, R))(randn(9)), matrix, atol=1e-13)
