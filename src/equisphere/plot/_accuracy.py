"""How well two networks read: upright, in any orientation, by angle, and while they learn."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from equisphere.plot._style import INK, MUTED, NETWORKS, WIDTH, empty, mark, name_ends, plain, spread, style

#: X/Y means trained on X and tested on Y; NR is not rotated, R each in a random orientation of its own.
PROTOCOLS = {"NR/NR": ("upright", "upright"), "NR/R": ("upright", "rotated"), "R/R": ("rotated", "rotated")}
#: Accuracy of guessing one of ten digits.
CHANCE = 0.1


@style()
def accuracy_bars(accuracy: Mapping[str, Mapping[str, float]], tested: int | None = None) -> Figure:
    """Bars of the accuracy of each network under each protocol, with the level of guessing.

    Args:
        accuracy: network -> protocol ("NR/NR", "NR/R", "R/R") -> fraction from 0 to 1.
        tested: how many digits were tested, for the label.

    >>> figure = accuracy_bars({"equivariant": {"NR/NR": 0.95, "NR/R": 0.94}, "planar": {"NR/NR": 0.97, "NR/R": 0.3}})
    >>> len(figure.axes[0].patches)
    4
    """
    figure = empty(WIDTH, 3.6)
    ax = plain(figure.add_subplot())
    protocols = [p for p in PROTOCOLS if any(p in by for by in accuracy.values())]
    wide = 0.76 / len(accuracy)
    for k, (name, by) in enumerate(accuracy.items()):
        for i, protocol in enumerate(protocols):
            if protocol not in by:
                continue
            x, y = i + (k - (len(accuracy) - 1) / 2) * wide, 100 * by[protocol]
            ax.bar(x, y, 0.92 * wide, color=NETWORKS.get(name, MUTED), label=name if i == 0 else None)
            ax.annotate(f"{y:.1f}", (x, y), (0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=10)
    mark(ax, 100 * CHANCE, "guessing")
    ax.set_xticks(range(len(protocols)), [_protocol(p) for p in protocols], linespacing=1.4)
    ax.tick_params(axis="x", length=0, labelcolor=INK)
    ax.set(ylim=(0, 106), yticks=range(0, 101, 20), ylabel=f"accuracy{_on(tested)} (%)")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


@style()
def accuracy_by_angle(angles: Mapping[str, Sequence[float]], tested: int | None = None) -> Figure:
    """Lines of accuracy against the angle by which the tested digits were rotated.

    Args:
        angles: "degrees", and for each network a fraction from 0 to 1 at each of them.
        tested: how many digits were tested at each angle, for the label.

    >>> figure = accuracy_by_angle({"degrees": [0, 90, 180], "equivariant": [0.9, 0.9, 0.9], "planar": [0.9, 0.3, 0.2]})
    >>> [line.get_label() for line in figure.axes[0].lines][:2]
    ['equivariant', 'planar']
    """
    figure = empty(WIDTH, 3.6)
    ax = plain(figure.add_subplot())
    names = [name for name in angles if name != "degrees"]
    for name, marker in zip(names, "oDs^v", strict=False):
        percent = [100 * a for a in angles[name]]
        ax.plot(angles["degrees"], percent, marker=marker, color=NETWORKS.get(name, MUTED), label=name, clip_on=False)
    ends = [100 * angles[name][-1] for name in names] + [100 * CHANCE]
    *places, beside = spread(ends, 6.5)
    mark(ax, 100 * CHANCE, "guessing", beside)
    name_ends(ax, ax.lines[: len(names)], places)
    last = max(angles["degrees"])
    ax.set(xlim=(0, last), ylim=(0, 106), yticks=range(0, 101, 20), ylabel=f"accuracy{_on(tested)} (%)")
    ax.set_xticks([d for d in range(0, 361, 30) if d <= last])
    ax.set_xlabel("angle by which the digits are rotated (degrees)")
    return figure


@style()
def learning_curves(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Training loss and validation accuracy against the epoch, one line for each training.

    Args:
        curves: "network NR" or "network R" -> "epoch", "train_loss" and "validation_accuracy" (fractions from 0 to 1).

    >>> curve = {"epoch": [1, 2], "train_loss": [1.2, 0.4], "validation_accuracy": [0.7, 0.9]}
    >>> [ax.get_ylabel() for ax in learning_curves({"equivariant NR": curve}).axes]
    ['training loss', 'validation accuracy (%)']
    """
    figure = empty(WIDTH, 4.9)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name, curve in curves.items():
        network, _, trained = name.rpartition(" ")
        how = {"color": NETWORKS.get(network, MUTED), "linestyle": (0, (4, 2)) if trained == "R" else "-"}
        if len(curve["epoch"]) == 1:
            how["marker"] = "o"
        upper.plot(curve["epoch"], curve["train_loss"], **how)
        lower.plot(curve["epoch"], [100 * a for a in curve["validation_accuracy"]], label=_training(name), **how)
    for ax in (upper, lower):
        plain(ax)
    if all(loss > 0 for curve in curves.values() for loss in curve["train_loss"]):
        upper.set_yscale("log")
        upper.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        upper.yaxis.set_major_formatter("{x:g}")
        upper.yaxis.set_minor_locator(NullLocator())
    upper.set_ylabel("training loss")
    lower.set(xlabel="epoch", ylabel="validation accuracy (%)")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*lower.get_legend_handles_labels(), loc="outside upper left", ncols=2, handlelength=2.2, fontsize=9)
    return figure


def _protocol(name: str) -> str:
    trained, read = PROTOCOLS[name]
    return f"trained {trained},\ntested {read}\n({name})"


def _training(name: str) -> str:
    """The words for "equivariant NR" and the like.

    >>> _training("planar R")
    'planar, trained rotated (R)'
    """
    network, _, trained = name.rpartition(" ")
    words = {"NR": "upright", "R": "rotated"}
    return f"{network}, trained {words[trained]} ({trained})" if trained in words else name


def _on(tested: int | None) -> str:
    return "" if tested is None else f" on {tested:,} test digits"
