"""O(3) on coefficients: what rotations do, and parity."""

import pytest
import torch
from reference import SPECIAL_ROTATIONS, harmonics_at, randn, unit_points

import equisphere as es
from equisphere.groups import O3, act_on_functions, act_on_points, act_trivially, equivariance_error
from equisphere.transforms import act_on_coefficients, to_complex_basis

L = 6
MIRROR = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
ELEMENTS = {**SPECIAL_ROTATIONS, "mirror": MIRROR, "inversion": -torch.eye(3).double()}
ELEMENTS["rotated mirror"] = SPECIAL_ROTATIONS["general"] @ MIRROR


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_values_move_with_their_points(name, dtype):
    """(g.f)(x) = f(g^-1 x), by evaluation at points."""
    g, c, points = ELEMENTS[name], randn(L * L, dtype=dtype), unit_points(20)

    def at(c):
        return lambda points: harmonics_at(points, L, dtype.is_complex) @ c

    moved = act_on_functions(O3(1), act_on_points)(g, at(c))
    torch.testing.assert_close(at(act_on_coefficients(g, c))(points), moved(points), rtol=0, atol=1e-12)


def test_it_is_a_left_action():
    g, h = O3(2).elements[::7, None], O3(2).elements[None, ::5]
    c = randn(L * L)
    torch.testing.assert_close(act_on_coefficients(g, act_on_coefficients(h, c)), act_on_coefficients(g @ h, c))


def test_rotations_act_as_rotate_does():
    R, c = es.random_rotations(4, dtype=torch.float64)[:, None], randn(4, 3, L * L)
    assert torch.equal(act_on_coefficients(R, c), es.rotate(c, R))


def test_rotations_and_reflections_mix_in_a_batch():
    g, c = torch.stack(list(ELEMENTS.values())), randn(3, L * L)
    together = act_on_coefficients(g[:, None], c)
    for one, matrix in zip(together, g, strict=True):
        torch.testing.assert_close(one, act_on_coefficients(matrix, c))


def test_real_and_complex_coefficients_agree():
    c = randn(L * L)
    for g in ELEMENTS.values():
        torch.testing.assert_close(
            act_on_coefficients(g, to_complex_basis(c.to(torch.complex128))),
            to_complex_basis(act_on_coefficients(g, c).to(torch.complex128)),
        )


def test_gradients_in_both():
    """Along the group: g(w) = [rotation by w] g."""
    c = randn(9).requires_grad_()
    w = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def run(c, w):
        return act_on_coefficients(es.groups.rotation_about((1, 2, 3), w) @ MIRROR, c)

    assert torch.autograd.gradcheck(run, (c, w))


def test_layers_commute_with_reflections_too():
    """Zonal filters and pointwise functions do, since they know no handedness."""
    layer = torch.nn.Sequential(es.nn.ZonalConv(2, 3, L), es.nn.Activation(torch.square, L, 1.5)).double()
    c = randn(2, 2, L * L)
    act = act_on_coefficients
    assert equivariance_error(layer, O3(2), act, act, c).worst < 1e-12
    norms = torch.nn.Sequential(layer, es.nn.PowerSpectrum())
    assert equivariance_error(norms, O3(2), act, act_trivially, c).worst < 1e-12


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    c = torch.ones(9)
    with pytest.raises(ValueError, match="g must be orthogonal"):
        act_on_coefficients(torch.ones(3, 3), c)
    with pytest.raises(ValueError, match="no positive square number"):
        act_on_coefficients(torch.eye(3), torch.ones(8))
    with pytest.raises(ValueError, match="act_on_coefficients"):
        es.rotate(c, -torch.eye(3))
