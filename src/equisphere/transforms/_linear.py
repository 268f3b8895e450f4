"""A linear map whose backward pass is its adjoint, written as such."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

Map = Callable[[Tensor], Tensor]


def is_traced(x: Tensor) -> bool:
    """Whether a program is being recorded, or shapes alone are asked for: no tables are to be touched then."""
    return torch.compiler.is_compiling() or x.is_meta or isinstance(x, FakeTensor)


def register_adjoint(operator: Any, direction: int) -> None:
    """Make an operator of PyTorch, linear in its first argument, its own backward pass with its direction turned over.

    Args:
        operator: what `torch.library.custom_op` gives.
        direction: place of the flag that says which of the map and its transpose is meant, among the other arguments.
    """

    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.arguments = inputs[1:]

    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        turned = [not value if i == direction else value for i, value in enumerate(ctx.arguments)]
        return operator(gradient, *turned), *[None] * len(turned)

    operator.register_autograd(backward, setup_context=setup_context)


class _LinearMap(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, forward: Map, adjoint: Map) -> Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return forward(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Map, Map], output: Tensor) -> None:
        _, ctx.forward_map, ctx.adjoint_map = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _LinearMap.apply(gradient, ctx.adjoint_map, ctx.forward_map), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _LinearMap.apply(tangent, ctx.forward_map, ctx.adjoint_map)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, forward: Map, adjoint: Map) -> tuple[Tensor, int]:
        x = x.movedim(in_dims[0] or 0, -2)
        y = _LinearMap.apply(x.flatten(-2), forward, adjoint).unflatten(-1, x.shape[-2:])
        return y, y.ndim - 2


# torch looks at the signature at every call, which takes longer than a small transform
_LinearMap.forward.__signature__ = inspect.signature(_LinearMap.forward)  # type: ignore[attr-defined]


def linear(x: Tensor, forward: Map, adjoint: Map) -> Tensor:
    """Apply a linear map that acts on the dimensions of `x` before the last, alike for each column of the last.

    Its backward pass is `adjoint`, whose backward pass is `forward`, and so on to any order; both run in the dtype
    of `x` under autocast too.
    """
    return _LinearMap.apply(x, forward, adjoint)
