"""From any file to coefficients: one function for each kind, chosen by the suffix."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import degrees, isqrt, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equisphere import _checks
from equisphere.data._clouds import cloud_coefficients, normalize_points, read_points
from equisphere.data._image_files import IMAGE_SUFFIXES
from equisphere.data._maps import read_healpix, read_netcdf, read_sensors
from equisphere.data._meshes import MESH_SUFFIXES, channel_names, check_branches, mesh_signal, read_mesh
from equisphere.data._molecules import ORGANIC, SYMBOLS, molecule_coefficients, read_xyz
from equisphere.data._panoramas import panorama_coefficients, read_panorama, read_picture
from equisphere.data._source import DataError
from equisphere.data._views import Gnomonic, Stereographic, perspective, view_signal
from equisphere.grids import DriscollHealy, GaussLegendre
from equisphere.transforms import SHT, fit

#: fields of view of pictures that show a part of the sphere are below these angles
FIELDS = {"stereographic": 2 * pi, "gnomonic": pi, "perspective": pi}
#: how a picture may lie on the sphere
PICTURES = ("panorama", *FIELDS)


@dataclass(frozen=True)
class Projection:
    """How files become coefficients. Angles in radians.

    Args:
        bandwidth: band limit L.
        picture: how pictures lie on the sphere, one of `PICTURES`.
        field_of_view: of a stereographic, gnomonic or perspective picture, across its longer side.
        shells: radial functions of a cloud of points.
        branches: of a mesh, as in `mesh_signal`.
        variable: of a NetCDF file.

    Raises:
        ValueError: where a setting is not possible.

    >>> Projection(16).picture
    'panorama'
    """

    bandwidth: int = 32
    picture: str = "panorama"
    field_of_view: float = pi / 2
    shells: int = 6
    branches: tuple[str, ...] = ("outer", "hull")
    variable: str | None = None

    def __post_init__(self) -> None:
        _checks.positive_int(self.bandwidth, "bandwidth")
        _checks.positive_int(self.shells, "shells")
        if self.picture not in PICTURES:
            raise ValueError(f"picture must be one of {', '.join(PICTURES)}, got {self.picture!r}.")
        check_branches(self.branches)
        most = FIELDS.get(self.picture)
        if most is not None and not 0 < self.field_of_view < most:
            raise ValueError(
                f"field of view of a {self.picture} picture must lie between 0 and {degrees(most):g} degrees ({most:.4g} "
                f"radians), got {degrees(self.field_of_view):g} degrees ({self.field_of_view:.4g} radians)."
            )

    def view(self, aspect: float) -> Any:
        """The view of a picture of an aspect, width over height."""
        if self.picture == "perspective":
            return perspective(self.field_of_view if aspect >= 1 else 2 * np.arctan(np.tan(self.field_of_view / 2) * aspect),
                               aspect=aspect)  # fmt: skip
        return {"stereographic": Stereographic, "gnomonic": Gnomonic}[self.picture](self.field_of_view / 2)

    def to_dict(self) -> dict[str, Any]:
        """Settings as plain values."""
        return asdict(self) | {"branches": list(self.branches)}


@dataclass(frozen=True)
class Projected:
    """Coefficients `(..., channels, L*L)` of one file, what the channels are, and what kind of file it was."""

    coefficients: Tensor
    channels: list[str]
    kind: str


def project_file(path: str | Path, settings: Projection) -> Projected:
    """Coefficients of a mesh, a cloud, a molecule, a picture, a map or a table of sensors, by the file's suffix.

    Meshes: off, obj, ply, stl, glb. Clouds: npy, `(n, 3)`, or pts, a text of `x y z`. Molecules: xyz (all of a
    file side by side, atoms padded). Pictures: what Pillow reads, and hdr. Maps: fits (HEALPix), nc
    (latitudes and longitudes; leading dimensions are channels). Sensors: csv.

    Raises:
        DataError: where the file cannot be read or is of no known kind; the message names it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/cloud.npy", np.eye(3))
    ...     project_file(folder + "/cloud.npy", Projection(8)).coefficients.shape
    torch.Size([6, 64])
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is of no known kind; known are {', '.join(sorted(READERS))}.")
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    try:
        found = reader(path, settings)
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: {error}") from error
    if not bool(torch.isfinite(found.coefficients).all()):
        raise DataError(f"{path} holds NaN, infinite values, or numbers so large that sums of them are.")
    return Projected(found.coefficients.float().contiguous(), found.channels, found.kind)


