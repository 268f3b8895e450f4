"""Maps in xarray: latitude and longitude coordinates to a grid, and back with all that was on the array."""

from math import pi
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.interop._axes import Axes

if TYPE_CHECKING:
    import xarray


def from_xarray(
    array: "xarray.DataArray", allow_turn: bool = False
) -> tuple[Shaped[Tensor, "*batch nlat nlon"], RingGrid]:
    """A signal and its grid from an array with latitudes and longitudes.

    Dimensions are found by the CF conventions (`standard_name`, `units` of degrees_north and degrees_east) or by the names
    lat, latitude, lon, long, longitude, whatever their order; all other dimensions stay in front, in theirs.
    Rows may run either way, columns from any meridian eastwards or westwards, with the first one repeated at the end or not;
    the signal has the grid's order, row 0 the northernmost and column 0 at longitude 0. The grid is the one whose latitudes
    the array has: `DriscollHealy` (either variant), `ClenshawCurtis` or `GaussLegendre`, to a
    hundredth of a row (files round them).

    Args:
        array: the map or maps.
        allow_turn: where no column is at longitude 0 (cells are 0.5, 1.5, ... degrees, say), take the first one east of it for
            longitude 0: the signal is then turned westwards by that angle about the polar axis, which an equivariant
            network does not see; `to_xarray(..., like=array)` gives the right longitudes all the same.

    Returns:
        The signal `(..., nlat, nlon)` in the array's floating point type (integers become torch's default), and the grid.

    Raises:
        ValueError: where coordinates are missing or irregular, fit no grid of the whole sphere, or values are missing.

    >>> import numpy, pytest; xarray = pytest.importorskip("xarray")
    >>> lat, lon = numpy.arange(-90, 91, 10.0), numpy.arange(-180, 180, 10.0)
    >>> array = xarray.DataArray(numpy.outer(lat, 0 * lon + 1), coords={"lat": lat, "lon": lon}, dims=("lat", "lon"))
    >>> signal, grid = from_xarray(array)
    >>> grid
    ClenshawCurtis(bandwidth=10, nlat=19, nlon=36)
    >>> to_xarray(signal, grid, like=array).identical(array)
    True
    """
    axes = Axes(array)
    if axes.turn != 0 and not allow_turn:
        raise ValueError(
            f"no column is at longitude 0: the first east of it is at {axes.turn:.6g} degrees. With allow_turn=True "
            "that column is taken for longitude 0, the sphere being turned by so much about its axis. Coefficients are "
            f"brought back by `es.rotate(c, es.groups.rotation_about((0, 0, 1), {axes.turn * pi / 180:.6g}))`."
        )
    values = np.asarray(array.transpose(..., axes.latitude, axes.longitude).values)
    if values.dtype.kind in "iub":
        values = values.astype(torch.empty(0).numpy().dtype)
    if values.dtype.kind not in "fc":
        raise ValueError(f"the array must hold numbers, got {values.dtype}.")
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise ValueError(
            f"{missing} of {values.size} values are NaN or infinite. Fill them first, `array.fillna(0)` say, and give "
            "the network the gap in a channel of its own, `array.isnull()`."
        )
    if axes.repeated and not np.allclose(values[..., 0], values[..., -1], rtol=1e-5, atol=1e-5 * abs(values).max()):
        raise ValueError(
            "the first and the last column are at the same longitude, but their values differ. Drop the wrong one by "
            f"`array.isel({axes.longitude}=slice(None, -1))`."
        )
    values = values[..., axes.rows, :][..., axes.columns]
    return torch.from_numpy(np.array(values, dtype=values.dtype.newbyteorder("="))), axes.grid


def to_xarray(
    signal: Shaped[Tensor, "*batch nlat nlon"], grid: RingGrid, like: "xarray.DataArray | None" = None
) -> "xarray.DataArray":
    """An array with latitudes and longitudes from a signal: the inverse of `from_xarray`.

    Args:
        signal: `(..., *grid.shape)`.
        grid: its grid.
        like: an array that `from_xarray` took; its name, attributes, coordinates and order of dimensions come back. It may have
            been on another grid: latitudes and longitudes are then those of `grid`, row 0 north. Without it, the dimensions
            are lat and lon, in degrees, and dim_0, dim_1, ...

    Raises:
        ValueError: where the signal is not on the grid, or its leading dimensions are not those of `like`.
        ImportError: where xarray is not installed.

    >>> import pytest, equisphere as es; _ = pytest.importorskip("xarray")
    >>> array = to_xarray(torch.zeros(2, 4, 8), es.grids.GaussLegendre(2, nlon=8))
    >>> array.dims, array.lon.values[:3]
    (('dim_0', 'lat', 'lon'), array([ 0., 45., 90.]))
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install 'equisphere[xarray]'.") from error
    if tuple(signal.shape[-2:]) != grid.shape:
        raise ValueError(
            f"signal must have shape (..., {grid.nlat}, {grid.nlon}) as the grid has, got {tuple(signal.shape)}."
        )
    values = signal.detach().cpu().numpy()
    degrees = {"lat": 90 - grid.colatitudes.numpy() * 180 / pi, "lon": grid.longitudes.numpy() * 180 / pi}
    attributes = {
        "lat": {"standard_name": "latitude", "units": "degrees_north"},
        "lon": {"standard_name": "longitude", "units": "degrees_east"},
    }
    if like is None:
        dims = [*(f"dim_{i}" for i in range(signal.ndim - 2)), "lat", "lon"]
        return xarray.DataArray(values, {k: (k, x, attributes[k]) for k, x in degrees.items()}, dims)
    axes = Axes(like)
    names = {"lat": axes.latitude, "lon": axes.longitude}
    others = [d for d in like.dims if d not in names.values()]
    sizes = tuple(like.sizes[d] for d in others)
    if tuple(signal.shape[:-2]) != sizes:
        raise ValueError(
            f"leading dimensions of the signal, {tuple(signal.shape[:-2])}, must be those of `like` beside latitude "
            f"and longitude, {dict(zip(others, sizes, strict=True))}. "
            f"Of one of several maps: `like=array.isel({others[0] if others else 'time'}=0)`."
        )
    coordinates = dict(like.coords)
    if (
        axes.grid.shape == grid.shape
        and type(axes.grid) is type(grid)
        and np.allclose(axes.grid.colatitudes, grid.colatitudes)
    ):
        values = axes.restore(values)
    else:
        gone = set(names.values())
        coordinates = {k: x for k, x in coordinates.items() if not gone & set(x.dims)}
        for key, name in names.items():
            coordinates[name] = (name, degrees[key], {**like[name].attrs, **attributes[key]})
    found = xarray.DataArray(values, coordinates, [*others, names["lat"], names["lon"]], like.name, dict(like.attrs))
    return found.transpose(*like.dims)
