"""Write the figures of docs/dense.md from finished runs: no number there is typed by hand.

    for seed in 0 1 2; do
        equisphere train pano-layout --seed $seed --output runs/pano-layout-$seed
        equisphere train pano-layout-planar --seed $seed --output runs/pano-layout-planar-$seed
        equisphere train wind --seed $seed --output runs/wind-$seed
    done
    equisphere train pano-layout-planar --rotated --output runs/pano-layout-planar-rotated-0
    equisphere train sky-inpaint --output runs/sky-inpaint-0
    python docs/write_dense.py --runs runs/pano-layout-* runs/wind-* runs/sky-inpaint-0 --baselines --picture

Each part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; what it was made from is kept in docs/evidence/. The
data are those of the folder that EQUISPHERE_DATA names. Without arguments the page is written from what is kept.
"""

import argparse
import json
import math
import os
import platform
import re
import time
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch
from torch import Tensor

import equisphere as es
from equisphere import models, plot
from equisphere.data import Batch, MaskedSky, load_panoramas, load_sky, load_winds
from equisphere.plot._style import INK, MUTED, empty
from equisphere.transforms import masked_fit

PAGE = Path(__file__).parent / "dense.md"
KEPT = Path(__file__).parent / "evidence"


def main() -> None:
    """Keep the figures of runs, measure what they are compared with, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", type=Path, default=[], help="output folders of `equisphere train`")
    parser.add_argument("--baselines", action="store_true", help="measure climate, persistence and Wiener filter anew")
    parser.add_argument("--picture", action="store_true", help="draw docs/dense.png, and audit, by the runs of seed 0")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for folder in given.runs:
        figures, recipe = (json.loads((folder / f"{name}.json").read_text()) for name in ("figures", "recipe"))
        figures["epoch"] = len(figures.pop("history"))
        recipe["name"] += "-rotated" if recipe["rotated"] else ""
        keep(f"dense-{recipe['name']}-{recipe['seed']}", {"figures": figures, "recipe": recipe, "machine": machine()})
    if given.baselines:
        keep("dense-baselines", {"wind": wind_baselines(), "sky": sky_baselines(), "machine": machine()})
    if given.picture:
        folders = {folder.name: folder for folder in given.runs}
        networks = {name: models.load(folders[f"{name}-0"] / "model.safetensors")[0] for name in PANORAMIC}
        draw(networks)
        keep("dense-audit", audit(networks["pano-layout"]))
    text = PAGE.read_text()
    for name, part in (("panoramas", panoramas()), ("wind", wind()), ("sky", sky()), ("audit", audit_table())):
        marked = f"<!-- begin {name} -->\n{part}\n<!-- end {name} -->"
        text = re.sub(rf"<!-- begin {name} -->.*?<!-- end {name} -->", lambda _: marked, text, flags=re.DOTALL)  # noqa: B023
    PAGE.write_text(text)


def keep(name: str, value: dict[str, Any]) -> None:
    """Write what the page is made from."""
    (KEPT / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


def kept(pattern: str) -> list[dict[str, Any]]:
    """What was kept under names of a pattern."""
    return [json.loads(path.read_text()) for path in sorted(KEPT.glob(f"{pattern}.json"))]


def machine() -> str:
    """Where this runs."""
    busy = os.getloadavg()[0]
    return f"{platform.system()} {platform.machine()}, one thread, torch {torch.__version__}, load {busy:.1f}"


def wind_baselines() -> dict[str, float]:
    """RMSE of a component, m/s, of forecasts that need no network; what is fitted is fitted to the years of training."""
    data = load_winds()
    area = data.grid.weights / (4 * torch.pi)

    def rmse(error: Tensor) -> float:
        return float((error.square().mean(1) * area).sum((-2, -1)).mean().sqrt())

    months = data.months("test")
    train, test = (torch.stack([data.departures(m) for m in months]) for months in (data.months("train"), months))
    one, two = least_squares(train, area, 1), least_squares(train, area, 2)
    local = (train[:, -1] * train[:, -2]).sum((0, 1)) / train[:, -2].square().sum((0, 1))
    return {
        "persistence: last month's wind": rmse(torch.stack([data.winds[m] - data.winds[m - 1] for m in months])),
        "climatology: the month's mean over the years before": rmse(test[:, -1]),
        "climatology, and last month's departure from it": rmse(test[:, -1] - test[:, -2]),
        f"the same, damped by {float(one[0]):.2f}": rmse(test[:, -1] - one[0] * test[:, -2]),
        f"and {float(two[1]):.2f} of the last year's, {float(two[0]):.2f} of last month's": rmse(
            test[:, -1] - two[0] * test[:, -2] - two[1] * test[:, :-1].mean(1)
        ),
        "climatology, and last month's departure damped at each node by itself": rmse(
            test[:, -1] - local * test[:, -2]
        ),
    }


def least_squares(departures: Tensor, area: Tensor, terms: int) -> Tensor:
    """Factors of last month's departure and of the mean of the last year that fit best, over the area of the sphere."""
    root = area.sqrt().float()
    known = torch.stack((departures[:, -2], departures[:, :-1].mean(1))[:terms], dim=-1) * root[..., None]
    return torch.linalg.lstsq(known.reshape(-1, terms), (departures[:, -1] * root).reshape(-1, 1)).solution.flatten()


