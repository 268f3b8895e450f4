"""Pointwise nonlinearities on coefficients."""

from collections.abc import Callable
from math import ceil, inf

from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import GaussLegendre
from equisphere.transforms import pointwise


class Activation(nn.Module):
    r"""A pointwise function sigma of the signal, projected back to its band limit: synthesis, sigma, analysis.

    On functions f -> sigma(f) commutes with rotations exactly. Here sigma(f) meets a grid, and what lies beyond the band
    limit that the grid resolves is mistaken for lower degrees: that aliasing is the whole equivariance error (docs/math.md, 7).
    A grid for band limit `oversampling * L` makes it smaller:

    - sigma a polynomial of degree p: none but rounding from `oversampling = (p + 1) / 2` on (1.5 for squares, 2 for cubes);
    - sigma smooth (tanh, GELU, SiLU): falls fast with oversampling;
    - sigma with a kink (ReLU): falls slowly.

    Time and memory grow with its square. `equisphere demo` shows the error against oversampling.

    Args:
        function: acts on each number alone, for example `torch.relu` or `nn.SiLU()`.
        bandwidth: band limit L of input and output.
        oversampling: grid band limit over L, at least 1; 1.5 by default.

    Shape:
        `(..., L*L)` to `(..., L*L)`, real.

    Raises:
        ValueError: where the function cannot be called or changes shapes, the oversampling is below 1, or an input does
            not have the band limit.

    >>> import torch, equisphere as es
    >>> square = es.nn.Activation(torch.square, bandwidth=8)  # exact: 1.5 is enough for degree 2
    >>> square(torch.randn(4, 3, 64)).shape
    torch.Size([4, 3, 64])
    """

    is_one_layer = True  # an audit looks at the function together with its transforms

    def __init__(self, function: Callable[[Tensor], Tensor], bandwidth: int, oversampling: float | None = None) -> None:
        super().__init__()
        if not callable(function) or isinstance(function, type):
            raise ValueError(
                f"function must be callable, such as torch.relu or an instance nn.ReLU(), got {function!r}."
            )
        self.function = function
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        if oversampling is not None and not isinstance(oversampling, (int, float)):
            raise ValueError(f"oversampling must be a number, got {oversampling!r}.")
        self.oversampling = 1.5 if oversampling is None else float(oversampling)
        if not 1 <= self.oversampling < inf:
            raise ValueError(
                f"oversampling must be at least 1 (a grid that carries the band limit itself) and finite, got {oversampling}."
            )
        resolved = ceil(round(self.oversampling * self.bandwidth, 6))
        rings = max(2, resolved + resolved % 2)
        self.grid = GaussLegendre(self.bandwidth, nlat=rings, nlon=max(2, 2 * resolved))

    def forward(self, c: Float[Tensor, "*batch coefficients"]) -> Float[Tensor, "*batch coefficients"]:
        """Apply the function to each signal."""
        _checks.real(c, "coefficients")
        _checks.coefficients_of(c, self.bandwidth)
        return pointwise(self.function, c, self.grid)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        name = "" if isinstance(self.function, nn.Module) else f"{getattr(self.function, '__name__', self.function)}, "
        return f"{name}bandwidth={self.bandwidth}, oversampling={self.oversampling:g}"
