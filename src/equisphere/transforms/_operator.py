"""The transform of a grid as one operator of PyTorch: what compilers see of it.

A compiled or exported program holds a call of `equisphere::transform` with the name of the grid, in place of the engine's
tables and loops; it runs the engine that runs otherwise. Shapes alone are asked for on the meta device and by fake tensors.
"""

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from equisphere import grids
from equisphere.grids import Grid, HEALPix, RingGrid
from equisphere.transforms._engines import Engine, engine_for
from equisphere.transforms._linear import is_traced, linear, register_adjoint
from equisphere.transforms._spin_rings import spin_ring_engine


def transform(
    x: Tensor,
    grid: Grid,
    bandwidth: int,
    to_grid: bool,
    weighted: bool,
    tolerance: float | None = None,
    spin: int = 0,
) -> Tensor:
    """`to_grid` or `from_grid` of the grid's engine on columns, its adjoint the backward pass.

    Args:
        x: coefficients `(L*L, N)` or samples `(*grid.shape, N)`, float32 or float64.
        grid: of the samples.
        bandwidth: band limit L.
        to_grid: synthesis, or its transpose.
        weighted: with the quadrature weights, as in `Engine`.
        tolerance: as in `SHT`.
        spin: of the signals; where it is above 0, there are E and B of each, `(L*L, 2, N)`, and Q and U `(*grid.shape, 2, N)`.
    """
    if is_traced(x):
        return _transform(x, grid_name(grid), bandwidth, to_grid, weighted, tolerance, spin)
    engine = _engine(grid, bandwidth, tolerance, spin)
    maps = partial(engine.to_grid, weighted=weighted), partial(engine.from_grid, weighted=weighted)
    return linear(x, *maps) if to_grid else linear(x, *reversed(maps))


def _engine(grid: Grid, bandwidth: int, tolerance: float | None, spin: int) -> Engine:
    return spin_ring_engine(grid, bandwidth, spin, tolerance) if spin else engine_for(grid, bandwidth, tolerance)


#: grids that no few numbers describe: a program that names one runs in the process that recorded it
_described: dict[str, Grid] = {}


def grid_name(grid: Grid) -> str:
    """The grid in words, from which `grid_named` makes it again, in another process too (but for scattered points)."""
    if isinstance(grid, RingGrid):
        return f"{type(grid).__name__} {grid.bandwidth} {grid.nlat} {grid.nlon} {int(getattr(grid, 'poles', False))}"
    if isinstance(grid, HEALPix):
        return f"HEALPix {grid.nside}"
    name = f"{type(grid).__name__} of hash {hash(grid)}"
    _described[name] = grid
    return name


@lru_cache(maxsize=64)
def grid_named(name: str) -> Grid:
    if name in _described:
        return _described[name]
    kind, *numbers = name.split()
    if kind == "HEALPix":
        return HEALPix(int(numbers[0]))
    if kind == "Scattered":
        raise ValueError("a program recorded on scattered points runs only in the process that recorded it.")
    bandwidth, nlat, nlon, poles = map(int, numbers)
    options = {"poles": True} if poles else {}
    return getattr(grids, kind)(bandwidth, nlat=nlat, nlon=nlon, **options)


@torch.library.custom_op("equisphere::transform", mutates_args=())
def _transform(
    x: Tensor,
    grid: str,
    bandwidth: int,
    to_grid: bool,
    weighted: bool,
    tolerance: float | None = None,
    spin: int = 0,
) -> Tensor:
    engine, nodes = _engine(grid_named(grid), bandwidth, tolerance, spin), len(grid_named(grid).shape)
    with torch.autocast(x.device.type, enabled=False):
        if to_grid:  # in one memory order, whatever the engine: compilers rely on it
            return _nodes_first(
                engine.to_grid(x, weighted).movedim((0, 1)[:nodes], (-2, -1)[-nodes:]).contiguous(), nodes
            )
        return engine.from_grid(x, weighted).contiguous()


def _nodes_first(f: Tensor, nodes: int) -> Tensor:
    """Samples whose nodes lie together in memory, `(.., N, *grid.shape)`, as `(*grid.shape, .., N)`."""
    return f.movedim((-2, -1)[-nodes:], (0, 1)[:nodes])


@_transform.register_fake
def _(
    x: Tensor,
    grid: str,
    bandwidth: int,
    to_grid: bool,
    weighted: bool,
    tolerance: float | None = None,
    spin: int = 0,
) -> Tensor:
    shape = grid_named(grid).shape
    parts = x.shape[-2:] if spin else x.shape[-1:]
    if to_grid:
        return _nodes_first(x.new_empty(*parts, *shape), len(shape))
    return x.new_empty(bandwidth**2, *parts)


def _vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, *arguments: Any) -> tuple[Tensor, int]:
    x = x.movedim(in_dims[0] or 0, -2)
    y = _transform(x.flatten(-2), *arguments).unflatten(-1, x.shape[-2:])
    return y, y.ndim - 2


register_adjoint(_transform, direction=2)
_transform.register_vmap(_vmap)
