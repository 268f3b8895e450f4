"""Exact rotation of signals, as a matrix per degree."""

from functools import lru_cache
from math import pi
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere._precision import widened
from equisphere.grids import Grid
from equisphere.groups import euler_angles
from equisphere.harmonics import degrees_and_orders, to_real, wigner_d_series
from equisphere.transforms._basis import partner_index, to_complex_basis, to_real_basis
from equisphere.transforms._generators import recorded_generators, rotation_generators
from equisphere.transforms._linear import is_traced
from equisphere.transforms._sht import SHT


@lru_cache(maxsize=16)
def _quarter_turns(bandwidth: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """Real Wigner matrix of each degree of the turn by -pi/2 about x, which takes the z axis to the y axis."""
    turns = []
    for l, d in enumerate(wigner_d_series(bandwidth, -pi / 2)):
        phase = np.exp(0.5j * pi * np.arange(-l, l + 1))  # R_x(a) = R_z(-pi/2) R_y(a) R_z(pi/2)
        turns.append(torch.from_numpy(to_real(phase[:, None] * d * phase.conj())).to(dtype=dtype, device=device))
    return turns


def _quarter(c: Tensor, inverse: bool = False) -> Tensor:
    """Turn `(N, L*L)` by -pi/2 about x, or back: the one full matrix of a rotation, L^3 numbers in all."""
    out = torch.empty_like(c)
    for l, J in enumerate(_quarter_turns(_checks.bandwidth_of(c), c.dtype, c.device)):
        here = slice(l * l, (l + 1) ** 2)
        out[:, here] = c[:, here] @ (J if inverse else J.mT)
    return out


def _about_z(c: Tensor, angle: Tensor) -> Tensor:
    """Turn `(N, L*L)` by `(N,)` angles about z: each pair (l, m), (l, -m) as a plane, by m times the angle."""
    L = _checks.bandwidth_of(c)
    order, partner = partner_index(L, c.device)
    turns = angle[:, None] * torch.arange(L, device=c.device)
    cosine, sine = turns.cos().to(c.dtype), turns.sin().to(c.dtype)
    return c * cosine[:, order.abs()] - c[:, partner] * (sine[:, order.abs()] * order.sign())


def _rotated(c: Tensor, R: Tensor, inverse: bool) -> Tensor:
    """Rotate `(N, L*L)` by `(N, 3, 3)`: R = R_z(alpha) R_y(beta) R_z(gamma), and R_y = J R_z J^-1, J = R_x(-pi/2).

    The inverse undoes the same three angles: it is the transpose to rounding, where R is a rotation to a few digits only.
    """
    with torch.autocast(c.device.type, enabled=False):
        alpha, beta, gamma = euler_angles(R)
        if inverse:
            alpha, beta, gamma = -gamma, -beta, -alpha
        return _about_z(_quarter(_about_z(_quarter(_about_z(c, gamma), inverse=True), beta)), alpha)


class _Rotate(torch.autograd.Function):
    """Rotation or its inverse, with derivatives in the coefficients and, through the Lie algebra, in the rotation.

    With dR = [w]x R, the rotated signal changes by w . (G_x, G_y, G_z) c'. No Euler angle is differentiated, so the
    derivative is right at beta = 0 and pi too. That in R is the one along SO(3): its part across it is zero.
    """

    @staticmethod
    def forward(c: Tensor, R: Tensor, inverse: bool) -> Tensor:
        return _rotated(c, R, inverse)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
        ctx.inverse = inputs[2]
        ctx.save_for_backward(inputs[1], output)
        ctx.save_for_forward(inputs[1], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        R, rotated = ctx.saved_tensors
        by_c = _Rotate.apply(gradient, R, not ctx.inverse) if ctx.needs_input_grad[0] else None
        by_R = None
        if ctx.needs_input_grad[1]:
            by_R = _by_rotation(gradient, rotation_generators(rotated), R, ctx.inverse)
        return by_c, by_R, None

    @staticmethod
    def jvp(ctx: Any, c_tangent: Tensor | None, R_tangent: Tensor | None, _: None) -> Tensor:
        R, rotated = ctx.saved_tensors
        out = torch.zeros_like(rotated) if c_tangent is None else _Rotate.apply(c_tangent, R, ctx.inverse)
        if R_tangent is not None:
            W = R_tangent.mT @ R if ctx.inverse else R_tangent @ R.mT
            spin = torch.stack((W[:, 2, 1] - W[:, 1, 2], W[:, 0, 2] - W[:, 2, 0], W[:, 1, 0] - W[:, 0, 1]), dim=-1) / 2
            out = out + (spin[..., None].to(out.dtype) * rotation_generators(rotated)).sum(-2)
        return out

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], c: Tensor, R: Tensor, inverse: bool) -> tuple[Tensor, int]:
        c, R = (_batched(x, dim, info.batch_size) for x, dim in zip((c, R), in_dims, strict=False))
        return _Rotate.apply(c.flatten(0, 1), R.flatten(0, 1), inverse).unflatten(0, c.shape[:2]), 0


