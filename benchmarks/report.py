"""The result of the benchmark as a page, a picture, and a list of what got slower."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt

OURS = ("equisphere", "compiled")
TASKS = ("analysis", "synthesis", "forward and backward")
COLOURS = {"torch-harmonics": "#4477aa", "e3nn": "#228833", "plain": "#bbbbbb"}


def slower(result: dict, reference: dict) -> Iterator[str]:
    """Tasks of ours whose lower quartile lies above the upper quartile of the reference."""
    if result["machine"] != reference["machine"]:
        yield f"The reference is of another machine ({reference['machine']}): only times against the peer are compared."
    before = {(row["b"], row["n"]): row["times"] for row in reference["sizes"]}
    found = False
    for row in result["sizes"]:
        for task in TASKS:
            old = before.get((row["b"], row["n"]), {}).get(task)
            if old is None:
                continue
            new = row["times"][task]
            peer = "torch-harmonics"
            if result["machine"] == reference["machine"]:
                worse = new["equisphere"]["ms"][0] > old["equisphere"]["ms"][2]
                what = f"{old['equisphere']['ms'][1]:.2f} ms before, {new['equisphere']['ms'][1]:.2f} ms now"
            elif peer in new and peer in old:
                worse = new[peer]["ratio"][2] < old[peer]["ratio"][0]
                what = f"{old[peer]['ratio'][1]:.2f} times as fast as {peer} before, {new[peer]['ratio'][1]:.2f} now"
            else:
                continue
            if worse:
                found = True
                yield f"SLOWER: {task} at b = {row['b']}, {row['n']} maps: {what}"
    if not found:
        yield "Nothing is slower than the reference by more than the spread."


def table(result: dict) -> str:
    """A line for each size and task: ours in milliseconds, the others as multiples of it, and of ours compiled."""
    names = [name for name in COLOURS if any(name in row["memory"] for row in result["sizes"])]
    lines = [
        "| b | maps | what | equisphere | compiled | " + " | ".join(names) + " |",
        "| --- | --- | --- | --- | --- |" + " --- |" * len(names),
    ]
    for row in result["sizes"]:
        head = f"| {row['b']} | {row['n']} |"
        for task in TASKS:
            times = row["times"][task]
            cells = [_spread(times[ours]["ms"], " ms", 2) if ours in times else "" for ours in OURS]
            for name in names:
                found = [times[name][key] for key in ("ratio", "ratio_compiled") if key in times.get(name, {})]
                cells.append(", ".join(_spread(q, " x", 1) for q in found))
            lines.append(f"{head} {task} | " + " | ".join(cells) + " |")
        for key, what, unit in (("peak_mb", "peak memory", "MB"), ("construction_s", "construction", "s")):
            memory = row["memory"]
            cells = [f"{memory[ours][key]:.3g} {unit}" if ours in memory else "" for ours in OURS]
            for name in names:
                found = [
                    memory[name][key] / max(memory[ours][key], 1e-9) for ours in OURS if {ours, name} <= memory.keys()
                ]
                cells.append(", ".join(f"{ratio:.1f} x" for ratio in found))
            lines.append(f"{head} {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(quartiles: list[float], unit: str, digits: int) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in quartiles)
    return f"{middle}{unit} ({low} to {high})"


def limits(result: dict) -> str:
    """How near the machine's limits the transforms of ours come."""
    gflops, gbytes = result["limits"]["gflops"], result["limits"]["gbytes"]
    lines = [
        "| b | maps | analysis | arithmetic alone | memory alone | share of the peak |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["sizes"]:
        ms = row["times"]["analysis"]["equisphere"]["ms"][1]
        arithmetic, memory = 1e3 * row["work"]["gflop"] / gflops, 1e3 * row["work"]["gbyte"] / gbytes
        share = 100 * arithmetic / ms
        lines.append(
            f"| {row['b']} | {row['n']} | {ms:.2f} ms | {arithmetic:.2f} ms | {memory:.2f} ms | {share:.0f} % |"
        )
    return "\n".join(lines)


def picture(result: dict, path: Path) -> None:
    """How many times as long the peers take, for each task against the band limit."""
    figure, axes = plt.subplots(1, len(TASKS), figsize=(10, 3.4), sharey=True, layout="constrained")
    bandwidths = [row["b"] for row in result["sizes"]]
    for axis, task in zip(axes, TASKS, strict=True):
        for name, colour in COLOURS.items():
            rows = [row for row in result["sizes"] if name in row["times"][task]]
            if rows:
                low, middle, high = zip(*(row["times"][task][name]["ratio"] for row in rows), strict=True)
                b = [row["b"] for row in rows]
                axis.plot(b, middle, "o-", color=colour, label=name)
                axis.fill_between(b, low, high, color=colour, alpha=0.2)
                ratios = [(row["b"], row["times"][task][name].get("ratio_compiled")) for row in rows]
                ratios = [(b, q[1]) for b, q in ratios if q]
                axis.plot(*zip(*ratios, strict=True), "o--", color=colour, markersize=4) if ratios else None
        axis.axhline(1, color="black", linewidth=1)
        axis.set(title=task, xlabel="band limit b (dashed: against ours compiled)", xscale="log", yscale="log")
        axis.set_xticks(bandwidths, bandwidths)
        axis.set_yticks([1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16, 32, 64])
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("time, in those of equisphere")
    axes[-1].legend(frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def write(result: dict, folder: Path) -> str:
    """Write benchmarks.md and benchmarks.png; return the page."""
    picture(result, folder / "benchmarks.png")
    steps = {name: _spread(quartiles, " ms", 0) for name, quartiles in result["network_step_ms"].items()}
    page = f"""# How fast the transforms are

Written by `make bench`: real float32 signals on 2b x 2b grids, {result["machine"]}, torch {result["torch"]}; load of the machine
when it began: {result["load"]:.1f} (the figures mean little where others were at work). The contenders take turns in one process,
each called twice in its turn and timed the second time.
Ours: median and quartiles; compiled: after `es.transforms.accelerate()`, with numba. The others: their time, in multiples of ours, and then
of ours compiled, median and quartiles over turns. "Forward and backward" is a round trip
and the gradient of its input, that of its output given (no loss: torch's squares and sums cost as much again). Memory is the highest resident memory of that above what was resident before, tables
included, in a process of its own; construction is from nothing until the first map went there and back (a single map is not compiled; the
first batch in a process is, which takes some seconds, and memory that is not counted here).

{table(result)}

![Times of the peers, in multiples of ours](benchmarks.png)

A training step of the network of the recipe `spherical-mnist` at 64 signals: {steps["equisphere"]}, compiled {steps["compiled"]}.

## What stands between this and the machine's limits

A product of large matrices reaches {result["limits"]["gflops"]:.0f} GFLOP/s here, a copy {result["limits"]["gbytes"]:.0f} GB/s. "Arithmetic alone" is the time of
the useful arithmetic (Legendre sums over the triangle, by parity, and the FFT's) at that rate; "memory alone" that of reading the
signals and writing the coefficients once.

{limits(result)}

Between the two stand the Fourier step, which as a product does more arithmetic than an FFT and as an FFT needs one transposition;
products of small matrices, at half the rate of large ones; the empty corners of the
blocks of orders; and, at small sizes, some microseconds for every call into PyTorch.
"""
    (folder / "benchmarks.md").write_text(page)
    return page
