"""The transform of a grid as one operator of PyTorch: what compilers see of it.

A compiled or exported program holds a call of `equisphere::transform` with the name of the grid, in place of the engine's
tables and loops; it runs the engine that runs otherwise. Shapes alone are asked for on the meta device and by fake tensors.
"""

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

from equisphere import grids
from equisphere.grids import RingGrid
from equisphere.transforms._engines import engine_for
from equisphere.transforms._linear import linear


def is_traced(x: Tensor) -> bool:
    """Whether a program is being recorded, or shapes alone are asked for: no tables are to be touched then."""
    return torch.compiler.is_compiling() or x.is_meta or isinstance(x, FakeTensor)


def transform(x: Tensor, grid: RingGrid, bandwidth: int, to_grid: bool, weighted: bool) -> Tensor:
    """`to_grid` or `from_grid` of the grid's engine on columns, its adjoint the backward pass.

    Args:
        x: coefficients `(L*L, N)` or samples `(*grid.shape, N)`, float32 or float64.
        grid: of the samples.
        bandwidth: band limit L.
        to_grid: synthesis, or its transpose.
        weighted: with the quadrature weights, as in `Engine`.
    """
    if is_traced(x):
        return _transform(x, _name(grid), bandwidth, to_grid, weighted)
    engine = engine_for(grid, bandwidth)
    maps = partial(engine.to_grid, weighted=weighted), partial(engine.from_grid, weighted=weighted)
    return linear(x, *maps) if to_grid else linear(x, *reversed(maps))


def _name(grid: RingGrid) -> str:
    """The grid in words, from which `_named` makes it again, in another process too."""
    return f"{type(grid).__name__} {grid.bandwidth} {grid.nlat} {grid.nlon} {int(getattr(grid, 'poles', False))}"


@lru_cache(maxsize=64)
def _named(name: str) -> RingGrid:
    kind, *numbers = name.split()
    bandwidth, nlat, nlon, poles = map(int, numbers)
    options = {"poles": True} if poles else {}
    return getattr(grids, kind)(bandwidth, nlat=nlat, nlon=nlon, **options)


@torch.library.custom_op("equisphere::transform", mutates_args=())
def _transform(x: Tensor, grid: str, bandwidth: int, to_grid: bool, weighted: bool) -> Tensor:
    engine = engine_for(_named(grid), bandwidth)
    with torch.autocast(x.device.type, enabled=False):
        if to_grid:  # in one memory order, whatever the engine: compilers rely on it
            return engine.to_grid(x, weighted).movedim(-1, 0).contiguous().movedim(0, -1)
        return engine.from_grid(x, weighted).contiguous()


@_transform.register_fake
def _(x: Tensor, grid: str, bandwidth: int, to_grid: bool, weighted: bool) -> Tensor:
    if to_grid:
        return x.new_empty(x.shape[-1], *_named(grid).shape).movedim(0, -1)
    return x.new_empty(bandwidth**2, x.shape[-1])


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    ctx.arguments = inputs[1:]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    grid, bandwidth, to_grid, weighted = ctx.arguments
    return _transform(gradient, grid, bandwidth, not to_grid, weighted), None, None, None, None


def _vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, *arguments: Any) -> tuple[Tensor, int]:
    x = x.movedim(in_dims[0] or 0, -2)
    y = _transform(x.flatten(-2), *arguments).unflatten(-1, x.shape[-2:])
    return y, y.ndim - 2


_transform.register_autograd(_backward, setup_context=_setup_context)
_transform.register_vmap(_vmap)
