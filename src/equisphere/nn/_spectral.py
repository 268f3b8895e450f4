"""Pooling, normalisation and invariants: layers that look at degrees and powers alone, so exactly equivariant."""

from math import pi, sqrt

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened
from equisphere.nn._power_norm import CoefficientNorm
from equisphere.transforms import power_spectrum


class SpectralPool(nn.Module):
    """Spectral pooling: keep the degrees below a lower band limit, drop the rest (docs/math.md, 6; Rippel et al. 2015).

    The best approximation of the signal at the lower band limit. Exactly equivariant: rotations do not mix degrees.

    Args:
        bandwidth: band limit of the output.

    Shape:
        `(..., L*L)` to `(..., bandwidth**2)`.

    Raises:
        ValueError: where an input has a lower band limit than the output.

    >>> import torch, equisphere as es
    >>> es.nn.SpectralPool(4)(torch.randn(2, 3, 64)).shape
    torch.Size([2, 3, 16])
    """

    def __init__(self, bandwidth: int) -> None:
        super().__init__()
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")

    def forward(self, c: Shaped[Tensor, "*batch coefficients"]) -> Shaped[Tensor, "*batch kept"]:
        """Cut each signal."""
        if _checks.bandwidth_of(c) < self.bandwidth:
            raise ValueError(
                f"SpectralPool({self.bandwidth}) lowers the band limit, but the input has only {_checks.bandwidth_of(c)}."
            )
        return c[..., : self.bandwidth**2]

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return str(self.bandwidth)


class SpectralPad(nn.Module):
    """Raise the band limit by zeros at the new degrees: the same signal, as one that may have more detail.

    The adjoint of `SpectralPool`, and its inverse on signals of the lower band limit; the interpolation of a decoder, exact
    where repeated or bilinear pixels are not. Exactly equivariant: rotations do not mix degrees.

    Args:
        bandwidth: band limit of the output.

    Shape:
        `(..., L*L)` to `(..., bandwidth**2)`.

    Raises:
        ValueError: where an input has a higher band limit than the output.

    >>> import torch, equisphere as es
    >>> c = es.nn.SpectralPad(8)(torch.ones(2, 3, 16))
    >>> c.shape, float(c.square().sum())
    (torch.Size([2, 3, 64]), 96.0)
    """

    def __init__(self, bandwidth: int) -> None:
        super().__init__()
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")

    def forward(self, c: Shaped[Tensor, "*batch coefficients"]) -> Shaped[Tensor, "*batch padded"]:
        """Pad each signal."""
        _checks.floating(c, "coefficients")
        if _checks.bandwidth_of(c) > self.bandwidth:
            raise ValueError(
                f"SpectralPad({self.bandwidth}) raises the band limit, but the input has {_checks.bandwidth_of(c)} already. "
                "`nn.SpectralPool` lowers it."
            )
        return nn.functional.pad(c, (0, self.bandwidth**2 - c.shape[-1]))

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return str(self.bandwidth)


class SpectralBatchNorm(CoefficientNorm):
    """Batch normalisation over the batch and the whole sphere, computed from coefficients.

    By Parseval the mean over the sphere is f_00 / sqrt(4 pi) and the mean square sum_lm f_lm^2 / 4 pi: exact integrals,
    where averages over grid points would weigh the poles too heavily and break equivariance. Mean and variance are
    invariants, so the layer is exactly equivariant. In training it uses those of the batch and tracks them; in evaluation
    the tracked ones (Ioffe & Szegedy 2015).

    Args:
        channels: number of channels.
        eps: added to the variance.
        momentum: weight of the newest batch in the tracked values.
        affine: learn a scale and a shift for each channel.

    Shape:
        `(batch, channels, L*L)` to the same, of any band limit.

    Raises:
        ValueError: where an input has another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> norm = es.nn.SpectralBatchNorm(3)
    >>> c = norm(5 * torch.randn(16, 3, 64) + 2)
    >>> power = c.square().sum((0, 2)) / 16 / (4 * torch.pi)  # mean square over batch and sphere
    >>> bool(torch.allclose(power, torch.ones(3), atol=1e-4))
    True
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        channels = _checks.positive_int(channels, "channels")
        super().__init__((0,), (channels,), eps, momentum, affine)
        self.channels = channels

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch channels coefficients"]:
        """Normalise each channel."""
        _checks.features_of(c, self.channels)
        _checks.bandwidth_of(c)
        return self.normalised(c)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.channels}, {super().extra_repr()}"


class PowerSpectrum(nn.Module):
    """The invariant descriptor (||f^0||, .., ||f^{L-1}||) of each channel (docs/math.md, 6; Kazhdan et al. 2003).

    ||f^l|| is the root of the power of degree l; invariant, since a rotation acts on each degree by a unitary matrix.
    The gradient at a degree without power is taken as zero.

    Shape:
        `(..., L*L)` to `(..., L)`.

    >>> import torch, equisphere as es
    >>> es.nn.PowerSpectrum()(torch.tensor([-1.0, 3.0, 0.0, 4.0]))
    tensor([1., 5.])
    """

    gives_invariants = True

    def forward(self, c: Shaped[Tensor, "*batch coefficients"]) -> Float[Tensor, "*batch degrees"]:
        """Describe each signal."""
        power = power_spectrum(widened(c))
        norms = power.clamp(min=torch.finfo(power.dtype).tiny).sqrt() * (power > 0)
        return norms.to(c.real.dtype)


class GlobalPool(nn.Module):
    """Mean over the sphere, f_00 / sqrt(4 pi): the linear invariant.

    Shape:
        `(..., L*L)` to `(...)`.

    >>> import torch, equisphere as es
    >>> es.nn.GlobalPool()(torch.tensor([[(4 * torch.pi) ** 0.5, 9.0, 9.0, 9.0]]))
    tensor([1.])
    """

    gives_invariants = True

    def forward(self, c: Shaped[Tensor, "*batch coefficients"]) -> Shaped[Tensor, "*batch"]:
        """Average each signal."""
        _checks.floating(c, "coefficients")
        _checks.bandwidth_of(c)
        return c[..., 0] / sqrt(4 * pi)
