"""Colours and classes on the globe: panoramas, and what a network makes of them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle
from torch import Tensor

from equisphere.plot._globe import draw_graticule
from equisphere.plot._style import GREEN, MUTED, ORANGE, PURPLE, SKY, empty, style
from equisphere.plot._visible import TILTED, View, depth_of, signals_of, visible

#: of the first classes, told apart with any of the common colour blindnesses
CLASSES = (ORANGE, SKY, "#f0f0ea", GREEN, PURPLE)


@style()
def globe_picture(
    c: Float[Tensor, "3 coefficients"], ax: Axes | None = None, view: View = TILTED, pixels: int = 480
) -> Figure | SubFigure:
    """Draw red, green and blue, 0 to 1, as the globe in its colours; otherwise as `globe`.

    Args:
        c: real coefficients `(3, L*L)`.
        ax: axes to draw into; a new figure where there are none.
        view: (colatitude, longitude) of the eye, radians.
        pixels: size of the picture, in pixels across the globe.

    Raises:
        ValueError: where c is not three real, finite signals.

    >>> import torch
    >>> figure = globe_picture(torch.eye(9)[:3])
    >>> figure.axes[0].images[0].get_array().shape
    (480, 480, 3)
    """
    c = signals_of(c, 2)
    if len(c) != 3:
        raise ValueError(f"coefficients must be those of red, green and blue, (3, L*L), got {tuple(c.shape)}.")
    seen = np.stack([visible(channel, view, pixels) for channel in c], axis=-1)
    return _draw(np.clip(seen, 0, 1), ax, view)


@style()
def globe_classes(
    c: Float[Tensor, "classes coefficients"],
    ax: Axes | None = None,
    view: View = TILTED,
    colours: Sequence[str] = CLASSES,
    pixels: int = 480,
) -> Figure | SubFigure:
    """Draw at each point the colour of the class whose signal is greatest there; otherwise as `globe`.

    Each pixel compares the band-limited functions at the point of the sphere that it shows.

    Args:
        c: real coefficients of the logits, `(classes, L*L)`.
        ax: axes to draw into; a new figure where there are none.
        view: (colatitude, longitude) of the eye, radians.
        colours: one for each class.
        pixels: size of the picture, in pixels across the globe.

    Raises:
        ValueError: where c is not real, finite signals, or there are fewer colours than classes.

    >>> import torch
    >>> figure = globe_classes(torch.eye(9)[[2, 1]])  # north-east against north
    >>> figure.axes[0].images[0].get_array().shape
    (480, 480, 3)
    """
    c = signals_of(c, 2)
    if len(colours) < len(c):
        raise ValueError(f"colours must be one for each of the {len(c)} classes, got {len(colours)}.")
    seen = np.argmax([visible(channel, view, pixels) for channel in c], axis=0)
    return _draw(np.array([to_rgb(colour) for colour in colours])[seen], ax, view)


def _draw(picture: np.ndarray, ax: Axes | None, view: View) -> Figure | SubFigure:
    """An array (rows from below, columns, 3) as the disc of a globe, darker towards its edge."""
    if ax is None:
        ax = empty(4, 4, arranged=False).add_axes((0.03, 0.03, 0.94, 0.94))
    shadow = 1 - 0.25 * (1 - depth_of(len(picture))) ** 2.5
    image = ax.imshow(
        picture * shadow[..., None], extent=(-1.0, 1.0, -1.0, 1.0), origin="lower", interpolation="bilinear"
    )
    image.set_clip_path(Circle((0, 0), 1, transform=ax.transData))
    draw_graticule(ax, view)
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=MUTED, linewidth=0.8, zorder=4))
    ax.set(xlim=(-1.01, 1.01), ylim=(-1.01, 1.01), aspect="equal")
    ax.set_axis_off()
    return ax.figure
