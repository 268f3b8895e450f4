"""HEALPix against healpy: pixels, orders, and what its weights integrate."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from math import pi

import healpy
import numpy as np
import pytest
import torch
from reference import harmonics_at

from equisphere.grids import HEALPix, from_nested, to_nested

SIZES = [1, 2, 3, 4, 5, 8, 64]
every_size = pytest.mark.parametrize("nside", SIZES)


@every_size
def test_pixels_are_those_of_healpy_in_ring_order(nside):
    """Colatitude, longitude and unit vector of each pixel; any positive nside."""
    grid = HEALPix(nside)
    theta, phi = healpy.pix2ang(nside, np.arange(12 * nside**2))
    assert grid.shape == (12 * nside**2,) == grid.weights.shape
    assert np.allclose(grid.colatitudes, theta, rtol=0, atol=1e-14)
    assert np.allclose(grid.longitudes, phi, rtol=0, atol=1e-14)
    x = torch.from_numpy(np.stack(healpy.pix2vec(nside, np.arange(12 * nside**2)), -1))
    assert torch.allclose(grid.points, x, rtol=0, atol=1e-14)
    assert torch.allclose(grid.points.norm(dim=-1), torch.ones(grid.shape, dtype=torch.float64), rtol=0, atol=1e-15)


@pytest.mark.parametrize("nside", [1, 2, 4, 16, 64])
def test_nested_order_is_that_of_healpy(nside):
    """A signal in NEST order holds at pixel p what the RING order holds at nest2ring(p), whatever its leading dimensions."""
    ring = torch.randn(2, 12 * nside**2)
    nested = to_nested(ring)
    assert torch.equal(nested, ring[:, healpy.nest2ring(nside, np.arange(12 * nside**2))])
    assert torch.equal(from_nested(nested), ring)


@every_size
def test_weights_are_ring_weights(nside):
    """Positive, alike on a ring and its mirror image, summing to 4 pi, exact for zonal harmonics to degree 3 nside."""
    grid = HEALPix(nside)
    assert float(grid.weights.sum()) == pytest.approx(4 * pi, rel=1e-14)
    assert float(grid.weights.min()) > 0
    ring = healpy.pix2ring(nside, np.arange(12 * nside**2))
    for r in (1, nside, 2 * nside):
        assert len(grid.weights[torch.from_numpy(np.isin(ring, (r, 4 * nside - r)))].unique()) == 1
    z = torch.cos(grid.colatitudes).numpy()
    values = np.polynomial.legendre.legvander(z, 3 * nside).T
    wanted = 4 * pi * (np.arange(3 * nside + 1) == 0)
    assert np.allclose(values @ grid.weights.numpy(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nside", [2, 3, 8])
def test_the_exact_degree_is_stated_right(nside):
    """Every harmonic to degree 3 is integrated exactly, and some of degree 4 is not."""
    grid = HEALPix(nside)
    integrals = grid.weights @ harmonics_at(grid.points, 5)
    assert grid.exact_degree == 3
    assert float(integrals[1:16].abs().max()) < 1e-14
    assert float(integrals[16:].abs().max()) > 1e-8


def test_a_grid_is_a_frozen_value():
    """Equal and hashed by nside, also through copies and pickles; nothing can be set."""
    grid = HEALPix(4)
    for same in (HEALPix(4), copy.deepcopy(grid), pickle.loads(pickle.dumps(grid))):
        assert same == grid
        assert hash(same) == hash(grid)
    assert grid != HEALPix(8)
    assert repr(grid) == "HEALPix(nside=4)"
    with pytest.raises(FrozenInstanceError):
        grid.nside = 8
    grid.weights.zero_()
    assert float(grid.weights.sum()) > 12
