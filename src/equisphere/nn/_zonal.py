"""Convolution with zonal filters: a matrix of channels for each degree."""

from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.transforms import convolution_constant


class ZonalConv(nn.Module):
    r"""The SO(3)-equivariant convolution of Esteves et al. (2018), coefficients to coefficients.

    (f * h)_lm = 2 pi sqrt(4 pi / (2l+1)) f_lm h_l0 (constant of docs/math.md, 5), summed over input channels. What is
    learned is the multiplier of each degree, w_l = 2 pi sqrt(4 pi / (2l+1)) h_l0: a point-like filter has a flat w, so that
    w, not h, is what varies smoothly with l for a filter local in space. `filters` gives h_l0.

    By Schur's lemma, this is every linear map between scalar signals that commutes with rotations. Its equivariance error
    is rounding: sums of `in_channels` products.

    Weights start at variance 2 / in_channels (He et al. 2015): the power of signals keeps its size through a stack of
    convolutions and ReLU-like functions.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        bandwidth: band limit L of input and output.
        anchors: learn w_l at this many degrees, evenly spaced from 0 to L-1, and interpolate linearly between them
            (Esteves et al. 2018): fewer numbers, filters local in space. All L degrees by default.
        bias: add a learned constant to each output channel (to degree 0, the only invariant one).

    Shape:
        `(batch, in_channels, L*L)` to `(batch, out_channels, L*L)`, real.

    Raises:
        ValueError: where a number is not a positive integer, anchors are fewer than 2 or more than L, or an input has
            another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> layer = es.nn.ZonalConv(2, 8, bandwidth=16, anchors=6)
    >>> layer(torch.randn(3, 2, 256)).shape, layer.weight.shape
    (torch.Size([3, 8, 256]), torch.Size([8, 2, 6]))
    """

    interpolation: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth: int,
        anchors: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = _checks.positive_int(in_channels, "in_channels")
        self.out_channels = _checks.positive_int(out_channels, "out_channels")
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        self.anchors = None if anchors is None else _checks.positive_int(anchors, "anchors")
        if self.anchors is not None and not 2 <= self.anchors <= self.bandwidth:
            raise ValueError(
                f"anchors must lie between 2 and the bandwidth {self.bandwidth}, got {anchors}. "
                "Leave it out to learn every degree."
            )
        numbers = self.anchors or self.bandwidth
        self.weight = nn.Parameter(torch.empty(self.out_channels, self.in_channels, numbers))
        self.bias = nn.Parameter(torch.empty(self.out_channels)) if bias else None
        hats = None if self.anchors is None else _hats(self.bandwidth, self.anchors)
        self.register_buffer("interpolation", hats, persistent=False)
        self.reset_parameters()

    def reset_parameters(self, gain: float = sqrt(2)) -> None:
        """Draw new weights of variance gain^2 / in_channels, and no bias.

        Between two anchors the multipliers have less (half of it midway), so that a stack loses a little power there.
        """
        nn.init.normal_(self.weight, std=gain / sqrt(self.in_channels))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def multipliers(self) -> Float[Tensor, "out in degrees"]:
        """w_l = 2 pi sqrt(4 pi / (2l+1)) h_l0 for each pair of channels and each degree."""
        return self.weight if self.interpolation is None else self.weight @ self.interpolation

    @property
    def filters(self) -> Float[Tensor, "out in degrees"]:
        """h_l0, the coefficients of the zonal kernels themselves."""
        return self.multipliers / convolution_constant(self.bandwidth).to(self.weight)

    def forward(self, c: Float[Tensor, "batch in coefficients"]) -> Float[Tensor, "batch out coefficients"]:
        """Convolve each signal of the batch."""
        _checks.features_of(c, self.in_channels)
        _checks.coefficients_of(c, self.bandwidth)
        _checks.alike(c, self.weight)
        matrices = self.multipliers.permute(2, 1, 0)
        degrees = c.permute(2, 0, 1).split([2 * l + 1 for l in range(self.bandwidth)])
        parts = [x.flatten(0, 1) @ matrix for x, matrix in zip(degrees, matrices.unbind(0), strict=True)]
        if self.bias is not None:
            parts[0] = parts[0] + sqrt(4 * pi) * self.bias
        return torch.cat(parts).unflatten(0, (-1, c.shape[0])).permute(1, 2, 0)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        anchors = "" if self.anchors is None else f", anchors={self.anchors}"
        return f"{self.in_channels}, {self.out_channels}, bandwidth={self.bandwidth}{anchors}, bias={self.bias is not None}"


def _hats(bandwidth: int, anchors: int) -> Float[Tensor, "anchors degrees"]:
    """Linear interpolation from `anchors` evenly spaced degrees to all of them."""
    place = torch.linspace(0, anchors - 1, bandwidth)
    return (1 - (place - torch.arange(anchors)[:, None]).abs()).clamp(min=0)
