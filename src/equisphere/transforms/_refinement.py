"""Solving with the Gram matrix G = Y^T W Y of a sampling: a fixed polynomial in G, or conjugate gradients.

On a grid whose quadrature is exact G is the identity, and Y^T W f are the coefficients of f. On any other, the
coefficients c that minimise sum_i w_i |f_i - (Yc)_i|^2 are those with G c = Y^T W f.
"""

import warnings
from collections.abc import Callable
from math import acosh, ceil, cosh

import torch
from jaxtyping import Float
from torch import Tensor

Gram = Callable[[Tensor], Tensor]

#: most steps of conjugate gradients; a system that needs more is too poorly determined to be worth them
MAX_STEPS = 500

#: condition met, times the residual: beyond, errors from percents on were seen (the condition met is a lower bound)
UNCERTAIN = 3e-3
#: columns whose steps are kept for it: those of a batch meet much the same
WATCHED = 16


def spectrum_bounds(gram: Gram, size: int, steps: int = 100) -> tuple[float, float]:
    """Least and largest eigenvalue of a symmetric positive map of `(size, 1)` columns, by Lanczos' method.

    Extreme Ritz values (with full orthogonalisation, from a fixed random start), moved outwards by their residuals; the
    steps end early where those are small.
    """
    start = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    least, largest = 0.0, 0.0
    for _ in range(min(steps, size)):
        v = gram(basis[-1][:, None])[:, 0]
        diagonal.append(float(v @ basis[-1]))
        Q = torch.stack(basis)
        for _ in range(2):
            v = v - Q.T @ (Q @ v)
        beside.append(float(v.norm()))
        off = torch.diag(torch.tensor(beside[:-1], dtype=torch.float64), 1)
        values, vectors = torch.linalg.eigh(torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + off + off.T)
        low, high = (float(r) for r in beside[-1] * vectors[-1, [0, -1]].abs())
        least, largest = max(float(values[0]) - low, float(values[0]) / 2), float(values[-1]) + high
        small = 1e-3 * min(float(values[0]), float(values[-1] - values[0]))
        if beside[-1] < 1e-13 or max(low, high) < small:
            break
        basis.append(v / v.norm())
    return least, largest


def chebyshev_steps(bounds: tuple[float, float], tolerance: float) -> int:
    """Products with G after which Chebyshev's iteration has an error of at most `tolerance` times the solution.

    After n products the error is p(G) times the solution, with |p| <= 1 / T_{n+1}((b + a) / (b - a)) on [a, b]
    (Saad 2003, Iterative methods for sparse linear systems, section 12.3).
    """
    a, b = bounds
    if b - a < 1e-14 * b:
        return 0
    return max(0, ceil(acosh(1 / tolerance) / acosh((b + a) / (b - a))) - 1) if tolerance < 1 else 0


def worst_condition(tolerance: float, steps: int) -> float:
    """Largest condition number that so many products with G bring to the tolerance: `chebyshev_steps` turned round."""
    x = cosh(acosh(1 / tolerance) / (steps + 1))
    return (x + 1) / (x - 1)


def chebyshev(
    gram: Gram, right: Float[Tensor, "coefficients *n"], bounds: tuple[float, float], steps: int
) -> Float[Tensor, "coefficients *n"]:
    """Return p(G) right, close to G^-1 right: a polynomial in G fixed beforehand, so linear in `right` and symmetric.

    Saad (2003), algorithm 12.1.
    """
    a, b = bounds
    centre, half = (b + a) / 2, (b - a) / 2
    step = right / centre
    x = step.clone()
    residual, ratio = right, half / centre
    for _ in range(steps):
        residual = residual - gram(step)
        following = 1 / (2 * centre / half - ratio)
        step = (following * ratio) * step + (2 * following / half) * residual
        x = x + step
        ratio = following
    return x


def conjugate_gradients(
    gram: Gram, right: Float[Tensor, "coefficients n"], tolerance: float
) -> Float[Tensor, "coefficients n"]:
    """G^-1 right, each column until ||right - G x|| <= tolerance ||right||.

    Columns run side by side, each with its own step lengths. One that stops getting better (single precision ends
    before the tolerance) is left at that.

    Warns:
        RuntimeWarning: where the residual is far above the tolerance, and above rounding, in the end; or where it is not,
            but the steps have met directions in which it says little about the error (`condition_met`).
    """
    x = 0 * right  # NaN stays NaN: it must not end as a solution
    residual = direction = right
    energy = residual.square().sum(0)
    reached = max(tolerance, 8 * torch.finfo(right.dtype).eps)
    wanted, goal = energy * tolerance**2, energy * reached**2
    lengths: list[Tensor] = []
    ratios: list[Tensor] = []
    for _ in range(MAX_STEPS):
        if not bool((energy > goal).any()):
            if (condition := condition_met(lengths, ratios)) * reached > UNCERTAIN:
                _warn(f"to a relative residual of {reached:.1g}, their error may be {condition:.0e} times that")
            return x
        product = gram(direction)
        curvature = (direction * product).sum(0)
        live = (energy > goal) & (curvature > 0)
        length = torch.where(live, energy / torch.where(live, curvature, 1), 0)
        x = x + length * direction
        residual = residual - length * product
        following = residual.square().sum(0)
        ratio = torch.where(live, following / torch.where(energy > 0, energy, 1), 0)
        direction = residual + ratio * direction
        energy = following
        lengths.append(length.detach()[:WATCHED])
        ratios.append(ratio.detach()[:WATCHED])
    left = float((energy / wanted.clamp_min(torch.finfo(right.dtype).tiny)).max().sqrt()) * tolerance
    _warn(f"to a relative residual of {left:.1g} instead of {tolerance:.1g} in {MAX_STEPS} steps")
    return x


def condition_met(lengths: list[Tensor], ratios: list[Tensor]) -> float:
    """Largest over least eigenvalue of G on the directions that conjugate gradients have met; the worst column's.

    A lower bound of the condition number. From lengths a and ratios b of the steps, each over the columns, follows the
    tridiagonal matrix of Lanczos' method: 1 / a_j + b_{j-1} / a_{j-1} on the diagonal, sqrt(b_j) / a_j beside it (Saad 2003,
    section 6.7.3).
    """
    if not lengths:
        return 1.0
    a, b = (torch.stack(steps, dim=1).cpu().double() for steps in (lengths, ratios))
    taken = (a > 0).cumprod(1).sum(1)  # how many steps each column has made
    worst = 1.0
    for steps in taken[taken > 0].unique().tolist():
        rate, ratio = a[taken == steps, :steps], b[taken == steps, : steps - 1]
        diagonal = 1 / rate
        diagonal[:, 1:] += ratio / rate[:, :-1]
        beside = torch.diag_embed(ratio.sqrt() / rate[:, :-1], offset=1)
        values = torch.linalg.eigvalsh(torch.diag_embed(diagonal) + beside + beside.mT)
        worst = max(worst, float((values[:, -1] / values[:, 0].clamp_min(1e-300)).max()))
    return worst


def _warn(what: str) -> None:
    warnings.warn(
        f"least squares was solved {what}: the samples hardly determine the coefficients. "
        "Lower the bandwidth, give more samples where there are gaps, or a regularization.",
        RuntimeWarning,
        stacklevel=3,
    )
