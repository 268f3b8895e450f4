"""Maps of Earth and sky: HEALPix FITS files, latitude-longitude NetCDF files, tables of sensors."""

import csv
from math import pi
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from equisphere._files import replacing
from equisphere.data._source import DataError
from equisphere.grids import HEALPix, RingGrid, from_nested
from equisphere.interop import from_xarray, to_xarray

if TYPE_CHECKING:
    import xarray

#: the value that HEALPix files have where nothing was seen (Gorski et al. 2005)
UNSEEN = -1.6375e30


def read_healpix(path: str | Path) -> tuple[Float[Tensor, "fields npix"], HEALPix]:
    """All columns of a HEALPix FITS file, in RING order, and their grid. Pixels that were not seen are NaN.

    `transforms.masked_fit` takes maps with gaps; `torch.nan_to_num` fills them with 0.

    Raises:
        DataError: where the file is missing, unreadable, or no map of the whole sphere; the message names it.
        ImportError: where astropy is not installed.
    """
    try:
        from astropy.io import fits
    except ImportError as error:
        raise ImportError("reading FITS needs astropy: pip install 'equisphere[data]'.") from error
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no map {path}.")
    try:
        with fits.open(path, memmap=False) as file:
            tables = [
                h for h in file if isinstance(h, fits.BinTableHDU) and h.header.get("PIXTYPE", "HEALPIX") == "HEALPIX"
            ]
            if not tables:
                raise DataError(f"{path} holds no table of HEALPix pixels.")
            header, data = tables[0].header, tables[0].data
            names = [c for c in data.names if c.upper() not in ("PIXEL", "PIX")]
            columns = [np.ravel(np.asarray(data[name], dtype=np.float64)) for name in names]
    except DataError:
        raise
    except Exception as error:  # whatever a corrupt file leads astropy to
        raise DataError(f"{path} cannot be read as a FITS file ({type(error).__name__}: {error}).") from error
    if str(header.get("INDXSCHM", "IMPLICIT")).upper() != "IMPLICIT":
        raise DataError(
            f"{path} holds a part of the sky alone (INDXSCHM = {header['INDXSCHM']}), not the whole sphere."
        )
    pixels = len(columns[0]) if columns else 0
    nside = round((pixels / 12) ** 0.5)
    if pixels == 0 or 12 * nside**2 != pixels or any(len(c) != pixels for c in columns):
        raise DataError(f"{path} holds {pixels} pixels a column; a HEALPix map has 12 nside^2.")
    ordering = str(header.get("ORDERING", "RING")).upper()
    if ordering not in ("RING", "NESTED", "NEST"):
        raise DataError(f"{path}: ORDERING must be RING or NESTED, got {ordering}.")
    signal = torch.from_numpy(np.stack(columns))
    signal = torch.where(torch.isclose(signal, torch.tensor(UNSEEN, dtype=torch.float64), rtol=1e-5), torch.nan, signal)
    return (signal if ordering == "RING" else from_nested(signal)), HEALPix(nside)


def write_healpix(signal: Float[Tensor, "fields npix"], path: str | Path) -> None:
    """Write maps in RING order as the columns of a HEALPix FITS file, whole or not at all; NaN becomes "not seen".

    Raises:
        ValueError: where the pixels are not 12 nside^2.
        ImportError: where astropy is not installed.
    """
    try:
        from astropy.io import fits
    except ImportError as error:
        raise ImportError("writing FITS needs astropy: pip install 'equisphere[data]'.") from error
    pixels = signal.shape[-1]
    nside = round((pixels / 12) ** 0.5)
    if signal.ndim != 2 or 12 * nside**2 != pixels or signal.numel() == 0:
        raise ValueError(f"maps must have shape (fields, 12 nside^2), got {tuple(signal.shape)}.")
    values = torch.nan_to_num(signal.detach().cpu().double(), nan=UNSEEN).numpy()
    table = fits.BinTableHDU.from_columns([fits.Column(f"FIELD{i}", "D", array=v) for i, v in enumerate(values)])
    table.header.update(
        PIXTYPE="HEALPIX", ORDERING="RING", NSIDE=nside, FIRSTPIX=0, LASTPIX=pixels - 1, INDXSCHM="IMPLICIT"
    )
    with replacing(Path(path)) as part:
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(part, overwrite=True)


