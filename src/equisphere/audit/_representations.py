"""How a rotation acts on a tensor: what an audit has to know of whatever a layer takes and gives."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor


class Representation(ABC):
    """How rotations act on tensors of one kind.

    An audit compares *contents*: numbers on which a rotation acts exactly and whose norm is that of the signal (coefficients,
    for signals on the sphere). `contents` projects a tensor onto them, `restore` makes a tensor of them again.
    """

    @abstractmethod
    def at(self, x: Tensor) -> "Representation | None":
        """This kind of representation at the size of `x`; None where `x` cannot be of this kind."""

    def contents(self, x: Tensor) -> Tensor:
        """What can be rotated exactly."""
        return wide(x)

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """The tensor that has these contents, with shape and dtype of `like`."""
        return contents.to(like.dtype).reshape(like.shape)

    @abstractmethod
    def turn(self, contents: Tensor, R: Float[Tensor, "3 3"]) -> Tensor:
        """Contents of the rotated tensor."""

    def values(self, contents: Tensor) -> Tensor:
        """Values whose largest size is the maximum norm: those on the sphere, where there is one."""
        return contents

    def bandwidth(self, contents: Tensor) -> int | None:
        """Band limit of the contents, where they are coefficients in the flat order."""
        return None

    def rotate(self, x: Tensor, R: Float[Tensor, "3 3"]) -> Tensor:
        """R.x for the part of `x` that can be rotated."""
        return self.restore(self.turn(self.contents(x), R), x)


@dataclass(frozen=True)
class Invariant(Representation):
    """Numbers that do not change: logits, powers, masks of channels.

    >>> Invariant().rotate(torch.ones(2, 3), torch.eye(3)).shape
    torch.Size([2, 3])
    """

    def at(self, x: Tensor) -> Representation | None:
        """Any tensor may be invariant."""
        return self

    def turn(self, contents: Tensor, R: Tensor) -> Tensor:
        """Nothing turns."""
        return contents

    def __str__(self) -> str:
        return "invariants"


@dataclass(frozen=True)
class Action(Representation):
    """Any action that can be written down: features of one's own.

    Args:
        act: (x, R) -> R.x for one rotation matrix R `(3, 3)`.
        name: for reports.
        fits: which tensors it acts on; all by default.

    >>> vectors = Action(lambda x, R: x @ R.to(x).mT, "vectors", lambda x: x.shape[-1] == 3)
    >>> vectors.rotate(torch.eye(3), torch.eye(3)).shape
    torch.Size([3, 3])
    """

    act: Callable[[Tensor, Tensor], Tensor]
    name: str = "action"
    fits: Callable[[Tensor], bool] | None = None

    def at(self, x: Tensor) -> Representation | None:
        """Where it fits."""
        return self if self.fits is None or self.fits(x) else None

    def turn(self, contents: Tensor, R: Tensor) -> Tensor:
        """As the action says."""
        return self.act(contents, R.to(contents.device))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Reshaped(Representation):
    """Something in another shape: signals laid out in a row, say."""

    inner: Representation
    shape: tuple[int, ...]

    def at(self, x: Tensor) -> Representation | None:
        """Where the number of elements is the same."""
        return self if x.numel() == prod(self.shape) else None

    def contents(self, x: Tensor) -> Tensor:
        """Those of the tensor in its first shape."""
        return self.inner.contents(x.reshape(self.shape))

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """In its new shape."""
        return self.inner.restore(contents, like.reshape(self.shape)).reshape(like.shape)

    def turn(self, contents: Tensor, R: Tensor) -> Tensor:
        """As the first shape turns."""
        return self.inner.turn(contents, R)

    def values(self, contents: Tensor) -> Tensor:
        """Those of the first shape."""
        return self.inner.values(contents)

    def bandwidth(self, contents: Tensor) -> int | None:
        """That of the first shape."""
        return self.inner.bandwidth(contents)

    def __str__(self) -> str:
        return f"{self.inner}, reshaped"


def wide(x: Tensor) -> Tensor:
    """Half precisions in single: an error is measured in no coarser numbers than that."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
