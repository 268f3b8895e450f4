"""Labelled shapes from files: folders of meshes by class, ModelNet among them, and npz files of clouds or meshes."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from equisphere import _checks
from equisphere._files import replacing
from equisphere.data._batch import default_workers
from equisphere.data._clouds import read_points
from equisphere.data._meshes import MESH_SUFFIXES, Mesh, read_mesh
from equisphere.data._shapes import Distortion, LabelledClouds, Shapes
from equisphere.data._source import DataError, kept
from equisphere.data._splits import stratified_split
from equisphere.data._surfaces import sample_surface

#: what may lie in the folder that EQUISPHERE_DATA names, and where a user finds the data
KNOWN = {
    "modelnet10": (
        ("ModelNet10", "modelnet10_train_points.npz"),
        "the folder ModelNet10 of https://modelnet.cs.princeton.edu (terms: academic research only)",
    ),
    "modelnet40": (
        ("ModelNet40",),
        "the folder ModelNet40 of https://modelnet.cs.princeton.edu (terms: academic research only)",
    ),
    "shapes69": (
        ("shapes69_train_meshes.npz",),
        "an npz file of meshes with the arrays vertices, faces, vertex_offset, face_offset, label, classes",
    ),
}
#: clouds of points, and all that is read as a shape
CLOUD_SUFFIXES = {".npy", ".pts"}
SHAPE_SUFFIXES = MESH_SUFFIXES | CLOUD_SUFFIXES

OTHERS = "Any folder CLASS/*.off (obj, ply, stl, glb) will do, or one with CLASS/train and CLASS/test."

#: raised whenever sampled clouds change, so that caches of before are not taken for them
VERSION = 1


def load_shapes(
    source: str | Path | None,
    seed: int = 0,
    points: int = 1024,
    shells: int = 8,
    distortion: Mapping[str, float] | None = None,
) -> Shapes:
    """Load labelled shapes as clouds of points.

    A folder `CLASS/train/*.off`, `CLASS/test/*.off` is split as ModelNet is: the test part is the official one, a
    twentieth of each class of the training folders is held out for validation. Of a folder `CLASS/*.off` (or any other
    mesh format) and of npz files, a fifth of each class is the test part and a twentieth the validation part
    (`stratified_split`). Points on meshes are drawn evenly by area, the same ones whenever they are asked for, and kept in the
    user's cache for folders of files.

    Args:
        source: "modelnet10", "modelnet40" or "shapes69", to be found in the folder that EQUISPHERE_DATA names; or a folder;
            or an npz file with `points (n, p, 3)`, `label`, `classes`, or with `vertices`, `faces`, `vertex_offset`,
            `face_offset`, `label`, `classes`; integers of 16 bit count in units of 1 / 32767.
        seed: of the split, and of rotations and distortions.
        points: how many are drawn on each mesh.
        shells: number of radial functions.
        distortion: arguments of `Distortion`, of clouds while training.

    Raises:
        DataError: where the source is missing, corrupt or of another kind; the message names every bad file.
    """
    path = _found(source)
    read = _read_folder if path.is_dir() else _read_npz
    clouds, official, classes = read(path, _checks.positive_int(points, "points"))
    if official is None:
        parts = stratified_split(clouds.labels, seed)
    else:
        (rest,), (test,) = torch.where(~official), torch.where(official)
        own = stratified_split(clouds.labels[rest], seed, test=0.0)
        parts = {"train": rest[own["train"]], "validation": rest[own["validation"]], "test": test}
    if not all(map(len, parts.values())):
        raise DataError(
            f"{path} holds too few shapes to split: {', '.join(f'{len(p)} {n}' for n, p in parts.items())}."
        )
    split = {name: clouds.take(index) for name, index in parts.items()}
    return Shapes(
        path.stem, **split, classes=classes, shells=shells, distortion=Distortion(**distortion or {}), seed=seed
    )


Found = tuple[LabelledClouds, Tensor | None, tuple[str, ...]]


def _found(source: str | Path | None) -> Path:
    names, where = KNOWN.get(str(source), ((), "files of your own"))
    path = kept(*names) if names else Path(source) if source is not None else None
    if path is None or not path.exists():
        raise DataError(
            f"there are no shapes {source}. Give {where} by --data, or put it into a folder that the environment variable "
            f"EQUISPHERE_DATA names. {OTHERS}"
        )
    return path


def _read_npz(path: Path, points: int) -> Found:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        label = torch.from_numpy(arrays["label"].astype(np.int64))
        classes = tuple(map(str, arrays["classes"].tolist()))
        clouds = _clouds(arrays) if "points" in arrays else _sampled(arrays, points)
    except KeyError as error:
        raise DataError(f"{path} lacks an array of shapes ({error}): see `equisphere.data.load_shapes`.") from None
    except (OSError, ValueError, EOFError, TypeError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as an npz file of shapes ({type(error).__name__}: {error}).") from error
    if clouds.ndim != 3 or clouds.shape[2] != 3 or label.shape != clouds.shape[:1] or len(label) == 0:
        raise DataError(
            f"{path} must hold points (n, p, 3) and n labels, got {tuple(clouds.shape)} and {tuple(label.shape)}."
        )
    if int(label.min()) < 0 or int(label.max()) >= len(classes):
        raise DataError(f"{path}: label must name classes 0 to {len(classes) - 1}, got {label.min()} to {label.max()}.")
    if not bool(torch.isfinite(clouds).all()):
        raise DataError(f"{path} holds points that are NaN or infinite.")
    return LabelledClouds(clouds, label), None, classes


def _scaled(x: np.ndarray) -> np.ndarray:
    return (x / 32767).astype(np.float32) if x.dtype == np.int16 else x.astype(np.float32)


def _clouds(arrays: dict[str, np.ndarray]) -> Float32[Tensor, "..."]:
    return torch.from_numpy(_scaled(arrays["points"]))


def _sampled(arrays: dict[str, np.ndarray], points: int) -> Float32[Tensor, "n points 3"]:
    vertices = torch.from_numpy(_scaled(arrays["vertices"]))
    faces = torch.from_numpy(arrays["faces"].astype(np.int64))
    clouds = []
    spans = zip(pairwise(arrays["vertex_offset"].tolist()), pairwise(arrays["face_offset"].tolist()), strict=True)
    for i, ((v, w), (f, g)) in enumerate(spans):
        try:
            clouds.append(sample_surface(Mesh(vertices[v:w], faces[f:g]), points, seed=i))
        except DataError as error:
            raise ValueError(f"mesh {i}: {error}") from None
    return torch.stack(clouds).float()


def _read_folder(root: Path, points: int) -> Found:
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    official = any((folder / "train").is_dir() for folder in folders)
    files: list[tuple[Path, int, bool]] = []
    for number, folder in enumerate(folders):
        for test, inside in ((False, folder / "train"), (True, folder / "test")) if official else ((False, folder),):
            here = sorted(p for p in inside.glob("*") if p.suffix.lower() in MESH_SUFFIXES) if inside.is_dir() else []
            if not here:
                raise DataError(
                    f"the class folder {inside} holds no mesh ({', '.join(sorted(MESH_SUFFIXES))}). {OTHERS}"
                )
            files += [(p, number, test) for p in here]
    if not files:
        raise DataError(f"the folder {root} holds no class folders. {OTHERS}")
    clouds = _cached([p for p, _, _ in files], root, points)
    labels = torch.tensor([number for _, number, _ in files])
    test_part = torch.tensor([test for _, _, test in files]) if official else None
    return LabelledClouds(clouds, labels), test_part, tuple(folder.name for folder in folders)


def _cached(files: Sequence[Path], root: Path, points: int) -> Float32[Tensor, "n points 3"]:
    """Clouds of many files, from the cache where none of them has changed."""
    from platformdirs import user_cache_dir

    digest = hashlib.sha256(f"{VERSION} {points}".encode())
    for path in files:
        state = path.stat()
        digest.update(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}\n".encode())
    place = Path(user_cache_dir("equisphere")) / "clouds" / f"{digest.hexdigest()}.npy"
    try:
        return torch.from_numpy(np.load(place, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        pass
    clouds: list[np.ndarray] = []
    errors: list[str] = []
    for found in _all(partial(_cloud_of, root=root, points=points), files):
        if isinstance(found, str):
            errors.append(found)
        else:
            clouds.append(found)
    if errors:
        more = f" (and {len(errors) - 10} more)" if len(errors) > 10 else ""
        raise DataError(f"{len(errors)} of {len(files)} meshes cannot be used: {' '.join(errors[:10])}{more}")
    stacked = np.stack(clouds)
    with replacing(place) as part, part.open("wb") as opened:
        np.save(opened, stacked)
    return torch.from_numpy(stacked)


def _all(work: Callable[[Path], Any], files: Sequence[Path]) -> list[Any]:
    workers = default_workers(len(files))
    if workers == 1:
        return list(map(work, files))
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(work, files, chunksize=16))


def read_shape(path: str | Path, points: int = 1024, name: str | None = None) -> Float64[Tensor, "points 3"]:
    """A mesh as points on its surface, or a cloud of points (npy, pts) as it is.

    Args:
        path: of the file.
        points: how many are drawn on a mesh (`sample_surface`), the same ones whenever they are asked for.
        name: which the draw follows from; by default the file's.

    Raises:
        DataError: where the file is missing, corrupt or of no such kind; the message names it.
    """
    path = Path(path)
    if path.suffix.lower() in CLOUD_SUFFIXES:
        return read_points(path)
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise DataError(f"{path} is neither a mesh nor a cloud; known are {', '.join(sorted(SHAPE_SUFFIXES))}.")
    try:
        return sample_surface(read_mesh(path), points, seed=zlib.crc32((name or path.name).encode()))
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None


def _cloud_of(path: Path, root: Path, points: int) -> np.ndarray | str:
    """Points on a mesh, or what is wrong with it; they follow from its name."""
    try:
        return read_shape(path, points, path.relative_to(root).as_posix()).float().numpy()
    except DataError as error:
        return str(error)
