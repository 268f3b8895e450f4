"""Pictures of digits from files."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from equisphere.data import DataError, read_digit


def test_a_picture_of_mnist_size_is_taken_as_it_is(tmp_path):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[5:20, 10:14] = 200
    Image.fromarray(pixels).save(tmp_path / "one.png")
    assert torch.equal(read_digit(tmp_path / "one.png"), torch.from_numpy(pixels))
    assert torch.equal(read_digit(tmp_path / "one.png", invert=True), torch.from_numpy(255 - pixels))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1"])
def test_ink_on_paper_is_cut_scaled_and_centred(tmp_path, mode):
    picture = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(picture).rectangle((20, 30, 59, 129), fill=0)
    picture.convert(mode).save(tmp_path / "ink.png")
    digit = read_digit(tmp_path / "ink.png").double()
    rows, columns = (digit > 128).any(1).nonzero(), (digit > 128).any(0).nonzero()
    assert digit.shape == (28, 28)
    assert digit[0].max() == 0
    assert int(rows[-1] - rows[0]) + 1 == 20
    assert int(columns[-1] - columns[0]) + 1 == 8
    centre = (digit.sum(1) * (torch.arange(28) + 0.5)).sum() / digit.sum()
    assert abs(centre - 14) <= 0.6


@pytest.mark.parametrize("ink", [(0, 0, 0, 255), (255, 255, 255, 255)], ids=["dark", "bright"])
def test_transparent_means_paper(tmp_path, ink):
    """White under dark ink, black under bright ink."""
    picture = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((20, 20, 80, 80), fill=ink)
    picture.save(tmp_path / "zero.png")
    digit = read_digit(tmp_path / "zero.png")
    assert digit[0, 0] == 0
    assert digit[14, 14] == 255


def test_dark_ink_on_a_card_that_is_cut_out_is_ink(tmp_path):
    picture = Image.new("RGBA", (120, 120), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((5, 5, 115, 115), 20, fill=(255, 255, 255, 255))
    draw.rectangle((55, 25, 65, 95), fill=(0, 0, 0, 255))
    picture.save(tmp_path / "one.png")
    digit = read_digit(tmp_path / "one.png")
    assert digit[0, 0] == digit[14, 2] == 0
    assert digit[14, 14] == 255


@pytest.mark.parametrize(
    ("dtype", "most", "name"), [("uint16", 65535, "a.png"), ("int32", 65535, "a.tif"), ("float32", 1, "a.tif")]
)
def test_pictures_of_more_than_eight_bits_keep_their_grey_levels(tmp_path, dtype, most, name):
    levels = np.linspace(0, 1, 28 * 28).reshape(28, 28)[:, ::-1]
    Image.fromarray((levels * most).astype(dtype)).save(tmp_path / name)
    digit = read_digit(tmp_path / name, invert=False).numpy()
    assert abs(digit / 255 - levels).max() < 1 / 255


def test_numbers_that_are_no_grey_levels_are_named(tmp_path):
    Image.fromarray(np.linspace(0, 300, 784, dtype=np.float32).reshape(28, 28)).save(tmp_path / "heights.tif")
    with pytest.raises(DataError, match=r"^\S*heights.tif holds grey levels from 0 to 300"):
        read_digit(tmp_path / "heights.tif")


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png"):
        read_digit(tmp_path / "bad.png")


def test_a_truncated_picture_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cut\.png"):
        read_digit(tmp_path / "cut.png")


@pytest.mark.parametrize("size", [28, 50])
@pytest.mark.parametrize("grey", [0, 90, 255])
def test_a_blank_picture_is_named(tmp_path, size, grey):
    Image.new("L", (size, size), grey).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match=r"blank.png shows nothing"):
        read_digit(tmp_path / "blank.png")
