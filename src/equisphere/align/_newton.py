"""Climbing to the maxima of the correlation, below the grid."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere import _checks
from equisphere.align._features import Features
from equisphere.transforms import rotate, rotation_generators

Rotations = Float[Tensor, "n peaks 3 3"]
Jet = tuple[Float[Tensor, "n peaks"], Float[Tensor, "n peaks 3"], Float[Tensor, "n peaks 3 3"]]

#: eigenvalues of the Hessian below this part of the largest count as zero: that turn changes nothing
FLAT = 1e-6


class Climb:
    """Value, slope and curvature of C(R) = <R.a, b> in the turn w of exp([w]x) R, of pairs of features `(n, channels, L*L)`.

    d<R.a, b> = w . <L (R.a), b> = -w . <R.a, L b>, so that the derivatives of b serve for every R:
    slope_i = -<R.a, L_i b>, curvature_ij = <R.a, (L_i L_j + L_j L_i) b> / 2.
    """

    def __init__(self, a: Features, b: Features) -> None:
        self.a, self.bandwidth = a, _checks.bandwidth_of(a)
        first = rotation_generators(b)  # (n, channels, 3, L*L)
        second = rotation_generators(first)  # [.., j, i, :] is L_i L_j b
        second = (second + second.transpose(-2, -3)).flatten(-3, -2) / 2
        self.jets = torch.cat((b[..., None, :], -first, second), dim=-2).transpose(1, 2).flatten(2)

    def __call__(self, R: Rotations) -> Jet:
        """Value `(n, peaks)`, slope `(n, peaks, 3)` and curvature `(n, peaks, 3, 3)` at rotations `(n, peaks, 3, 3)`."""
        turned = rotate(self.a[:, None], R[:, :, None]).flatten(2)
        value, slope, curvature = (turned @ self.jets.mT).split((1, 3, 9), dim=-1)
        return value[..., 0], slope, curvature.unflatten(-1, (3, 3))

    def ascend(self, R: Rotations, iterations: int = 30) -> Rotations:
        """Newton's method from each rotation, uphill alone, by steps within a radius that shrinks where one fails."""
        radius = torch.full_like(R[..., 0, 0], pi / (2 * self.bandwidth))
        value, slope, curvature = self(R)
        for _ in range(iterations):
            step = uphill(slope, curvature)
            length = step.norm(dim=-1)
            step = step * (radius / length.clamp(min=1e-300)).clamp(max=1.0)[..., None]
            if not bool((torch.minimum(length, radius) > 1e-9).any()):
                break
            there = turned(R, step)
            found = self(there)
            better = found[0] >= value
            R = torch.where(better[..., None, None], there, R)
            radius = torch.where(better, radius, length.minimum(radius) / 4)
            value, slope, curvature = (
                torch.where(better.reshape(better.shape + (1,) * (new.ndim - 2)), new, old)
                for new, old in zip(found, (value, slope, curvature), strict=True)
            )
        return R


def uphill(slope: Float[Tensor, "*n 3"], curvature: Float[Tensor, "*n 3 3"]) -> Float[Tensor, "*n 3"]:
    """Newton's step, with the curvature in each of its principal directions taken as downward; none in flat directions."""
    bends, axes = torch.linalg.eigh(curvature.detach())
    size = bends.abs()
    inverse = torch.where(size > FLAT * size.amax(dim=-1, keepdim=True), 1 / size.clamp(min=1e-300), 0.0)
    return (axes @ (inverse[..., None] * (axes.mT @ slope[..., None])))[..., 0]


def turned(R: Float[Tensor, "*n 3 3"], w: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3 3"]:
    """exp([w]x) R."""
    cross = torch.linalg.cross(
        w[..., None, :].expand_as(R), torch.eye(3, dtype=R.dtype, device=R.device).expand_as(R)
    ).mT
    return torch.linalg.matrix_exp(cross) @ R
