"""What batch normalisations have in common: statistics over the batch and the sphere, tracked, and a scale and a shift."""

from abc import abstractmethod
from collections.abc import Sequence
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened


class PowerNorm(nn.Module):
    """Mean 0 and power 1 for channels of spin 0, power 1 for those of spin s > 0, whose two rows share one scale.

    A layer says how mean and power are measured on its tensors, and how rows are scaled and shifted.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self, spins: Sequence[int], channels: Sequence[int], eps: float, momentum: float, affine: bool
    ) -> None:
        super().__init__()
        if not (eps > 0 and 0 <= momentum <= 1):
            raise ValueError(f"eps must be above 0 and momentum between 0 and 1, got {eps} and {momentum}.")
        self.eps, self.momentum = eps, momentum
        self._spins, self._channels = tuple(spins), tuple(channels)
        total = sum(channels)
        self._scalars = dict(zip(spins, channels, strict=True)).get(0, 0)
        self.weight = nn.Parameter(torch.ones(total)) if affine else None
        self.bias = nn.Parameter(torch.zeros(self._scalars)) if affine and self._scalars else None
        self.register_buffer("running_mean", torch.zeros(self._scalars))
        self.register_buffer("running_var", torch.ones(total))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    @abstractmethod
    def measured(self, x: Tensor) -> tuple[Float[Tensor, "scalars"], Float[Tensor, "rows"]]:
        """Means of the scalars, and mean squares of all rows, over batch and sphere."""

    @abstractmethod
    def moved(self, x: Tensor, scale: Float[Tensor, "rows"], shift: Float[Tensor, "scalars"]) -> Tensor:
        """Rows times their scale, the scalars then shifted."""

    def normalised(self, x: Float[Tensor, "batch rows *values"]) -> Float[Tensor, "batch rows *values"]:
        """By the statistics of the batch in training, which are tracked; by the tracked ones in evaluation."""
        _checks.alike(x, self.running_var)
        given, x = x.dtype, widened(x)
        if self.training:
            mean, rows = self.measured(x)
            power = self._shared(rows)
            variance = (power[: self._scalars] - mean.square()).clamp(min=0)
            var = torch.cat((variance, power[self._scalars :]))
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
        return self.moved(x, self._spread(scale), shift).to(given)

    def _shared(self, power: Float[Tensor, "rows"]) -> Float[Tensor, "channels"]:
        """Power of each channel, from that of its rows."""
        sizes = [n * (2 if s else 1) for s, n in zip(self._spins, self._channels, strict=True)]
        parts = zip(self._spins, power.split(sizes), strict=True)
        return torch.cat([part.unflatten(0, (2, -1)).sum(0) if s else part for s, part in parts])

    def _spread(self, scale: Float[Tensor, "channels"]) -> Float[Tensor, "rows"]:
        """A number for each row, from that of its channel."""
        parts = zip(self._spins, scale.split(self._channels), strict=True)
        return torch.cat([part.repeat(2) if s else part for s, part in parts])

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"eps={self.eps}, momentum={self.momentum}"


class CoefficientNorm(PowerNorm):
    """Of coefficients `(batch, rows, L*L)`: by Parseval the mean is f_00 / sqrt(4 pi), the mean square sum_lm f_lm^2 / 4 pi."""

    def measured(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `PowerNorm`."""
        return x[:, : self._scalars, 0].mean(0) / sqrt(4 * pi), x.square().sum((0, 2)) / (4 * pi * x.shape[0])

    def moved(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """See `PowerNorm`."""
        out = x * scale[:, None]
        out[:, : self._scalars, 0] += sqrt(4 * pi) * shift
        return out
