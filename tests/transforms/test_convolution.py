"""Convolution on the sphere: the constant of MATH 5, proved by integrating over SO(3) as MATH 2 defines it."""

from math import pi

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import leggauss
from reference import from_euler, harmonics_at, randn, relative_error, unit_points

import equisphere as es
from equisphere.transforms import convolution_constant, zonal_convolution

L = 4


def haar_quadrature(bandwidth):
    """Rotations and weights (sum 8 pi^2) that integrate products of two matrix elements of degree below L exactly.

    dg = d alpha sin(beta) d beta d gamma: equal steps in alpha and gamma, Gauss-Legendre in cos(beta).
    """
    turns = 2 * pi * np.arange(2 * bandwidth) / (2 * bandwidth)
    x, w = leggauss(bandwidth)
    R = [from_euler(a, b, c) for a in turns for b in np.arccos(x) for c in turns]
    weights = [wb * (pi / bandwidth) ** 2 for _ in turns for wb in w for _ in turns]
    return torch.stack(R), torch.tensor(weights)


def brute_force(f, h, points):
    """(f * h)(x) = ∫_SO(3) f(g.N) h(g^-1 x) dg, N the north pole, from values of f and h alone (MATH 2)."""
    R, weights = haar_quadrature(L)
    f_at_poles = harmonics_at(R[:, :, 2], L) @ f
    h_at_x = harmonics_at(points @ R, L) @ h  # (rotations, points): rows times R are R^-1 x
    return (weights * f_at_poles) @ h_at_x


def test_the_quadrature_is_the_haar_measure():
    """Its weights sum to 8 pi^2, and an entry of R has mean square 1/3."""
    R, weights = haar_quadrature(L)
    assert float(weights.sum()) == pytest.approx(8 * pi**2, rel=1e-13)
    assert torch.allclose(torch.einsum("n,nij,nij->ij", weights, R, R), torch.full((3, 3), 8 * pi**2 / 3).double())


def test_the_constant_of_the_convolution_theorem():
    """(f * h)_lm = 2 pi sqrt(4 pi / (2l+1)) f_lm h_l0, for a kernel h that is not zonal, at points x."""
    f, h, points = randn(L * L), randn(L * L), unit_points(6)
    zonal_part = h[[l * l + l for l in range(L)]]
    wanted = brute_force(f, h, points)
    assert relative_error(harmonics_at(points, L) @ zonal_convolution(f, zonal_part), wanted) < 1e-12

    # the slip of the source text, 2l+2 in the place of 2l+1 (MATH 9.1), is no rounding error
    degree = torch.arange(L)
    slip = zonal_part * ((2 * degree + 1) / (2 * degree + 2)).sqrt()
    assert relative_error(harmonics_at(points, L) @ zonal_convolution(f, slip), wanted) > 0.05


def test_only_the_zonal_part_of_the_kernel_matters():
    """Two kernels with the same h_l0 convolve alike; one without any convolves to zero."""
    f, h, points = randn(L * L), randn(L * L), unit_points(4)
    other = randn(L * L)
    zonal = torch.tensor([l * l + l for l in range(L)])
    other[zonal] = h[zonal]
    assert torch.allclose(brute_force(f, other, points), brute_force(f, h, points), rtol=0, atol=1e-11)
    other[zonal] = 0
    assert float(brute_force(f, other, points).abs().max()) < 1e-11


def test_the_layer_is_this_convolution():
    """SphericalConv sums over input channels the convolutions with its kernels `filters`, by brute force."""
    grid = es.grids.GaussLegendre(L)
    layer = es.nn.SphericalConv(2, 1, grid, bias=False).double()
    f = randn(2, L * L)
    wanted = torch.zeros(grid.shape, dtype=torch.float64).flatten()
    for channel in range(2):
        h = torch.zeros(L * L, dtype=torch.float64)
        h[[l * l + l for l in range(L)]] = layer.conv.filters[0, channel].detach()
        wanted += brute_force(f[channel], h, grid.points.flatten(0, 1))
    samples = torch.einsum("jkc,nc->njk", harmonics_at(grid.points, L), f)
    assert relative_error(layer(samples[None])[0, 0].detach().flatten(), wanted) < 1e-12


def test_the_constant():
    """2 pi sqrt(4 pi / (2l+1)) = sqrt(16 pi^3 / (2l+1))."""
    l = torch.arange(50, dtype=torch.float64)
    assert torch.allclose(convolution_constant(50), (16 * pi**3 / (2 * l + 1)).sqrt(), rtol=1e-15)


def test_leading_dimensions_broadcast():
    """A bank of kernels acts on a batch of signals, real or complex, each pair as by itself."""
    for dtype in (torch.float64, torch.complex128):
        f, h = randn(5, 1, 9, dtype=dtype), randn(4, 3)
        out = zonal_convolution(f, h)
        assert out.shape == (5, 4, 9)
        assert out.dtype == dtype
        assert torch.equal(out[3, 2], zonal_convolution(f[3, 0], h[2]))
