"""The transform against its peers, side by side in one process with 2 threads: `make bench`.

Times: the contenders take turns; medians, and quartiles of the ratios of neighbouring turns. Memory: a process of its own for
each contender and size; the highest resident memory of a round trip, forwards and backwards, above what was resident with the
signals alone, tables included (Linux). Construction: in that process, from nothing until the first map went there and back.

Writes docs/benchmarks.md and docs/benchmarks.png. `--reference` keeps the result as benchmarks/reference.json; any other run
says what is slower than there by more than the spread of both.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from math import log2
from pathlib import Path

import report
import torch
from contenders import CONTENDERS, Contender, present

#: band limit b and number of maps
SIZES = [(16, 512), (32, 512), (64, 256), (128, 64), (256, 16), (512, 4)]
HERE = Path(__file__).parent


def forward_and_backward(contender: Contender, f: torch.Tensor) -> None:
    """A round trip and the gradient of its input, the gradient of its output given: no loss, which would cost all alike."""
    x = f.detach().requires_grad_()
    torch.autograd.grad(contender.synthesis(contender.analysis(x)), x, f)


def set_for(contender: Contender, function: Callable[[], object]) -> Callable[[], None]:
    """The function, called where the contender is to be run: forwards and backwards."""

    def run() -> None:
        with contender.setting():
            function()

    return run


def milliseconds(function: Callable[[], object]) -> float:
    """Time of one call."""
    began = time.perf_counter()
    function()
    return 1e3 * (time.perf_counter() - began)


def turns(functions: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Times of each function, called in turn: 5 rounds at least, 40 at most, about so many seconds.

    In its turn each is called twice and timed the second time, as in a training loop: not while it finds what others left in
    the caches.
    """
    for function in functions.values():
        function()
    out: dict[str, list[float]] = {name: [] for name in functions}
    began, rounds = time.perf_counter(), 0
    while rounds < 5 or (rounds < 40 and time.perf_counter() - began < seconds):
        for name, function in functions.items():
            function()
            out[name].append(milliseconds(function))
        rounds += 1
    return out


def summary(times: dict[str, list[float]]) -> dict[str, dict]:
    """Median and quartiles of the times, and of the ratios to ours, compiled or not."""

    def ratios(values: list[float], ours: str) -> list[float]:
        return statistics.quantiles([x / y for x, y in zip(values, times[ours], strict=True)], n=4)

    kinds = {"ratio": "equisphere", "ratio_compiled": "compiled"}
    return {
        name: {"ms": statistics.quantiles(values, n=4)}
        | {key: ratios(values, ours) for key, ours in kinds.items() if ours in times}
        for name, values in times.items()
    }


