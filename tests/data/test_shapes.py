"""Labelled shapes: from folders and npz files, split, lifted, distorted; and what is said of bad ones."""

import numpy as np
import pytest
import torch

import equisphere as es
from equisphere.data import (
    Batch,
    DataError,
    DataSet,
    Distortion,
    LabelledClouds,
    Mesh,
    Part,
    Shapes,
    SphericalClouds,
    load_shapes,
    normalize_points,
    stratified_split,
    write_mesh,
)

TETRAHEDRON = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double()
SIDES = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
CLOUDS = LabelledClouds(torch.rand(30, 40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_classes(root, official, number=6):
    for name, stretch in (("cone", 3.0), ("ball", 1.0)):
        for part in ("train", "test") if official else ("",):
            for i in range(number):
                shape = TETRAHEDRON * torch.tensor([1.0, 1.0, stretch + 0.1 * i]).double()
                (root / name / part).mkdir(parents=True, exist_ok=True)
                write_mesh(Mesh(shape, SIDES), root / name / part / f"{name}_{i}.off")
    return root


def test_a_split_is_stratified_seeded_and_whole():
    labels = torch.tensor([0] * 40 + [1] * 60 + [2] * 5)[torch.randperm(105)]
    parts = stratified_split(labels, seed=3)
    assert torch.cat(list(parts.values())).sort()[0].tolist() == list(range(105))
    counts = {name: torch.bincount(labels[part], minlength=3).tolist() for name, part in parts.items()}
    assert counts == {"train": [30, 45, 3], "validation": [2, 3, 1], "test": [8, 12, 1]}
    again, other = stratified_split(labels, seed=3), stratified_split(labels, seed=4)
    assert torch.equal(parts["test"], again["test"])
    assert not torch.equal(parts["test"], other["test"])


def test_a_folder_of_meshes_by_class_is_split(tmp_path):
    shapes = load_shapes(write_classes(tmp_path / "mine", official=False), points=50, shells=3)
    assert isinstance(shapes, DataSet)
    assert shapes.classes == ("ball", "cone")
    assert shapes.model_settings == {"classes": 2, "in_channels": 3}
    assert [len(p) for p in (shapes.train, shapes.validation, shapes.test)] == [8, 2, 2]
    assert shapes.train.points.shape == (8, 50, 3)


def test_the_official_split_is_kept(tmp_path):
    root = write_classes(tmp_path / "ModelNet10", official=True)
    shapes = load_shapes(root, points=50)
    assert [len(p) for p in (shapes.train, shapes.validation, shapes.test)] == [10, 2, 12]
    other = load_shapes(root, seed=5, points=50)
    assert torch.equal(shapes.test.points, other.test.points)


def test_clouds_of_meshes_come_from_the_cache_and_change_with_the_files(tmp_path, monkeypatch):
    root = write_classes(tmp_path / "mine", official=False)
    first = load_shapes(root, points=20)

    def never(*_):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr("equisphere.data._shape_files.read_mesh", never)
        assert torch.equal(load_shapes(root, points=20).train.points, first.train.points)
    write_mesh(Mesh(TETRAHEDRON * torch.tensor([9.0, 1.0, 1.0]).double(), SIDES), root / "ball" / "ball_0.off")
    again = load_shapes(root, points=20)
    every = [torch.cat([s.train.points, s.validation.points, s.test.points]) for s in (first, again)]
    assert not torch.equal(*every)


def test_every_corrupt_mesh_is_named(tmp_path):
    root = write_classes(tmp_path / "mine", official=False)
    (root / "ball" / "ball_1.off").write_text("OFF\n4 4 6\n0 0 0\n")
    (root / "cone" / "cone_2.off").write_text("no mesh")
    with pytest.raises(DataError, match=r"2 of 12 meshes.*ball_1\.off.*cone_2\.off"):
        load_shapes(root, points=20)


def npz(path, **changes):
    arrays = {
        "points": (32767 * (2 * CLOUDS.points.numpy() - 1)).astype(np.int16),
        "label": CLOUDS.labels.numpy().astype(np.uint8),
        "classes": np.array(["a", "b", "c"]),
    }
    np.savez(path, **{k: v for k, v in {**arrays, **changes}.items() if v is not None})
    return path


def test_clouds_come_from_npz(tmp_path):
    shapes = load_shapes(npz(tmp_path / "clouds.npz"))
    assert [len(p) for p in (shapes.train, shapes.validation, shapes.test)] == [21, 3, 6]
    assert float(shapes.train.points.abs().max()) <= 1


def test_meshes_come_from_npz(tmp_path):
    count = 12
    arrays = {
        "points": None,
        "vertices": (10_000 * TETRAHEDRON.repeat(count, 1).numpy()).astype(np.int16),
        "faces": SIDES.repeat(count, 1).numpy().astype(np.uint16),
        "vertex_offset": 4 * np.arange(count + 1),
        "face_offset": 4 * np.arange(count + 1),
        "label": np.arange(count) % 3,
    }
    shapes = load_shapes(npz(tmp_path / "meshes.npz", **arrays), points=30)
    assert shapes.train.points.shape[1:] == (30, 3)
    arrays["faces"] = arrays["faces"] + 2
    with pytest.raises(DataError, match=r"meshes\.npz.*mesh 0.*vertices 0 to 3"):
        load_shapes(npz(tmp_path / "meshes.npz", **arrays))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": None}, "lacks an array.*label"),
        ({"label": np.arange(29)}, "n labels"),
        ({"label": np.full(30, 3)}, "classes 0 to 2"),
        ({"points": np.full((30, 4, 3), np.nan)}, "NaN"),
        ({"points": np.zeros((30, 3))}, r"points \(n, p, 3\)"),
    ],
)
def test_a_bad_npz_is_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=rf"bad\.npz.*{message}"):
        load_shapes(npz(tmp_path / "bad.npz", **changes))


