"""Products of features: of every two degrees by Clebsch-Gordan coefficients, and at every point of a grid."""

from collections.abc import Iterator
from functools import lru_cache
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.harmonics import clebsch_gordan_real
from equisphere.nn._field import Field
from equisphere.nn._on_grid import FieldNonlinearity
from equisphere.transforms._spin_pointwise import joined

Features = Float[Tensor, "batch _ coefficients"]


def couplings(bandwidth: int, out_bandwidth: int) -> list[tuple[int, int, int]]:
    """All (l1, l2, l) with |l1 - l2| <= l <= l1 + l2 below the band limits.

    >>> couplings(2, 2)
    [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
    """
    degrees = range(bandwidth)
    return [(a, b, l) for a in degrees for b in degrees for l in range(abs(a - b), min(a + b, out_bandwidth - 1) + 1)]


def coupled(
    a: Features, b: Features, out_bandwidth: int
) -> Iterator[tuple[int, int, Float[Tensor, "batch rows some"]]]:
    """The products [a^l1 x b^l2]^l, for each (l1, l2) those of all l side by side."""
    L = _checks.bandwidth_of(a)
    for l1 in range(L):
        for l2 in range(L):
            matrix = _coupling(l1, l2, out_bandwidth, a.dtype, a.device)
            if matrix.numel():
                x, y = a[..., l1 * l1 : (l1 + 1) ** 2], b[..., l2 * l2 : (l2 + 1) ** 2]
                yield l1, l2, (x[..., :, None] * y[..., None, :]).flatten(-2) @ matrix


