"""Accuracy of the transform beside ducc0 and s2fft, in one run: writes docs/evidence/accuracy.json and docs/accuracy.md.

    pip install 'equisphere[fast,ducc]' s2fft
    python benchmarks/accuracy.py [--largest 4096]

Protocol: coefficients of unit variance at every degree and order; analysis of the synthesis; relative errors, in the worst
coefficient (max |error| / max |c|) and in the norm. A round trip cannot show an error that both directions share, so
beside it the synthesis of the orders 0, 1 and 2, of unit variance at every degree, against the recurrence in
extended precision, in the norm over the sphere and at the worst ring. Ours: tables up to L = 512, then Legendre functions on the
fly by numba (by torch too at 512 and 1024, in evidence/accuracy.json).
"""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ducc0
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

import equisphere as es
from equisphere.transforms import large_backend

ROOT = Path(__file__).parent.parent / "docs"
GRIDS: dict[str, tuple[Callable[[int], Any], str]] = {
    "Driscoll-Healy": (es.grids.DriscollHealy, "F1"),
    "Driscoll-Healy, poles": (lambda L: es.grids.DriscollHealy(L, poles=True), "MWflip"),
    "Clenshaw-Curtis": (es.grids.ClenshawCurtis, "CC"),
    "Gauss-Legendre": (lambda L: es.grids.GaussLegendre(L, nlat=L), "GL"),
}
DTYPES = {"float64": torch.float64, "float32": torch.float32}
#: s2fft computes in double precision here, at band limits that end within a minute
S2FFT_LARGEST = 128


