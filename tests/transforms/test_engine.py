"""The engine against plain sums over the harmonics: every way through it, on every kind of grid."""

import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, randn, relative_error

import equisphere as es
from equisphere.harmonics import associated_legendre, degrees_and_orders
from equisphere.transforms import _engine, _fourier
from equisphere.transforms._engine import RingEngine
from equisphere.transforms._fourier import FastFourier, MatrixFourier
from equisphere.transforms._layout import Layout

#: an even and an odd number of rings; rings that are folded never, once and twice, odd ones, and ones for the FFT
SHAPES = [(12, 12), (13, 60), (20, 88), (9, 81), (8, 100), (11, 101)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_both_directions_are_the_sums_over_the_harmonics(kind, shape, parity, weighted):
    """With parities apart or not, with weights or not."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    engine = RingEngine(grid, grid.bandwidth, parity)
    Y = harmonics_at(grid.points, grid.bandwidth)
    weights = grid.weights if weighted else torch.ones(shape, dtype=torch.float64)
    c, f = randn(grid.bandwidth**2, 3), randn(*shape, 3)
    synthesis = torch.einsum("jkc,cn,jk->jkn", Y, c, weights)
    assert relative_error(engine.to_grid(c, weighted), synthesis) < 1e-13
    assert relative_error(engine.from_grid(f, weighted), torch.einsum("jkc,jkn,jk->cn", Y, f, weights)) < 1e-13


@pytest.mark.parametrize("parity", [False, True])
@pytest.mark.parametrize("nlon", [24, 100])
def test_few_signals_at_a_time_are_all_signals(monkeypatch, parity, nlon):
    """Chunks, the last one shorter, give what one piece gives."""
    grid = es.grids.GaussLegendre(nlat=10, nlon=nlon)
    engine = RingEngine(grid, 10, parity)
    c, f = randn(100, 11), randn(10, nlon, 11)
    whole = engine.to_grid(c, True), engine.from_grid(f, True)
    monkeypatch.setattr(_engine, "FEWEST_SIGNALS", 4)
    monkeypatch.setattr(_engine, "CACHED_NUMBERS", 1)
    parts = engine.to_grid(c, True), engine.from_grid(f, True)
    for part, all_ in zip(parts, whole, strict=True):
        assert relative_error(part, all_) < 1e-14


def test_samples_come_in_the_order_of_signals():
    """What synthesis gives is contiguous as a signal, what analysis gives side by side; neither is a view of more."""
    sht = es.SHT(es.grids.DriscollHealy(6))
    c = randn(2, 3, 36)
    f = sht.inverse(c)
    assert f.is_contiguous()
    assert sht(f).movedim(-1, 0).is_contiguous()
    assert f.untyped_storage().nbytes() == 8 * f.numel()


@pytest.mark.parametrize("nlon", [12, 60, 88, 81, 100, 101])
def test_the_two_fourier_steps_agree(nlon):
    """Up to the scale that each leaves, in the order that each names."""
    L = nlon // 2
    rings = randn(5, nlon)
    sums = []
    for step in (MatrixFourier(nlon, L), FastFourier(nlon, L)):
        waves = step.analysis(rings).view(-1, 2, 5)
        order = np.concatenate(step.groups)
        found = waves[torch.from_numpy(np.argsort(order))]
        if step.scale is not None:
            found[1:] *= torch.tensor(step.scale["analysis"], dtype=torch.float64)[:, None]
        sums.append(found)
    assert relative_error(sums[0], sums[1]) < 1e-14


def test_the_shorter_way_is_taken():
    """A product for short rings, folded where they are not very short; the FFT for long ones."""
    assert isinstance(_fourier.fourier(_fourier.MATRIX_LIMIT, 8), MatrixFourier)
    assert isinstance(_fourier.fourier(_fourier.MATRIX_LIMIT + 1, 8), FastFourier)
    assert [MatrixFourier(n, 4).folds for n in (16, 64, 96, 95)] == [0, 1, 2, 0]


@pytest.mark.parametrize("parities", [1, 2])
@pytest.mark.parametrize("bandwidth", [1, 2, 5, 33])
def test_the_layout_holds_every_coefficient_once(bandwidth, parities):
    """Rows name each coefficient, and where it stands; tables are those of the reference, zero in between."""
    groups = [np.arange(1, bandwidth, 2), np.arange(0, bandwidth, 2)]
    layout = Layout(bandwidth, groups, parities)
    rows, back = layout.gather_index()
    assert np.array_equal(rows[back], np.arange(bandwidth**2))
    assert len(np.unique(back)) == bandwidth**2
    theta = np.linspace(0.01, 3.1, 7)
    table = layout.legendre(theta, np.float64)
    degree, order = degrees_and_orders(bandwidth)
    for m in range(bandwidth):
        here = order == m
        assert np.allclose(table[back[here] // 2], associated_legendre(m, bandwidth, theta), rtol=1e-13, atol=1e-13)
        assert np.array_equal(degree[here], np.arange(m, bandwidth))
    empty = np.setdiff1d(np.arange(layout.rows), back // 2)
    assert not table[empty].any()


def test_tables_at_a_high_band_limit_are_those_of_the_reference():
    """Far from the equator too, where P_mm is tiny."""
    layout = Layout(200, [np.arange(200)], 2)
    theta = np.array([1e-3, 0.1, 1.0, 1.5])
    table = layout.legendre(theta, np.float64)
    for m in (0, 1, 50, 199):
        wanted = associated_legendre(m, 200, theta)
        assert np.allclose(table[layout.row_of[m:, m]], wanted, rtol=1e-11, atol=1e-13)
