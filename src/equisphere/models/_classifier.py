"""A rotation-invariant classifier of signals on the sphere."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.nn import Activation, GlobalPool, PowerSpectrum, SpectralBatchNorm, SpectralPool, ZonalConv

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "softplus": nn.Softplus}


class SphericalClassifier(nn.Module):
    def __init__(
        self,
        classes,
        in_channels=1,
        channels=(16, 24, 32, 32, 48),
        bandwidths=(24, 16, 16, 12, 8),
        anchors=None,
        oversampling=1.5,
        activation="relu",
        hidden=64,
        dropout=0.0,
        residual=False,
    ):
        super().__init__()
        blocks = []
        before = in_channels
        self.bandwidth = bandwidths[0]
        for i, (ch, b) in enumerate(zip(channels, bandwidths)):
            blocks.append(
                nn.Sequential(
                    SpectralPool(b),
                    ZonalConv(before, ch, b, None if anchors is None or anchors >= b else anchors, bias=False),
                    SpectralBatchNorm(ch),
                    Activation(ACTIVATIONS[activation](), b, oversampling),
                )
            )
            before = ch
        self.blocks = nn.ModuleList(blocks)
        self.residual = residual
        self.spectrum, self.mean = PowerSpectrum(), GlobalPool()
        n = before * bandwidths[-1]
        self.head = (
            nn.Sequential(
                nn.BatchNorm1d(n),
                nn.Dropout(dropout),
                nn.Linear(n, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden, classes),
            )
            if hidden
            else nn.Sequential(nn.BatchNorm1d(n), nn.Dropout(dropout), nn.Linear(n, classes))
        )

    def forward(self, c):
        for i, b in enumerate(self.blocks):
            y = b(c)
            if self.residual and i and y.shape[1] == c.shape[1]:
                y = y + c[..., : y.shape[-1]]
            c = y
        inv = torch.cat((self.mean(c)[..., None], self.spectrum(c)[..., 1:]), -1)
        return self.head(inv.flatten(1))
