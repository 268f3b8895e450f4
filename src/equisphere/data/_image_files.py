"""Pictures of single digits, brought to the form of MNIST."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from equisphere.data._panoramas import DEEP, grey_levels
from equisphere.data._source import DataError

#: suffixes that a folder is searched for
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def read_digit(path: str | Path, invert: bool | None = None) -> UInt8[Tensor, "28 28"]:
    """Read a picture of one digit as MNIST has them: bright on black, 20 pixels high or wide, centred by mass on 28 x 28.

    A picture of exactly 28 x 28 pixels is taken to be in that form already, but for its colours.

    Args:
        path: any picture that Pillow reads.
        invert: swap black and white; by default where the picture's edge is bright (ink on paper).

    Raises:
        DataError: where the file is missing, no picture, truncated, blank, or of numbers that are no grey levels; the message
            names it.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    try:
        with Image.open(path) as opened:
            deep = opened.mode.startswith(DEEP)
            pixels = grey_levels(opened) if deep else _on_paper(opened.convert("RGBA"))
    except FileNotFoundError:
        raise DataError(f"there is no picture {path}.") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a picture ({error}).") from error
    if deep:
        pixels = np.rint(255 * _between(pixels, path)).astype(np.uint8)
    if pixels.min() == pixels.max():
        raise DataError(f"{path} shows nothing: all of its pixels are alike.")
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    if invert if invert is not None else edge.mean() > 127:
        pixels = 255 - pixels
    if pixels.shape != (28, 28):
        pixels = _framed(pixels, path)
    return torch.from_numpy(pixels.copy())


def _between(levels: np.ndarray, path: Path) -> np.ndarray:
    if not (np.isfinite(levels).all() and levels.min() >= 0 and levels.max() <= 1):
        raise DataError(
            f"{path} holds grey levels from {levels.min():g} to {levels.max():g}, which must lie between 0 and 1 (of integers, "
            "between 0 and 65535): divide by the largest that there may be."
        )
    return levels


def _on_paper(picture: Any) -> np.ndarray:
    """Grey levels on white paper, but on black where all that is not transparent is bright."""
    from PIL import Image

    levels, seen = np.asarray(picture.convert("L")), np.asarray(picture.getchannel("A")) > 127
    bright = seen.any() and not seen.all() and levels[seen].min() > 127
    paper = Image.new("RGBA", picture.size, "black" if bright else "white")
    return np.asarray(Image.alpha_composite(paper, picture).convert("L"))


def _framed(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Cut to the ink, scale the longer side to 20 pixels, put the centre of mass in the middle of 28 x 28."""
    from PIL import Image

    ink = pixels > max(32, int(pixels.max()) // 4)
    if pixels.max() < 32 or not ink.any():
        raise DataError(f"{path} shows nothing: all of its pixels are nearly alike.")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.LANCZOS))
    height, width = small.shape
    mass = small.sum(dtype=float)
    top = round(14 - (small.sum(axis=1) @ (np.arange(height) + 0.5)) / mass)
    left = round(14 - (small.sum(axis=0) @ (np.arange(width) + 0.5)) / mass)
    top, left = min(max(top, 0), 28 - height), min(max(left, 0), 28 - width)
    frame = np.zeros((28, 28), np.uint8)
    frame[top : top + height, left : left + width] = small
    return frame
