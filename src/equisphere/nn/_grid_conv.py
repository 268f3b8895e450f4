"""A convolution with directions that stays on the samples of a grid: local, without a spherical transform."""

from copy import copy
from dataclasses import replace
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened
from equisphere.grids import RingGrid
from equisphere.nn._at_nodes import FieldSHT, Layout, checked_rings, split
from equisphere.nn._field import Field, checked_field
from equisphere.transforms._local_convolution import local_convolution
from equisphere.transforms._ring_bands import Local
from equisphere.transforms._ring_kernels import multipliers, radials


class GridConv(nn.Module):
    r"""Local convolution between fields with spins, samples to samples, by kernels that turn with the local axes.

    To a channel of spin s', each channel f of spin s gives

        \int sum_q psi_q(beta) [ w_q e^{i (s' alpha_x - s alpha_y)} f(y) + v_q e^{i (s' alpha_x + s alpha_y)} conj f(y) ] dy,

    beta the distance of x and y, alpha their geodesic's bearings at both ends, psi_q smooth radial functions of support beta <
    radius (`transforms/_ring_kernels.py`), w and v learned complex numbers (for scalars, one real part of it all). These are
    all kernels that commute with rotations (Weiler & Cesa 2019 in the plane; Cohen et al. 2019 on manifolds; as a number for
    each degree, Esteves et al. 2020): an `EquivariantLinear` whose filters are local. The integral is the grid's quadrature
    over its nodes: a sum over rings within reach for each wave along the ring, exact at the poles as anywhere. Its time grows
    as the number of nodes, where a transform's grows as its power 3/2, and between pointwise functions (`AtNodes`) there is no
    transform. docs/grid_conv.md says where it is faster and where not.

    On signals of band limit L the quadrature's error, the only one there is, is at most 8 pi max|f| E_n(K), E_n(K) how well
    polynomials of degree n = grid.exact_degree - L + 1 approach the kernel. psi has two continuous derivatives and a bounded
    third one, so at a fixed radius it falls at least as nlat^-3, and typically, aliasing being the Fourier transform of psi at
    the grid's frequency, as nlat^-4.5. At a fixed number of rings it is a fixed fraction, percents of white signals and less
    of smooth ones (docs/grid_conv.md). Rotations about the polar axis by a grid step are exact.

    Kernels that the grid cannot tell apart are refused: order N = 2q + |s' - s| needs a radius of N + 1 steps of the grid, a
    step being the larger of the distance between rings and that between nodes at the equator. Spins that are further apart are
    not joined.

    Weights start so that white signals of the field's band limit keep their power times gain^2 = 2, as in `EquivariantLinear`.
    Smooth ones gain by scalar kernels, and lose by those that change the spin, which are derivatives.

    Args:
        source: field of the input.
        target: field of the output, of the same band limit.
        grid: of rings, of input and output; carries the band limit.
        radius: of the support, radians, below pi / 2. `3 * pi / grid.nlat` is three rings.
        order: highest order 2q + |s' - s| of a kernel: of the polynomial in the tangent plane that the bump is multiplied by.
            At most the number of the grid's steps in the radius, less one; by default that, but no more than 3.
        bias: add a learned constant to the output channels of spin 0.

    Shape:
        `(batch, source.rows, nlat, nlon)` to `(batch, target.rows, nlat, nlon)`, real; rows as in `FieldSHT`.

    Raises:
        ValueError: where fields and grid do not fit, the radius is no angle or spans less than two steps of the grid, the
            order is too high for it or too low for a spin of the target, or an input is not samples of the source, not finite,
            or of another dtype or device.

    >>> import torch, equisphere as es
    >>> grid = es.grids.ClenshawCurtis(nlat=33, nlon=64)
    >>> layer = GridConv(es.nn.Field(16), es.nn.Field(16, spins=(0, 1), channels=4), grid, radius=0.3)
    >>> layer(torch.randn(2, 1, 33, 64)).shape
    torch.Size([2, 12, 33, 64])
    """

    is_one_layer = True  # its weights are no layers of their own

    def __init__(
        self,
        source: Field,
        target: Field,
        grid: RingGrid,
        radius: float,
        order: int | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.source, self.target = checked_field(source, "source"), checked_field(target, "target")
        if source.bandwidth != target.bandwidth:
            raise ValueError(
                f"source and target must have one band limit, got {source.bandwidth} and {target.bandwidth}: both are on "
                "one grid, and the kernels make no new degrees."
            )
        self.grid = checked_rings(grid, source)
        self.radius, self.order = _resolved(grid, radius, order)
        source_parts, target_parts = (tuple(zip(f.spins, f.channels, strict=True)) for f in (source, target))
        self._local = Local(grid, self.radius, self.order, source_parts, target_parts)
        self.weights = nn.ParameterDict()
        self._units: dict[str, Float[Tensor, "radials 1 1"]] = {}
        for t, s in self._local.pairs:
            if t >= 0 and (t or s >= 0):  # the others are their conjugates
                unit = self._unit(t, s)
                shape = len(unit), source.of(abs(s)), target.of(t)
                self._units[_name(t, s)] = unit
                self.weights[_name(t, s)] = nn.Parameter(torch.empty(shape if s == t == 0 else (2, *shape)))
        for t in target.spins:
            if not any(t == joined for joined, _ in self._local.pairs):
                raise ValueError(
                    f"nothing reaches spin {t}: a kernel from spin s has order |{t} - s| at least, the source has the spins "
                    f"{source.spins}, and the order here is {self.order}. Take a larger radius, or spins in between first."
                )
        scalars = target.of(0)
        self.bias = nn.Parameter(torch.zeros(scalars)) if bias and scalars else None
        self.reset_parameters()

    def _unit(self, target: int, source: int) -> Float[Tensor, "radials 1 1"]:
        """The factor of each radial function by which white signals of the band limit keep their power."""
        L, spins = self.source.bandwidth, (target, source)
        power = 2 * np.arange(L) + 1
        response = multipliers(spins, self.radius, radials(self.order, spins), L) ** 2 @ power
        return torch.from_numpy(np.sqrt(power.sum() / response))[:, None, None]

    def reset_parameters(self, gain: float = sqrt(2)) -> None:
        """Draw new weights, which keep the power of white signals times gain^2, and no bias."""
        with torch.no_grad():
            for t in self.target.spins:
                terms = {s: self.weights.get(_name(t, s)) for s in self._local.sources}
                found = {s: w for s, w in terms.items() if w is not None}
                count = sum(w[..., 0].numel() // (2 if w.ndim == 4 else 1) for w in found.values())
                for s, weight in found.items():
                    weight.normal_(std=gain / sqrt(count * (2 if s else 1)))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _weight(self, target: int, source: int, like: Tensor) -> Float[Tensor, "2 radials in out"]:
        """The complex weights between two signed spins; those between their negatives are the conjugates."""
        conjugated = target < 0 or (target == 0 and source < 0)
        name = _name(-target, -source) if conjugated else _name(target, source)
        weight, unit = self.weights[name].to(like), self._units[name].to(like)
        if weight.ndim == 3:
            weight = torch.stack((weight, torch.zeros_like(weight)))
        elif target == 0 or source == 0:  # waves of spins are over sqrt2
            unit = unit / sqrt(2)
        return weight * unit * (weight.new_tensor((1, -1))[:, None, None, None] if conjugated else 1)

    def forward(self, samples: Float[Tensor, "batch in nlat nlon"]) -> Float[Tensor, "batch out nlat nlon"]:
        """Convolve each feature of the batch."""
        split(self.source, self.grid, samples)
        _checks.alike(samples, next(iter(self.weights.values())))
        x = widened(samples)
        y = local_convolution(x, [self._weight(t, s, x) for t, s in self._local.pairs], self._local)
        if self.bias is not None:
            y[:, : len(self.bias)] += self.bias.to(x)[:, None, None]
        _checks.finite(y[..., 0], "samples")  # a bad sample reaches every node of its ring
        return y.to(samples.dtype)

    def refined(self) -> "GridConv":
        """The same layer on a grid twice as fine: it shares its parameters, and its error is that of the finer grid."""
        finer = copy(self)
        finer.grid = self.grid.refined()
        finer._local = replace(self._local, grid=finer.grid)
        return finer

    @property
    def signal_layouts(self) -> tuple[Layout, Layout]:
        """What input and output are, for an audit."""
        return FieldSHT(self.source, self.grid).layout, FieldSHT(self.target, self.grid).layout

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return (
            f"{self.source}, {self.target}, {self.grid}, radius={self.radius:.4g}, order={self.order}, "
            f"bias={self.bias is not None}"
        )


def _name(target: int, source: int) -> str:
    return f"{source} to {target}"


def _resolved(grid: RingGrid, radius: object, order: int | None) -> tuple[float, int]:
    """Radius and order of kernels, where the grid tells them apart."""
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0 < radius < pi / 2:
        raise ValueError(
            f"radius must be an angle between 0 and pi / 2 in radians, got {radius!r}. `3 * pi / grid.nlat` is three rings; "
            "wider filters are the business of `nn.EquivariantLinear`, in coefficients."
        )
    step = max(float(grid.colatitudes.diff().max()), 2 * pi / grid.nlon)
    steps = radius / step + 1e-6
    if steps < 2:
        finer = "a finer grid" if 2 * step >= pi / 2 else f"a radius of {2 * step:.4g} at least, or a finer grid"
        raise ValueError(
            f"a radius must span at least two steps of the grid, {step:.4g} radians each (the larger of the distances "
            f"between rings and between nodes at the equator), got {radius:.4g}, {radius / step:.2f} steps: too few nodes "
            f"would see the kernel for it to turn with the signal. Take {finer}."
        )
    most = int(steps) - 1
    found = min(most, 3) if order is None else _checks.count(order, "order")
    if found > most:
        raise ValueError(
            f"kernels of order {found} need a radius of {found + 1} steps of the grid, {(found + 1) * step:.4g} radians, to "
            f"be told apart at its nodes; {radius:.4g} radians are {radius / step:.2f} steps. Take order={most}, or a "
            "larger radius."
        )
    return float(radius), found