def test_truncated_and_missing_files_are_named(tmp_path, monkeypatch):
    whole = npz(tmp_path / "clouds.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half\.npz cannot be read"):
        load_shapes(tmp_path / "half.npz")
    monkeypatch.delenv("EQUISPHERE_DATA", raising=False)
    with pytest.raises(DataError, match=r"modelnet\.cs\.princeton\.edu"):
        load_shapes("modelnet40")
    with pytest.raises(DataError, match="gone"):
        load_shapes(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no class folders"):
        load_shapes(tmp_path / "empty")
    (tmp_path / "empty" / "chair").mkdir()
    with pytest.raises(DataError, match="chair holds no mesh"):
        load_shapes(tmp_path / "empty")


def test_a_cloud_is_lifted_turned_by_a_rotation_of_its_own():
    data = SphericalClouds(CLOUDS, 6, 4, rotated=True, seed=3)
    assert isinstance(data, Part)
    c, labels = data[Batch(torch.tensor([7, 2]), 0)]
    upright = es.data.cloud_coefficients(normalize_points(CLOUDS.points[7]), 6, 4)
    torch.testing.assert_close(c[0], es.rotate(upright, data.rotations[7]), atol=1e-5, rtol=0)
    assert labels.tolist() == [1, 2]
    torch.testing.assert_close(data[Batch(torch.tensor([2]), 5)][0][0], c[1])


def test_as_they_come_clouds_are_turned_about_the_vertical():
    data = SphericalClouds(CLOUDS, 6, 4, rotated=False, seed=3)
    z = torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(data.rotations @ z, z.expand(30, 3))
    assert len({round(float(R[0, 0]), 5) for R in data.rotations}) > 20


def test_distortions_depend_on_seed_epoch_and_cloud_alone():
    data = SphericalClouds(CLOUDS, 6, 4, rotated=False, seed=3, distortion=Distortion())
    first = data[Batch(torch.tensor([4, 5]), 1)][0]
    other = data[Batch(torch.tensor([5]), 2)][0][0]
    torch.testing.assert_close(first[1], data[Batch(torch.tensor([5]), 1)][0][0])
    assert not torch.allclose(first[1], other, atol=1e-3)


def test_a_distortion_keeps_drops_and_moves_points():
    points = torch.rand(100, 3)
    same = Distortion(affine=0, noise=0, keep=1)(points, seed=0)
    torch.testing.assert_close(same.sort(0)[0], points.sort(0)[0])
    assert Distortion(keep=0.3)(points, seed=0).shape == (30, 3)
    noisy = Distortion(affine=0, noise=0.1, keep=1)(points, 0)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    assert 0.08 < float((noisy - points[order]).std()) < 0.12


def test_parts_differ_in_rotations_and_only_training_is_distorted():
    shapes = Shapes("x", CLOUDS, CLOUDS, CLOUDS, ("a", "b", "c"))
    train, test = shapes.part("train", 6, augmented=True), shapes.part("test", 6)
    assert not torch.equal(train.rotations, test.rotations)
    assert train.distortion is not None
    assert test.distortion is None


def test_the_real_shapes_are_read(real_data):
    shapes = load_shapes(real_data / "modelnet10_train_points.npz")
    assert [len(p) for p in (shapes.train, shapes.validation, shapes.test)] == [2994, 199, 798]
