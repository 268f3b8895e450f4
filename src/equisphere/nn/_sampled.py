"""Layers that take and give samples on a grid."""

from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import Grid
from equisphere.nn._zonal import ZonalConv
from equisphere.transforms import SHT


class SphericalConv(nn.Module):
    """The spherical convolution of Esteves et al. (2018) on samples: analysis, `ZonalConv`, synthesis.

    The output is band-limited; so is what it sees of the input (see `SHT`). In a network of several layers, stay in
    coefficients and use `ZonalConv`: the transforms are nearly all of the cost.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        grid: the grid of both.
        bandwidth: band limit of the filters; the grid's own by default.
        anchors: as in `ZonalConv`.
        bias: as in `ZonalConv`.

    Shape:
        `(batch, in_channels, *grid.shape)` to `(batch, out_channels, *grid.shape)`, real.

    Raises:
        ValueError: as `SHT` and `ZonalConv` do.

    >>> import torch, equisphere as es
    >>> layer = SphericalConv(3, 8, es.grids.DriscollHealy(16))
    >>> layer(torch.randn(2, 3, 32, 32)).shape
    torch.Size([2, 8, 32, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: Grid,
        bandwidth: int | None = None,
        anchors: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.sht = SHT(grid, bandwidth)
        self.conv = ZonalConv(in_channels, out_channels, self.sht.bandwidth, anchors, bias)

    def forward(self, signal: Float[Tensor, "batch in *nodes"]) -> Float[Tensor, "batch out *nodes"]:
        """Convolve each signal of the batch."""
        _checks.real(signal, "signal")
        shape = self.sht.grid.shape
        if signal.ndim != 2 + len(shape) or signal.shape[1] != self.conv.in_channels:
            raise ValueError(
                f"signal must have shape (batch, {', '.join(map(str, (self.conv.in_channels, *shape)))}), "
                f"got {tuple(signal.shape)}."
            )
        return self.sht.inverse(self.conv(self.sht(signal)))
