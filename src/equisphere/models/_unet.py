"""A rotation-equivariant network from signals to signals."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._classifier import Block, checked_blocks, checked_pairs
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import SpectralPad, ZonalConv


class SphericalUNet(ConfiguredModule):
    """A U-Net in coefficients (Ronneberger et al. 2015): signals to signals that turn with them.

    Encoder: block i pools to `bandwidths[i]`, convolves to `channels[i]`, normalises by power and applies a nonlinearity, as
    in `SphericalClassifier`. Decoder: from the last block upwards, the band limit is raised by zeros (`nn.SpectralPad`), the
    output of the encoder's block of that level is put beside, and a block brings both to its channels. A convolution without
    nonlinearity ends it. Several blocks of one bandwidth make a level deeper.

    All but the nonlinearities is exactly equivariant; theirs is the aliasing of `nn.Activation`.

    Tangent fields, such as winds, v = ∇f + x × ∇g: the two rows of a field's coefficients (`transforms.VectorSHT`) are the
    scalar signals (-Δ)^(1/2) f and (-Δ)^(1/2) g, and turn as these do. So `field.flatten(1, 2)` of `(batch, fields, 2, L*L)`
    goes in as 2 * fields channels, and comes out the same way; `models.OnGrid` does so for components on a grid.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        channels: output channels of each block of the encoder.
        bandwidths: band limit of each of them, not rising; the first is that of input and output.
        anchors: as in `nn.ZonalConv`; blocks of lower bandwidth learn every degree.
        activation: one of "relu", "gelu", "silu", "tanh", "softplus".
        oversampling: as in `nn.Activation`.
        dropout: probability at which a channel of the deepest block is dropped, as a whole, while training.
        pairs: how many pairs of its channels each block compares by direction (`nn.DirectionalActivation`); one number for
            all levels or one for each.
        direct: add a zonal convolution of the input to the output, a linear forecast or filter for the rest to improve upon;
            both begin at zero.

    Shape:
        coefficients `(batch, in_channels, bandwidths[0]**2)` to `(batch, out_channels, bandwidths[0]**2)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> import torch, equisphere as es
    >>> model = es.models.SphericalUNet(1, 2, channels=(8, 16), bandwidths=(12, 6), oversampling=3).eval()
    >>> c, R = torch.randn(4, 1, 144), es.random_rotations(1)
    >>> model(c).shape
    torch.Size([4, 2, 144])
    >>> a, b = model(es.rotate(c, R)), es.rotate(model(c), R)
    >>> bool((a - b).norm() < 0.02 * b.norm())
    True
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        channels: Sequence[int] = (16, 24, 32),
        bandwidths: Sequence[int] = (32, 16, 8),
        anchors: int | None = None,
        activation: str = "silu",
        oversampling: float = 1.5,
        dropout: float = 0.0,
        pairs: int | Sequence[int] = 0,
        direct: bool = False,
    ) -> None:
        super().__init__()
        channels, bandwidths = checked_blocks(channels, bandwidths, activation, dropout)
        compared = checked_pairs(pairs, channels)
        self.config = {
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "out_channels": _checks.positive_int(out_channels, "out_channels"),
            "channels": channels,
            "bandwidths": bandwidths,
            "anchors": anchors,
            "activation": activation,
            "oversampling": float(oversampling),
            "dropout": float(dropout),
            "pairs": pairs if isinstance(pairs, int) else compared,
            "direct": bool(direct),
        }
        self.bandwidth = bandwidths[0]
        self.down, self.pads, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for before, after, L, number in zip([in_channels, *channels], channels, bandwidths, compared, strict=False):
            self.down.append(Block(before, after, L, anchors, activation, oversampling, number))
        for below, beside, L, number in reversed(list(zip(channels[1:], channels, bandwidths, compared, strict=False))):
            self.pads.append(SpectralPad(L))
            self.up.append(Block(below + beside, beside, L, anchors, activation, oversampling, number))
        self.dropout = nn.Dropout1d(dropout)
        self.head = ZonalConv(channels[0], out_channels, self.bandwidth)
        self.head.reset_parameters(gain=1.0)
        self.direct: ZonalConv | None = None
        if direct:
            self.direct = ZonalConv(in_channels, out_channels, self.bandwidth, bias=False)
            nn.init.zeros_(self.direct.weight)
            nn.init.zeros_(self.head.weight)

    def forward(self, c: Float[Tensor, "batch in coefficients"]) -> Float[Tensor, "batch out coefficients"]:
        """The signal that belongs to each signal."""
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        given, levels = c, []
        for block in self.down:
            c = block(c)
            levels.append(c)
        c = self.dropout(levels.pop())
        for pad, block in zip(self.pads, self.up, strict=True):
            c = block(torch.cat((pad(c), levels.pop()), dim=1))
        return self.head(c) if self.direct is None else self.head(c) + self.direct(given)
