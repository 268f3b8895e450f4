"""What a training asks of data: parts that give batches, and data sets that give parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor, distributed
from torch.utils.data import DataLoader, Sampler

#: added to ten times the seed, so that no part of a data set shares its rotations and jitter with another
PART_SEEDS = {"train": 1, "validation": 2, "test": 3}


def part_seed(name: str, seed: int) -> int:
    """The seed of a part of a data set.

    Raises:
        ValueError: where there is no part of that name.
    """
    if name not in PART_SEEDS:
        raise ValueError(f"the parts of a data set are {', '.join(map(repr, PART_SEEDS))}, got {name!r}.")
    return 10 * seed + PART_SEEDS[name]


def briefly(data: Any) -> str:
    """`repr` of a dataclass of data: tensors by dtype and shape, long sequences by their length."""

    def word(value: object) -> str:
        if isinstance(value, Tensor):
            return f"<{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}>"
        if isinstance(value, list | tuple) and len(value) > 10:
            return f"<{len(value)} items>"
        return repr(value)

    shown = ", ".join(f"{field.name}={word(getattr(data, field.name))}" for field in fields(data))
    return f"{type(data).__name__}({shown})"


@dataclass(frozen=True)
class Batch:
    """Which items, in which epoch: what a sampler hands to a part."""

    index: Int64[Tensor, "n"]
    epoch: int


@runtime_checkable
class Part(Protocol):
    """A part of a data set: `part[Batch]` is `(inputs, target)` of some items, the same whenever it is asked for.

    Inputs are what the network is called with: a tensor, or a tuple of tensors for a network with several arguments. Both
    they and the target (a tensor, or a `Readout`) begin with the dimension of the batch. What is random (rotation, jitter)
    follows from (seed, epoch, index) alone, so that a resumed training is the unbroken one.
    """

    seed: int

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, batch: Batch, /) -> tuple[Any, Any]:
        """Inputs and target of some of them."""
        ...


@runtime_checkable
class DataSet(Protocol):
    """Data to train on, to choose by, and to look at once, at the end.

    Data with classes have their names as `classes` besides; a checkpoint keeps them.
    """

    @property
    def name(self) -> str:
        """What it is, for the notes of a checkpoint."""
        ...

    @property
    def orientations(self) -> Mapping[str, str]:
        """The two protocols of testing, as items come and each turned by a rotation of its own: short name to words."""
        ...

    @property
    def model_settings(self) -> Mapping[str, Any]:
        """Arguments of a network that follow from the data, such as the number of classes."""
        ...

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> Part:
        """A part ("train", "validation" or "test") at the band limit of a network.

        `rotated` turns each item by a rotation of its own; `augmented` distorts items as training wants it, anew each epoch.
        """
        ...


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


def loader(data: Part, batch_size: int, shuffle: bool = False) -> DataLoader:
    """Batches of a part of a data set, for a training or evaluation loop; torch's own source of randomness is not touched."""
    batches = Batches(len(data), batch_size, shuffle, data.seed)
    return DataLoader(data, sampler=batches, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]
