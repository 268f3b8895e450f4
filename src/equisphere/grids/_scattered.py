"""Samples at any points."""

from hashlib import sha256
from math import isqrt, pi

import torch
from jaxtyping import Float64
from torch import Tensor

from equisphere import _checks
from equisphere.grids._grid import Grid


class Scattered(Grid):
    """Any n points of the sphere: stations, satellites, sensors.

    Convention: points are unit vectors (x, y, z), the z axis pointing north.

    `weights` say how much each sample counts in the least squares that analysis is: alike by default. The area for
    which a point stands is the natural choice where points crowd. They are scaled to sum to 4 pi.

    Band limit L has L*L unknown coefficients, for which n >= L*L is the least (`max_bandwidth`) and n >= 4 L*L comfortable (the
    default, `bandwidth`), provided that the points leave no gap wider than about pi / L. Points in one place count once.

    A grid is a constant. Derivatives in the points are those of `transforms.evaluate` and `transforms.fit`.

    Args:
        points: `(n, 3)`, unit vectors to within 1e-4 (they are normalised).
        weights: `(n,)`, positive.

    Raises:
        ValueError: where points are not finite unit vectors, require a gradient, or weights do not go with them.

    >>> grid = Scattered(torch.nn.functional.normalize(torch.randn(400, 3), dim=-1))
    >>> grid
    Scattered(400 points)
    >>> grid.shape, grid.bandwidth, grid.max_bandwidth
    ((400,), 10, 20)
    """

    bandwidth: int
    _places: int
    _points: Tensor
    _weights: Tensor
    _digest: bytes

    def __init__(self, points: Tensor, weights: Tensor | None = None) -> None:
        _checks.points(points, "points")
        if points.ndim != 2 or len(points) == 0:
            raise ValueError(f"points must have shape (n, 3) with at least one point, got {tuple(points.shape)}.")
        if points.requires_grad:
            raise ValueError(
                "points of a grid are constants, but these require a gradient. Use `transforms.evaluate(c, points)` and "
                "`transforms.fit(values, points, bandwidth)`, which are differentiable in the points, or `points.detach()`."
            )
        xyz = torch.nn.functional.normalize(points.detach().to("cpu", torch.float64, copy=True), dim=-1)
        w = torch.ones(len(xyz), dtype=torch.float64) if weights is None else _positive(weights, len(xyz))
        w = w * (4 * pi / w.sum())
        places = _checks.distinct_points(xyz)
        self.__dict__.update(
            bandwidth=max(1, isqrt(places) // 2),
            _places=places,
            _points=xyz,
            _weights=w,
            _digest=sha256(xyz.numpy().tobytes() + w.numpy().tobytes()).digest(),
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a grid is frozen: {name!r} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a grid is frozen: {name!r} cannot be deleted.")

    def __eq__(self, other: object) -> bool:
        """Whether points and weights are the same numbers in the same order."""
        return isinstance(other, Scattered) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"Scattered({len(self._points)} points)"

    @property
    def shape(self) -> tuple[int]:
        """(n,): a signal on this grid has shape `(..., n)`."""
        return (len(self._points),)

    @property
    def exact_degree(self) -> int:
        """0: of points anywhere nothing more is known than that the weights sum to 4 pi."""
        return 0

    @property
    def max_bandwidth(self) -> int:
        """The largest L with L*L <= n, of points in one place one."""
        return isqrt(self._places)

    def limit(self) -> str:
        """See `Grid.limit`."""
        return (
            f"a band limit L has L*L unknown coefficients, and {len(self._points)} points in {self._places} places "
            f"determine no more than L = {self.max_bandwidth} (comfortably {self.bandwidth})"
        )

    @property
    def colatitudes(self) -> Float64[Tensor, "n"]:
        """Colatitude of each point, radians."""
        x, y, z = self._points.unbind(-1)
        return torch.atan2(torch.hypot(x, y), z)

    @property
    def longitudes(self) -> Float64[Tensor, "n"]:
        """Longitude of each point, radians, in [0, 2 pi)."""
        phi = torch.atan2(self._points[:, 1], self._points[:, 0])
        phi = torch.where(phi < 0, phi + 2 * pi, phi)
        return torch.where(phi >= 2 * pi, 0.0, phi)  # a tiny negative angle rounds up to 2 pi

    @property
    def weights(self) -> Float64[Tensor, "n"]:
        """Weight of each sample; they sum to 4 pi."""
        return self._weights.clone()

    @property
    def points(self) -> Float64[Tensor, "n 3"]:
        """The points as unit vectors (x, y, z)."""
        return self._points.clone()


def _positive(weights: Tensor, n: int) -> Float64[Tensor, "n"]:
    _checks.real(weights, "weights")
    if weights.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one number a point, got {tuple(weights.shape)}.")
    if not bool((torch.isfinite(weights) & (weights > 0)).all()):
        raise ValueError(
            "weights must be positive and finite. A sample that is to count for nothing is left out of the points."
        )
    return weights.detach().to("cpu", torch.float64)
