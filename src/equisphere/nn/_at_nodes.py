"""Samples of a field on a grid of rings: to coefficients and back; pointwise functions and invariants without a transform."""

from collections.abc import Callable, Sequence
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened
from equisphere.grids import RingGrid
from equisphere.nn._field import Field, checked_field
from equisphere.nn._on_grid import FieldNonlinearity
from equisphere.nn._spin_activation import magnitude
from equisphere.transforms._operator import grid_name, transform

Samples = Float[Tensor, "batch _ nlat nlon"]
#: to coefficients, from coefficients, and what it is called: what an audit asks for
Layout = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], str]


class FieldSHT(nn.Module):
    r"""Samples of a field to its coefficients, and back by `inverse`: `SHT` of the scalars, `SpinSHT` of each spin.

    Samples are real, row for row as coefficients are (`Field`): at spin 0 a row for each channel; at spin s > 0 the real parts
    of all channels, then their imaginary parts, against the local axes (docs/spin.md). Two rows of spin 1 are the components
    of a vector southwards and eastwards: a wind (u, v) to east and north is the rows -v, u.

    Args:
        field: spins, channels and band limit L.
        grid: of rings; carries L.

    Shape:
        `(batch, field.rows, nlat, nlon)` to `(batch, field.rows, L*L)`, real.

    Raises:
        ValueError: where the grid has no rings of equal nodes or cannot carry L, or an input is no such feature.

    >>> import torch, equisphere as es
    >>> field = es.nn.Field(8, spins=(0, 1), channels=3)
    >>> sht = FieldSHT(field, es.grids.ClenshawCurtis(nlat=17, nlon=32))
    >>> f = sht.inverse(torch.randn(2, *field.shape))
    >>> f.shape, bool(torch.allclose(sht.inverse(sht(f)), f, atol=1e-5))
    (torch.Size([2, 9, 17, 32]), True)
    """

    def __init__(self, field: Field, grid: RingGrid) -> None:
        super().__init__()
        self.field, self.grid = checked_field(field), checked_rings(grid, field)

    def forward(self, samples: Samples) -> Float[Tensor, "batch rows coefficients"]:
        """Analysis."""
        found = []
        for spin, f in zip(self.field.spins, split(self.field, self.grid, samples), strict=True):
            x = widened(f).flatten(-4, -3).movedim((-2, -1), (0, 1))
            c = transform(x, self.grid, self.field.bandwidth, to_grid=False, weighted=True, spin=spin)
            c = c.unflatten(-1, f.shape[-4:-2])
            found.append(c.transpose(1, 2).flatten(2) if spin else c)
        c = torch.cat(found, dim=-1).permute(1, 2, 0)
        _checks.finite(c[..., -1], "samples")
        return c.to(samples.dtype)

    def inverse(self, c: Float[Tensor, "batch rows coefficients"]) -> Samples:
        """Synthesis."""
        found = []
        for spin, part in self.field.parts(c).items():
            x = widened(part).unflatten(1, (2 if spin else 1, -1)).permute(3, 1, 0, 2).flatten(2)
            x = x if spin else x[:, 0]
            f = transform(x, self.grid, self.field.bandwidth, to_grid=True, weighted=False, spin=spin)
            found.append(f.movedim((0, 1), (-2, -1)).unflatten(-3, (len(c), -1)))
        return joined_samples(found).to(c.dtype)

    @property
    def layout(self) -> Layout:
        """For an audit."""
        return self, self.inverse, f"samples of {self.field}"

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.field}, {self.grid}"


class AtNodes(nn.Module):
    """A nonlinearity of fields at each node of a grid, without the transforms: samples to samples.

    What `GatedActivation`, `MagnitudeActivation` or `SO3Activation` does between its transforms; its `oversampling` is that of
    `grid` over the band limit here. What the function puts beyond the grid's band limit stays in the samples, and a `GridConv`
    after it meets it: the error is aliasing there. Bare scalars need no layer: `nn.SiLU()` does.

    Args:
        activation: a nonlinearity of fields; of a `SpinProduct`, both features are given.
        grid: of rings, of input and output.

    Shape:
        `(batch, activation.source.rows, nlat, nlon)` to `(batch, activation.target.rows, nlat, nlon)`.

    Raises:
        ValueError: where it is no such nonlinearity, the grid cannot carry its band limit, or an input is not of its source.

    >>> import torch, equisphere as es
    >>> grid, field = es.grids.GaussLegendre(16, nlat=16), es.nn.Field(16, spins=(0, 1), channels=3)
    >>> layer = AtNodes(es.nn.GatedActivation(torch.nn.SiLU(), field), grid)
    >>> layer(torch.randn(2, layer.source.rows, *grid.shape)).shape  # 6 + 2 * 3 rows to 3 + 2 * 3
    torch.Size([2, 9, 16, 32])
    """

    is_one_layer = True  # an audit looks at the function as it acts here

    def __init__(self, activation: FieldNonlinearity, grid: RingGrid) -> None:
        super().__init__()
        if not isinstance(activation, FieldNonlinearity) or getattr(activation, "gives_invariants", False):
            raise ValueError(
                "activation must be a nonlinearity of fields, such as nn.GatedActivation(nn.SiLU(), field), got "
                f"{activation!r}. A function of scalars alone acts on samples as it is; means of samples are nn.GridMean."
            )
        self.activation = activation
        self.source, self.target = activation.source, activation.target
        self.grid = checked_rings(grid, self.source)

    def forward(self, *samples: Samples) -> Samples:
        """Apply the nonlinearity at each node; of a product, to the samples of both."""
        fields = self.activation.takes
        if len(samples) != len(fields):
            raise ValueError(f"{type(self.activation).__name__} takes {len(fields)} features, got {len(samples)}.")
        parts = [f for field, x in zip(fields, samples, strict=True) for f in split(field, self.grid, x)]
        return joined_samples(self.activation.values(*(widened(f) for f in parts))).to(samples[0].dtype)

    def refined(self) -> "AtNodes":
        """The same on a grid twice as fine."""
        return AtNodes(self.activation, self.grid.refined())

    @property
    def signal_layouts(self) -> tuple[Layout, Layout]:
        """What (the first) input and output are, for an audit."""
        return FieldSHT(self.source, self.grid).layout, FieldSHT(self.target, self.grid).layout


