"""Sentences about results. Every word that judges is chosen by the numbers."""

from collections.abc import Mapping, Sequence
from math import floor, isfinite, log10, sqrt
from typing import Any

from equisphere.plot._errors import FLOOR, ROUNDING

SPACE = "\u00a0"  # between a number and its unit
#: Relative error up to which rounding may be the explanation, summed over a whole layer in float32.
ROUNDED = 10 * ROUNDING


def percent(fraction: float) -> str:
    r"""A fraction in percent.

    >>> percent(0.9513)
    '95.1\xa0%'
    """
    return f"{100 * fraction:.1f}{SPACE}%"


def whole(number: int) -> str:
    """A whole number, thousands apart.

    >>> whole(58210)
    '58,210'
    """
    return f"{number:,}"


def small(error: float | None) -> str:
    """A small number as a power of ten.

    >>> small(2.13e-7), small(0.0)
    ('2.1·10⁻⁷', '0')
    """
    if error is None or not _known(error):
        return "–"
    if error == 0:
        return "0"
    power = floor(log10(abs(error)))
    if abs(round(error / 10**power, 1)) >= 10:
        power += 1
    return f"{error / 10**power:.1f}·10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _known(error: float | None) -> bool:
    return error is not None and isfinite(error)


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds.

    >>> duration(185.2).replace(SPACE, " ")
    '3 min 5 s'
    """
    if seconds < 60:
        return f"{seconds:.1f}{SPACE}s"
    return f"{int(seconds) // 60}{SPACE}min {int(seconds) % 60}{SPACE}s"


def noise(a: float, b: float, tested: int) -> float:
    """Two standard errors of the difference of two accuracies: what chance alone explains."""
    return 2 * sqrt((a * (1 - a) + b * (1 - b)) / max(tested, 1))


def headline(results: Mapping[str, Any]) -> str:
    """The result in a sentence: what each network, trained upright, reads upright and in any orientation."""
    tested = results["data"]["test"]
    accuracy = results["accuracy"]
    same = _same_size(results["parameters"])
    return (
        f"Trained on upright digits only, the equivariant network {_change(accuracy['equivariant'], tested)}; "
        f"a planar CNN {same} {_change(accuracy['planar'], tested)}."
    )


def _change(by: Mapping[str, float], tested: int) -> str:
    upright, rotated = by["NR/NR"], by["NR/R"]
    lost, chance = upright - rotated, noise(upright, rotated, tested)
    if lost > max(chance, 0.1):
        return f"falls from {percent(upright)} upright to {percent(rotated)} in any orientation"
    if lost > max(chance, 0.01):
        return f"goes down from {percent(upright)} upright to {percent(rotated)} in any orientation"
    if -lost > max(chance, 0.01):
        return f"rises from {percent(upright)} upright to {percent(rotated)} in any orientation"
    return f"reads {percent(rotated)} of digits in any orientation ({percent(upright)} upright)"


def _same_size(parameters: Mapping[str, int]) -> str:
    ratio = parameters["planar"] / parameters["equivariant"]
    if 0.9 <= ratio <= 1.1:
        return "of the same size"
    if 0.75 <= ratio <= 1.33:
        return "of about the same size"
    return f"with {ratio:.1f} times as many parameters" if ratio > 1 else f"with {ratio:.0%} of its parameters"


def accuracy_words(results: Mapping[str, Any]) -> str:
    """What training in all orientations does for each network (R/R against NR/R)."""
    tested, by = results["data"]["test"], results["accuracy"]
    sentences = []
    for name, called in (("equivariant", "the equivariant network"), ("planar", "the planar CNN")):
        upright, rotated = by[name]["NR/R"], by[name]["R/R"]
        gain, chance = rotated - upright, noise(upright, rotated, tested)
        if abs(gain) <= max(chance, 0.01):
            sentences.append(f"changes little for {called} ({percent(upright)} without, {percent(rotated)} with)")
        else:
            verb = "brings" if gain > 0 else "sets back"
            sentences.append(f"{verb} {called} from {percent(upright)} to {percent(rotated)}")
    apart = by["equivariant"]["R/R"] - by["planar"]["R/R"]
    first = f"Training on rotated digits {sentences[0]} and {sentences[1]}. "
    if abs(apart) <= noise(by["equivariant"]["R/R"], by["planar"]["R/R"], tested):
        return first + "Trained so, the two are equal within the chance of the choice of test digits."
    place = "below" if apart > 0 else "above"
    return first + f"Trained so, the planar CNN stands {100 * abs(apart):.1f} points {place} the equivariant network."


def angle_words(angles: Mapping[str, Sequence[float]]) -> str:
    """Where between its extremes each network is, and from which angle the planar one has lost half."""
    e, p, degrees = angles["equivariant"], angles["planar"], angles["degrees"]
    words = (
        f"Over all angles the equivariant network lies between {percent(min(e))} and {percent(max(e))}, "
        f"the planar CNN between {percent(min(p))} and {percent(max(p))}."
    )
    below = [d for d, a in zip(degrees, p, strict=True) if a < p[0] / 2]
    if below:
        words += f" From {below[0]:g}° on the planar CNN reads less than half of what it read upright" + (
            "." if len(below) == len([d for d in degrees if d >= below[0]]) else " (with exceptions at larger angles)."
        )
    return words


def curve_words(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The best validation accuracy of each training."""
    best = []
    for name, curve in curves.items():
        top = max(curve["validation_accuracy"])
        epoch = curve["epoch"][list(curve["validation_accuracy"]).index(top)]
        best.append(f"{name} {percent(top)} (epoch {epoch})")
    return "Best on the validation digits: " + ", ".join(best) + "."