def resident(field: str) -> int:
    """Bytes that /proc/self/status gives for VmRSS or VmHWM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"{field} is not known here: memory is measured on Linux alone")


def measure_memory(name: str, b: int, n: int) -> dict[str, float]:
    """In a process of its own: construction and peak memory of one contender."""
    __import__(CONTENDERS[name][2])
    __import__("equisphere")
    if name == "compiled":  # numba's compiler needs memory of its own, once
        warm = CONTENDERS[name][0](4)
        with warm.setting():
            forward_and_backward(warm, torch.randn(99, 8, 8))
    f = torch.randn(n, 2 * b, 2 * b)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
    before, began = resident("VmRSS"), time.perf_counter()
    contender = CONTENDERS[name][0](b)
    contender.synthesis(contender.analysis(f[:1]))
    construction = time.perf_counter() - began
    with contender.setting():
        for _ in range(2):
            forward_and_backward(contender, f)
    return {"construction_s": construction, "peak_mb": (resident("VmHWM") - before) / 2**20}


def machine_limits() -> dict[str, float]:
    """GFLOP/s of a large matrix product, GB/s of a copy of 64 MB (reading and writing counted): best of several."""
    a, x = torch.randn(2048, 2048), torch.randn(2**24)
    y = torch.empty_like(x)
    product = min(milliseconds(lambda: a @ a) for _ in range(8))
    copy = min(milliseconds(lambda: y.copy_(x)) for _ in range(8))
    return {"gflops": 2 * 2048**3 / product / 1e6, "gbytes": 2 * x.numel() * 4 / copy / 1e6}


def work(b: int, n: int) -> dict[str, float]:
    """Useful arithmetic (Legendre sums over the triangle by parity, real FFTs) in GFLOP, and bytes that must move in GB."""
    legendre = 2 * b * b * b * n
    fourier = 2.5 * (2 * b) ** 2 * log2(2 * b) * n
    return {"gflop": (legendre + fourier) / 1e9, "gbyte": 4 * n * (4 * b * b + b * b) / 1e9}


def measure(b: int, n: int, seconds: float) -> dict:
    """Everything at one size."""
    print(f"b = {b}, {n} maps", file=sys.stderr)
    contenders = {name: make(b) for name, make in present(b).items()}
    f = torch.randn(n, 2 * b, 2 * b)
    c = {name: contender.analysis(f).detach() for name, contender in contenders.items()}
    kinds: dict[str, Callable[[str, Contender], object]] = {
        "analysis": lambda name, x: x.analysis(f),
        "synthesis": lambda name, x: x.synthesis(c[name]),
        "forward and backward": lambda name, x: forward_and_backward(x, f),
    }
    tasks = {
        kind: {name: set_for(x, partial(task, name, x)) for name, x in contenders.items()}
        for kind, task in kinds.items()
    }
    row = {"b": b, "n": n, "work": work(b, n)}
    row["times"] = {task: summary(turns(functions, seconds)) for task, functions in tasks.items()}
    row["memory"] = {}
    for name in contenders:
        done = subprocess.run(
            [sys.executable, __file__, "--memory", name, str(b), str(n), "--threads", str(torch.get_num_threads())],
            capture_output=True,
            text=True,
            check=True,
        )
        row["memory"][name] = json.loads(done.stdout.splitlines()[-1])
    return row


def network_step(seconds: float) -> dict[str, list[float]]:
    """Milliseconds of a training step of the classifier of the recipe spherical-mnist, 64 signals, compiled or not: quartiles.

    Its settings are those of `train._recipes.DIRECTED`, which is not imported: it needs what this environment has not.
    """
    import equisphere as es

    model = es.models.SphericalClassifier(
        channels=[36, 36, 36, 36, 40],
        bandwidths=[24, 16, 16, 12, 10],
        anchors=8,
        activation="silu",
        hidden=24,
        dropout=0.1,
        triples=24,
        pairs=14,
    )
    optimizer = torch.optim.AdamW(model.parameters())
    c, label = torch.randn(64, 1, 576), torch.randint(10, (64,))

    def step(accelerated: bool) -> None:
        es.transforms.accelerate(accelerated)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(c), label).backward()
        optimizer.step()

    times = turns({"equisphere": lambda: step(False), "compiled": lambda: step(True)}, seconds)
    es.transforms.accelerate(False)
    return {name: statistics.quantiles(values, n=4) for name, values in times.items()}


def main() -> None:
    """Measure, report, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=3, metavar=("NAME", "B", "N"), help="for the processes that it starts")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each task at each size")
    parser.add_argument("--reference", action="store_true", help="keep the result as the reference")
    parser.add_argument("--largest", type=int, default=512, help="leave out larger band limits")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        name, b, n = options.memory
        print(json.dumps(measure_memory(name, int(b), int(n))))
        return
    result = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {options.threads} threads",
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        "limits": machine_limits(),
        "sizes": [measure(b, n, options.seconds) for b, n in SIZES if b <= options.largest],
        "network_step_ms": network_step(options.seconds),
    }
    print(report.write(result, HERE.parent / "docs"))
    reference = HERE / "reference.json"
    if options.reference:
        reference.write_text(json.dumps(result, indent=1) + "\n")
    elif reference.exists():
        for line in report.slower(result, json.loads(reference.read_text())):
            print(line)


if __name__ == "__main__":
    main()
