"""Potentials around atoms: against the sum of 1 / distance, turned, differentiated; xyz files."""

import numpy as np
import pytest
import torch
from rounding import bound, product, rotation

import equisphere as es
from equisphere.data import DataError, Molecule, molecule_coefficients, read_xyz, write_xyz

WATER = torch.tensor([8, 1, 1])
PLACES = torch.tensor([[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]], dtype=torch.float64)


@pytest.mark.parametrize("radius", [0.1, 3.0])  # the other atoms outside and inside the spheres
def test_it_is_the_coulomb_potential(radius):
    c = molecule_coefficients(WATER, PLACES, 24, (1, 8), radius)
    x = torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64), dim=-1)
    found = es.transforms.evaluate(c, x)
    for i in range(3):
        distance = (PLACES[i] + radius * x[:, None] - PLACES).norm(dim=-1)
        for e, element in enumerate((1, 8)):
            expected = sum(WATER[i] * WATER[j] / distance[:, j] for j in range(3) if j != i and WATER[j] == element)
            # the series is cut after (r_< / r_>)^23
            torch.testing.assert_close(found[i, e], expected + 0 * x[:, 0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equivariance_is_exact_up_to_rounding(dtype):
    """As for clouds, test_clouds.py: each entry is a sum of few terms; a difference of two places errs by both of their errors,
    twice as large where places are twice as far out as apart; and the largest power of it is L."""
    L = 10
    charges = torch.tensor([6, 1, 1, 8, 7, 1, 0])
    places = 1.5 * torch.randn(7, 3, dtype=dtype)
    R = es.random_rotations(6, dtype=torch.float64).to(dtype)
    turned = torch.einsum("gij,nj->gni", R, places)
    left = molecule_coefficients(charges.expand(6, -1), turned, L)
    right = es.rotate(molecule_coefficients(charges, places, L), R[:, None, None])
    error = (left - right).flatten(1).norm(dim=1) / right.flatten(1).norm(dim=1)
    variance = 2 * (3 * L**2 + product(7)) + 4 * (product(3) + 3) * L**2 + rotation(L, dtype)
    assert 0 < error.max() <= bound(variance, dtype)


def test_forces_and_padding():
    places = PLACES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: molecule_coefficients(WATER, p, 4, (1, 8)), places)
    padded = molecule_coefficients(
        torch.cat((WATER, torch.zeros(2, dtype=torch.int64))), torch.cat((PLACES, torch.zeros(2, 3))), 4
    )
    torch.testing.assert_close(padded[:3], molecule_coefficients(WATER, PLACES, 4))
    assert (padded[3:] == 0).all()


def test_qm7_is_read_whole(real_data):
    with np.load(real_data / "qm7.npz") as file:
        charges, places = (torch.from_numpy(file[name][:50]) for name in ("Z", "R"))
    c = molecule_coefficients(charges.long(), places.double(), 6)
    assert c.shape == (50, 23, 5, 36)
    assert torch.isfinite(c).all()


def test_xyz_files_come_back(tmp_path):
    molecules = [Molecule(WATER, PLACES, "water"), Molecule(torch.tensor([17]), torch.zeros(1, 3).double())]
    write_xyz(molecules, tmp_path / "two.xyz")
    first, second = read_xyz(tmp_path / "two.xyz")
    assert first.comment == "water"
    torch.testing.assert_close(first.positions, PLACES)
    assert second.charges.tolist() == [17]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no molecule"),
        ("three\n\nH 0 0 0\n", "line 1: a number of atoms"),
        ("2\n\nH 0 0 0\n", "2 atoms are promised, 1 lines"),
        ("1\n\nQq 0 0 0\n", "line 3"),
        ("1\n\nH 0 nan 0\n", "line 3.*finite"),
        ("1\n\nH 0 0\n", "line 3"),
    ],
)
def test_a_bad_xyz_file_is_named(tmp_path, text, message):
    (tmp_path / "bad.xyz").write_text(text)
    with pytest.raises(DataError, match=rf"bad\.xyz.*{message}"):
        read_xyz(tmp_path / "bad.xyz")


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("charges", "places", "options", "message"),
    [
        (WATER, PLACES[:2], {}, "go together"),
        (WATER, PLACES * torch.nan, {}, "finite"),
        (WATER, PLACES, {"elements": (1, 6)}, r"no channel .*\[8\]"),
        (WATER, PLACES, {"radius": -1.0}, "positive number of Angstrom"),
    ],
)
def test_bad_input_is_explained(charges, places, options, message):
    with pytest.raises(ValueError, match=message):
        molecule_coefficients(charges, places, 4, **options)
