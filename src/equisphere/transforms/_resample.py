"""From the samples on one grid to those on another."""

from jaxtyping import Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.grids import Grid, Scattered
from equisphere.transforms._evaluate import evaluate
from equisphere.transforms._sht import SHT


def resample(
    signal: Shaped[Tensor, "*signal"],
    source: Grid,
    target: Grid,
    bandwidth: int | None = None,
    tolerance: float | None = None,
) -> Shaped[Tensor, "*out"]:
    """Samples on another grid: analysis on the one, synthesis on the other.

    Exact where the signal has the band limit L. Of any other, degrees l >= L are dropped first, as a filter against aliasing
    must; a sharp edge then rings. By default L is what both grids carry, the smaller of their bandwidths. Scattered
    points as the target take any L, the source's by default: they are looked at one by one.

    Args:
        signal: `(..., *source.shape)`, real or complex.
        source: grid of the samples.
        target: grid of the samples wanted.
        bandwidth: band limit L.
        tolerance: of the analysis, as in `SHT`.

    Returns:
        `(..., *target.shape)`; differentiable in the signal.

    Raises:
        ValueError: as `SHT` does; among others, where a grid does not carry the bandwidth.

    >>> import torch, equisphere as es
    >>> map_ = es.grids.ClenshawCurtis(nlat=19, nlon=36)
    >>> pixels = es.grids.HEALPix(8)
    >>> height = resample(map_.points[..., 2], map_, pixels)
    >>> bool(torch.allclose(height, pixels.points[..., 2]))
    True
    """
    for name, grid in (("source", source), ("target", target)):
        if not isinstance(grid, Grid):
            raise ValueError(f"{name} must be a grid of equisphere.grids, such as HEALPix(16), got {grid!r}.")
    if isinstance(target, Scattered):
        c = SHT(source, bandwidth, tolerance)(signal)
        return evaluate(c, target.points.to(c.device))
    if bandwidth is None:
        bandwidth = min(source.bandwidth, target.bandwidth)
    bandwidth = _checks.positive_int(bandwidth, "bandwidth")
    inverse = SHT(target, bandwidth).inverse
    return inverse(SHT(source, bandwidth, tolerance)(signal))
