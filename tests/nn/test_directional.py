"""Products of gradients: right, equivariant under rotations, handed under reflections."""

from functools import partial
from itertools import pairwise

import pytest
import torch
from reference import SPECIAL_ROTATIONS, harmonics_at, quadrature, randn, relative_error
from rounding import CONTRACT, bound, pointwise_variance, transform

import equisphere as es
from equisphere.models import SphericalClassifier
from equisphere.nn import Activation, DirectionalActivation, _compare
from equisphere.nn._compare import compared, plainly_compared
from equisphere.transforms import accelerate, directional
from equisphere.transforms._spin_rings import spin_ring_engine
from equisphere.transforms._tangent_engine import tangent_engine

# torch warns of itself where forward mode loads its decompositions
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

L = 7


def products(u):
    """u . v and n . (u x v) alone: polynomials, so exact on the grid of oversampling 1.5."""
    (a, c), (b, d) = u
    return torch.stack((a * c + b * d, a * d - b * c))


def mirrored(c):
    """Reflection y -> -y: it turns the sign of the sines, the coefficients of negative order."""
    order = torch.from_numpy(es.harmonics.degrees_and_orders(int(c.shape[-1] ** 0.5))[1])
    return torch.where(order < 0, -c, c)


def riesz_in_space(c, points, h=1e-5):
    """grad (-Delta)^(-1/2) f at points, as vectors in space: central differences of f along turns about the three axes.

    A turn about a moves x by a x x: df/da = (a x x) . grad f = a . (x x grad f), and grad f = (x x grad f) x x.
    """
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0]).double()
    f = c * torch.where(degree > 0, (degree * (degree + 1)).clamp(min=1).rsqrt(), 0.0)
    curl = []
    for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        turn = es.groups.rotation_about(axis, torch.tensor(h, dtype=torch.float64))
        ahead, behind = (harmonics_at(points @ R.mT, L) for R in (turn, turn.mT))
        curl.append(((ahead - behind) / (2 * h)) @ f)
    return torch.linalg.cross(torch.stack(curl, dim=-1), points)


def test_the_products_are_those_of_differences_in_space():
    """Against finite differences on another grid, and its quadrature."""
    grid = es.grids.DriscollHealy(16)
    f, a, b = randn(3, 1, L * L)
    found = directional(torch.square, products, f, torch.cat((a, b)), es.grids.GaussLegendre(L, nlat=12, nlon=22))
    u, v = (riesz_in_space(x[0], grid.points) for x in (a, b))
    square = (harmonics_at(grid.points, L) @ f[0]).square()
    wanted = [square, (u * v).sum(-1), (grid.points * torch.linalg.cross(u, v)).sum(-1)]
    assert relative_error(found, torch.stack([quadrature(w, grid, L) for w in wanted])) < 1e-8


@pytest.mark.parametrize(("nlat", "nlon"), [(12, 22), (24, 200)])
def test_slopes_from_tables_are_the_gradient_modes_of_spin_1(nlat, nlon):
    """The engine of tangent fields against that of spins, which stands on Wigner d, there and back."""
    grid, c = es.grids.GaussLegendre(L, nlat=nlat, nlon=nlon), randn(L * L, 300)
    tangent, spin = tangent_engine(grid, L), spin_ring_engine(grid, L, 1)
    u = tangent.to_grid(c)
    wanted = spin.to_grid(torch.stack((c, torch.zeros_like(c)), dim=1), weighted=False)
    assert relative_error(u.unflatten(0, (2, -1)).permute(2, 3, 0, 1), wanted) < 1e-14
    assert relative_error(tangent.from_grid(u), spin.from_grid(wanted, weighted=False)[:, 0]) < 1e-14


ROTATIONS = {
    "random": es.random_rotations(5, torch.Generator().manual_seed(2), torch.float64)[:, None],
    **{name: SPECIAL_ROTATIONS[name] for name in ("about_z", "poles_swapped", "poles_swapped_and_turned")},
}


@pytest.mark.parametrize("name", ROTATIONS)
@pytest.mark.parametrize("dtype", CONTRACT)
def test_products_commute_with_rotations_to_rounding(name, dtype):
    """The bound of a polynomial of degree 2, where samples of u err 1 / sin(theta) times as much as those of a signal."""
    grid = es.grids.GaussLegendre(L, nlat=12, nlon=22)
    layer = partial(directional, torch.square, products, grid=grid)
    c, R = randn(5, 3, 2, L * L, dtype=dtype), ROTATIONS[name]
    c = c.flatten(1, 2)
    turned, straight = (es.rotate(c, R).split((2, 4), dim=1), c.split((2, 4), dim=1))
    turned, straight = layer(*turned), es.rotate(layer(*straight), R)
    poles = float((grid.weights / grid.colatitudes.sin()[:, None].square()).sum() / (4 * torch.pi))
    more = 2 * poles * transform(L + 1, 2 * L + 2, L, dtype) * 2**2
    assert relative_error(turned, straight) <= bound(pointwise_variance(2, 12 / L, L, dtype) + more, dtype)


