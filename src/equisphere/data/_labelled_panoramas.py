"""Panoramas whose pixels have classes: a folder of them, or the rooms of an npz file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Integer, UInt8
from torch import Tensor

from equisphere._files import replacing
from equisphere.data._dense import DenseSignals, Readout
from equisphere.data._image_files import IMAGE_SUFFIXES
from equisphere.data._panoramas import read_panorama
from equisphere.data._parts import Batch, briefly, part_seed
from equisphere.data._source import DataError, kept
from equisphere.grids import DriscollHealy
from equisphere.groups import rotation_about
from equisphere.transforms import SHT, rotate

#: the label of a pixel that has none
UNLABELLED = 255
#: of the classes in label maps, again from the first where there are more (Okabe and Ito 2008, told apart by everybody)
COLOURS = ((230, 159, 0), (86, 180, 233), (240, 240, 234), (0, 158, 115), (204, 121, 167), (213, 94, 0), (0, 114, 178))
#: share of the pictures in each part, more or less: groups are not divided
SHARES = {"test": 0.25, "validation": 0.15}


@dataclass(frozen=True)
class LabelledPanoramas:
    """Equirectangular pictures with a class at each pixel, in groups (rooms, buildings) that no two parts share.

    The frame is the picture's own: row 0 is up, and longitude is counted from the middle of its first column eastwards, which
    is to the right where the picture is a map, seen from outside, as pictures are once they are loaded.

    Attributes:
        name: what they are.
        images: red, green and blue, `(n, 3, height, width)`.
        labels: class of each pixel, `(n, height, width)`; 255 for none.
        groups: the group of each.
        classes: names of the classes.
        seed: of the division into parts, of rotations and of changes while training.
        augment: how much colours change while training, as `PanoramaSignals` has it; 0 for not at all.
    """

    name: str
    images: UInt8[Tensor, "n 3 height width"]
    labels: UInt8[Tensor, "n height width"]
    groups: Sequence[str]
    classes: Sequence[str]
    seed: int = 0
    augment: float = 1.0

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"upright": "upright", "tilted": "randomly rotated"}

    @property
    def model_settings(self) -> dict[str, Any]:
        """Arguments of a network that follow from the data."""
        return {"in_channels": 3, "out_channels": len(self.classes)}

    def indices(self, name: str) -> Tensor:
        """Which pictures are in a part: whole groups, drawn by the seed until the part has its share."""
        groups = sorted(set(self.groups))
        order = [groups[i] for i in torch.randperm(len(groups), generator=torch.Generator().manual_seed(self.seed))]
        size = {group: list(self.groups).count(group) for group in groups}
        chosen: dict[str, list[str]] = {}
        for part, share in SHARES.items():
            chosen[part] = [order.pop()]
            while len(order) > 1 and sum(size[g] for g in chosen[part]) < share * len(self.groups):
                chosen[part].append(order.pop())
        chosen["train"] = order
        return torch.tensor([i for i, group in enumerate(self.groups) if group in chosen[name]])

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> "PanoramaSignals":
        """A part ("train", "validation" or "test") as signals; see `DataSet`."""
        seed = part_seed(name, self.seed)
        index = self.indices(name)
        grid = DriscollHealy(nlat=self.labels.shape[1], nlon=self.labels.shape[2])
        labels = self.labels[index]
        weights = grid.weights.float() * (labels != UNLABELLED)
        target = Readout(labels, weights, grid)
        change = self.augment if augmented else 0.0
        return PanoramaSignals(
            panorama_colours(self.images[index].float() / 255, bandwidth),
            target,
            seed,
            rotated,
            fresh=augmented,
            change=change,
        )


def panorama_colours(
    images: Float[Tensor, "*batch 3 height width"], bandwidth: int
) -> Float[Tensor, "*batch 3 coefficients"]:
    """Colours from 0 to 1 as a network of panoramas sees them: of mean 0 and size 1 about, in the picture's own frame."""
    grid = DriscollHealy(nlat=images.shape[-2], nlon=images.shape[-1])
    return SHT(grid, bandwidth)((images - 0.5) / 0.25)


