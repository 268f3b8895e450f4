"""Invariants of fields: mean magnitudes, and those that compare rows, cross-spectra and the bispectrum."""

from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.nn._field import Field
from equisphere.nn._on_grid import FieldNonlinearity
from equisphere.nn._spin_activation import magnitude
from equisphere.nn._tensor_product import coupled, couplings
from equisphere.transforms import pointwise_spins


class _Mixtures(nn.Module):
    """Learned mixtures of rows, which are compared."""

    gives_invariants = True
    parts: int  # how many mixtures are compared

    def __init__(self, rows: int, mixtures: int) -> None:
        super().__init__()
        self.rows = _checks.positive_int(rows, "rows")
        self.mixtures = _checks.positive_int(mixtures, "mixtures")
        self.weight = nn.Parameter(torch.randn(self.parts, self.mixtures, self.rows) / sqrt(self.rows))

    def _mixed(self, c: Tensor) -> tuple[Tensor, ...]:
        _checks.features_of(c, self.rows)
        _checks.bandwidth_of(c)
        _checks.alike(c, self.weight)
        return torch.einsum("pkr,brc->pbkc", self.weight, c).unbind(0)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.rows}, mixtures={self.mixtures}"


class MeanMagnitude(FieldNonlinearity):
    """Means over the sphere: of scalars the value, of spins s > 0 the magnitude |f|.

    The mean of a signal with spin is no invariant (it has no degree 0), that of |f| is one; up to its aliasing, see
    `Activation`.

    Args:
        field: of the input.
        oversampling: of the grid on which magnitudes are taken.

    Shape:
        `(batch, field.rows, L*L)` to `(batch, channels of all spins)`.

    Raises:
        ValueError: as `MagnitudeActivation` does.

    >>> import torch, equisphere as es
    >>> field = es.nn.Field(8, spins=(0, 1), channels=3)
    >>> MeanMagnitude(field)(torch.randn(2, *field.shape)).shape
    torch.Size([2, 6])
    """

    gives_invariants = True

    def __init__(self, field: Field, oversampling: float = 1.5) -> None:
        super().__init__(field, field, oversampling)

    def forward(self, c: Float[Tensor, "batch rows coefficients"]) -> Float[Tensor, "batch channels"]:
        """Average each feature."""
        parts = self.source.parts(c)
        turning = [s for s in parts if s]
        found = [parts[0][..., 0]] if 0 in parts else []
        if turning:
            spins = (*turning, *(0 for _ in turning))
            means = pointwise_spins(_magnitudes, [parts[s] for s in turning], spins, self.grid, 1)
            found += [mean[..., 0] for mean in means]
        return torch.cat(found, dim=1) / sqrt(4 * pi)


def _magnitudes(*samples: Tensor) -> list[Tensor]:
    return [magnitude(f) for f in samples]


class CrossSpectrum(_Mixtures):
    """Products per degree of two learned mixtures of rows: sum_m u_lm v_lm (the power spectrum, where u = v).

    Norms of rows do not say how the rows lie to each other; these do. Invariant, since a rotation acts on each degree of all
    rows by one orthogonal matrix. Of a `Field` with spins, E and B are rows like any others.

    Args:
        rows: of the input.
        mixtures: number of pairs (u, v).

    Shape:
        `(batch, rows, L*L)` to `(batch, mixtures, L)`.

    Raises:
        ValueError: where a number is not a positive integer, or an input has another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> CrossSpectrum(6, mixtures=4)(torch.randn(2, 6, 25)).shape
    torch.Size([2, 4, 5])
    """

    parts = 2

    def forward(self, c: Float[Tensor, "batch rows coefficients"]) -> Float[Tensor, "batch mixtures degrees"]:
        """Compare the mixtures of each feature."""
        u, v = self._mixed(c)
        L = _checks.bandwidth_of(c)
        degree = torch.from_numpy(degrees_and_orders(L)[0]).to(c.device)
        return u.new_zeros(*u.shape[:-1], L).index_add(-1, degree, u * v)


class Bispectrum(_Mixtures):
    r"""Triple products of three learned mixtures of rows: b_{l1 l2 l} = <[u^l1 x v^l2]^l, w^l> (Kakarala 1992; Kondor 2007).

    [..]^l is the Clebsch-Gordan product over the real harmonics, so that b is a polynomial of degree 3 that no rotation
    changes; it is divided by sqrt(2l + 1). The bispectrum of one signal (u = v = w) determines it up to rotation, but for
    exceptions of measure zero; the parts of odd l1 + l2 + l, which vanish where u = v, change sign under reflections
    (`TripleProduct` is that of (1, 1, 1)).

    Args:
        rows: of the input.
        mixtures: number of triples (u, v, w).
        bandwidth: band limit of what is looked at, the first bandwidth**2 coefficients: about bandwidth^3 / 2 numbers.

    Shape:
        `(batch, rows, L*L)`, L at least `bandwidth`, to `(batch, mixtures, number of (l1, l2, l))`, in the order of `degrees`.

    Raises:
        ValueError: where a number is not a positive integer, or an input has another shape, dtype or device than the layer, or
            a lower band limit.

    >>> import torch, equisphere as es
    >>> layer = Bispectrum(6, mixtures=4, bandwidth=3)
    >>> layer(torch.randn(2, 6, 25)).shape, len(layer.degrees)
    (torch.Size([2, 4, 15]), 15)
    """

    parts = 3

    def __init__(self, rows: int, mixtures: int, bandwidth: int) -> None:
        super().__init__(rows, mixtures)
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        self.degrees = couplings(self.bandwidth, self.bandwidth)

    def forward(self, c: Float[Tensor, "batch rows coefficients"]) -> Float[Tensor, "batch mixtures triples"]:
        """Compare the mixtures of each feature."""
        _checks.features_of(c, self.rows)
        L = self.bandwidth
        if _checks.bandwidth_of(c) < L:
            raise ValueError(
                f"a bispectrum of degrees below {L} needs coefficients of that band limit, got {_checks.bandwidth_of(c)}."
            )
        u, v, w = self._mixed(c[..., : L * L])
        root = torch.from_numpy(np.sqrt(2 * degrees_and_orders(L)[0] + 1)).to(c)
        scaled = w / root
        found = []
        for l1, l2, product in coupled(u, v, L):
            degrees = range(abs(l1 - l2), min(l1 + l2, L - 1) + 1)
            terms = product * scaled[..., degrees.start**2 : degrees.stop**2]
            found += [part.sum(-1) for part in terms.split([2 * l + 1 for l in degrees], dim=-1)]
        return torch.stack(found, dim=-1)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{super().extra_repr()}, bandwidth={self.bandwidth}"
