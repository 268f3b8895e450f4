"""A pointwise function of a signal given by coefficients."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._operator import transform


def pointwise(
    function: Callable[[Tensor], Tensor], c: Float[Tensor, "*batch coefficients"], grid: GaussLegendre
) -> Float[Tensor, "*batch coefficients"]:
    """Coefficients of x -> function(f(x)), projected to the band limit of f: synthesis, function, analysis.

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
    samples = transform(columns(c, 1), grid, L, to_grid=True, weighted=False)
    values = function(samples)
    if not isinstance(values, Tensor) or values.shape != samples.shape or values.dtype != samples.dtype:
        made = f"{values.dtype} {tuple(values.shape)}" if isinstance(values, Tensor) else repr(values)
        raise ValueError(
            "a pointwise function must keep shape and dtype, but of "
            f"{samples.dtype} {tuple(samples.shape)} it made {made}."
        )
    return uncolumns(transform(values, grid, L, to_grid=False, weighted=True), c.shape[:-1]).to(c.dtype)
