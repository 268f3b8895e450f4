"""Single float64 maps of large band limits: ours by torch, by numba and through ducc0, beside ducc0 itself and SHTns.

    pip install 'equisphere[fast,ducc]' && pip install shtns    # the latter is compiled, and wants FFTW (Debian: libfftw3-dev)
    python benchmarks/large.py [--largest 2048]

Gauss-Legendre grids of L x 2L nodes, one map, 2 threads; the contenders take turns in one process; medians and quartiles over
turns, after a first call that is not counted (numba compiles then). Memory: the highest resident memory of a synthesis and an
analysis above what was resident with the package imported, in a process of its own. Writes the table of docs/large.md.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import ducc0
import numpy as np
import shtns
import torch
from accuracy import Ducc
from transforms import resident, turns

import equisphere as es
from equisphere.transforms import large_backend

PAGE = Path(__file__).parent.parent / "docs" / "large.md"
NAMES = {
    "torch": "ours, torch",
    "numba": "ours, numba",
    "through": "ours, through ducc0",
    "ducc0": "ducc0",
    "shtns": "SHTns",
}
Pair = tuple[Callable[[], object], Callable[[], object]]


def contender(name: str, L: int) -> Pair:
    """Synthesis and analysis of one map."""
    grid = es.grids.GaussLegendre(L, nlat=L, nlon=2 * L)
    c = np.random.default_rng(0).normal(size=L * L)
    if name == "ducc0":
        theirs = Ducc(grid, "GL")
        f = theirs.synthesis(c)
        return lambda: theirs.synthesis(c), lambda: theirs.analysis(f)
    if name == "shtns":
        return by_shtns(L, c)
    sht, x = es.SHT(grid), torch.from_numpy(c)

    def by(transform: Callable[[torch.Tensor], torch.Tensor], signal: torch.Tensor) -> torch.Tensor:
        with large_backend("ducc0" if name == "through" else name):
            return transform(signal)

    g = by(sht.inverse, x)
    return lambda: by(sht.inverse, x), lambda: by(sht, g)


def by_shtns(L: int, c: np.ndarray) -> Pair:
    """SHTns of a real signal with coefficients c; its plan, made before, keeps what it finds the fastest of its algorithms."""
    sht = shtns.sht(L - 1, L - 1, 1, shtns.sht_orthonormal, 2)
    sht.set_grid(L, 2 * L, shtns.sht_gauss | shtns.SHT_PHI_CONTIGUOUS, 1e-14)
    alm = es.interop.to_healpy(torch.from_numpy(c))  # its order, its phase
    f = sht.synth(alm)
    wanted = es.SHT(es.grids.GaussLegendre(L, nlat=L, nlon=2 * L)).inverse(torch.from_numpy(c)).numpy()
    if np.abs(f - wanted).max() > 1e-9 * np.abs(wanted).max():
        raise ValueError("the map of SHTns is another one: its conventions are not the ones assumed here.")
    return lambda: sht.synth(alm), lambda: sht.analys(f)


def peak(name: str, L: int) -> float:
    """Megabytes, in this process."""
    if name == "numba":  # its compiler needs memory of its own, once
        synthesis, analysis = contender(name, 512)
        synthesis(), analysis()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    for call in contender(name, L):
        call()
    return (resident("VmHWM") - before) / 2**20


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Of seconds, from milliseconds."""
    low, middle, high = np.percentile(values, [25, 50, 75]) / 1e3
    return float(low), float(middle), float(high)


def measure(L: int, seconds: float) -> list[str]:
    """Lines of the table at one band limit."""
    print(f"L = {L}", file=sys.stderr)
    pairs = {name: contender(name, L) for name in NAMES}
    lines = []
    for i, task in enumerate(("synthesis", "analysis")):
        times = turns({name: pair[i] for name, pair in pairs.items()}, seconds)
        theirs = np.array(times["ducc0"])
        cells = []
        for name, values in times.items():
            low, middle, high = quartiles(values)
            ratio = f", {np.median(np.array(values) / theirs):.1f} x" if name != "ducc0" else ""
            cells.append(f"{middle:.3g} s ({low:.3g} to {high:.3g}){ratio}")
        lines.append(f"| {L} | {task} | " + " | ".join(cells) + " |")
    cells = []
    for name in NAMES:
        command = [sys.executable, __file__, "--memory", name, str(L)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        cells.append(f"{json.loads(done.stdout.splitlines()[-1]):.0f} MB")
    return [*lines, f"| {L} | peak memory (the map: {16 * L * L / 2**20:.0f} MB) | " + " | ".join(cells) + " |"]


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=2048)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each task at each size, 5 turns at least")
    parser.add_argument("--memory", nargs=2, metavar=("NAME", "L"), help="for the processes that it starts")
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.memory:
        print(json.dumps(peak(options.memory[0], int(options.memory[1]))))
        return
    load = os.getloadavg()[0]
    lines = [
        f"| L | what | {' | '.join(NAMES.values())} |",
        "| --- | --- |" + " --- |" * len(NAMES),
    ]
    for L in (512, 1024, 2048, 4096):
        lines += measure(L, options.seconds) if options.largest >= L else []
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, 2 threads, torch {torch.__version__}"
    lines += [
        "",
        "Time of a single float64 map on a Gauss-Legendre grid of L x 2L nodes: median and quartiles over turns, and the median ratio to",
        f"ducc0 {ducc0.__version__} in the same turn; SHTns {version('shtns')}. {machine}; load of the machine when it began: {load:.1f}. Made by",
        "`python benchmarks/large.py`, whose head says more.",
    ]
    table = "<!-- begin times -->\n" + "\n".join(lines) + "\n<!-- end times -->"
    text = PAGE.read_text()
    PAGE.write_text(re.sub(r"<!-- begin times -->.*<!-- end times -->", lambda _: table, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
