"""A rotation-invariant classifier of signals on the sphere."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import (
    Activation,
    DirectionalActivation,
    GlobalPool,
    PowerSpectrum,
    SpectralBatchNorm,
    SpectralPool,
    TripleProduct,
    ZonalConv,
)

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
}


class Block(nn.Module):
    """Spectral pooling, zonal convolution, normalisation by power, nonlinearity; the input is added where channels agree.

    Of at most as many degrees as there are anchors, every one is learned.

    Shape:
        coefficients `(batch, before, K*K)`, K at least the bandwidth, to `(batch, after, bandwidth**2)`.
    """

    def __init__(
        self,
        before: int,
        after: int,
        bandwidth: int,
        anchors: int | None,
        activation: str,
        oversampling: float,
        pairs: int,
    ) -> None:
        super().__init__()
        self.pool = SpectralPool(bandwidth)
        anchors = anchors if anchors is not None and anchors < bandwidth else None
        self.conv = ZonalConv(before, after, bandwidth, anchors, bias=False)  # the shift of the norm is the bias
        self.norm = SpectralBatchNorm(after)
        function = ACTIVATIONS[activation]()
        self.activation: nn.Module = (
            DirectionalActivation(function, bandwidth, pairs, oversampling)
            if pairs
            else Activation(function, bandwidth, oversampling)
        )
        self.residual = before == after

    def forward(self, c: Float[Tensor, "batch before coefficients"]) -> Float[Tensor, "batch after kept"]:
        """One step of the network."""
        c = self.pool(c)
        y = self.activation(self.norm(self.conv(c)))
        return c + y if self.residual else y


def checked_blocks(
    channels: Sequence[int], bandwidths: Sequence[int], activation: str, dropout: float
) -> tuple[list[int], list[int]]:
    """The channels and bandwidths of a stack of blocks, or why they do not fit together."""
    channels, bandwidths = list(channels), list(bandwidths)
    if not channels or len(channels) != len(bandwidths):
        raise ValueError(
            f"channels and bandwidths need one number for each block, got {len(channels)} and {len(bandwidths)}."
        )
    if any(after > before for before, after in pairwise(bandwidths)):
        raise ValueError(f"bandwidths must not rise from block to block (pooling only lowers them), got {bandwidths}.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be a probability below 1, got {dropout}.")
    return channels, bandwidths


def checked_pairs(pairs: int | Sequence[int], channels: Sequence[int]) -> list[int]:
    """The number of compared pairs of each block, from one for all or one for each, or why they do not fit."""
    numbers = [pairs] * len(channels) if isinstance(pairs, int) else list(pairs)
    if len(numbers) != len(channels):
        raise ValueError(f"pairs must be one number, or one for each of {len(channels)} blocks, got {len(numbers)}.")
    for number, width in zip(numbers, channels, strict=True):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"pairs must be numbers from 0 on, got {number!r}.")
        if 2 * number > width:
            raise ValueError(f"{number} pairs need at least {2 * number} channels in their block, got {width}.")
    return numbers


def head_on(invariants: int, hidden: int, dropout: float, classes: int) -> nn.Sequential:
    """The perceptron that reads invariants: one hidden layer, everything normalised before."""
    return nn.Sequential(
        nn.BatchNorm1d(invariants),
        nn.Dropout(dropout),
        nn.Linear(invariants, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )


class SphericalClassifier(ConfiguredModule):
    """Zonal convolutions in coefficients, then a head on invariants: the network of Esteves et al. (2018), one branch.

    Block i: spectral pooling to `bandwidths[i]`, zonal convolution to `channels[i]`, batch normalisation by power,
    nonlinearity; where the number of channels stays, the input is added (He et al. 2016). The head sees the mean and the norm
    of every degree of every channel, so that the answer for a rotated signal is the answer for the signal, but for the
    aliasing of the nonlinearities (see `nn.Activation`). Zonal filters, means and norms have no direction and do not tell a
    signal from its mirror image; `pairs` adds products of gradients to the nonlinearities, which do, and `triples` invariants.

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        channels: output channels of each block.
        bandwidths: band limit of each block, not rising; the first is that of the input.
        anchors: as in `nn.ZonalConv`; blocks of lower bandwidth learn every degree.
        activation: one of "relu", "gelu", "silu", "tanh", "softplus".
        oversampling: as in `nn.Activation`.
        hidden: width of the head's hidden layer.
        dropout: probability at which the head drops an invariant while it trains.
        triples: number of handed invariants (`nn.TripleProduct`) that the head sees besides; none by default.
        pairs: how many pairs of its channels each block compares by direction (`nn.DirectionalActivation`); one number for
            all blocks or one for each.

    Shape:
        coefficients `(batch, in_channels, bandwidths[0]**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = SphericalClassifier(classes=10, channels=(8, 16), bandwidths=(12, 8)).eval()
    >>> model(torch.randn(4, 1, 144)).shape
    torch.Size([4, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        channels: Sequence[int] = (16, 24, 32, 32, 48),
        bandwidths: Sequence[int] = (24, 16, 16, 12, 8),
        anchors: int | None = None,
        activation: str = "relu",
        oversampling: float = 1.5,
        hidden: int = 64,
        dropout: float = 0.0,
        triples: int = 0,
        pairs: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        channels, bandwidths = checked_blocks(channels, bandwidths, activation, dropout)
        compared = checked_pairs(pairs, channels)
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "channels": channels,
            "bandwidths": bandwidths,
            "anchors": anchors,
            "activation": activation,
            "oversampling": float(oversampling),
            "hidden": _checks.positive_int(hidden, "hidden"),
            "dropout": float(dropout),
            "triples": _checks.positive_int(triples, "triples") if triples else 0,
            "pairs": pairs if isinstance(pairs, int) else compared,
        }
        self.bandwidth = bandwidths[0]
        self.blocks = nn.Sequential()
        for before, after, L, number in zip([in_channels, *channels], channels, bandwidths, compared, strict=False):
            self.blocks.append(Block(before, after, L, anchors, activation, oversampling, number))
        self.mean, self.spectrum = GlobalPool(), PowerSpectrum()
        self.handed = TripleProduct(channels[-1], triples) if triples else None
        invariants = channels[-1] * bandwidths[-1] + triples
        self.head = head_on(invariants, hidden, dropout, classes)

    def invariants(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch invariants"]:
        """What the head sees.

        Of each channel of the last block its mean (with sign) and the norm of each degree above; then the handed invariants.
        """
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        c = self.blocks(c)
        found = torch.cat((self.mean(c)[..., None], self.spectrum(c)[..., 1:]), dim=-1).flatten(1)
        return found if self.handed is None else torch.cat((found, self.handed(c)), dim=1)

    def descriptors(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch hidden"]:
        """Unit vectors that describe signals in any orientation, for retrieval: the invariants as the head weighs them.

        They are its hidden layer, in evaluation mode a function of the signal alone; signals of a class lie in like directions.
        """
        return nn.functional.normalize(self.head[:5](self.invariants(c)), dim=1)

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        return self.head(self.invariants(c))
