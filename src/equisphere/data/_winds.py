"""Monthly winds of the whole Earth: what next month's will be."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from equisphere.data._dense import DenseSignals, Readout
from equisphere.data._parts import briefly, part_seed
from equisphere.data._source import DataError, kept
from equisphere.grids import ClenshawCurtis, DriscollHealy
from equisphere.transforms import SHT, VectorSHT

#: months of observations that a forecast sees one by one, and as a mean
HISTORY, YEAR = 2, 12
#: years that a climate is a mean of, at the least
YEARS = 2
#: the channels of an input that are no winds: land, height of the ground, the Earth's axis
STILL = 3


@dataclass(frozen=True)
class MonthlyWinds:
    """Forecasts of the departure of next month's wind from the climate, a tangent field, in m/s.

    The climate of a month is the mean wind of its calendar month over all years before its own. An item is a month: it goes by
    the departures of the two months before it and their mean over the year before it, the climate of the month itself, and what
    tells a turned Earth from an upright one: land, height of the ground, and the axis, sin(latitude), each a signal that turns
    with the Earth. An equivariant network may know where the pole is; it does not mind in which frame it is told.

    Years are divided in order: training, validation, test, and no forecast sees a later month than the one before it. The first
    three years give climate and history and are not forecast.

    Attributes:
        name: what they are.
        winds: components southwards and eastwards, m/s, `(months, 2, nlat, nlon)`, January first, rows from pole to pole.
        land: share of land, 0 to 1, cell-centred, `(nlat, nlon)` of its own.
        height: of the ground or sea floor, metres, cell-centred.
        seed: of the rotations.
        held_out: years of validation and of test.
    """

    name: str
    winds: Float32[Tensor, "months 2 nlat nlon"]
    land: Float32[Tensor, "nlat1 nlon1"]
    height: Float32[Tensor, "nlat2 nlon2"]
    seed: int = 0
    held_out: tuple[int, int] = (1, 2)

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"upright": "as the Earth stands", "rotated": "randomly rotated"}
    model_settings: ClassVar[dict[str, Any]] = {"in_channels": 2 * (HISTORY + 2) + STILL, "out_channels": 2}

    @property
    def grid(self) -> ClenshawCurtis:
        """Where the winds are."""
        return ClenshawCurtis(nlat=self.winds.shape[-2], nlon=self.winds.shape[-1])

    def months(self, name: str) -> range:
        """The months of a part that are forecast."""
        validation, test = self.held_out
        last = 12 * (len(self.winds) // 12)
        first = {
            "train": 12 * YEARS + YEAR,
            "validation": last - 12 * (validation + test),
            "test": last - 12 * test,
            "": last,
        }
        following = {"train": "validation", "validation": "test", "test": ""}
        return range(first[name], first[following[name]])

    def climate(self, month: int) -> Float32[Tensor, "2 nlat nlon"]:
        """Mean wind of the calendar month of `month` over all years before."""
        return self.winds[month % 12 : month - month % 12 : 12].mean(0)

    def departures(self, month: int) -> Float32[Tensor, "13 2 nlat nlon"]:
        """Departures from their climates of a month (the last row) and of those of the year before it."""
        return torch.stack([self.winds[m] - self.climate(m) for m in range(month - YEAR, month + 1)])

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> DenseSignals:
        """A part ("train", "validation" or "test") as signals; see `DataSet`."""
        seed = part_seed(name, self.seed)
        analysis = VectorSHT(self.grid, bandwidth)
        months = self.months(name)
        departures = torch.stack([self.departures(month) for month in months])
        climate = torch.stack([self.climate(month) for month in months])
        year = departures[:, :-1].mean(1, keepdim=True)
        known = torch.cat((departures[:, -1 - HISTORY : -1], year, climate[:, None]), dim=1)
        still = torch.stack([_standard(cells, bandwidth) for cells in (self.land, self.height)])
        axis = SHT(self.grid, bandwidth)((3**0.5 * self.grid.points[..., 2]).float())
        still = torch.cat((still, axis[None])).expand(len(months), -1, -1)
        inputs = torch.cat((analysis(known).flatten(1, 2), still), dim=1)
        weights = self.grid.weights.float().expand(len(months), -1, -1)
        target = Readout(departures[:, -1], weights, self.grid, fields=True)
        return DenseSignals(inputs, target, seed, rotated, fresh=augmented)


def _standard(cells: Float[Tensor, "nlat nlon"], bandwidth: int) -> Float[Tensor, "coefficients"]:
    """Coefficients of a map, of mean 0 and mean square 1 over the sphere (Parseval)."""
    c = SHT(DriscollHealy(nlat=cells.shape[0], nlon=cells.shape[1]), bandwidth)(cells)
    c[0] = 0
    return c * (4 * torch.pi / c.square().sum()).sqrt()


def load_winds(source: str | Path | None = None, seed: int = 0) -> MonthlyWinds:
    """Load monthly winds.

    Args:
        source: an npz file with `navy_wind_u_cms` and `navy_wind_v_cms (months, nlat, nlon)`, whole years of winds to east and
            north in cm/s, from the north pole to the south pole, longitude 0 first; `land_fraction_qdeg_u8` (of 255) and
            `topo1deg_m` (m), cell-centred, the latter from longitude 0 on too. By default `earth_sky_fields.npz` of the folder
            that EQUISPHERE_DATA names.
        seed: of the rotations.

    Raises:
        DataError: where the file is missing, or an array is not what it should be; the message names it.
    """
    u, v, land, height = read_fields(
        source, ("navy_wind_u_cms", "navy_wind_v_cms", "land_fraction_qdeg_u8", "topo1deg_m"), "winds"
    )
    months = len(u) if u.ndim == 3 else 0
    if u.shape != v.shape or months % 12 or months < 84 or land.ndim != 2 or height.ndim != 2:
        raise DataError(
            f"winds must be (months, nlat, nlon) of seven whole years at least, got {u.shape} and {v.shape}; land and height "
            f"(nlat, nlon), got {land.shape} and {height.shape}."
        )
    if min(u.min(), v.min()) == -32768:
        raise DataError("the winds have gaps (-32768): fill them, or leave the years out.")
    winds = torch.from_numpy(np.stack((-v.astype(np.float32), u.astype(np.float32)), axis=1) / 100)
    ground = torch.from_numpy(height.astype(np.float32))
    return MonthlyWinds(
        f"{months} months of wind", winds, torch.from_numpy(land.astype(np.float32) / 255), ground, seed
    )


def read_fields(source: str | Path | None, names: tuple[str, ...], what: str) -> list[np.ndarray]:
    """Arrays of an npz file of fields of Earth and sky.

    Raises:
        DataError: where it is missing, unreadable, or lacks one of them.
    """
    path = kept("earth_sky_fields.npz") if source is None else Path(source)
    if path is None or not path.is_file():
        place = path or "(EQUISPHERE_DATA names no folder with earth_sky_fields.npz)"
        raise DataError(f"there are no {what} {place}. Give an npz file with the arrays {', '.join(names)}.")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return [file[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} does not hold {', '.join(names)} ({type(error).__name__}: {error}).") from error
