"""Pointwise nonlinearities: exact for polynomials, converging for the rest."""

from itertools import pairwise

import pytest
import torch
from reference import harmonics_at, quadrature, randn, relative_error

import equisphere as es
from equisphere.nn import Activation

L = 5
FINE = es.grids.DriscollHealy(40)

POLYNOMIALS = {
    1: lambda x: 3 * x - 1,
    2: lambda x: x.square() - x + 0.5,
    3: lambda x: x**3 - 2 * x.square() + x,
    5: lambda x: 0.1 * x**5 + x.square() - 1,
}


def exact(function, c, grid=FINE):
    """Coefficients of sigma(f) by evaluating f and integrating on another, much finer grid."""
    f = torch.einsum("jkc,...c->...jk", harmonics_at(grid.points, L), c)
    return quadrature(function(f), grid, L)


@pytest.mark.parametrize("degree", POLYNOMIALS)
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_a_polynomial_is_exact_at_its_oversampling(degree, leading):
    """sigma of degree p at oversampling (p+1)/2: the coefficients of sigma(f) to rounding (MATH 7)."""
    c = randn(*leading, L * L)
    layer = Activation(POLYNOMIALS[degree], L, oversampling=(degree + 1) / 2)
    assert layer(c).shape == c.shape
    assert relative_error(layer(c), exact(POLYNOMIALS[degree], c)) < 1e-13


@pytest.mark.parametrize("degree", [3, 5])
def test_a_polynomial_below_its_oversampling_is_not(degree):
    """On a grid for a polynomial of lower degree there is aliasing, not rounding."""
    c = randn(L * L)
    layer = Activation(POLYNOMIALS[degree], L, oversampling=degree / 2 - 0.5)
    assert relative_error(layer(c), exact(POLYNOMIALS[degree], c)) > 1e-4


def test_the_default_oversampling_is_exact_for_squares():
    """1.5 suffices for degree 2."""
    c = randn(L * L)
    assert Activation(torch.square, L).oversampling == 1.5
    assert relative_error(Activation(torch.square, L)(c), exact(torch.square, c)) < 1e-13


@pytest.mark.parametrize(("function", "orders"), [(torch.tanh, 3), (torch.nn.functional.silu, 3), (torch.relu, 0.7)])
def test_the_error_falls_with_oversampling(function, orders):
    """From oversampling 1 to 8, by orders of magnitude for smooth functions and slowly for a kink."""
    c = randn(8, L * L)
    fine = es.grids.GaussLegendre(200)  # ReLU converges slowly: a grid much finer than oversampling 8
    wanted = exact(function, c, fine)
    errors = [relative_error(Activation(function, L, oversampling=s)(c), wanted) for s in (1, 2, 4, 8)]
    assert all(finer < coarser for coarser, finer in pairwise(errors))
    assert errors[-1] < errors[0] * 10**-orders
    assert errors[-1] < 1e-2


def test_the_grid_carries_the_oversampled_band_limit():
    """Its quadrature is exact to degree 2 (ceil(s L) - 1) at the least, for whole and broken s, even and odd L."""
    for bandwidth in (1, 2, 5, 8):
        for s in (1, 1.1, 1.5, 2, 2.7):
            grid = Activation(torch.relu, bandwidth, oversampling=s).grid
            assert grid.exact_degree >= 2 * (s * bandwidth - 1)
            assert grid.nlat % 2 == 0


def test_band_limit_one_is_the_function_of_a_constant():
    """sigma(f) of a constant f = c Y_00 is the constant sigma(c Y_00)."""
    layer = Activation(torch.tanh, 1)
    c = randn(4, 1)
    Y_00 = (4 * torch.pi) ** -0.5
    assert torch.allclose(layer(c), (c * Y_00).tanh() / Y_00, rtol=1e-13)


@pytest.mark.parametrize(
    "function", [torch.nn.ReLU(inplace=True), torch.nn.SiLU(), torch.nn.PReLU(dtype=torch.float64)]
)
def test_modules_as_functions(function):
    """In-place ones do not write to the input; their parameters are the layer's and get gradients."""
    layer = Activation(function, L)
    c = randn(2, L * L).requires_grad_()
    before = c.detach().clone()
    out = layer(c)
    wanted = exact(function, before, es.grids.GaussLegendre(L, nlat=layer.grid.nlat, nlon=layer.grid.nlon))
    assert relative_error(out, wanted) < 1e-13
    out.square().sum().backward()
    assert torch.equal(c, before)
    assert float(c.grad.abs().max()) > 0
    assert [p.grad is not None for p in layer.parameters()] == [True] * len(list(function.parameters()))


@pytest.mark.parametrize("oversampling", [1, 30])
def test_gradients(oversampling):
    """First and second derivatives agree with differences; with the FFT (oversampling 30: 120 longitudes) too."""
    layer = Activation(torch.tanh, 2, oversampling)
    c = randn(2, 4).requires_grad_()
    assert torch.autograd.gradcheck(layer, c, fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, c, fast_mode=True)


def test_functional_transforms_and_precision():
    """vmap and grad go through; float32 in, float32 out, with its accuracy."""
    layer = Activation(torch.tanh, L)
    c = randn(3, 2, L * L)
    assert torch.allclose(torch.func.vmap(layer)(c), layer(c), rtol=0, atol=1e-13)
    by_func = torch.func.grad(lambda x: layer(x).square().sum())(c)
    by_autograd = torch.autograd.grad(layer(c.requires_grad_()).square().sum(), c)[0]
    assert torch.allclose(by_func, by_autograd, rtol=0, atol=1e-12)
    assert layer(c.float()).dtype == torch.float32
    assert relative_error(layer(c.float()), layer(c)) < 2e-6
