"""Clouds of points lifted to the sphere without any grid, and the density that their coefficients describe."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from equisphere import _checks
from equisphere.data._source import DataError
from equisphere.transforms import accumulate_each, solid_harmonics

#: radial functions: lengths `(...)` to the values of K functions, `(..., K)`
RadialFunctions = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Shells:
    """Radial functions b_k(r) = exp(-((r - r_k) / width)^2 / 2): soft shells about the origin, evenly spaced.

    r_k = (k + 1/2) reach / number; the width, half the distance of neighbours, leaves no gap between them.

    Args:
        number: how many.
        reach: radius of the ball that they fill, in the units of the points.

    Raises:
        ValueError: where the number is no positive integer or the reach not positive.

    >>> Shells(2)(torch.tensor([0.25, 0.75]))
    tensor([[1.0000, 0.1353],
            [0.1353, 1.0000]])
    """

    number: int
    reach: float = 1.0

    def __post_init__(self) -> None:
        _checks.positive_int(self.number, "number of shells")
        if not 0 < self.reach < float("inf"):
            raise ValueError(f"reach must be a positive radius, in the units of the points, got {self.reach}.")

    def __call__(self, radii: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch shells"]:
        """Values of all functions at some radii."""
        step = self.reach / self.number
        centres = (torch.arange(self.number, dtype=radii.dtype, device=radii.device) + 0.5) * step
        return torch.exp(-2 * ((radii[..., None] - centres) / step) ** 2)


def cloud_coefficients(
    points: Float[Tensor, "*batch n 3"],
    bandwidth: int,
    shells: int | RadialFunctions = 6,
    weights: Float[Tensor, "*batch n"] | None = None,
) -> Float[Tensor, "*batch shells coefficients"]:
    r"""Lift clouds of points to signals on the sphere, one channel a radial function, without any grid.

    c_{k,lm} = sum_p w_p b_k(|p|) Y_lm(p / |p|): a point mass for each point, projected to band limit L. Turning the
    points turns the coefficients, exactly. A point at the origin has no direction; it counts in degree 0 alone.

    Differentiable in the points and in the weights (the derivative in a point's direction is unbounded as it nears the
    origin, unless the b_k vanish there). Clouds of different sizes make a batch by padding with points of weight 0.

    Args:
        points: `(..., n, 3)`, centred on what is to be the middle of the sphere, and of length about 1 for the default shells
            (`normalize_points` does both).
        bandwidth: band limit L.
        shells: a number of soft shells that fill the unit ball, or any radial functions, such as `Shells(8, reach=2.0)`.
        weights: `(..., n)`; 1 / n each by default.

    Returns:
        `(..., K, L*L)`, in the dtype of the points.

    Raises:
        ValueError: where points are not finite `(..., n, 3)`, weights do not go with them, or radial functions do not
            give `(..., n, K)`.

    >>> import torch, equisphere as es
    >>> cloud = torch.randn(100, 3) / 2
    >>> c = cloud_coefficients(cloud, bandwidth=8)
    >>> c.shape
    torch.Size([6, 64])
    >>> R = es.random_rotations(1)[0]
    >>> bool(torch.allclose(cloud_coefficients(cloud @ R.mT, 8), es.rotate(c, R), atol=1e-5))
    True
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    _points(points)
    if weights is None:
        weights = points.new_full(points.shape[:-1], 1 / points.shape[-2])
    _checks.real(weights, "weights")
    if weights.shape != points.shape[:-1]:
        raise ValueError(f"weights must be one number a point, {tuple(points.shape[:-1])}, got {tuple(weights.shape)}.")
    _checks.finite(weights, "weights")
    radii, directions = _polar(points)
    values = weights.to(points.dtype)[..., None] * _radial(shells, radii)
    leading, n = points.shape[:-2], points.shape[-2]
    values = values.reshape(-1, n, values.shape[-1])
    c = accumulate_each(values.mT, directions.reshape(-1, n, 3), L)
    return c.reshape(*leading, *c.shape[1:])


