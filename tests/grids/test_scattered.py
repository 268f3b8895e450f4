"""Scattered points as a grid: a value, made of points and weights."""

import copy
import pickle
from math import pi

import pytest
import torch
from reference import unit_points

from equisphere.grids import HEALPix, Scattered


def test_what_it_holds():
    """Points, angles, and weights scaled to sum to 4 pi."""
    x, w = unit_points(50), torch.rand(50, dtype=torch.float64) + 0.1
    x[0], x[1] = torch.tensor([0, 0, 1.0]), torch.tensor([1.0, -1e-300, 0])
    grid = Scattered(x, w)
    theta, phi = grid.colatitudes, grid.longitudes
    assert grid.shape == (50,)
    assert torch.allclose(grid.points, x, rtol=0, atol=1e-15)
    again = torch.stack((theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()), -1)
    assert torch.allclose(again, x, rtol=0, atol=1e-15)
    assert bool(((phi >= 0) & (phi < 2 * pi)).all())
    assert torch.allclose(grid.weights, w * 4 * pi / w.sum())
    assert torch.allclose(Scattered(x).weights, torch.full((50,), 4 * pi / 50, dtype=torch.float64))
    assert (grid.exact_degree, grid.bandwidth, grid.max_bandwidth) == (0, 3, 7)


def test_single_precision_points_are_normalised():
    """Points given in float32 lie on the sphere in float64."""
    assert torch.allclose(
        Scattered(unit_points(9).float()).points.norm(dim=-1), torch.ones(9).double(), rtol=0, atol=1e-15
    )


def test_it_is_a_frozen_value():
    """Equal and hashed by its numbers, also through copies and pickles; cut off from the tensor it was made of."""
    x = unit_points(20)
    grid = Scattered(x)
    for same in (Scattered(x.clone()), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid))):
        assert same == grid
        assert hash(same) == hash(grid)
    for other in (Scattered(x.flip(0)), Scattered(x, torch.arange(1.0, 21)), Scattered(x[:19]), HEALPix(1)):
        assert other != grid
    for change in (lambda: setattr(grid, "bandwidth", 9), lambda: delattr(grid, "_points")):
        with pytest.raises(AttributeError, match="frozen"):
            change()
    before = x.clone()
    x.zero_()
    grid.points.zero_()
    grid.weights.zero_()
    assert torch.equal(grid.points, before / before.norm(dim=-1, keepdim=True))
    assert float(grid.weights.sum()) == pytest.approx(4 * pi)
