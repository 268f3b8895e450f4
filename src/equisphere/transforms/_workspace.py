"""Memory that is used again: on CPUs, the pages of a large fresh tensor cost more than the numbers written to them."""

import threading
from math import prod

import torch
from torch import Tensor

#: bytes that are kept for each purpose and thread; what is larger is given back
KEPT_BYTES = 2**25


_local = threading.local()


def workspaces() -> dict[tuple[str, torch.dtype], Tensor]:
    """What this thread keeps."""
    kept: dict[tuple[str, torch.dtype], Tensor] = _local.__dict__.setdefault("kept", {})
    return kept


def workspace(purpose: str, like: Tensor, *shape: int) -> Tensor:
    """An uninitialised tensor, valid until the same thread asks for the same purpose again: never to be returned to users."""
    size = prod(shape)
    if like.device.type != "cpu" or size * like.element_size() > KEPT_BYTES:
        return like.new_empty(shape)
    kept, key = workspaces(), (purpose, like.dtype)
    if key not in kept or len(kept[key]) < size:
        with torch.inference_mode(False):  # what is made in that mode cannot be written to outside
            kept[key] = torch.empty(size, dtype=like.dtype)
    return kept[key][:size].view(shape)