def cloud_density(
    c: Float[Tensor, "shells coefficients"],
    points: Float[Tensor, "n 3"],
    shells: int | RadialFunctions | None = None,
) -> Float[Tensor, "n"]:
    r"""The density that lifted coefficients describe, anywhere in space: sum_k sum_lm c_{k,lm} b_k(|p|) Y_lm(p / |p|).

    The way back from `cloud_coefficients`, and its adjoint: large where the cloud had points, blurred to the width of a shell
    and to the angle pi / L.

    Args:
        c: `(K, L*L)`, the coefficients of one cloud.
        points: `(n, 3)`, where to look.
        shells: as they were in `cloud_coefficients`; by default K soft shells in the unit ball.

    Raises:
        ValueError: where points are not finite `(n, 3)`, or the radial functions are not K.

    >>> import torch
    >>> c = cloud_coefficients(torch.tensor([[0.5, 0.0, 0.0]]), bandwidth=8)
    >>> here, there = cloud_density(c, torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]]))
    >>> bool(here > 5 * abs(there))
    True
    """
    L = _checks.bandwidth_of(c)
    _points(points)
    radii, directions = _polar(points)
    b = _radial(len(c) if shells is None else shells, radii)
    if b.shape[-1] != len(c):
        raise ValueError(f"coefficients of {len(c)} shells need as many radial functions, got {b.shape[-1]}.")
    return torch.einsum("kl,nk,ln->n", c, b, solid_harmonics(directions, L))


def normalize_points(points: Float[Tensor, "*batch n 3"]) -> Float[Tensor, "*batch n 3"]:
    """Points about their centroid, the farthest at distance 1: alike for turned, moved and scaled clouds.

    Raises:
        ValueError: where points are not finite `(..., n, 3)`.

    >>> normalize_points(torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 7.0]]))
    tensor([[ 0.,  0., -1.],
            [ 0.,  0.,  1.]])
    """
    _points(points)
    centred = points - points.mean(dim=-2, keepdim=True)
    size = centred.detach().abs().amax(dim=(-2, -1), keepdim=True)  # squares neither overflow nor vanish
    centred = centred / torch.where(size > 0, size, 1)
    farthest = centred.norm(dim=-1).amax(dim=-1)[..., None, None]
    return centred / torch.where(farthest > 0, farthest, 1)


def read_points(path: str | Path) -> Float64[Tensor, "n 3"]:
    """Points from a npy file `(n, 3)`, or from a text of `x y z` (more columns, such as normals, are left aside).

    Raises:
        DataError: where the file is missing or of another kind, or a point is NaN or infinite; the message names it.
    """
    path = Path(path)
    try:
        points = np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, ndmin=2)[:, :3]
    except Exception as error:  # whatever a parser trips over
        raise DataError(f"{path} cannot be read as points ({type(error).__name__}: {error}).") from error
    if points.dtype.kind not in "fiu" or points.ndim != 2 or points.shape[1] != 3 or len(points) == 0:
        raise DataError(
            f"{path} must hold points, numbers (n, 3), got {points.dtype} {points.shape}. Maps come as .nc or .fits, panoramas "
            "as pictures."
        )
    if not np.isfinite(points).all():
        raise DataError(f"{path} holds points that are NaN or infinite.")
    return torch.from_numpy(points.astype(np.float64))


def _points(points: Tensor) -> None:
    _checks.real(points, "points")
    if points.ndim < 2 or points.shape[-1] != 3 or points.numel() == 0:
        raise ValueError(f"points must have shape (..., n, 3) with at least one point, got {tuple(points.shape)}.")
    _checks.finite(points, "points")


def _polar(points: Tensor) -> tuple[Tensor, Tensor]:
    """Length and direction; the direction of the origin is the zero vector, where solid harmonics but Y_00 vanish.

    The derivative of the length is taken as zero there, not NaN.
    """
    largest = points.detach().abs().amax(dim=-1, keepdim=True)  # squares neither overflow nor vanish
    scale = torch.where(largest > 0, largest, 1)
    small = points / scale
    squared = (small * small).sum(-1, keepdim=True)
    length = torch.where(squared > 0, torch.where(squared > 0, squared, 1).sqrt(), 0)
    return (scale * length)[..., 0], small / torch.where(squared > 0, length, 1)


def _radial(shells: int | RadialFunctions, radii: Tensor) -> Tensor:
    b = shells(radii) if callable(shells) else Shells(_checks.positive_int(shells, "shells"))(radii)
    if b.shape[:-1] != radii.shape or b.ndim != radii.ndim + 1 or b.dtype != radii.dtype:
        raise ValueError(
            f"radial functions must take radii {tuple(radii.shape)} to their values {(*radii.shape, 'K')} in the same dtype, "
            f"got {tuple(b.shape)}, {b.dtype}."
        )
    return b
