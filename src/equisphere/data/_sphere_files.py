"""Signals on the sphere from files: maps, pictures, clouds, surfaces and coefficients."""

import zipfile
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.data._batch import load_projected
from equisphere.data._clouds import cloud_coefficients, normalize_points, read_points
from equisphere.data._image_files import IMAGE_SUFFIXES
from equisphere.data._meshes import MESH_SUFFIXES, read_mesh
from equisphere.data._panoramas import read_panorama
from equisphere.data._project import Projected
from equisphere.data._source import DataError
from equisphere.grids import ClenshawCurtis, DriscollHealy, Grid, HEALPix
from equisphere.transforms import SHT, accumulate

#: into how many points a surface is divided, more or less
SURFACE_POINTS = 50_000
#: rows and columns of a map, at the least
LEAST = 8

Channels = Float[Tensor, "channels coefficients"]

MESH, CLOUD, PROJECTED_MESH, PROJECTED_MOLECULES = (
    "a mesh",
    "a cloud of points",
    "a projected mesh",
    "projected molecules",
)
#: what is alike with its own kind alone; all else are signals on the sphere, whatever they were sampled on
SHAPES = {MESH, CLOUD, PROJECTED_MESH, PROJECTED_MOLECULES}
#: what a projected file is read as, where its kind is one of shapes
PROJECTED = {"mesh": PROJECTED_MESH, "cloud": CLOUD, "molecules": PROJECTED_MOLECULES}


def read_coefficients(path: str | Path, bandwidth: int, key: str | None = None, poles: bool | None = None) -> Channels:
    """Coefficients of the signals in a file, degrees below the band limit alone (fewer, where the file has no more).

    What is understood:
        .npy, .npz: L*L numbers are coefficients, 12 nside^2 a HEALPix map in RING order, and so is each row of a few;
            two dimensions an equirectangular map, row 0 the north and column 0 longitude 0, but `(n, 3)` a cloud of points;
            three dimensions such maps one after the other. Fewer than 8 rows or columns are no map.
        .npz that `project_files` wrote: all channels of its coefficients.
        .pts, and `(n, 3)`: clouds of points about their centroid, one signal for each shell, as `project_file` has them.
        pictures: equirectangular, twice as wide as high, one signal for each colour.
        triangle meshes: two signals, the area in each direction from the centroid, weighted by the distance and by its cube.

    Args:
        path: the file.
        bandwidth: band limit of the result, at the most.
        key: name of the array in an .npz file; not needed where it holds one.
        poles: the first and the last row of a map are the poles (as in most weather data) rather than half a cell off them; by
            default they are where there is one row more than half as many as columns.

    Raises:
        DataError: where the file is missing, of another kind, or holds something else; the message names it.
        ImportError: where it is a mesh and trimesh is not installed.
    """
    return _read(Path(path), bandwidth, key, poles)[0]


def read_pair(
    a: str | Path, b: str | Path, bandwidth: int, key: str | None = None, poles: bool | None = None
) -> tuple[Channels, Channels, tuple[str, str]]:
    """Coefficients of two files that are to be compared: of one kind, with as many signals, to the lower of two band limits.

    A map, a picture and coefficients are of one kind. A cloud, a mesh, and a mesh that `project_files` brought onto the sphere
    are each of its own: their signals mean different things.

    Args:
        a: a file that `read_coefficients` reads.
        b: another.
        bandwidth: as there.
        key: as there, for both.
        poles: as there, for both.

    Returns:
        The coefficients of each, and in words what each was read as.

    Raises:
        DataError: where the files are not alike, or one cannot be read or looks the same in every rotation.
        ImportError: where one is a mesh and trimesh is not installed.
    """
    (x, kind_x), (y, kind_y) = (_read(Path(path), bandwidth, key, poles) for path in (a, b))
    if len(x) != len(y) or (kind_x != kind_y and not SHAPES.isdisjoint((kind_x, kind_y))):
        raise DataError(
            f"two files that are compared must be of one kind, with as many signals: {a} was read as {kind_x} (signals: "
            f"{len(x)}), {b} as {kind_y} (signals: {len(y)}). Give two maps, two clouds or two meshes, or what "
            "`equisphere project` wrote of both, with the same settings."
        )
    for path, c, kind in ((a, x, kind_x), (b, y, kind_y)):
        still = c[:, 1:].abs().amax() <= 16 * torch.finfo(c.dtype).eps * c.abs().amax() if c.shape[-1] > 1 else True
        if still:
            why = "all its points lie at their centroid" if kind == CLOUD else "it is constant"
            raise DataError(f"{path} looks the same in every rotation, so that it cannot be compared: {why}.")
    size = min(x.shape[-1], y.shape[-1])
    return x[:, :size], y[:, :size], (kind_x, kind_y)


def _read(path: Path, bandwidth: int, key: str | None, poles: bool | None) -> tuple[Channels, str]:
    """Coefficients of a file, and what it was read as."""
    known = ", ".join(sorted({".npy", ".npz", ".pts"} | IMAGE_SUFFIXES | MESH_SUFFIXES))
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a file ({known}).")
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    suffix = path.suffix.lower()
    if suffix in MESH_SUFFIXES:
        return _surface(path, bandwidth), MESH
    if suffix in IMAGE_SUFFIXES:
        array = read_panorama(path).expand(3, -1, -1).double().numpy()
        return _coefficients(array, bandwidth, poles, path)[0], "a picture"
    if suffix == ".pts":
        array = read_points(path).numpy()
    elif suffix == ".npz" and key in (None, "coefficients") and (projected := _projected(path)) is not None:
        c = projected.coefficients.double().flatten(0, -2)
        return c[:, : bandwidth**2], PROJECTED.get(projected.kind, f"a projection ({projected.kind})")
    elif suffix in (".npy", ".npz"):
        array = _array(path, key)
    else:
        raise DataError(f"{path} is of no kind that is read here ({known}).")
    return _coefficients(array, bandwidth, poles, path)