@lru_cache(maxsize=4096)
def _coupling(l1: int, l2: int, out_bandwidth: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Clebsch-Gordan matrices of all l side by side, ((2l1+1) (2l2+1), sum of 2l+1)."""
    degrees = range(abs(l1 - l2), min(l1 + l2, out_bandwidth - 1) + 1)
    tables = [clebsch_gordan_real(l1, l2, l).reshape(2 * l + 1, -1) for l in degrees]
    size = (2 * l1 + 1) * (2 * l2 + 1)
    whole = np.concatenate(tables) if tables else np.zeros((0, size))
    return torch.from_numpy(whole.T.copy()).to(device, dtype)


class TensorProduct(nn.Module):
    r"""The Clebsch-Gordan product of two features, row by row, with a learned weight for each three degrees.

    out^l = sum_{l1, l2} w_{l1 l2 l} [a^l1 x b^l2]^l, with [..]^l_m = sum <l1 m1 l2 m2 | l m> a_m1 b_m2 over the real harmonics
    (`harmonics.clebsch_gordan_real`): all that is bilinear and commutes with rotations, row by row (Kondor et al. 2018; Cobb
    et al. 2021). No grid is visited, so the equivariance error is rounding, whatever the weights. The paths of odd
    l1 + l2 + l are products that a product of scalar functions does not have: they change sign under reflections.

    Time grows as L^5 a row: for low band limits. `SpinProduct` is the product at every point instead, in O(L^3): the weights
    are then fixed, one path for all (l1, l2, l) of two spins.

    Weights start at variance 1 / (number of paths to l): products of independent rows of unit variance have unit variance.

    Args:
        rows: rows of each input.
        bandwidth: band limit L of the inputs.
        out_bandwidth: of the output, at most 2L - 1; L by default.

    Shape:
        two of `(batch, rows, L*L)` to `(batch, rows, out_bandwidth**2)`, real.

    Raises:
        ValueError: where a number is not a positive integer, the output has degrees that no product has, or an input has
            another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> layer = TensorProduct(3, bandwidth=4)
    >>> a, b, R = torch.randn(2, 3, 16), torch.randn(2, 3, 16), es.random_rotations(1)
    >>> turned = layer(es.rotate(a, R), es.rotate(b, R))
    >>> bool(torch.allclose(turned, es.rotate(layer(a, b), R), atol=1e-4))
    True
    """

    def __init__(self, rows: int, bandwidth: int, out_bandwidth: int | None = None) -> None:
        super().__init__()
        self.rows = _checks.positive_int(rows, "rows")
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        self.out_bandwidth = self.bandwidth
        if out_bandwidth is not None:
            self.out_bandwidth = _checks.positive_int(out_bandwidth, "out_bandwidth")
        if self.out_bandwidth > 2 * self.bandwidth - 1:
            raise ValueError(
                f"products of degrees below {self.bandwidth} have degrees up to {2 * self.bandwidth - 2}, so out_bandwidth is "
                f"at most {2 * self.bandwidth - 1}, got {out_bandwidth}."
            )
        self.paths = couplings(self.bandwidth, self.out_bandwidth)
        to = np.bincount([l for _, _, l in self.paths])
        spread = torch.tensor([1 / sqrt(to[l]) for _, _, l in self.paths])
        self.weight = nn.Parameter(torch.randn(self.rows, len(self.paths)) * spread)

    def forward(self, a: Features, b: Features) -> Float[Tensor, "batch _ out"]:
        """Multiply each row of `a` by the same row of `b`."""
        for x in (a, b):
            _checks.features_of(x, self.rows)
            _checks.coefficients_of(x, self.bandwidth)
            _checks.alike(x, self.weight)
        if len(a) != len(b):
            raise ValueError(f"both inputs must be of one batch, got {len(a)} and {len(b)} signals.")
        weights = self.weight.unbind(1)
        sums: list[Tensor | float] = [0.0] * self.out_bandwidth
        path = 0
        for l1, l2, product in coupled(a, b, self.out_bandwidth):
            degrees = range(abs(l1 - l2), min(l1 + l2, self.out_bandwidth - 1) + 1)
            for l, part in zip(degrees, product.split([2 * l + 1 for l in degrees], dim=-1), strict=True):
                sums[l] = sums[l] + weights[path][:, None] * part
                path += 1
        return torch.cat([part for part in sums if isinstance(part, Tensor)], dim=-1)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.rows}, bandwidth={self.bandwidth}, out_bandwidth={self.out_bandwidth}"


class SpinProduct(FieldNonlinearity):
    r"""The product of two fields at every point: f g of spin s + s', and f conj(g) of spin |s - s'|, channel by channel.

    The cheap form of a Clebsch-Gordan product: a synthesis of each, products, an analysis, on a grid that is exact for
    degree 2, so that the equivariance error is rounding. In coefficients, of spins s, s' and the sum,

        (f g)_lm = sum sqrt( (2l1+1) (2l2+1) / (4 pi (2l+1)) ) <l1 m1 l2 m2 | l m> <l1 -s l2 -s' | l -(s+s')> f_l1m1 g_l2m2.

    Products of two spins that are not 0 have the paths of odd l1 + l2 + l too, which those of scalars lack.

    The channels of each spin of the result, in order, s ascending and then s': f g; then f conj(g) where s >= s', conj(f) g
    where s < s'; at s = s' > 0 the latter is two scalars, real part (the scalar product) and imaginary part (the cross
    product).

    Args:
        left: field of the first input.
        right: of the second, of the same band limit; all spins of both have the same number of channels.
        spins: which spins of the result to keep; by default those of the inputs.

    Shape:
        `(batch, left.rows, L*L)` and `(batch, right.rows, L*L)` to `(batch, target.rows, L*L)`.

    Raises:
        ValueError: where the fields do not go together, no product has a spin that is to be kept, or an input is no feature.

    >>> import torch, equisphere as es
    >>> wind, height = es.nn.Field(8, spins=(1,), channels=2), es.nn.Field(8, channels=2)
    >>> es.nn.SpinProduct(wind, height).target
    Field(bandwidth=8, spins=(1,), channels=(2,))
    >>> es.nn.SpinProduct(wind, wind, spins=(0, 2)).target  # two scalar products, two cross products; two squares
    Field(bandwidth=8, spins=(0, 2), channels=(4, 2))
    """

    def __init__(self, left: Field, right: Field, spins: tuple[int, ...] | None = None) -> None:
        if left.bandwidth != right.bandwidth or len({*left.channels, *right.channels}) != 1:
            raise ValueError(
                "the fields of a product must have one band limit and the same number of channels at every spin, got "
                f"{left} and {right}."
            )
        kept = {*left.spins, *right.spins} if spins is None else set(spins)
        made: dict[int, int] = {}
        for s in left.spins:
            for t in right.spins:
                for spin in {s + t, abs(s - t)} & kept:
                    made[spin] = made.get(spin, 0) + left.channels[0] * (2 if s == t > 0 and spin == 0 else 1)
        if not made or (spins is not None and set(made) != kept):
            missing = sorted(kept - set(made))
            raise ValueError(f"no product of the spins {left.spins} and {right.spins} has the spins {missing}.")
        super().__init__(left, Field(left.bandwidth, sorted(made), [made[s] for s in sorted(made)]), 1.5)
        self.left, self.right = left, right

    def forward(self, a: Features, b: Features) -> Features:
        """Multiply each channel of `a` by the same channel of `b`."""
        if len(a) != len(b):
            raise ValueError(f"both inputs must be of one batch, got {len(a)} and {len(b)} signals.")
        return self.on_grid(a, b)

    @property
    def takes(self) -> tuple[Field, ...]:
        """Fields of the inputs."""
        return self.left, self.right

    def values(self, *samples: Tensor) -> list[Tensor]:
        """The products at every point."""
        fs, gs = samples[: len(self.left.spins)], samples[len(self.left.spins) :]
        found: dict[int, list[Tensor]] = {s: [] for s in self.target.spins}
        for s, f in zip(self.left.spins, fs, strict=True):
            for t, g in zip(self.right.spins, gs, strict=True):
                if not s or not t:
                    if s + t in found:
                        found[s + t].append(f * g)
                    continue
                if s + t in found:
                    found[s + t].append(torch.stack((f[0] * g[0] - f[1] * g[1], f[0] * g[1] + f[1] * g[0])))
                if abs(s - t) in found:
                    dot, cross = f[0] * g[0] + f[1] * g[1], f[1] * g[0] - f[0] * g[1]
                    pair = [dot, cross] if s == t else [torch.stack((dot, cross if s > t else -cross))]
                    found[abs(s - t)] += pair
        return [torch.cat(products, dim=1 if s == 0 else 2) for s, products in found.items()]

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.left}, {self.right}, spins={self.target.spins}"


class Gradient(nn.Module):
    r"""Gradient features: of each channel of spin s the one of spin s + 1 that its slope is, by a fixed number for each degree.

    -ð f, of coefficients sqrt((l-s)(l+s+1)) (E + iB) at spin s + 1; of a scalar the vector d_theta f + i / sin(theta) d_phi
    f, with E = sqrt(l(l+1)) f and B = 0. It has no weights; it is a matrix per degree as `EquivariantLinear` has them.

    Args:
        field: of the input.
        normalised: of each degree give the direction alone, (-Delta)^(-1/2) first: degrees keep their power (the Riesz
            transform), where a gradient makes high degrees large.

    Shape:
        `(batch, field.rows, L*L)` to `(batch, target.rows, L*L)`.

    Raises:
        ValueError: where a spin leaves no degree, or an input is no such feature.

    >>> layer = Gradient(Field(8, spins=(0,), channels=3))
    >>> layer.target, layer(torch.randn(2, 3, 64)).shape
    (Field(bandwidth=8, spins=(1,), channels=(3,)), torch.Size([2, 6, 64]))
    """

    def __init__(self, field: Field, normalised: bool = True) -> None:
        super().__init__()
        self.source, self.normalised = field, bool(normalised)
        self.target = Field(field.bandwidth, [s + 1 for s in field.spins], field.channels)

    def forward(self, c: Features) -> Features:
        """The gradient of each channel."""
        L = self.source.bandwidth
        degree = torch.arange(L, dtype=torch.float64).repeat_interleave(2 * torch.arange(L) + 1)
        found = []
        for s, part in self.source.parts(c).items():
            power = ((degree - s) * (degree + s + 1)).clamp(min=0)
            factor = ((power > 0).double() if self.normalised else power.sqrt()).to(c)
            if s == 0:  # of a scalar the coefficients themselves, of spins -(E + iB)
                found.append(torch.cat((part, torch.zeros_like(part)), dim=1) * factor)
            else:
                found.append(part * -factor)
        return joined(found)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.source}, normalised={self.normalised}"
