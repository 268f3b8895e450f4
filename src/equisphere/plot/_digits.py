"""Digits on the globe, and what two networks read."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from matplotlib.figure import Figure

from equisphere import _checks
from equisphere.plot._globe import globe, place
from equisphere.plot._style import INK, MUTED, NETWORKS, RIGHT, WRONG, empty, style
from equisphere.plot._visible import FROM_BELOW, TILTED, everywhere, facing, signals_of

_ROWS = ("upright,\nfrom below", "rotated,\nfrom the\nnorth", "the same,\nface on")


@style()
def digits(signals: Mapping[str, Any], columns: int = 10, size: float = 1.0) -> Figure:
    """Show digits upright and rotated, and what each network reads from the rotated ones.

    One column a digit: the upright one from below, where it stands; the rotated one from thirty degrees north, where
    it may be hidden, and face on, with north up; then the answers, the right with a tick and the wrong with a cross.

    Args:
        signals: "coefficients" and "rotated", tensors `(n, L*L)`; "labels", n whole numbers; "predictions", for each
            network n whole numbers read from the rotated signals.
        columns: how many digits go side by side.
        size: width of a globe, inches.

    Raises:
        ValueError: where the coefficients are no signals, or the numbers of signals, labels and predictions differ.
    """
    upright, rotated = signals_of(signals["coefficients"], 2), signals_of(signals["rotated"], 2)
    labels, predictions = signals["labels"], signals["predictions"]
    counts = [len(upright), len(rotated), len(labels), *map(len, predictions.values())]
    if len(set(counts)) != 1:
        raise ValueError(f"there must be as many rotated signals, labels and predictions as signals, got {counts}.")
    columns = min(_checks.positive_int(columns, "columns"), len(labels))
    gutter, gap, line = 1.12, 0.1, 0.24  # inches
    band = 3 * (size + gap) + line * (len(predictions) + 0.5) + 0.3
    bands = ceil(len(labels) / columns)
    figure = empty(gutter + columns * (size + gap) + gap, bands * band - 0.2, arranged=False)
    width, height = figure.get_size_inches()

    def write(x: float, y: float, text: str, **how: Any) -> None:
        figure.text(x / width, 1 - y / height, text, va="center", **{"fontsize": 10, "color": MUTED, **how})

    for b in range(bands):
        rows = [b * band + gap + r * (size + gap) for r in range(3)]
        answers = [rows[2] + size + line * (r + 1) for r in range(len(predictions))]
        for top, text in zip(rows, _ROWS, strict=True):
            write(gutter - 0.14, top + size / 2, text, ha="right", linespacing=1.35)
        for y, name in zip(answers, predictions, strict=True):
            write(gutter - 0.14, y, name, ha="right", color=NETWORKS.get(name, INK), weight="bold")
        for i in range(b * columns, min((b + 1) * columns, len(labels))):
            left = gutter + (i - b * columns) * (size + gap)
            f = everywhere(upright[i])
            background = float(f.median())  # most of the sphere
            limits = (background, max(float(f.max()), background + 1e-6))
            views = ((upright, FROM_BELOW), (rotated, TILTED), (rotated, facing(rotated[i])))
            for top, (which, view) in zip(rows, views, strict=True):
                globe(which[i], place(figure, left, top, size), view, limits, pixels=round(200 * size))
            for y, said in zip(answers, predictions.values(), strict=True):
                right = int(said[i]) == int(labels[i])
                text, color = (f"{int(said[i])} ✓", RIGHT) if right else (f"{int(said[i])} ✗", WRONG)
                write(left + size / 2, y, text, ha="center", color=color, weight="bold", fontsize=11)
    return figure


def read_aloud(signals: Mapping[str, Any]) -> str:
    """The same in words, for who cannot see the picture."""
    said = signals["predictions"]
    lines = [
        f"{int(label)} is read as " + " and ".join(f"{int(p[i])} ({name})" for name, p in said.items())
        for i, label in enumerate(signals["labels"])
    ]
    return "Digits on the globe, each in a random orientation: " + "; ".join(lines) + "."