def sky_baselines() -> dict[str, float]:
    """RMSE in microkelvin on what the second masks hide of the observed sky."""
    data = load_sky()
    error, seconds = wiener(data)
    part = data.part("test", 8)
    target = part[Batch(torch.arange(64), 0)][1]
    nothing = float(((target.values[:, 0].square() * target.weights).sum() / target.weights.sum()).sqrt())
    return {
        "mean": 100 * nothing,
        "wiener": 100 * error,
        "wiener_noise_uk": 100 * data.unresolved**0.5,
        "wiener_ms": 1e3 * seconds,
    }


def wiener(data: MaskedSky) -> tuple[float, float]:
    """RMSE and time of a Wiener filter, given spectrum and noise, on the observed sky behind the second masks of the test."""
    L = 2 * data.grid.nside
    spectrum = data.spectrum.double().clone()
    spectrum[:2] = spectrum[2]  # the mean and the dipole are left to the data
    ridge = data.unresolved * 4 * torch.pi / len(data.sky) / spectrum
    seed = 10 * data.seed + es.data.PART_SEEDS["test"]
    second = data.second_masks(64, torch.Generator().manual_seed(seed))
    sky, squared, area, began = (data.sky - data.sky[data.mask].mean()).double(), 0.0, 0.0, time.perf_counter()
    for mask in second:
        c = masked_fit(sky, data.grid, mask & data.mask, L, ridge, tolerance=1e-4)
        hidden = data.mask & ~mask
        squared += float((es.SHT(data.grid, L).inverse(c) - sky)[hidden].square().sum())
        area += int(hidden.sum())
    return (squared / area) ** 0.5, (time.perf_counter() - began) / len(second)


#: which picture of the test part is drawn, and from which longitude
ROOM, LONGITUDE = 16, 4.4
PANORAMIC = ("pano-layout", "pano-layout-planar")
ROWS = {
    "pano-layout": "`SphericalUNet`, trained upright",
    "pano-layout-planar": "`PlanarUNet`, trained upright",
    "pano-layout-planar-rotated": "`PlanarUNet`, trained in random orientations",
}


