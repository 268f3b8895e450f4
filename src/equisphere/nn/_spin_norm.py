"""Batch normalisation of fields, by the power of their coefficients."""

from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened
from equisphere.nn._field import Field, checked_field


class SpinBatchNorm(nn.Module):
    """Batch normalisation of a field over the batch and the whole sphere: power 1 in each channel of each spin.

    As `SpectralBatchNorm`, for scalars; a channel of spin s > 0 is divided by the root of its mean square,
    (sum_lm E_lm^2 + B_lm^2) / 4 pi by Parseval: it has no mean, and E and B share one scale, so that the layer commutes with
    turns of the local axes too. Exactly equivariant.

    Args:
        field: of input and output.
        eps: added to the variance.
        momentum: weight of the newest batch in the tracked values.
        affine: learn a scale for each channel, and a shift for those of spin 0.

    Shape:
        `(batch, field.rows, L*L)` to the same; other band limits are taken too.

    Raises:
        ValueError: where an input has other rows, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> field = es.nn.Field(8, spins=(0, 1), channels=3)
    >>> c = SpinBatchNorm(field)(5 * torch.randn(16, *field.shape))
    >>> power = c.square().sum((0, 2)) / 16 / (4 * torch.pi)
    >>> bool(torch.allclose(power[:3], torch.ones(3), atol=1e-4)), bool(((power[3:6] + power[6:] - 1).abs() < 1e-4).all())
    (True, True)
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, field: Field, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        field = checked_field(field)
        if not (eps > 0 and 0 <= momentum <= 1):
            raise ValueError(f"eps must be above 0 and momentum between 0 and 1, got {eps} and {momentum}.")
        self.field, self.eps, self.momentum = field, eps, momentum
        channels, self._scalars = sum(field.channels), field.of(0)
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(self._scalars)) if affine and self._scalars else None
        self.register_buffer("running_mean", torch.zeros(self._scalars))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, c: Float[Tensor, "batch rows coefficients"]) -> Float[Tensor, "batch rows coefficients"]:
        """Normalise each channel of each spin."""
        self.field.at(_checks.bandwidth_of(c)).check(c)
        _checks.alike(c, self.running_var)
        given, c = c.dtype, widened(c)
        if self.training:
            mean = c[:, : self._scalars, 0].mean(0) / sqrt(4 * pi)
            var = self._shared(c.square().sum((0, 2)) / (4 * pi * len(c)))
            var = torch.cat(((var[: self._scalars] - mean.square()).clamp(min=0), var[self._scalars :]))
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
                self.running_var.lerp_(var.to(self.running_var), self.momentum)
                self.num_batches_tracked += 1
        else:
            mean, var = self.running_mean, self.running_var
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale[: self._scalars]
        if self.bias is not None:
            shift = shift + self.bias
        out = c * self._spread(scale)[:, None]
        out[:, : self._scalars, 0] += sqrt(4 * pi) * shift
        return out.to(given)

    def _shared(self, power: Float[Tensor, "rows"]) -> Float[Tensor, "channels"]:
        """Power of each channel, from that of its rows."""
        parts = zip(self.field.spins, power.split(self.field.sizes), strict=True)
        return torch.cat([part.unflatten(0, (2, -1)).sum(0) if s else part for s, part in parts])

    def _spread(self, scale: Float[Tensor, "channels"]) -> Float[Tensor, "rows"]:
        """A number for each row, from that of its channel."""
        parts = zip(self.field.spins, scale.split(self.field.channels), strict=True)
        return torch.cat([part.repeat(2) if s else part for s, part in parts])

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.field}, eps={self.eps}, momentum={self.momentum}"
