"""Directional samples of a signal: its Riesz transform, a tangent vector field of the same power."""

from collections.abc import Callable
from functools import lru_cache, partial
from math import isqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import GaussLegendre, Grid
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms._basis import partner_index
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._engines import over_sine_engine
from equisphere.transforms._linear import is_traced, linear, register_adjoint
from equisphere.transforms._operator import grid_name, grid_named, transform
from equisphere.transforms._recurrence import epsilon

#: components south and east of a tangent field
Field = tuple[Tensor, Tensor]


def riesz_samples(x: Float[Tensor, "coefficients n"], grid: GaussLegendre) -> tuple[Tensor, Tensor]:
    """The field u = grad (-Delta)^(-1/2) f of each signal on a grid: its components south and east `(n, nlat, nlon)`.

    The Riesz transform of the sphere: every degree but l = 0 keeps its power and becomes directions.
    It is computed as sin(theta) u, whose components have band limit L + 1; no Gauss-Legendre ring lies on a pole.

    Args:
        x: coefficients, the signals side by side.
        grid: carries band limit L + 1.
    """
    L = isqrt(len(x))
    if is_traced(x):
        u = _operator(x, grid_name(grid), L, True)
    else:
        u = linear(x, partial(_to_grid, grid=grid, bandwidth=L), partial(_from_grid, grid=grid, bandwidth=L))
    south, east = u.movedim(-1, 0).chunk(2)
    return south, east


def directional(
    function: Callable[[Tensor], Tensor],
    compare: Callable[[Field, Field], tuple[Tensor, Tensor]],
    single: Float[Tensor, "*batch channels coefficients"],
    first: Float[Tensor, "*batch pairs coefficients"],
    second: Float[Tensor, "*batch pairs coefficients"],
    grid: GaussLegendre,
) -> Float[Tensor, "*batch more coefficients"]:
    """Coefficients of function(f), f in `single`, and of the products of the Riesz transforms of pairs.

    As `pointwise`, everything is projected to the band limit of the signals.

    Args:
        function: acts on each number of a tensor alone and keeps its shape.
        compare: makes two products of the components (south, east) of two fields, point by point, that do not depend on the
            frame.
        single: signals for `function`.
        first: signals whose Riesz transform is the first field of each pair.
        second: those of the second.
        grid: as in `pointwise`; carries the band limit of the signals + 1.

    Raises:
        ValueError: where the grid is too coarse or has an odd number of rings.

    >>> import torch
    >>> c = torch.randn(5, 3, 64)
    >>> def products(u, v):
    ...     return u[0] * v[0] + u[1] * v[1], u[0] * v[1] - u[1] * v[0]
    >>> directional(torch.tanh, products, c, c[:, :1], c[:, 1:2], GaussLegendre(12, nlat=12)).shape
    torch.Size([5, 5, 64])
    """
    L = isqrt(single.shape[-1])
    if grid.nlat % 2 or grid.exact_degree < 2 * L:
        raise ValueError(f"directions of band limit {L} need an even number of rings that carry {L + 1}, got {grid}.")
    batch = single.shape[:-2]
    x = [columns(part.movedim(-2, 0), 1) for part in (single, first, second)]  # channel after channel
    parts = [function(transform(x[0], grid, L, to_grid=True, weighted=False).movedim(-1, 0))] if x[0].numel() else []
    south, east = riesz_samples(torch.cat(x[1:], dim=1), grid)
    pairs = [(a, b) for a, b in zip(south.chunk(2), east.chunk(2), strict=True)]
    parts += compare(*pairs)
    c = [transform(part.movedim(0, -1), grid, L, to_grid=False, weighted=True) for part in parts]
    return uncolumns(torch.cat(c, dim=1), torch.Size((-1, *batch))).movedim(0, -2).to(single.dtype)