def read_netcdf(
    path: str | Path, variable: str | None = None, allow_turn: bool = False
) -> tuple[Shaped[Tensor, "*batch nlat nlon"], RingGrid, "xarray.DataArray"]:
    """A variable of a NetCDF file as a signal, its grid, and the array as xarray has it (for `write_netcdf(like=...)`).

    Args:
        path: the file.
        variable: its name; may be left out where only one has latitudes and longitudes.
        allow_turn: as in `interop.from_xarray`.

    Raises:
        DataError: where the file is missing or unreadable, has no such variable, no coordinates, gaps, or a region alone; the
            message names it.
        ImportError: where xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("reading NetCDF needs xarray: pip install 'equisphere[data]'.") from error
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no map {path}.")
    try:
        with xarray.open_dataset(path) as opened:
            data = opened.load()
    except ImportError as error:
        raise ImportError(f"reading {path} needs more ({error}): pip install 'equisphere[data]'.") from error
    except Exception as error:  # each back end has errors of its own
        raise DataError(f"{path} cannot be read as a NetCDF file ({type(error).__name__}: {error}).") from error
    names = [str(n) for n, x in data.data_vars.items() if x.ndim >= 2 and x.dtype.kind in "fiu"]
    if variable is None and len(names) != 1:
        raise DataError(
            f"{path}: which variable is the map? There are {', '.join(names) or 'none with two dimensions'}."
        )
    name = variable or names[0]
    if name not in data.data_vars:
        raise DataError(f"{path} has no variable {name!r}; there are {', '.join(names)}.")
    try:
        signal, grid = from_xarray(data[name], allow_turn)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    return signal, grid, data[name]


def write_netcdf(
    signal: Shaped[Tensor, "*batch nlat nlon"], grid: RingGrid, path: str | Path, like: "xarray.DataArray | None" = None
) -> None:
    """Write a signal with its latitudes and longitudes, as classic NetCDF, whole or not at all.

    `like` is as in `interop.to_xarray`.

    Raises:
        ValueError: where the signal is not on the grid.
        ImportError: where xarray is not installed.
    """
    array = to_xarray(signal, grid, like)
    with replacing(Path(path)) as part:
        array.to_dataset(name=array.name or "signal").to_netcdf(part, engine="scipy")


def read_sensors(path: str | Path) -> tuple[Float64[Tensor, "fields n"], Float64[Tensor, "n 3"], list[str]]:
    """A table of sensors, csv with a header: latitude and longitude in degrees, all other columns of numbers as fields.

    `transforms.fit(values, points, bandwidth)` gives coefficients, `transforms.evaluate(c, points)` goes back to the sensors.

    Returns:
        Values, points (unit vectors), and the names of the fields.

    Raises:
        DataError: where the file is missing, lacks a column, or an entry is no finite number; the message names it.
    """
    path = Path(path)
    try:
        with path.open(newline="") as opened:
            rows = [row for row in csv.reader(opened) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table ({error}).") from error
    names = [name.strip().lower() for name in rows[0]] if rows else []
    places = [
        next((names.index(n) for n in known if n in names), None)
        for known in (("lat", "latitude"), ("lon", "longitude"))
    ]
    if None in places or len(names) < 3 or len(rows) < 2:
        raise DataError(
            f"{path} must have a header with lat, lon and a field, and rows; got {names} and {len(rows) - 1} rows."
        )
    try:
        table = np.array(rows[1:], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path} must hold {len(names)} numbers in every row ({error}).") from None
    if table.ndim != 2 or table.shape[1] != len(names) or not np.isfinite(table).all():
        raise DataError(f"{path} must hold {len(names)} finite numbers in every row. Leave rows with gaps out.")
    lat, lon = (torch.from_numpy(table[:, i] * (pi / 180)) for i in places)
    if float(lat.abs().max()) > pi / 2 + 1e-9:
        raise DataError(f"{path}: latitudes must lie between -90 and 90 degrees; are the columns swapped?")
    points = torch.stack((lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()), dim=-1)
    fields = [i for i in range(len(names)) if i not in places]
    return torch.from_numpy(table[:, fields].T.copy()), points, [names[i] for i in fields]
