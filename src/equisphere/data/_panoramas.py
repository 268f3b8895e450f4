"""Panoramas and other pictures: ordinary files and Radiance HDR, to coefficients and back."""

from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from equisphere._files import replacing
from equisphere.data._source import DataError
from equisphere.data._views import Equirectangular, render
from equisphere.grids import DriscollHealy
from equisphere.groups import rotation_about
from equisphere.transforms import SHT, rotate

#: how Pillow names pictures of grey levels with more than 8 bits: integers of 16, and floating-point numbers
DEEP = ("I", "F")


def grey_levels(picture: Any) -> Float32[np.ndarray, "height width"]:
    """Grey levels of a picture without colour that Pillow opened: 0 to 1, floating-point numbers as they are."""
    most = 1 if picture.mode == "F" else 65535 if picture.mode.startswith("I") else 255
    pixels = picture if picture.mode.startswith(DEEP) else picture.convert("L")
    return np.asarray(pixels, dtype=np.float32) / most


def read_picture(path: str | Path) -> Float32[Tensor, "channels height width"]:
    """A picture as red, green and blue (or grey alone): 0 to 1 as they are stored, or linear light of a Radiance `.hdr`.

    Raises:
        DataError: where the file is missing or cannot be read; the message names it.
    """
    path = Path(path)
    if path.suffix.lower() in {".hdr", ".pic"}:
        return torch.from_numpy(_read_radiance(path)).permute(2, 0, 1).contiguous()
    from PIL import Image

    try:
        with Image.open(path) as opened:
            grey = opened.mode in {"L", "1"} or opened.mode.startswith(DEEP)
            pixels = grey_levels(opened) if grey else np.asarray(opened.convert("RGB"), dtype=np.float32) / 255
    except FileNotFoundError:
        raise DataError(f"there is no picture {path}.") from None
    except Exception as error:  # Pillow's decoders raise anything
        raise DataError(f"{path} cannot be read as a picture ({error}).") from error
    found = torch.from_numpy(pixels)
    return found[None] if grey else found.permute(2, 0, 1).contiguous()


def write_picture(image: Float[Tensor, "channels height width"], path: str | Path) -> None:
    """Write grey or RGB: `.hdr` keeps any brightness, others what lies between 0 and 1.

    Raises:
        ValueError: where the image has neither one nor three channels.
    """
    path = Path(path)
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"image must have shape (1 or 3, height, width), got {tuple(image.shape)}.")
    pixels = image.detach().cpu().float().expand(3, -1, -1).permute(1, 2, 0).numpy()
    with replacing(path) as part:
        if path.suffix.lower() == ".hdr":
            part.write_bytes(_radiance(pixels))
        else:
            from PIL import Image

            values = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
            Image.fromarray(values).save(part, format=Image.registered_extensions().get(path.suffix.lower(), "PNG"))


def read_panorama(path: str | Path) -> Float32[Tensor, "channels height width"]:
    """A picture of all directions, twice as wide as high.

    Raises:
        DataError: where it cannot be read or is not 2:1; the message names it.
    """
    image = read_picture(path)
    height, width = image.shape[1:]
    if width != 2 * height:
        raise DataError(
            f"{path} is {width} x {height} pixels, and an equirectangular panorama is twice as wide as high. A picture of "
            "a part of the surroundings: `equisphere project --picture perspective`, or `view_signal` of "
            "`perspective(field_of_view)` in Python."
        )
    return image