def _projected(path: Path) -> Projected | None:
    """What `project_files` wrote, where it did."""
    try:
        return load_projected(path)
    except DataError:
        return None


def _array(path: Path, key: str | None) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            with found:
                names = found.files
                if key is None and len(names) != 1:
                    raise DataError(f"{path} holds several arrays ({', '.join(names)}): name one (`--key`).")
                if key is not None and key not in names:
                    raise DataError(f"{path} holds no array {key!r}, but {', '.join(names)}.")
                found = found[key or names[0]]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as a NumPy file ({error}).") from error
    if found.size == 0:
        raise DataError(f"{path} holds no numbers: its shape is {found.shape}.")
    if found.dtype.kind not in "fiub":
        raise DataError(f"{path} must hold real numbers, got {found.dtype} of shape {found.shape}.")
    return found.astype(np.float64)


def _coefficients(array: np.ndarray, bandwidth: int, poles: bool | None, path: Path) -> tuple[Channels, str]:
    if not np.isfinite(array).all():
        raise DataError(f"{path} holds NaN or infinite values: fill the gaps first.")
    signal = torch.from_numpy(array)
    if array.ndim == 1 and isqrt(array.size) ** 2 == array.size:
        return signal[None, : bandwidth**2], "coefficients"
    if array.ndim == 2 and array.shape[1] == 3:
        return cloud_coefficients(normalize_points(signal), bandwidth), CLOUD
    grid, kind = _sampled(array.shape, poles, path)
    return SHT(grid, min(bandwidth, grid.bandwidth))(signal.reshape(-1, *grid.shape)), kind


def _sampled(shape: tuple[int, ...], poles: bool | None, path: Path) -> tuple[Grid, str]:
    """The grid of an array of samples, and what that is in words."""
    nside = isqrt(shape[-1] // 12)
    if shape[-1] == 12 * nside**2 and (len(shape) == 1 or (len(shape) == 2 and 8 * shape[0] <= shape[1])):
        return HEALPix(nside), "a HEALPix map" if len(shape) == 1 else f"HEALPix maps of {shape[-1]} pixels"
    if len(shape) not in (2, 3) or min(shape[-2:]) < LEAST:
        raise DataError(
            f"{path} must hold L*L coefficients, 12 nside^2 HEALPix pixels (or rows of them), points (n, 3), or maps of shape "
            f"(.., nlat, nlon) with {LEAST} rows and columns at least, got shape {shape}: is it transposed, or are the "
            "channels the last of its dimensions?"
        )
    nlat, nlon = shape[-2:]
    poles = nlat == nlon // 2 + 1 if poles is None else poles
    rows = "first and last row at the poles" if poles else "rows half a cell off the poles"
    return (ClenshawCurtis if poles else DriscollHealy)(nlat=nlat, nlon=nlon), (
        f"{'a map' if len(shape) == 2 else 'maps'} of {nlat} x {nlon}, {rows}"
    )


def _surface(path: Path, bandwidth: int) -> Channels:
    """Moments of a surface by direction from its centroid: of the area, weighted by the distance and by its cube.

    c_lm = ∫ |x|^k Y_lm(x / |x|) dA is a sum over points on the triangles, so that it turns with the surface exactly: no ray
    is cast and no grid visited.
    """
    mesh = read_mesh(path)
    triangles = mesh.vertices[mesh.faces].numpy()
    sides = triangles[:, 1:] - triangles[:, :1]
    if not np.isfinite(sides).all() or not np.cross(sides[:, 0], sides[:, 1]).any():
        raise DataError(f"{path} holds no surface.")
    points, area = _points_on(triangles)
    points = points - (area @ points) / area.sum()
    distance = np.linalg.norm(points, axis=1)
    scale = np.sqrt((area @ distance**2) / area.sum())
    direction = points / np.maximum(distance, 1e-12 * scale)[:, None]
    direction[distance <= 1e-12 * scale] = (0, 0, 1)  # whatever, at distance 0
    r, weight = distance / scale, area / area.sum()
    return accumulate(torch.from_numpy(np.stack((weight * r, weight * r**3))), torch.from_numpy(direction), bandwidth)


def _points_on(triangles: Float[np.ndarray, "n 3 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Points spread over triangles, about `SURFACE_POINTS` of them, and the area that each stands for."""
    a, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = np.linalg.norm(np.cross(u, v), axis=1) / 2
    longest = np.sqrt(np.maximum.reduce([(e**2).sum(axis=1) for e in (u, v, u - v)]))
    step = np.sqrt(2 * area.sum() / SURFACE_POINTS)
    cuts = np.clip(np.ceil(longest / max(step, 1e-300)), 1, 128).astype(int)
    points, areas = [], []
    for n in np.unique(cuts):
        here = cuts == n
        i, j = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        up, down = i + j < n, i + j < n - 1  # the n^2 small triangles that an n-fold cut of the sides makes
        s = np.concatenate((i[up] + 1 / 3, i[down] + 2 / 3)) / n
        t = np.concatenate((j[up] + 1 / 3, j[down] + 2 / 3)) / n
        inside = a[here, None] + s[:, None] * u[here, None] + t[:, None] * v[here, None]
        points.append(inside.reshape(-1, 3))
        areas.append(np.repeat(area[here] / n**2, n * n))
    return np.concatenate(points), np.concatenate(areas)
