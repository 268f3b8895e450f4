"""Time the transform against its plain form, side by side in one process: `make bench`.

The plain form is what the formula says: an FFT over each ring and one dense sum over (m, l, ring), differentiated by autograd.
Medians over repetitions that alternate between the two, with the 10th and 90th percentile; ratios are of medians.
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import equisphere as es
from equisphere.harmonics import associated_legendre

SIZES = [(16, 512), (32, 512), (64, 256), (128, 64)]
REPETITIONS = 15


class Plain:
    """Analysis and synthesis as the formula says, in complex arithmetic."""

    def __init__(self, grid: es.grids.RingGrid) -> None:
        L = grid.bandwidth
        table = np.zeros((L, L, grid.nlat), dtype=np.float32)
        for m in range(L):
            table[m, m:] = associated_legendre(m, L, grid.colatitudes.numpy())
        self.P, self.nlon = torch.from_numpy(table), grid.nlon
        self.weighted = self.P * grid.weights[:, 0].float()

    def analysis(self, f: Tensor) -> Tensor:
        """Signals `(n, nlat, nlon)` to coefficients `(n, m, l)`."""
        rings = torch.fft.rfft(f, norm="backward")[..., : len(self.P)]
        return torch.einsum("njm,mlj->nml", rings, self.weighted.to(rings.dtype))

    def synthesis(self, c: Tensor) -> Tensor:
        """And back."""
        rings = torch.einsum("nml,mlj->njm", c, self.P.to(c.dtype))
        return torch.fft.irfft(rings, n=self.nlon, norm="forward")


def timed(functions: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Milliseconds of each function, taken in turn."""
    out: dict[str, list[float]] = {name: [] for name in functions}
    for repetition in range(REPETITIONS + 2):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if repetition >= 2:
                out[name].append(1e3 * (time.perf_counter() - began))
    return out


def forward_and_backward(round_trip: Callable[[Tensor], Tensor], f: Tensor) -> None:
    """One training step's worth: round trip, and the gradient in the signal."""
    f = f.clone().requires_grad_()
    round_trip(f).square().sum().backward()


def main() -> None:
    """Measure, print a table, and write JSON to the file that is named."""
    torch.set_num_threads(2)
    rows, table = [], Table("bandwidth", "signals", "what", "equisphere, ms", "plain, ms", "ratio")
    for b, n in SIZES:
        grid = es.grids.DriscollHealy(b)
        fast, plain = es.SHT(grid), Plain(grid)
        f = torch.randn(n, *grid.shape)
        c, d = fast(f), plain.analysis(f)
        tasks: dict[str, dict[str, Callable[[], object]]] = {
            "analysis": {"ours": lambda s=fast, f=f: s(f), "plain": lambda p=plain, f=f: p.analysis(f)},
            "synthesis": {"ours": lambda s=fast, c=c: s.inverse(c), "plain": lambda p=plain, d=d: p.synthesis(d)},
            "round trip and backward": {
                "ours": lambda s=fast, f=f: forward_and_backward(lambda x: s.inverse(s(x)), f),
                "plain": lambda p=plain, f=f: forward_and_backward(lambda x: p.synthesis(p.analysis(x)), f),
            },
        }
        for what, functions in tasks.items():
            times = timed(functions)
            median = {name: float(np.median(values)) for name, values in times.items()}
            spread = {name: [float(q) for q in np.percentile(values, (10, 90))] for name, values in times.items()}
            ratio = median["plain"] / median["ours"]
            rows.append(
                {"bandwidth": b, "signals": n, "what": what, "median_ms": median, "p10_p90_ms": spread, "ratio": ratio}
            )
            cells = [f"{median[k]:.2f} ({spread[k][0]:.2f} to {spread[k][1]:.2f})" for k in ("ours", "plain")]
            table.add_row(str(b), str(n), what, *cells, f"{ratio:.1f}")
    Console().print(table)
    if len(sys.argv) > 1:
        machine = f"{platform.system()} {platform.machine()}, 2 threads, torch {torch.__version__}"
        Path(sys.argv[1]).write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