class PanoramaSignals(DenseSignals):
    """Panoramas as `DenseSignals`. While training, each is seen in other light, from the mirrored room, and turned about z.

    All of these act on coefficients, exactly: light is an affine map of the colours, a mirror image changes the signs of the
    sines, and what is turned is read out turned.

    Args:
        inputs: coefficients `(n, 3, L*L)` of the colours.
        target: labels and weights.
        seed: of all that is random.
        rotated: as in `DenseSignals`.
        fresh: as in `DenseSignals`.
        change: how much: 1 for standard deviations of 0.15 in contrast and in each colour, and 0.3 in brightness; 0 for none.
    """

    def __init__(
        self,
        inputs: Float[Tensor, "n channels coefficients"],
        target: Readout,
        seed: int,
        rotated: bool = False,
        fresh: bool = False,
        change: float = 0.0,
    ) -> None:
        super().__init__(inputs, target, seed, rotated, fresh)
        self.change = change

    def __getitem__(self, batch: Batch) -> tuple[Float[Tensor, "n channels coefficients"], Readout]:
        """Coefficients of the colours, and labels."""
        c, target = super().__getitem__(batch)
        return self._changed(c, target, batch) if self.change else (c, target)

    def _changed(self, c: Tensor, target: Readout, batch: Batch) -> tuple[Tensor, Readout]:
        draw = self.generator(batch.epoch + 1)
        noise, turn, mirrored = (torch.randn(len(self), 7, generator=draw), *torch.rand(2, len(self), generator=draw))
        noise = self.change * noise[batch.index]
        gain = torch.exp(0.15 * (noise[:, :1] + noise[:, 1:4]))
        c = c * gain[..., None]
        c[..., 0] += (4 * torch.pi) ** 0.5 * 0.3 * (noise[:, 4:5] + 0.3 * noise[:, [5, 6, 4]])
        if target.rotations is not None:  # in any orientation already, and a reflection would not fit it
            return c, target
        flip = mirrored[batch.index] < 0.5
        order = torch.cat([torch.arange(-l, l + 1) for l in range(round(c.shape[-1] ** 0.5))])
        c = torch.where(flip[:, None, None] & (order < 0), -c, c)  # longitude p to -p: column k to -k
        values, weights = (
            torch.where(flip[:, None, None], x.flip(-1).roll(1, -1), x) for x in (target.values, target.weights)
        )
        R = rotation_about(torch.tensor([0.0, 0.0, 1.0]), 2 * torch.pi * turn[batch.index])
        return rotate(c, R[:, None]), replace(target, values=values, weights=weights, rotations=R)


def load_panoramas(
    source: str | Path | None = None, seed: int = 0, inside: bool = True, augment: float = 1.0
) -> LabelledPanoramas:
    """Load panoramas with the class of each pixel.

    Of a folder, `pictures/GROUP/NAME.jpg` (any kind that Pillow reads) has its classes in `labels/GROUP/NAME.png`, a grey
    picture of the same size whose numbers are classes, 255 for none; `classes.txt` names them, a line each. A group is what
    must not be torn between training and testing, a room or a building.

    Args:
        source: a folder; or an npz file with arrays `rgb (n, h, 2h, 3)`, `klass (n, h, 2h)`, `room (n,)`, `classes`, which are
            maps of all directions (azimuth grows to the right, from a quarter turn on at the left edge). By default the file
            `pano_layout_128x256.npz` of the folder that EQUISPHERE_DATA names.
        seed: of the division into parts, rotations, and changes while training.
        inside: pictures of a folder are photographs, seen from inside.
        augment: as in `LabelledPanoramas`.

    Raises:
        DataError: where the source is missing, or a picture or label map is bad; the message names it.
    """
    path = kept("pano_layout_128x256.npz") if source is None else Path(source)
    if path is None or not path.exists():
        raise DataError(
            f"there are no panoramas {path or '(EQUISPHERE_DATA names no folder with pano_layout_128x256.npz)'}. Give "
            "a folder with pictures/GROUP/NAME.jpg and labels/GROUP/NAME.png."
        )
    found = _from_folder(path, inside) if path.is_dir() else _from_npz(path)
    if len(set(found.groups)) < 3:
        raise DataError(
            f"{path} has {len(set(found.groups))} groups of pictures (rooms); training, validation and test need one each."
        )
    return replace(found, seed=seed, augment=augment)


