"""A rotation-invariant classifier whose features have spins."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._classifier import ACTIVATIONS
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
    """Spectral pooling, linear layer between fields, normalisation by power, nonlinearity; the input is added where fields agree.

    Shape:
        features `(batch, source.rows, K*K)`, K at least the bandwidth, to `(batch, target.rows, bandwidth**2)`.
    """

    def __init__(
        self, source: Field, target: Field, anchors: int | None, activation: str, kind: str, oversampling: float
    ) -> None:
        super().__init__()
        L = target.bandwidth
        self.pool = SpectralPool(L)
        self.activation = KINDS[kind](ACTIVATIONS[activation](), target, oversampling)
        self.conv = EquivariantLinear(source.at(L), self.activation.source, anchors, bias=False)  # the norm has the shift
        self.norm = SpinBatchNorm(self.activation.source)
        self.residual = source.at(L) == target

    def forward(self, c: Float[Tensor, "batch before coefficients"]) -> Float[Tensor, "batch after kept"]:
        """One step of the network."""
        c = self.pool(c)
        y = self.activation(self.norm(self.conv(c)))
        return c + y if self.residual else y


class SpinClassifier(ConfiguredModule):
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
        self.config = {}
        self.bandwidth = bandwidths[0]
        fields = [Field(bandwidths[0], (0,), in_channels)]
        fields += [Field(L, spins, n) for n, L in zip(channels, bandwidths, strict=True)]
        self.blocks = nn.Sequential()
        for source, target in pairwise(fields):
            L = target.bandwidth
            fewer = anchors if anchors is not None and anchors < L else None
            self.blocks.append(SpinBlock(source, target, fewer, activation, kind, oversampling))
        self.field = fields[-1]
        self.spectrum = PowerSpectrum()
        self.handed = TripleProduct(self.field.rows, triples) if triples else None
        invariants = self._invariants(torch.zeros(1, *self.field.shape)).shape[1]
        self.head = nn.Sequential(
            nn.BatchNorm1d(invariants),
            nn.Dropout(dropout),
            nn.Linear(invariants, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def _invariants(self, c):
        found = []
        for s, part in self.field.parts(c).items():
            norms = self.spectrum(part)
            if s:
                e, b = norms.chunk(2, dim=1)
                norms = (e.square() + b.square() + 1e-12).sqrt()
                found.append(norms[..., s:].flatten(1))
            else:
                found += [part[..., 0], norms[..., 1:].flatten(1)]
        if self.handed is not None:
            found.append(self.handed(c))
        return torch.cat(found, dim=1)

    def forward(self, c):
        _checks.coefficients_of(c, self.bandwidth)
        return self.head(self._invariants(self.blocks(c)))
