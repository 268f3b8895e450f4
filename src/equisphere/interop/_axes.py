"""Latitudes and longitudes of an array: which dimensions they are, which grid they make, in which order."""

from functools import cached_property
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre, RingGrid

if TYPE_CHECKING:
    import xarray

#: how far a latitude may be from its ring, as a part of the distance between rings: files round to a few digits
TOLERANCE = 0.01

_KNOWN = {
    "latitude": (
        {"lat", "latitude"},
        {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"},
    ),
    "longitude": (
        {"lon", "long", "longitude"},
        {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"},
    ),
}


class Axes:
    """The two axes of an array on the sphere.

    `rows` and `columns` index the array into the grid's order: north first, longitude 0 first, no column twice.
    """

    def __init__(self, array: "xarray.DataArray") -> None:
        if not hasattr(array, "dims") or not hasattr(array, "attrs"):
            raise ValueError(
                "the array must be an xarray.DataArray, whose coordinates say where its numbers lie, got "
                f"{type(array).__name__}. Numbers without coordinates are samples on a grid that you choose (`es.grids`)."
            )
        if hasattr(array, "data_vars"):
            held = ", ".join(map(repr, array.data_vars))
            raise ValueError(f"a Dataset holds several arrays ({held}): give one of them, dataset[name].")
        self.latitude, self.longitude = (_dimension(array, kind) for kind in ("latitude", "longitude"))
        latitudes, longitudes = (_degrees(array, name) for name in (self.latitude, self.longitude))
        self.rows = np.argsort(-latitudes, kind="stable")
        self._columns(longitudes)
        self.grid = _matching_grid(latitudes[self.rows], self.columns.size)

    def _columns(self, longitudes: np.ndarray) -> None:
        n = len(longitudes)
        step = (longitudes[-1] - longitudes[0]) / (n - 1)
        even = np.allclose(np.diff(longitudes), step, rtol=0, atol=TOLERANCE * abs(step))
        #: whether the last column is the first again
        self.repeated = bool(abs(abs(longitudes[-1] - longitudes[0]) - 360) < TOLERANCE * abs(step))
        kept = n - 1 if self.repeated else n
        if not even or abs(abs(step) * kept - 360) > TOLERANCE * abs(step) * kept:
            raise ValueError(
                f"longitudes must go once around the sphere in equal steps, got {n} from {longitudes[0]:g} to "
                f"{longitudes[-1]:g} degrees. Sort them (`array.sortby`) or take the whole sphere; a region is no grid."
            )
        step = 360 / kept
        east = longitudes[:kept] % 360
        east = np.where(360 - east < TOLERANCE * step, 0, east)
        self.columns = np.argsort(east, kind="stable")
        first = float(east[self.columns[0]])
        #: longitude in degrees of the column that is taken for longitude 0
        self.turn = 0.0 if first < TOLERANCE * step else first

    @cached_property
    def _back(self) -> tuple[np.ndarray, np.ndarray]:
        columns = np.argsort(self.columns)
        return np.argsort(self.rows), np.append(columns, columns[0]) if self.repeated else columns

    def restore(self, values: np.ndarray) -> np.ndarray:
        """From the grid's order to the array's."""
        rows, columns = self._back
        return values[..., rows, :][..., columns]


def _dimension(array: "xarray.DataArray", kind: str) -> str:
    """Name of the dimension that holds latitudes or longitudes."""
    names, units = _KNOWN[kind]
    by_name = [d for d in array.dims if str(d).lower() in names]
    by_attribute = [
        d
        for d in array.dims
        if d in array.coords
        and (array[d].attrs.get("standard_name") == kind or str(array[d].attrs.get("units", "")).lower() in units)
    ]
    found = by_attribute or by_name
    if len(found) == 1 and found[0] in array.coords:
        return found[0]  # type: ignore[return-value]
    seen = f"dimensions {tuple(array.dims)}, coordinates {tuple(array.coords)}"
    if len(found) > 1:
        raise ValueError(
            f"which of {found} is the {kind}? ({seen}). Give one of them the attribute standard_name={kind!r}."
        )
    if found:
        raise ValueError(
            f"the dimension {found[0]!r} has no coordinates ({seen}): `array.assign_coords({found[0]}=degrees)`."
        )
    if any(str(k).lower() in names and x.ndim > 1 for k, x in array.coords.items()):
        raise ValueError(
            f"the {kind} changes along two dimensions ({seen}): bring the map to a latitude-longitude grid first."
        )
    raise ValueError(
        f"no dimension is known for the {kind} ({seen}): call one {sorted(names)[0]!r}, `array.rename(...)`, or give its "
        f"coordinate the attribute standard_name={kind!r}."
    )


def _degrees(array: "xarray.DataArray", name: str) -> np.ndarray:
    coordinate = array[name]
    if coordinate.dtype.kind not in "fiu" or coordinate.size < 2 or not np.isfinite(coordinate.values).all():
        raise ValueError(f"the coordinates {name!r} must be two finite numbers or more, got {coordinate.values!r}.")
    degrees = coordinate.values.astype(np.float64)
    return degrees * 180 / pi if str(coordinate.attrs.get("units", "")).lower().startswith("rad") else degrees


def _matching_grid(latitudes: np.ndarray, nlon: int) -> RingGrid:
    """The grid that has these latitudes, north first."""
    nlat = len(latitudes)
    grids = (
        DriscollHealy(nlat=nlat, nlon=nlon),
        DriscollHealy(nlat=nlat, nlon=nlon, poles=True),
        ClenshawCurtis(nlat=nlat, nlon=nlon),
        GaussLegendre(nlat=nlat, nlon=nlon),
    )
    misses = [float(abs(90 - g.colatitudes.numpy() * 180 / pi - latitudes).max()) for g in grids]
    best = int(np.argmin(misses))
    if misses[best] <= TOLERANCE * 180 / nlat:
        return grids[best]
    tried = ", ".join(
        f"{type(g).__name__}{'(poles=True)' if getattr(g, 'poles', False) else ''} by {miss:.3g}"
        for g, miss in zip(grids, misses, strict=True)
    )
    raise ValueError(
        f"{nlat} latitudes from {latitudes[0]:.6g} to {latitudes[-1]:.6g} degrees fit no grid of the sphere; at the worst "
        f"ring they miss {tried} degrees. Interpolate to one (`array.interp`), or fill up a region to the whole sphere."
    )
