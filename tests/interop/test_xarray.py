"""Latitude-longitude arrays in and out: any order, any start, every grid; and errors that say what is wrong."""

import warnings

import numpy as np
import pytest
import torch
from reference import KINDS, randn, relative_error

import equisphere as es
from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre
from equisphere.interop import from_xarray, to_xarray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    xarray = pytest.importorskip("xarray")


def field(latitudes, longitudes, **others):
    """z + x + y / 2 on two levels, as an array with dimensions level, lat, lon."""
    lat, lon = np.deg2rad(latitudes)[:, None], np.deg2rad(longitudes)
    f = np.sin(lat) + np.cos(lat) * (np.cos(lon) + np.sin(lon) / 2)
    coords = {"level": [500, 850], "lat": latitudes, "lon": longitudes, "station": ("level", ["a", "b"])}
    if len(longitudes) > 1 and longitudes[-1] - longitudes[0] == 360:
        f[:, -1] = f[:, 0]
    return xarray.DataArray(np.stack((f, 2 * f)), coords, ["level", "lat", "lon"], "t", {"units": "K"}, **others)


def wanted(grid, turn=0.0):
    angle = grid.longitudes + turn
    theta = grid.colatitudes[:, None]
    f = theta.cos() + theta.sin() * (angle.cos() + angle.sin() / 2)
    return torch.stack((f, 2 * f))


