"""An ordinary CNN on the equirectangular picture of the sphere: the baseline."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import DriscollHealy
from equisphere.models._configured import ConfiguredModule
from equisphere.transforms import SHT


class PlanarClassifier(ConfiguredModule):
    """3 x 3 convolutions on the 2L x 2L samples of the signal, as if latitude and longitude were a flat image.

    Nothing in it knows of rotations: what it cannot do untrained is what equivariance is for. It takes coefficients, as
    `SphericalClassifier` does, so that both see the same signals.

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        bandwidth: band limit L of the signal; the image has 2L x 2L pixels.
        channels: output channels of each convolution; each is followed by batch normalisation, ReLU and 2 x 2 pooling.
        dropout: probability at which the head drops a feature while it trains.

    Shape:
        coefficients `(batch, in_channels, L*L)` to logits `(batch, classes)`.

    Raises:
        ValueError: where an input does not fit the network.

    >>> import torch
    >>> PlanarClassifier(10, bandwidth=16, channels=(8, 16)).eval()(torch.randn(4, 1, 256)).shape
    torch.Size([4, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        bandwidth: int = 24,
        channels: Sequence[int] = (16, 32, 48, 64),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "bandwidth": _checks.positive_int(bandwidth, "bandwidth"),
            "channels": list(channels),
            "dropout": float(dropout),
        }
        self.sht = SHT(DriscollHealy(bandwidth))
        self.bandwidth = bandwidth
        self.blocks = nn.Sequential()
        for before, after in pairwise([in_channels, *channels]):
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, padding=1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                    nn.MaxPool2d(2),
                )
            )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout), nn.Linear(4 * channels[-1], classes)
        )

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        _checks.features_of(c, self.config["in_channels"])
        return self.head(self.blocks(self.sht.inverse(c).contiguous()))
