"""Panoramas with classes: read from folders, divided by rooms, changed while training without a shift between the two."""

import numpy as np
import pytest
import torch
from PIL import Image

import equisphere as es
from equisphere.data import Batch, DataError, DataSet, LabelledPanoramas, load_panoramas, write_labels

H = 16
GRID = es.grids.DriscollHealy(nlat=H, nlon=2 * H)


def write(folder, rooms=("a", "b", "c"), each=2):
    draw = np.random.default_rng(0)
    (folder / "classes.txt").write_text("floor\nwall\n")
    for room in rooms:
        for kind in ("pictures", "labels"):
            (folder / kind / room).mkdir(parents=True)
        for i in range(each):
            pixels = draw.integers(0, 256, (H, 2 * H, 3), dtype=np.uint8)
            labels = draw.choice(np.array([0, 1, 255], np.uint8), (H, 2 * H))
            Image.fromarray(pixels).save(folder / "pictures" / room / f"{i}.png")
            Image.fromarray(labels).save(folder / "labels" / room / f"{i}.png")
    return folder


def test_a_folder_is_read(tmp_path):
    """Seen from inside, pictures and labels are mirrored together, so that longitude grows to the right."""
    write(tmp_path)
    found, mirrored = load_panoramas(tmp_path, inside=False), load_panoramas(tmp_path)
    assert found.images.shape == (6, 3, H, 2 * H)
    assert list(found.classes) == ["floor", "wall"]
    assert list(found.groups) == ["a", "a", "b", "b", "c", "c"]
    pixels = np.asarray(Image.open(tmp_path / "pictures" / "b" / "0.png"))
    labels = np.asarray(Image.open(tmp_path / "labels" / "b" / "0.png"))
    assert torch.equal(found.images[2].permute(1, 2, 0), torch.from_numpy(pixels.copy()))
    assert torch.equal(found.labels[2], torch.from_numpy(labels.copy()))
    assert torch.equal(mirrored.images, found.images.flip(-1))
    assert torch.equal(mirrored.labels, found.labels.flip(-1))
    c, target = found.part("train", 4)[Batch(torch.tensor([0]), 0)]
    assert c.shape == (1, 3, 16)
    assert bool(((target.weights == 0) == (target.values == 255)).all())  # what has no label does not count


def test_written_labels_are_read_as_they_were(tmp_path):
    write(tmp_path)
    labels = torch.arange(H * 2 * H).reshape(H, 2 * H) % 2
    for place in (tmp_path / "labels").rglob("*.png"):
        write_labels(labels, place)
    assert all(torch.equal(found, labels.to(torch.uint8)) for found in load_panoramas(tmp_path, inside=False).labels)
    write_labels(torch.arange(256)[None], tmp_path / "many.png")
    picture = Image.open(tmp_path / "many.png")
    assert np.array_equal(np.asarray(picture)[0], np.arange(256))
    colours = np.asarray(picture.convert("RGB"))[0, :7]
    assert len(np.unique(colours, axis=0)) == 7
    for bad in (torch.full((2, 2), -1), torch.full((2, 2), 256), torch.zeros(0, 4, dtype=torch.int64)):
        with pytest.raises(ValueError, match="classes from 0 to 255"):
            write_labels(bad, tmp_path / "bad.png")


def smooth(n=6):
    """Pictures whose red is a smooth signal, and whose labels are its sign."""
    torch.manual_seed(3)
    c = torch.randn(n, 36) / torch.arange(1, 37)
    f = es.SHT(GRID, 6).inverse(c)
    images = (127.5 + 40 * f / f.std()).clamp(0, 255).to(torch.uint8)[:, None].repeat(1, 3, 1, 1)
    labels = (f > 0).to(torch.uint8)
    return LabelledPanoramas("smooth", images, labels, list("aabbcc"[:n]), ["minus", "plus"], augment=1e-6)


@pytest.mark.parametrize("rotated", [False, True])
def test_what_changes_in_training_keeps_pictures_and_labels_together(rotated):
    """Mirrored, turned about z or at random: red, read in the frame of the labels, has their sign."""
    data = smooth().part("train", 6, rotated, augmented=True)
    seen = []
    for epoch in range(6):
        c, target = data[Batch(torch.arange(len(data)), epoch)]
        red = target.read(c)[:, 0]
        clear = red.abs() > 0.2 * red.std()
        assert torch.equal((red > 0)[clear], (target.values == 1)[clear])
        seen.append(target)
    if not rotated:
        assert any(not torch.equal(t.values, data.target.values) for t in seen)  # some are mirrored
        about_z = torch.stack([t.rotations for t in seen])
        torch.testing.assert_close(about_z[..., 2, 2], torch.ones(about_z.shape[:-2]))