def layer_words(layers: Sequence[Mapping[str, Any]]) -> str:
    """Which layers are exact to rounding, which are not and why, and which adds most."""
    layers = [layer for layer in layers if all(_known(layer[which]) for which in ("median", "worst", "reaching"))]
    parts = [layer for layer in layers if layer["kind"] != "whole network"]
    exact = [layer for layer in parts if layer["verdict"] == "exact"]
    others = [layer for layer in parts if layer["verdict"] != "exact"]
    accused = [layer["name"] for layer in others if layer["verdict"] in ("about z alone", "not equivariant")]
    words = []
    if exact:
        most = max(layer["worst"] for layer in exact)
        words.append(f"{len(exact)} of the {len(parts)} layers are exact: they add at most {small(most)}, rounding.")
    if others:
        low, high = min(o["median"] for o in others), max(o["median"] for o in others)
        words.append(f"The others add between {small(low)} and {small(high)} (medians).")
        most_of_all = max(others, key=lambda layer: layer["median"])
        words.append(f"Most comes from {most_of_all['name']} ({most_of_all['kind']}).")
    if accused:
        words.append(f"Here something breaks the symmetry: {', '.join(accused)}.")
    if layers:
        words.append(f"At the end of the network, {small(layers[-1]['reaching'])} has gathered.")
    if any(layer["median"] <= FLOOR for layer in layers):
        words.append(f"Errors below {small(FLOOR)} stand at the left edge, as 0.")
    return " ".join(words)


def oversampling_words(oversampling: Mapping[str, Any]) -> str:
    """From which factor on each function is exact to rounding, and what the network gains."""
    factors = oversampling["factors"]
    exact, falling = [], []
    for name, errors in oversampling["functions"].items():
        first = next((k for k in range(len(factors)) if max(errors[k:]) <= 3 * ROUNDING), None)
        if first is None:
            falling.append(f"{name} (from {small(errors[0])} to {small(errors[-1])})")
        else:
            exact.append(f"{name} from {factors[first]:g} on")
    words = []
    if exact:
        words.append(f"Exact to rounding: {', '.join(exact)}.")
    if falling:
        words.append(f"Still above rounding at {factors[-1]:g}: {', '.join(falling)}.")
    network = oversampling["network"]
    words.append(f"The output of the whole network goes from {small(network[0])} to {small(network[-1])}.")
    return " ".join(words)
