"""Networks in coefficients, for samples."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import Grid, RingGrid
from equisphere.models._configured import ConfiguredModule
from equisphere.transforms import SHT, VectorSHT

Transform = Callable[[Tensor], Tensor]
#: to coefficients, from coefficients, and what it is called
Layout = tuple[Transform, Transform, str]


class OnGrid(nn.Module):
    """A network from coefficients to coefficients, as one from samples to samples: analysis, network, synthesis.

    Scalar channels come first, tangent fields after them, each as two channels: its components along e_theta (southwards)
    and e_phi (eastwards), as `transforms.VectorSHT` has them; a wind (u, v) to east and north is `(-v, u)`. In the network each
    field is the two scalar signals that its coefficients are, so that fields turn as fields do.

    Args:
        network: takes `(batch, channels, L*L)` coefficients of the band limit `network.bandwidth`, and gives coefficients.
        grid: where the samples are; of fields, a grid of rings.
        target: grid of the output; the same by default.
        in_fields: how many of the input are tangent fields.
        out_fields: how many of the output are.

    Shape:
        `(batch, channels, *grid.shape)` to `(batch, channels, *target.shape)`; a field counts as two channels.

    Raises:
        ValueError: where a grid cannot carry the band limit, the network has too few channels for the fields, or an input does
            not fit.

    >>> import torch, equisphere as es
    >>> winds = es.models.SphericalUNet(3, 2, channels=(4, 4), bandwidths=(8, 4))  # a scalar and a field to a field
    >>> grid = es.grids.ClenshawCurtis(nlat=17, nlon=32)
    >>> es.models.OnGrid(winds, grid, in_fields=1, out_fields=1)(torch.randn(5, 3, 17, 32)).shape
    torch.Size([5, 2, 17, 32])
    """

    def __init__(
        self,
        network: ConfiguredModule,
        grid: Grid,
        target: Grid | None = None,
        in_fields: int = 0,
        out_fields: int = 0,
    ) -> None:
        super().__init__()
        target = grid if target is None else target
        self.network = network
        self.in_fields = _fitting(in_fields, "in", network)
        self.out_fields = _fitting(out_fields, "out", network)
        self.analysis, self.field_analysis = _transforms(grid, network.bandwidth, self.in_fields)
        self.synthesis, self.field_synthesis = _transforms(target, network.bandwidth, self.out_fields)

    def forward(self, samples: Float[Tensor, "batch in *nodes"]) -> Float[Tensor, "batch out *target"]:
        """Apply the network to samples."""
        _checks.real(samples, "samples")
        shape = self.analysis.grid.shape
        if samples.ndim != 2 + len(shape) or samples.shape[1] < 2 * self.in_fields:
            fields = f", the last {2 * self.in_fields} channels the components of {self.in_fields} tangent fields"
            raise ValueError(
                f"samples must have shape (batch, channels, {', '.join(map(str, shape))}){fields if self.in_fields else ''}, "
                f"got {tuple(samples.shape)}."
            )
        c = _each(samples, self.in_fields, self.analysis, self.field_analysis)
        return _each(self.network(c), self.out_fields, *_inverses(self.synthesis, self.field_synthesis))

    @property
    def signal_layouts(self) -> tuple[Layout | None, Layout | None]:
        """Where input and output hold fields, the functions to their coefficients and back: an audit asks for them."""

        def layout(fields: int, sht: SHT, field_sht: VectorSHT | None) -> Layout | None:
            if not fields:
                return None
            to_flat = partial(_each, fields=fields, scalar=sht, field=field_sht)
            scalar, field = _inverses(sht, field_sht)
            return (
                to_flat,
                partial(_each, fields=fields, scalar=scalar, field=field),
                f"samples, {fields} tangent fields",
            )

        return (
            layout(self.in_fields, self.analysis, self.field_analysis),
            layout(self.out_fields, self.synthesis, self.field_synthesis),
        )

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"in_fields={self.in_fields}, out_fields={self.out_fields}"


def _transforms(grid: Grid, bandwidth: int, fields: int) -> tuple[SHT, VectorSHT | None]:
    sht = SHT(grid, bandwidth)
    if not fields:
        return sht, None
    if not isinstance(grid, RingGrid):
        raise ValueError(f"components of tangent fields need a grid of rings, such as GaussLegendre(16), got {grid!r}.")
    return sht, VectorSHT(grid, bandwidth)


def _fitting(fields: int, side: str, network: ConfiguredModule) -> int:
    """How many fields, where the channels that the network names in its configuration suffice for them."""
    number = _checks.count(fields, f"{side}_fields")
    channels = getattr(network, "config", {}).get(f"{side}_channels")
    if channels is not None and 2 * number > channels:
        raise ValueError(
            f"{side}_fields={number} are {2 * number} channels, two for each tangent field, but the network has "
            f"{side}_channels={channels}."
        )
    return number


def _inverses(sht: SHT, field_sht: VectorSHT | None) -> tuple[Transform, Transform | None]:
    return sht.inverse, None if field_sht is None else field_sht.inverse


def _each(x: Tensor, fields: int, scalar: Transform, field: Transform | None) -> Tensor:
    """A transform of the scalar channels, and one of the two of each field."""
    scalars = x.shape[1] - 2 * fields
    parts = [scalar(x[:, :scalars])] if scalars else []
    if field is not None:
        parts.append(field(x[:, scalars:].unflatten(1, (-1, 2))).flatten(1, 2))
    return torch.cat(parts, dim=1)
