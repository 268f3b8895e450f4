"""Molecules with energies: files of three kinds, folds, the linear model of the composition; and what is said of bad ones."""

import numpy as np
import pytest
import torch
from scipy.io import savemat

from equisphere.data import (
    Batch,
    DataError,
    DataSet,
    Decaying,
    Molecule,
    Part,
    load_molecules,
    neighbour_coefficients,
    write_xyz,
)
from equisphere.groups import random_rotations

N = 40
RNG = np.random.default_rng(0)
Z = RNG.choice([1, 6, 8], (N, 5)).astype(np.uint8)
Z[:, 4] *= RNG.random(N) < 0.5
R = RNG.normal(size=(N, 5, 3))
T = np.where(Z == 1, -60.0, np.where(Z > 0, -150.0, 0.0)).sum(1)


@pytest.fixture
def npz(tmp_path):
    np.savez(tmp_path / "few.npz", Z=Z, R=R, T=T)
    return tmp_path / "few.npz"


def test_an_npz_is_split_in_fifths(npz):
    found = load_molecules(npz)
    assert isinstance(found, DataSet)
    assert [len(p) for p in (found.train, found.validation, found.test)] == [30, 2, 8]
    assert not torch.equal(found.test.energies, load_molecules(npz, seed=1).test.energies)


def test_the_official_file_has_atomic_units_and_its_own_folds(tmp_path):
    folds = np.arange(N).reshape(5, N // 5)
    savemat(tmp_path / "qm7.mat", {"Z": Z.astype(np.float32), "R": R / 0.529177210903, "T": T[None], "P": folds})
    for seed in (0, 3):
        found = load_molecules(tmp_path / "qm7.mat", seed)
        np.testing.assert_allclose(found.test.positions.numpy(), R[folds[seed]], rtol=1e-12)
        assert len(found.train) + len(found.validation) == N - 8


def test_an_xyz_file_has_energies_in_its_comments(tmp_path, npz):
    molecules = [
        Molecule(torch.tensor(z[z > 0]).long(), torch.from_numpy(r[z > 0]), f"{t} kcal/mol")
        for z, r, t in zip(Z, R, T, strict=True)
    ]
    write_xyz(molecules, tmp_path / "few.xyz")
    one, other = load_molecules(tmp_path / "few.xyz"), load_molecules(npz)
    torch.testing.assert_close(one.test.energies, other.test.energies)
    write_xyz([*molecules, Molecule(torch.tensor([1]), torch.zeros(1, 3).double(), "no number")], tmp_path / "bad.xyz")
    with pytest.raises(DataError, match=r"bad\.xyz, molecule 41.*must begin with the energy"):
        load_molecules(tmp_path / "bad.xyz")


def test_the_linear_model_of_the_composition_is_found(npz):
    settings = load_molecules(npz).model_settings
    offsets = dict(zip(settings["elements"], settings["offsets"], strict=True))
    assert offsets[1] == pytest.approx(-60)
    assert offsets[8] == pytest.approx(-150)
    assert settings["in_channels"] == 5 * 8


def test_a_part_gives_signals_charges_and_energies(npz):
    found = load_molecules(npz, radial=4)
    part = found.part("test", 3)
    assert isinstance(part, Part)
    (c, charges), energies = part[Batch(torch.tensor([5, 1]), 0)]
    assert c.shape == (2, 5, 20, 9)
    torch.testing.assert_close(energies.double(), found.test.energies[[5, 1]])
    expected = neighbour_coefficients(charges, found.test.positions[[5, 1]].float(), 3, Decaying(4))
    torch.testing.assert_close(c, expected)
    turned = found.part("test", 3, rotated=True)
    (c, _), _ = turned[Batch(torch.tensor([5]), 0)]
    rotation = random_rotations(8, torch.Generator().manual_seed(3), torch.float64)[5]
    places = (found.test.positions[5] @ rotation.mT).float()
    torch.testing.assert_close(c[0], neighbour_coefficients(charges[0], places, 3, Decaying(4)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"T": T[:-1]}, "n energies"),
        ({"R": np.where(np.arange(N)[:, None, None] == 7, np.nan, R)}, "places of 1 molecules.*number 7"),
        ({"T": np.full(N, np.inf)}, "energies of 40"),
        ({"Z": Z - 100.5}, "integers from 0"),
        ({"Z": Z[:9], "R": R[:9], "T": T[:9]}, "too few"),
    ],
)
def test_bad_arrays_are_named(tmp_path, changes, message):
    np.savez(tmp_path / "bad.npz", **{"Z": Z, "R": R, "T": T, **changes})
    with pytest.raises(DataError, match=rf"bad\.npz.*{message}"):
        load_molecules(tmp_path / "bad.npz")


def test_bad_files_are_named(tmp_path, monkeypatch):
    np.savez(tmp_path / "lacking.npz", Z=Z, R=R)
    with pytest.raises(DataError, match=r"lacking\.npz lacks an array"):
        load_molecules(tmp_path / "lacking.npz")
    (tmp_path / "junk.mat").write_bytes(b"junk" * 50)
    with pytest.raises(DataError, match=r"junk\.mat cannot be read"):
        load_molecules(tmp_path / "junk.mat")
    (tmp_path / "molecules.pdf").touch()
    with pytest.raises(DataError, match=r"molecules\.pdf is no file of molecules"):
        load_molecules(tmp_path / "molecules.pdf")
    monkeypatch.delenv("EQUISPHERE_DATA", raising=False)
    with pytest.raises(DataError, match=r"quantum-machine\.org"):
        load_molecules()


def test_the_real_molecules_are_read(real_data):
    found = load_molecules(real_data / "qm7.npz")
    assert len(found.test) == 1140
