"""A generalised spherical network in the style of Cobb et al. (2021): tensor products as nonlinearities."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import (
    Activation,
    Bispectrum,
    PowerSpectrum,
    SpectralBatchNorm,
    SpectralPool,
    TensorProduct,
    ZonalConv,
)


class Generalised(nn.Module):
    """A linear layer to two features, and their Clebsch-Gordan product channel by channel: exactly equivariant.

    Shape:
        `(batch, before, K*K)`, K at least the bandwidth, to `(batch, after, bandwidth**2)`.
    """

    def __init__(self, before: int, after: int, bandwidth: int) -> None:
        super().__init__()
        self.pool = SpectralPool(bandwidth)
        self.conv = ZonalConv(before, 2 * after, bandwidth, bias=False)
        self.norm = SpectralBatchNorm(2 * after)
        self.product = TensorProduct(after, bandwidth)

    def forward(self, c: Float[Tensor, "batch before coefficients"]) -> Float[Tensor, "batch after kept"]:
        """One step of the network."""
        left, right = self.norm(self.conv(self.pool(c))).chunk(2, dim=1)
        return left + self.product(left, right)


class Cobb2021(ConfiguredModule):
    r"""Convolution and ReLU at a high band limit, channelwise tensor products at low ones (arXiv 2010.11661, hybrid models).

    The paper's layers: a linear map per degree, and a nonlinearity that is a Clebsch-Gordan product in each channel, with
    learned weights for each three degrees. Nothing but the first ReLU leaves the coefficients, so that everything after it
    errs by rounding alone. The paper's own numbers of channels, its minimal sets of degrees and its constrained convolutions
    are not reproduced: this is a network of the same kind and size. Its head sees norms of degrees and bispectra.

    Parameters: 58,095, where the paper's has 58k.

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        channels: after the convolution, then after each tensor product.
        bandwidths: band limit of the input and convolution, then of each tensor product, not rising.
        anchors: of the convolution, as in `nn.ZonalConv`.
        oversampling: of the ReLU, as in `nn.Activation`.
        triples: mixtures that the bispectrum of the head compares, as in `nn.Bispectrum`.
        hidden: width of the head's hidden layer.

    Shape:
        coefficients `(batch, in_channels, bandwidths[0]**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = Cobb2021(channels=(4, 4, 4), bandwidths=(8, 4, 3)).eval()
    >>> model(torch.randn(5, 1, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        channels: Sequence[int] = (32, 31, 30),
        bandwidths: Sequence[int] = (20, 9, 6),
        anchors: int = 8,
        oversampling: float = 1.5,
        triples: int = 12,
        hidden: int = 32,
    ) -> None:
        super().__init__()
        if len(channels) < 2 or len(channels) != len(bandwidths):
            raise ValueError(
                "channels and bandwidths need one number for the convolution and for each tensor product, got "
                f"{len(channels)} and {len(bandwidths)}."
            )
        if any(after > before for before, after in pairwise(bandwidths)):
            raise ValueError(f"bandwidths must not rise (pooling only lowers them), got {list(bandwidths)}.")
        self.bandwidth = bandwidths[0]
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "channels": list(channels),
            "bandwidths": list(bandwidths),
            "anchors": _checks.positive_int(anchors, "anchors"),
            "oversampling": float(oversampling),
            "triples": _checks.positive_int(triples, "triples"),
            "hidden": _checks.positive_int(hidden, "hidden"),
        }
        fewer = anchors if anchors < self.bandwidth else None
        self.convolution = nn.Sequential(
            ZonalConv(in_channels, channels[0], self.bandwidth, fewer, bias=False),
            SpectralBatchNorm(channels[0]),
            Activation(nn.ReLU(), self.bandwidth, oversampling),
        )
        layers = zip(pairwise(channels), bandwidths[1:], strict=True)
        self.products = nn.Sequential(*(Generalised(before, after, L) for (before, after), L in layers))
        self.spectrum = PowerSpectrum()
        self.bispectrum = Bispectrum(channels[-1], triples, min(3, bandwidths[-1]))
        invariants = channels[-1] * bandwidths[-1] + triples * len(self.bispectrum.degrees)
        self.head = nn.Sequential(
            nn.BatchNorm1d(invariants),
            nn.Linear(invariants, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def invariants(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch invariants"]:
        """What the head sees: norms of the degrees of each channel, and bispectra of mixtures."""
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        c = self.products(self.convolution(c))
        return torch.cat((self.spectrum(c).flatten(1), self.bispectrum(c).flatten(1)), dim=1)

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        return self.head(self.invariants(c))
