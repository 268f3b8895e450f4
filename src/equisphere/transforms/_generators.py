"""The Lie algebra of rotations on coefficients: two neighbours a coefficient, no table beyond L^2 numbers."""

from functools import lru_cache
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms._basis import partner_index, to_complex_basis, to_real_basis
from equisphere.transforms._columns import columns, uncolumns
from equisphere.transforms._linear import is_traced, linear, register_adjoint


def rotation_generators(c: Shaped[Tensor, "*batch coefficients"]) -> Shaped[Tensor, "*batch 3 coefficients"]:
    """Derivatives of a signal as it is turned about x, y and z: d/dt rotate(c, exp(t [a]x)) at t = 0 is a . (G_x, G_y, G_z) c.

    As functions on the sphere, (G_i f)(x) = -(x × ∇f)_i, i times the components of angular momentum. They keep
    the band limit, act within each degree, are antisymmetric (anti-Hermitian on complex coefficients), and
    [G_x, G_y] = G_z and so on. Formula: ladder operators (Sakurai, Modern Quantum Mechanics, eq. 3.5.41), over the real basis.

    Args:
        c: coefficients `(..., L*L)`, real or complex.

    Returns:
        `(..., 3, L*L)`: the derivatives about x, y and z, in the dtype of `c`.

    Raises:
        ValueError: where the last dimension of `c` is no L*L, the batch is empty, or the numbers are not floating point.

    >>> import torch
    >>> x_axis = torch.tensor([0.0, 0.0, 0.0, 1.0])  # degree 1 is (y, z, x)
    >>> rotation_generators(x_axis)[2].abs()  # turned about z, x starts towards y
    tensor([0., 1., 0., 0.])
    """
    _checks.floating(c, "coefficients")
    _checks.bandwidth_of(c)
    if c.is_complex():
        a = to_real_basis(c)
        parts = rotation_generators(torch.stack((a.real, a.imag)))
        return to_complex_basis(torch.complex(parts[0], parts[1]))
    turned = _applied(columns(c, 1), back=False).movedim(-1, 0)
    return turned.reshape(*c.shape[:-1], 3, c.shape[-1])


def generators_dot(a: Shaped[Tensor, "*batch 3 coefficients"]) -> Shaped[Tensor, "*batch coefficients"]:
    """G_x a_x + G_y a_y + G_z a_z: minus the adjoint of `rotation_generators`."""
    if a.is_complex():
        a = to_real_basis(a)
        parts = generators_dot(torch.stack((a.real, a.imag)))
        return to_complex_basis(torch.complex(parts[0], parts[1]))
    return -uncolumns(_applied(columns(a, 2), back=True), a.shape[:-2])


def recorded_generators(c: Float[Tensor, "n coefficients"]) -> Float[Tensor, "n 3 coefficients"]:
    """`rotation_generators` as the operator that compilers see."""
    return _operator(c.mT, False).permute(2, 0, 1)


def _applied(x: Tensor, back: bool) -> Tensor:
    if is_traced(x):
        return _operator(x, back)
    return linear(x, _turned_back, _turned) if back else linear(x, _turned, _turned_back)


@torch.library.custom_op("equisphere::rotation_generators", mutates_args=())
def _operator(x: Tensor, back: bool) -> Tensor:
    """The generators as compilers see them: one operator, in place of tables."""
    return (_turned_back(x) if back else _turned(x)).contiguous()


_operator.register_fake(lambda x, back: x.new_empty(x.shape[1:] if back else (3, *x.shape)))
register_adjoint(_operator, direction=0)


def _turned(c: Float[Tensor, "coefficients n"]) -> Float[Tensor, "3 coefficients n"]:
    L = _checks.bandwidth_of(c.T)
    order, partner = partner_index(L, c.device)
    about_z = -order.to(c.dtype)[:, None] * c[partner]
    return torch.stack((*(_about(c, axis) for axis in (0, 1)), about_z))


def _turned_back(g: Float[Tensor, "3 coefficients n"]) -> Float[Tensor, "coefficients n"]:
    """The adjoint: each generator is antisymmetric."""
    L = _checks.bandwidth_of(g[0].T)
    order, partner = partner_index(L, g.device)
    return order.to(g.dtype)[:, None] * g[2][partner] - _about(g[0], 0) - _about(g[1], 1)


def _about(c: Float[Tensor, "coefficients n"], axis: int) -> Float[Tensor, "coefficients n"]:
    inner, outer, inner_factor, outer_factor = _ladder(_checks.bandwidth_of(c.T), axis, c.dtype, c.device)
    return inner_factor * c.index_select(0, inner) + outer_factor * c.index_select(0, outer)


@lru_cache(maxsize=64)
def _ladder(bandwidth: int, axis: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Places of the neighbours with |m| - 1 and |m| + 1 that G_x (`axis` 0) or G_y (1) mixes in, and the factors."""
    degree, order = degrees_and_orders(bandwidth)
    centre, k = degree * degree + degree, abs(order)
    inner, outer = np.zeros_like(order), np.zeros_like(order)
    inner_factor, outer_factor = np.zeros(len(order)), np.zeros(len(order))
    # G_y takes cosines to cosines and sines to sines; G_x takes one to the other, with a sign
    flip = (-1, 1)[axis]
    row = np.flatnonzero((k > 1) | (order == flip))
    column = (centre + flip * np.sign(order) * (k - 1))[row]
    step = np.sqrt((degree + k) * (degree - k + 1.0))[row] / 2 * np.where(k[row] == 1, sqrt(2), 1.0)
    step = step * (np.sign(order)[row] if axis == 0 else 1.0)
    inner[row], inner_factor[row] = column, step
    outer[column], outer_factor[column] = row, -step
    indices = (torch.from_numpy(index).to(device) for index in (inner, outer))
    factors = (torch.from_numpy(x)[:, None].to(dtype=dtype, device=device) for x in (inner_factor, outer_factor))
    return (*indices, *factors)
