"""The two-branch network for shapes of Esteves et al. (2018), in coefficients."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import Activation, GlobalPool, SpectralBatchNorm, SpectralPool, ZonalConv


class Esteves2018(ConfiguredModule):
    r"""Two branches of eight zonal convolutions, for the distances of a shape and for its angles (arXiv 1711.06721).

    Each branch sees one channel. Every convolution (8 anchors over the degrees) is followed by batch normalisation and
    PReLU; the band limit halves after the third, fifth and seventh, and before these the first branch receives the features
    of the second besides its own. The means over the sphere of both branches go to one linear layer.

    Differences to the paper's program: features stay in coefficients, normalisation is by their power, nonlinearities are
    oversampled by 1.5, pooling is spectral, and there is no second loss on the second branch alone.

    Parameters: 487,608 for 40 classes, published as 0.5 M.

    Args:
        classes: number of classes.
        bandwidth: band limit of the input, 32 in the paper (64 x 64 samples); a multiple of 8.
        channels: of each convolution of a branch.
        anchors: as in `nn.ZonalConv`; convolutions of lower band limits learn every degree.
        oversampling: as in `nn.Activation`.

    Shape:
        coefficients `(batch, 2, bandwidth**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = Esteves2018(classes=10, bandwidth=8, channels=(2, 2, 4, 4, 4, 4, 8, 8)).eval()
    >>> model(torch.randn(3, 2, 64)).shape
    torch.Size([3, 10])
    """

    pooled = (2, 4, 6)  # after which the band limit halves, and before which the branches meet

    def __init__(
        self,
        classes: int = 40,
        bandwidth: int = 32,
        channels: Sequence[int] = (16, 16, 32, 32, 64, 64, 128, 128),
        anchors: int = 8,
        oversampling: float = 1.5,
    ) -> None:
        super().__init__()
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        channels = [_checks.positive_int(n, "channels") for n in channels]
        if self.bandwidth % 8 or len(channels) != 8:
            raise ValueError(
                "the band limit is halved three times over eight convolutions: give a bandwidth that is a multiple of 8, and "
                f"eight numbers of channels, got {bandwidth} and {len(channels)}."
            )
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "bandwidth": self.bandwidth,
            "channels": channels,
            "anchors": _checks.positive_int(anchors, "anchors"),
            "oversampling": float(oversampling),
        }
        self.branches = nn.ModuleList([nn.ModuleList(), nn.ModuleList()])
        L = self.bandwidth
        for i, (before, after) in enumerate(pairwise([1, *channels])):
            kept = L // 2 if i in self.pooled else L
            for b, blocks in enumerate(self.branches):
                seen = 2 * before if b == 0 and i in self.pooled else before
                layers = [
                    ZonalConv(seen, after, L, anchors if anchors < L else None, bias=False),
                    SpectralBatchNorm(after),
                    Activation(nn.PReLU(), L, oversampling),
                    SpectralPool(kept),
                ]
                blocks.append(nn.Sequential(*layers))  # type: ignore[operator]
            L = kept
        self.mean = GlobalPool()
        self.out = nn.Linear(2 * channels[-1], classes)

    def invariants(self, c: Float[Tensor, "batch 2 coefficients"]) -> Float[Tensor, "batch invariants"]:
        """Means over the sphere of the last features of both branches."""
        _checks.features_of(c, 2)
        _checks.coefficients_of(c, self.bandwidth)
        first, second = c.split(1, dim=1)
        for i, (upper, lower) in enumerate(zip(*self.branches, strict=True)):
            if i in self.pooled:
                first = torch.cat((first, second), dim=1)
            first, second = upper(first), lower(second)
        return self.mean(torch.cat((first, second), dim=1))

    def forward(self, c: Float[Tensor, "batch 2 coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        return self.out(self.invariants(c))
