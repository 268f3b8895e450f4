"""The spin-weighted network for spherical MNIST of Esteves et al. (2020), in coefficients."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import EquivariantLinear, Field, MagnitudeActivation, MeanMagnitude, SpectralPool, SpinBatchNorm


class Esteves2020(ConfiguredModule):
    r"""Six spin-weighted convolutions between the spins 0 and 1, then means (arXiv 2006.10731).

    Each convolution (6, 6, 4, 4, 3, 3 anchors over the degrees) is followed by batch normalisation, leaky ReLU on spin 0 (whose
    values are real in the paper, too) and ReLU of the magnitude, with a learned bias, on spin 1. The band limit halves
    before the third and the fifth. Mean values of spin 0 and mean magnitudes of spin 1 go to one linear layer. The
    arrangement is that of the authors' second program (github.com/google-research/spherical-cnn); features stay in
    coefficients here, batch normalisation is by their power, pooling is spectral, and nonlinearities are oversampled by 1.5.

    Parameters: 86,442, where 58k are published. A real matrix between the rows of spin 0 and of E and B of spin 1 has 9 numbers
    for a pair of channels: all linear maps, those of complex numbers from spin -1 among them, which the paper does not use.

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        bandwidth: band limit of the input, 32 in the paper; a multiple of 4.
        channels: of each spin, after each convolution.
        anchors: of each convolution, as in `nn.EquivariantLinear`; convolutions of lower band limits learn every degree.
        oversampling: as in `nn.Activation`.

    Shape:
        coefficients `(batch, in_channels, bandwidth**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> import torch
    >>> model = Esteves2020(bandwidth=8, channels=(2, 2, 2, 3, 3, 3)).eval()
    >>> model(torch.randn(5, 1, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        bandwidth: int = 32,
        channels: Sequence[int] = (16, 16, 20, 24, 28, 32),
        anchors: Sequence[int] = (6, 6, 4, 4, 3, 3),
        oversampling: float = 1.5,
    ) -> None:
        super().__init__()
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        if self.bandwidth % 4 or len(channels) != 6 or len(anchors) != 6:
            raise ValueError(
                "the band limit is halved twice over six convolutions: give a bandwidth that is a multiple of 4, and six "
                f"numbers of channels and of anchors, got {bandwidth}, {len(channels)} and {len(anchors)}."
            )
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "bandwidth": self.bandwidth,
            "channels": list(channels),
            "anchors": list(anchors),
            "oversampling": float(oversampling),
        }
        L = [self.bandwidth >> shift for shift in (0, 0, 1, 1, 2, 2)]
        fields = [Field(L[0], channels=in_channels)]
        fields += [Field(l, (0, 1), n) for l, n in zip(L, channels, strict=True)]
        self.blocks = nn.Sequential()
        for (source, target), k in zip(pairwise(fields), anchors, strict=True):
            l = target.bandwidth
            layers = [
                SpectralPool(l),
                EquivariantLinear(source.at(l), target, k if k < l else None, bias=False),
                SpinBatchNorm(target),
                MagnitudeActivation(nn.ReLU(), target, oversampling, nn.LeakyReLU()),
            ]
            self.blocks.append(nn.Sequential(*layers))
        self.mean = MeanMagnitude(fields[-1])
        self.out = nn.Linear(2 * channels[-1], classes)

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        return self.out(self.mean(self.blocks(c)))
