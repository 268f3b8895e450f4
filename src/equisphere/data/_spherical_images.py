"""Images on the sphere, each in an orientation of its own, made on the fly."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from equisphere.data._digits import LabelledImages
from equisphere.data._projection import image_coefficients
from equisphere.groups import random_rotations
from equisphere.transforms import rotate


@dataclass(frozen=True)
class Batch:
    """Which images, in which epoch: what a sampler hands to the data set."""

    index: Int64[Tensor, "n"]
    epoch: int


class SphericalImages(Dataset):
    """Images projected onto the sphere; item `Batch` is `(coefficients (n, 1, L*L), labels (n,))`.

    With `rotated`, image i has a rotation of its own, drawn from the Haar measure by (seed, i): the same one whenever it is
    asked for. With `jitter`, image i is distorted before it is projected, differently in each epoch, by an affine map of the
    plane near the identity drawn from (seed, epoch, i).

    Args:
        source: the images.
        bandwidth: band limit L of the signals.
        rotated: rotate each image.
        seed: of rotations and jitter.
        extent: as in `image_coefficients`.
        jitter: standard deviation of the entries of the affine map; 0 for none.
    """

    def __init__(
        self,
        source: LabelledImages,
        bandwidth: int,
        rotated: bool,
        seed: int,
        extent: float = pi / 2,
        jitter: float = 0.0,
    ) -> None:
        self.source, self.bandwidth, self.extent = source, bandwidth, extent
        self.seed, self.jitter = seed, jitter
        generator = torch.Generator().manual_seed(seed)
        self.rotations = random_rotations(len(source), generator, torch.float32) if rotated else None

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
            c = rotate(c, self.rotations[batch.index, None])
        return c, self.source.labels[batch.index]

    def _jittered(self, images: Float[Tensor, "n height width"], batch: Batch) -> Float[Tensor, "n height width"]:
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * (batch.epoch + 1))
        noise = self.jitter * torch.randn(len(self), 2, 3, generator=generator)[batch.index]
        affine = torch.eye(2, 3) + noise * torch.tensor([1.0, 1.0, 0.5])
        places = torch.nn.functional.affine_grid(affine, [len(images), 1, *images.shape[1:]], align_corners=False)
        return torch.nn.functional.grid_sample(images[:, None], places, align_corners=False)[:, 0]


class Batches(Sampler):
    """Batches of indices; shuffled by (seed, epoch) alone, so that a resumed training sees what an unbroken one sees.

    Of several processes (of torch.distributed, unless `replicas` and `rank` say otherwise) each takes every
    `replicas`-th batch from its `rank` on.
    """

    def __init__(
        self, n: int, size: int, shuffle: bool, seed: int, replicas: int | None = None, rank: int | None = None
    ) -> None:
        self.n, self.size, self.shuffle, self.seed = n, min(size, n), shuffle, seed
        self.replicas, self.rank, self.epoch = replicas, rank, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes; the training loop calls it."""
        self.epoch = epoch

    def _share(self) -> tuple[int, int]:
        """How many processes share the batches, and which this one is."""
        if self.replicas is not None:
            return self.replicas, self.rank or 0
        if distributed.is_available() and distributed.is_initialized():
            return distributed.get_world_size(), distributed.get_rank()
        return 1, 0

    def __len__(self) -> int:
        """Number of batches of this process."""
        replicas, rank = self._share()
        if self.shuffle:
            return self.n // self.size // replicas
        return len(range(rank, -(-self.n // self.size), replicas))

    def __iter__(self) -> Iterator[Batch]:
        """Batches of one epoch; a last one that is not full is left out of a shuffled epoch."""
        replicas, rank = self._share()
        order = torch.arange(self.n)
        if self.shuffle:
            order = torch.randperm(self.n, generator=torch.Generator().manual_seed(self.seed + self.epoch))
        parts = list(order.split(self.size))[rank::replicas][: len(self)]
        return (Batch(part, self.epoch) for part in parts)


def loader(data: SphericalImages, batch_size: int, shuffle: bool = False) -> DataLoader:
    """Batches of a data set, for a training or evaluation loop; takes nothing from torch's own source of randomness."""
    batches = Batches(len(data), batch_size, shuffle, data.seed)
    return DataLoader(data, sampler=batches, batch_size=None, generator=torch.Generator())
