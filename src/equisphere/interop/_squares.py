"""torch-harmonics, s2fft and pyshtools: arrays with a row for each degree."""

from math import pi

import numpy as np
import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.interop._layouts import as_numpy, as_tensor, from_half, half, square
from equisphere.transforms import to_complex_basis


def _by_degree(x: Tensor, norm: str, names: tuple[str, str, str], power: float) -> Tensor:
    """(4 pi)^power or (4 pi / (2l+1))^power down the rows of `(..., L, L)`, by which of the three norms it is."""
    if norm not in names:
        raise ValueError(f"the normalisation must be one of {', '.join(map(repr, names))}, got {norm!r}.")
    ortho, four_pi, _ = names
    if norm == ortho:
        return x
    l = torch.arange(x.shape[-2], dtype=torch.float64, device=x.device)
    scale = 4 * pi / (1 if norm == four_pi else 2 * l + 1) * torch.ones_like(l)
    return x * scale.pow(power).to(x.real.dtype)[:, None]


def _phase(x: Tensor, turn: bool) -> Tensor:
    """(-1)^m along the last dimension of `(..., L, L)`, where wanted."""
    m = torch.arange(x.shape[-1], device=x.device)
    return x * (1 - 2 * (m % 2)).to(x.real.dtype) if turn else x


_TORCH_HARMONICS = ("ortho", "four-pi", "schmidt")


def to_torch_harmonics(
    c: Float[Tensor, "*batch coefficients"], norm: str = "ortho", csphase: bool = True
) -> Complex[Tensor, "*batch degrees orders"]:
    """What `torch_harmonics.RealSHT(..., norm=, csphase=)` gives of the signal, and `InverseRealSHT` takes.

    Its coefficients of norm "four-pi" are sqrt(4 pi) times the orthonormal ones and those of "schmidt"
    sqrt(4 pi / (2l+1)) times (torch-harmonics 0.9): the other way round than in pyshtools.

    Args:
        c: real coefficients `(..., L*L)`.
        norm: "ortho", "four-pi" or "schmidt".
        csphase: whether the Condon-Shortley phase is in the harmonics.

    Returns:
        `(..., L, L)`, degree l by order m >= 0, zero for m > l; differentiable.

    Raises:
        ValueError: where the coefficients are complex or no L*L, or the norm is none of these.

    >>> to_torch_harmonics(torch.randn(8, 3, 256)).shape
    torch.Size([8, 3, 16, 16])
    """
    return _phase(_by_degree(half(c), norm, _TORCH_HARMONICS, 0.5), not csphase)


def from_torch_harmonics(
    a: Complex[Tensor, "*batch degrees orders"], norm: str = "ortho", csphase: bool = True
) -> Float[Tensor, "*batch coefficients"]:
    """Real coefficients `(..., L*L)` from those of torch-harmonics, lmax = mmax = L: the inverse of `to_torch_harmonics`.

    Raises:
        ValueError: where the array is not square, not complex, or not finite, or the norm is unknown.

    >>> c = torch.randn(2, 16)
    >>> bool(torch.allclose(from_torch_harmonics(to_torch_harmonics(c, "schmidt"), "schmidt"), c, atol=1e-6))
    True
    """
    a = square(as_tensor(a, "a"), "coefficients of torch-harmonics")
    if not a.is_complex():
        raise ValueError(f"coefficients of torch-harmonics must be complex, got {a.dtype}.")
    return from_half(_phase(_by_degree(a, norm, _TORCH_HARMONICS, -0.5), not csphase))


def to_s2fft(c: Shaped[Tensor, "*batch coefficients"]) -> Complex[np.ndarray, "*batch degrees orders"]:
    """The `flm` of s2fft: complex, degree l by order m = -(L-1) .. L-1, orthonormal, with the Condon-Shortley phase.

    Args:
        c: coefficients `(..., L*L)`, real or complex.

    Returns:
        `(..., L, 2L - 1)`, which `jax.numpy.asarray` and s2fft's NumPy functions take; zero for |m| > l.

    Raises:
        ValueError: where the coefficients are no L*L.

    >>> to_s2fft(torch.ones(4)).shape
    (2, 3)
    """
    _checks.floating(c, "coefficients")
    L = _checks.bandwidth_of(c)
    full = c if c.is_complex() else to_complex_basis(c)
    l, m = torch.arange(L, device=c.device)[:, None], torch.arange(1 - L, L, device=c.device)
    flm = full[..., torch.where(m.abs() <= l, l * l + l + m, 0)]
    return as_numpy(torch.where(m.abs() <= l, flm, 0))


