"""SO(2) and SO(3) by a quadrature of their Haar measure."""

from math import pi

import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from equisphere import _checks
from equisphere.groups._group import Group, Rotations
from equisphere.groups._rotations import rotation_about


class SO2(Group):
    """Rotations of the circle, by 2b equally spaced angles: exact on functions with frequencies below 2b.

    Total measure 2 pi. Elements are angles in radians, in [-pi, pi).

    >>> round(float(SO2(8).weights.sum()), 6)
    6.283185
    """

    exact = False

    def __init__(self, bandwidth: int) -> None:
        n = 2 * _checks.positive_int(bandwidth, "bandwidth")
        self.elements = _wrapped(2 * pi * torch.arange(n, dtype=torch.float64) / n)
        self.weights = torch.full((n,), 2 * pi / n, dtype=torch.float64)

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum of angles, in [-pi, pi)."""
        return _wrapped(a + b)

    def inverse(self, a: Tensor) -> Tensor:
        """Negative angle."""
        return _wrapped(-a)

    @property
    def identity(self) -> Tensor:
        """Angle 0."""
        return torch.zeros((), dtype=torch.float64)


def _wrapped(angle: Tensor) -> Tensor:
    return torch.remainder(angle + pi, 2 * pi) - pi


class SO3(Rotations):
    """Rotations of space by 2b x b x 2b Euler angles (alpha, beta, gamma): exact on Wigner D^l_mn with l < 2b, |m|, |n| < 2b.

    So products of two functions of band limit b are integrated exactly. Gauss-Legendre in cos(beta); total measure 8 pi^2
    (docs/math.md, 5). Elements are 3 x 3 matrices R_z(alpha) R_y(beta) R_z(gamma), 4 b^3 of them.

    >>> round(float(SO3(3).weights.sum() / pi**2), 6)
    8.0
    """

    exact = False

    def __init__(self, bandwidth: int) -> None:
        b = _checks.positive_int(bandwidth, "bandwidth")
        x, w = map(torch.from_numpy, leggauss(b))
        turns = rotation_about((0, 0, 1), 2 * pi * torch.arange(2 * b, dtype=torch.float64) / (2 * b))
        tilts = rotation_about((0, 1, 0), torch.arccos(x))
        self.elements = (turns[:, None, None] @ tilts[None, :, None] @ turns[None, None, :]).flatten(0, 2)
        self.weights = w.repeat_interleave(2 * b).repeat(2 * b) * (2 * pi / (2 * b)) ** 2