def _by_rotation(gradient: Tensor, turned: Tensor, R: Tensor, inverse: bool) -> Tensor:
    """The derivative in R: [torque / 2]x R, whose columns are cross products with those of R; of the inverse, rows."""
    torque = (gradient[:, None] * turned).sum(-1).to(R.dtype) / 2
    return torch.linalg.cross(torque[:, None] if inverse else torque[..., None], R, dim=-1 if inverse else -2)


def _batched(x: Tensor, dim: int | None, size: int) -> Tensor:
    """With the mapped dimension in front; repeated, where there is none."""
    return x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)


@torch.library.custom_op("equisphere::rotate", mutates_args=())
def _rotate_operator(c: Tensor, R: Tensor, inverse: bool) -> Tensor:
    """`_Rotate` as compilers see it: one operator, in place of tables and loops."""
    return _rotated(c, R, inverse)


def _operator_context(ctx: Any, inputs: tuple[Tensor, Tensor, bool], output: Tensor) -> None:
    ctx.inverse = inputs[2]
    ctx.save_for_backward(inputs[1], output)


def _operator_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
    R, rotated = ctx.saved_tensors
    by_R = _by_rotation(gradient, recorded_generators(rotated), R, ctx.inverse)
    return _rotate_operator(gradient, R, not ctx.inverse), by_R, None


_rotate_operator.register_fake(lambda c, R, inverse: c.new_empty(c.shape))
_rotate_operator.register_autograd(_operator_backward, setup_context=_operator_context)


def rotate(c: Shaped[Tensor, "*batch coefficients"], R: Float[Tensor, "*rotations 3 3"]) -> Tensor:
    r"""Rotate signals given by their coefficients: (R.f)(x) = f(R^-1 x), (R.f)_lm = sum_n D^l_mn(R) f_ln (docs/math.md, 8).

    Exact to rounding for every rotation, the ambiguous Euler angles at beta = 0 and pi included; no grid is visited.
    Differentiable to any order in `c` and in `R` (along SO(3): the gradient in R is tangent to it). Cost O(L^3) a signal,
    tables of 4/3 L^3 numbers.

    Convention: active rotations; R = R_z(alpha) turns the feature at longitude phi to phi + alpha.

    Args:
        c: coefficients `(..., L*L)`, real (over the real harmonics) or complex (over the complex ones).
        R: rotation matrices `(..., 3, 3)`; its leading dimensions and those of `c` are broadcast against each other. To
            rotate all channels of `(batch, channels, L*L)` by a rotation for each sample, give `R[:, None]`.

    Returns:
        Coefficients `(..., L*L)` in the dtype of `c`.

    Raises:
        ValueError: where the last dimension of `c` is no L*L, `R` holds anything but rotations, or the leading
            dimensions do not go together.

    >>> import torch, equisphere as es
    >>> c = torch.randn(8, 2, 16 * 16)
    >>> R = es.random_rotations(8)
    >>> turned = es.rotate(c, R[:, None])
    >>> bool(torch.allclose(es.rotate(turned, R.mT[:, None]), c, atol=1e-4))
    True
    """
    _checks.floating(c, "coefficients")
    _checks.bandwidth_of(c)
    _checks.finite(c, "coefficients")
    _checks.rotations(R)
    if R.device != c.device:
        raise ValueError(f"coefficients and R must be on one device, got {c.device} and {R.device}: `R.to(c.device)`.")
    if c.is_complex():
        a = to_real_basis(c)
        a = a.reshape((1,) * (R.ndim - 1 - a.ndim) + a.shape)  # so that the two parts stand before all dimensions of R
        parts = rotate(torch.stack((a.real, a.imag)), R)
        return to_complex_basis(torch.complex(parts[0], parts[1]))
    try:
        leading = torch.broadcast_shapes(c.shape[:-1], R.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"leading dimensions must broadcast: coefficients {tuple(c.shape)} have {tuple(c.shape[:-1])}, "
            f"R {tuple(R.shape)} has {tuple(R.shape[:-2])}. A rotation for each sample of a batch of channels is `R[:, None]`."
        ) from None
    flat = widened(c).expand(*leading, -1).reshape(-1, c.shape[-1])
    turns = widened(R).expand(*leading, 3, 3).reshape(-1, 3, 3)
    rotated = _rotate_operator(flat, turns, False) if is_traced(c) else _Rotate.apply(flat, turns, False)
    return rotated.reshape(*leading, c.shape[-1]).to(c.dtype)


