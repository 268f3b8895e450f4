"""Measure the samplings and write the tables of docs/samplings.md: no number there is typed by hand.

    python docs/write_samplings.py [accuracy] [time] [scattered] [points] [masked]

Times are medians on one thread, per map, forward only; healpy runs in the same process on one thread too. Each table
stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import healpy
import numpy as np
import torch

import equisphere as es
from equisphere.transforms import condition_number, evaluate, masked_fit, masked_quadrature, to_complex_basis
from equisphere.transforms._points_engine import PointSums

PAGE = Path(__file__).parent / "samplings.md"


def main() -> None:
    """Write the tables named on the command line, or every one."""
    torch.set_num_threads(1)
    tables = {"accuracy": accuracy, "time": times, "scattered": scattered, "points": points, "masked": masked}
    for name in sys.argv[1:] or tables:
        torch.manual_seed(0)
        made = f"<!-- begin {name} -->\n{tables[name]()}\n<!-- end {name} -->"
        text = PAGE.read_text()
        PAGE.write_text(
            text.replace(re.findall(rf"<!-- begin {name} -->.*?<!-- end {name} -->", text, re.DOTALL)[0], made)
        )


def accuracy(nside: int = 64) -> str:
    """Round trips of coefficients of unit variance on HEALPix, and the same by healpy."""
    rows = []
    for ratio in (1.5, 2, 2.5, 3):
        L = int(ratio * nside)
        grid = es.grids.HEALPix(nside)
        c = torch.randn(1, L * L, dtype=torch.float64)
        loose, tight = es.SHT(grid, L), es.SHT(grid, L, tolerance=1e-12)
        again = [loose(loose.inverse(c)), tight(tight.inverse(c)), loose(loose.inverse(c.float())).double()]
        rows.append(
            [
                f"{ratio:g} nside",
                f"{condition_number(grid, L):.3g}",
                f"{loose.refinement_steps}",
                *(f"{e:.0e}" for e in errors(again[0], c)),
                f"{errors(again[2], c)[0]:.0e}",
                f"{tight.refinement_steps}",
                *(f"{e:.0e}" for e in errors(again[1], c)),
                f"{errors(by_healpy(c, nside, L, 3), c)[0]:.0e}",
                f"{errors(by_healpy(c, nside, L, 10), c)[0]:.0e}",
            ]
        )
    head = ["L", "condition", "steps", "rms", "max", "rms, float32", "steps at 1e-12", "rms", "max"]
    return table([*head, "healpy, iter=3: rms", "iter=10: rms"], rows)


def errors(found: torch.Tensor, wanted: torch.Tensor) -> tuple[float, float]:
    """Relative error in the norm (rms), and largest error over the largest coefficient."""
    difference = found - wanted
    return float(difference.norm() / wanted.norm()), float(difference.abs().max() / wanted.abs().max())


def by_healpy(c: torch.Tensor, nside: int, L: int, steps: int) -> torch.Tensor:
    """The round trip of healpy, with its ring weights."""
    pick = np.concatenate([[l * l + l + m for l in range(m, L)] for m in range(L)])
    alm = to_complex_basis(c)[0].numpy()[pick]
    again = healpy.map2alm(healpy.alm2map(alm, nside, lmax=L - 1), lmax=L - 1, iter=steps, use_weights=True)
    full = np.zeros(L * L, dtype=complex)
    degree, order = es.harmonics.degrees_and_orders(L)
    full[pick] = again
    negative = order < 0
    full[negative] = (-1.0) ** order[negative] * full[(degree**2 + degree - order)[negative]].conj()
    return es.transforms.to_real_basis(torch.from_numpy(full)).real[None]


def times() -> str:
    """Time for a map, alone and in a batch, against healpy."""
    rows = []
    for nside, batch in ((64, 1), (64, 32), (128, 1), (128, 8)):
        L = 2 * nside
        sht = es.SHT(es.grids.HEALPix(nside))
        for dtype in (torch.float32, torch.float64):
            f = torch.randn(batch, 12 * nside**2, dtype=dtype)
            c = sht(f)
            row = [nside, L, batch, str(dtype).removeprefix("torch.")]
            row += [f"{1e3 * median(call) / batch:.2f}" for call in (lambda: sht.inverse(c), lambda: sht(f))]  # noqa: B023
            rows.append(row)
        m = f[0].numpy()
        alm = healpy.map2alm(m, lmax=L - 1, iter=0)
        theirs = [lambda: healpy.alm2map(alm, nside, lmax=L - 1)]  # noqa: B023
        theirs += [lambda: healpy.map2alm(m, lmax=L - 1, iter=3)]  # noqa: B023
        for row in rows[-2:]:
            row += [f"{1e3 * median(call):.2f}" for call in theirs]
    head = ["nside", "L", "maps", "dtype", "synthesis, ms a map", "analysis to 1e-6", "healpy synthesis"]
    return table([*head, "healpy analysis, iter=3"], rows)


def median(call: Callable[[], object], repeats: int = 5) -> float:
    """Processor time of a call, in seconds: what other programs do does not count."""
    call()
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def scattered() -> str:
    """Round trips on random points, by their number."""
    rows = []
    for L in (8, 24):
        for ratio in (1.5, 2, 4, 8):
            grid = es.grids.Scattered(unit(int(ratio * L * L)))
            c = torch.randn(1, L * L, dtype=torch.float64)
            row = [L, f"{ratio:g} L^2", f"{condition_number(grid, L):.2g}"]
            for tolerance in (None, 1e-12):
                sht = es.SHT(grid, L, tolerance)
                row.append(f"{errors(sht(sht.inverse(c)), c)[0]:.0e}")
            rows.append(row)
    return table(["L", "points", "condition", "rms error, by default", "with tolerance=1e-12"], rows)


def points() -> str:
    """Plain sums against the non-uniform FFT."""
    rows = []
    for n, L in ((2000, 16), (10000, 32), (10000, 128), (100000, 64)):
        at = unit(n)
        c, v = torch.randn(L * L, 1, dtype=torch.float64), torch.randn(n, 1, dtype=torch.float64)
        plain, fast = (PointSums(at, L, fast=choice) for choice in (False, True))
        error = float((plain.to_points(c) - fast.to_points(c)).norm() / plain.to_points(c).norm())
        calls = [partial(call, x) for sums in (plain, fast) for call, x in ((sums.to_points, c), (sums.from_points, v))]
        spent = [1e3 * median(call, 3) for call in calls]
        rows.append([n, L, *(f"{t:.1f}" for t in spent), f"{error:.0e}"])
    head = ["points", "L", "plain: values, ms", "plain: sums", "FFT: values, ms", "FFT: sums", "difference"]
    return table(head, rows)


def masked() -> str:
    """Least squares and plain quadrature with a cap about a point of the equator missing."""
    rows = []
    grid, L = es.grids.HEALPix(16), 24
    c = torch.randn(1, L * L, dtype=torch.float64)
    f = es.SHT(grid, L).inverse(c)
    for degrees in (5, 10, 15, 20, 30):
        mask = grid.points[:, 0] < np.cos(np.radians(degrees))
        fits = []
        for tolerance in (1e-6, 1e-10):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = masked_fit(f, grid, mask, L, tolerance=tolerance)
            seen = evaluate(found - c, grid.points[mask]).norm() / f[:, mask].norm()
            fits += [f"{errors(found, c)[0]:.0e}" + (" (warns)" if caught else ""), f"{float(seen):.0e}"]
        plain = errors(masked_quadrature(f, grid, mask, L), c)[0]
        kappa = condition_number(grid, L, mask)
        rows.append([degrees, f"{kappa:.1e}", *fits, f"{plain:.0e}"])
    head = [
        "radius, degrees",
        "condition",
        "fit to 1e-6: coefficients",
        "samples",
        "fit to 1e-10: coefficients",
        "samples",
    ]
    return table([*head, "quadrature: coefficients"], rows)


def unit(n: int) -> torch.Tensor:
    """Random points."""
    return torch.nn.functional.normalize(torch.randn(n, 3, dtype=torch.float64), dim=-1)


def table(head: list[str], rows: list[list]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(x) for x in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