class GridMean(nn.Module):
    """Means over the sphere of samples, by the quadrature weights: of scalars the value, of spins s > 0 the magnitude |f|.

    `MeanMagnitude` of samples. The quadrature is exact for what it carries; magnitudes alias.

    Args:
        field: of the input.
        grid: of rings.

    Shape:
        `(batch, field.rows, nlat, nlon)` to `(batch, channels of all spins)`.

    Raises:
        ValueError: where the grid cannot carry the band limit, or an input is no such feature.

    >>> import torch, equisphere as es
    >>> grid, field = es.grids.ClenshawCurtis(nlat=17, nlon=32), es.nn.Field(8, spins=(0, 1), channels=3)
    >>> GridMean(field, grid)(torch.ones(2, field.rows, *grid.shape))[0, [0, -1]]  # |1 + i|
    tensor([1.0000, 1.4142])
    """

    gives_invariants = True

    def __init__(self, field: Field, grid: RingGrid) -> None:
        super().__init__()
        self.field, self.grid = checked_field(field), checked_rings(grid, field)

    def forward(self, samples: Samples) -> Float[Tensor, "batch channels"]:
        """Average each feature."""
        weights = self.grid.ring_weights / (4 * pi)
        parts = zip(self.field.spins, split(self.field, self.grid, samples), strict=True)
        means = [(magnitude(widened(f)) if s else widened(f)).sum(-1) @ weights.to(widened(f)) for s, f in parts]
        return torch.cat(means, dim=1).to(samples.dtype)

    def refined(self) -> "GridMean":
        """The same on a grid twice as fine."""
        return GridMean(self.field, self.grid.refined())

    @property
    def signal_layouts(self) -> tuple[Layout, None]:
        """What the input is, for an audit."""
        return FieldSHT(self.field, self.grid).layout, None

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.field}, {self.grid}"


def split(field: Field, grid: RingGrid, samples: Samples) -> list[Tensor]:
    """Samples of each spin, views: `(batch, channels, nlat, nlon)` at spin 0, `(2, batch, channels, nlat, nlon)` above.

    Raises:
        ValueError: where these are no real samples of the field on the grid, or there are none.
    """
    _checks.real(samples, "samples")
    if samples.ndim != 4 or tuple(samples.shape[1:]) != (field.rows, *grid.shape):
        rows = field.rows_in_words("real and imaginary parts")
        raise ValueError(
            f"samples must have shape (batch, {field.rows}, {grid.nlat}, {grid.nlon}): {field.rows} rows ({rows}) on the grid "
            f"{grid}, got {tuple(samples.shape)}. A complex spin signal f gives the rows f.real, then f.imag; coefficients "
            "become samples by `nn.FieldSHT(field, grid).inverse`."
        )
    _checks.some(samples, "samples")
    parts = samples.split(field.sizes, dim=1)
    return [f.unflatten(1, (2, -1)).transpose(0, 1) if s else f for s, f in zip(field.spins, parts, strict=True)]


def joined_samples(parts: Sequence[Tensor]) -> Samples:
    """Samples of all spins, row after row: the inverse of `split`."""
    return torch.cat([f.transpose(0, 1).flatten(1, 2) if f.ndim == 5 else f for f in parts], dim=1)


def checked_rings(grid: object, field: Field) -> RingGrid:
    """The grid that samples of a field are on.

    Raises:
        ValueError: where it has no rings of equal numbers of nodes, or cannot carry the field's band limit.
    """
    if not isinstance(grid, RingGrid):
        raise ValueError(
            "grid must be a grid of rings with as many nodes each, such as ClenshawCurtis(nlat=257, nlon=512), got "
            f"{grid!r}. Other samplings go through coefficients: `es.transforms.resample`, or `nn.EquivariantLinear`."
        )
    if field.bandwidth > grid.max_bandwidth:
        raise ValueError(
            f"the field's band limit {field.bandwidth} is too large for {grid}: {grid.limit()}. "
            "Take a finer grid, or a field of a lower band limit (`field.at(L)`)."
        )
    grid_name(grid)  # known before any program is recorded
    return grid
