"""HEALPix files against healpy, NetCDF files, tables of sensors: there and back, and as bad as they come."""

import numpy as np
import pytest
import torch

import equisphere as es
from equisphere.data import DataError, read_healpix, read_netcdf, read_sensors, write_healpix, write_netcdf

healpy = pytest.importorskip("healpy")
xarray = pytest.importorskip("xarray")
pytest.importorskip("astropy")


@pytest.mark.parametrize("nest", [False, True])
def test_maps_of_healpy_are_read_in_either_order(tmp_path, nest):
    pixels = np.random.default_rng(0).normal(size=(2, 12 * 8**2))
    pixels[0, 5] = healpy.UNSEEN
    stored = healpy.reorder(pixels, r2n=True) if nest else pixels
    healpy.write_map(str(tmp_path / "a.fits"), stored, nest=nest, dtype=np.float64, column_names=["I", "Q"])
    signal, grid = read_healpix(tmp_path / "a.fits")
    assert grid == es.grids.HEALPix(8)
    assert torch.isnan(signal[0, 5])
    torch.testing.assert_close(torch.nan_to_num(signal[0]), torch.from_numpy(np.where(pixels[0] < -1e30, 0, pixels[0])))
    torch.testing.assert_close(signal[1], torch.from_numpy(pixels[1]))


def test_what_is_written_healpy_reads(tmp_path):
    signal = torch.randn(2, 12 * 4**2, dtype=torch.float64)
    write_healpix(signal, tmp_path / "a.fits")
    np.testing.assert_array_equal(healpy.read_map(str(tmp_path / "a.fits"), field=None), signal.numpy())
    torch.testing.assert_close(read_healpix(tmp_path / "a.fits")[0], signal)


def test_netcdf_comes_back(tmp_path):
    grid = es.grids.ClenshawCurtis(nlat=19, nlon=36)
    signal = torch.randn(2, *grid.shape, dtype=torch.float64)
    write_netcdf(signal, grid, tmp_path / "a.nc")
    again, found, array = read_netcdf(tmp_path / "a.nc")
    assert found == grid
    assert array.name == "signal"
    torch.testing.assert_close(again, signal)


def test_sensors_give_coefficients_and_values_back(tmp_path):
    x = torch.nn.functional.normalize(torch.randn(60, 3, dtype=torch.float64), dim=-1)
    c = torch.randn(2, 9, dtype=torch.float64)
    lat, lon = torch.asin(x[:, 2]).rad2deg(), torch.atan2(x[:, 1], x[:, 0]).rad2deg()
    table = torch.stack((es.transforms.evaluate(c, x)[0], lat, lon, es.transforms.evaluate(c, x)[1]), dim=1).numpy()
    np.savetxt(tmp_path / "a.csv", table, "%.15g", ",", header="wind,Latitude,lon,rain", comments="")
    values, points, names = read_sensors(tmp_path / "a.csv")
    assert names == ["wind", "rain"]
    torch.testing.assert_close(points, x)
    torch.testing.assert_close(es.transforms.fit(values, points, 3, tolerance=1e-12), c, rtol=1e-6, atol=1e-6)


def bad_fits(path, **header):
    from astropy.io import fits

    table = fits.BinTableHDU.from_columns([fits.Column("I", "D", array=np.zeros(48))])
    table.header.update(header)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


@pytest.mark.filterwarnings("ignore")
def test_a_bad_fits_file_is_named(tmp_path):
    (tmp_path / "noise.fits").write_text("SIMPLE")
    bad_fits(tmp_path / "cut.fits", PIXTYPE="HEALPIX", INDXSCHM="EXPLICIT")
    bad_fits(tmp_path / "order.fits", PIXTYPE="HEALPIX", ORDERING="ODD")
    bad_fits(tmp_path / "other.fits", PIXTYPE="CUBE")
    write_healpix(torch.zeros(1, 12 * 16**2), tmp_path / "half.fits")
    (tmp_path / "half.fits").write_bytes((tmp_path / "half.fits").read_bytes()[:9000])
    for name, message in (
        ("noise.fits", "cannot be read"),
        ("cut.fits", "part of the sky"),
        ("order.fits", "ORDERING"),
        ("other.fits", "no table"),
        ("half.fits", ""),
        ("gone.fits", "there is no map"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            read_healpix(tmp_path / name)
        assert name in str(caught.value)


def test_a_bad_netcdf_file_is_named(tmp_path):
    values = np.zeros((18, 36))
    lat, lon = np.linspace(85, -85, 18), np.arange(0, 360, 10.0)
    whole = xarray.Dataset({"a": (("lat", "lon"), values)}, {"lat": lat, "lon": lon})
    cases = {
        "bare.nc": (xarray.Dataset({"a": (("y", "x"), values)}), "no dimension is known"),
        "region.nc": (whole.isel(lat=slice(0, 9)), "fit no grid"),
        "gap.nc": (whole.where(whole.lat > 0), "NaN"),
        "two.nc": (whole.assign(b=whole.a), "which variable"),
    }
    for name, (data, message) in cases.items():
        data.to_netcdf(tmp_path / name, engine="scipy")
        with pytest.raises(DataError, match=rf"{name}.*{message}"):
            read_netcdf(tmp_path / name)
    assert read_netcdf(tmp_path / "two.nc", "b")[0].shape == (18, 36)
    with pytest.raises(DataError, match="no variable 'c'"):
        read_netcdf(tmp_path / "two.nc", "c")
    (tmp_path / "noise.nc").write_text("CDF noise")
    for name in ("noise.nc", "gone.nc"):
        with pytest.raises(DataError, match=name):
            read_netcdf(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header"),
        ("lat,lon\n1,2\n", "a header"),
        ("lat,lon,t\n", "a header"),
        ("lat,lon,t\n1,2\n", "numbers in every row"),
        ("lat,lon,t\n1,2,x\n", "numbers in every row"),
        ("lat,lon,t\n1,2,nan\n", "finite"),
        ("lat,lon,t\n100,2,3\n", "between -90 and 90"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=rf"a\.csv.*{message}"):
        read_sensors(tmp_path / "a.csv")


@pytest.mark.usefixtures("as_user")
def test_no_map_is_written_of_what_is_none(tmp_path):
    with pytest.raises(ValueError, match="12 nside"):
        write_healpix(torch.zeros(1, 50), tmp_path / "a.fits")
    assert not list(tmp_path.iterdir())
