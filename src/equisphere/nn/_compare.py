"""The products of two tangent fields, point by point, with a pass over the memory where the formula has a dozen."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.transforms._backends import accelerated

#: numbers of a tensor that are worked on at once, so that what lies between stays in the cache
CHUNK = 2**17


def compared(u: Float[Tensor, "2 2 *shape"]) -> Float[Tensor, "2 *shape"]:
    r"""Dot and cross product of two tangent fields, each divided by \sqrt{1 + |u|^2 + |v|^2}.

    Neither depends on the frame: the fields turn together. The divisor keeps the growth of the products linear.

    Args:
        u: component (south, east), field (the first, the second), point.

    >>> east, south = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    >>> dot, cross = compared(torch.stack((south, east), dim=-1))  # n x south = east
    >>> round(float(dot), 4), round(float(cross * 3**0.5), 4)
    (0.0, 1.0)
    """
    if torch.compiler.is_compiling():  # a compiler makes one pass of the formula itself
        return plainly_compared(u)
    return _Compared.apply(u)


def plainly_compared(u: Float[Tensor, "2 2 *shape"]) -> Float[Tensor, "2 *shape"]:
    """`compared` as the formula says it."""
    (a, c), (b, d) = u
    return torch.stack((a * c + b * d, a * d - b * c)) * torch.rsqrt(1 + u.square().sum((0, 1)))


class _Compared(torch.autograd.Function):
    @staticmethod
    def forward(u: Tensor) -> Tensor:
        products = torch.empty_like(u[0], memory_format=torch.contiguous_format)
        if _compiles(u):
            from equisphere.nn import _compare_kernels

            _compare_kernels.products(u.reshape(4, -1), products.view(2, -1))
            return products
        for (a, c, b, d), (dot, cross) in _chunks(u.flatten(0, 1), products):
            scale = _scale(a, b, c, d)
            torch.mul(a, c, out=dot).addcmul_(b, d).mul_(scale)
            torch.mul(a, d, out=cross).addcmul_(b, c, value=-1).mul_(scale)
        return products

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """With s the scale and P the outputs: dP = s d(dot, cross) - P s^2 (a da + b db + c dc + d dd)."""
        u, products = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of the derivative is asked for
            return torch.func.vjp(plainly_compared, u)[1](gradient)[0]
        by_u = torch.empty_like(u, memory_format=torch.contiguous_format)
        if _compiles(u):
            from equisphere.nn import _compare_kernels

            _compare_kernels.gradient(u.reshape(4, -1), gradient.reshape(2, -1), by_u.view(4, -1))
            return by_u
        for fields, product, g, to in _chunks(u.flatten(0, 1), products, gradient, by_u.flatten(0, 1)):
            a, c, b, d = fields
            scale = _scale(a, b, c, d)
            shrink = (g[0] * product[0]).addcmul_(g[1], product[1]).mul_(scale).mul_(scale)
            p, q = g[0] * scale, g[1] * scale
            torch.mul(p, c, out=to[0]).addcmul_(q, d).addcmul_(shrink, a, value=-1)
            torch.mul(p, a, out=to[1]).addcmul_(q, b, value=-1).addcmul_(shrink, c, value=-1)
            torch.mul(p, d, out=to[2]).addcmul_(q, c, value=-1).addcmul_(shrink, b, value=-1)
            torch.mul(p, b, out=to[3]).addcmul_(q, a).addcmul_(shrink, d, value=-1)
        return by_u

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        return torch.func.jvp(plainly_compared, (u,), (tangent,))[1]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], u: Tensor) -> tuple[Tensor, int]:
        return _Compared.apply(u.movedim(in_dims[0] or 0, 2)), 1


def _compiles(u: Tensor) -> bool:
    return accelerated() and u.device.type == "cpu" and u.dtype in (torch.float32, torch.float64)


def _scale(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """1 / sqrt(1 + |u|^2 + |v|^2)."""
    return a.square().addcmul_(b, b).addcmul_(c, c).addcmul_(d, d).add_(1).rsqrt_()


def _chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same places of each tensor, of all its parts, piece by piece; those that are written to are contiguous."""
    return zip(*(x.reshape(len(x), -1).split(CHUNK, dim=1) for x in tensors), strict=True)
