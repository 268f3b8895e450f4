"""Running somebody's model and leaving it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def preserved(model: nn.Module, training: bool = False) -> Iterator[None]:
    """Put a model into evaluation (or training) mode; at the end restore the mode of every part, parameters, buffers and RNG.

    Nothing is written where nothing has changed. What a model keeps elsewhere than in parameters and buffers is its own affair.
    """
    parts = list(model.modules())
    modes = [part.training for part in parts]
    held: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (kept, dict(kept)) for part in parts for kept in (part._parameters, part._buffers)
    ]
    tensors = {id(x): x for _, kept in held for x in kept.values() if isinstance(x, Tensor)}
    with torch.no_grad():
        copies = {key: x.detach().clone() for key, x in tensors.items()}
    with torch.random.fork_rng(_devices(tensors.values())):
        try:
            for part in parts:
                part.training = training
            yield
        finally:
            for part, mode in zip(parts, modes, strict=True):
                part.training = mode
            for now, before in held:
                if any(now.get(name) is not x for name, x in before.items()) or len(now) != len(before):
                    now.clear()
                    now.update(before)
            with torch.no_grad():
                for key, x in tensors.items():
                    if not _same(x, copies[key]):
                        x.copy_(copies[key])


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal to the bit, NaN included."""
    if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
        return False
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def _devices(tensors: Any) -> list[int]:
    """Indices of the accelerators whose random numbers the model may draw."""
    return sorted({x.device.index or 0 for x in tensors if x.is_cuda})
