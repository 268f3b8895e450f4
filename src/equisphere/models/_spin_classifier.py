"""A rotation-invariant classifier whose features have spins."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._classifier import ACTIVATIONS, checked_blocks, head_on
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import (
    EquivariantLinear,
    Field,
    GatedActivation,
    MagnitudeActivation,
    PowerSpectrum,
    SO3Activation,
    SpectralPool,
    SpinBatchNorm,
    TripleProduct,
)

#: nonlinearities by name
KINDS: dict[str, type[MagnitudeActivation | GatedActivation | SO3Activation]] = {
    "magnitude": MagnitudeActivation,
    "gated": GatedActivation,
    "so3": SO3Activation,
}


class SpinBlock(nn.Module):
    """Spectral pooling, linear layer between fields, norm, nonlinearity; the input is added where fields agree.

    Shape:
        features `(batch, source.rows, K*K)`, K at least the bandwidth, to `(batch, target.rows, bandwidth**2)`.
    """

    def __init__(
        self, source: Field, target: Field, anchors: int | None, activation: str, kind: str, oversampling: float
    ) -> None:
        super().__init__()
        source = source.at(target.bandwidth)
        self.pool = SpectralPool(target.bandwidth)
        nonlinearity = KINDS[kind](ACTIVATIONS[activation](), target, oversampling)
        self.conv = EquivariantLinear(source, nonlinearity.source, anchors, bias=False)  # the norm shifts
        self.norm = SpinBatchNorm(nonlinearity.source)
        self.activation = nonlinearity
        self.residual = source == target

    def forward(self, c: Float[Tensor, "batch before coefficients"]) -> Float[Tensor, "batch after kept"]:
        """One step of the network."""
        c = self.pool(c)
        y = self.activation(self.norm(self.conv(c)))
        return c + y if self.residual else y


class SpinClassifier(ConfiguredModule):
    """Linear layers between fields with spins, then a head on invariants: `SphericalClassifier` with directions.

    Block i: spectral pooling to `bandwidths[i]`, a real matrix per degree to `channels[i]` channels of each spin, batch
    normalisation by power, nonlinearity; where the field stays, the input is added. The head sees the mean of every scalar and
    the norm of every degree of every channel, E and B of a spin together, and handed invariants (`nn.TripleProduct` of
    rows). The answer for a rotated signal is the answer for the signal, but for the aliasing of the nonlinearities.

    Args:
        classes: number of classes.
        in_channels: channels of the signal.
        spins: of the features, from 0 on: (0, 1) are scalars and vectors, or functions on SO(3) of the modes |n| <= 1.
        channels: of each spin, after each block.
        bandwidths: band limit of each block, not rising; the first is that of the input.
        anchors: as in `nn.EquivariantLinear`; blocks of lower bandwidth learn every degree.
        kind: nonlinearity: "so3" (`nn.SO3Activation`, for spins 0 .. N), "gated" or "magnitude".
        activation: one of "relu", "gelu", "silu", "tanh", "softplus".
        oversampling: as in `nn.Activation`.
        hidden: width of the head's hidden layer.
        dropout: probability at which the head drops an invariant while it trains.
        triples: number of handed invariants.

    Shape:
        coefficients `(batch, in_channels, bandwidths[0]**2)` to logits `(batch, classes)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = SpinClassifier(channels=(4, 6), bandwidths=(8, 6)).eval()
    >>> model(torch.randn(5, 1, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        classes: int = 10,
        in_channels: int = 1,
        spins: Sequence[int] = (0, 1),
        channels: Sequence[int] = (12, 12, 12, 12, 14),
        bandwidths: Sequence[int] = (20, 16, 16, 12, 10),
        anchors: int | None = None,
        kind: str = "so3",
        activation: str = "silu",
        oversampling: float = 1.5,
        hidden: int = 24,
        dropout: float = 0.0,
        triples: int = 0,
    ) -> None:
        super().__init__()
        channels, bandwidths = checked_blocks(channels, bandwidths, activation, dropout)
        spins = list(spins)
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
        if 0 not in spins:
            raise ValueError(f"spins must hold 0, whose mean the head sees, got {spins}.")
        self.config = {
            "classes": _checks.positive_int(classes, "classes"),
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "spins": spins,
            "channels": channels,
            "bandwidths": bandwidths,
            "anchors": anchors,
            "kind": kind,
            "activation": activation,
            "oversampling": float(oversampling),
            "hidden": _checks.positive_int(hidden, "hidden"),
            "dropout": float(dropout),
            "triples": _checks.positive_int(triples, "triples") if triples else 0,
        }
        self.bandwidth = bandwidths[0]
        fields = [Field(bandwidths[0], (0,), in_channels)]
        fields += [Field(L, spins, n) for n, L in zip(channels, bandwidths, strict=True)]
        self.blocks = nn.Sequential()
        for source, target in pairwise(fields):
            fewer = anchors if anchors is not None and anchors < target.bandwidth else None
            self.blocks.append(SpinBlock(source, target, fewer, activation, kind, oversampling))
        self.field = fields[-1]
        self.spectrum = PowerSpectrum()
        self.handed = TripleProduct(self.field.rows, triples) if triples else None
        invariants = channels[-1] * sum(bandwidths[-1] - s for s in spins) + triples
        self.head = head_on(invariants, hidden, dropout, classes)

    def invariants(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch invariants"]:
        """What the head sees: means and norms of scalars, norms of channels with spin, handed invariants."""
        _checks.features_of(c, self.config["in_channels"])
        _checks.coefficients_of(c, self.bandwidth)
        c = self.blocks(c)
        found = []
        for s, part in self.field.parts(c).items():
            if s == 0:
                found += [part[..., 0], self.spectrum(part)[..., 1:].flatten(1)]
            else:  # E and B one after the other: of the two norms, the norm
                norms = self.spectrum(part)[..., s:].unflatten(1, (2, -1))
                found.append(torch.linalg.vector_norm(norms, dim=1).flatten(1))
        if self.handed is not None:
            found.append(self.handed(c))
        return torch.cat(found, dim=1)

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch classes"]:
        """Logits of each class."""
        return self.head(self.invariants(c))
