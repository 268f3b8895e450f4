"""The network for spherical MNIST of Cohen et al. (2018), in coefficients."""

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.groups import rotation_about
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import Field, GlobalPool, PointedConv, SO3Activation, SpectralPool


def near_identity(
    reach: float = pi / 8, around: int = 8, rings: int = 3, turns: int = 3
) -> Float[Tensor, "points 3 3"]:
    """Rotations near the identity, R_z(a) R_y(b) R_z(-a + c): points on rings about the pole, each turned a little.

    Args:
        reach: largest b, and largest c, in radians.
        around: points on a ring.
        rings: number of rings.
        turns: angles c at each point, from -reach to reach; 1: c = 0.

    >>> near_identity(turns=1).shape
    torch.Size([24, 3, 3])
    """
    a = 2 * pi / around * torch.arange(around, dtype=torch.float64)
    b = reach / rings * torch.arange(1, rings + 1, dtype=torch.float64)
    c = torch.linspace(-reach, reach, turns, dtype=torch.float64) if turns > 1 else torch.zeros(1, dtype=torch.float64)
    about, tilts = rotation_about((0, 0, 1), a), rotation_about((0, 1, 0), b)
    bent = about[:, None] @ tilts @ about[:, None].mT
    return (bent[:, :, None] @ rotation_about((0, 0, 1), c)).flatten(0, 2)


class Cohen2018(ConfiguredModule):
    r"""Correlation on the sphere, ReLU, correlation on SO(3), ReLU, integral over SO(3), linear (arXiv 1801.10130).

    Filters are given at rotations near the identity (`nn.PointedConv`): 24 points of the sphere, 72 rotations. Functions on
    SO(3) keep all Fourier modes of the third angle. Differences to the paper's program: features stay in coefficients, and ReLU
    is oversampled.

    Parameters: 58,550, as published (58k).

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        channels: of the two correlations.
        bandwidths: band limit of the input and after each correlation, not rising.
        oversampling: as in `nn.SO3Activation`.

    Shape:
        coefficients `(batch, in_channels, bandwidths[0]**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = Cohen2018(channels=(2, 3), bandwidths=(8, 4, 3)).eval()
    >>> model(torch.randn(5, 1, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        channels: Sequence[int] = (20, 40),
        bandwidths: Sequence[int] = (30, 10, 6),
        oversampling: float = 1.0,
    ) -> None:
        super().__init__()
        if len(channels) != 2 or len(bandwidths) != 3 or sorted(bandwidths, reverse=True) != list(bandwidths):
            raise ValueError(
                "the network has two correlations: two numbers of channels, and three band limits that do not rise, got "
                f"{channels} and {bandwidths}."
            )
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "channels": list(channels),
            "bandwidths": list(bandwidths),
            "oversampling": float(oversampling),
        }
        self.bandwidth, first, second = bandwidths
        lifted, last = (Field.on_so3(L, L - 1, n) for L, n in zip((first, second), channels, strict=True))
        self.cut = Field.on_so3(second, second - 1, channels[0])
        self.lift = nn.Sequential(
            SpectralPool(first),
            PointedConv(Field(first, channels=in_channels), lifted, near_identity(turns=1)),
            SO3Activation(nn.ReLU(), lifted, oversampling),
        )
        self.pool = SpectralPool(second)
        self.conv = nn.Sequential(
            PointedConv(self.cut, last, near_identity()), SO3Activation(nn.ReLU(), last, oversampling)
        )
        self.mean = GlobalPool()
        self.out = nn.Linear(channels[1], classes)

    def invariants(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch invariants"]:
        """Means over SO(3) of the last features."""
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        lifted = self.pool(self.lift(c))[:, : self.cut.rows]  # degrees below L have no modes from L on
        return self.mean(self.conv(lifted))[:, : self.config["channels"][1]]

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        return self.out(self.invariants(c))
