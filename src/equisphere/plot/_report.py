"""The results of a demonstration as pictures and one page of HTML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from equisphere._files import replacing
from equisphere.plot import _words
from equisphere.plot._accuracy import accuracy_bars, accuracy_by_angle, learning_curves
from equisphere.plot._digits import digits, read_aloud
from equisphere.plot._errors import layer_errors, oversampling_errors, times
from equisphere.plot._page import page, png


def write_report(results: Mapping[str, Any], signals: Mapping[str, Any], folder: Path) -> Path:
    """Write `figures/*.png` and `report.html`, a page that holds all it shows and needs no network.

    Every file is written under another name and then renamed, the page last: what carries its name is complete, and what
    was there before stays until then.

    Args:
        results: plain numbers and words: "title", "seed", "machine", "versions", "date", "data" (name; numbers of digits
            in "train", "validation" and "test"), "parameters", "accuracy", "angles", "curves", "layers", "planar_layers",
            "oversampling" (the last six as the figures take them) and "seconds" (what -> how long, in order).
        signals: "coefficients" and "rotated" `(n, L*L)`, "labels" and "predictions", as `digits` takes them.
        folder: where to; made if it is not there.

    Returns:
        Path of `report.html`.

    Raises:
        KeyError: where results or signals lack something.
        ValueError: where the signals are not coefficients, or not as many as labels and predictions.
        OSError: where the folder cannot be written.
    """
    pictures = {name: png(figure) for name, figure in _figures(results, signals).items()}
    text = _page(results, signals, pictures).encode()
    for name, picture in pictures.items():
        with replacing(folder / "figures" / f"{name}.png") as part:
            part.write_bytes(picture)
    with replacing(folder / "report.html") as part:
        part.write_bytes(text)
    return folder / "report.html"


def _figures(results: Mapping[str, Any], signals: Mapping[str, Any]) -> dict[str, Figure]:
    tested = results["data"]["test"]
    return {
        "digits": digits(signals),
        "digits_narrow": digits(signals, columns=5, size=0.75),
        "accuracy": accuracy_bars(results["accuracy"], tested),
        "angles": accuracy_by_angle(results["angles"], tested),
        "curves": learning_curves(results["curves"]),
        "layers": layer_errors(results["layers"]),
        "oversampling": oversampling_errors(results["oversampling"]),
        "times": times(results["seconds"]),
    }


def _page(results: Mapping[str, Any], signals: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    right = {
        name: sum(int(a) == int(b) for a, b in zip(said, signals["labels"], strict=True))
        for name, said in signals["predictions"].items()
    }
    return page(
        "report.html.j2",
        pictures,
        r=results,
        headline=_words.headline(results),
        shown=len(signals["labels"]),
        right=right,
        aloud=read_aloud(signals),
        words={
            "accuracy": _words.accuracy_words(results),
            "angles": _words.angle_words(results["angles"]),
            "curves": _words.curve_words(results["curves"]),
            "layers": _words.layer_words(results["layers"]),
            "oversampling": _words.oversampling_words(results["oversampling"]),
        },
    )
