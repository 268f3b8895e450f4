"""Flat pictures and the sphere: stereographic, gnomonic, perspective and equirectangular, there and back."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from equisphere import _checks
from equisphere.grids import Grid
from equisphere.transforms import evaluate

Vector = tuple[float, float, float]


class View(ABC):
    """Where the pixels of a picture lie on the sphere.

    Convention: pixel (row, column) has its middle at (row + 1/2, column + 1/2); row 0 is the top.
    """

    @abstractmethod
    def directions(self, height: int, width: int) -> Float64[Tensor, "height width 3"]:
        """Unit vectors through the middles of the pixels."""

    @abstractmethod
    def pixels(
        self, points: Float64[Tensor, "*batch 3"], height: int, width: int
    ) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Bool[Tensor, "*batch"]]:
        """Row and column (of pixel middles: 0 to height - 1) of points, and which of them the picture shows."""


@dataclass(frozen=True)
class _PlaneView(View):
    """A picture on a plane that touches the sphere, seen from inside or from outside.

    Args:
        extent: angle (radians) from the middle of the picture to the middle of its farther edge.
        centre: direction of the middle.
        up: direction that is up in the picture; not along the centre.
        inside: seen from the middle of the sphere, as a camera sees; otherwise from outside, as a globe is seen.

    Raises:
        ValueError: where the extent is too large for the projection, or up is along the centre.
    """

    extent: float
    centre: Vector = (1.0, 0.0, 0.0)
    up: Vector = (0.0, 0.0, 1.0)
    inside: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.extent < self._largest():
            raise ValueError(
                f"extent must lie between 0 and {self._largest():.4g} radians (from the middle to the edge), got {self.extent}."
            )
        self._frame()

    @staticmethod
    @abstractmethod
    def _largest() -> float:
        """Extents must be below this angle."""

    @staticmethod
    @abstractmethod
    def _radius(cosine: Tensor) -> Tensor:
        """Distance on the plane of what is at an angle from the centre, over the sine of the angle."""

    @staticmethod
    @abstractmethod
    def _angle(radius: Tensor) -> Tensor:
        """Its inverse: the angle of what is at a distance on the plane."""

    def _frame(self) -> Float64[Tensor, "3 3"]:
        """Rows: right, up and forward in the picture."""
        forward, up = (torch.tensor(v, dtype=torch.float64) for v in (self.centre, self.up))
        right = torch.linalg.cross(forward, up) * (1 if self.inside else -1)
        if not float(right.norm()) > 1e-9 * float(forward.norm() * up.norm()):
            raise ValueError(f"up {self.up} must not be along the centre {self.centre}, and neither may be zero.")
        forward, right = forward / forward.norm(), right / right.norm()
        return torch.stack((right, torch.linalg.cross(right, forward) * (1 if self.inside else -1), forward))

    def _edge(self, height: int, width: int) -> float:
        """Distance on the plane of one pixel."""
        angle = torch.tensor(self.extent, dtype=torch.float64)
        return float(2 * self._radius(angle.cos()) * angle.sin()) / max(height, width)

    def directions(self, height: int, width: int) -> Float64[Tensor, "height width 3"]:
        """See `View.directions`."""
        step = self._edge(height, width)
        y = (height - 1) / 2 - torch.arange(height, dtype=torch.float64)
        x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
        x, y = torch.meshgrid(x * step, y * step, indexing="xy")
        radius = torch.hypot(x, y)
        angle = self._angle(radius)
        along = torch.where(radius > 0, angle.sin() / torch.where(radius > 0, radius, 1), 0)
        return torch.stack((along * x, along * y, angle.cos()), dim=-1) @ self._frame()

    def pixels(
        self, points: Float64[Tensor, "*batch 3"], height: int, width: int
    ) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Bool[Tensor, "*batch"]]:
        """See `View.pixels`."""
        right, up, forward = (points @ self._frame().mT).unbind(-1)
        factor = self._radius(forward) / self._edge(height, width)
        seen = torch.isfinite(factor) & (factor > 0)
        factor = torch.where(seen, factor, 0)
        column, row = (width - 1) / 2 + factor * right, (height - 1) / 2 - factor * up
        seen = seen & (row > -0.5) & (row < height - 0.5) & (column > -0.5) & (column < width - 0.5)
        return row, column, seen


@dataclass(frozen=True)
class Stereographic(_PlaneView):
    """From the point opposite the centre: angles are kept; a picture may cover all but one point. r = 2 tan(theta / 2).

    >>> Stereographic(extent=1.5).directions(3, 3)[1, 1]  # the middle
    tensor([1., 0., 0.], dtype=torch.float64)
    """

    @staticmethod
    def _largest() -> float:
        return pi

    @staticmethod
    def _radius(cosine: Tensor) -> Tensor:
        return 2 / (1 + cosine)

    @staticmethod
    def _angle(radius: Tensor) -> Tensor:
        return 2 * torch.atan(radius / 2)


@dataclass(frozen=True)
class Gnomonic(_PlaneView):
    """From the middle of the sphere: great circles are straight; less than a hemisphere. r = tan(theta).

    >>> Gnomonic(extent=0.5).pixels(torch.tensor([-1.0, 0.0, 0.0]).double(), 9, 9)[2]  # what is behind is not shown
    tensor(False)
    """

    @staticmethod
    def _largest() -> float:
        return pi / 2

    @staticmethod
    def _radius(cosine: Tensor) -> Tensor:
        return torch.where(cosine > 0, 1 / cosine, -1)

    @staticmethod
    def _angle(radius: Tensor) -> Tensor:
        return torch.atan(radius)


def perspective(
    field_of_view: float, centre: Vector = (1.0, 0.0, 0.0), up: Vector = (0.0, 0.0, 1.0), aspect: float = 1.0
) -> Gnomonic:
    """The picture of a pinhole camera at the middle of the sphere: the gnomonic projection, by its field of view.

    Args:
        field_of_view: horizontal angle of view in radians, below pi.
        centre: where the camera looks.
        up: what is up in the picture.
        aspect: width over height of the picture.

    Raises:
        ValueError: where the angle is not between 0 and pi, or the aspect not positive.

    >>> round(perspective(pi / 2).extent, 4)  # 45 degrees to each side
    0.7854
    """
    if not (0 < field_of_view < pi and aspect > 0):
        raise ValueError(f"field of view must lie between 0 and pi radians, got {field_of_view} (aspect {aspect}).")
    half = torch.tan(torch.tensor(field_of_view / 2, dtype=torch.float64)) / min(aspect, 1.0)
    return Gnomonic(float(torch.atan(half)), centre, up)


@dataclass(frozen=True)
class Equirectangular(View):
    """All of the sphere, rows at equal colatitudes, columns at equal longitudes, the middle of cells.

    A map, seen from outside, has longitude 0 at its left edge and runs eastwards. A photograph, seen from inside
    (`inside=True`), has longitude 0 in its middle, and columns run westwards: what is to the right of the camera.

    >>> Equirectangular().directions(2, 4)[0, 0]  # 45 degrees north, 45 east
    tensor([0.5000, 0.5000, 0.7071], dtype=torch.float64)
    """

    inside: bool = False

    def directions(self, height: int, width: int) -> Float64[Tensor, "height width 3"]:
        """See `View.directions`."""
        theta = (torch.arange(height, dtype=torch.float64) + 0.5) * (pi / height)
        phi = (torch.arange(width, dtype=torch.float64) + 0.5) * (2 * pi / width)
        theta, phi = torch.meshgrid(theta, pi - phi if self.inside else phi, indexing="ij")
        return torch.stack((theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()), dim=-1)

    def pixels(
        self, points: Float64[Tensor, "*batch 3"], height: int, width: int
    ) -> tuple[Float64[Tensor, "*batch"], Float64[Tensor, "*batch"], Bool[Tensor, "*batch"]]:
        """See `View.pixels`; the columns of a picture go round."""
        x, y, z = points.unbind(-1)
        row = torch.atan2(torch.hypot(x, y), z) * (height / pi) - 0.5
        phi = torch.atan2(y, x)
        column = ((pi - phi if self.inside else phi) * (width / (2 * pi)) - 0.5) % width
        return row, column, torch.ones_like(row, dtype=torch.bool)


def view_signal(images: Float[Tensor, "*batch height width"], view: View, grid: Grid) -> Float[Tensor, "*out"]:
    """Samples of flat pictures on a grid: bilinear between pixels, 0 where the picture shows nothing.

    A picture much finer than the grid is averaged over blocks of pixels first, lest it alias: give a grid some times finer than
    the band limit that is wanted, `GaussLegendre(nlat=4 * L, nlon=8 * L)` say, and let `SHT(grid, L)` cut.

    Args:
        images: `(..., height, width)`, floating point.
        view: where they lie.
        grid: where samples are wanted.

    Raises:
        ValueError: where images are no finite pictures.

    >>> import equisphere as es
    >>> f = view_signal(torch.ones(3, 20, 20), perspective(1.0), es.grids.DriscollHealy(16))
    >>> f.shape, round(float(f.min()), 3), round(float(f.max()), 3)
    (torch.Size([3, 32, 32]), 0.0, 1.0)
    """
    _checks.real(images, "images")
    if images.ndim < 2 or images.numel() == 0:
        raise ValueError(f"images must have shape (..., height, width) and hold pixels, got {tuple(images.shape)}.")
    _checks.finite(images, "images")
    leading = images.shape[:-2]
    flat = images.reshape(-1, *images.shape[-2:])
    points = grid.points.reshape(-1, 3)
    block = _block(view, images.shape[-2], images.shape[-1], len(points))
    if block > 1:
        flat = torch.nn.functional.avg_pool2d(flat[:, None], block, ceil_mode=True, count_include_pad=False)[:, 0]
    height, width = flat.shape[1:]
    row, column, seen = (x.to(images.device) for x in view.pixels(points, height, width))
    found = flat.new_zeros(len(flat), len(points))
    top, left = row.floor(), column.floor()
    for i in (0, 1):
        for j in (0, 1):
            r = (top + i).clamp(0, height - 1).long()
            c = (left + j) % width if isinstance(view, Equirectangular) else (left + j).clamp(0, width - 1)
            share = (1 - (row - top - i).abs()) * (1 - (column - left - j).abs())
            found = found + flat[:, r, c.long()] * torch.where(seen, share, 0).to(flat.dtype)
    return found.reshape(*leading, *grid.shape)


def _block(view: View, height: int, width: int, nodes: int) -> int:
    """How many pixels a distance between nodes spans, at the middle of the picture."""
    middle = view.directions(height, width)[height // 2, max(width // 2 - 1, 0) : width // 2 + 1]
    pixel = float((middle[0] - middle[-1]).norm()) or 1.0
    return max(1, min(int((4 * pi / nodes) ** 0.5 / pixel), height, width))


def render(
    coefficients: Float[Tensor, "*batch coefficients"], view: View, height: int, width: int
) -> Float[Tensor, "*batch height width"]:
    """A picture of a signal: its values where the pixels of a view lie. The way back of every view.

    Differentiable in the coefficients.

    Raises:
        ValueError: where the last dimension of the coefficients is no L*L.

    >>> render(torch.tensor([[(4 * pi) ** 0.5]]), perspective(1.0), 2, 3)  # the constant 1
    tensor([[[1.0000, 1.0000, 1.0000], [1.0000, 1.0000, 1.0000]]])
    """
    points = view.directions(_checks.positive_int(height, "height"), _checks.positive_int(width, "width"))
    values = evaluate(coefficients, points.reshape(-1, 3).to(coefficients))
    return values.reshape(*coefficients.shape[:-1], height, width)
