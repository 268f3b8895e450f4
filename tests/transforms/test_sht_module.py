"""The transform as a module: the input's dtype and layout decide, and there is nothing to save."""

import copy
import pickle

import pytest
import torch
from reference import quadrature, randn, relative_error

import equisphere as es

GRIDS = [es.grids.DriscollHealy(8), es.grids.ClenshawCurtis(nlat=15, nlon=100)]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


@every_grid
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_the_dtype_of_the_input_decides(grid, dtype):
    """What comes out has the dtype of what went in, and its accuracy."""
    sht = es.SHT(grid)
    f = randn(2, *grid.shape, dtype=dtype)
    c = sht(f)
    assert c.dtype == sht.inverse(c).dtype == dtype
    wide = torch.complex128 if dtype.is_complex else torch.float64
    tolerance = 1e-6 if dtype in (torch.float32, torch.complex64) else 1e-14
    assert relative_error(c, quadrature(f.to(wide), grid, sht.bandwidth)) < tolerance


@every_grid
def test_converting_the_module_loses_nothing(grid):
    """`.float()`, `.half()` and use in single precision leave the double precision of the tables as it was."""
    sht = es.SHT(grid)
    f = randn(*grid.shape)
    sht.float()(f.float())
    for converted in (sht.float(), sht.half().double(), copy.deepcopy(sht).to(torch.float32)):
        assert relative_error(converted(f), quadrature(f, grid, sht.bandwidth)) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    """The result is that of the same numbers in float32, rounded once."""
    sht = es.SHT(GRIDS[0])
    f = randn(2, 16, 16).to(dtype)
    assert torch.equal(sht(f), sht(f.float()).to(dtype))
    assert torch.equal(sht.inverse(sht(f)), sht.inverse(sht(f).float()).to(dtype))


def test_autocast_does_not_touch_the_transform():
    """Under autocast to bfloat16 the transform of a float32 signal is what it is without."""
    sht = es.SHT(GRIDS[0])
    f = randn(2, 16, 16, dtype=torch.float32).requires_grad_()
    plain = torch.autograd.grad(sht(f).square().sum(), f)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        c = sht(f)
        under = torch.autograd.grad(c.square().sum(), f)[0]
    assert torch.equal(c, sht(f))
    assert torch.equal(under, plain)


@every_grid
def test_there_is_no_state(grid):
    """No parameters, no buffers, an empty state dict, and a line that says what it is."""
    sht = es.SHT(grid)
    sht(randn(*grid.shape))
    assert sht.state_dict() == {}
    assert list(sht.parameters()) == list(sht.buffers()) == []
    assert f"bandwidth={grid.bandwidth}" in repr(sht)
    assert type(grid).__name__ in repr(sht)


@every_grid
def test_copies_and_pickles_are_the_same_transform(grid):
    """Deep copies and pickles of a used module are small and give the same numbers."""
    sht = es.SHT(grid, 5)
    f = randn(*grid.shape)
    c = sht(f)
    for again in (copy.deepcopy(sht), copy.copy(sht), pickle.loads(pickle.dumps(sht))):
        assert torch.equal(again(f), c)
        assert again.grid == grid
    assert len(pickle.dumps(sht)) < 5000


@every_grid
def test_the_memory_layout_of_the_input_does_not_matter(grid):
    """Transposed, strided and expanded inputs give what their contiguous copies give, and are left as they were."""
    sht = es.SHT(grid)
    base = randn(grid.nlon, 2, grid.nlat, 6)
    expanded = randn(grid.nlat, 1).expand(3, 2, grid.nlat, grid.nlon)
    for f in (base.permute(3, 1, 2, 0), base[..., ::2].permute(3, 1, 2, 0), expanded):
        before = f.clone()
        assert not f.is_contiguous()
        assert relative_error(sht(f), quadrature(f, grid, sht.bandwidth)) < 1e-13
        assert torch.equal(f, before)
    c = randn(sht.bandwidth**2, 4, 2).permute(2, 1, 0)
    assert torch.allclose(sht.inverse(c), sht.inverse(c.contiguous()), rtol=0, atol=1e-13)


@every_grid
def test_the_output_of_one_direction_feeds_the_other(grid):
    """Results may be views of other memory orders; used again in place they still behave."""
    sht = es.SHT(grid)
    c = randn(2, 3, sht.bandwidth**2)
    f = sht.inverse(c)
    doubled = f.clone().mul_(2)
    f *= 2
    assert torch.equal(f, doubled)
    assert torch.allclose(sht(f), 2 * c, rtol=0, atol=1e-12)


def test_transforms_of_many_signals_are_those_of_each():
    """A batch is transformed signal by signal: no signal sees another."""
    sht = es.SHT(GRIDS[0])
    f = randn(5, 4, 16, 16)
    each = torch.stack([torch.stack([sht(g) for g in row]) for row in f])
    assert torch.allclose(sht(f), each, rtol=0, atol=1e-14)
