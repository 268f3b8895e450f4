"""Points on meshes lie on them, evenly by area."""

import math

import numpy as np
import pytest
import torch
import trimesh

from equisphere.data import DataError, Mesh, sample_surface

CORNERS = torch.tensor([[0.0, 0, 0], [4, 0, 0], [4, 1, 0], [0, 1, 0], [0, 0, 3], [4, 0, 3]]).double()
#: a floor of area 4 and a wall of area 12, cut unevenly
FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 1, 5], [0, 5, 4]])


def test_points_lie_on_the_surface_each_triangle_with_its_share():
    mesh = Mesh(CORNERS, FACES)
    points = sample_surface(mesh, 800)
    normal = mesh.normalized()
    corners = normal.vertices[normal.faces].numpy()
    near = [trimesh.triangles.closest_point(np.tile(t, (800, 1, 1)), points.numpy()) for t in corners]
    distance, which = (torch.from_numpy(np.stack(near)) - points).norm(dim=-1).min(0)
    assert distance.max() < 1e-12
    shares = torch.bincount(which, minlength=4) / 800
    torch.testing.assert_close(shares, torch.tensor([1, 1, 3, 3]) / 8, atol=0.01, rtol=0)


def test_points_are_uniform_in_a_triangle():
    """Mean and covariance of the uniform distribution; n points of systematic sampling err by less than n independent ones."""
    triangle = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]).double(), torch.tensor([[0, 1, 2]]))
    n = 20_000
    corners = triangle.normalized().vertices
    points = sample_surface(triangle, n)
    centred = corners - corners.mean(0)
    covariance = centred.mT @ centred / 12  # of a triangle: sum over corners / 12
    size = float(covariance.trace())
    assert float((points.mean(0) - corners.mean(0)).norm()) < 4 * math.sqrt(size / n)
    assert float((points.mT.cov(correction=0) - covariance).norm()) < 4 * size / math.sqrt(n) * 2


def test_the_seed_decides():
    mesh = Mesh(CORNERS, FACES)
    assert torch.equal(sample_surface(mesh, 50, seed=1), sample_surface(mesh, 50, seed=1))
    assert not torch.equal(sample_surface(mesh, 50, seed=1), sample_surface(mesh, 50, seed=2))


def test_triangles_without_area_are_no_trouble():
    line = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]).double(), torch.tensor([[0, 1, 2]]))
    points = sample_surface(line, 20)
    assert bool(torch.isfinite(points).all())
    with pytest.raises(DataError, match="one point"):
        sample_surface(Mesh(torch.ones(3, 3).double(), torch.tensor([[0, 1, 2]])), 5)