def draw(networks: dict[str, models.ConfiguredModule]) -> None:
    """Labels of a room upright and tilted, and what both networks make of it: docs/dense.png."""
    data = load_panoramas()
    L = 48
    index = data.indices("test")[[ROOM]]
    colours = es.SHT(es.grids.DriscollHealy(nlat=128, nlon=256), L)(data.images[index].float() / 255)[0]
    hot = torch.nn.functional.one_hot(data.labels[index].long(), len(data.classes)).movedim(-1, 1).float()
    labels = es.SHT(es.grids.DriscollHealy(nlat=128, nlon=256), L)(hot)[0]
    eye = (1.9, LONGITUDE)
    towards = torch.tensor([math.sin(eye[0]) * math.cos(eye[1]), math.sin(eye[0]) * math.sin(eye[1]), math.cos(eye[0])])
    R = es.groups.rotation_about(towards, torch.tensor(1.9))  # so that the same side stays in sight
    size, gap, head, side = 1.7, 0.12, 0.3, 0.75
    figure = empty(side + (1 + len(PANORAMIC)) * (size + gap), head + 2 * (size + gap), arranged=False)
    width, height = figure.get_size_inches()
    words = ("labels", "SphericalUNet", "PlanarUNet")  # not the picture: nobody states the terms of the data
    for column, name in enumerate(words):
        figure.text(
            (side + column * (size + gap) + size / 2) / width,
            1 - 0.16 / height,
            name,
            ha="center",
            va="center",
            color=INK,
        )
    for row, (name, turn) in enumerate((("upright", torch.eye(3)), ("tilted", R))):
        top = head + row * (size + gap)
        figure.text(0.05 / width, 1 - (top + size / 2) / height, name, va="center", color=MUTED)
        seen = es.rotate(colours, turn)
        shown = [es.rotate(labels, turn)]
        with torch.no_grad():
            normal = (seen[:, : networks[PANORAMIC[0]].bandwidth ** 2]) / 0.25
            normal[:, 0] -= 2 * (4 * torch.pi) ** 0.5
            shown += [networks[kind](normal[None])[0] for kind in PANORAMIC]
        for column, c in enumerate(shown):
            left = side + column * (size + gap)
            ax = figure.add_axes((left / width, 1 - (top + size) / height, size / width, size / height))
            plot.globe_classes(c, ax, eye, pixels=340)
    figure.savefig(PAGE.with_suffix(".png"), dpi=110)


def audit(network: models.ConfiguredModule) -> dict[str, Any]:
    """The error of each part of the trained network under random rotations, on pictures of the test rooms."""
    data = load_panoramas()
    part = data.part("test", network.bandwidth)
    c, _ = part[Batch(torch.arange(8), 0)]
    report = es.audit.audit(network, c, rotations=8, seed=0, lie=False)
    rows = [
        {"name": row.name, "kind": row.kind, "median": row.own.median, "worst": row.own.worst, "verdict": row.verdict}
        for row in report.layers
    ]
    whole = {"median": report.total.own.median, "worst": report.total.own.worst}
    return {"layers": rows, "whole": whole, "worst": report.worst, "machine": machine()}


def audit_table() -> str:
    """Worst over kinds of layers, and the whole."""
    found = kept("dense-audit")
    if not found:
        return ""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in found[0]["layers"]:
        kinds.setdefault(row["kind"], []).append(row)
    lines = ["| layers | how many | median error | worst |", "| --- | --- | --- | --- |"]
    for kind, rows in kinds.items():
        lines.append(
            f"| {kind} | {len(rows)} | {max(r['median'] for r in rows):.1e} | {max(r['worst'] for r in rows):.1e} |"
        )
    whole = found[0]["whole"]
    lines.append(f"| the whole network | 1 | {whole['median']:.1e} | {whole['worst']:.1e} |")
    return "\n".join(lines)