def test_the_layer_errs_by_aliasing_before_and_after_training():
    """Its scale is no polynomial: the error falls with oversampling, whatever was learned before the layer."""
    c, R = randn(8, 3, 64), ROTATIONS["random"][:1]
    convolution = es.nn.ZonalConv(3, 6, 8).double()
    optimizer = torch.optim.Adam(convolution.parameters(), lr=0.01)
    for steps in (0, 5):
        for _ in range(steps):
            optimizer.zero_grad()
            DirectionalActivation(torch.tanh, 8, 2)(convolution(c)).square().mean().backward()
            optimizer.step()
        x = convolution(c).detach()
        layers = [DirectionalActivation(torch.tanh, 8, 2, oversampling=s) for s in (1.5, 3, 6)]
        errors = [relative_error(layer(es.rotate(x, R)), es.rotate(layer(x), R)) for layer in layers]
        assert all(finer < coarser / 5 for coarser, finer in pairwise(errors))


def test_single_channels_pass_as_through_an_activation():
    c = randn(3, 5, L * L)
    found = DirectionalActivation(torch.tanh, L, pairs=1)(c)
    torch.testing.assert_close(found[:, :3], Activation(torch.tanh, L)(c[:, :3]))
    pairs = DirectionalActivation(torch.tanh, L, pairs=1)(c[:, 3:])  # no single channel at all
    torch.testing.assert_close(found[:, 3:], pairs)


def test_a_mirror_keeps_the_first_products_and_turns_the_sign_of_the_second():
    layer, c = DirectionalActivation(torch.tanh, L, pairs=2), randn(3, 4, L * L)
    dot, cross = layer(c).chunk(2, dim=1)
    mirrored_dot, mirrored_cross = layer(mirrored(c)).chunk(2, dim=1)
    torch.testing.assert_close(mirrored_dot, mirrored(dot))
    torch.testing.assert_close(mirrored_cross, -mirrored(cross))


@torch.no_grad()
def test_with_pairs_a_classifier_tells_mirror_images_apart():
    c = torch.randn(4, 1, 64)
    for pairs, sees in ((0, False), (2, True)):
        model = SphericalClassifier(classes=3, channels=(6, 6), bandwidths=(8, 8), hidden=8, pairs=pairs).eval()
        change = float((model(mirrored(c)) - model(c)).norm() / model(c).norm())
        assert (change > 1e-3) is sees


def test_the_products_made_in_pieces_are_the_formula(monkeypatch):
    """Values, gradients, forward mode and `vmap`, with pieces that do not come out even."""
    monkeypatch.setattr(_compare, "CHUNK", 7)
    u, tangent = randn(2, 2, 3, 5, 2), randn(2, 2, 3, 5, 2)
    torch.testing.assert_close(compared(u), plainly_compared(u))
    found, wanted = (torch.func.vjp(f, u)[1](tangent[0])[0] for f in (compared, plainly_compared))
    torch.testing.assert_close(found, wanted)
    found, wanted = (torch.func.jvp(f, (u,), (tangent,))[1] for f in (compared, plainly_compared))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(torch.vmap(compared, in_dims=3)(u), compared(u).movedim(2, 0))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_compiled_products_are_the_formula(threads, dtype):
    """Values and gradients, of fields that lie in memory as they come and as they do not."""
    pytest.importorskip("numba")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    accelerate()
    try:
        for u in (randn(2, 2, 3, 50, 7, dtype=dtype), randn(7, 3, 2, 2, dtype=dtype).permute(2, 3, 1, 0)):
            torch.testing.assert_close(compared(u), plainly_compared(u))
            for given in (torch.randn_like(u[0]), torch.ones((), dtype=dtype).expand_as(u[0])):
                found, wanted = (torch.func.vjp(f, u)[1](given)[0] for f in (compared, plainly_compared))
                torch.testing.assert_close(found, wanted)
    finally:
        accelerate(False)
        torch.set_num_threads(before)


def test_gradients_of_first_and_second_order():
    layer = DirectionalActivation(torch.tanh, 3, pairs=1)
    c = randn(1, 3, 9).requires_grad_()
    assert torch.autograd.gradcheck(layer, c)
    assert torch.autograd.gradgradcheck(layer, c, fast_mode=True)


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="at least 4 channels"):
        DirectionalActivation(torch.relu, 4, pairs=2)(torch.randn(1, 3, 16))
    with pytest.raises(ValueError, match="carries 5, got an oversampling of 1"):
        DirectionalActivation(torch.relu, 4, pairs=1, oversampling=1)
    with pytest.raises(ValueError, match="pairs"):
        DirectionalActivation(torch.relu, 4, pairs=0)
    with pytest.raises(ValueError, match="real"):
        DirectionalActivation(torch.relu, 4, pairs=1)(torch.randn(1, 2, 16) + 0j)
    with pytest.raises(ValueError, match="that carry 5"):
        directional(torch.relu, products, torch.randn(1, 16), torch.randn(2, 16), es.grids.GaussLegendre(4, nlat=4))
    with pytest.raises(ValueError, match="6 channels in their block"):
        SphericalClassifier(channels=(4, 8), bandwidths=(8, 8), pairs=3)