def from_s2fft(
    flm: Shaped[np.ndarray, "*batch degrees orders"] | Shaped[Tensor, "*batch degrees orders"], reality: bool = False
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients `(..., L*L)` from the `flm` of s2fft: the inverse of `to_s2fft`.

    Args:
        flm: `(..., L, 2L - 1)`, NumPy or JAX.
        reality: of a real signal; real coefficients result. As in s2fft, orders m < 0 are then not looked at.

    Raises:
        ValueError: where the shape is not `(..., L, 2L-1)`, or the numbers are not complex and finite.

    >>> from_s2fft(to_s2fft(torch.arange(4.0)), reality=True).round()
    tensor([0., 1., 2., 3.])
    """
    a = as_tensor(flm, "flm")
    if a.ndim < 2 or a.shape[-1] != 2 * a.shape[-2] - 1 or not a.is_complex():
        raise ValueError(f"flm must be complex, of shape (..., L, 2L - 1), got {a.dtype} of shape {tuple(a.shape)}.")
    L = a.shape[-2]
    if reality:
        return from_half(a[..., L - 1 :])
    degree, order = (torch.from_numpy(x).to(a.device) for x in degrees_and_orders(L))
    return a[..., degree, L - 1 + order]


_PYSHTOOLS = ("ortho", "4pi", "schmidt")


def to_pyshtools(
    c: Shaped[Tensor, "*batch coefficients"], normalization: str = "4pi", csphase: int = 1
) -> Shaped[np.ndarray, "*batch 2 degrees orders"]:
    """The array `cilm` of `pyshtools.SHCoeffs.from_array(cilm, normalization=, csphase=)`.

    Of a real signal, `cilm[0]` multiplies cosines and `cilm[1]` sines; of a complex one, they are the orders m and -m.

    Args:
        c: coefficients `(..., L*L)`, real or complex.
        normalization: "4pi", "ortho" or "schmidt".
        csphase: 1 without, -1 with the Condon-Shortley phase.

    Returns:
        `(..., 2, L, L)`, real or complex.

    Raises:
        ValueError: where the coefficients are no L*L, or the conventions are none of these.

    >>> to_pyshtools(torch.ones(1), "ortho").shape
    (2, 1, 1)
    """
    _checks.floating(c, "coefficients")
    L = _checks.bandwidth_of(c)
    l, m = torch.arange(L, device=c.device)[:, None], torch.arange(L, device=c.device)
    place = torch.stack((l * l + l + m, l * l + l - m))
    held = torch.stack((m <= l, (m <= l) & (m > 0)))
    cilm = torch.where(held, c[..., torch.where(held, place, 0)], 0)
    return as_numpy(_phase(_by_degree(cilm, normalization, _PYSHTOOLS, -0.5), _turned(csphase, c.is_complex())))


def from_pyshtools(
    cilm: Shaped[np.ndarray, "*batch 2 degrees orders"] | Shaped[Tensor, "*batch 2 degrees orders"],
    normalization: str = "4pi",
    csphase: int = 1,
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients `(..., L*L)`, real or complex, from the `cilm` of pyshtools: the inverse of `to_pyshtools`.

    Of an object `x` of pyshtools: `from_pyshtools(x.coeffs, x.normalization, x.csphase)`.

    Raises:
        ValueError: where the shape is not `(..., 2, L, L)`, the numbers are not finite, or the conventions are unknown.

    >>> c = torch.randn(16)
    >>> bool(torch.allclose(from_pyshtools(to_pyshtools(c)), c, atol=1e-6))
    True
    """
    a = square(as_tensor(cilm, "cilm"), "cilm")
    if a.shape[-3:-2] != (2,):
        raise ValueError(f"cilm must have shape (..., 2, L, L), got {tuple(a.shape)}.")
    a = _phase(_by_degree(a, normalization, _PYSHTOOLS, 0.5), _turned(csphase, a.is_complex()))
    degree, order = (torch.from_numpy(x).to(a.device) for x in degrees_and_orders(a.shape[-1]))
    return a[..., (order < 0).long(), degree, order.abs()]


def _turned(csphase: int, is_complex: bool) -> bool:
    """Whether the phase of pyshtools is the other one than here: real harmonics have none, complex ones have it."""
    if csphase not in (1, -1):
        raise ValueError(f"csphase must be 1 (without the Condon-Shortley phase) or -1 (with it), got {csphase!r}.")
    return (csphase == -1) != is_complex
