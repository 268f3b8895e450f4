"""SO(2), SO(3) and O(3) by a quadrature of their Haar measure."""

from math import pi

import torch
from jaxtyping import Float64
from numpy.polynomial.legendre import leggauss
from torch import Tensor

from equisphere import _checks
from equisphere.groups._group import Group, OrthogonalMatrices
from equisphere.groups._rotations import random_rotations, rotation_about


class SO2(Group):
    """Rotations of the circle, by 2b equally spaced angles: exact on functions with frequencies below 2b.

    Total measure 2 pi. Elements are angles in radians, in [-pi, pi).

    >>> round(float(SO2(8).weights.sum()), 6)
    6.283185
    """

    exact = False

    def __init__(self, bandwidth: int) -> None:
        n = 2 * _checks.positive_int(bandwidth, "bandwidth")
        angles = 2 * pi * torch.arange(n, dtype=torch.float64) / n
        super().__init__(_wrapped(angles), torch.full((n,), 2 * pi / n, dtype=torch.float64))

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum of angles, in [-pi, pi)."""
        return _wrapped(a + b)

    def inverse(self, a: Tensor) -> Tensor:
        """Negative angle."""
        return _wrapped(-a)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float64[Tensor, "n"]:
        """Uniform angles."""
        device = generator.device if generator is not None else None
        numbers = torch.rand(_checks.positive_int(n, "n"), generator=generator, dtype=torch.float64, device=device)
        return _wrapped(2 * pi * numbers)


def _wrapped(angle: Tensor) -> Tensor:
    return torch.remainder(angle + pi, 2 * pi) - pi


class SO3(OrthogonalMatrices):
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
        super().__init__(
            (turns[:, None, None] @ tilts[None, :, None] @ turns[None, None, :]).flatten(0, 2),
            w.repeat_interleave(2 * b).repeat(2 * b) * (2 * pi / (2 * b)) ** 2,
        )

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float64[Tensor, "n 3 3"]:
        """`random_rotations`."""
        return random_rotations(n, generator, torch.float64)


class O3(OrthogonalMatrices):
    """Rotations and reflections of space: every R of SO(3) and every -R, by the nodes of `SO3(bandwidth)` with both signs.

    Exact on what `SO3(bandwidth)` is exact on, times 1 or det. Total measure 16 pi^2: 8 pi^2 for the rotations, as much for the
    reflections. Coefficients of signals on the sphere under it: `es.transforms.act_on_coefficients`.

    >>> G = O3(2)
    >>> len(G), sorted(set(torch.linalg.det(G.elements).round().tolist()))
    (64, [-1.0, 1.0])
    """

    exact = False

    def __init__(self, bandwidth: int) -> None:
        rotations = SO3(bandwidth)
        super().__init__(torch.cat((rotations.elements, -rotations.elements)), rotations.weights.repeat(2))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Float64[Tensor, "n 3 3"]:
        """`random_rotations`, and a fair coin for the sign of each."""
        rotations = random_rotations(n, generator, torch.float64)
        signs = 2 * torch.randint(2, (n, 1, 1), generator=generator, device=rotations.device) - 1
        return rotations * signs