def act_on_coefficients(g: Float[Tensor, "*elements 3 3"], c: Shaped[Tensor, "*batch coefficients"]) -> Tensor:
    """(g.f)(x) = f(g^-1 x) for rotations and reflections g: O(3) acting on coefficients, channels untouched.

    A rotation acts as in `rotate`. A reflection is g = -R with a rotation R, and takes f_lm to (-1)^l (R.f)_lm, since
    Y_lm(-x) = (-1)^l Y_lm(x). This is for scalar signals: their values stay, only places move.

    Args:
        g: orthogonal matrices `(..., 3, 3)`, such as the elements of `groups.O3`.
        c: coefficients `(..., L*L)`, real or complex; leading dimensions are broadcast as in `rotate`.

    Returns:
        Coefficients `(..., L*L)` in the dtype of `c`.

    Raises:
        ValueError: as `rotate` does, but for reflections.

    >>> import torch, equisphere as es
    >>> c = torch.randn(2, 9)
    >>> act_on_coefficients(-torch.eye(3), c).sign() * c.sign()  # degree 1 is odd
    tensor([[ 1., -1., -1., -1.,  1.,  1.,  1.,  1.,  1.],
            [ 1., -1., -1., -1.,  1.,  1.,  1.,  1.,  1.]])
    >>> layer = es.nn.ZonalConv(1, 2, bandwidth=3)
    >>> act = es.transforms.act_on_coefficients
    >>> es.groups.equivariance_error(layer, es.groups.O3(2), act, act, c[:, None]).worst < 1e-5
    True
    """
    _checks.orthogonal(g, "g")
    _checks.bandwidth_of(c)
    sign = torch.linalg.det(g.detach().double()).sign().to(g)
    odd = torch.from_numpy(degrees_and_orders(_checks.bandwidth_of(c))[0] % 2 == 1).to(c.device)
    rotated = rotate(c, g * sign[..., None, None])
    return torch.where(odd & (sign < 0).to(c.device)[..., None], -rotated, rotated)


def rotate_signal(
    f: Shaped[Tensor, "*signal"], R: Float[Tensor, "*rotations 3 3"], grid: Grid
) -> Shaped[Tensor, "*out"]:
    """Rotate the samples of a band-limited signal: analysis, `rotate`, synthesis.

    Exact for signals of the grid's band limit; any other is projected to it first.

    Args:
        f: signal `(..., *grid.shape)`.
        R: rotation matrices `(..., 3, 3)`, broadcast against the leading dimensions of `f`.
        grid: the grid of the samples.

    Raises:
        ValueError: as `SHT` and `rotate` do.

    >>> import torch, equisphere as es
    >>> grid = es.grids.DriscollHealy(8)
    >>> height = grid.points[..., 2]  # z, a signal of degree 1
    >>> turned = es.rotate_signal(height, es.groups.rotation_about((0, 1, 0), torch.pi / 2), grid)
    >>> bool(torch.allclose(turned, grid.points[..., 0], atol=1e-6))  # the bump at the pole is now at x
    True
    """
    sht = SHT(grid)
    return sht.inverse(rotate(sht(f), R))
