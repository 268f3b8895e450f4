"""The engine against plain sums over the harmonics: every way through it, on every kind of grid."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, randn, relative_error

import equisphere as es
from equisphere.harmonics import associated_legendre, degrees_and_orders
from equisphere.transforms import _engine, _engines, _fourier
from equisphere.transforms._engine import RingEngine
from equisphere.transforms._fourier import FastFourier, MatrixFourier
from equisphere.transforms._layout import Layout
from equisphere.transforms._workspace import workspaces

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
    monkeypatch.setattr(_engine, "CHUNK_NUMBERS", 1)
    monkeypatch.setattr(_engine, "PIECE_NUMBERS", 3 * 10 * nlon)
    parts = engine.to_grid(c, True), engine.from_grid(f, True)
    for part, all_ in zip(parts, whole, strict=True):
        assert relative_error(part, all_) < 1e-14


def test_results_share_no_memory_with_the_next():
    """Room that is used again is never handed out: earlier results stay what they were."""
    for grid in (es.grids.GaussLegendre(nlat=10, nlon=24), es.grids.GaussLegendre(nlat=10, nlon=100)):
        for parity in (False, True):
            engine = RingEngine(grid, 10, parity)
            c, f = randn(100, 3), randn(*grid.shape, 3)
            first = engine.to_grid(c, False), engine.from_grid(f, True)
            kept = [x.clone() for x in first]
            engine.to_grid(c + 1, True), engine.from_grid(f + 1, False)
            assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


def test_threads_do_not_meet():
    """Transforms that run at the same time in many threads give what each gives alone."""
    sht = es.SHT(es.grids.GaussLegendre(nlat=24, nlon=100))
    signals = [randn(8, 24, 100) for _ in range(12)]
    wanted = [sht(f) for f in signals]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(sht, signals * 4))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted * 4, strict=True))


def test_room_made_without_gradients_serves_with_them():
    """The first transform may run in inference mode."""
    workspaces().clear()
    sht = es.SHT(es.grids.GaussLegendre(nlat=8, nlon=100))
    f = randn(2, 8, 100)
    with torch.inference_mode():
        c = sht(f)
    assert torch.equal(sht(f.requires_grad_()), c)


@pytest.mark.parametrize("limit", [_engines.TABLE_LIMIT, 0])
def test_samples_over_the_sine(monkeypatch, limit):
    """P_lm / sin(theta) from tables, and where none are stored, are the plain sums divided by sin(theta)."""
    monkeypatch.setattr(_engines, "TABLE_LIMIT", limit)
    grid = es.grids.GaussLegendre(6, nlat=8, nlon=14)
    c, f = randn(36, 3), randn(8, 14, 3)
    Y = harmonics_at(grid.points, 6) / grid.colatitudes.sin()[:, None, None]
    engine = _engines.over_sine_engine(grid, 6)
    assert relative_error(engine.to_grid(c, False), torch.einsum("jkc,cn->jkn", Y, c)) < 1e-13
    assert relative_error(engine.from_grid(f, False), torch.einsum("jkc,jkn->cn", Y, f)) < 1e-13


def test_samples_come_in_the_order_of_signals():
    """What synthesis gives is contiguous as a signal, what analysis gives side by side; neither is a view of more."""
    sht = es.SHT(es.grids.DriscollHealy(6))
    c = randn(2, 3, 36)
    f = sht.inverse(c)
    assert f.is_contiguous()
    assert sht(f).movedim(-1, 0).is_contiguous()
    assert f.untyped_storage().nbytes() == 8 * f.numel()


@pytest.mark.parametrize("nlon", [12, 60, 88, 81, 100, 101])
def test_both_fourier_steps_are_the_sums_over_the_ring(nlon):
    """And over the orders, the other way; rows in the order that each names."""
    L = (nlon + 1) // 2
    samples, angle = (
        randn(2, 3, 5, nlon),
        2 * torch.pi / nlon * (torch.outer(torch.arange(nlon), torch.arange(L)) % nlon).double(),
    )
    norm = torch.tensor([1.0] + [2**0.5] * (L - 1), dtype=torch.float64)
    matrix = torch.stack((angle.cos(), angle.sin()), dim=-1) * norm[:, None]
    sums = torch.einsum("pnrk,kmc->pmcnr", samples, matrix)
    back = torch.einsum("pmcnr,kmc->pnrk", sums, matrix)
    for step in (MatrixFourier(nlon, L), FastFourier(nlon, L)):
        order = torch.from_numpy(np.concatenate(step.groups))
        waves = samples.new_empty(2, 2 * L, 3, step.pitch(5))[..., :5]
        step.analysis(samples, waves, None)
        found = waves.unflatten(1, (-1, 2))
        assert relative_error(found, sums[:, order]) < 1e-14
        assert relative_error(step.synthesis(waves, None), back) < 1e-14
        out = torch.empty_like(samples)
        step.synthesis(waves, None, out)
        assert relative_error(out, back) < 1e-14


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
    table = layout.legendre(theta, 9, np.float64)
    assert not table[:, 7:].any()
    table = table[:, :7]
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
    table = layout.legendre(theta, len(theta), np.float64)
    for m in (0, 1, 50, 199):
        wanted = associated_legendre(m, 200, theta)
        assert np.allclose(table[layout.row_of[m:, m]], wanted, rtol=1e-11, atol=1e-13)
