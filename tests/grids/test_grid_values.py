"""A grid is a value: frozen, hashable, equal to its equals; its nodes lie on the sphere."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from math import pi

import pytest
import torch
from reference import KINDS, SHAPES

from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre

every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@pytest.mark.parametrize("shape", SHAPES)
def test_points_are_unit_vectors_at_their_angles(kind, shape):
    """x = (sin theta cos phi, sin theta sin phi, cos theta), |x| = 1, at every node."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    x, y, z = grid.points.unbind(-1)
    assert grid.shape == grid.weights.shape == grid.points.shape[:-1] == shape
    assert torch.allclose(grid.points.norm(dim=-1), torch.ones(shape, dtype=torch.float64), rtol=0, atol=1e-15)
    theta = torch.atan2(torch.hypot(x, y), z)
    assert torch.allclose(theta, grid.colatitudes[:, None].expand(shape), rtol=0, atol=1e-14)
    turned_back = torch.exp(-1j * grid.longitudes) * torch.complex(x, y)
    assert torch.allclose(turned_back.real, grid.colatitudes.sin()[:, None].expand(shape), rtol=0, atol=1e-15)
    assert float(turned_back.imag.abs().max()) < 1e-15


@every_kind
def test_rings_run_from_north_to_south_and_nodes_from_longitude_zero(kind):
    """0 <= theta_0 < theta_1 < .. <= pi; phi_k = 2 pi k / nlon."""
    grid = KINDS[kind](nlat=9, nlon=14)
    assert bool((grid.colatitudes.diff() > 0).all())
    assert float(grid.colatitudes[0]) >= 0
    assert float(grid.colatitudes[-1]) <= pi
    assert torch.equal(grid.longitudes, torch.arange(14, dtype=torch.float64) * 2 * pi / 14)


@every_kind
@pytest.mark.parametrize("b", [1, 2, 5, 16])
def test_a_bandwidth_means_2b_times_2b_nodes_that_carry_it(kind, b):
    """The default grid of band limit b has 2b x 2b nodes, exact for products of two degrees below b."""
    grid = KINDS[kind](b)
    assert grid.shape == (2 * b, 2 * b)
    assert grid.bandwidth == b
    assert grid.exact_degree >= 2 * (b - 1)


@every_kind
def test_without_a_bandwidth_a_grid_carries_all_that_it_can(kind):
    """The band limit is the largest L with 2 (L - 1) <= exact_degree, and one more is refused."""
    grid = KINDS[kind](nlat=11, nlon=15)
    assert 2 * (grid.bandwidth - 1) <= grid.exact_degree < 2 * grid.bandwidth
    with pytest.raises(ValueError, match=f"band limits up to {grid.bandwidth}"):
        KINDS[kind](grid.bandwidth + 1, nlat=11, nlon=15)


@every_kind
def test_equal_numbers_make_equal_grids(kind):
    """Equality and hash go by kind and numbers, through copies and pickles; other numbers make another grid."""
    make = KINDS[kind]
    grid = make(6)
    for same in (make(6), make(6, nlat=12, nlon=12), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid))):
        assert same == grid
        assert hash(same) == hash(grid)
        assert torch.equal(same.weights, grid.weights)
    for other in (make(5), make(5, nlat=12, nlon=12), make(6, nlat=13), make(6, nlon=13)):
        assert other != grid
    assert {grid: "found"}[make(6)] == "found"


@every_kind
def test_a_refined_grid_is_of_the_same_kind(kind):
    """Twice the rings and nodes, for the same band limit; the variant stays."""
    grid = KINDS[kind](6, nlat=13, nlon=14)
    assert grid.refined() == KINDS[kind](6, nlat=26, nlon=28)
    assert grid.refined(3).shape == (39, 42)


def test_kinds_differ():
    """Grids of one shape but of two kinds, or of the two variants of Driscoll and Healy, are not equal."""
    assert len({DriscollHealy(6), DriscollHealy(6, poles=True), ClenshawCurtis(6), GaussLegendre(6)}) == 4


@every_kind
def test_a_grid_is_frozen(kind):
    """No attribute can be set, and writing into a returned tensor leaves the grid as it was."""
    grid = KINDS[kind](4)
    with pytest.raises(FrozenInstanceError):
        grid.nlat = 9
    before = grid.weights.clone()
    grid.weights.zero_()
    grid.colatitudes.zero_()
    assert torch.equal(grid.weights, before)
    assert float(grid.colatitudes[-1]) > 0