def test_light_changes_by_index_and_epoch():
    data = smooth()
    lit = LabelledPanoramas("smooth", data.images, data.labels, data.groups, data.classes, augment=1.0)
    part = lit.part("train", 6, augmented=True)
    both, one = part[Batch(torch.tensor([1, 0]), 3)], part[Batch(torch.tensor([0]), 3)]
    torch.testing.assert_close(both[0][1:], one[0])
    assert not torch.allclose(part[Batch(torch.tensor([0]), 4)][0], one[0], atol=1e-2)
    plain = lit.part("train", 6)
    torch.testing.assert_close(plain[Batch(torch.tensor([0]), 3)][0], plain[Batch(torch.tensor([0]), 4)][0])


def test_no_group_is_torn():
    groups = [f"room{i % 7}" for i in range(40)]
    nothing = torch.zeros(40, 3, 2, 4, dtype=torch.uint8)
    for seed in range(5):
        data = LabelledPanoramas("rooms", nothing, nothing[:, 0], groups, ["a"], seed)
        assert isinstance(data, DataSet)
        parts = {name: data.indices(name) for name in ("train", "validation", "test")}
        assert torch.equal(torch.cat(list(parts.values())).sort()[0], torch.arange(40))
        rooms = [{groups[i] for i in index} for index in parts.values()]
        assert sum(map(len, rooms)) == 7
        assert len(parts["test"]) >= 10
        assert len(parts["validation"]) >= 6


def spoil_labels(folder, labels):
    Image.fromarray(labels).save(folder / "labels" / "b" / "1.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "classes.txt").unlink(), r"classes\.txt must name"),
        (lambda f: (f / "labels" / "b" / "1.png").unlink(), r"no label map .*b.1\.png"),
        (lambda f: (f / "labels" / "b" / "1.png").write_bytes(b"no picture"), r"1\.png cannot be read"),
        (lambda f: spoil_labels(f, np.zeros((H, H), np.uint8)), r"1\.png has \(16, 16\) pixels"),
        (lambda f: spoil_labels(f, np.full((H, 2 * H), 2, np.uint8)), r"1\.png must have classes 0 to 1"),
        (lambda f: spoil_labels(f, np.full((H, 2 * H), 255, np.uint8)), r"1\.png must have classes 0 to 1"),
        (lambda f: spoil_labels(f, np.zeros((H, 2 * H, 3), np.uint8)), r"1\.png must be a grey picture"),
        (lambda f: Image.new("RGB", (H, H)).save(f / "pictures" / "a" / "0.png"), "twice as wide as high"),
        (lambda f: (f / "pictures" / "a" / "0.png").write_bytes(b"\x89PNG"), r"0\.png cannot be read"),
    ],
)
def test_what_is_bad_is_named(tmp_path, spoil, message):
    write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=message):
        load_panoramas(tmp_path)


def test_sources_that_are_none_are_named(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="holds no pictures"):
        load_panoramas(tmp_path)
    with pytest.raises(DataError, match="there are no panoramas"):
        load_panoramas(tmp_path / "gone")
    monkeypatch.delenv("EQUISPHERE_DATA", raising=False)
    with pytest.raises(DataError, match="EQUISPHERE_DATA"):
        load_panoramas()
    write(tmp_path, rooms=("a", "b"))
    with pytest.raises(DataError, match="2 groups"):
        load_panoramas(tmp_path)
    other = tmp_path / "other.npz"
    np.savez(other, rgb=np.zeros(3))
    with pytest.raises(DataError, match=r"other\.npz is no file of labelled panoramas"):
        load_panoramas(other)
    np.savez(other, rgb=np.zeros((2, 4, 4, 3)), klass=np.zeros((2, 4, 4)), room=np.zeros(2), classes=np.zeros(1))
    with pytest.raises(DataError, match=r"other\.npz: rgb must be"):
        load_panoramas(other)


def test_real_rooms(real_data):
    data = load_panoramas(real_data / "pano_layout_128x256.npz")
    assert data.images.shape == (62, 3, 128, 256)
    assert list(data.classes) == ["floor", "wall", "ceiling"]
    assert float((data.labels[:, 0] == 2).float().mean()) > 0.9  # what is up is ceiling
    assert float((data.labels[:, -1] == 0).float().mean()) > 0.9
    assert len(data.part("test", 16)) >= 16