def latitudes_of(grid):
    return 90 - np.rad2deg(grid.colatitudes.numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("start", [0.0, -180.0, -90.0, 45.0])
@pytest.mark.parametrize("repeated", [True, False])
def test_every_grid_in_every_order(kind, ascending, start, repeated):
    grid = KINDS[kind](nlat=9, nlon=16)
    lat = latitudes_of(grid)[:: -1 if ascending else 1]
    array = field(lat, start + 22.5 * np.arange(17 if repeated else 16))
    signal, found = from_xarray(array)
    assert found == grid
    assert relative_error(signal, wanted(grid)) < 1e-14
    assert to_xarray(signal, grid, like=array).identical(array)


def test_longitudes_westwards_and_dimensions_in_any_order():
    grid = GaussLegendre(nlat=6, nlon=8)
    array = field(latitudes_of(grid), 180 - 45.0 * np.arange(8)).transpose("lon", "level", "lat")
    signal, found = from_xarray(array)
    assert found == grid
    assert relative_error(signal, wanted(grid)) < 1e-14
    assert to_xarray(signal, grid, like=array).identical(array)


@pytest.mark.parametrize("digits", [2, 3])
def test_rounded_latitudes_are_recognised(digits):
    """Files write Gaussian latitudes to a few digits, often in single precision."""
    grid = GaussLegendre(nlat=64, nlon=128)
    lat = np.round(latitudes_of(grid), digits).astype(np.float32)
    assert from_xarray(field(lat, 2.8125 * np.arange(128, dtype=np.float32)))[1] == grid


@pytest.mark.parametrize(
    ("lat", "lon", "attributes"),
    [
        ("y", "x", {"standard_name": ("latitude", "longitude")}),
        ("rows", "columns", {"units": ("degrees_north", "degrees_east")}),
        ("Latitude", "Longitude", {}),
    ],
)
def test_dimensions_are_known_by_name_or_attribute(lat, lon, attributes):
    grid = ClenshawCurtis(nlat=9, nlon=16)
    array = field(latitudes_of(grid), 22.5 * np.arange(16)).rename(lat=lat, lon=lon)
    for key, (of_lat, of_lon) in attributes.items():
        array[lat].attrs[key], array[lon].attrs[key] = of_lat, of_lon
    signal, found = from_xarray(array)
    assert found == grid
    assert to_xarray(signal, found, like=array).identical(array)


def test_half_a_cell_is_a_turn():
    """Columns at the middle of cells: refused, or taken with a turn that coefficients undo."""
    grid = DriscollHealy(nlat=18, nlon=36)
    array = field(latitudes_of(grid), 10.0 * np.arange(36) - 175)
    with pytest.raises(ValueError, match=r"at 5 degrees.*allow_turn=True.*es.rotate"):
        from_xarray(array)
    signal, found = from_xarray(array, allow_turn=True)
    assert found == grid
    assert relative_error(signal, wanted(grid, np.deg2rad(5))) < 1e-14
    sht = es.SHT(grid)
    turn = es.groups.rotation_about((0, 0, 1), torch.tensor(np.deg2rad(5)))
    assert relative_error(sht.inverse(es.rotate(sht(signal), turn)), wanted(grid)) < 1e-13
    assert to_xarray(signal, grid, like=array).identical(array)


def test_another_grid_takes_new_coordinates():
    array = field(latitudes_of(ClenshawCurtis(nlat=9, nlon=16))[::-1], 22.5 * np.arange(16) - 180)
    grid = GaussLegendre(nlat=5, nlon=10)
    found = to_xarray(randn(2, 5, 10), grid, like=array)
    assert found.dims == array.dims
    assert found.attrs == array.attrs
    assert found.name == "t"
    assert np.allclose(found.lat, latitudes_of(grid))
    assert list(found.station.values) == ["a", "b"]
    assert from_xarray(found)[1] == grid


def test_without_a_model():
    signal = randn(3, 4, 8, dtype=torch.float32)
    array = to_xarray(signal, GaussLegendre(2, nlat=4, nlon=8))
    assert array.lat.attrs == {"standard_name": "latitude", "units": "degrees_north"}
    back, grid = from_xarray(array)
    assert torch.equal(back, signal)
    assert grid == GaussLegendre(nlat=4, nlon=8)


def test_types():
    """Whole numbers become floating point ones, foreign byte order and single precision are read."""
    array = field(latitudes_of(ClenshawCurtis(nlat=9, nlon=16)), 22.5 * np.arange(16))
    assert from_xarray((100 * array).astype(np.int16))[0].dtype == torch.get_default_dtype()
    assert from_xarray(array.astype(">f4"))[0].dtype == torch.float32


def test_radians():
    array = field(latitudes_of(ClenshawCurtis(nlat=9, nlon=16)), 22.5 * np.arange(16))
    array = array.assign_coords(lat=np.deg2rad(array.lat), lon=np.deg2rad(array.lon))
    for name in ("lat", "lon"):
        array[name].attrs["units"] = "radians"
    assert from_xarray(array)[1] == ClenshawCurtis(nlat=9, nlon=16)


def test_real_maps(real_data):
    """A reanalysis with poles, and a map of cells."""
    file = np.load(real_data / "earth_sky_fields.npz")
    z = file["eraint_z_10m2s2"]
    lat, lon = np.linspace(90, -90, z.shape[-2]), np.arange(z.shape[-1]) * 0.75
    array = xarray.DataArray(z, {"latitude": lat, "longitude": lon}, ["month", "level", "latitude", "longitude"])
    signal, grid = from_xarray(array)
    assert grid == ClenshawCurtis(nlat=241, nlon=480)
    assert signal.shape == (2, 3, 241, 480)


BASE = field(latitudes_of(ClenshawCurtis(nlat=9, nlon=16)), 22.5 * np.arange(16))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: from_xarray(BASE.drop_vars("lat")), r"'lat' has no coordinates.*assign_coords\(lat="),
        (lambda: from_xarray(BASE.rename(lat="row")), "no dimension is known for the latitude.*rename"),
        (lambda: from_xarray(BASE.isel(lat=slice(2, 7))), "fit no grid.*ClenshawCurtis by .*GaussLegendre by"),
        (lambda: from_xarray(BASE.isel(lon=slice(0, 8))), "once around the sphere.*region"),
        (lambda: from_xarray(BASE.isel(lon=[0, 2, 1, *range(3, 16)])), "equal steps"),
        (lambda: from_xarray(BASE.where(BASE.lat > -80)), "32 of 288 values are NaN.*fillna"),
        (lambda: from_xarray(BASE.assign_coords(lat=BASE.lat * np.nan)), "finite numbers"),
        (lambda: from_xarray(BASE.rename(level="latitude")), "which of .* is the latitude"),
        (lambda: from_xarray(BASE.isel(lat=slice(0, 1))), "two finite numbers or more"),
        (lambda: from_xarray(BASE.astype(str)), "must hold numbers"),
        (lambda: to_xarray(torch.ones(9, 15), ClenshawCurtis(nlat=9, nlon=16)), r"\(..., 9, 16\)"),
        (lambda: to_xarray(torch.ones(9, 16), ClenshawCurtis(nlat=9, nlon=16), like=BASE), r"isel\(level=0\)"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_repeated_column_must_be_the_first():
    array = field(latitudes_of(ClenshawCurtis(nlat=9, nlon=16)), 22.5 * np.arange(17))
    array[..., -1] += 1
    with pytest.raises(ValueError, match=r"same longitude.*slice\(None, -1\)"):
        from_xarray(array)


def test_curvilinear_maps_are_refused():
    lat, lon = np.meshgrid(np.linspace(90, -90, 9), np.arange(16), indexing="ij")
    array = xarray.DataArray(np.ones((9, 16)), {"lat": (("i", "j"), lat), "lon": (("i", "j"), lon)}, ["i", "j"])
    with pytest.raises(ValueError, match="two dimensions"):
        from_xarray(array)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("given", "words"),
    [(xarray.Dataset({"t": BASE, "u": BASE}), r"holds several arrays \('t', 'u'\)"), (np.ones((9, 16)), "got ndarray")],
)
def test_what_is_no_data_array_is_named(given, words):
    with pytest.raises(ValueError, match=words):
        from_xarray(given)
