"""Reading a dense answer in the frame of its values is exact, and what is random belongs to an index."""

import pytest
import torch
from reference import harmonics_at, randn, relative_error

import equisphere as es
from equisphere.data import Batch, DenseSignals, Part, Readout

L = 8
GRID = es.grids.DriscollHealy(nlat=18, nlon=24)


def readout(values=None, n=3, **options):
    values = torch.zeros(n, *GRID.shape) if values is None else values
    return Readout(values, GRID.weights.expand(n, -1, -1), GRID, **options)


def test_the_answer_of_a_turned_input_is_read_at_the_turned_nodes():
    """Values of the turned signal at R x_j, by plain harmonics: the labels at x_j are not touched."""
    c, R = randn(3, 2, L * L), es.random_rotations(3, dtype=torch.float64)
    turned = torch.einsum("nij,abj->nabi", R, GRID.points)
    wanted = torch.einsum("nabl,ncl->ncab", harmonics_at(turned, L), c)
    assert relative_error(readout(rotations=R).read(c), wanted) < 1e-12
    assert relative_error(readout(rotations=R).read(es.rotate(c, R[:, None])), readout().read(c)) < 1e-12


def test_fields_are_read_as_components():
    c, R = randn(3, 4, L * L), es.random_rotations(3, dtype=torch.float64)
    c[..., 0] = 0
    wanted = es.transforms.VectorSHT(GRID, L).inverse(c.unflatten(1, (2, 2)))
    found = readout(rotations=R, fields=True).read(es.rotate(c, R[:, None]))
    assert found.shape == (3, 4, *GRID.shape)
    assert relative_error(found.unflatten(1, (2, 2)), wanted) < 1e-12


def test_it_goes_to_another_device():
    target = readout(rotations=es.random_rotations(3)).to("meta")
    assert target.values.is_meta and target.weights.is_meta and target.rotations.is_meta  # noqa: PT018
    assert len(target) == 3
    assert readout().to("cpu").rotations is None


@pytest.mark.parametrize("fresh", [False, True])
def test_rotations_belong_to_seed_and_index(fresh):
    """Whatever the batch; in each epoch others where they are fresh."""
    data = DenseSignals(randn(9, 2, L * L).float(), readout(n=9), 4, rotated=True, fresh=fresh)
    assert isinstance(data, Part)
    c, target = data[Batch(torch.tensor([5, 2]), 1)]
    again, alone = data[Batch(torch.tensor([2]), 1)]
    assert torch.equal(target.rotations[1:], alone.rotations)
    torch.testing.assert_close(c[1:], again)
    torch.testing.assert_close(es.rotate(c, target.rotations.mT[:, None]), data.inputs[[5, 2]], atol=1e-5, rtol=0)
    later = data[Batch(torch.tensor([5, 2]), 2)][1].rotations
    assert torch.equal(later, target.rotations) != fresh
    assert data.__class__(data.inputs, data.target, 4)[Batch(torch.tensor([0]), 0)][1].rotations is None
