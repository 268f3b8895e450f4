"""Molecules and their energies: QM7, or xyz files of one's own."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor
from torch.utils.data import Dataset

from equisphere.data._molecules import ORGANIC, read_xyz
from equisphere.data._neighbours import Decaying, neighbour_coefficients
from equisphere.data._parts import Batch, briefly, part_seed
from equisphere.data._source import DataError, kept
from equisphere.data._splits import stratified_split
from equisphere.groups import random_rotations

#: Angstrom in an atomic unit of length, in which the official file has its places (CODATA 2018)
BOHR = 0.529177210903

WHERE = (
    "Give the official qm7.mat (http://quantum-machine.org/datasets), an npz file with Z, R (Angstrom) and T, or an xyz file "
    "whose comment lines begin with the energy, by --data, or put qm7.mat or qm7.npz into a folder that the environment "
    "variable EQUISPHERE_DATA names."
)


@dataclass(frozen=True)
class MoleculeTable:
    """Molecules side by side, atoms padded by charge 0; places in Angstrom, energies in kcal/mol."""

    charges: Int64[Tensor, "n atoms"]
    positions: Float64[Tensor, "n atoms 3"]
    energies: Float64[Tensor, "n"]

    __repr__ = briefly

    def __len__(self) -> int:
        """Number of molecules."""
        return len(self.energies)

    def take(self, index: Int64[Tensor, "k"]) -> "MoleculeTable":
        """Some of them."""
        return MoleculeTable(self.charges[index], self.positions[index], self.energies[index])


class AtomicSignals(Dataset):
    """Molecules as a signal for each atom; item `Batch` is `((coefficients, charges), energies)`.

    Coefficients `(n, atoms, elements * radial, L*L)` are those of `neighbour_coefficients`, charges `(n, atoms)`, energies
    `(n,)`. With `rotated`, molecule i is turned by a rotation of its own, drawn by (seed, i).
    """

    def __init__(
        self, source: MoleculeTable, bandwidth: int, radial: Decaying, elements: Sequence[int], rotated: bool, seed: int
    ) -> None:
        self.source, self.bandwidth, self.radial, self.elements = source, bandwidth, radial, tuple(elements)
        self.seed = seed
        generator = torch.Generator().manual_seed(seed)
        self.rotations = random_rotations(len(source), generator, torch.float64) if rotated else None

    def __len__(self) -> int:
        """Number of molecules."""
        return len(self.source)

    def __getitem__(self, batch: Batch) -> tuple[tuple[Float32[Tensor, "n atoms c k"], Tensor], Float32[Tensor, "n"]]:
        """Signals and charges of some molecules, and their energies."""
        some = self.source.take(batch.index)
        places = some.positions if self.rotations is None else some.positions @ self.rotations[batch.index].mT
        c = neighbour_coefficients(some.charges, places.float(), self.bandwidth, self.radial, self.elements)
        return (c, some.charges), some.energies.float()


@dataclass(frozen=True)
class Molecules:
    """Molecules with energies to train on, to choose by, and to look at once, at the end.

    Attributes:
        elements: nuclear charges with channels of their own.
        radial: number of radial functions.
        reach: radius of the neighbourhood of an atom, Angstrom.
        seed: of rotations.
    """

    name: str
    train: MoleculeTable
    validation: MoleculeTable
    test: MoleculeTable
    elements: tuple[int, ...] = ORGANIC
    radial: int = 8
    reach: float = 5.0
    seed: int = 0

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"given": "as given", "SO3": "randomly rotated"}

    def __post_init__(self) -> None:
        Decaying(self.radial, self.reach)

    @cached_property
    def model_settings(self) -> dict[str, Any]:
        """Elements, channels, and the linear model of the composition that least squares finds on the training part."""
        counts = (self.train.charges[..., None] == torch.tensor(self.elements)).sum(1).double()
        fitted = torch.linalg.lstsq(counts, self.train.energies[:, None], driver="gelsd").solution[:, 0]
        left = self.train.energies - counts @ fitted
        return {
            "in_channels": len(self.elements) * self.radial,
            "elements": list(self.elements),
            "offsets": fitted.tolist(),
            "scale": float(left.std() / counts.sum(1).mean().sqrt()),
        }

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> AtomicSignals:
        """A part ("train", "validation" or "test") as signals; nothing is distorted, since an energy is one of a form."""
        seed = part_seed(name, self.seed)
        radial = Decaying(self.radial, self.reach)
        return AtomicSignals(getattr(self, name), bandwidth, radial, self.elements, rotated, seed)


def load_molecules(source: str | Path | None = None, seed: int = 0, **options: Any) -> Molecules:
    """Load molecules and their energies.

    Of the official qm7.mat, fold `seed % 5` of the five that it names is the test part; of other files a fifth, drawn by the
    seed. A twentieth of all is held out for validation.

    Args:
        source: None for qm7.mat or qm7.npz in the folder that EQUISPHERE_DATA names; or a file: qm7.mat (places in atomic
            units), an npz with `Z (n, atoms)` (0 for padding), `R (n, atoms, 3)` in Angstrom, `T (n,)`; or an xyz file whose
            comment lines begin with the energy.
        seed: of the split and of rotations.
        options: radial, reach, as in `Molecules`.

    Raises:
        DataError: where the source is missing, corrupt or of another kind; the message names the file.
    """
    path = kept("qm7.mat", "qm7.npz") if source is None else Path(source)
    if path is None or not path.is_file():
        raise DataError(f"there is no file of molecules {source or 'qm7.mat'}. {WHERE}")
    table, folds = _read(path)
    if folds is None:
        parts = stratified_split(torch.zeros(len(table), dtype=torch.int64), seed)
    else:
        test = folds[seed % len(folds)]
        rest = torch.ones(len(table), dtype=torch.bool)
        rest[test] = False
        (others,) = torch.where(rest)
        own = stratified_split(torch.zeros_like(others), seed, test=0.0, validation=1 / 16)
        parts = {"train": others[own["train"]], "validation": others[own["validation"]], "test": test}
    elements = tuple(sorted({*ORGANIC, *table.charges.unique().tolist()} - {0}))
    split = {name: table.take(index) for name, index in parts.items()}
    return Molecules(path.stem, split["train"], split["validation"], split["test"], elements, **options, seed=seed)


def _read(path: Path) -> tuple[MoleculeTable, Int64[Tensor, "folds n"] | None]:
    readers = {".mat": _read_mat, ".npz": _read_npz, ".xyz": _read_xyz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} is no file of molecules. {WHERE}")
    try:
        charges, positions, energies, folds = reader(path)
    except DataError:
        raise
    except KeyError as error:
        raise DataError(f"{path} lacks an array of molecules ({error}). {WHERE}") from None
    except (OSError, ValueError, EOFError, TypeError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as molecules ({type(error).__name__}: {error}).") from error
    if charges.ndim != 2 or positions.shape != (*charges.shape, 3) or energies.shape != charges.shape[:1]:
        raise DataError(
            f"{path} must hold charges (n, atoms), places (n, atoms, 3) and n energies, got {charges.shape}, "
            f"{positions.shape} and {energies.shape}."
        )
    if len(energies) < 20:
        raise DataError(f"{path} holds {len(energies)} molecules, too few to split.")
    for name, x in (("places", positions), ("energies", energies)):
        bad = np.flatnonzero(~np.isfinite(x).reshape(len(x), -1).all(axis=1))
        if len(bad):
            raise DataError(
                f"{path}: {name} of {len(bad)} molecules are NaN or infinite, the first is number {bad[0]}."
            )
    if charges.min() < 0 or not (charges == charges.round()).all():
        raise DataError(f"{path}: charges must be integers from 0 (padding), got {charges.min()} to {charges.max()}.")
    table = MoleculeTable(
        torch.from_numpy(charges.astype(np.int64)),
        torch.from_numpy(positions.astype(np.float64)),
        torch.from_numpy(energies.astype(np.float64)),
    )
    return table, None if folds is None else torch.from_numpy(folds.astype(np.int64))


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]


def _read_mat(path: Path) -> Arrays:
    from scipy.io import loadmat

    try:
        found = loadmat(path)
    except NotImplementedError as error:  # a MATLAB 7.3 file
        raise ValueError(str(error)) from error
    return found["Z"], found["R"] * BOHR, found["T"].reshape(-1), found["P"]


def _read_npz(path: Path) -> Arrays:
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        return file["Z"], file["R"], file["T"], None


def _read_xyz(path: Path) -> Arrays:
    found = read_xyz(path)
    most = max(len(m.charges) for m in found)
    charges, positions = np.zeros((len(found), most)), np.zeros((len(found), most, 3))
    energies = np.zeros(len(found))
    for i, m in enumerate(found):
        charges[i, : len(m.charges)], positions[i, : len(m.charges)] = m.charges.numpy(), m.positions.numpy()
        try:
            energies[i] = float(m.comment.split()[0])
        except (ValueError, IndexError):
            raise DataError(
                f"{path}, molecule {i + 1}: its comment must begin with the energy, got {m.comment!r}."
            ) from None
    return charges, positions, energies, None
