"""The Fourier transform on SO(3) as a module."""

from functools import partial
from math import pi

from jaxtyping import Complex, Float64, Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere.groups import rotation_about
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._linear import linear
from equisphere.transforms._so3_engine import so3_engine
from equisphere.transforms._so3_tables import so3_colatitudes

Samples = Shaped[Tensor, "*batch alpha beta gamma"]
WignerCoefficients = Complex[Tensor, "*batch coefficients"]


class SO3Transform(nn.Module):
    r"""Fourier transform on SO(3): samples on a grid of rotations to Wigner coefficients, and back by `inverse`.

    f(R) = sum_lmn f^l_mn B^l_mn(R) with the orthonormal functions (Peter & Weyl 1927)

        B^l_mn(R) = sqrt((2l+1) / 8 pi^2) conj(D^l_mn(R)),   D^l_mn = e^{-i m alpha} d^l_mn(beta) e^{-i n gamma},

    so that the integral of |f|^2 over SO(3), of total measure 8 pi^2, is sum |f^l_mn|^2. Each column n transforms under
    (Q.f)(R) = f(Q^-1 R) as the coefficients of a signal on the sphere do, (Q.f)^l_mn = sum_k D^l_mk(Q) f^l_kn; and a signal F
    on the sphere is the function R -> F(R N) with f^l_m0 = sqrt(2 pi) F_lm alone (N the north pole).

    Sampling theorem (Kostelec & Rockmore 2008, with Gauss-Legendre in cos(beta)): a function of band limit L (degrees l < L)
    is determined by its values at the 2L x L x 2L rotations R_z(alpha_j) R_y(beta_k) R_z(gamma_i), alpha_j = pi j / L,
    gamma_i = pi i / L, cos(beta_k) the roots of the Legendre polynomial P_L: there analysis, the quadrature
    f^l_mn = sum w_k f(R_jki) conj(B^l_mn(R_jki)), is exact. Any other function is projected, up to aliasing.

    Convention: coefficient (l, m, n) stands at l (4 l^2 - 1) / 3 + (m + l) (2l + 1) + n + l (`harmonics.so3_index`), degree
    after degree: L (4 L^2 - 1) / 3 complex numbers. For a real function f^l_{-m,-n} = (-1)^{m-n} conj(f^l_mn). Rotations
    as everywhere, R = R_z(alpha) R_y(beta) R_z(gamma), radians; samples have shape `(..., 2L, L, 2L)`, by alpha, beta from 0 to
    pi, and gamma (at L = 1 there are two beta).

    Memory: tables of about L^4 / 2.5 numbers for each dtype (d^l_mn for |n| <= m alone, the symmetries give the rest): 2 MB at
    L = 32, 27 MB at L = 64, 430 MB at L = 128 in float32. They are made in float64 and shared by all transforms of the same
    band limit. A function of L = 64 has 349,504 coefficients and 2^20 samples. Work O(L^4) a function.

    Both directions are differentiable to any order, the backward pass being the adjoint.

    Args:
        bandwidth: band limit L.

    Raises:
        ValueError: where the bandwidth is not a positive integer.

    >>> import torch, equisphere as es
    >>> so3 = es.transforms.SO3Transform(4)
    >>> f = so3.inverse(torch.randn(84, dtype=torch.complex64))
    >>> f.shape
    torch.Size([8, 4, 8])
    >>> bool(torch.allclose(so3.inverse(so3(f)), f, atol=1e-5))
    True
    """

    def __init__(self, bandwidth: int) -> None:
        super().__init__()
        self.bandwidth = _checks.positive_int(bandwidth, "bandwidth")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of angles alpha, beta, gamma: samples have shape `(..., *shape)`."""
        return 2 * self.bandwidth, max(2, self.bandwidth), 2 * self.bandwidth

    @property
    def size(self) -> int:
        """Number of coefficients, L (4 L^2 - 1) / 3."""
        return self.bandwidth * (4 * self.bandwidth**2 - 1) // 3

    @property
    def rotations(self) -> Float64[Tensor, "alpha beta gamma 3 3"]:
        """The rotation of each sample."""
        grid = so3_colatitudes(self.bandwidth)
        turns, tilts = rotation_about((0, 0, 1), grid.longitudes), rotation_about((0, 1, 0), grid.colatitudes)
        return turns[:, None, None] @ tilts[None, :, None] @ turns[None, None, :]

    @property
    def weights(self) -> Float64[Tensor, "alpha beta gamma"]:
        """Quadrature weight of each sample; they sum to 8 pi^2."""
        ring = so3_colatitudes(self.bandwidth).weights[:, 0] * (pi / self.bandwidth)
        return ring[:, None].expand(self.shape).clone()

    def forward(self, samples: Samples) -> WignerCoefficients:
        """Analysis: samples `(..., 2L, L, 2L)`, real or complex, to complex coefficients `(..., L (4 L^2 - 1) / 3)`.

        Raises:
            ValueError: where the samples do not have that shape, are empty, not floating point, or not finite.
        """
        c = self._from_grid(samples, weighted=True)
        _checks.finite(c[..., 0], "samples")  # a NaN anywhere reaches every coefficient
        return c

    def inverse(self, coefficients: WignerCoefficients, real: bool = False) -> Samples:
        """Synthesis: coefficients to samples `(..., 2L, L, 2L)`.

        Args:
            coefficients: `(..., L (4 L^2 - 1) / 3)`, complex.
            real: give the real part of the function, at half of the cost; all of it, where the function is real.

        Raises:
            ValueError: where the coefficients are not those of this band limit, empty, not complex, or not finite.
        """
        f = self._to_grid(coefficients, weighted=False, real=real)
        _checks.finite(f[..., 0, 0, 0], "coefficients")
        return f

    def adjoint(self, coefficients: WignerCoefficients, real: bool = False) -> Samples:
        """Adjoint of analysis (of real samples, with `real`): synthesis, times the quadrature weights."""
        return self._to_grid(coefficients, weighted=True, real=real)

    def inverse_adjoint(self, samples: Samples) -> WignerCoefficients:
        """Adjoint of synthesis: analysis without the weights."""
        return self._from_grid(samples, weighted=False)

    def _from_grid(self, samples: Tensor, weighted: bool) -> Tensor:
        _checks.floating(samples, "samples")
        if samples.ndim < 3 or tuple(samples.shape[-3:]) != self.shape or samples.numel() == 0:
            raise ValueError(
                f"samples must have shape (..., {', '.join(map(str, self.shape))}) with at least one function, by alpha, beta "
                f"and gamma, at band limit {self.bandwidth}, got {tuple(samples.shape)}."
            )
        engine = so3_engine(self.bandwidth, not samples.is_complex())
        from_grid, to_grid = partial(engine.from_grid, weighted=weighted), partial(engine.to_grid, weighted=weighted)
        return uncolumns(linear(columns(samples, 3), from_grid, to_grid), samples.shape[:-3])

    def _to_grid(self, coefficients: Tensor, weighted: bool, real: bool) -> Tensor:
        _checks.floating(coefficients, "coefficients")
        if not coefficients.is_complex() or coefficients.shape[-1:] != (self.size,) or coefficients.numel() == 0:
            raise ValueError(
                f"coefficients must be complex, of shape (..., {self.size}): L (4 L^2 - 1) / 3 numbers at band limit "
                f"L = {self.bandwidth}, got {coefficients.dtype} {tuple(coefficients.shape)}."
            )
        engine = so3_engine(self.bandwidth, real)
        from_grid, to_grid = partial(engine.from_grid, weighted=weighted), partial(engine.to_grid, weighted=weighted)
        return uncolumns(linear(columns(coefficients, 1), to_grid, from_grid), coefficients.shape[:-1])

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"bandwidth={self.bandwidth}"
