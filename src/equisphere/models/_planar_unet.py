"""An ordinary U-Net on the equirectangular picture of the sphere: the baseline of dense tasks."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import DriscollHealy
from equisphere.models._configured import ConfiguredModule
from equisphere.transforms import SHT


def _twice(before: int, after: int) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU; the date line is no edge, the poles are."""
    layers = nn.Sequential()
    for width in (before, after):
        layers.append(nn.CircularPad2d((1, 1, 0, 0)))
        layers.append(nn.ReplicationPad2d((0, 0, 1, 1)))
        layers.append(nn.Conv2d(width, after, 3, bias=False))
        layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU())
    return layers


class PlanarUNet(ConfiguredModule):
    """The U-Net of Ronneberger et al. (2015) on the 2L x 2L samples of the signal, circular in longitude.

    It is equivariant under turns about the z axis by whole cells at the coarsest level, and under no others. It takes and gives
    coefficients, as `SphericalUNet` does, so that both see the same signals and are read out in the same way: the output is the
    part of band limit L of its picture.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        bandwidth: band limit L; the picture has 2L x 2L pixels.
        channels: channels of each level; from level to level the picture is halved.
        dropout: probability at which a channel of the deepest level is dropped, as a whole, while training.

    Shape:
        coefficients `(batch, in_channels, L*L)` to `(batch, out_channels, L*L)`.

    Raises:
        ValueError: where 2L cannot be halved that often, or an input does not fit the network.

    >>> import torch
    >>> PlanarUNet(3, 2, bandwidth=16, channels=(8, 16)).eval()(torch.randn(4, 3, 256)).shape
    torch.Size([4, 2, 256])
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        bandwidth: int = 32,
        channels: Sequence[int] = (12, 24, 48),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.config = {
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "out_channels": _checks.positive_int(out_channels, "out_channels"),
            "bandwidth": _checks.positive_int(bandwidth, "bandwidth"),
            "channels": list(channels),
            "dropout": float(dropout),
        }
        halvings = len(self.config["channels"]) - 1
        if halvings < 0 or 2 * bandwidth % 2**halvings:
            raise ValueError(
                f"channels needs one number for each level, and the {2 * bandwidth} pixels must be even at all but the last, "
                f"got {len(self.config['channels'])} levels."
            )
        self.sht = SHT(DriscollHealy(bandwidth))
        self.bandwidth = bandwidth
        widths = [in_channels, *channels]
        self.down = nn.ModuleList(_twice(before, after) for before, after in pairwise(widths))
        self.up = nn.ModuleList(_twice(below + beside, beside) for beside, below in reversed(list(pairwise(channels))))
        self.shrink, self.grow = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels[0], out_channels, 1)

    def forward(self, c: Float[Tensor, "batch in coefficients"]) -> Float[Tensor, "batch out coefficients"]:
        """The signal that belongs to each signal."""
        _checks.features_of(c, self.config["in_channels"])
        x = self.sht.inverse(c).contiguous()
        levels: list[Tensor] = []
        for block in self.down:
            x = block(x if not levels else self.shrink(x))
            levels.append(x)
        x = self.dropout(levels.pop())
        for block in self.up:
            x = block(torch.cat((self.grow(x), levels.pop()), dim=1))
        return self.sht(self.head(x))
