"""Triangle meshes: files, their place and size, and what rays towards the middle meet (Esteves et al. 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from equisphere import _checks
from equisphere._files import replacing
from equisphere.data._source import DataError
from equisphere.grids import Grid, RingGrid

#: suffixes that are read as meshes
MESH_SUFFIXES = {".off", ".obj", ".ply", ".stl", ".glb", ".gltf"}

#: what a ray may be asked for
BRANCHES = ("outer", "inner", "hull")

#: what each branch gives
CHANNELS = ("distance", "sine", "cosine")


@dataclass(frozen=True)
class Mesh:
    """Triangles in space: vertices, and for each triangle the places of its three corners.

    Raises:
        DataError: where there is no triangle, a face names no vertex, or a corner is NaN or infinite.

    >>> Mesh(torch.eye(3), torch.tensor([[0, 1, 2]])).vertices.dtype
    torch.float64
    """

    vertices: Float[Tensor, "n 3"]
    faces: Int64[Tensor, "m 3"]

    def __post_init__(self) -> None:
        v, f = self.vertices, self.faces
        if v.ndim != 2 or v.shape[1] != 3 or f.ndim != 2 or f.shape[1] != 3:
            raise DataError(
                f"a mesh has vertices (n, 3) and triangles (m, 3), got {tuple(v.shape)} and {tuple(f.shape)}."
            )
        if len(f) == 0 or len(v) == 0:
            raise DataError(
                f"the mesh is empty: {len(v)} vertices, {len(f)} triangles. A cloud of points is lifted as such."
            )
        if int(f.min()) < 0 or int(f.max()) >= len(v):
            raise DataError(
                f"faces must name vertices 0 to {len(v) - 1}, got {int(f.min())} to {int(f.max())}: the file is truncated."
            )
        bad = int((~torch.isfinite(v[f.unique()])).any(dim=-1).sum())
        if bad:
            raise DataError(f"{bad} vertices of the mesh are NaN or infinite.")
        object.__setattr__(self, "vertices", v.detach().to("cpu", torch.float64))
        object.__setattr__(self, "faces", f.detach().to("cpu"))

    def normalized(self) -> "Mesh":
        """The mesh about the centroid of its surface, its farthest corner at distance 1; only vertices that are used.

        Alike for turned, moved and scaled meshes, however large or small. Triangles without area are left out, unless all
        are such.

        Raises:
            DataError: where all corners are one point.
        """
        used, faces = self.faces.unique(return_inverse=True)
        v = self.vertices[used]
        low, high = v.amin(0), v.amax(0)
        size = float((high / 2 - low / 2).max())  # halves, since a difference of two huge numbers may overflow
        if size == 0:
            raise DataError("all corners of the mesh are one point: it has no shape.")
        v = v / size - (low / 2 + high / 2) / size
        a, b, c = v[faces].unbind(1)
        area = torch.linalg.cross(b - a, c - a).norm(dim=-1)
        if float(area.sum()) > 0:
            whole = area > 0
            faces, area = faces[whole], area[whole]
            centre = (area[:, None] * v[faces].mean(1)).sum(0) / area.sum()
        else:
            centre = v[faces].mean((0, 1))
        v = v - centre
        return Mesh(v / v[faces].norm(dim=-1).max(), faces)


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh in any format that trimesh knows: off, obj, ply, stl, glb and more. Polygons are cut into triangles.

    Raises:
        DataError: where the file is missing, unreadable, or holds no mesh; the message names it.
        ImportError: where trimesh is not installed.
    """
    try:
        import trimesh
    except ImportError as error:
        raise ImportError("reading meshes needs trimesh: pip install 'equisphere[data]'.") from error
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no mesh {path}.")
    try:
        loaded: Any = trimesh.load(path, process=False, force="mesh", skip_materials=True)
        vertices, faces = np.asarray(loaded.vertices, np.float64), np.asarray(loaded.faces, np.int64)
    except ImportError:
        raise
    except Exception as error:  # whatever a parser trips over
        raise DataError(f"{path} cannot be read as a mesh ({type(error).__name__}: {error}).") from error
    try:
        return Mesh(torch.from_numpy(vertices.reshape(-1, 3).copy()), torch.from_numpy(faces.reshape(-1, 3).copy()))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh in the format that the suffix names (off, obj, ply, stl, glb), whole or not at all.

    Raises:
        ValueError: where the suffix is none of these.
        ImportError: where trimesh is not installed.
    """
    try:
        import trimesh
    except ImportError as error:
        raise ImportError("writing meshes needs trimesh: pip install 'equisphere[data]'.") from error
    path = Path(path)
    if path.suffix.lower() not in MESH_SUFFIXES - {".gltf"}:
        raise ValueError(f"a mesh is written as {', '.join(sorted(MESH_SUFFIXES - {'.gltf'}))}, not {path.name}.")
    made = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    content: Any = made.export(file_type=path.suffix[1:].lower())
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def check_branches(branches: Sequence[str]) -> None:
    """Check for one or more of `BRANCHES`."""
    if not branches or not set(branches) <= set(BRANCHES):
        raise ValueError(f"branches must be some of {', '.join(BRANCHES)}, got {tuple(branches)}.")


def mesh_signal(
    mesh: Mesh, grid: Grid, branches: Sequence[str] = ("outer", "hull")
) -> Float32[Tensor, "channels *nodes"]:
    r"""Cast a ray through each node of a grid, and tell where it meets the mesh and at what angle (Esteves et al. 2018, 5.2).

    The mesh is put about the centroid of its surface with its farthest corner on the unit sphere (`Mesh.normalized`). A
    branch gives three channels: the distance of the meeting point from the centre, sine and cosine of the angle between ray
    and surface normal. Which side a triangle faces does not matter (0 <= cosine). Rays that meet nothing, as open meshes let
    through, give three zeros.

    Args:
        mesh: any triangles: open, off-centre, tiny, huge, some of them without area.
        grid: where the rays go through.
        branches: `"outer"`, what a ray from outside meets first; `"inner"`, what one from the centre meets first; `"hull"`,
            where the convex hull is met (with "outer", the six channels of the paper).

    Returns:
        `(3 * len(branches), *grid.shape)`, float32; `es.SHT(grid)` makes coefficients of it.

    Raises:
        ValueError: where a branch is unknown.
        DataError: where all corners are one point.
        ImportError: where embreex is not installed.

    >>> import pytest, equisphere as es; _ = pytest.importorskip("embreex")
    >>> corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    >>> tetrahedron = Mesh(corners, torch.tensor([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]))
    >>> f = mesh_signal(tetrahedron, es.grids.DriscollHealy(32))
    >>> f.shape, round(float(f[0].min()), 2)  # a face is a third as far as a corner
    (torch.Size([6, 64, 64]), 0.33)
    """
    check_branches(branches)
    normal = mesh.normalized()
    directions = grid.points.reshape(-1, 3).numpy()
    vertices, faces = normal.vertices.numpy(), normal.faces.numpy()
    found: dict[str, np.ndarray] = {}
    if "outer" in branches or "inner" in branches:
        scene = _scene(vertices, faces)
        found = {b: _cast(scene, directions, inward=b == "outer") for b in ("outer", "inner") if b in branches}
    if "hull" in branches:
        found["hull"] = _cast(_scene(vertices, _hull(vertices, faces)), directions, inward=True)
    signal = np.concatenate([found[b] for b in branches])
    return torch.from_numpy(signal).reshape(-1, *grid.shape)


def channel_names(branches: Sequence[str]) -> list[str]:
    """What the channels of `mesh_signal` hold.

    >>> channel_names(("hull",))
    ['hull distance', 'hull sine', 'hull cosine']
    """
    return [f"{branch} {channel}" for branch in branches for channel in CHANNELS]


def star_mesh(distances: Float[Tensor, "nlat nlon"], grid: RingGrid) -> Mesh:
    """The surface at given distances from the centre: the way back from the first channel of `mesh_signal`.

    It is the mesh itself where that is star-shaped about the centre, as convex bodies are, up to the size of a cell.
    Two vertices, at the mean distance of the first and of the last ring, close it about the poles.

    Args:
        distances: not negative, `(nlat, nlon)`; from coefficients, `SHT.inverse` gives them.
        grid: their grid.

    Raises:
        ValueError: where distances are not finite numbers on the grid.

    >>> import equisphere as es
    >>> ball = star_mesh(torch.ones(8, 8), es.grids.DriscollHealy(4))
    >>> len(ball.vertices), len(ball.faces)
    (66, 128)
    """
    _checks.real(distances, "distances")
    _checks.finite(distances, "distances")
    if tuple(distances.shape) != grid.shape:
        raise ValueError(f"distances must have the grid's shape {grid.shape}, got {tuple(distances.shape)}.")
    nlat, nlon = grid.shape
    r = distances.detach().to("cpu", torch.float64).clamp(min=0)
    pole = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    caps = torch.stack((r[0].mean() * pole, -r[-1].mean() * pole))
    vertices = torch.cat(((r[..., None] * grid.points).reshape(-1, 3), caps))
    here = torch.arange(nlat * nlon).reshape(nlat, nlon)
    east = here.roll(-1, dims=1)
    upper = torch.stack((here[:-1], here[1:], east[:-1]), dim=-1)
    lower = torch.stack((east[:-1], here[1:], east[1:]), dim=-1)
    north, south = torch.full((nlon,), nlat * nlon), torch.full((nlon,), nlat * nlon + 1)
    ends = (torch.stack((north, here[0], east[0]), dim=-1), torch.stack((south, east[-1], here[-1]), dim=-1))
    return Mesh(vertices, torch.cat((upper.reshape(-1, 3), lower.reshape(-1, 3), *ends)))


def _scene(vertices: Float64[np.ndarray, "n 3"], faces: Int64[np.ndarray, "m 3"]) -> Any:
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError as error:
        raise ImportError("casting rays needs embreex: pip install 'equisphere[data]'.") from error
    scene = EmbreeScene(robust=True)  # no ray slips through the seam of two triangles
    TriangleMesh(scene, vertices.astype(np.float32), faces.astype(np.int32))
    return scene


#: rays from outside start here, a little beyond the farthest corner, which is at distance 1
START = 1.25


def _cast(scene: Any, directions: np.ndarray, inward: bool) -> Float32[np.ndarray, "3 n"]:
    rays = directions.astype(np.float32)
    origins, towards = (START * rays, -rays) if inward else (np.zeros_like(rays), rays)
    hits = scene.run(origins, towards, query="INTERSECT", output=1)
    # what lies beyond the centre is for the opposite ray to meet
    met = (hits["primID"] >= 0) & (hits["tfar"] <= START)
    distance = np.where(met, START - hits["tfar"] if inward else hits["tfar"], 0)
    normals = hits["Ng"].astype(np.float64)
    length = np.linalg.norm(normals, axis=1)
    along = np.abs((normals * directions).sum(axis=1)) / np.where(length > 0, length, 1)
    cosine = np.where(met, np.minimum(along, 1), 0)
    sine = np.where(met, np.sqrt(1 - cosine**2), 0)
    return np.stack((distance, sine, cosine)).astype(np.float32)


def _hull(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Triangles of the convex hull; of a flat mesh that of one that is jittered by the last digits."""
    from scipy.spatial import ConvexHull, QhullError

    for options in (None, "QJ"):
        try:
            return ConvexHull(vertices, qhull_options=options).simplices.astype(np.int64)
        except QhullError:
            continue
    return faces  # fewer than four corners: the triangle is its own hull
