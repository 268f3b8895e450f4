"""The spin-weighted spherical harmonic transform as a module, and the even and odd parts of spin signals."""

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere._precision import widened
from equisphere.grids import Grid
from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._columns import uncolumns
from equisphere.transforms._operator import grid_name, transform
from equisphere.transforms._rings import rings_of

SpinCoefficients = Complex[Tensor, "*batch coefficients"]


class SpinSHT(nn.Module):
    r"""Transform of signals of spin s: complex samples on a grid to complex coefficients, and back by `inverse`.

    A signal of spin s is one complex number at each point, given against the local axes (e_theta, e_phi), which becomes
    e^{-is psi} times itself when the axes are turned by psi from e_theta towards e_phi (Newman & Penrose 1966): s = 0 a scalar,
    s = 1 the vector v_theta + i v_phi, s = 2 the polarisation Q + iU. Its harmonics, orthonormal for l >= |s|, are

        sY_lm(theta, phi) = (-1)^s sqrt((2l+1) / 4 pi) d^l_{m,-s}(theta) e^{i m phi}
                          = sqrt((l-s)! / (l+s)!) ð^s Y_lm,
        ðf = -sin^s(theta) (d_theta + i / sin(theta) d_phi) (f / sin^s(theta)) at spin s

    (Goldberg et al. 1967; s2fft, ducc0 and HEALPix agree with them). Analysis is f_lm = sum_j w_j f(x_j) conj(sY_lm(x_j)), the
    projection to band limit L, refined as in `SHT` where the quadrature is not exact (HEALPix); at s = 0 it is `SHT` of complex
    signals. Rotations act as on any coefficients: `es.rotate(c, R)` turns the signal, its local axes included.

    Convention: coefficient (l, m) stands at l*l + l + m, also where l < |s|: those are zero, and ignored by `inverse`.
    HEALPix: a_E = -(a_2 + a_-2) / 2 and a_B = i (a_2 - a_-2) / 2 (see `e_b_modes`); Q and U as healpy has them (COSMO: x to the
    south, y to the east). A wind (u eastward, v northward) is the vector v_theta + i v_phi = -v + i u.

    The tables come from a recurrence in the degree that starts at l = max(|m|, |s|), and is stable for every spin. They hold
    about L^2 numbers for each ring, half of that from L = 96 on, are made in float64, and are shared; dtype and device follow
    the input. Both directions are differentiable to any order, the backward pass being the adjoint.

    Args:
        grid: a grid of rings from `equisphere.grids`, HEALPix among them.
        bandwidth: band limit L; the grid's own if None.
        spin: s, any integer with |s| < L.
        tolerance: relative error that a round trip may have on HEALPix, as in `SHT`.

    Raises:
        ValueError: where the grid has no rings or cannot carry the band limit, or the spin leaves no degree.

    >>> import torch, equisphere as es
    >>> sht = es.transforms.SpinSHT(es.grids.DriscollHealy(8), 8, spin=1)
    >>> wind = sht.inverse(torch.randn(3, 64, dtype=torch.complex128))
    >>> wind.shape, sht(wind)[:, 0].abs().max().item()  # no degree 0
    (torch.Size([3, 16, 16]), 0.0)
    >>> bool(torch.allclose(sht.inverse(sht(wind)), wind))
    True
    """

    def __init__(self, grid: Grid, bandwidth: int | None, spin: int, tolerance: float | None = None) -> None:
        super().__init__()
        if not isinstance(grid, Grid):
            raise ValueError(f"grid must be a grid of equisphere.grids, such as DriscollHealy(16), got {grid!r}.")
        self.grid = grid
        self.bandwidth = grid.bandwidth if bandwidth is None else _checks.positive_int(bandwidth, "bandwidth")
        self.tolerance = None if tolerance is None else _checks.fraction(tolerance, "tolerance")
        rings_of(grid)
        grid_name(grid)  # known before any program is recorded
        if self.bandwidth > grid.max_bandwidth:
            raise ValueError(
                f"bandwidth {self.bandwidth} is too large for {grid}: {grid.limit()}. "
                "Take a finer grid or a lower bandwidth."
            )
        self.spin = _checks.spin(spin, self.bandwidth)

    def forward(self, signal: Shaped[Tensor, "..."]) -> SpinCoefficients:
        """Analysis: signal `(..., *grid.shape)`, complex (a real one is taken for such), to coefficients `(..., L*L)`.

        Raises:
            ValueError: where the signal does not have the grid's shape, is empty, not floating point, or not finite.
        """
        c = self._from_grid(signal, weighted=True)
        _checks.finite(c[..., -1], "signal")  # a bad sample reaches every coefficient
        return c

    def inverse(self, coefficients: SpinCoefficients) -> Complex[Tensor, "..."]:
        """Synthesis: coefficients `(..., L*L)` to the complex signal `(..., *grid.shape)`.

        Raises:
            ValueError: where the coefficients are not those of this band limit, empty, not complex, or not finite.
        """
        _checks.tensor(coefficients, "coefficients")
        _checks.finite(coefficients, "coefficients")
        return self._to_grid(coefficients, weighted=False)

    def adjoint(self, coefficients: SpinCoefficients) -> Complex[Tensor, "..."]:
        """Adjoint of analysis: <forward(f), c> = <f, adjoint(c)>. It is synthesis, times the quadrature weights."""
        return self._to_grid(coefficients, weighted=True)

    def inverse_adjoint(self, signal: Shaped[Tensor, "..."]) -> SpinCoefficients:
        """Adjoint of synthesis: <inverse(c), f> = <c, inverse_adjoint(f)>. It is analysis without the weights."""
        return self._from_grid(signal, weighted=False)

    @property
    def _signs(self) -> tuple[int, int, int]:
        """What multiplies real and imaginary parts of coefficients over the real harmonics, and imaginary parts of samples.

        At spin s > 0 they are E and B then, as in `e_b_modes`. A signal of spin -s is the conjugate of one of spin s, whose
        coefficients are (-1)^s times the conjugates. At spin 0 both parts are signals of their own.
        """
        if self.spin >= 0:
            return (-1, -1, 1) if self.spin else (1, 1, 1)
        parity = 1 - 2 * (self.spin % 2)
        return -parity, parity, -1

    def _from_grid(self, signal: Tensor, weighted: bool) -> Tensor:
        _checks.samples_on(signal, self.grid)
        signal = _complex(signal)
        e, b, conjugate = self._signs
        nodes = len(self.grid.shape)
        parts = torch.stack((signal.real, conjugate * signal.imag)).reshape(2, -1, *self.grid.shape)
        modes = self._transform(parts.movedim((0, 1), (-2, -1)), False, weighted)
        return to_complex_basis(uncolumns(torch.complex(e * modes[:, 0], b * modes[:, 1]), signal.shape[:-nodes]))

    def _to_grid(self, coefficients: Tensor, weighted: bool) -> Tensor:
        _checks.coefficients_of(coefficients, self.bandwidth)
        if not coefficients.is_complex():
            raise ValueError(
                f"coefficients of spin signals are complex, got {coefficients.dtype}. `es.transforms.to_complex_basis` makes "
                "complex ones of the real ones of a real signal, `from_e_b_modes` of those of E and B."
            )
        e, b, conjugate = self._signs
        a = to_real_basis(coefficients)
        modes = torch.stack((e * a.real, b * a.imag)).reshape(2, -1, a.shape[-1])
        f = self._transform(modes.permute(2, 0, 1), True, weighted).movedim((-2, -1), (0, 1))
        return torch.complex(f[0], conjugate * f[1]).reshape(*coefficients.shape[:-1], *self.grid.shape)

    def _transform(self, x: Tensor, to_grid: bool, weighted: bool) -> Tensor:
        arguments = self.grid, self.bandwidth, to_grid, weighted, self.tolerance
        if self.spin:
            return transform(x, *arguments, abs(self.spin))
        return transform(x.flatten(-2), *arguments).unflatten(-1, (2, -1))

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.grid}, bandwidth={self.bandwidth}, spin={self.spin}"


