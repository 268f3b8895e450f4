"""`equisphere predict`: the kind of file follows from what the network was trained on."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import equisphere as es
from equisphere import models
from equisphere.cli._app import app
from equisphere.data import Molecule, load_panoramas, read_healpix, write_healpix, write_xyz
from equisphere.train import RECIPES, Recipe

CHAIR = ("chair", "desk", "lamp")


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    return result


def answers(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code).stdout)


def saved(folder, recipe: Recipe, model, **notes):
    return models.save(model.eval(), folder / f"{recipe.name}.safetensors", {"recipe": recipe.to_dict(), **notes})


@pytest.fixture
def shapes(tmp_path):
    settings = {"classes": 3, "in_channels": 4, "channels": [6], "bandwidths": [8], "activation": "silu", "hidden": 8}
    recipe = RECIPES["modelnet10"].changed(settings=settings, options={"shells": 4, "points": 300})
    return saved(tmp_path, recipe, models.SphericalClassifier(**settings), classes=list(CHAIR))


def test_shapes_are_named_in_any_orientation(shapes, tmp_path):
    cloud = np.random.default_rng(0).normal(size=(200, 3)) * (1, 2, 0.3)
    (tmp_path / "clouds").mkdir()
    np.save(tmp_path / "clouds" / "a.npy", cloud)
    np.save(tmp_path / "clouds" / "b.npy", 3 * cloud @ es.random_rotations(1)[0].numpy().T + 1)
    rows = answers(shapes, tmp_path / "clouds")["predictions"]
    assert [row["class"] for row in rows] == 2 * [rows[0]["class"]]
    assert rows[0]["class"] in CHAIR
    for name in CHAIR:
        assert rows[1]["probabilities"][name] == pytest.approx(rows[0]["probabilities"][name], abs=0.02)
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    text = run(shapes, tmp_path / "clouds" / "a.npy").stdout
    assert rows[0]["class"] in text
    assert "%" in text


def test_a_mesh_is_the_same_however_it_lies(shapes, tmp_path):
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]])
    for name, places in (("a", corners), ("b", 2 * corners @ es.random_rotations(1)[0].numpy().T + 5)):
        lines = ["OFF", "4 4 0", *(" ".join(map(str, p)) for p in places), "3 0 1 2", "3 0 1 3", "3 0 2 3", "3 1 2 3"]
        (tmp_path / name).mkdir()
        (tmp_path / name / "mesh.off").write_text("\n".join(lines) + "\n")
    first, second = answers(shapes, tmp_path / "a", tmp_path / "b")["predictions"]
    assert first["probabilities"] == pytest.approx(second["probabilities"], abs=0.02)


def test_classes_without_names_are_numbers(tmp_path):
    settings = {"classes": 3, "in_channels": 4, "channels": [6], "bandwidths": [8], "hidden": 8}
    path = saved(tmp_path, RECIPES["shapes69"].changed(settings=settings), models.SphericalClassifier(**settings))
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(50, 3)))
    assert answers(path, tmp_path / "a.npy")["predictions"][0]["class"] in ("0", "1", "2")


@pytest.fixture
def energies(tmp_path):
    model = models.MoleculeRegressor(2 * 4, 3, 4, (8,), (1, 8), offsets=(-10.0, -100.0))
    return saved(tmp_path, RECIPES["qm7"].changed(options={"radial": 4, "reach": 4.0}), model)


def test_molecules_have_energies_in_any_orientation(energies, tmp_path):
    places = torch.tensor([[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]], dtype=torch.float64)
    turned = places @ es.random_rotations(1)[0].double().mT
    charges = torch.tensor([8, 1, 1])
    write_xyz([Molecule(charges, places, "water"), Molecule(charges, turned, "turned")], tmp_path / "water.xyz")
    first, second = answers(energies, tmp_path / "water.xyz")["predictions"]
    assert first["formula"] == "H2O"
    assert first["energy"] == pytest.approx(second["energy"], abs=1e-3)
    assert abs(first["energy"] + 120) < 30
    assert re.search(r"H2O\s*│\s*-1\d\d\.\d\d", run(energies, tmp_path / "water.xyz").stdout)
    write_xyz([Molecule(torch.tensor([6, 1]), places[:2], "")], tmp_path / "strange.xyz")
    (bad,) = answers(energies, tmp_path / "strange.xyz", code=1)["failed"]
    assert "strange.xyz" in bad["error"]
    assert "no channel for the nuclear charges [6]" in bad["error"]


@pytest.fixture
def rooms(tmp_path):
    model = models.SphericalUNet(3, 3, (4, 4), (8, 4))
    return saved(tmp_path, RECIPES["pano-layout"], model, classes=["floor", "wall", "ceiling"])


def test_panoramas_become_label_maps_that_can_be_trained_on(rooms, tmp_path):
    folder = tmp_path / "pictures" / "room"
    folder.mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (4, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(picture).save(folder / "a.png")
    (row,) = answers(rooms, folder, "--output", tmp_path / "out")["predictions"]
    assert sum(row["areas"].values()) == pytest.approx(1)
    labels = np.asarray(Image.open(row["labels"]))
    assert labels.shape == (32, 64)
    model, _ = models.load(rooms)
    signals = _rooms_of(tmp_path, labels).part("test", 8)
    c, target = signals[es.data.Batch(torch.tensor([0]), 0)]
    with torch.no_grad():
        assert torch.equal(
            target.read(model(c)).argmax(1), target.values.long()
        )  # what the network says is what was written
    assert "--output FOLDER" in run(rooms, folder / "a.png").stdout


def _rooms_of(folder, labels):
    """Three rooms with the same picture and labels, from files."""
    for room in ("room", "second", "third"):
        (folder / "labels" / room).mkdir(parents=True)
        (folder / "pictures" / room).mkdir(exist_ok=True)
        Image.open(folder / "pictures" / "room" / "a.png").save(folder / "pictures" / room / "a.png")
        picture = Image.fromarray(labels)
        picture.save(folder / "labels" / room / "a.png")
    (folder / "classes.txt").write_text("floor\nwall\nceiling\n")
    return load_panoramas(folder)


def test_a_picture_that_is_no_panorama_is_explained(rooms, tmp_path):
    Image.new("RGB", (30, 30)).save(tmp_path / "square.png")
    Image.new("RGB", (8, 4)).save(tmp_path / "small.png")
    failed = answers(rooms, tmp_path / "square.png", tmp_path / "small.png", code=1)["failed"]
    assert "twice as wide as high" in failed[0]["error"]
    assert "small.png" in failed[1]["error"]


def test_gaps_of_a_sky_are_filled_and_nothing_else(tmp_path):
    path = saved(tmp_path, RECIPES["sky-inpaint"], models.SphericalUNet(2, 1, (4, 4), (8, 4)))
    sky = torch.randn(1, 768, dtype=torch.float64)
    sky[0, 300:400] = torch.nan
    write_healpix(sky, tmp_path / "sky.fits")
    (row,) = answers(path, tmp_path / "sky.fits", "--output", tmp_path)["predictions"]
    assert row["gaps"] == 100
    filled = read_healpix(row["map"])[0]
    assert bool(torch.isfinite(filled).all())
    seen = ~torch.isnan(sky)
    assert torch.equal(filled[seen], sky[seen])
    assert float(filled[~seen].std()) > 0
    write_healpix(torch.randn(1, 768), tmp_path / "whole.fits")
    assert "must have pixels that were not seen" in answers(path, tmp_path / "whole.fits", code=1)["failed"][0]["error"]


def test_a_file_of_another_kind_is_told_what_would_be_read(shapes, energies, tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    (bad,) = answers(shapes, tmp_path / "a.png", code=1)["failed"]
    assert "this network reads meshes and clouds of points (.glb" in bad["error"]
    (tmp_path / "empty").mkdir()
    (bad,) = answers(energies, tmp_path / "empty", code=1)["failed"]
    assert "holds none of the molecules" in bad["error"]
    winds = saved(tmp_path, RECIPES["wind"], models.SphericalUNet(11, 2, (4,), (8,)))
    assert "does not read; it reads pictures of digits, meshes" in " ".join(run(winds, tmp_path, code=1).stderr.split())


def test_a_network_of_the_package_is_asked_by_its_name(tmp_path):
    digit = np.zeros((28, 28), np.uint8)
    digit[4:24, 13:15] = 255
    Image.fromarray(digit).save(tmp_path / "one.png")
    (row,) = answers("spherical-mnist", tmp_path / "one.png")["predictions"]
    assert (row["digit"], row["class"]) == (1, "1")