def ducc_index(L: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat places of (l, m) and (l, -m) in ducc0's order, and sqrt2 (-1)^m."""
    m = np.repeat(np.arange(L), np.arange(L, 0, -1))
    l = np.concatenate([np.arange(first, L) for first in range(L)])
    return l * l + l + m, l * l + l - m, np.where(m == 0, 1.0, np.sqrt(2) * (1 - 2 * (m % 2)))


class Ducc:
    """ducc0 under our convention, with its own quadrature where it has one for the grid."""

    def __init__(self, grid: Any, geometry: str) -> None:
        self.grid, self.geometry, self.L = grid, geometry, grid.bandwidth
        self.cosine, self.sine, self.scale = ducc_index(self.L)
        nlat = grid.nlat
        self.rings = {
            "theta": grid.colatitudes.numpy(),
            "nphi": np.full(nlat, grid.nlon, dtype=np.uint64),
            "phi0": np.zeros(nlat),
            "ringstart": np.arange(nlat, dtype=np.uint64) * np.uint64(grid.nlon),
        }

    def synthesis(self, c: np.ndarray) -> np.ndarray:
        """Samples of flat coefficients."""
        alm = ((c[self.cosine] - 1j * np.where(self.sine == self.cosine, 0, c[self.sine])) / self.scale)[None]
        alm = alm.astype(np.complex128 if c.dtype == np.float64 else np.complex64)
        return ducc0.sht.synthesis(alm=alm, spin=0, lmax=self.L - 1, nthreads=2, **self.rings).reshape(self.grid.shape)

    def analysis(self, f: np.ndarray) -> np.ndarray:
        """Flat coefficients of samples."""
        if self.geometry == "MWflip":  # ducc0 has no rule of its own for these nodes: ours
            alm = ducc0.sht.adjoint_synthesis(
                map=f.reshape(1, -1),
                spin=0,
                lmax=self.L - 1,
                nthreads=2,
                ringfactor=self.grid.weights[:, 0].numpy(),
                **self.rings,
            )[0]
        else:
            alm = ducc0.sht.analysis_2d(map=f[None], spin=0, lmax=self.L - 1, geometry=self.geometry, nthreads=2)[0]
        out = np.zeros(self.L**2, dtype=f.dtype)
        out[self.sine] = -alm.imag * self.scale
        out[self.cosine] = alm.real * self.scale
        return out


def s2fft_errors(L: int, generator: np.random.Generator) -> dict[str, float]:
    """Round trip of s2fft on its Driscoll-Healy grid, in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import s2fft

    flm = np.zeros((L, 2 * L - 1), dtype=np.complex128)
    for l in range(L):
        flm[l, L - 1] = generator.normal()
        for m in range(1, l + 1):
            value = (generator.normal() + 1j * generator.normal()) / np.sqrt(2)
            flm[l, L - 1 + m], flm[l, L - 1 - m] = value, (-1) ** m * np.conj(value)
    f = s2fft.inverse(flm, L, sampling="dh", method="jax", reality=True)
    return errors(
        torch.from_numpy(np.array(s2fft.forward(f, L, sampling="dh", method="jax", reality=True))),
        torch.from_numpy(flm),
    )


def errors(found: Tensor, wanted: Tensor) -> dict[str, float]:
    """Relative errors in the worst number and in the norm."""
    difference = found.to(wanted.dtype) - wanted
    return {
        "max": float(difference.abs().max() / wanted.abs().max()),
        "rms": float(difference.norm() / wanted.norm()),
    }


def reference(L: int, order: int, theta: np.ndarray, c: np.ndarray) -> np.ndarray:
    """sum_l c_l P_lm(cos theta) by the plain recurrence in extended precision."""
    wide = np.longdouble
    t, pi = theta.astype(wide), 4 * np.arctan(wide(1))
    x, l = np.cos(t), np.arange(L + 2, dtype=wide)
    eps = np.sqrt(np.maximum(l * l - order**2, 0) / (4 * l * l - 1).clip(min=1))
    k = np.arange(1, order + 1, dtype=wide)
    value, before = np.sqrt(np.prod((2 * k + 1) / (2 * k)) / (4 * pi)) * np.sin(t) ** order, np.zeros_like(t)
    total = c[0] * value
    for degree in range(order, L - 1):
        value, before = (x * value - eps[degree] * before) / eps[degree + 1], value
        total = total + wide(c[degree + 1 - order]) * value
    return total


def synthesis_errors(grid: Any, synthesis: Callable[[np.ndarray], np.ndarray], seed: int) -> dict[str, float]:
    """Largest of the errors of the orders 0, 1, 2 on the meridian phi = 0, over the norm and the largest value."""
    L, theta, weight = grid.bandwidth, grid.colatitudes.numpy(), grid.ring_weights.numpy()
    found = {"max": 0.0, "rms": 0.0}
    for order in (0, 1, 2):
        c = np.random.default_rng(seed + order).normal(size=L - order)
        l, flat = np.arange(order, L), np.zeros(L * L)
        flat[l * l + l + order] = c
        wanted = reference(L, order, theta, c) * (np.sqrt(np.longdouble(2)) if order else 1)
        difference = (synthesis(flat)[:, 0] - wanted).astype(np.float64)
        wanted = wanted.astype(np.float64)
        found["max"] = max(found["max"], float(abs(difference).max() / abs(wanted).max()))
        found["rms"] = max(found["rms"], float(np.sqrt((weight * difference**2).sum() / (weight * wanted**2).sum())))
    return found


def measure(L: int) -> list[dict[str, Any]]:
    """All grids, dtypes and packages at one band limit."""
    rows = []
    generator = np.random.default_rng(L)
    for name, (make, geometry) in GRIDS.items():
        grid = make(L)
        sht, ducc = es.SHT(grid), Ducc(grid, geometry)
        backends = ["numba"] + (["torch"] if 512 <= L <= 1024 else [])  # not ducc0: it stands beside
        for dtype_name, dtype in DTYPES.items():
            c = torch.from_numpy(generator.normal(size=L * L)).to(dtype)
            row: dict[str, Any] = {"L": L, "grid": name, "dtype": dtype_name, "round trip": {}, "synthesis": {}}
            for backend in backends:
                key = "equisphere" if backend == "numba" else f"equisphere ({backend})"
                with large_backend(backend):
                    row["round trip"][key] = errors(sht(sht.inverse(c)), c)
                    if dtype_name == "float64":
                        ours = synthesis_errors(grid, lambda x, s=sht: s.inverse(torch.from_numpy(x)).numpy(), L)
                        row["synthesis"][key] = ours
            row["round trip"]["ducc0"] = errors(torch.from_numpy(ducc.analysis(ducc.synthesis(c.numpy()))), c)
            if dtype_name == "float64":
                row["synthesis"]["ducc0"] = synthesis_errors(grid, ducc.synthesis, L)
                if geometry == "F1" and L <= S2FFT_LARGEST:
                    row["round trip"]["s2fft"] = s2fft_errors(L, generator)
            rows.append(row)
    return rows


def page(rows: list[dict[str, Any]], machine: str) -> str:
    """The table as a page of the documentation."""
    peers = ["equisphere", "ducc0", "s2fft"]
    lines = ["# How accurate is the transform?", "", *__doc__.splitlines()[5:], ""]
    lines += [
        "Each cell: rms / max. s2fft is measured on its own Driscoll-Healy grid, in double precision.",
        f"Machine: {machine}.",
        "",
    ]
    for what in ("round trip", "synthesis"):
        for dtype in DTYPES:
            chosen = [row for row in rows if row["dtype"] == dtype and row[what]]
            if not chosen:
                continue
            shown = [p for p in peers if any(p in row[what] for row in chosen)]
            lines += [
                f"## {what.capitalize()}, {dtype}",
                "",
                "| grid | L | " + " | ".join(shown) + " |",
                "| --- | --- |" + " --- |" * len(shown),
            ]
            for row in sorted(chosen, key=lambda r: list(GRIDS).index(r["grid"])):
                cells = [f"{e['rms']:.1e} / {e['max']:.1e}" if (e := row[what].get(p)) else "" for p in shown]
                lines.append(f"| {row['grid']} | {row['L']} | " + " | ".join(cells) + " |")
            lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the figures and the page after every band limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=4096, help="largest band limit, a power of two from 8")
    parser.add_argument("--smallest", type=int, default=8, help="keep what was measured below this band limit")
    given = parser.parse_args()
    machine = f"{platform.system()} {platform.machine()}, torch {torch.__version__}, ducc0 {ducc0.__version__}"
    kept = ROOT / "evidence" / "accuracy.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text())["rows"] if given.smallest > 8 else []
    rows = [row for row in rows if row["L"] < given.smallest]
    L = given.smallest
    while given.largest >= L:
        rows += measure(L)
        Console().print(f"L = {L} done")
        kept.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
        (ROOT / "accuracy.md").write_text(page(rows, machine))
        L *= 2


if __name__ == "__main__":
    main()
