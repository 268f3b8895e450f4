"""Values of a signal at any points, the adjoint, and least squares: differentiable in the values and in the points.

A grid is a constant; here the points are an argument. All rests on one bilinear sum, sum_i v_i f_c(x_i): its derivative
in the coefficients or the values is the sum itself, and that in a point is v_i grad f_c(x_i). With (g_x, g_y, g_z) the
derivatives of rotation, (g f)(x) = -x × grad f(x), so that grad f = x × (g f): three signals of the same band limit,
evaluated like f. Derivatives of any order are therefore evaluations too.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._generators import rotation_generators
from equisphere.transforms._points_engine import PointSums
from equisphere.transforms._refinement import conjugate_gradients


class _PointMap(torch.autograd.Function):
    """A map of columns, linear in these, that depends on points `(n, 3)` too."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, PointSums], output: Tensor) -> None:
        columns, x, ctx.sums = inputs
        ctx.save_for_backward(columns, x)
        ctx.save_for_forward(columns, x)


class _Evaluate(_PointMap):
    """f_c(x_i) `(n, k)` of `c` `(L*L, k)`."""

    @staticmethod
    def forward(c: Tensor, x: Tensor, sums: PointSums) -> Tensor:
        return sums.to_points(c)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        c, x = ctx.saved_tensors
        by_c = _Accumulate.apply(gradient, x, ctx.sums) if ctx.needs_input_grad[0] else None
        by_x = _point_gradient(c, gradient, x, ctx.sums) if ctx.needs_input_grad[1] else None
        return by_c, by_x, None

    @staticmethod
    def jvp(ctx: Any, c_tangent: Tensor | None, x_tangent: Tensor | None, _: None) -> Tensor:
        c, x = ctx.saved_tensors
        out: Any = 0 if c_tangent is None else _Evaluate.apply(c_tangent, x, ctx.sums)
        if x_tangent is not None:
            turn = torch.linalg.cross(x, x_tangent)
            turned = _turned(c)
            out = out - sum(turn[:, i : i + 1] * _Evaluate.apply(t, x, ctx.sums) for i, t in enumerate(turned))
        return out

    @staticmethod
    def vmap(info: Any, in_dims: tuple, c: Tensor, x: Tensor, sums: PointSums) -> tuple[Tensor, int]:
        return _each(_Evaluate, in_dims, c, x, sums)


class _Accumulate(_PointMap):
    """sum_i v_i Y_lm(x_i) `(L*L, k)` of `v` `(n, k)`."""

    @staticmethod
    def forward(v: Tensor, x: Tensor, sums: PointSums) -> Tensor:
        return sums.from_points(v)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        v, x = ctx.saved_tensors
        by_v = _Evaluate.apply(gradient, x, ctx.sums) if ctx.needs_input_grad[0] else None
        by_x = _point_gradient(gradient, v, x, ctx.sums) if ctx.needs_input_grad[1] else None
        return by_v, by_x, None

    @staticmethod
    def jvp(ctx: Any, v_tangent: Tensor | None, x_tangent: Tensor | None, _: None) -> Tensor:
        v, x = ctx.saved_tensors
        out: Any = 0 if v_tangent is None else _Accumulate.apply(v_tangent, x, ctx.sums)
        if x_tangent is not None:  # the transpose of that of _Evaluate: the generators are antisymmetric
            turn = torch.linalg.cross(x, x_tangent)
            for i in range(3):
                out = out + _turned(_Accumulate.apply(turn[:, i : i + 1] * v, x, ctx.sums))[i]
        return out

    @staticmethod
    def vmap(info: Any, in_dims: tuple, v: Tensor, x: Tensor, sums: PointSums) -> tuple[Tensor, int]:
        return _each(_Accumulate, in_dims, v, x, sums)


def _each(function: Any, in_dims: tuple, a: Tensor, x: Tensor, sums: PointSums) -> tuple[Tensor, int]:
    """vmap: more columns."""
    if in_dims[1] is not None:
        raise ValueError("vmap over points is not possible: each set of points has tables of its own. Loop over them.")
    a = a.movedim(in_dims[0], -2)
    out = function.apply(a.flatten(-2), x, sums).unflatten(-1, a.shape[-2:])
    return out, out.ndim - 2


