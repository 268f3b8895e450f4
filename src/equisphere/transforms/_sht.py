"""The spherical harmonic transform as a module."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import Grid
from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._engines import engine_for
from equisphere.transforms._operator import grid_name, transform
from equisphere.transforms._points_engine import ScatteredEngine

Signal = Shaped[Tensor, "*signal"]
Coefficients = Shaped[Tensor, "*batch coefficients"]


class SHT(nn.Module):
    r"""Spherical harmonic transform: samples on a grid to coefficients, and back by `inverse`.

    Synthesis is f(x_j) = sum_lm f_lm Y_lm(x_j). Analysis, on a grid of rings, is the quadrature
    f_lm = sum_j w_j f(x_j) conj(Y_lm(x_j)), l < L (Driscoll & Healy 1994, theorem 3, on their grid), and on
    coefficients of band limit L, `analysis(synthesis(c)) == c` up to rounding.

    No weights make that so on HEALPix or scattered points. There analysis gives the coefficients that minimise
    sum_j w_j |f(x_j) - sum_lm f_lm Y_lm(x_j)|^2, so that a round trip is exact to `tolerance`:
    on HEALPix by a fixed polynomial of so many steps (`refinement_steps`) as the tolerance asks, a few where L is at most
    2 nside; on scattered points by conjugate gradients. docs/samplings.md measures both.

    A signal that is not band-limited is projected: what lies in degrees l >= L is dropped, but for what the grid
    mistakes for lower degrees (aliasing). `inverse(forward(f))` is then the band-limited part of f, not f.

    How to choose a bandwidth: L degrees tell features of about pi / L radians (180 / L degrees) apart; look at
    `es.power_spectrum(c)`: where the power of the last degrees is negligible, L is large enough. A grid of 2b x 2b
    nodes carries L up to b; a larger grid for the same L leaves less aliasing.

    Convention: coefficient (l, m) stands at l*l + l + m. A real signal has real coefficients, over
    `harmonics.real_harmonics`; a complex signal complex ones, over `harmonics.complex_harmonics`.

    The module has no parameters and no state: tables are made in float64, shared by all transforms of the same grid,
    and follow the dtype and device of the input. Half precisions are computed in float32 and rounded once, at the end.
    Both directions are differentiable to any order, the backward pass being the adjoint.

    Args:
        grid: a grid from `equisphere.grids`.
        bandwidth: band limit L; the grid's own by default.
        tolerance: relative error that a round trip may have, where rounding is not to decide (grids of rings, on which
            there is nothing to choose); 1e-6 by default.

    Raises:
        ValueError: where the grid cannot carry the band limit, or the tolerance is not between 0 and 1.

    >>> import torch, equisphere as es
    >>> sht = es.SHT(es.grids.DriscollHealy(16))
    >>> c = torch.randn(3, 256)
    >>> f = sht.inverse(c)
    >>> f.shape
    torch.Size([3, 32, 32])
    >>> bool(torch.allclose(sht(f), c, atol=1e-5))
    True
    """

    def __init__(self, grid: Grid, bandwidth: int | None = None, tolerance: float | None = None) -> None:
        super().__init__()
        if not isinstance(grid, Grid):
            raise ValueError(f"grid must be a grid of equisphere.grids, such as DriscollHealy(16), got {grid!r}.")
        self.grid = grid
        grid_name(grid)  # known before any program is recorded
        self.bandwidth = grid.bandwidth if bandwidth is None else _checks.positive_int(bandwidth, "bandwidth")
        self.tolerance = None if tolerance is None else _checks.fraction(tolerance, "tolerance")
        if self.bandwidth > grid.max_bandwidth:
            raise ValueError(
                f"bandwidth {self.bandwidth} is too large for {grid}: {grid.limit()}. "
                "Take a finer grid or a lower bandwidth."
            )

    @property
    def refinement_steps(self) -> int:
        """How many refinement steps analysis takes: 0 on grids of rings; a fixed number on HEALPix.

        Raises:
            ValueError: on scattered points, where conjugate gradients stop by the signal.
        """
        engine = engine_for(self.grid, self.bandwidth, self.tolerance)
        if isinstance(engine, ScatteredEngine):
            raise ValueError("on scattered points the number of steps depends on the signal.")
        return getattr(engine, "steps", 0)

    def forward(self, signal: Signal) -> Coefficients:
        """Analysis: signal `(..., *grid.shape)` to coefficients `(..., L*L)`.

        Raises:
            ValueError: where the signal does not have the grid's shape, is empty, not floating point, or not finite.
        """
        c = self._from_grid(signal, weighted=True)
        # a NaN or infinity anywhere in a signal reaches every one of its coefficients: look at one of each
        _checks.finite(c[..., 0], "signal")
        return c

    def inverse(self, coefficients: Coefficients) -> Signal:
        """Synthesis: coefficients `(..., L*L)` to the signal `(..., *grid.shape)`.

        Raises:
            ValueError: where the coefficients are not those of this band limit, empty, not floating point, or not finite.
        """
        f = self._to_grid(coefficients, weighted=False)
        _checks.finite(
            f.flatten(-len(self.grid.shape))[..., 0], "coefficients"
        )  # a bad coefficient reaches every sample of its signal
        return f

    def adjoint(self, coefficients: Coefficients) -> Signal:
        """Adjoint of analysis: <forward(f), c> = <f, adjoint(c)>. On grids of rings it is synthesis, times the weights."""
        return self._to_grid(coefficients, weighted=True)

    def inverse_adjoint(self, signal: Signal) -> Coefficients:
        """Adjoint of synthesis: <inverse(c), f> = <c, inverse_adjoint(f)>: the sums of f Y_lm over the nodes.

        On grids of rings it is analysis without the weights.
        """
        return self._from_grid(signal, weighted=False)

    def _from_grid(self, signal: Tensor, weighted: bool) -> Tensor:
        _checks.samples_on(signal, self.grid)
        nodes = len(self.grid.shape)
        if signal.is_complex():
            parts = self._from_grid(torch.stack((signal.real, signal.imag)), weighted)
            return to_complex_basis(torch.complex(parts[0], parts[1]))
        c = transform(columns(signal, nodes), self.grid, self.bandwidth, False, weighted, self.tolerance)
        return uncolumns(c, signal.shape[:-nodes]).to(signal.dtype)

    def _to_grid(self, coefficients: Tensor, weighted: bool) -> Tensor:
        _checks.coefficients_of(coefficients, self.bandwidth)
        if coefficients.is_complex():
            a = to_real_basis(coefficients)
            parts = self._to_grid(torch.stack((a.real, a.imag)), weighted)
            return torch.complex(parts[0], parts[1])
        f = transform(columns(coefficients, 1), self.grid, self.bandwidth, True, weighted, self.tolerance)
        return uncolumns(f, coefficients.shape[:-1]).to(coefficients.dtype)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        asked = "" if self.tolerance is None else f", tolerance={self.tolerance:g}"
        return f"{self.grid}, bandwidth={self.bandwidth}{asked}"
