"""The convolutions and the spin transforms beside s2conv's and s2fft's, on the same coefficients; writes docs/convolutions.md.

    pip install 'equisphere[peers]' && python benchmarks/convolutions.py [names of tables]

Times: processor milliseconds on one thread, medians over turns that alternate in one process, after a first call (which
compiles theirs by `jax.jit`). Differences: the largest of any number, over the largest number, in double precision. Each
table stands between `<!-- begin NAME -->` and `<!-- end NAME -->` in the page; what is installed is written below it.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import platform
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import equisphere as es
from equisphere import transforms as ours
from equisphere.harmonics import degrees_and_orders, so3_degrees_and_orders
from equisphere.interop import from_s2fft, from_s2fft_wigner, to_s2fft, to_s2fft_wigner

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jax
    import s2conv

PAGE = Path(__file__).parent.parent / "docs" / "convolutions.md"
#: orders |m| < ORDERS of steerable kernels
ORDERS = 4


class Convolution(NamedTuple):
    """What is compared: names for the page, the two functions, what they take, and how to read their result."""

    name: str
    here: str
    there: str
    equivariant: bool
    ours: Callable[..., Tensor]
    theirs: Callable[..., Any]
    inputs: Sequence[Tensor]
    read: Callable[[Any], Tensor]


def signals(n: int, L: int, spin: int, dtype: torch.dtype) -> Tensor:
    """Random coefficients of n signals."""
    degree = torch.from_numpy(degrees_and_orders(L)[0])
    return torch.randn(n, L * L, dtype=dtype) * (degree >= abs(spin))


def theirs_of(x: Tensor) -> Any:
    """A tensor as their array: coefficients, Wigner coefficients, or anything else as it is."""
    sizes = {len(degrees_and_orders(L)[0]): to_s2fft for L in (32, 64)}
    sizes |= {len(so3_degrees_and_orders(L)[0]): to_s2fft_wigner for L in (32, 64)}
    return jax.numpy.asarray(sizes.get(x.shape[-1], Tensor.numpy)(x))


def convolutions(L: int, n: int, dtype: torch.dtype) -> list[Convolution]:
    """Everything that s2conv lists, of n signals with one kernel."""
    few = torch.from_numpy(abs(degrees_and_orders(L)[1]) < ORDERS)
    f, p, v, w = (signals(n, L, s, dtype) for s in (0, 2, 1, 2))
    psi, psi_2 = signals(1, L, 0, dtype)[0], signals(1, L, 2, dtype)[0]
    size = len(so3_degrees_and_orders(L)[0])
    F, Psi = torch.randn(n, size, dtype=dtype), torch.randn(size, dtype=dtype)
    c = torch.randn(L, dtype=dtype)
    of_zonal = torch.arange(L) ** 2 + torch.arange(L)
    grid = es.grids.GaussLegendre(nlat=L, nlon=2 * L - 1)
    there, section = s2conv.classical, {"N": ORDERS, "sampling": "gl", "method": "precompute"}
    spin_2, spin_1 = ours.SpinSHT(grid, L, 2), ours.SpinSHT(grid, L, 1)

    def each(function: Callable, **options: Any) -> Callable:
        return lambda x, h: jax.vmap(lambda one: function(one, h, **options))(x)

    def as_it_is(x: Any) -> Tensor:
        return torch.from_numpy(np.array(x))

    def samples(x: Tensor, c: Tensor) -> Tensor:
        return spin_1.inverse(ours.spin_convolution(spin_2(x), c, 2, 1))

    their_samples = each(s2conv.convolve_multiplier, L=L, s_in=2, s_out=1, sampling="gl", method="precompute")
    return [
        Convolution(
            "axisymmetric",
            "`axisymmetric_convolution(f, psi_l0)`",
            "`axisymmetric_convolution`",
            True,
            lambda f, psi: ours.axisymmetric_convolution(f, psi[of_zonal]),
            there.axisymmetric_convolution,
            (f, psi),
            from_s2fft,
        ),
        Convolution(
            "axisymmetric, spin 2",
            "`axisymmetric_convolution(f, psi_l0, spin=2)`",
            "`axisymmetric_convolution`",
            True,
            lambda f, psi: ours.axisymmetric_convolution(f, psi[of_zonal], 2),
            partial(there.axisymmetric_convolution, spin=2),
            (p, psi_2),
            from_s2fft,
        ),
        Convolution(
            "left (Driscoll & Healy)",
            "`zonal_convolution(f, h_l0)`; layer `nn.ZonalConv`",
            "`left_convolution`",
            True,
            lambda f, h: ours.zonal_convolution(f, h[of_zonal].real),
            lambda f, h: there.left_convolution(f, h.real),
            (f, psi),
            from_s2fft,
        ),
        Convolution(
            "directional, S2 to SO(3)",
            "`directional_convolution(f, psi)`; layer `nn.LiftToSO3`",
            "`directional_convolution`",
            True,
            ours.directional_convolution,
            there.directional_convolution,
            (f, psi),
            from_s2fft_wigner,
        ),
        Convolution(
            "directional, spin 2 to SO(3)",
            "`directional_convolution(f, psi)`",
            "`directional_convolution`",
            True,
            ours.directional_convolution,
            partial(there.directional_convolution, spin=2),
            (p, psi_2),
            from_s2fft_wigner,
        ),
        Convolution(
            "Haar synthesis, SO(3) to spin 2",
            "`directional_synthesis(F, psi)`",
            "`directional_synthesis`",
            True,
            ours.directional_synthesis,
            partial(there.directional_synthesis, spin=2),
            (F, psi_2),
            from_s2fft,
        ),
        Convolution(
            "group convolution on SO(3)",
            "`so3_convolution(F, psi)`; layer `nn.SO3Conv`",
            "`group_convolution`",
            True,
            ours.so3_convolution,
            s2conv.group_convolution,
            (F, Psi),
            from_s2fft_wigner,
        ),
        Convolution(
            "spin-changing, 2 to 1",
            "`spin_convolution(f, c, 2, 1)`; layer `nn.SpinConv`",
            "`spin_multiplier`",
            True,
            lambda f, c: ours.spin_convolution(f, c, 2, 1),
            lambda f, c: s2conv.spin_multiplier(f, c, 2, 1),
            (p, c),
            from_s2fft,
        ),
        Convolution(
            f"steerable, orders below {ORDERS}, a tuple of spins",
            "`steerable_convolution(f, psi, N)`; layer `nn.LiftToSO3`",
            "`spin_components` of `directional_convolution`",
            True,
            lambda f, psi: ours.steerable_convolution(f, psi, ORDERS - 1),
            lambda f, psi: s2conv.lifting.spin_components(there.directional_convolution(f, psi, 0, ORDERS)),
            (f, psi * few),
            from_s2fft,
        ),
        Convolution(
            "ð, spin 1 to 2",
            "`eth(f, 1)`; layer `nn.Gradient`",
            "`eth`",
            True,
            lambda f: ours.eth(f, 1),
            lambda f: s2conv.physics.eth(f, 1),
            (v,),
            from_s2fft,
        ),
        Convolution(
            "ð̄, spin 2 to 1",
            "`ethbar(f, 2)`",
            "`ethbar`",
            True,
            lambda f: ours.ethbar(f, 2),
            lambda f: s2conv.physics.ethbar(f, 2),
            (w,),
            from_s2fft,
        ),
        Convolution(
            "E and B",
            "`e_b_modes(f)`",
            "`eb_decomposition`",
            True,
            lambda f: ours.to_complex_basis(ours.e_b_modes(f)),
            lambda f: jax.numpy.stack(s2conv.physics.eb_decomposition(f), -3),
            (p,),
            from_s2fft,
        ),
        Convolution(
            "shear from convergence (Kaiser & Squires)",
            "`kaiser_squires(f)`, `inverse_kaiser_squires`",
            "`kaiser_squires`",
            True,
            ours.kaiser_squires,
            s2conv.physics.kaiser_squires,
            (f,),
            from_s2fft,
        ),
        Convolution(
            "samples of spin 2 to samples of spin 1",
            "`SpinSHT`, `spin_convolution`, `SpinSHT.inverse`",
            "`convolve_multiplier`",
            True,
            samples,
            their_samples,
            (spin_2.inverse(p), c),
            as_it_is,
        ),
        Convolution(
            f"standard correlation, orders below {ORDERS}",
            "`standard_correlation(f, psi, grid, N)`",
            "`section.standard_correlation`",
            False,
            lambda f, psi: ours.standard_correlation(f, psi, grid, ORDERS - 1),
            each(s2conv.section.standard_correlation, **section),
            (f, psi * few),
            as_it_is,
        ),
        Convolution(
            f"commutative anisotropic, orders below {ORDERS}",
            "`commutative_convolution(f, h, grid, N)`",
            "`section.commutative_anisotropic_convolution`",
            False,
            lambda f, h: ours.commutative_convolution(f, h, grid, ORDERS - 1),
            each(s2conv.section.commutative_anisotropic_convolution, **section),
            (f, psi * few),
            as_it_is,
        ),
        Convolution(
            "harmonic multiplication",
            "`harmonic_multiplication(f, g)`",
            "`diagonal.harmonic_multiplication`",
            False,
            ours.harmonic_multiplication,
            s2conv.diagonal.harmonic_multiplication,
            (f, psi),
            from_s2fft,
        ),
        Convolution(
            "sifting",
            "`sifting_convolution(f, g)`",
            "`diagonal.sifting_convolution`",
            False,
            ours.sifting_convolution,
            s2conv.diagonal.sifting_convolution,
            (f, psi),
            from_s2fft,
        ),
    ]


def alternating(first: Callable, second: Callable, turns: int = 15, seconds: float = 1.5) -> tuple[float, float]:
    """Processor milliseconds of two functions that take turns, medians; fewer turns where one takes long."""
    found: tuple[list[float], list[float]] = ([], [])
    for function in (first, second):
        function()
    began = time.process_time()
    for _ in range(turns):
        for function, times in zip((first, second), found, strict=True):
            start = time.process_time()
            function()
            times.append(1e3 * (time.process_time() - start))
        if time.process_time() - began > seconds and len(found[0]) >= 3:
            break
    return statistics.median(found[0]), statistics.median(found[1])


def short(x: float) -> str:
    """Two digits, or a whole number."""
    return f"{x:.2g}" if x < 99.5 else f"{x:.0f}"


def precision(double: bool) -> None:
    """Their precision, for what is compiled from now on."""
    jax.config.update("jax_enable_x64", double)
    jax.clear_caches()
    for kept in (s2conv.transforms.spherical_kernel, s2conv.transforms.wigner_kernel):
        kept.cache_clear()


def calls() -> str:
    """Which call is which convolution, and how far the two are apart."""
    precision(True)
    rows = []
    for x in convolutions(32, 2, torch.complex128):
        found = x.ours(*x.inputs)
        wanted = x.read(np.asarray(x.theirs(*map(theirs_of, x.inputs))))
        error = float((found - wanted).abs().max() / wanted.abs().max())
        rows.append(f"| {x.name} | {'yes' if x.equivariant else 'no'} | {x.here} | {x.there} | {error:.0e} |")
    head = "| convolution | commutes with rotations | `es.transforms` | `s2conv` | largest difference |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def times(double: bool) -> str:
    """Both at two band limits, one signal and 16."""
    precision(double)
    dtype = torch.complex128 if double else torch.complex64
    cells: dict[str, list[str]] = {}
    for L in (32, 64):
        for n in (1, 16):
            for x in convolutions(L, n, dtype):
                arrays, compiled = list(map(theirs_of, x.inputs)), jax.jit(x.theirs)
                here, there = alternating(
                    lambda x=x: x.ours(*x.inputs),
                    lambda f=compiled, arrays=arrays: jax.block_until_ready(f(*arrays)),
                )
                cells.setdefault(x.name, []).append(f"{short(here)} / {short(there)}")
                print(x.name, L, n, cells[x.name][-1], flush=True)
    head = "| convolution | L = 32, one signal | 16 signals | L = 64, one signal | 16 signals |"
    return "\n".join([head, "|---|---|---|---|---|", *(f"| {k} | {' | '.join(v)} |" for k, v in cells.items())])


def round_trip(sht: Callable, c: Any, turns: int = 5) -> tuple[float, Any]:
    """Processor milliseconds of a synthesis and analysis, and its result."""
    found = sht(c)
    spent = []
    for _ in range(turns):
        began = time.process_time()
        sht(c)
        spent.append(1e3 * (time.process_time() - began))
    return statistics.median(spent), found


def spin_transforms() -> str:
    """Round trips of random coefficients at three spins, in double precision."""
    precision(True)
    dtype = torch.complex128
    rows = []
    for L in (64,):  # at 128, compiling and tables there take more than five minutes
        for spin in (0, 2, 8):
            c = signals(16, L, spin, dtype)
            sht = ours.SpinSHT(es.grids.GaussLegendre(L, nlat=L), L, spin)
            cells = []
            for few in (c[:1], c):
                spent, found = round_trip(lambda x, s=sht: s(s.inverse(x)), few)
                cells.append(f"{spent / len(few):.3g}")
            cells.insert(0, f"{float((found - c).abs().max()):.0e}")
            for method in ("jax", "precompute"):
                if method == "jax" and spin >= s2conv.transforms.RECURSION_LIMIT:
                    cells += ["refused", "", ""]
                    continue

                def there_and_back(x: Any, L: int = L, spin: int = spin, method: str = method) -> Any:
                    f = s2conv.inverse(x, L, spin, method=method)
                    return s2conv.forward(f, L, spin, method=method)

                many = jax.jit(jax.vmap(there_and_back))
                found_in = []
                for few in (c[:1], c):
                    square = jax.numpy.asarray(to_s2fft(few))
                    spent, found = round_trip(lambda x, f=many: jax.block_until_ready(f(x)), square)
                    found_in.append(f"{spent / len(few):.3g}")
                error = float(np.nanmax(np.abs(np.asarray(found) - to_s2fft(c))))
                cells += [f"{error:.0e}", *found_in]
            rows.append(f"| {L} | {spin} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    head = (
        "| L | spin | here: error | one map, ms | of 16, each | s2fft, on the fly: error | one map | of 16, each "
        "| s2fft, tables: error | one map | of 16, each |"
    )
    return "\n".join([head, "|" + "---|" * 11, *rows])


def environment() -> str:
    """What was compared."""
    names = ("torch", "jax", "s2fft", "s2conv")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Measured with {packages}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores, one thread."


def main() -> None:
    """Write every table, or those that are named."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tables: dict[str, Callable[[], str]] = {
        "calls": calls,
        "times, single": lambda: times(False),
        "times, double": lambda: times(True),
        "spin transforms": spin_transforms,
        "environment": environment,
    }
    for name, table in tables.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        text = table()
        new = f"<!-- begin {name} -->\n{text}\n<!-- end {name} -->"
        found = rf"<!-- begin {name} -->.*?<!-- end {name} -->"
        PAGE.write_text(re.sub(found, lambda _, new=new: new, PAGE.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main()