def _turned(c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives of rotation of the signals `(L*L, k)` about x, y and z."""
    x, y, z = rotation_generators(c.mT).unbind(-2)
    return x.mT, y.mT, z.mT


def _point_gradient(c: Tensor, v: Tensor, x: Tensor, sums: PointSums) -> Tensor:
    """sum_k v_ik grad f_k(x_i) `(n, 3)`, tangent to the sphere."""
    along = torch.stack([(v * _Evaluate.apply(t, x, sums)).sum(-1) for t in _turned(c)], dim=-1)
    return torch.linalg.cross(x, along)


class _Solve(torch.autograd.Function):
    """G^-1 b, with G = Y(x)^T W Y(x) + R: symmetric, so that the derivative in b is G^-1 again.

    Of c = G^-1 b, the derivative along dG is -G^-1 dG c; paired with a gradient g, u = G^-1 g, it is -<u, dG c>.
    """

    @staticmethod
    def forward(b: Tensor, x: Tensor, w: Tensor, ridge: Tensor, sums: PointSums, tolerance: float) -> Tensor:
        return conjugate_gradients(lambda c: sums.from_points(w * sums.to_points(c)) + ridge * c, b, tolerance)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, x, w, ridge, ctx.sums, ctx.tolerance = inputs
        ctx.save_for_backward(x, w, ridge, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, w, ridge, c = ctx.saved_tensors
        u = _Solve.apply(gradient, x, w, ridge, ctx.sums, ctx.tolerance)
        by_x = by_w = None
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            p, q = _Evaluate.apply(u, x, ctx.sums), _Evaluate.apply(c, x, ctx.sums)
            by_w = -(p * q).sum(-1, keepdim=True)
            by_x = -_point_gradient(u, w * q, x, ctx.sums) - _point_gradient(c, w * p, x, ctx.sums)
        by_ridge = -(u * c).sum(-1, keepdim=True) if ctx.needs_input_grad[3] else None
        return u, by_x, by_w, by_ridge, None, None


def evaluate(c: Shaped[Tensor, "*batch coefficients"], points: Float[Tensor, "n 3"]) -> Shaped[Tensor, "*batch n"]:
    """Values of a signal at any points: f(x_i) = sum_lm c_lm Y_lm(x_i).

    Differentiable to any order in the coefficients and in the points (the gradient in a point is the surface gradient of
    f there, tangent to the sphere). Many points or degrees go through a non-uniform FFT where `finufft` is installed
    (the extra `points`), on the CPU; the plain sum, in chunks, gives the same values.

    Args:
        c: coefficients `(..., L*L)`, real (over the real harmonics) or complex (over the complex ones).
        points: unit vectors `(n, 3)`, for all signals.

    Raises:
        ValueError: where the last dimension of `c` is no L*L, or points are not finite unit vectors on its device.

    >>> import torch
    >>> height = torch.tensor([0.0, 0.0, (4 * torch.pi / 3) ** 0.5, 0.0])  # the signal f(x, y, z) = z
    >>> evaluate(height, torch.tensor([[0.6, 0.0, 0.8]]))
    tensor([0.8000])
    """
    _checks.floating(c, "coefficients")
    L = _checks.bandwidth_of(c)
    if c.is_complex():
        a = to_real_basis(c)
        parts = evaluate(torch.stack((a.real, a.imag)), points)
        return torch.complex(parts[0], parts[1])
    coefficients = columns(c, 1)
    x = _on_sphere(points, coefficients)
    return uncolumns(_Evaluate.apply(coefficients, x, PointSums(x, L)), c.shape[:-1])


def accumulate(
    values: Shaped[Tensor, "*batch n"], points: Float[Tensor, "n 3"], bandwidth: int
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients of a sum of point masses: c_lm = sum_i v_i conj(Y_lm(x_i)), the adjoint of `evaluate`.

    A cloud of points becomes a signal without a grid, and rotates with it exactly. Differentiable to any order in the
    values and in the points.

    Args:
        values: `(..., n)`, real or complex.
        points: unit vectors `(n, 3)`.
        bandwidth: band limit L of the result.

    Raises:
        ValueError: where values do not go with the points, or points are not finite unit vectors.

    >>> import torch
    >>> accumulate(torch.ones(1), torch.tensor([[0.0, 0.0, 1.0]]), 1)  # Y_00 = 1 / sqrt(4 pi)
    tensor([0.2821])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    return _per_part(values, points, lambda v, x: _Accumulate.apply(v, x, PointSums(x, L)))


def fit(
    values: Shaped[Tensor, "*batch n"],
    points: Float[Tensor, "n 3"],
    bandwidth: int,
    weights: Float[Tensor, "n"] | None = None,
    regularization: float | Float[Tensor, "*degrees"] = 0.0,
    tolerance: float = 1e-6,
) -> Shaped[Tensor, "*batch coefficients"]:
    """Coefficients that fit samples at any points best, in the sense of least squares.

    They minimise sum_i w_i |v_i - f_c(x_i)|^2 + sum_l r_l sum_m |c_lm|^2, by conjugate gradients on the normal equations
    (Y^T W Y + R) c = Y^T W v. Derivatives, in the values, points, weights and regularization, solve the same equations
    once more (no step is stored), and are right to any order.

    Args:
        values: `(..., n)`, real or complex.
        points: unit vectors `(n, 3)`.
        bandwidth: band limit L: L*L unknowns, so n >= L*L without regularization, 4 L*L to be comfortable.
        weights: how much each sample counts, `(n,)`, not negative; 4 pi / n each by default.
        regularization: r_l, one number for all degrees or `(L,)`: noise power over signal power makes a Wiener filter.
        tolerance: relative residual of the normal equations at which the steps end.

    Raises:
        ValueError: where shapes do not go together, points are not unit vectors, or there are fewer of them than unknowns.

    Warns:
        RuntimeWarning: where the samples hardly determine the coefficients.

    >>> import torch
    >>> x = torch.nn.functional.normalize(torch.randn(100, 3), dim=-1)
    >>> c = torch.randn(9)
    >>> bool(torch.allclose(fit(evaluate(c, x), x, 3), c, atol=1e-4))
    True
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    _checks.fraction(tolerance, "tolerance")
    _checks.points(points, "points")
    n = points.shape[0]
    ridge = ridge_of(regularization, L)
    if bool((ridge == 0).any()) and (places := _checks.distinct_points(points)) < L * L:
        raise ValueError(
            f"{n} points in {places} places cannot determine the L*L = {L * L} coefficients of band limit {L}. "
            f"Give more points, lower the bandwidth (to {isqrt(places)} at the most), or a positive regularization."
        )
    if weights is not None and (weights.shape != (n,) or bool((weights.detach() < 0).any())):
        raise ValueError(f"weights must be {n} numbers, none negative, one a point, got shape {tuple(weights.shape)}.")

    def solve(v: Tensor, x: Tensor) -> Tensor:
        w = torch.full_like(v[:, :1], 4 * torch.pi / n) if weights is None else weights.to(v)[:, None]
        sums = PointSums(x, L)
        return _Solve.apply(_Accumulate.apply(w * v, x, sums), x, w, ridge.to(v), sums, tolerance)

    return _per_part(values, points, solve)


def ridge_of(regularization: float | Tensor, bandwidth: int) -> Float[Tensor, "coefficients 1"]:
    """r_l for each coefficient."""
    r = torch.as_tensor(regularization, dtype=None if isinstance(regularization, Tensor) else torch.float64)
    if r.shape not in ((), (bandwidth,)) or not bool((torch.isfinite(r.detach()) & (r.detach() >= 0)).all()):
        raise ValueError(
            f"regularization must be a number that is not negative, or {bandwidth} of them, one a degree, "
            f"got {regularization!r}."
        )
    degree = torch.from_numpy(degrees_and_orders(bandwidth)[0]).to(r.device)
    return r.expand(bandwidth)[degree, None]


def _per_part(values: Tensor, points: Tensor, transform: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Real part and imaginary part of `(..., n)` each through a real transform of `(n, k)`."""
    _checks.floating(values, "values")
    _checks.points(points, "points")
    if values.ndim == 0 or values.shape[-1] != points.shape[0] or values.numel() == 0:
        raise ValueError(
            f"values must have shape (..., {points.shape[0]}), one number a point, got {tuple(values.shape)}."
        )
    _checks.finite(values, "values")
    if values.is_complex():
        parts = _per_part(torch.stack((values.real, values.imag)), points, transform)
        return to_complex_basis(torch.complex(parts[0], parts[1]))
    v = columns(values, 1)
    return uncolumns(transform(v, _on_sphere(points, v)), values.shape[:-1])


def _on_sphere(points: Tensor, like: Tensor) -> Tensor:
    """The points, normalised, in the dtype of the values they go with."""
    _checks.points(points, "points")
    if points.ndim != 2 or len(points) == 0:
        raise ValueError(f"points must have shape (n, 3) with at least one point, got {tuple(points.shape)}.")
    if points.device != like.device:
        raise ValueError(f"points are on {points.device}, the signal on {like.device}: move one by `.to(...)`.")
    return torch.nn.functional.normalize(points.to(like.dtype), dim=-1)