def _from_npz(path: Path) -> LabelledPanoramas:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            rgb, labels, rooms, classes = (file[key] for key in ("rgb", "klass", "room", "classes"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no file of labelled panoramas ({type(error).__name__}: {error}).") from error
    n, height, width = labels.shape if labels.ndim == 3 else (0, 0, 0)
    if n == 0 or width != 2 * height or rgb.shape != (n, height, width, 3) or rooms.shape != (n,):
        raise DataError(
            f"{path}: rgb must be (n, h, 2h, 3), klass (n, h, 2h) and room (n,), got {rgb.shape}, {labels.shape}."
        )
    found = (torch.from_numpy(x).roll(width // 4, dims=2) for x in (rgb.astype(np.uint8), labels.astype(np.uint8)))
    images, classes_at = found
    _check_labels(classes_at, len(classes), path)
    images = images.permute(0, 3, 1, 2).contiguous()
    return LabelledPanoramas(f"panoramas of {path.stem}", images, classes_at, rooms.tolist(), classes.tolist())


def _from_folder(folder: Path, inside: bool) -> LabelledPanoramas:
    pictures = sorted(p for p in (folder / "pictures").rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not pictures:
        raise DataError(f"the folder {folder} holds no pictures/GROUP/NAME.jpg ({', '.join(sorted(IMAGE_SUFFIXES))}).")
    try:
        classes = (folder / "classes.txt").read_text().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{folder / 'classes.txt'} must name the classes, a line each ({error}).") from error
    classes = [line.strip() for line in classes if line.strip()]
    images: list[Tensor] = []
    labels: list[Tensor] = []
    for picture in pictures:
        image = (255 * read_panorama(picture)).round().clamp(0, 255).to(torch.uint8).expand(3, -1, -1)
        map_of = (folder / "labels" / picture.relative_to(folder / "pictures")).with_suffix(".png")
        classes_at = _read_labels(map_of)
        if classes_at.shape != image.shape[1:]:
            raise DataError(
                f"{map_of} has {tuple(classes_at.shape)} pixels, its picture {tuple(image.shape[1:])}: make both alike."
            )
        if images and image.shape != images[0].shape:
            raise DataError(
                f"{picture} is of another size than {pictures[0]}: bring all pictures and label maps to one size."
            )
        _check_labels(classes_at, len(classes), map_of)
        images.append(image.flip(-1) if inside else image)
        labels.append(classes_at.flip(-1) if inside else classes_at)
    groups = [str(p.parent.relative_to(folder / "pictures")) for p in pictures]
    return LabelledPanoramas(f"panoramas of {folder.name}", torch.stack(images), torch.stack(labels), groups, classes)


def write_labels(labels: Integer[Tensor, "height width"], path: str | Path) -> None:
    """Write the class of each pixel as a picture whose numbers are the classes, each with a colour of its own.

    It is what `load_panoramas` reads as a label map.

    Raises:
        ValueError: where there are numbers that are no classes, 0 to 255.
    """
    from PIL import Image

    if labels.numel() == 0 or labels.min() < 0 or labels.max() > UNLABELLED:
        raise ValueError(f"labels must be classes from 0 to {UNLABELLED}, got shape {tuple(labels.shape)}.")
    picture = Image.fromarray(labels.to(torch.uint8).cpu().numpy()).convert("P")
    picture.putpalette([part for k in range(256) for part in COLOURS[k % len(COLOURS)]])
    with replacing(Path(path)) as part:
        picture.save(part, format="PNG")


def _read_labels(path: Path) -> UInt8[Tensor, "height width"]:
    """The numbers of a grey or palette picture, as they are stored."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            pixels = np.asarray(opened)
    except FileNotFoundError:
        raise DataError(f"there is no label map {path}.") from None
    except Exception as error:  # Pillow's decoders raise anything
        raise DataError(f"{path} cannot be read as a picture ({error}).") from error
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(
            f"{path} must be a grey picture of 8 bits whose numbers are classes, got {pixels.dtype} {pixels.shape}."
        )
    return torch.from_numpy(pixels.copy())


def _check_labels(labels: Tensor, classes: int, path: Path) -> None:
    found = [k for k in labels.unique().tolist() if k != UNLABELLED]
    if not found or max(found) >= classes:
        raise DataError(f"{path} must have classes 0 to {classes - 1} (or 255 for none), got {found}.")
