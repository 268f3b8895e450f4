"""The report of an audit as pictures and one page of HTML."""

from collections.abc import Mapping
from math import ceil, floor, isfinite, log10, pi
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator, NullFormatter

from equisphere._files import replacing
from equisphere.plot._errors import FLOOR, VERDICTS, layer_errors
from equisphere.plot._page import page, png
from equisphere.plot._style import BLUE, FAINT, INK, MUTED, PURPLE, WIDTH, empty, plain, style

#: how many parts the figure of spectra shows
SPECTRA = 3


def audit_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parts of an audited model, and the model as a whole, as `layer_errors` takes them.

    Args:
        report: `equisphere.audit.Report.to_dict()`.
    """
    rows = []
    for layer in report["layers"]:
        calls = f" (call {layer['call'] + 1})" if layer["call"] else ""
        rows.append(
            {
                "name": (layer["name"] or "(the model)") + calls,
                "kind": layer["kind"] + (f" (with {', '.join(layer['includes'])})" if layer["includes"] else ""),
                "median": layer["own"]["median"],
                "worst": layer["own"]["worst"],
                "about_z": layer["own"]["about_z"],
                "reaching": layer["reaching"]["median"] if layer["reaching"] else None,
                "verdict": layer["verdict"],
            }
        )
    total = report["total"]
    whole = {key: total["own"][key] for key in ("median", "worst", "about_z")}
    return [
        *rows,
        {
            "name": report["model"],
            "kind": "whole network",
            **whole,
            "reaching": whole["median"],
            "verdict": total["verdict"],
        },
    ]


@style()
def rotation_errors(report: Mapping[str, Any]) -> Figure:
    """Error of a whole model for each rotation: against its angle, and at its axis on the globe, seen from both poles.

    Args:
        report: `equisphere.audit.Report.to_dict()`.
    """
    errors, about_z = _drawn(report["total"]["own"]["errors"]), _drawn(report["total"]["own"]["errors_about_z"])
    axes, angles = _axes_and_angles(np.array(report["rotations"]))
    figure = empty(WIDTH, 5.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1), squeeze=False)[:, 0]
    ax = plain(top.add_subplot())
    ax.plot(np.degrees(angles), errors, "o", color=BLUE, label="about any axis", clip_on=False)
    ax.plot(
        np.degrees(report["z_angles"]),
        about_z,
        "x",
        color=PURPLE,
        markeredgewidth=1.6,
        label="about the z axis",
        clip_on=False,
    )
    ax.set(yscale="log", xlim=(0, 180), xticks=range(0, 181, 30), xlabel="angle of the rotation (degrees)")
    ax.set_ylabel("relative equivariance error")
    low, high = min([*errors, *about_z]), max([*errors, *about_z])
    ax.set_ylim(10.0 ** floor(log10(low)), 10.0 ** ceil(log10(1.1 * high)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    top.legend(loc="outside upper left", ncols=2, fontsize=9)
    norm = LogNorm(max(FLOOR, min(errors)) / 1.001, max(errors) * 1.001)
    globes = bottom.subplots(1, 2)
    for ax, side, name in zip(globes, (1, -1), ("north", "south"), strict=True):
        here = axes[:, 2] * side >= 0
        x, y, z = axes[here].T
        ax.add_patch(Circle((0, 0), 1, facecolor="#f7f5ef", edgecolor=MUTED, linewidth=0.8, zorder=0))
        for ring in (30, 60):
            ax.add_patch(
                Circle(
                    (0, 0),
                    np.sqrt(1 - np.cos(np.radians(ring))),
                    fill=False,
                    edgecolor=FAINT,
                    linewidth=0.8,
                    zorder=0.5,
                )
            )
        radius = np.sqrt((1 - np.abs(z)) / np.maximum(x * x + y * y, 1e-12))  # equal areas (Lambert)
        dots = ax.scatter(
            side * x * radius,
            y * radius,
            c=errors[here],
            norm=norm,
            cmap="viridis_r",
            s=34,
            edgecolors=INK,
            linewidths=0.5,
        )
        ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
        ax.set_axis_off()
        ax.set_title(f"axes on the {name}ern half", fontsize=9.5, color=MUTED)
    bar = bottom.colorbar(dots, ax=globes, shrink=0.8)
    bar.set_label("error", fontsize=9.5)
    bar.ax.tick_params(labelsize=8.5, which="both", colors=MUTED)
    return figure


@style()
def error_spectra(report: Mapping[str, Any]) -> Figure | None:
    """Power of the error by degree, beside that of the signal, for the parts that add most; None where none has a spectrum.

    Args:
        report: `equisphere.audit.Report.to_dict()`.
    """
    shown = [layer for layer in report["layers"] if layer["spectra"] and layer["verdict"] != "exact"]
    shown = sorted(shown, key=lambda layer: -layer["own"]["median"])[:SPECTRA]
    if not shown:
        return None
    figure = empty(WIDTH, 0.7 + 1.75 * len(shown))
    for ax, layer in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
        signal, error = (np.array(s) for s in layer["spectra"])
        plain(ax)
        degrees = np.arange(len(signal))
        top = max(signal.max(), 1e-30)
        for values, color, name in ((signal, MUTED, "signal"), (error, VERDICTS[layer["verdict"]], "error")):
            ax.plot(
                degrees,
                np.where(values > 0, values / top, np.nan),
                "o-",
                color=color,
                markersize=3.5,
                linewidth=1.6,
                label=name,
            )
        ax.set(yscale="log", ylabel="power")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_title(f"{layer['name'] or '(the model)'}  {layer['kind']}: {layer['verdict']}", fontsize=9.5, loc="left")
        ax.legend(fontsize=9, ncols=2, loc="best")
    ax.set_xlabel("degree")
    return figure


def write_audit(report: Mapping[str, Any], path: Path) -> Path:
    """Write one page about an audit that holds all it shows and needs no network.

    Args:
        report: `equisphere.audit.Report.to_dict()`.
        path: where to; its folder is made if it is not there.

    Returns:
        The path.

    Raises:
        OSError: where it cannot be written.
    """
    rows = audit_rows(report)
    figures = {"layers": layer_errors(rows), "rotations": rotation_errors(report), "spectra": error_spectra(report)}
    pictures = {name: png(figure) for name, figure in figures.items() if figure is not None}
    text = page(
        "audit.html.j2",
        pictures,
        a=report,
        rows=rows,
        headline=audit_headline(report),
        has_spectra="spectra" in pictures,
    )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def audit_headline(report: Mapping[str, Any]) -> str:
    """The result in a sentence.

    Args:
        report: `equisphere.audit.Report.to_dict()`.
    """
    model, off = report["model"], report["total"]["own"]["worst"]
    if report["equivariant"]:
        return f"{model} is equivariant: its largest relative error over all rotations tried is {off:.1e}, rounding."
    if report["accused"]:
        names = ", ".join(name or "the model's own code" for name in report["accused"])
        off_by = f"its output is off by up to {100 * off:.2g} % under rotations"
        return f"{model} is not equivariant: {off_by}. The cause sits in {names}."
    worst = report["worst"] or "the model's own code"
    follows = f"{model} follows rotations to {100 * off:.2g} % of its output"
    return f"{follows}; the rest is a matter of resolution, most of it from {worst}."


def _axes_and_angles(R: Float64[np.ndarray, "n 3 3"]) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n"]]:
    """Axis and angle in [0, pi] of each rotation; the axis from the symmetric part where the angle is near pi."""
    angle = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    odd = np.stack((R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]), axis=1)
    _, vectors = np.linalg.eigh((R + R.transpose(0, 2, 1)) / 2)
    axis = vectors[:, :, -1]
    sign = np.where((odd * axis).sum(1) < 0, -1.0, 1.0)
    return axis * sign[:, None], np.where(angle > pi, pi, angle)


def _drawn(errors: list[float]) -> np.ndarray:
    return np.array([max(e, FLOOR) if isfinite(e) else 10.0 for e in errors])
