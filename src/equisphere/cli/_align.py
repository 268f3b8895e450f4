"""`equisphere align`."""

from math import degrees, isqrt
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table
from torch import Tensor

from equisphere.cli._common import answer, print_json, teaching
from equisphere.cli._train import Json
from equisphere.groups import euler_angles

#: radians below which a rotation is none
STILL = 1e-8


@teaching
def align(
    a: Annotated[Path, typer.Argument(help="A map, picture, cloud, mesh, or file of coefficients.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another of the same kind.", metavar="B")],
    bandwidth: Annotated[int, typer.Option(min=2, help="Degrees to compare: 32 see 6 degrees of arc.")] = 32,
    peaks: Annotated[
        int, typer.Option(min=1, help="How many rotations to give at most; symmetric things have many.")
    ] = 8,
    key: Annotated[str | None, typer.Option(help="Name of the array in .npz files.")] = None,
    poles: Annotated[
        bool | None,
        typer.Option(
            "--poles/--no-poles",
            help="First and last row of a map are the poles. Default: where there is a row more than half the columns.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the rotation that takes A to B, and say how sure it is.

    .npy and .npz files hold an equirectangular map (north first), maps one after the other, HEALPix maps in RING order, L*L
    coefficients, or a cloud of points (n, 3), as .pts files do; the answer says what was read. Pictures are equirectangular
    panoramas, twice as wide as high. Meshes (with the extra `data`) are compared by where their surface lies, seen from its
    centroid. The mean does not count, nor does a positive factor. A mirror image is not found. What `equisphere project` wrote
    is read as such.
    """
    from equisphere.align import align as find
    from equisphere.data import read_pair

    x, y, kinds = read_pair(a, b, bandwidth, key, poles)
    found = find(x, y, channels=True, peaks=peaks)
    n = max(1, int(found.count()))
    equal = [_described(R, score) for R, score in zip(found.rotations[:n], found.scores[:n].tolist(), strict=True)]
    equal.sort(key=lambda one: (-round(one["score"], 6), one["angle_degrees"]))  # of symmetries the smallest turn first
    report: dict[str, Any] = {
        "a": str(a),
        "b": str(b),
        "read_as": kinds,
        "bandwidth": isqrt(x.shape[-1]),
        "score": float(found.score),
        "margin": float(found.margin),
        "error_degrees": degrees(float(found.error)) if torch.isfinite(found.error) else None,
        "best": equal[0],
        "within_0.01_of_the_best": equal[1:],
    }
    if as_json:
        print_json(report)
        return
    table = Table("", "", show_header=False)
    error = report["error_degrees"]
    asked = "" if report["bandwidth"] == bandwidth else f" ({bandwidth} asked for)"
    table.add_row("read as", kinds[0] if kinds[0] == kinds[1] else "\n".join(kinds))
    table.add_row("compared", f"to band limit {report['bandwidth']}{asked}")
    table.add_row("score", f"{report['score']:.4f} (1 where B is A turned, 0 where nothing is alike)")
    table.add_row("margin", f"{report['margin']:.4f} (how much better than the second best rotation)")
    if error is None:
        table.add_row("error", "a turn changes nothing")
    else:
        table.add_row("error", f"{error:.2g} degrees, estimated; more where what differs is not like noise")
    for best in [report["best"], *report["within_0.01_of_the_best"]]:
        table.add_row("rotation", _in_words(best))
    answer.print(table, highlight=False)


def _described(R: Tensor, score: float) -> dict[str, Any]:
    angle = 2 * torch.asin(((R - torch.eye(3, dtype=R.dtype)).norm() / 8**0.5).clamp(max=1))
    half_turn = (R + R.mT + (1 - R.trace()) * torch.eye(3, dtype=R.dtype))[:, int(R.diagonal().argmax())]
    twist = torch.stack((R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]))
    axis = half_turn * (1.0 if half_turn @ twist >= 0 else -1.0)
    if angle < STILL:  # of no turn every axis is one
        axis = torch.tensor([0.0, 0.0, 1.0], dtype=R.dtype)
    return {
        "score": score,
        "matrix": R.tolist(),
        "euler_zyz_degrees": [degrees(float(x)) for x in euler_angles(R)],
        "axis": (axis / axis.norm().clamp(min=1e-12)).tolist(),
        "angle_degrees": degrees(float(angle)),
    }


def _in_words(found: dict[str, Any]) -> str:
    # z: no minus before a zero
    axis = ", ".join(f"{x:z.4f}" for x in found["axis"])
    rows = "\n".join("  ".join(f"{x:z8.5f}" for x in row) for row in found["matrix"])
    return f"{found['angle_degrees']:.3f} degrees about ({axis}), score {found['score']:.4f}\n{rows}"
