"""A nonlinearity whose equivariance error is rounding alone."""

from collections.abc import Sequence
from math import isfinite

import torch
from torch import Tensor, nn

from equisphere.nn._activation import Activation


class Polynomial(nn.Module):
    """x -> a_0 + a_1 x + .. + a_p x^p, by Horner's rule; the a_k are learned.

    Args:
        coefficients: a_0 .. a_p to begin with.

    Raises:
        ValueError: where they are fewer than two, or not finite.

    >>> Polynomial([1.0, 0.0, 2.0])(torch.tensor([3.0])).item()
    19.0
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        super().__init__()
        values = [float(a) for a in coefficients]
        if len(values) < 2 or not all(map(isfinite, values)):
            raise ValueError(
                f"a polynomial needs two finite coefficients (a_0, a_1) or more, got {list(coefficients)}."
            )
        self.coefficients = nn.Parameter(torch.tensor(values))

    @property
    def degree(self) -> int:
        """P."""
        return len(self.coefficients) - 1

    def forward(self, x: Tensor) -> Tensor:
        """Value at each number."""
        *lower, highest = self.coefficients.to(x.dtype).unbind()
        value = highest * x
        for a in reversed(lower[1:]):
            value = (value + a) * x
        return value + lower[0]

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"degree={self.degree}"


class PolynomialActivation(Activation):
    r"""A learned polynomial as nonlinearity: equivariant to rounding, on any signal, before and after training.

    Proof: let f have degrees below L. f^p has degrees up to p(L-1), and its coefficient of degree l < L is the integral of
        f^p Y_lm,
    of degree at most (p+1)(L-1). The grid's quadrature is exact to that degree, so that what is computed is the projection of
    sigma(f) itself; sigma and the projection commute with rotations. Nothing of it depends on the a_k (docs/math.md, 7).

    Args:
        coefficients: a_0 .. a_p to begin with: `(0, 1, 0.5)` is x + x^2 / 2.
        bandwidth: band limit L of input and output.

    Shape:
        `(..., L*L)` to `(..., L*L)`, real.

    Raises:
        ValueError: as `Polynomial` and `Activation` do.

    >>> import equisphere as es
    >>> layer = PolynomialActivation((0, 1, 0.5), bandwidth=8)
    >>> bool(layer.grid.exact_degree >= 3 * 7)
    True
    >>> c, R = torch.randn(4, 64), es.random_rotations(1)
    >>> bool(torch.allclose(layer(es.rotate(c, R)), es.rotate(layer(c), R), atol=1e-4))
    True
    """

    def __init__(self, coefficients: Sequence[float], bandwidth: int) -> None:
        polynomial = Polynomial(coefficients)
        super().__init__(polynomial, bandwidth, max(1.0, (polynomial.degree + 1) / 2))
