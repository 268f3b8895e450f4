"""The transforms are linear: their derivatives are themselves, and backwards their adjoints."""

import pytest
import torch
from reference import KINDS, harmonics_at, randn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, jacfwd, jacrev, jvp, vjp, vmap

import equisphere as es

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

#: both Fourier steps (matrix and FFT), both Legendre variants (rings paired about the equator and not)
GRIDS = [
    es.grids.GaussLegendre(nlat=3, nlon=5),
    es.grids.DriscollHealy(3, poles=True),
    es.grids.ClenshawCurtis(nlat=5, nlon=97),
]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


def inner(a, b):
    """<a, b> = sum conj(a) b."""
    return (a.conj() * b).sum()


@every_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(12, 12), (9, 13), (10, 101)])
def test_adjoints_by_inner_products(kind, shape, dtype):
    """<analysis(f), c> = <f, adjoint(c)> and <synthesis(c), f> = <c, inverse_adjoint(f)>."""
    sht = es.SHT(KINDS[kind](nlat=shape[0], nlon=shape[1]))
    f, c = randn(2, *shape, dtype=dtype), randn(2, sht.bandwidth**2, dtype=dtype)
    assert torch.allclose(inner(sht(f), c), inner(f, sht.adjoint(c)), rtol=1e-12, atol=1e-12)
    assert torch.allclose(inner(sht.inverse(c), f), inner(c, sht.inverse_adjoint(f)), rtol=1e-12, atol=1e-12)


@every_grid
def test_the_adjoint_of_synthesis_is_analysis_without_weights(grid):
    """adjoint(c) = weights * synthesis(c), by the plain sums over the harmonics."""
    sht = es.SHT(grid)
    Y = harmonics_at(grid.points, sht.bandwidth)
    c, f = randn(sht.bandwidth**2), randn(*grid.shape)
    assert torch.allclose(sht.adjoint(c), grid.weights * (Y @ c), rtol=0, atol=1e-13)
    assert torch.allclose(sht.inverse_adjoint(f), torch.einsum("jk,jkc->c", f, Y), rtol=0, atol=1e-12)


@every_grid
@every_dtype
def test_gradients_to_second_order_and_forward_mode(grid, dtype):
    """Reverse mode, forward mode and their second derivatives agree with differences, real and complex."""
    sht = es.SHT(grid)
    f = randn(2, *grid.shape, dtype=dtype).requires_grad_()
    c = randn(2, sht.bandwidth**2, dtype=dtype).requires_grad_()
    fast = grid.nlon > 90  # one random direction in place of every entry
    for linear_map, x in ((sht, f), (sht.inverse, c), (sht.adjoint, c), (sht.inverse_adjoint, f)):
        assert gradcheck(linear_map, x, check_forward_ad=True, fast_mode=fast)
        # of a linear map the second derivative is zero: take that of a function that is not linear
        assert gradgradcheck(lambda x, g=linear_map: g(x.sin()), x, fast_mode=True)


@every_grid
def test_jacobians_are_the_matrices_of_the_sums(grid):
    """jacrev and jacfwd of synthesis are Y_lm(x_jk), those of analysis w_jk Y_lm(x_jk)."""
    sht = es.SHT(grid)
    Y = harmonics_at(grid.points, sht.bandwidth)
    for jacobian in (jacrev, jacfwd):
        assert torch.allclose(jacobian(sht.inverse)(randn(sht.bandwidth**2)), Y, rtol=0, atol=1e-13)
        analysis = jacobian(sht)(randn(*grid.shape)).movedim(0, -1)
        assert torch.allclose(analysis, grid.weights[..., None] * Y, rtol=0, atol=1e-13)


@every_grid
@pytest.mark.parametrize("in_dim", [0, 1, 2, -1])
def test_vmap(grid, in_dim):
    """vmap over any dimension is the batch that the transform takes anyway; vmaps nest."""
    sht = es.SHT(grid)
    f = randn(4, *grid.shape)
    c = sht(f)
    assert torch.allclose(vmap(sht, in_dims=in_dim)(f.movedim(0, in_dim)), c, rtol=0, atol=1e-13)
    by_last = min(in_dim, 1)
    assert torch.allclose(vmap(sht.inverse, in_dims=by_last)(c.movedim(0, by_last)), sht.inverse(c), rtol=0, atol=1e-13)
    nested = vmap(vmap(sht))(f.unflatten(0, (2, 2)))
    assert torch.allclose(nested, c.unflatten(0, (2, 2)), rtol=0, atol=1e-13)


@every_grid
def test_vmap_of_gradients_gives_one_for_each_signal(grid):
    """vmap(grad) of the squared norm of analysis is 2 analysis^T analysis(f) of each signal."""
    sht = es.SHT(grid)
    f = randn(3, *grid.shape)
    each = vmap(grad(lambda g: sht(g).square().sum()))(f)
    assert torch.allclose(each, 2 * sht.adjoint(sht(f)), rtol=0, atol=1e-12)


@every_grid
def test_jvp_and_vjp(grid):
    """jvp pushes a tangent through the map itself, vjp pulls a cotangent back through its adjoint."""
    sht = es.SHT(grid)
    f, t = randn(2, *grid.shape), randn(2, *grid.shape)
    value, tangent = jvp(sht, (f,), (t,))
    assert torch.allclose(value, sht(f))
    assert torch.allclose(tangent, sht(t), rtol=0, atol=1e-13)
    c = randn(2, sht.bandwidth**2)
    assert torch.allclose(vjp(sht, f)[1](c)[0], sht.adjoint(c), rtol=0, atol=1e-13)
