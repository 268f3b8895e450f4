"""Functions of samples of several spins at once."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.transforms._columns import columns
from equisphere.transforms._operator import transform


def pointwise_spins(
    function: Callable[..., Sequence[Tensor]],
    features: Sequence[Float[Tensor, "batch _ coefficients"]],
    spins: Sequence[int],
    grid: GaussLegendre,
    bandwidth: int,
) -> Sequence[Float[Tensor, "batch _ out"]]:
    """Coefficients of a function of samples of several spins, projected to a band limit: synthesis, function, analysis.

    Rows of coefficients are as in `nn.Field`: at spin 0 one for each channel; at spin s > 0 the E of all channels, then the
    B of all channels (`e_b_modes`), real. Samples are `(batch, channels, nlat, nlon)` at spin 0 and
    `(2, batch, channels, nlat, nlon)` at spin s > 0: real and imaginary part, against the local axes.

    Args:
        function: takes as many tensors of samples as there are features, and gives a sequence of such, one for each spin of the
            result. It commutes with rotations where it acts on each point alone and turns with the axes.
        features: coefficients of each spin, all of one band limit.
        spins: those of the features, then those of the result.
        grid: carries the band limit of the features and, to be exact, that of the function's values.
        bandwidth: band limit of the result.

    Raises:
        ValueError: where the grid does not carry the band limits, or the function does not give samples of each spin.

    >>> import torch
    >>> E_and_B = torch.randn(3, 2, 16)
    >>> power = pointwise_spins(lambda f: [f.square().sum(0)], [E_and_B], (1, 0), GaussLegendre(6, nlat=6), 4)
    >>> power[0].shape
    torch.Size([3, 1, 16])
    """
    L = _checks.bandwidth_of(features[0])
    given, wanted = spins[: len(features)], spins[len(features) :]
    if not isinstance(grid, GaussLegendre) or grid.nlat % 2 or grid.exact_degree < 2 * (max(L, bandwidth) - 1):
        raise ValueError(
            "functions of samples need a GaussLegendre grid with an even number of rings that carries the band limits "
            f"{L} and {bandwidth}, got {grid}."
        )
    samples = []
    for spin, c in zip(given, features, strict=True):
        x = columns(c.unflatten(1, (2, -1)).transpose(1, 2), 2).transpose(0, 1) if spin else columns(c, 1)
        f = transform(x, grid, L, to_grid=True, weighted=False, spin=spin)
        samples.append(f.movedim((0, 1), (-2, -1)).unflatten(-3, (len(c), -1)))
    out = []
    values = function(*samples)
    dims = [5 if spin else 4 for spin in wanted]
    if [f.ndim for f in values] != dims or any(f.shape[-2:] != grid.shape for f in values):
        raise ValueError(
            f"the function must give samples of the spins {tuple(wanted)}: (batch, channels, nlat, nlon) at spin 0 and "
            f"(2, batch, channels, nlat, nlon) above, got {[tuple(f.shape) for f in values]}."
        )
    for spin, f in zip(wanted, values, strict=True):
        x = f.flatten(-4, -3).movedim((-2, -1), (0, 1))
        c = transform(x, grid, bandwidth, to_grid=False, weighted=True, spin=spin).unflatten(-1, f.shape[-4:-2])
        if spin:  # (L*L, 2, batch, channels): written row after row, as the next layer reads
            c = c.transpose(1, 2).flatten(2)
        out.append(c.permute(1, 2, 0).to(features[0].dtype))
    return out


def joined(parts: Sequence[Float[Tensor, "batch _ coefficients"]]) -> Float[Tensor, "batch all coefficients"]:
    """The rows of all parts, in the memory order `(L*L, batch, rows)` that the next layer reads."""
    return torch.cat([part.permute(2, 0, 1) for part in parts], dim=-1).permute(1, 2, 0)
