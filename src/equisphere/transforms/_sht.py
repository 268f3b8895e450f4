"""The spherical harmonic transform as a module."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import RingGrid
from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._operator import transform

Signal = Shaped[Tensor, "*batch nlat nlon"]
Coefficients = Shaped[Tensor, "*batch coefficients"]


class SHT(nn.Module):
    r"""Spherical harmonic transform: samples on a grid to coefficients, and back by `inverse`.

    Analysis is the quadrature f_lm = sum_jk w_jk f(x_jk) conj(Y_lm(x_jk)), l < L (Driscoll & Healy 1994, theorem 3,
    on their grid); synthesis is f(x_jk) = sum_lm f_lm Y_lm(x_jk). On coefficients of band limit L,
    `analysis(synthesis(c)) == c` up to rounding.

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
        grid: a grid of rings from `equisphere.grids`.
        bandwidth: band limit L; the grid's own by default.

    Raises:
        ValueError: where the grid cannot carry the band limit.

    >>> import torch, equisphere as es
    >>> sht = es.SHT(es.grids.DriscollHealy(16))
    >>> c = torch.randn(3, 256)
    >>> f = sht.inverse(c)
    >>> f.shape
    torch.Size([3, 32, 32])
    >>> bool(torch.allclose(sht(f), c, atol=1e-5))
    True
    """

    def __init__(self, grid: RingGrid, bandwidth: int | None = None) -> None:
        super().__init__()
        if not isinstance(grid, RingGrid):
            raise ValueError(f"grid must be a grid of equisphere.grids, such as DriscollHealy(16), got {grid!r}.")
        self.grid = grid
        self.bandwidth = grid.bandwidth if bandwidth is None else _checks.positive_int(bandwidth, "bandwidth")
        most = grid.exact_degree // 2 + 1
        if self.bandwidth > most:
            raise ValueError(
                f"bandwidth {self.bandwidth} is too large for {grid}: its quadrature is exact to degree "
                f"{grid.exact_degree}, enough for band limits up to {most}. Take a finer grid or a lower bandwidth."
            )

    def forward(self, signal: Signal) -> Coefficients:
        """Analysis: signal `(..., nlat, nlon)` to coefficients `(..., L*L)`.

        Raises:
            ValueError: where the signal does not have the grid's shape, is empty, not floating point, or not finite.
        """
        c = self._from_grid(signal, weighted=True)
        # a NaN or infinity anywhere in a signal reaches every one of its coefficients: look at one of each
        _checks.finite(c[..., 0], "signal")
        return c

    def inverse(self, coefficients: Coefficients) -> Signal:
        """Synthesis: coefficients `(..., L*L)` to the signal `(..., nlat, nlon)`.

        Raises:
            ValueError: where the coefficients are not those of this band limit, empty, not floating point, or not finite.
        """
        f = self._to_grid(coefficients, weighted=False)
        _checks.finite(
            f.flatten(-len(self.grid.shape))[..., 0], "coefficients"
        )  # a bad coefficient reaches every sample of its signal
        return f

    def adjoint(self, coefficients: Coefficients) -> Signal:
        """Adjoint of analysis: <forward(f), c> = <f, adjoint(c)>. It is synthesis, times the quadrature weights."""
        return self._to_grid(coefficients, weighted=True)

    def inverse_adjoint(self, signal: Signal) -> Coefficients:
        """Adjoint of synthesis: <inverse(c), f> = <c, inverse_adjoint(f)>. It is analysis without the weights."""
        return self._from_grid(signal, weighted=False)

    def _from_grid(self, signal: Tensor, weighted: bool) -> Tensor:
        _checks.floating(signal, "signal")
        nodes = len(self.grid.shape)
        if signal.ndim < nodes or tuple(signal.shape[-nodes:]) != self.grid.shape or signal.numel() == 0:
            raise ValueError(
                f"signal must have shape (..., {self.grid.nlat}, {self.grid.nlon}) with at least one signal, as the grid "
                f"{self.grid} has, got {tuple(signal.shape)}. "
                "Other sizes: es.grids.DriscollHealy(nlat=..., nlon=...) and its siblings take any."
            )
        if signal.is_complex():
            parts = self._from_grid(torch.stack((signal.real, signal.imag)), weighted)
            return to_complex_basis(torch.complex(parts[0], parts[1]))
        c = transform(columns(signal, nodes), self.grid, self.bandwidth, to_grid=False, weighted=weighted)
        return uncolumns(c, signal.shape[:-nodes]).to(signal.dtype)

    def _to_grid(self, coefficients: Tensor, weighted: bool) -> Tensor:
        _checks.coefficients_of(coefficients, self.bandwidth)
        if coefficients.is_complex():
            a = to_real_basis(coefficients)
            parts = self._to_grid(torch.stack((a.real, a.imag)), weighted)
            return torch.complex(parts[0], parts[1])
        f = transform(columns(coefficients, 1), self.grid, self.bandwidth, to_grid=True, weighted=weighted)
        return uncolumns(f, coefficients.shape[:-1]).to(coefficients.dtype)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.grid}, bandwidth={self.bandwidth}"
