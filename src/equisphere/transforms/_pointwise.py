"""A pointwise function of a signal given by coefficients."""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._linear import linear


def pointwise(
    function: Callable[[Tensor], Tensor], c: Float[Tensor, "*batch coefficients"], grid: GaussLegendre
) -> Float[Tensor, "*batch coefficients"]:
    """Coefficients of x -> function(f(x)), projected to the band limit of f: synthesis, function, analysis.

    The samples on the way are never put in the order of a signal `(..., nlat, nlon)`: the southern rings lie as
    mirror images of the northern ones, and the signals side by side.

    Args:
        function: acts on each number of a tensor alone and keeps its shape.
        c: coefficients `(..., L*L)` of real signals.
        grid: where `function` acts; an even number of rings, and as fine as the error that is to remain asks.

    Raises:
        ValueError: where the coefficients are complex, the grid is too coarse for them or has an odd number of rings, or
            `function` changes the shape or dtype.

    >>> import torch
    >>> y = torch.tensor([0.0, 0.0, 1.0, 0.0])  # the mean of Y_10^2 over the sphere is 1 / 4 pi
    >>> squared = pointwise(torch.square, y, GaussLegendre(2, nlat=4, nlon=8))
    >>> bool(torch.isclose(squared[0], 1 / torch.tensor(4 * torch.pi).sqrt()))
    True
    """
    _checks.real(c, "coefficients")
    L = _checks.bandwidth_of(c)
    if not isinstance(grid, GaussLegendre) or grid.nlat % 2 or grid.exact_degree < 2 * (L - 1):
        raise ValueError(
            "a pointwise function needs a GaussLegendre grid with an even number of rings that carries the band limit "
            f"{L} of the coefficients, got {grid}."
        )
    engine = ring_engine(grid, L)
    to_grid = [partial(engine.to_grid, weighted=weighted) for weighted in (False, True)]
    from_grid = [partial(engine.from_grid, weighted=weighted) for weighted in (False, True)]
    samples = linear(columns(c, 1), to_grid[0], from_grid[0])
    values = function(samples)
    if not isinstance(values, Tensor) or values.shape != samples.shape or values.dtype != samples.dtype:
        made = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else repr(values)
        raise ValueError(
            "a pointwise function must keep shape and dtype, but of "
            f"{samples.dtype} {tuple(samples.shape)} it made {made}."
        )
    return uncolumns(linear(values, from_grid[1], to_grid[1]), c.shape[:-1])