def _to_grid(x: Float[Tensor, "coefficients n"], grid: Grid, bandwidth: int) -> Float[Tensor, "nlat nlon n2"]:
    """Samples of u: the components south, then those east."""
    L = bandwidth
    root, order, *lowered = _tables(L, x.dtype, x.device)
    x = x * root
    south = _neighbours(x, *lowered[:4])
    east = order * x.index_select(0, partner_index(L, x.device)[1])
    east = torch.nn.functional.pad(east, (0, 0, 0, 2 * L + 1))  # degree L, which d/dphi does not reach
    return over_sine_engine(grid, L + 1).to_grid(torch.cat((south, east), dim=1), weighted=False)


def _from_grid(u: Float[Tensor, "nlat nlon n2"], grid: Grid, bandwidth: int) -> Float[Tensor, "coefficients n"]:
    """The transpose of `_to_grid`."""
    L = bandwidth
    root, order, *lowered = _tables(L, u.dtype, u.device)
    slopes = over_sine_engine(grid, L + 1).from_grid(u, weighted=False)
    south, east = slopes.chunk(2, dim=1)
    east = (order * east[: L * L]).index_select(0, partner_index(L, u.device)[1])
    return root * (_neighbours(south, *lowered[4:]) + east)


@torch.library.custom_op("equisphere::riesz_transform", mutates_args=())
def _operator(x: Tensor, grid: str, bandwidth: int, to_grid: bool) -> Tensor:
    """The two as compilers see them: one operator, in place of tables."""
    if to_grid:
        return _to_grid(x, grid_named(grid), bandwidth).movedim(-1, 0).contiguous().movedim(0, -1)
    return _from_grid(x, grid_named(grid), bandwidth).contiguous()


@_operator.register_fake
def _(x: Tensor, grid: str, bandwidth: int, to_grid: bool) -> Tensor:
    if to_grid:
        return x.new_empty(2 * x.shape[-1], *grid_named(grid).shape).movedim(0, -1)
    return x.new_empty(bandwidth**2, x.shape[-1] // 2)


register_adjoint(_operator, direction=2)


def _neighbours(x: Tensor, below: Tensor, above: Tensor, by_below: Tensor, by_above: Tensor) -> Tensor:
    """Of each coefficient the weighted sum of those one degree lower and one higher."""
    return x.index_select(0, below) * by_below + x.index_select(0, above) * by_above


@lru_cache(maxsize=32)
def _tables(bandwidth: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """(-Delta)^(-1/2), the order m, then places and factors for `_neighbours`: sin(theta) d/dtheta and its transpose.

    sin(theta) dP_lm/dtheta = l alpha_{l+1,m} P_{l+1,m} - (l+1) alpha_{l,m} P_{l-1,m}, alpha_{l,m}^2 = (l^2 - m^2) / (4 l^2 - 1)
    (DLMF 14.10.5 for orthonormal P_lm).
    """
    degree, order = degrees_and_orders(bandwidth + 1)
    inner = slice(bandwidth**2)

    def places(l: np.ndarray, m: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray]:
        below, above = (l - 1) * l + m, (l + 1) * (l + 2) + m
        return np.where(l > abs(m), below, 0), np.where(l + 1 < end, above, 0)

    from_here, from_higher = epsilon(degree, order), epsilon(degree + 1, order)  # alpha_l and alpha_{l+1}
    up, down = degree * from_higher, -(degree + 1) * from_here  # of degree l to l + 1 and l - 1
    forth = places(degree, order, bandwidth)
    back = places(degree[inner], order[inner], bandwidth + 1)
    from_below = (degree - 1) * from_here
    from_above = -(degree + 2) * from_higher * (degree + 1 < bandwidth)
    power = degree[inner] * (degree[inner] + 1.0)
    root = np.where(power > 0, power.clip(min=1) ** -0.5, 0.0)
    factors = (root, order[inner], from_below, from_above, up[inner], down[inner])
    numbers = [torch.from_numpy(x)[:, None].to(device, dtype) for x in factors]
    return (
        *numbers[:2],
        *(torch.from_numpy(index).to(device) for index in forth),
        *numbers[2:4],
        *(torch.from_numpy(index).to(device) for index in back[::-1]),
        *numbers[4:],
    )
