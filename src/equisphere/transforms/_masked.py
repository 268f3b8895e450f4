"""Signals known on a part of the sphere."""

from functools import partial

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.grids import Grid
from equisphere.transforms._basis import to_complex_basis
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._engines import engine_for
from equisphere.transforms._evaluate import ridge_of
from equisphere.transforms._linear import linear
from equisphere.transforms._refinement import conjugate_gradients, spectrum_bounds
from equisphere.transforms._sht import SHT


def masked_quadrature(
    signal: Shaped[Tensor, "*signal"], grid: Grid, mask: Bool[Tensor, "*nodes"], bandwidth: int | None = None
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients of a signal set to zero where it is not known: sum_j w_j m_j f(x_j) conj(Y_lm(x_j)).

    Quick, never unstable, and biased: power is lost with the area, and degrees mix over the inverse of its width. What
    stands where the mask is False is not looked at, be it NaN.

    Args:
        signal: `(..., *grid.shape)`.
        grid: any grid.
        mask: True where the signal is known, `grid.shape`.
        bandwidth: band limit L; the grid's own by default.

    Raises:
        ValueError: where shapes do not go together, or the mask is True nowhere.

    >>> import torch, equisphere as es
    >>> grid = es.grids.HEALPix(4)
    >>> half = masked_quadrature(torch.ones(192), grid, grid.points[:, 2] > 1e-9)  # all but the equator's half
    >>> bool(half[0] < torch.pi**0.5)
    True
    """
    mask = _mask_of(mask, grid)
    sht = SHT(grid, bandwidth)
    known = _known(signal, mask)
    return sht.inverse_adjoint(known * grid.weights.to(signal.device, known.real.dtype))


def masked_fit(
    signal: Shaped[Tensor, "*signal"],
    grid: Grid,
    mask: Bool[Tensor, "*nodes"],
    bandwidth: int | None = None,
    regularization: float | Float[Tensor, "*degrees"] = 0.0,
    tolerance: float = 1e-6,
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients that fit a signal best where it is known, in the sense of least squares.

    They minimise sum_j w_j m_j |f(x_j) - f_c(x_j)|^2 + sum_l r_l sum_m |c_lm|^2, by conjugate gradients on the fast
    transforms of the grid. The backward pass solves the same equations once.

    How well that is determined depends on the gap: signals that live inside it are seen by no sample. A hole of
    radius a leaves about (L a / 2)^2 of them, and the condition number (`condition_number`) grows exponentially with L a.
    Where it is beyond what tolerance and dtype carry, a `regularization` decides what is filled in; without, the steps
    end with a warning.

    Args:
        signal: `(..., *grid.shape)`; what stands where the mask is False is not looked at.
        grid: any grid.
        mask: True where the signal is known, `grid.shape`.
        bandwidth: band limit L; the grid's own by default.
        regularization: r_l, one number for all degrees or `(L,)`: noise power over signal power makes a Wiener filter.
        tolerance: relative residual of the normal equations at which the steps end.

    Raises:
        ValueError: where shapes do not go together, or fewer samples than unknown coefficients are known.

    Warns:
        RuntimeWarning: where the samples hardly determine the coefficients.

    >>> import torch, equisphere as es
    >>> grid = es.grids.HEALPix(8)
    >>> mask = grid.points[:, 2].abs() > 0.1  # a belt about the equator is not known
    >>> c = torch.randn(25, dtype=torch.float64)
    >>> f = es.SHT(grid, 5).inverse(c).masked_fill(~mask, float("nan"))
    >>> bool(torch.allclose(masked_fit(f, grid, mask, 5, tolerance=1e-9), c, atol=1e-6))
    True
    """
    mask = _mask_of(mask, grid)
    L = SHT(grid, bandwidth).bandwidth
    _checks.fraction(tolerance, "tolerance")
    ridge = ridge_of(regularization, L)
    if ridge.requires_grad:
        raise ValueError("regularization is a constant here; `fit` is differentiable in it.")
    known = int(mask.sum())
    if known < L * L and bool((ridge == 0).any()):
        raise ValueError(
            f"the mask leaves {known} samples, too few for the L*L = {L * L} coefficients of band limit {L}. "
            f"Lower the bandwidth (to {int(known**0.5)} at the most), or give a positive regularization."
        )
    f = _known(signal, mask)
    if f.is_complex():
        parts = torch.stack((f.real, f.imag))
        a = masked_fit(parts, grid, mask, L, regularization, tolerance)
        return to_complex_basis(torch.complex(a[0], a[1]))
    x = columns(f, len(grid.shape))
    engine = engine_for(grid, L)
    w, r = (grid.weights.to(x) * mask.to(x))[..., None], ridge.to(x)
    to_grid, from_grid = partial(engine.to_grid, weighted=False), partial(engine.from_grid, weighted=False)

    def solve(right: Tensor) -> Tensor:
        return conjugate_gradients(lambda c: from_grid(w * to_grid(c)) + r * c, right, tolerance)

    c = linear(x, lambda f: solve(from_grid(w * f)), lambda c: w * to_grid(solve(c)))
    return uncolumns(c, f.shape[: f.ndim - len(grid.shape)])


def condition_number(
    grid: Grid,
    bandwidth: int | None = None,
    mask: Bool[Tensor, "*nodes"] | None = None,
    regularization: float | Float[Tensor, "*degrees"] = 0.0,
) -> float:
    """Largest over least eigenvalue of the normal equations Y^T W M Y + R of a sampling: how well it determines signals.

    1 where the quadrature is exact. Noise may grow by its square root; conjugate gradients need about half its square
    root steps for each factor of e^1 in accuracy. An estimate by up to 200 steps of Lanczos' method: good to a percent
    below about 1e4, and a lower bound beyond.

    Args:
        grid: any grid.
        bandwidth: band limit L; the grid's own by default.
        mask: True where the signal is known; everywhere by default.
        regularization: as in `masked_fit`.

    Raises:
        ValueError: as `masked_fit` does.

    >>> import equisphere as es
    >>> round(condition_number(es.grids.GaussLegendre(8)), 6)
    1.0
    >>> round(condition_number(es.grids.HEALPix(8), 16), 2)
    1.12
    """
    L = SHT(grid, bandwidth).bandwidth
    engine = engine_for(grid, L)
    w = grid.weights[..., None]
    if mask is not None:
        w = w * _mask_of(mask, grid).to(w)[..., None]
    ridge = ridge_of(regularization, L).detach().to(w)
    least, largest = spectrum_bounds(
        lambda c: engine.from_grid(w * engine.to_grid(c, weighted=False), weighted=False) + ridge * c, L * L, steps=200
    )
    return largest / max(least, 1e-300)


def _mask_of(mask: Tensor, grid: Grid) -> Tensor:
    _checks.tensor(mask, "mask")
    if not isinstance(grid, Grid):
        raise ValueError(f"grid must be a grid of equisphere.grids, such as HEALPix(16), got {grid!r}.")
    if mask.dtype != torch.bool or tuple(mask.shape) != grid.shape:
        raise ValueError(
            f"mask must be a tensor of bool and of the grid's shape {grid.shape}, True where the signal is known, got "
            f"{mask.dtype} {tuple(mask.shape)}. From numbers: `mask > 0.5`."
        )
    if not bool(mask.any()):
        raise ValueError("mask must be True somewhere: here nothing is known of the signal.")
    return mask


def _known(signal: Tensor, mask: Tensor) -> Tensor:
    _checks.floating(signal, "signal")
    nodes = mask.ndim
    if signal.ndim < nodes or signal.shape[-nodes:] != mask.shape or signal.numel() == 0:
        raise ValueError(f"signal must have shape (..., {', '.join(map(str, mask.shape))}), got {tuple(signal.shape)}.")
    if signal.device != mask.device:
        raise ValueError(f"mask is on {mask.device}, the signal on {signal.device}: move one by `.to(...)`.")
    known = torch.where(mask, signal, torch.zeros((), dtype=signal.dtype, device=signal.device))
    _checks.finite(known, "signal")
    return known
