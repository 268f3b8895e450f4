"""Directional samples of a signal: its Riesz transform, a tangent vector field of the same power."""

from collections.abc import Callable
from functools import partial
from math import isqrt

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import GaussLegendre
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._linear import is_traced, linear, register_adjoint
from equisphere.transforms._operator import grid_name, grid_named, transform
from equisphere.transforms._tangent_engine import tangent_engine


def riesz_samples(
    x: Float[Tensor, "coefficients n"], grid: GaussLegendre
) -> Float[Tensor, "components_of_n nlat nlon"]:
    """The field u = grad (-Delta)^(-1/2) f of each signal on a grid: the components south of all, then those east.

    The Riesz transform of the sphere: every degree but l = 0 keeps its power and becomes directions.
    sin(theta) u has components of band limit L + 1; no Gauss-Legendre ring lies on a pole.

    Args:
        x: coefficients, the signals side by side.
        grid: carries band limit L + 1.
    """
    L = isqrt(len(x))
    if is_traced(x):
        u = _operator(x, grid_name(grid), L, True)
    else:
        u = linear(x, partial(_to_grid, grid=grid, bandwidth=L), partial(_from_grid, grid=grid, bandwidth=L))
    return u.movedim(-1, 0)


def directional(
    function: Callable[[Tensor], Tensor],
    compare: Callable[[Tensor], Tensor],
    single: Float[Tensor, "*batch channels coefficients"],
    paired: Float[Tensor, "*batch both_of_all_pairs coefficients"],
    grid: GaussLegendre,
) -> Float[Tensor, "*batch more coefficients"]:
    """Coefficients of function(f), f in `single`, and of products of the Riesz transforms of pairs.

    As `pointwise`, everything is projected to the band limit of the signals.

    Args:
        function: acts on each number of a tensor alone and keeps its shape.
        compare: makes of the two fields of each pair, `(component south or east, first or second field, pairs, ...)`, products
            `(products, pairs, ...)`, point by point, that do not depend on the frame.
        single: signals for `function`.
        paired: the signals whose Riesz transforms are the first fields of the pairs, then those for the second ones.
        grid: as in `pointwise`; carries the band limit of the signals + 1.

    Raises:
        ValueError: where the grid is too coarse or has an odd number of rings, or a signal has no partner.

    >>> import torch
    >>> c = torch.randn(5, 3, 64)
    >>> def products(u):
    ...     (a, c), (b, d) = u
    ...     return torch.stack((a * c + b * d, a * d - b * c))
    >>> directional(torch.tanh, products, c, c[:, :2], GaussLegendre(12, nlat=12)).shape
    torch.Size([5, 5, 64])
    """
    L = isqrt(single.shape[-1])
    if grid.nlat % 2 or grid.exact_degree < 2 * L:
        raise ValueError(f"directions of band limit {L} need an even number of rings that carry {L + 1}, got {grid}.")
    if paired.shape[-2] % 2:
        raise ValueError(f"signals are compared two by two, got {paired.shape[-2]} of them.")
    batch = single.shape[:-2]
    x, y = (columns(part.movedim(-2, 0), 1) for part in (single, paired))  # channel after channel
    u = riesz_samples(y, grid)
    parts = [compare(u.view(2, 2, -1, *u.shape[1:])).flatten(0, 1)]
    if x.numel():
        parts.insert(0, function(transform(x, grid, L, to_grid=True, weighted=False).movedim(-1, 0)))
    c = torch.cat([transform(part.movedim(0, -1), grid, L, to_grid=False, weighted=True) for part in parts], dim=-1)
    return uncolumns(c, torch.Size((-1, *batch))).movedim(0, -2).to(single.dtype)


def _to_grid(x: Float[Tensor, "coefficients n"], grid: GaussLegendre, bandwidth: int) -> Float[Tensor, "nlat nlon n2"]:
    return tangent_engine(grid, bandwidth).to_grid(x).movedim(0, -1)


def _from_grid(
    u: Float[Tensor, "nlat nlon n2"], grid: GaussLegendre, bandwidth: int
) -> Float[Tensor, "coefficients n"]:
    return tangent_engine(grid, bandwidth).from_grid(u.movedim(-1, 0))


@torch.library.custom_op("equisphere::riesz_transform", mutates_args=())
def _operator(x: Tensor, grid: str, bandwidth: int, to_grid: bool) -> Tensor:
    """The two as compilers see them: one operator, in place of tables."""
    return (_to_grid if to_grid else _from_grid)(x, grid_named(grid), bandwidth)  # type: ignore[arg-type]


@_operator.register_fake
def _(x: Tensor, grid: str, bandwidth: int, to_grid: bool) -> Tensor:
    if to_grid:
        return x.new_empty(2 * x.shape[-1], *grid_named(grid).shape).movedim(0, -1)
    return x.new_empty(bandwidth**2, x.shape[-1] // 2)


register_adjoint(_operator, direction=2)
