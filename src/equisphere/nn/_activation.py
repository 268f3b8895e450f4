"""Pointwise nonlinearities on coefficients."""

from collections.abc import Callable
from math import inf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.groups import random_rotations, relative_error
from equisphere.nn._on_grid import fine_grid
from equisphere.transforms import pointwise, rotate

#: oversamplings that a calibration tries, and no finer ones
LADDER = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
#: how far below the tolerance the error on the sample has to stay, for other signals of the kind to keep it
MARGIN = 0.8


class Activation(nn.Module):
    r"""A pointwise function sigma of the signal, projected back to its band limit: synthesis, sigma, analysis.

    On functions f -> sigma(f) commutes with rotations exactly. Here sigma(f) meets a grid, and what lies beyond the band
    limit that the grid resolves is mistaken for lower degrees: that aliasing is the whole equivariance error (docs/math.md, 7).
    A grid for band limit `oversampling * L` makes it smaller:

    - sigma a polynomial of degree p: none but rounding from `oversampling = (p + 1) / 2` on (1.5 for squares, 2 for cubes);
    - sigma smooth (tanh, GELU, SiLU): falls fast with oversampling;
    - sigma with a kink (ReLU): falls slowly.

    Time and memory grow with its square. `equisphere demo` shows the error against oversampling.

    With a `tolerance` the oversampling is calibrated instead: the least of a ladder whose worst measured error over random
    rotations stays below it on a sample of signals. By default these are coefficients drawn from the standard normal
    distribution, harder than most data (large, and with as much power in a high degree's coefficient as in a low one's);
    your own signals, `sample=` or `calibrate`, often allow a coarser grid. `print` says the oversampling and the error
    measured; both are kept in the `state_dict`.

    Args:
        function: acts on each number alone, for example `torch.relu` or `nn.SiLU()`.
        bandwidth: band limit L of input and output.
        oversampling: grid band limit over L, at least 1; 1.5 by default.
        tolerance: the largest relative equivariance error that is wanted; in the place of `oversampling`.
        sample: signals to calibrate on, `(..., L*L)`.
        randomised: while training, give the grid another random orientation for each signal, which turns what is left of the
            error into noise of mean zero: averaged over orientations, the layer is exactly equivariant. Costs two rotations.

    Shape:
        `(..., L*L)` to `(..., L*L)`, real.

    Raises:
        ValueError: where the function cannot be called or changes shapes, the oversampling is below 1, the tolerance is
            not reached by any oversampling of the ladder (up to 16), or an input does not have the band limit.

    >>> import torch, equisphere as es
    >>> square = es.nn.Activation(torch.square, bandwidth=8)  # exact: 1.5 is enough for degree 2
    >>> square(torch.randn(4, 3, 64)).shape
    torch.Size([4, 3, 64])
    >>> es.nn.Activation(torch.tanh, 8, tolerance=1e-3)
    Activation(tanh, bandwidth=8, oversampling=..., tolerance=0.001, measured=...)
    """

    certified: Tensor
    is_one_layer = True  # an audit looks at the function together with its transforms

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        bandwidth: int,
        oversampling: float | None = None,
        tolerance: float | None = None,
        sample: Float[Tensor, "*batch coefficients"] | None = None,
        randomised: bool = False,
    ) -> None:
        super().__init__()
        if not callable(function) or isinstance(function, type):
            raise ValueError(
                f"function must be callable, such as torch.relu or an instance nn.ReLU(), got {function!r}."
            )
        self.function = function
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")
        self._set_oversampling(1.5 if oversampling is None else oversampling)
        if tolerance is not None and oversampling is not None:
            raise ValueError("give oversampling or tolerance, not both: a tolerance chooses the oversampling.")
        if tolerance is not None and not (isinstance(tolerance, (int, float)) and 0 < tolerance < 1):
            raise ValueError(f"tolerance must be a relative error between 0 and 1, got {tolerance!r}.")
        self.randomised = bool(randomised)
        self.tolerance = tolerance
        self.measured: float | None = None
        if tolerance is not None:
            self.register_buffer("certified", torch.zeros(2, dtype=torch.float64))
            if sample is None:
                generator = torch.Generator().manual_seed(0)
                sample = torch.randn(4, self.bandwidth**2, generator=generator, dtype=torch.float64)
            self.calibrate(sample)

    def _set_oversampling(self, oversampling: float) -> None:
        self.grid = fine_grid(self.bandwidth, oversampling)
        self.oversampling = float(oversampling)

    @torch.no_grad()
    def calibrate(self, c: Float[Tensor, "*batch coefficients"], rotations: int = 8, seed: int = 0) -> float:
        """Choose the least oversampling that keeps the tolerance on these signals, and say which.

        The error is ||T(R.f) - R.T(f)|| / ||R.T(f)|| over all signals, the largest over random rotations. Kept is four
        fifths of the tolerance, so that other signals of the same kind stay below the whole.

        Args:
            c: signals such as will reach the layer, `(..., L*L)`.
            rotations: how many are tried.
            seed: of the rotations.

        Returns:
            The error measured.

        Raises:
            ValueError: where the layer has no tolerance, or none of the oversamplings keeps it.
        """
        if self.tolerance is None:
            raise ValueError("this Activation has no tolerance to be calibrated for: Activation(..., tolerance=1e-3).")
        _checks.real(c, "coefficients")
        _checks.coefficients_of(c, self.bandwidth)
        R = random_rotations(rotations, torch.Generator().manual_seed(seed), torch.float64).to(c.device)
        before = self.oversampling
        found = inf
        for oversampling in LADDER:
            self._set_oversampling(oversampling)
            found = self._error(c, R)
            if found <= MARGIN * self.tolerance:
                self.measured = found
                self.certified.copy_(torch.tensor([oversampling, found], dtype=torch.float64))
                return found
        self._set_oversampling(before)
        raise ValueError(
            f"{self._name()} does not reach the tolerance {self.tolerance:g} at band limit {self.bandwidth}: at oversampling "
            f"{LADDER[-1]:g} its error is still {found:.2g}. Take a larger tolerance, calibrate on signals such as will reach "
            "the layer (sample=...), or take a smoother function (GELU, SiLU, tanh) or a PolynomialActivation, which is exact."
        )

    def _error(self, c: Tensor, R: Tensor) -> float:
        straight = pointwise(self.function, c, self.grid)
        turned = (pointwise(self.function, rotate(c, matrix), self.grid) for matrix in R)
        return max(float(relative_error(y, rotate(straight, g))) for y, g in zip(turned, R, strict=True))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *rest)
        kept = state_dict.get(f"{prefix}certified")
        if self.tolerance is not None and kept is not None:
            self._set_oversampling(float(kept[0]))
            self.measured = float(kept[1])

    def forward(self, c: Float[Tensor, "*batch coefficients"]) -> Float[Tensor, "*batch coefficients"]:
        """Apply the function to each signal."""
        _checks.real(c, "coefficients")
        _checks.coefficients_of(c, self.bandwidth)
        if not (self.randomised and self.training):
            return pointwise(self.function, c, self.grid)
        signals = c.shape[0] if c.ndim > 1 else 1
        R = random_rotations(signals).to(c.device).reshape(-1, *[1] * max(0, c.ndim - 2), 3, 3)
        R = R if c.ndim > 1 else R[0]
        return rotate(pointwise(self.function, rotate(c, R), self.grid), R.mT)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        name = "" if isinstance(self.function, nn.Module) else f"{self._name()}, "
        said = f"{name}bandwidth={self.bandwidth}, oversampling={self.oversampling:g}"
        if self.tolerance is not None:
            said += f", tolerance={self.tolerance:g}, measured={self.measured:.2g}"
        return said + (", randomised=True" if self.randomised else "")

    def _name(self) -> str:
        module = isinstance(self.function, nn.Module)
        return type(self.function).__name__ if module else getattr(self.function, "__name__", str(self.function))
