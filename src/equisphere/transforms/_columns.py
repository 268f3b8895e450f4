"""The memory order of the engine: many signals side by side in the last dimension."""

import torch
from torch import Tensor

from equisphere._precision import widened


def columns(x: Tensor, last: int) -> Tensor:
    """`(..., a, b)` to `(a, b, N)`: leading dimensions behind the `last` ones, without a copy where strides allow."""
    x = widened(x).movedim(tuple(range(-last, 0)), tuple(range(last)))
    return x.reshape(*x.shape[:last], -1)


def uncolumns(x: Tensor, leading: torch.Size) -> Tensor:
    """`(a, b, N)` to `(..., a, b)`: a view, which keeps the memory order that the next transform wants."""
    return x.movedim(-1, 0).unflatten(0, leading) if leading else x.squeeze(-1)
