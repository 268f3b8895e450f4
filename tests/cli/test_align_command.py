"""`equisphere align`: every kind of file, for people and for programs."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from reference import randn
from typer.testing import CliRunner

import equisphere as es
from equisphere.cli._app import app
from equisphere.data import DataError, read_coefficients

R = es.random_rotations(1, torch.Generator().manual_seed(4), torch.float64)[0]


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["align", *map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result


def angle_to(report):
    """Between the rotation found and R, degrees."""
    found = torch.tensor(report["best"]["matrix"], dtype=torch.float64)
    return float(torch.rad2deg(2 * torch.asin(((found - R).norm() / 8**0.5).clamp(max=1))))


def saved(folder, name, array):
    np.save(folder / name, np.asarray(array))
    return folder / f"{name}.npy"


@pytest.fixture
def signal():
    """Smooth coefficients of band limit 12, and the same turned by R."""
    c = randn(144) / (1 + torch.arange(144).sqrt())
    return c, es.rotate(c, R)


@pytest.mark.parametrize("kind", ["coefficients", "cells", "poles", "healpix", "stack"])
def test_numpy_files_of_every_kind(kind, signal, tmp_path):
    grids = {
        "cells": es.grids.DriscollHealy(nlat=30, nlon=40),
        "poles": es.grids.ClenshawCurtis(nlat=31, nlon=40),
        "healpix": es.grids.HEALPix(8),
        "stack": es.grids.DriscollHealy(nlat=30, nlon=40),
    }
    arrays = signal if kind == "coefficients" else [es.SHT(grids[kind], 12).inverse(c) for c in signal]
    if kind == "stack":
        arrays = [torch.stack((x, 2 * x)) for x in arrays]
    a, b = (saved(tmp_path, name, x) for name, x in zip("ab", arrays, strict=True))
    options = ["--poles"] if kind == "poles" else []
    report = json.loads(run(a, b, "--json", "--bandwidth", 12, *options).stdout)
    assert angle_to(report) < 1e-3
    assert report["bandwidth"] == 12
    assert report["score"] > 0.999999
    assert report["margin"] > 0.1
    axis = report["best"]["axis"]
    assert np.allclose(R @ torch.tensor(axis, dtype=torch.float64), axis, atol=1e-5)
    turn = es.groups.rotation_about(tuple(axis), torch.tensor(np.radians(report["best"]["angle_degrees"])))
    assert torch.allclose(turn, R, atol=1e-5)


def test_pictures(signal, tmp_path):
    grid = es.grids.DriscollHealy(nlat=64, nlon=128)
    for name, c in zip("ab", signal, strict=True):
        f = es.SHT(grid, 12).inverse(c)
        grey = (127 + 30 * f).clamp(0, 255).byte().numpy()
        Image.fromarray(np.stack((grey, grey, 255 - grey), axis=-1)).save(tmp_path / f"{name}.png")
    assert angle_to(json.loads(run(tmp_path / "a.png", tmp_path / "b.png", "--json").stdout)) < 0.1


def test_clouds_are_told_from_maps(tmp_path):
    """Points turned by R, moved and scaled; as text too."""
    cloud = np.random.default_rng(0).normal(size=(200, 3)) * (1, 2, 3)
    a, b = saved(tmp_path, "a", cloud), saved(tmp_path, "b", 5 + 2 * cloud @ R.numpy().T)
    assert angle_to(json.loads(run(a, b, "--json", "--bandwidth", 12).stdout)) < 1e-3
    np.savetxt(tmp_path / "a.pts", cloud)
    assert angle_to(json.loads(run(tmp_path / "a.pts", b, "--json", "--bandwidth", 12).stdout)) < 1e-3


def test_what_project_wrote_is_read_as_coefficients(tmp_path):
    cloud = np.random.default_rng(0).normal(size=(200, 3)) * (1, 2, 3)
    a, b = saved(tmp_path, "a", cloud), saved(tmp_path, "b", cloud @ R.numpy().T)
    written = CliRunner().invoke(app, ["project", str(a), str(b), "--output", str(tmp_path), "--no-cache"])
    assert written.exit_code == 0, written.output
    report = json.loads(run(tmp_path / "a.npy.npz", tmp_path / "b.npy.npz", "--json", "--bandwidth", 12).stdout)
    assert report["bandwidth"] == 12
    assert angle_to(report) < 1e-2


def test_files_of_two_kinds_are_named_with_what_they_were_read_as(tmp_path):
    """Where the numbers of signals agree too: a cloud has six, and so has a projected mesh."""
    trimesh = pytest.importorskip("trimesh")
    mesh = tmp_path / "mesh.ply"
    trimesh.creation.box((1.0, 2.0, 3.0)).export(mesh)
    written = CliRunner().invoke(
        app, ["project", str(mesh), "--output", str(tmp_path), "--no-cache", "--bandwidth", "8"]
    )
    assert written.exit_code == 0, written.output
    flat = saved(tmp_path, "map", np.random.default_rng(0).normal(size=(16, 32)))
    stack = saved(tmp_path, "stack", np.random.default_rng(0).normal(size=(2, 16, 32)))
    cloud = saved(tmp_path, "cloud", np.random.default_rng(0).normal(size=(20, 3)))
    projected = tmp_path / "mesh.ply.npz"
    for a, b, words in (
        (
            flat,
            cloud,
            "a map of 16 x 32, ROWS (signals: 1), {} as a cloud of points (signals: 6). Give two maps, two clouds",
        ),
        (mesh, stack, "a mesh (signals: 2), {} as maps of 16 x 32, ROWS (signals: 2)"),
        (flat, stack, "a map of 16 x 32, ROWS (signals: 1), {} as maps of 16 x 32, ROWS (signals: 2)"),
        (mesh, projected, "a mesh (signals: 2), {} as a projected mesh (signals: 6)"),
        (cloud, projected, "a cloud of points (signals: 6), {} as a projected mesh (signals: 6)"),
    ):
        read = words.replace("ROWS", "rows half a cell off the poles").format(b)
        said = run(a, b, "--bandwidth", 8, code=1).stderr.replace("\n", "").replace(" ", "")
        assert f"{a} was read as {read}".replace(" ", "") in said


def test_signals_are_of_one_kind_whatever_they_were_sampled_on(signal, tmp_path):
    a = saved(tmp_path, "a", es.SHT(es.grids.HEALPix(8), 12).inverse(signal[0]))
    b = saved(tmp_path, "b", signal[1])
    assert angle_to(json.loads(run(a, b, "--json", "--bandwidth", 12).stdout)) < 1e-3


def test_a_picture_that_is_no_panorama_is_refused(tmp_path):
    Image.fromarray(np.eye(100, dtype=np.uint8) * 255).save(tmp_path / "a.png")
    assert "twice as wide as high" in " ".join(run(tmp_path / "a.png", tmp_path / "a.png", code=1).stderr.split())


def test_meshes(tmp_path):
    """An uneven box, turned and moved: found to the digits of the file, its four symmetries with it."""
    trimesh = pytest.importorskip("trimesh")
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    box.export(tmp_path / "a.ply")
    there = np.eye(4)
    there[:3, :3], there[:3, 3] = R.numpy(), (5.0, -2.0, 1.0)
    box.apply_transform(there)
    box.export(tmp_path / "b.ply")
    report = json.loads(run(tmp_path / "a.ply", tmp_path / "b.ply", "--json", "--bandwidth", 16).stdout)
    assert len(report["within_0.01_of_the_best"]) == 3
    assert report["margin"] < 1e-6
    found = [report["best"], *report["within_0.01_of_the_best"]]
    assert min(angle_to({"best": one}) for one in found) < 1e-3


def test_of_symmetries_the_smallest_turn_comes_first(tmp_path):
    cube = np.zeros(25)
    cube[20], cube[24] = 7**0.5, 5**0.5
    path = saved(tmp_path, "cube", cube)
    report = json.loads(run(path, path, "--json", "--peaks", 24).stdout)
    angles = [one["angle_degrees"] for one in (report["best"], *report["within_0.01_of_the_best"])]
    assert np.allclose(angles, [0] + 6 * [90] + 8 * [120] + 9 * [180], atol=1e-3)
    assert report["best"]["axis"] == [0, 0, 1]


def test_people_get_a_table(signal, tmp_path):
    a, b = (saved(tmp_path, name, x) for name, x in zip("ab", signal, strict=True))
    text = run(a, b).stdout
    assert "score" in text
    assert "degrees about" in text
    assert "to band limit 12 (32 asked for)" in text
    assert "asked for" not in run(a, b, "--bandwidth", 12).stdout


def test_an_array_of_an_npz_file_is_named(signal, tmp_path):
    np.savez(tmp_path / "two.npz", one=signal[0], two=signal[1])
    c = read_coefficients(tmp_path / "two.npz", 4, key="two")
    assert torch.equal(c, signal[1][None, :16])
    assert "--key" in " ".join(run(tmp_path / "two.npz", tmp_path / "two.npz", code=1).stderr.split())


def test_a_zero_has_no_sign():
    from equisphere.cli._align import _described, _in_words

    almost = torch.eye(3, dtype=torch.float64)
    almost[0, 1], almost[1, 0] = -1e-7, 1e-7
    for R in (torch.eye(3, dtype=torch.float64), almost):
        assert "-0.0000 " not in _in_words(_described(R, 1.0)).replace(",", " ").replace(")", " ")
        assert "-0.00000 " not in _in_words(_described(R, 1.0)).replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.npy", None, "there is no file"),
        ("a.txt", b"hello", "of no kind that is read here"),
        ("a.npy", b"no array", "cannot be read as a NumPy file"),
        ("a.npz", b"no archive", "cannot be read as a NumPy file"),
        ("a.png", b"no picture", "cannot be read as a picture"),
        ("b.npy", np.ones(7), "must hold L\\*L coefficients"),
        ("c.npy", np.full((8, 8), np.nan), "NaN or infinite"),
        ("d.npy", np.ones((2, 2), complex), "real numbers"),
        ("e.npy", np.ones((0, 3)), r"holds no numbers: its shape is \(0, 3\)"),
        ("f.npy", np.ones((3, 100)), "is it transposed"),
        ("g.npy", np.ones((100, 4)), "8 rows and columns at least"),
        ("h.npy", np.ones((16, 32, 3)), "are the channels the last"),
    ],
)
def test_files_that_cannot_be_read_are_named(name, content, words, tmp_path):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        np.save(tmp_path / name, content)
    with pytest.raises(DataError, match=words):
        read_coefficients(tmp_path / name, 4)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="is a folder: give a file"):
        read_coefficients(tmp_path, 4)


def test_a_mesh_that_is_none_is_named(tmp_path):
    pytest.importorskip("trimesh")
    (tmp_path / "a.obj").write_text("v 0 0 0\n")
    with pytest.raises(DataError, match=r"a\.obj"):
        read_coefficients(tmp_path / "a.obj", 4)


@pytest.mark.parametrize(
    ("array", "why"), [(np.ones((8, 16)), "it is constant"), (np.ones((50, 3)), "all its points lie at their centroid")]
)
def test_what_looks_the_same_in_every_rotation_is_refused_by_name(array, why, signal, tmp_path):
    path = saved(tmp_path, "flat", array)
    assert f"flat.npy looks the same in every rotation, so that it cannot be compared: {why}" in "".join(
        run(path, path, code=1).stderr.splitlines()
    ).replace("  ", " ")


def test_rows_of_healpix_pixels_are_maps(signal, tmp_path):
    maps = [es.SHT(es.grids.HEALPix(8), 12).inverse(torch.stack((c, 2 * c))) for c in signal]
    report = json.loads(run(*(saved(tmp_path, n, x) for n, x in zip("ab", maps, strict=True)), "--json").stdout)
    assert report["read_as"] == ["HEALPix maps of 768 pixels"] * 2
    assert angle_to(report) < 1e-2


def test_a_row_more_than_half_the_columns_lies_at_the_poles(signal, tmp_path):
    grid = es.grids.ClenshawCurtis(nlat=33, nlon=64)
    a, b = (saved(tmp_path, name, es.SHT(grid, 12).inverse(c)) for name, c in zip("ab", signal, strict=True))
    report = json.loads(run(a, b, "--json", "--bandwidth", 12).stdout)
    assert report["read_as"] == ["a map of 33 x 64, first and last row at the poles"] * 2
    assert angle_to(report) < 1e-5
    assert angle_to(json.loads(run(a, b, "--json", "--bandwidth", 12, "--no-poles").stdout)) > 1e-5
