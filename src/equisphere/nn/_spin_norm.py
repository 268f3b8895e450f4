"""Batch normalisation of fields: of their coefficients, and of their samples on a grid."""

from copy import copy
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import RingGrid
from equisphere.nn._at_nodes import FieldSHT, Layout, checked_rings, split
from equisphere.nn._field import Field, checked_field
from equisphere.nn._power_norm import CoefficientNorm, PowerNorm


class SpinBatchNorm(CoefficientNorm):
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

    def __init__(self, field: Field, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        field = checked_field(field)
        super().__init__(field.spins, field.channels, eps, momentum, affine)
        self.field = field

    def forward(self, c: Float[Tensor, "batch rows coefficients"]) -> Float[Tensor, "batch rows coefficients"]:
        """Normalise each channel of each spin."""
        self.field.at(_checks.bandwidth_of(c)).check(c)
        return self.normalised(c)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.field}, {super().extra_repr()}"


class GridBatchNorm(PowerNorm):
    """`SpinBatchNorm` of samples on a grid: mean and mean square by the quadrature weights, over batch and sphere.

    An average over nodes would weigh the poles too heavily. The quadrature is exact where the grid carries the squares
    (`grid.exact_degree` at least 2 (L - 1), as it does for the field's band limit L); of what lies beyond, the error is
    aliasing.

    Args:
        field: of input and output; rows as in `FieldSHT`.
        grid: of rings.
        eps: added to the variance.
        momentum: weight of the newest batch in the tracked values.
        affine: learn a scale for each channel, and a shift for those of spin 0.

    Shape:
        `(batch, field.rows, nlat, nlon)` to the same.

    Raises:
        ValueError: where the grid cannot carry the band limit, or an input is no such feature.

    >>> import torch, equisphere as es
    >>> grid, field = es.grids.ClenshawCurtis(nlat=17, nlon=32), es.nn.Field(8, spins=(0, 1), channels=3)
    >>> f = GridBatchNorm(field, grid)(5 * torch.randn(16, field.rows, *grid.shape) + 2)
    >>> power = (f.square() * grid.weights.float()).sum((0, 2, 3)) / 16 / (4 * torch.pi)
    >>> bool(torch.allclose(power[:3], torch.ones(3), atol=1e-4)), bool(((power[3:6] + power[6:] - 1).abs() < 1e-4).all())
    (True, True)
    """

    def __init__(
        self, field: Field, grid: RingGrid, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        field = checked_field(field)
        super().__init__(field.spins, field.channels, eps, momentum, affine)
        self.field, self.grid = field, checked_rings(grid, field)

    def measured(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `PowerNorm`."""
        weights = (self.grid.ring_weights / (4 * pi)).to(x)
        return x[:, : self._scalars].sum(-1).mean(0) @ weights, x.square().sum(-1).mean(0) @ weights

    def moved(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """See `PowerNorm`."""
        return torch.addcmul(
            nn.functional.pad(shift, (0, len(scale) - len(shift)))[:, None, None], x, scale[:, None, None]
        )

    def forward(self, samples: Float[Tensor, "batch rows nlat nlon"]) -> Float[Tensor, "batch rows nlat nlon"]:
        """Normalise each channel of each spin."""
        split(self.field, self.grid, samples)
        return self.normalised(samples)

    def refined(self) -> "GridBatchNorm":
        """The same on a grid twice as fine; it shares its parameters and what it tracks."""
        finer = copy(self)
        finer.grid = self.grid.refined()
        return finer

    @property
    def signal_layouts(self) -> tuple[Layout, Layout]:
        """What input and output are, for an audit."""
        layout = FieldSHT(self.field, self.grid).layout
        return layout, layout

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.field}, {self.grid}, {super().extra_repr()}"
