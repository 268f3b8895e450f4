"""Forecasts of winds: what is known beforehand, and nothing else, goes in."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import relative_error

import equisphere as es
from equisphere.data import Batch, DataError, DataSet, MonthlyWinds, load_winds

GRID = es.grids.ClenshawCurtis(nlat=13, nlon=24)
L = 6


@pytest.fixture
def data():
    """Band-limited winds of six years: one to train on, after those that give climate and history."""
    torch.manual_seed(1)
    field = torch.randn(72, 2, L * L)
    field[..., 0] = 0
    winds = es.transforms.VectorSHT(GRID, L).inverse(field)
    return MonthlyWinds("test", winds, torch.rand(12, 24), 1000 * torch.randn(12, 24), held_out=(1, 1))


def items(data, name, **options):
    part = data.part(name, L, **options)
    return part[Batch(torch.arange(len(part)), 0)]


def test_the_years_are_divided_in_order(data):
    assert isinstance(data, DataSet)
    assert [data.months(name) for name in ("train", "validation", "test")] == [
        range(36, 48),
        range(48, 60),
        range(60, 72),
    ]


def test_the_climate_is_the_mean_of_the_years_before(data):
    years = data.winds.unflatten(0, (6, 12))
    torch.testing.assert_close(data.climate(65), years[:5, 5].mean(0))
    torch.testing.assert_close(data.climate(24), years[:2, 0].mean(0))


def test_an_input_is_fields_and_signals(data):
    """The components that its coefficients synthesise are the departures and the climate."""
    c, target = items(data, "test")
    fields = es.transforms.VectorSHT(GRID, L).inverse(c[:, :8].unflatten(1, (4, 2)))
    climate = data.climate(66)
    assert relative_error(fields[6, 1], data.winds[65] - data.climate(65)) < 1e-5
    assert relative_error(fields[6, 0], data.winds[64] - data.climate(64)) < 1e-5
    year = sum(data.winds[m] - data.climate(m) for m in range(54, 66)) / 12
    assert relative_error(fields[6, 2], year) < 1e-5
    assert relative_error(fields[6, 3], climate) < 1e-5
    assert relative_error(target.values[6], data.winds[66] - climate) < 1e-6
    axis = es.SHT(GRID, L).inverse(c[0, 10])
    assert relative_error(axis, 3**0.5 * GRID.points[..., 2]) < 1e-6
    torch.testing.assert_close(c[0, 8:].square().sum(-1), torch.full((3,), 4 * torch.pi))
    assert c.shape[1] == data.model_settings["in_channels"]


def test_nothing_of_the_future_is_known(data):
    """Other winds from a month on: inputs up to that month stay as they are, and so do the years of training."""
    later = data.winds.clone()
    later[66:] += 5
    other = replace(data, winds=later)
    for name in ("train", "validation"):
        a, b = items(data, name), items(other, name)
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1].values, b[1].values)
    a, b = items(data, "test"), items(other, "test")
    assert torch.equal(a[0][:7], b[0][:7])
    assert not torch.allclose(a[0][7], b[0][7], atol=0.1)
    own = data.winds.clone()
    own[40] += 5  # a month of training: its own forecast and those before do not know it
    a, b = items(data, "train"), items(replace(data, winds=own), "train")
    assert torch.equal(a[0][:5], b[0][:5])
    assert not torch.allclose(a[0][5], b[0][5], atol=0.1)


def test_a_turned_earth_is_the_same_task(data):
    c, target = items(data, "test")
    turned, other = items(data, "test", rotated=True)
    assert torch.equal(other.values, target.values)
    torch.testing.assert_close(es.rotate(turned, other.rotations.mT[:, None]), c, atol=1e-4, rtol=0)


def arrays(**changes):
    fields = {
        "navy_wind_u_cms": np.ones((84, 5, 8), np.int16),
        "navy_wind_v_cms": np.ones((84, 5, 8), np.int16),
        "land_fraction_qdeg_u8": np.ones((4, 8), np.uint8),
        "topo1deg_m": np.ones((4, 8), np.int16),
    }
    return fields | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"navy_wind_u_cms": np.ones((83, 5, 8), np.int16)}, "seven whole years"),
        ({"navy_wind_v_cms": np.full((84, 5, 8), -32768, np.int16)}, "gaps"),
        ({"topo1deg_m": np.ones(4)}, "land and height"),
    ],
)
def test_bad_arrays_are_named(tmp_path, changes, message):
    np.savez(tmp_path / "fields.npz", **arrays(**changes))
    with pytest.raises(DataError, match=message):
        load_winds(tmp_path / "fields.npz")


def test_bad_files_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("EQUISPHERE_DATA", raising=False)
    with pytest.raises(DataError, match="EQUISPHERE_DATA"):
        load_winds()
    with pytest.raises(DataError, match=r"gone\.npz"):
        load_winds(tmp_path / "gone.npz")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"bad\.npz does not hold"):
        load_winds(tmp_path / "bad.npz")


def test_eastward_and_northward_become_southward_and_eastward(tmp_path):
    u, v = np.full((84, 5, 8), 200, np.int16), np.full((84, 5, 8), 300, np.int16)
    np.savez(tmp_path / "fields.npz", **arrays(navy_wind_u_cms=u, navy_wind_v_cms=v))
    winds = load_winds(tmp_path / "fields.npz").winds
    assert float(winds[7, 0, 2, 3]) == -3.0
    assert float(winds[7, 1, 2, 3]) == 2.0
