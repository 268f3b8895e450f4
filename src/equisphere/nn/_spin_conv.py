"""The convolutions of the papers: thin constructors of `EquivariantLinear`."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere.nn._equivariant import EquivariantLinear, RowMaps
from equisphere.nn._field import Field
from equisphere.nn._so3_fields import function_order, right_translations


class SpinConv(EquivariantLinear):
    """Spin-weighted spherical convolution (Esteves et al. 2020, eq. 13), between two sets of spins.

    f^l_m(s') = sum over spins s of f^l_m(s) k^l(s, s'): a complex number for each degree and pair of spins. Spins stand for
    their negatives too (see `Field`), so that the layer is the paper's for the spins {-s, s}; scalars are real here.

    Args:
        in_channels: of each spin of the input.
        out_channels: of each spin of the output.
        bandwidth: band limit.
        in_spins: from 0 on.
        out_spins: from 0 on.
        anchors: as in `EquivariantLinear`.
        bias: as in `EquivariantLinear`.

    Raises:
        ValueError: as `Field` and `EquivariantLinear` do.

    >>> layer = SpinConv(3, 8, bandwidth=6, in_spins=(0,), out_spins=(0, 1))
    >>> layer(torch.randn(2, 3, 36)).shape
    torch.Size([2, 24, 36])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth: int,
        in_spins: tuple[int, ...] = (0, 1),
        out_spins: tuple[int, ...] = (0, 1),
        anchors: int | None = None,
        bias: bool = True,
    ) -> None:
        source, target = Field(bandwidth, in_spins, in_channels), Field(bandwidth, out_spins, out_channels)
        super().__init__(source, target, anchors, bias)


class LiftToSO3(EquivariantLinear):
    r"""Correlation of signals on the sphere with learned filters, a function of rotations (Cohen et al. 2018, section 3).

    [psi * f](R) = \int psi(R^-1 x) f(x) dx, summed over input channels, kept to the Fourier modes |n| <= order in the third
    angle: (psi * f)^l_mn = f_lm conj(psi_ln) up to a constant. The result is a field of the spins 0 .. order (`Field.on_so3`).

    Args:
        in_channels: scalar signals.
        out_channels: functions on SO(3).
        bandwidth: band limit.
        order: highest Fourier mode in the third angle, below the band limit: L - 1 keeps all.
        anchors: as in `EquivariantLinear`.
        bias: as in `EquivariantLinear`.

    Raises:
        ValueError: as `Field` and `EquivariantLinear` do.

    >>> LiftToSO3(1, 4, bandwidth=8, order=2)(torch.randn(2, 1, 64)).shape
    torch.Size([2, 20, 64])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth: int,
        order: int,
        anchors: int | None = None,
        bias: bool = True,
    ) -> None:
        source, target = Field(bandwidth, (0,), in_channels), Field.on_so3(bandwidth, order, out_channels)
        super().__init__(source, target, anchors, bias)


class SO3Conv(EquivariantLinear):
    r"""Correlation on SO(3) (Cohen et al. 2018, section 3): [psi * f](R) = \int psi(R^-1 Q) f(Q) dQ, summed over channels.

    (psi * f)^l_mn = sqrt(8 pi^2 / (2l+1)) sum_k f^l_mk conj(psi^l_nk): each column of f^l meets all of the filter. Fields
    are those of `Field.on_so3`.

    Args:
        in_channels: functions on SO(3).
        out_channels: functions on SO(3).
        bandwidth: band limit.
        order: highest Fourier mode in the third angle, of input and output.
        anchors: as in `EquivariantLinear`.
        bias: as in `EquivariantLinear`.

    Raises:
        ValueError: as `Field` and `EquivariantLinear` do.

    >>> SO3Conv(4, 6, bandwidth=8, order=2)(torch.randn(2, 20, 64)).shape
    torch.Size([2, 30, 64])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bandwidth: int,
        order: int,
        anchors: int | None = None,
        bias: bool = True,
    ) -> None:
        source, target = (Field.on_so3(bandwidth, order, n) for n in (in_channels, out_channels))
        super().__init__(source, target, anchors, bias)


class PointedConv(RowMaps):
    r"""Correlation with filters that are given at points: h(R) = sum_p psi_p f(R Q_p), summed over input channels.

    The filter is sum_p psi_p delta(Q_p), its support a few rotations Q_p near the identity, the same for all channels (Cohen
    et al. 2018, section 5): a number for each point and pair of channels, whatever the band limit. In coefficients it is a
    matrix per degree, W^l = sum_p psi_p times that of f(R) -> f(R Q_p); signals on the sphere are functions on SO(3) without
    a third angle, f(R N) with N the north pole, and R Q_p N runs over points about R N.

    Args:
        source: scalars, or a field `on_so3`.
        target: a field `on_so3`.
        support: rotations Q_p `(points, 3, 3)`.
        bias: add a learned constant to each output channel.

    Raises:
        ValueError: where the fields are no functions on SO(3), or the support holds no rotations.

    >>> import equisphere as es
    >>> ring = es.groups.rotation_about((0, 0, 1), torch.arange(4) * torch.pi / 2) @ es.groups.rotation_about((0, 1, 0), 0.3)
    >>> layer = PointedConv(Field(8, channels=2), Field.on_so3(8, order=7, channels=3), ring)
    >>> layer(torch.randn(5, 2, 64)).shape, layer.values.shape
    (torch.Size([5, 45, 64]), torch.Size([4, 2, 3]))
    """

    def __init__(self, source: Field, target: Field, support: Float[Tensor, "points 3 3"], bias: bool = True) -> None:
        super().__init__(source, target, bias)
        orders = [function_order(field) for field in (source, target)]
        #: of each degree `(points, in, out)` in float64, whatever the layer is cast to
        self._translations = []
        for l, table in enumerate(right_translations(max(orders), self.bandwidth, support)):
            of_source, of_target = (2 * min(order, l) + 1 for order in orders)
            self._translations.append(torch.from_numpy(table[:, :of_source, :of_target].copy()))
        points, channels = len(support), (source.channels[0], target.channels[0])
        self.values = nn.Parameter(torch.randn(points, *channels) * sqrt(2 / (points * channels[0])))

    @property
    def matrices(self) -> list[Float[Tensor, "in out"]]:
        """The transposed matrix of each degree, between the rows that have it."""
        tables = (table.to(self.values) for table in self._translations)
        return [torch.einsum("pij,pab->iajb", table, self.values).flatten(2).flatten(0, 1) for table in tables]
