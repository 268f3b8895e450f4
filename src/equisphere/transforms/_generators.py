"""Derivatives of rotation at the identity: the Lie algebra of SO(3) on coefficients."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equisphere import _checks
from equisphere.transforms._basis import partner_index


@lru_cache(maxsize=16)
def _ladder(bandwidth: int, dtype: torch.dtype, device: torch.device) -> tuple[tuple[Tensor, Tensor], ...]:
    """For x and for y: which two coefficients each one takes from, `(2, L*L)`, and times what.

    Of the complex harmonics L_+- Y_lm = sqrt(l(l+1) - m(m+-1)) Y_l,m+-1, and the derivatives are -i L_x and -i L_y. On
    cosines C_m and sines S_m (m > 0) that reads, with s_m = sqrt(l(l+1) - m(m+1)) / 2, times sqrt2 between m = 0 and 1:
        x: C_m -> -s_m S_{m+1} - s_{m-1} S_{m-1},   S_m -> s_m C_{m+1} + s_{m-1} C_{m-1};
        y: C_m ->  s_m C_{m+1} - s_{m-1} C_{m-1},   S_m -> s_m S_{m+1} - s_{m-1} S_{m-1}.
    Below, the transposes: what arrives at (l, m).
    """
    degree = np.repeat(np.arange(bandwidth), 2 * np.arange(bandwidth) + 1)
    order = np.arange(bandwidth**2) - degree * degree - degree
    m, sine = abs(order), order < 0
    tables = []
    for crosses in (True, False):
        index, factor = np.zeros((2, len(m)), dtype=np.int64), np.zeros((2, len(m)))
        for k, step in enumerate((-1, 1)):
            source = m + step
            source_sine = sine != crosses
            low = np.minimum(m, source)
            s = np.sqrt(np.maximum(degree * (degree + 1) - low * (low + 1), 0)) / 2 * np.where(low == 0, np.sqrt(2), 1)
            there = (source >= 0) & (source <= degree) & ~(source_sine & (source == 0))
            sign = np.where(source_sine, 1.0, -1.0) if crosses else np.full(len(m), -float(step))
            index[k] = np.where(there, degree * degree + degree + np.where(source_sine, -source, source), 0)
            factor[k] = np.where(there, sign * s, 0.0)
        tables.append((torch.from_numpy(index).to(device), torch.from_numpy(factor).to(device, dtype)))
    return tuple(tables)


def _generators(c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    L = _checks.bandwidth_of(c)
    order, partner = partner_index(L, c.device)
    x, y = (
        sum(c[:, i] * f for i, f in zip(index, factor, strict=True)) for index, factor in _ladder(L, c.dtype, c.device)
    )
    return x, y, -order * c[:, partner]


class Generators(torch.autograd.Function):
    """Derivatives at 0 of the rotations of real `(N, L*L)` by an angle about x, y and z.

    Their transposes are their negatives: rotations are orthogonal.
    """

    @staticmethod
    def forward(c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _generators(c)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -sum(Generators.apply(g)[i] for i, g in enumerate(gradients))

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return Generators.apply(tangent)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], c: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        c = c.movedim(in_dims[0], 0)
        return tuple(g.unflatten(0, c.shape[:2]) for g in Generators.apply(c.flatten(0, 1))), (0, 0, 0)