def panoramas() -> str:
    """The table of panoramas."""
    lines = [
        "| network | seeds | parameters | mIoU upright | tilted | difference | seconds (median) | memory |",
        "|" + " --- |" * 8,
    ]
    first: list[dict[str, Any]] = []
    for name, words in ROWS.items():
        runs = kept(f"dense-{name}-[0-9]")
        if not runs:
            continue
        first = first or runs
        upright, tilted = ([100 * r["figures"]["test_miou"][key] for r in runs] for key in ("upright", "tilted"))
        apart = [b - a for a, b in zip(upright, tilted, strict=True)]
        seconds = median(r["figures"]["seconds"] for r in runs)
        memory = max(r["figures"]["peak_memory_mb"] for r in runs)
        cells = [
            words,
            str(len(runs)),
            f"{runs[0]['figures']['parameters']:,}",
            *(spread(x) for x in (upright, tilted)),
            spread(apart, 2),
        ]
        lines.append("| " + " | ".join([*cells, f"{seconds:.0f}", f"{memory} MB"]) + " |")
    if not first:
        return ""
    samples = [r["figures"]["samples"] for r in first]
    sizes = {part: " / ".join(str(s[part]) for s in samples) for part in samples[0]}
    lines += [
        "",
        "mIoU in %, mean ± standard deviation over the seeds, each with a division of the 11 rooms of its own "
        f"({sizes['train']} pictures to train on, {sizes['validation']} to choose the epoch by, {sizes['test']} to test on), "
        f"{first[0]['figures']['epoch']} epochs ({first[0]['machine']}).",
    ]
    return "\n".join(lines)


def wind() -> str:
    """The table of winds."""
    runs, others = kept("dense-wind-[0-9]"), kept("dense-baselines")
    if not runs or not others:
        return ""
    lines = ["| forecast of next month's wind | RMSE of a component, m/s |", "| --- | --- |"]
    lines += [f"| {words} | {value:.3f} |" for words, value in others[0]["wind"].items()]
    f, seconds = runs[0]["figures"], median(r["figures"]["seconds"] for r in runs)
    upright, rotated = (spread([r["figures"]["test_rmse"][key] for r in runs], 3) for key in ("upright", "rotated"))
    words = f"`SphericalUNet`, {f['parameters']:,} parameters, {len(runs)} seeds"
    lines.append(f"| {words} | **{upright}** (the Earth turned at random: {rotated}) |")
    lines += [
        "",
        f"{f['samples']['train']} months to train on, {f['samples']['validation']} to choose the epoch by, the last "
        f"{f['samples']['test']} to test on; {f['epoch']} epochs, {seconds:.0f} s (median), {f['peak_memory_mb']} MB "
        f"({runs[0]['machine']}).",
    ]
    return "\n".join(lines)


def sky() -> str:
    """The table of the sky."""
    runs, others = kept("dense-sky-inpaint-[0-9]"), kept("dense-baselines")
    if not runs or not others:
        return ""
    base = others[0]["sky"]
    lines = ["| what is put behind the mask | RMSE, microkelvin |", "| --- | --- |"]
    lines.append(f"| the mean | {base['mean']:.1f} |")
    words = f"Wiener filter (noise of a pixel {base['wiener_noise_uk']:.0f}), {base['wiener_ms']:.0f} ms a sky"
    lines.append(f"| {words} | {base['wiener']:.1f} |")
    for run in runs:
        f, rmse = run["figures"], run["figures"]["test_rmse"]
        words = f"`SphericalUNet`, {f['parameters']:,} parameters, seed {run['recipe']['seed']}"
        lines.append(f"| {words} | **{100 * rmse['upright']:.1f}** (turned at random: {100 * rmse['rotated']:.1f}) |")
    f = runs[0]["figures"]
    lines += [
        "",
        f"The observed sky behind {f['samples']['test']} second masks; {f['samples']['train']} new simulated skies in each of "
        f"{f['epoch']} epochs, {f['seconds']:.0f} s, {f['peak_memory_mb']} MB ({runs[0]['machine']}).",
    ]
    return "\n".join(lines)


def spread(values: list[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}" if len(values) > 1 else f"{values[0]:.{digits}f}"


if __name__ == "__main__":
    main()
