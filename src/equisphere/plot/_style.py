"""How every picture looks: colours, sizes and lines, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

#: Width of a chart in inches: narrow enough for its words to be read on a phone.
WIDTH = 5.5
#: Text, secondary text and lines of no weight.
INK, MUTED, FAINT = "#1f2933", "#5f6b7a", "#e3e7ec"
#: The palette of Okabe and Ito (2008), told apart with any of the common colour blindnesses.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
#: A network keeps its colour through all figures.
NETWORKS = {"equivariant": BLUE, "planar": VERMILION}
#: What marks a right and a wrong answer, beside a tick and a cross.
RIGHT, WRONG = "#00795a", "#b3261e"
#: Ink on a pale globe: lightness falls evenly from low to high.
GLOBE = LinearSegmentedColormap.from_list("equisphere", ["#f5f2ea", "#cfdde2", "#7fb0c8", "#2b6ea0", "#0b2a52"])

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#a3acb8",
    "axes.labelcolor": INK,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so that a picture is the same everywhere
    "font.size": 10.5,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 5.5,
    "lines.solid_capstyle": "round",
    "text.color": INK,
}
#: Settings that say where matplotlib draws, not how: left as they are.
_NOT_STYLE = ("backend", "interactive", "toolbar", "webagg", "date.epoch", "tk.", "timezone", "docstring")


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults and then ours, for as long as the context lasts (also a decorator)."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update(
            {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith(_NOT_STYLE)}
        )
        matplotlib.rcParams.update(_RC)
        yield


def empty(width: float, height: float, arranged: bool = True) -> Figure:
    """A white figure of so many inches; `arranged` leaves the room for labels to matplotlib."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, hspace=0.05) if arranged else None
    return Figure(figsize=(width, height), dpi=200, layout=layout, facecolor="white")


def plain(ax: Axes, grid: str = "y") -> Axes:
    """Give the axes quiet ticks and a faint grid along one axis ("x" or "y").

    Matplotlib makes ticks when it draws, by then outside `style`: what they look like is written to the axes here.
    """
    ax.tick_params(which="major", labelsize=10, labelcolor=MUTED, color="#a3acb8", width=0.8, length=3)
    ax.tick_params(which="minor", length=0)
    ax.grid(axis="x" if grid == "x" else "y", color=FAINT, linewidth=0.8)
    return ax


def mark(ax: Axes, level: float, text: str, at: float | None = None, vertical: bool = False) -> None:
    """A dotted line across the axes at a level to compare with, and its name outside, at its end (or at another height)."""
    (ax.axvline if vertical else ax.axhline)(level, color=MUTED, linewidth=1, linestyle=(0, (2, 2)), zorder=0.9)
    height = level if at is None else at
    where: dict[str, Any] = (
        {"xy": (level, 1), "xycoords": ("data", "axes fraction"), "xytext": (0, 3), "ha": "center", "va": "bottom"}
        if vertical
        else {"xy": (1, height), "xycoords": ("axes fraction", "data"), "xytext": (6, 0), "ha": "left", "va": "center"}
    )
    ax.annotate(text, textcoords="offset points", fontsize=9, color=MUTED, **where)


def name_ends(ax: Axes, lines: list[Line2D], places: list[float]) -> None:
    """Write the name of each line to the right of the axes, in its colour, at a height in data."""
    for line, y in zip(lines, places, strict=True):
        ax.annotate(
            str(line.get_label()), (1, y), (9, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center", color=line.get_color(), weight="bold",
        )  # fmt: skip


def spread(places: list[float], gap: float) -> list[float]:
    """Move labels apart until neighbours keep at least `gap`, each as little as the others allow.

    >>> spread([0.0, 0.1, 5.0], gap=1.0)
    [-0.45, 0.55, 5.0]
    """
    groups: list[tuple[float, list[int]]] = []  # centre, members from low to high
    for i in sorted(range(len(places)), key=lambda k: places[k]):
        members, centre = [i], places[i]
        while groups and groups[-1][0] + gap * (len(groups[-1][1]) + len(members)) / 2 > centre:
            members = groups.pop()[1] + members
            centre = sum(places[k] for k in members) / len(members)
        groups.append((centre, members))
    moved = list(places)
    for centre, members in groups:
        for rank, i in enumerate(members):
            moved[i] = round(centre + gap * (rank - (len(members) - 1) / 2), 12)
    return moved
