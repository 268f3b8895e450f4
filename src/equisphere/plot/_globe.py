"""Pictures of signals on the sphere, seen from outside."""

from collections.abc import Sequence
from math import ceil, pi

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle
from torch import Tensor

from equisphere import _checks
from equisphere.plot._style import GLOBE, INK, MUTED, empty, style
from equisphere.plot._visible import TILTED, View, depth_of, everywhere, frame_of, signals_of, visible

Limits = tuple[float, float]


@style()
def globe(
    c: Float[Tensor, "coefficients"],
    ax: Axes | None = None,
    view: View = TILTED,
    limits: Limits | None = None,
    cmap: str | Colormap = GLOBE,
    pixels: int = 480,
    graticule: bool = True,
) -> Figure | SubFigure:
    """Draw a signal as an orthographic picture of the globe.

    Each pixel holds the value of the band-limited function at the point of the sphere that it shows: there is no grid
    and no interpolation between. A dot marks a pole that is in sight, a fine line the equator, fainter ones every
    30 degrees.

    Convention: `view` is (colatitude, longitude) in radians of the point nearest to the eye; up in the picture is north,
    right is east. At a pole, where no direction is north, the longitude says it: from the south pole (pi, phi), up is the
    direction (cos phi, sin phi, 0). An image projected by `equisphere.data` reads right from (pi, pi/2).

    Args:
        c: real coefficients `(L*L,)`.
        ax: axes to draw into; a new figure where there are none.
        view: (colatitude, longitude) of the eye, radians.
        limits: values of the first and the last colour; by default the least and the greatest on the whole sphere,
            so that views from all sides have the same colours.
        cmap: colours, from low to high.
        pixels: size of the picture, in pixels across the globe.
        graticule: draw equator, meridians, parallels and poles.

    Returns:
        The figure that holds the picture; the picture is the first image of its axes, an array of values.

    Raises:
        ValueError: where c is not one real, finite signal, or pixels not a positive integer.

    >>> import torch
    >>> figure = globe(torch.eye(9)[2])  # Y_10, positive in the north
    >>> figure.axes[0].images[0].get_array().shape
    (480, 480)
    """
    c = signals_of(c, 1)
    if ax is None:
        ax = empty(4, 4, arranged=False).add_axes((0.03, 0.03, 0.94, 0.94))
    low, high = limits or _range(c)
    black = np.zeros((pixels, pixels, 4))
    black[..., 3] = 0.25 * (1 - depth_of(pixels)) ** 2.5  # a shadow towards the edge makes a ball of a disc
    frame = (-1.0, 1.0, -1.0, 1.0)
    for picture in (visible(c, view, pixels), black):
        image = ax.imshow(
            picture, cmap=cmap, vmin=low, vmax=high, extent=frame, origin="lower", interpolation="bilinear"
        )
        image.set_clip_path(Circle((0, 0), 1, transform=ax.transData))
    if graticule:
        draw_graticule(ax, view)
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=MUTED, linewidth=0.8, zorder=4))
    ax.set(xlim=(-1.01, 1.01), ylim=(-1.01, 1.01), aspect="equal")
    ax.set_axis_off()
    return ax.figure


@style()
def globes(
    coefficients: Float[Tensor, "n coefficients"],
    titles: Sequence[str] = (),
    columns: int = 4,
    view: View = TILTED,
    limits: Limits | None = None,
    cmap: str | Colormap = GLOBE,
) -> Figure:
    """Draw several signals side by side, each as `globe` does, with one view and one range of colours.

    Args:
        coefficients: real coefficients `(n, L*L)`.
        titles: one for each signal, or none.
        columns: how many go on a row.
        view: (colatitude, longitude) of the eye, radians.
        limits: values of the first and the last colour; by default the least and the greatest of all signals.
        cmap: colours, from low to high.

    Raises:
        ValueError: where the coefficients are not real, finite signals, or the titles not as many.

    >>> import torch
    >>> len(globes(torch.eye(9)[1:4], titles=["y", "z", "x"]).axes)
    3
    """
    coefficients = signals_of(coefficients, 2)
    if titles and len(titles) != len(coefficients):
        raise ValueError(f"titles must be one for each signal, got {len(titles)} for {len(coefficients)} signals.")
    columns = min(_checks.positive_int(columns, "columns"), len(coefficients))
    size, gap, head = 2.1, 0.12, 0.3 if titles else 0.0  # inches
    width = gap + columns * (size + gap)
    height = gap + ceil(len(coefficients) / columns) * (size + head + gap)
    figure, limits = empty(width, height, arranged=False), limits or _range(coefficients)
    for i, c in enumerate(coefficients):
        row, column = divmod(i, columns)
        left, top = gap + column * (size + gap), gap + row * (size + head + gap) + head
        ax = place(figure, left, top, size)
        globe(c, ax, view, limits, cmap, pixels=420)
        if titles:
            ax.set_title(titles[i], fontsize=11, color=INK, pad=4)
    return figure


def place(figure: Figure, left: float, top: float, size: float) -> Axes:
    """Square axes of so many inches, so far from the left and the top of the figure."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + size) / height, size / width, size / height))


def draw_graticule(ax: Axes, view: View) -> None:
    """Equator, meridians, parallels and poles."""
    frame = frame_of(view)
    turn, half = np.linspace(0, 2 * pi, 361), np.linspace(0, pi, 181)
    equator = np.stack((np.cos(turn), np.sin(turn), 0 * turn))
    north = np.array([[0.0], [0.0], [1.0]])
    lines = [equator]
    lines += [np.sin(theta) * equator + np.cos(theta) * north for theta in np.radians([30, 60, 120, 150])]
    lines += [np.sin(half) * equator[:, [k]] + np.cos(half) * north for k in range(0, 360, 30)]
    seen = []
    for line in lines:
        depth, right, up = frame @ line
        seen.append(np.where(depth > 0, np.stack((right, up)), np.nan).T)
    widths, alphas = [1.0] + [0.5] * (len(seen) - 1), [0.45] + [0.22] * (len(seen) - 1)
    ax.add_collection(LineCollection(seen, colors=INK, linewidths=widths, alpha=alphas, zorder=3), autolim=False)
    for pole in (north, -north):
        depth, right, up = (frame @ pole)[:, 0]
        if depth > 0.05:
            ax.plot([right], [up], "o", color=INK, markersize=2.6, zorder=3)


def _range(c: Float[Tensor, "*n coefficients"]) -> Limits:
    """Least and greatest value, a little apart in any case."""
    f = everywhere(c)
    low, high = float(f.min()), float(f.max())
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    return (low, high) if high - low > slack else (low - slack, high + slack)