def _mesh(path: Path, settings: Projection) -> Projected:
    grid = DriscollHealy(settings.bandwidth)
    signal = mesh_signal(read_mesh(path), grid, settings.branches)
    return Projected(SHT(grid)(signal), channel_names(settings.branches), "mesh")


def _cloud(path: Path, settings: Projection) -> Projected:
    c = cloud_coefficients(normalize_points(read_points(path)), settings.bandwidth, settings.shells)
    return Projected(c, [f"shell {k}" for k in range(settings.shells)], "cloud")


def _molecules(path: Path, settings: Projection) -> Projected:
    found = read_xyz(path)
    most = max(len(m.charges) for m in found)
    charges = torch.zeros(len(found), most, dtype=torch.int64)
    places = torch.zeros(len(found), most, 3, dtype=torch.float64)
    for i, m in enumerate(found):
        charges[i, : len(m.charges)], places[i, : len(m.charges)] = m.charges, m.positions
    elements = tuple(sorted({*ORGANIC, *charges.unique().tolist()} - {0}))
    c = molecule_coefficients(charges, places, settings.bandwidth, elements)
    return Projected(c, [SYMBOLS[z] for z in elements], "molecules")


def _picture(path: Path, settings: Projection) -> Projected:
    L = settings.bandwidth
    if settings.picture == "panorama":
        image = read_panorama(path)
        c = panorama_coefficients(image, L)
    else:
        image = read_picture(path)
        fine = GaussLegendre(nlat=4 * L, nlon=8 * L)
        c = SHT(fine, L)(view_signal(image, settings.view(image.shape[2] / image.shape[1]), fine))
    return Projected(c, ["red", "green", "blue"] if len(image) == 3 else ["grey"], settings.picture)


def _healpix(path: Path, settings: Projection) -> Projected:
    signal, grid = read_healpix(path)
    gaps = int(torch.isnan(signal).sum())
    if gaps:
        raise DataError(
            f"{path}: {gaps} pixels were not seen. `transforms.masked_fit` makes coefficients of such a map."
        )
    return Projected(SHT(grid, settings.bandwidth)(signal), [f"field {i}" for i in range(len(signal))], "HEALPix")


def _netcdf(path: Path, settings: Projection) -> Projected:
    signal, grid, array = read_netcdf(path, settings.variable)
    signal = signal.reshape(-1, *grid.shape)
    return Projected(
        SHT(grid, settings.bandwidth)(signal), [f"{array.name} {i}" for i in range(len(signal))], "latitude-longitude"
    )


def _sensors(path: Path, settings: Projection) -> Projected:
    values, points, names = read_sensors(path)
    places, L = _checks.distinct_points(points), settings.bandwidth
    if places < L * L:
        raise DataError(
            f"{path}: sensors in {places} places cannot determine the L*L = {L * L} coefficients of band limit {L}: lower "
            f"the bandwidth to {isqrt(places)} at the most (half of it is comfortable). Fewer need `transforms.fit` with a "
            "regularization."
        )
    return Projected(fit(values, points, L), names, "sensors")


#: what reads a file, by its suffix
READERS: dict[str, Callable[[Path, Projection], Projected]] = {
    **dict.fromkeys(MESH_SUFFIXES, _mesh),
    **dict.fromkeys(IMAGE_SUFFIXES | {".hdr"}, _picture),
    ".npy": _cloud,
    ".pts": _cloud,
    ".xyz": _molecules,
    ".fits": _healpix,
    ".nc": _netcdf,
    ".csv": _sensors,
}
