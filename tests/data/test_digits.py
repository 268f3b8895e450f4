"""Loading digits: every source gives the same thing, every damage is named."""

import gzip
import struct

import numpy as np
import pytest
import torch

from equisphere.data import DataError, load_digits

N = 60


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    out = {}
    for part in ("train", "test"):
        out[f"x_{part}"] = rng.integers(0, 256, (N, 28, 28), dtype=np.uint8)
        out[f"y_{part}"] = rng.integers(0, 10, N, dtype=np.uint8)
    return out


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.tobytes())


NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


@pytest.fixture(params=["npz", "idx", "idx.gz"])
def source(request, arrays, tmp_path):
    if request.param == "npz":
        np.savez(tmp_path / "mnist.npz", **arrays)
        return tmp_path / "mnist.npz"
    for key, name in NAMES.items():
        write_idx(tmp_path / name, arrays[key])
        if request.param == "idx.gz":
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
            (tmp_path / name).unlink()
    return tmp_path


def test_every_source_gives_the_same_digits(source, arrays):
    digits = load_digits(source)
    np.testing.assert_array_equal(digits.test.images.numpy(), arrays["x_test"])
    np.testing.assert_array_equal(digits.test.labels.numpy(), arrays["y_test"])
    assert len(digits.train) + len(digits.validation) == N
    both = torch.cat((digits.train.images, digits.validation.images)).flatten(1)
    assert sorted(map(bytes, both.numpy())) == sorted(map(bytes, arrays["x_train"].reshape(N, -1)))


def test_the_embedded_digits_are_split_without_overlap_and_by_seed():
    one, same, other = load_digits(seed=1), load_digits(seed=1), load_digits(seed=2)
    assert [len(part) for part in (one.train, one.validation, one.test)] == [3750, 250, 1000]
    assert torch.equal(one.test.images, same.test.images)
    assert not torch.equal(one.test.labels, other.test.labels)
    parts = [set(map(bytes, part.images.flatten(1).numpy())) for part in (one.train, one.validation, one.test)]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert torch.bincount(torch.cat((one.train.labels, one.validation.labels, one.test.labels))).tolist() == [500] * 10


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        load_digits(tmp_path / "nowhere.npz")


def test_an_empty_folder_names_what_it_lacks(tmp_path):
    with pytest.raises(DataError, match="lacks train-images-idx3-ubyte"):
        load_digits(tmp_path)


@pytest.mark.parametrize("size", [0, 10, 1000, -100])
def test_a_truncated_npz_is_named(arrays, tmp_path, size):
    path = tmp_path / "cut.npz"
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"cut\.npz"):
        load_digits(path)


def test_a_corrupt_npz_is_named(arrays, tmp_path):
    path = tmp_path / "bent.npz"
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[200:5000] = bytes(4800)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bent\.npz"):
        load_digits(path)


@pytest.mark.parametrize("cut", [0, 3, 10, 500])
def test_a_truncated_idx_is_named(arrays, tmp_path, cut):
    for key, name in NAMES.items():
        write_idx(tmp_path / name, arrays[key])
    path = tmp_path / NAMES["x_test"]
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="t10k-images"):
        load_digits(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": np.zeros((N, 28), np.uint8)}, "height, width"),
        ({"x_test": np.zeros((N, 28, 28))}, "bytes"),
        ({"y_train": np.zeros(N - 1, np.uint8)}, "labels"),
        ({"y_train": np.full(N, 10, np.uint8)}, "0 to 9"),
        ({"y_test": np.zeros(N)}, "digits 0 to 9"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8), "y_train": np.zeros(0, np.uint8)}, "bytes with n labels"),
        ({"x_train": np.array([None, 1])}, "cannot be read"),
    ],
)
def test_a_foreign_npz_is_explained(arrays, tmp_path, change, message):
    np.savez(tmp_path / "other.npz", **(arrays | change))
    with pytest.raises(DataError, match=message) as caught:
        load_digits(tmp_path / "other.npz")
    assert "other.npz" in str(caught.value)


def test_an_npz_without_an_array_says_which(arrays, tmp_path):
    del arrays["y_test"]
    np.savez(tmp_path / "half.npz", **arrays)
    with pytest.raises(DataError, match="y_test"):
        load_digits(tmp_path / "half.npz")


def test_the_whole_of_mnist(real_data):
    digits = load_digits(real_data / "mnist.npz")
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [55000, 5000, 10000]


def test_the_folder_of_real_data_comes_before_a_download(arrays, tmp_path, monkeypatch):
    np.savez(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setenv("EQUISPHERE_DATA", str(tmp_path))
    assert len(load_digits("mnist").test) == N
    monkeypatch.setenv("EQUISPHERE_DATA", str(tmp_path / "gone"))
    with pytest.raises(DataError, match="EQUISPHERE_DATA names"):
        load_digits("mnist")


@pytest.mark.parametrize(("name", "value"), [("jitter", "abc"), ("jitter", -1.0), ("jitter", True), ("fresh", "no")])
def test_options_are_checked_before_any_digit_is_made(arrays, tmp_path, name, value, as_user):
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match=f"{name} must be"):
        load_digits(tmp_path / "mnist.npz", **{name: value})


@pytest.mark.parametrize("extent", [0, 4.0, "wide"])
def test_an_extent_beyond_the_sphere_is_explained(arrays, tmp_path, extent, as_user):
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match="extent must be an angle"):
        load_digits(tmp_path / "mnist.npz", extent=extent)


def test_a_download_is_verified_and_its_failure_explained(arrays, tmp_path, monkeypatch):
    asked = {}
    monkeypatch.delenv("EQUISPHERE_DATA", raising=False)

    def retrieve(url, known_hash, **options):
        asked.update(url=url, hash=known_hash)
        np.savez(tmp_path / "mnist.npz", **arrays)
        return str(tmp_path / "mnist.npz")

    monkeypatch.setattr("pooch.retrieve", retrieve)
    assert len(load_digits("mnist").test) == N
    assert asked["hash"].startswith("sha256:")

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("pooch.retrieve", offline)
    with pytest.raises(DataError, match="could not be downloaded"):
        load_digits("mnist")