def _complex(x: Tensor) -> Tensor:
    return x if x.is_complex() else torch.complex(widened(x), torch.zeros_like(widened(x)))


def e_b_modes(c: SpinCoefficients) -> Float[Tensor, "*batch 2 coefficients"]:
    """The real signals E and B that a signal of spin s > 0 is made of, by their real coefficients.

    c_lm = -(E_lm + i B_lm): E keeps its sign under reflections, B changes it (Zaldarriaga & Seljak 1997, with HEALPix's
    signs). At spin 2 they are healpy's. At spin 1, of the vector v_theta + i v_phi, they are its coefficients over the vector
    harmonics ∇Y_lm / sqrt(l(l+1)) and x × ∇Y_lm / sqrt(l(l+1)): v = ∇Phi + x × ∇Psi has E = sqrt(l(l+1)) Phi and
    B = sqrt(l(l+1)) Psi, so that -sqrt(l(l+1)) E is the divergence and -sqrt(l(l+1)) B the vorticity.

    Args:
        c: coefficients `(..., L*L)` of a spin signal, complex.

    Returns:
        `(..., 2, L*L)`: E, then B, over the real harmonics.

    >>> import torch
    >>> c = torch.randn(5, 9, dtype=torch.complex64)
    >>> e_b_modes(c).shape, bool(torch.allclose(from_e_b_modes(e_b_modes(c)), c, atol=1e-6))
    (torch.Size([5, 2, 9]), True)
    """
    a = to_real_basis(c)
    return -torch.stack((a.real, a.imag), dim=-2)


def from_e_b_modes(modes: Float[Tensor, "*batch 2 coefficients"]) -> SpinCoefficients:
    """Coefficients of the spin signal made of E and B: the inverse of `e_b_modes`.

    Args:
        modes: `(..., 2, L*L)`, real: E, then B.

    Raises:
        ValueError: where they are complex, or not two of L*L.

    >>> import torch
    >>> from_e_b_modes(torch.tensor([[0.0, 0, 1, 0], [0.0, 0, 2, 0]]))[2].item()
    (-1-2j)
    """
    _checks.real(modes, "modes")
    if modes.ndim < 2 or modes.shape[-2] != 2:
        raise ValueError(f"modes must have shape (..., 2, L*L), E and then B, got {tuple(modes.shape)}.")
    return -to_complex_basis(torch.complex(modes[..., 0, :], modes[..., 1, :]))