def panorama_coefficients(
    image: Float[Tensor, "*batch height width"], bandwidth: int, inside: bool = True
) -> Float[Tensor, "*batch coefficients"]:
    """Coefficients of an equirectangular picture, by quadrature on its own pixels.

    Convention: that of `Equirectangular(inside)`: a photograph by default, its middle looking along x.

    Raises:
        ValueError: where the picture cannot carry the band limit (height / 2 at the most), or is not finite.

    >>> c = panorama_coefficients(torch.ones(3, 32, 64), 16)
    >>> bool(torch.allclose(panorama(c, 32), torch.ones(3, 32, 64), atol=1e-5))
    True
    """
    height, width = image.shape[-2:]
    c = SHT(DriscollHealy(nlat=height, nlon=width), bandwidth)(image.flip(-1) if inside else image)
    # the first column is half a cell east of longitude 0, or of -180 degrees
    turn = torch.tensor(pi / width + (pi if inside else 0), dtype=torch.float64)
    return rotate(c, rotation_about((0.0, 0.0, 1.0), turn).to(c.device))


def panorama(
    coefficients: Float[Tensor, "*batch coefficients"], height: int, inside: bool = True
) -> Float[Tensor, "*batch height width"]:
    """The equirectangular picture of a signal, twice as wide as high: the way back from `panorama_coefficients`."""
    return render(coefficients, Equirectangular(inside), height, 2 * height)


def _read_radiance(path: Path) -> Float32[np.ndarray, "height width 3"]:
    """Radiance RGBE, flat or run-length encoded (Ward 1991, Graphics Gems II, II.5), top row first."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).") from error
    head, blank, rest = content.partition(b"\n\n")
    size, line_end, body = rest.partition(b"\n")
    parts = size.split()
    known = head.startswith(b"#?") and blank and line_end and b"32-bit_rle_rgbe" in head
    if not known or len(parts) != 4 or parts[0] != b"-Y" or parts[2] != b"+X":
        raise DataError(f"{path} is no Radiance HDR picture with its top row first (-Y height +X width).")
    try:
        height, width = int(parts[1]), int(parts[3])
        if min(height, width) < 1 or height * width > 2**28:
            raise ValueError(f"{width} x {height} pixels")
        rows, at = [], 0
        for _ in range(height):
            row, at = _scanline(body, at, width)
            rows.append(row)
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is truncated or corrupt ({error}).") from error
    rgbe = np.stack(rows)
    scale = np.where(rgbe[..., 3] > 0, np.ldexp(1.0, rgbe[..., 3].astype(int) - 136), 0)
    return (rgbe[..., :3] * scale[..., None]).astype(np.float32)


def _scanline(body: bytes, at: int, width: int) -> tuple[np.ndarray, int]:
    if not (8 <= width < 32768 and body[at : at + 2] == b"\x02\x02" and body[at + 2] < 128):
        flat = np.frombuffer(body, np.uint8, 4 * width, at)
        return flat.reshape(width, 4), at + 4 * width
    if body[at + 2] * 256 + body[at + 3] != width:
        raise ValueError("a row of another width")
    at += 4
    planes = []
    for _ in range(4):
        runs: list[bytes] = []
        filled = 0
        while filled < width:
            count = body[at]
            if count > 128:
                count -= 128
                runs.append(body[at + 1 : at + 2] * count)
                at += 2
            else:
                runs.append(body[at + 1 : at + 1 + count])
                at += 1 + count
            filled += count
        plane = np.frombuffer(b"".join(runs), np.uint8)
        if len(plane) != width or count == 0:
            raise ValueError("a run of the wrong length")
        planes.append(plane)
    return np.stack(planes, axis=1), at


def _radiance(pixels: np.ndarray) -> bytes:
    pixels = np.maximum(pixels, 0)
    mantissa, exponent = np.frexp(pixels.max(axis=-1))
    scale = np.where(mantissa > 0, np.ldexp(256.0, -exponent), 0)
    rgb = np.minimum(pixels * scale[..., None], 255).astype(np.uint8)
    e = np.where(mantissa > 0, np.clip(exponent + 128, 0, 255), 0).astype(np.uint8)
    header = f"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y {pixels.shape[0]} +X {pixels.shape[1]}\n"
    return header.encode() + np.concatenate((rgb, e[..., None]), axis=-1).tobytes()
