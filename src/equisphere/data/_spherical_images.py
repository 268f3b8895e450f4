"""Images on the sphere, each in an orientation of its own, made on the fly."""

from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from equisphere import _checks
from equisphere.data._parts import Batch, briefly
from equisphere.data._projection import image_coefficients
from equisphere.groups import random_rotations
from equisphere.transforms import rotate


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes."""

    images: UInt8[Tensor, "n height width"]
    labels: Int64[Tensor, "n"]

    __repr__ = briefly

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def take(self, index: Int64[Tensor, "k"]) -> "LabelledImages":
        """Some of them."""
        return LabelledImages(self.images[index], self.labels[index])


class SphericalImages(Dataset):
    """Images projected onto the sphere; item `Batch` is `(coefficients (n, 1, L*L), labels (n,))`.

    With `rotated`, image i has a rotation of its own, drawn from the Haar measure by (seed, i): the same one whenever it is
    asked for; with `fresh`, by (seed, epoch, i): another one in each epoch. With `jitter`, image i is distorted before it is
    projected, differently in each epoch, by an affine map of the plane near the identity drawn from (seed, epoch, i).

    Args:
        source: the images.
        bandwidth: band limit L of the signals.
        rotated: rotate each image.
        seed: of rotations and jitter.
        extent: as in `image_coefficients`.
        jitter: standard deviation of the entries of the affine map; 0 for none.
        shared: so many successive images have one rotation. The generator of Cohen et al. (2018) shares it among 500.
        fresh: draw the rotations anew in each epoch (augmentation).
    """

    def __init__(
        self,
        source: LabelledImages,
        bandwidth: int,
        rotated: bool,
        seed: int,
        extent: float = pi / 2,
        jitter: float = 0.0,
        shared: int = 1,
        fresh: bool = False,
    ) -> None:
        self.source, self.bandwidth, self.extent = source, bandwidth, extent
        self.seed, self.jitter = seed, jitter
        self.shared, self.fresh = _checks.positive_int(shared, "shared"), fresh
        self.rotations = self._drawn(seed) if rotated else None
        self._epoch = 0
        self._maps: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.source)

    def __getitem__(self, batch: Batch) -> tuple[Float32[Tensor, "n 1 coefficients"], Int64[Tensor, "n"]]:
        """Coefficients and labels of some images."""
        images = self.source.images[batch.index].float() / 255
        if self.jitter:
            images = self._jittered(images, batch)
        c = image_coefficients(images, self.bandwidth, self.extent)[:, None]
        if self.rotations is not None:
            if self.fresh and batch.epoch != self._epoch:
                self.rotations = self._drawn(self.seed + 2_000_003 * batch.epoch)
                self._epoch = batch.epoch
            c = rotate(c, self.rotations[batch.index, None])
        return c, self.source.labels[batch.index]

    def _drawn(self, seed: int) -> Float32[Tensor, "n 3 3"]:
        n = len(self.source)
        drawn = random_rotations(-(-n // self.shared), torch.Generator().manual_seed(seed), torch.float32)
        return drawn.repeat_interleave(self.shared, dim=0)[:n]

    def _jittered(self, images: Float[Tensor, "n height width"], batch: Batch) -> Float[Tensor, "n height width"]:
        if self._maps is None or self._maps[0] != batch.epoch:
            generator = torch.Generator().manual_seed(self.seed + 1_000_003 * (batch.epoch + 1))
            self._maps = batch.epoch, near_identity(len(self), self.jitter, generator)
        return mapped(images, self._maps[1][batch.index])


def near_identity(n: int, jitter: float, generator: torch.Generator) -> Float[Tensor, "n 2 3"]:
    """Affine maps of the plane: the identity, and normal noise of this standard deviation, half of it in the shift."""
    noise = jitter * torch.randn(n, 2, 3, generator=generator)
    return torch.eye(2, 3) + noise * torch.tensor([1.0, 1.0, 0.5])


def mapped(images: Float[Tensor, "n height width"], maps: Float[Tensor, "n 2 3"]) -> Float[Tensor, "n height width"]:
    """Each image at the places to which its map takes those of the result, bilinear, black outside."""
    places = functional.affine_grid(maps, [len(images), 1, *images.shape[1:]], align_corners=False)
    return functional.grid_sample(images[:, None], places, align_corners=False)[:, 0]
