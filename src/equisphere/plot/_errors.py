"""How exactly networks commute with rotations, and how long things took."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite, log10, nan
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equisphere.plot._style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    empty,
    mark,
    name_ends,
    plain,
    spread,
    style,
)

#: Relative error that rounding to float32 leaves after a transform or two.
ROUNDING = 1e-6
#: Errors below are drawn here: a logarithm has no place for 0.
FLOOR = 1e-8
#: Colour of a part of a model by the verdict of an audit.
VERDICTS = {
    "exact": BLUE,
    "aliasing": ORANGE,
    "approximate": GREEN,
    "about z alone": PURPLE,
    "not equivariant": VERMILION,
}


@style()
def layer_errors(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """Relative equivariance error that each layer adds, first layer on top: median, worst, and what has gathered at its output.

    Args:
        layers: for each "name" and "kind" (name of its class, or "whole network"), the relative errors "median", "worst",
            "about_z" (that about the z axis alone) and "reaching", and the "verdict" of an audit, which gives the colour.

    >>> layer = {"name": "conv", "kind": "ZonalConv", "median": 2e-7, "worst": 4e-7, "about_z": 2e-7}
    >>> layer |= {"reaching": 3e-7, "verdict": "exact"}
    >>> [label.get_text() for label in layer_errors([layer]).axes[0].get_yticklabels()]
    ['conv  ZonalConv']
    """
    verdicts = [verdict for verdict in VERDICTS if verdict in {layer["verdict"] for layer in layers}]
    figure = empty(WIDTH, 1.3 + 0.25 * len(layers) + 0.1 * (len(verdicts) + 3))
    ax = plain(figure.add_subplot(), grid="x")
    for y, layer in enumerate(layers):
        color = INK if layer["kind"] == "whole network" else VERDICTS[layer["verdict"]]
        median, worst, reaching = (_drawn(layer[which]) for which in ("median", "worst", "reaching"))
        ax.plot([median, worst], [y, y], color=color, linewidth=1.6)
        ax.plot([worst], [y], "|", color=color, markersize=8, markeredgewidth=1.6)
        ax.plot([median], [y], "o", color=color)
        ax.plot([reaching], [y], "d", color=MUTED, markerfacecolor="none", markersize=5, markeredgewidth=1, zorder=1.5)
        ax.plot([_drawn(layer["about_z"])], [y], "x", color=color, markersize=5, markeredgewidth=1.2, zorder=1.6)
    _log_axis(ax, "x", [layer[which] for layer in layers for which in ("median", "worst", "reaching", "about_z")])
    mark(ax, ROUNDING, "float32 rounding", vertical=True)
    ax.set_yticks(range(len(layers)), [f"{layer['name']}  {layer['kind']}" for layer in layers])
    ax.tick_params(axis="y", length=0, labelsize=9, labelcolor=INK)
    ax.set(ylim=(len(layers) - 0.4, -0.6), xlabel="relative equivariance error")
    marks = [Line2D([], [], color=VERDICTS[verdict], marker="o", label=f"added: {verdict}") for verdict in verdicts] + [
        Line2D([], [], color=INK, marker="|", markersize=8, markeredgewidth=1.6, label="dot: median, bar: worst"),
        Line2D([], [], color=INK, marker="x", linewidth=0, label="about the z axis alone"),
        Line2D([], [], color=MUTED, marker="d", markerfacecolor="none", linewidth=0, label="gathered at its output"),
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=2, fontsize=9, handlelength=1.6)
    return figure


@style()
def oversampling_errors(oversampling: Mapping[str, Any]) -> Figure:
    """Relative equivariance error against oversampling, for single activations and for a whole network.

    Args:
        oversampling: "factors" (band limit of the grid over that of the signal), "functions" (name -> errors at each
            factor) and "network" (errors of its output at each factor).

    >>> figure = oversampling_errors({"factors": [1, 2], "functions": {"relu": [1e-2, 3e-3]}, "network": [3e-2, 5e-3]})
    >>> figure.axes[0].get_yscale()
    'log'
    """
    figure = empty(WIDTH, 3.7)
    ax = plain(figure.add_subplot())
    errors = {**oversampling["functions"], "whole network": oversampling["network"]}
    colors = dict(zip(oversampling["functions"], 2 * (ORANGE, GREEN, SKY, PURPLE, VERMILION, MUTED), strict=False))
    ends = []
    for (name, values), marker in zip(errors.items(), 2 * "s^vDPX", strict=False):
        drawn = [_drawn(v) for v in values]
        whole = name not in colors
        ax.plot(oversampling["factors"], drawn, marker="o" if whole else marker, color=colors.get(name, BLUE),
                linewidth=2.8 if whole else 1.8, label=name, clip_on=False)  # fmt: skip
        ends.append(next((v for v in reversed(drawn) if isfinite(v)), FLOOR))
    low, high = _log_axis(ax, "y", [v for values in errors.values() for v in values])
    *places, beside = (10**p for p in spread([log10(v) for v in [*ends, ROUNDING]], 0.065 * log10(high / low)))
    mark(ax, ROUNDING, "rounding", beside)
    name_ends(ax, ax.lines[: len(ends)], places)
    ax.set_xticks(oversampling["factors"], [f"{x:g}" for x in oversampling["factors"]])
    ax.set(xlabel="oversampling: band limit of the grid over that of the signal", ylabel="relative equivariance error")
    ax.set_xlim(min(oversampling["factors"]), max(oversampling["factors"]))
    return figure


@style()
def times(seconds: Mapping[str, float]) -> Figure:
    """Bars of how long each step took, in the order of the steps.

    >>> [text.get_text() for text in times({"training": 61.25, "evaluation": 0.4}).axes[0].texts]
    ['61.2 s', '0.4 s']
    """
    figure = empty(WIDTH, 0.9 + 0.3 * len(seconds))
    ax = plain(figure.add_subplot(), grid="x")
    ax.barh(range(len(seconds)), list(seconds.values()), 0.62, color=BLUE)
    for y, value in enumerate(seconds.values()):
        ax.annotate(f"{value:.1f} s", (value, y), (4, 0), textcoords="offset points", va="center", fontsize=10)
    ax.set_yticks(range(len(seconds)), list(seconds))
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.set(ylim=(len(seconds) - 0.4, -0.6), xlim=(0, 1.15 * max([*seconds.values(), 1e-9])), xlabel="time (seconds)")
    return figure


def _drawn(error: float | None) -> float:
    """Where a relative error is drawn: none or not a number nowhere, next to nothing at the floor."""
    return max(error, FLOOR) if error is not None and isfinite(error) else nan


def _log_axis(ax: Axes, which: str, errors: Sequence[float | None]) -> tuple[float, float]:
    """Scale an axis to whole powers of ten around the errors and the rounding; return its limits."""
    drawn = [v for v in map(_drawn, errors) if isfinite(v)] + [ROUNDING]
    powers = range(floor(log10(min(drawn))), max(ceil(log10(1.2 * max(drawn))), -2) + 1)
    low, high = 10.0 ** powers[0] / (2 if min(drawn) <= FLOOR else 1), 10.0 ** powers[-1]
    ax.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    labels = [r"$\approx 0$" if 10.0**k == FLOOR else f"$10^{{{k}}}$" for k in powers]
    ax.set(**{f"{which}ticks": [10.0**k for k in powers], f"{which}ticklabels": labels})
    return low, high
