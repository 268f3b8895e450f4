"""A nonlinearity that sees directions."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from equisphere import _checks
from equisphere.nn._activation import Activation
from equisphere.nn._compare import compared
from equisphere.transforms import directional


class DirectionalActivation(Activation):
    r"""Pointwise nonlinearity that compares directions: some channels for themselves, the others in pairs of gradients.

    Zonal filters have no direction. The Riesz transform u = grad (-Delta)^(-1/2) f of a channel has one: a tangent vector
    field, which turns with the signal. Of two such fields u and v in one point, two numbers do not depend on the frame there,

        u . v / sqrt(1 + |u|^2 + |v|^2)    and    n . (u x v) / sqrt(1 + |u|^2 + |v|^2),    n the normal,

    so both are equivariant scalar fields again: they say how far two filters agree in direction, and to which side one lies of
    the other. The second changes sign under reflections: a network with it tells a signal from its mirror image.
    (Products of gradients as features: Sharp et al. 2022, DiffusionNet, section 3.4, on surfaces.)

    The aliasing of `Activation` is here as well, and falls with `oversampling` in the same way.

    Args:
        function: acts on each number of the single channels alone, for example `nn.SiLU()`.
        bandwidth: band limit L of input and output.
        pairs: how many pairs of channels are compared: the last 2 * pairs channels, of which the first half meets the second.
        oversampling: grid band limit over L; 1.5 by default.

    Shape:
        `(batch, channels, L*L)` to the same: function of the single channels, then the products u . v, then n . (u x v).

    Raises:
        ValueError: as `Activation`, and where an input has fewer than 2 * pairs channels.

    >>> import torch, equisphere as es
    >>> layer = es.nn.DirectionalActivation(torch.nn.SiLU(), bandwidth=8, pairs=2)
    >>> layer(torch.randn(4, 6, 64)).shape
    torch.Size([4, 6, 64])
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], bandwidth: int, pairs: int, oversampling: float | None = None
    ) -> None:
        super().__init__(function, bandwidth, oversampling)
        if self.grid.exact_degree // 2 < self.bandwidth:
            raise ValueError(
                f"directions of band limit {self.bandwidth} need a grid that carries {self.bandwidth + 1}, got an oversampling "
                f"of {self.oversampling:g}; {(self.bandwidth + 1) / self.bandwidth:.3g} suffices."
            )
        self.pairs = _checks.positive_int(pairs, "pairs")

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch channels coefficients"]:
        """Apply the function to the single channels, and compare the pairs."""
        _checks.real(c, "coefficients")
        _checks.coefficients_of(c, self.bandwidth)
        if c.ndim < 2 or c.shape[-2] < 2 * self.pairs:
            raise ValueError(
                f"{self.pairs} pairs need at least {2 * self.pairs} channels: coefficients (batch, channels, L*L), "
                f"got {tuple(c.shape)}."
            )
        single, paired = c.split((c.shape[-2] - 2 * self.pairs, 2 * self.pairs), dim=-2)
        return directional(self.function, compared, single, paired, self.grid)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{super().extra_repr()}, pairs={self.pairs}"
