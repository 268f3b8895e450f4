"""The Legendre step compiled by numba: the recurrence of `_recurrence`, ring by ring in vector registers.

numba itself is imported when a kernel is first wanted. Kernels run without the interpreter's lock, a group of orders
each, in as many threads as torch uses. They are compiled on first use (some seconds a process), and kept between
processes where the environment variable NUMBA_CACHE_DIR names a folder for that.
"""
# mypy: allow-untyped-defs

import os
from collections.abc import Callable
from functools import cache
from inspect import unwrap
from typing import Any

import numpy as np

from equisphere.transforms import _recurrence as recurrence

#: rings that are worked on at once: their six or seven numbers stay in the first-level cache
WIDTH = 64


@cache
def kernels() -> tuple[Any, Any]:  # noqa: PLR0915
    """Kernels of synthesis and its transpose for the orders first .. last-1."""
    import numba

    def compiled(**options: Any) -> Callable[[Callable], Any]:
        njit: Any = numba.njit
        made = njit(nogil=True, cache="NUMBA_CACHE_DIR" in os.environ, error_model="numpy", **options)
        return lambda function: made(unwrap(function))  # without the wrapper in which tests check shapes

    plain, fast = compiled(), compiled(fastmath={"reassoc", "contract", "nsz"})
    W, Q, STEPS = WIDTH, recurrence.Q, recurrence.STEPS
    GROWN, DOWN = 2.0 ** (recurrence.UNIT - recurrence.FLOOR), 2.0**-recurrence.UNIT
    IDLE = recurrence.NEGLIGIBLE * 2.0**-120  # negligible still after the next steps

    @plain
    def epsilon(l, m):
        return np.sqrt((l - m) * (l + m) / (4.0 * l * l - 1.0)) if l > m else 0.0

    @plain
    def chain(L, m, steps):
        """a_n, a_n (1 - t_n) and -a_n t_n of every step in the columns of an array, and kappa_n."""
        made, kappa = np.zeros((steps, 3)), np.zeros(steps)
        size, sign = 1.0, 1.0
        for n in range((L - m + 1) // 2):
            l = m + 2.0 * n + 1
            kappa[n] = size * sign
            a = size * size / Q * (1 - 2 * (n % 2))
            below = (2 * l - 1) * (2 * l + 3)
            made[n, 0] = a
            made[n, 1] = a * (2 * l * (l + 1) + 2.0 * m * m - 2) / below
            made[n, 2] = -a * (2 * l * (l + 1) - 2.0 * m * m - 1) / below
            size = Q / (size * epsilon(l + 1, m) * epsilon(l + 2, m))
            if n % 2 == 1:
                sign = -sign
        return made, kappa

    @fast
    def advance(work, a, column, n):
        """Four steps: work holds p_{n-1}, p_n and the argument, one row each."""
        a0, a1, a2, a3 = a[n, 0], a[n + 1, 0], a[n + 2, 0], a[n + 3, 0]
        b0, b1, b2, b3 = a[n, column], a[n + 1, column], a[n + 2, column], a[n + 3, column]
        for j in range(W):
            v, q, p = work[j], work[W + j], work[2 * W + j]
            q += (a0 * v + b0) * p
            p += (a1 * v + b1) * q
            q += (a2 * v + b2) * p
            p += (a3 * v + b3) * q
            work[W + j], work[2 * W + j] = q, p

    @fast
    def add(work, a, column, n, k):
        """Four steps, and sums with four coefficients each into the next four rows."""
        a0, a1, a2, a3 = a[n, 0], a[n + 1, 0], a[n + 2, 0], a[n + 3, 0]
        b0, b1, b2, b3 = a[n, column], a[n + 1, column], a[n + 2, column], a[n + 3, column]
        e0, e1, e2, e3 = k[n, 0], k[n + 1, 0], k[n + 2, 0], k[n + 3, 0]
        f0, f1, f2, f3 = k[n, 1], k[n + 1, 1], k[n + 2, 1], k[n + 3, 1]
        g0, g1, g2, g3 = k[n, 2], k[n + 1, 2], k[n + 2, 2], k[n + 3, 2]
        h0, h1, h2, h3 = k[n, 3], k[n + 1, 3], k[n + 2, 3], k[n + 3, 3]
        for j in range(W):
            v, q0, p0 = work[j], work[W + j], work[2 * W + j]
            q1 = q0 + (a0 * v + b0) * p0
            p1 = p0 + (a1 * v + b1) * q1
            q2 = q1 + (a2 * v + b2) * p1
            work[W + j], work[2 * W + j] = q2, p1 + (a3 * v + b3) * q2
            work[3 * W + j] += e0 * p0 + e1 * q1 + e2 * p1 + e3 * q2
            work[4 * W + j] += f0 * p0 + f1 * q1 + f2 * p1 + f3 * q2
            work[5 * W + j] += g0 * p0 + g1 * q1 + g2 * p1 + g3 * q2
            work[6 * W + j] += h0 * p0 + h1 * q1 + h2 * p1 + h3 * q2

    @fast
    def collect(work, a, column, n, k):
        """Four steps, and the sums over the rings of each with the next four rows: the transpose of `add`."""
        a0, a1, a2, a3 = a[n, 0], a[n + 1, 0], a[n + 2, 0], a[n + 3, 0]
        b0, b1, b2, b3 = a[n, column], a[n + 1, column], a[n + 2, column], a[n + 3, column]
        e0 = e1 = e2 = e3 = f0 = f1 = f2 = f3 = g0 = g1 = g2 = g3 = h0 = h1 = h2 = h3 = 0.0
        for j in range(W):
            v, q0, p0 = work[j], work[W + j], work[2 * W + j]
            e, f, g, h = work[3 * W + j], work[4 * W + j], work[5 * W + j], work[6 * W + j]
            q1 = q0 + (a0 * v + b0) * p0
            p1 = p0 + (a1 * v + b1) * q1
            q2 = q1 + (a2 * v + b2) * p1
            work[W + j], work[2 * W + j] = q2, p1 + (a3 * v + b3) * q2
            e0, f0, g0, h0 = e0 + e * p0, f0 + f * p0, g0 + g * p0, h0 + h * p0
            e1, f1, g1, h1 = e1 + e * q1, f1 + f * q1, g1 + g * q1, h1 + h * q1
            e2, f2, g2, h2 = e2 + e * p1, f2 + f * p1, g2 + g * p1, h2 + h * p1
            e3, f3, g3, h3 = e3 + e * q2, f3 + f * q2, g3 + g * q2, h3 + h * q2
        k[n, 0], k[n, 1], k[n, 2], k[n, 3] = k[n, 0] + e0, k[n, 1] + f0, k[n, 2] + g0, k[n, 3] + h0
        k[n + 1, 0], k[n + 1, 1], k[n + 1, 2], k[n + 1, 3] = (
            k[n + 1, 0] + e1,
            k[n + 1, 1] + f1,
            k[n + 1, 2] + g1,
            k[n + 1, 3] + h1,
        )
        k[n + 2, 0], k[n + 2, 1], k[n + 2, 2], k[n + 2, 3] = (
            k[n + 2, 0] + e2,
            k[n + 2, 1] + f2,
            k[n + 2, 2] + g2,
            k[n + 2, 3] + h2,
        )
        k[n + 3, 0], k[n + 3, 1], k[n + 3, 2], k[n + 3, 3] = (
            k[n + 3, 0] + e3,
            k[n + 3, 1] + f3,
            k[n + 3, 2] + g3,
            k[n + 3, 3] + h3,
        )

    def sweep_with(use):
        """All steps of an order at one run of rings: `use`, where values are not negligible."""

        @plain
        def sweep(work, exponent, a, column, k):
            pending, idle = True, True
            for n in range(0, len(a), STEPS):
                if pending:
                    pending, largest = False, 0.0
                    for j in range(W):
                        if exponent[j] < 0:
                            pending = True
                            if abs(work[2 * W + j]) > GROWN:
                                exponent[j] += 1
                                work[W + j] *= DOWN
                                work[2 * W + j] *= DOWN
                        largest = max(largest, abs(work[2 * W + j]))
                    idle = largest < IDLE
                    pending = pending or idle
                for part in range(n, n + STEPS, 4):
                    if idle:
                        advance(work, a, column, part)
                    else:
                        use(work, a, column, part, k)

        return sweep

    @plain
    def begin(work, exponent, m, mantissas, exponents, argument, first, last):
        """Start values of an order at a run of rings; what is left of the width gets zeros."""
        exponent[:] = 0
        work[: 3 * W] = 0
        for j in range(last - first):
            work[j] = argument[first + j]
            work[2 * W + j] = mantissas[m, first + j]
            exponent[j] = exponents[m, first + j]

    sum_sweep, collect_sweep = sweep_with(add), sweep_with(collect)

    @plain
    def to_rings(L, first, last, c, rings, mantissas, exponents, argument, x, cuts, skip):
        total, work, exponent = rings.shape[1], np.empty(7 * W), np.empty(W, np.int32)
        longest = -(-((L - first + 1) // 2) // STEPS) * STEPS
        terms = np.zeros((last - first, longest, 4))
        for l in range(first, L):
            for m in range(first, min(last, l + 1)):
                n, odd = (l - m) // 2, (l - m) % 2
                real, imaginary = c[l * l + l + m], (-c[l * l + l - m] if m else 0.0)
                k = terms[m - first]
                if odd:
                    k[n, 2], k[n, 3] = real, imaginary
                else:
                    up = epsilon(l + 1.0, m)
                    k[n, 0] += real * up
                    k[n, 1] += imaginary * up
                    if n > 0:
                        down = epsilon(l, m)
                        k[n - 1, 0] += real * down
                        k[n - 1, 1] += imaginary * down
        for m in range(first, last):
            steps = -(-((L - m + 1) // 2) // STEPS) * STEPS
            a, kappa = chain(L, m, steps)
            k = terms[m - first, :steps]
            for n in range(steps):
                for part in range(4):
                    k[n, part] *= kappa[n]
            for cut in range(len(cuts)):
                start, stop, polar = cuts[cut]
                work[3 * W :] = 0
                if stop > skip[m]:
                    begin(work, exponent, m, mantissas, exponents, argument, start, stop)
                    sum_sweep(work, exponent, a, 1 if polar else 2, k)
                for j in range(stop - start):
                    even = complex(work[3 * W + j], work[4 * W + j])
                    odd_part = complex(work[5 * W + j], work[6 * W + j]) * x[start + j]
                    rings[m, total - 1 - start - j] = even - odd_part
                    rings[m, start + j] = even + odd_part

    @plain
    def from_rings(L, first, last, c, rings, mantissas, exponents, argument, x, cuts, skip):  # noqa: PLR0912
        total, work, exponent = rings.shape[1], np.empty(7 * W), np.empty(W, np.int32)
        longest = -(-((L - first + 1) // 2) // STEPS) * STEPS
        terms = np.zeros((last - first, longest, 4))
        for m in range(first, last):
            steps = -(-((L - m + 1) // 2) // STEPS) * STEPS
            a, kappa = chain(L, m, steps)
            k = terms[m - first, :steps]
            for cut in range(len(cuts)):
                start, stop, polar = cuts[cut]
                if stop <= skip[m]:
                    continue
                begin(work, exponent, m, mantissas, exponents, argument, start, stop)
                work[3 * W :] = 0
                for j in range(stop - start):
                    north, south = rings[m, start + j], rings[m, total - 1 - start - j]
                    if 2 * (start + j) + 1 == total:  # the equator is its own mirror image
                        south = 0.0 * south
                    even, odd_part = north + south, (north - south) * x[start + j]
                    work[3 * W + j], work[4 * W + j] = even.real, even.imag
                    work[5 * W + j], work[6 * W + j] = odd_part.real, odd_part.imag
                collect_sweep(work, exponent, a, 1 if polar else 2, k)
            for n in range(steps):
                for part in range(4):
                    k[n, part] *= kappa[n]
        for l in range(first, L):
            for m in range(first, min(last, l + 1)):
                n, odd = (l - m) // 2, (l - m) % 2
                k = terms[m - first]
                if odd:
                    real, imaginary = k[n, 2], k[n, 3]
                else:
                    up, down = epsilon(l + 1.0, m), epsilon(l, m)
                    real, imaginary = k[n, 0] * up, k[n, 1] * up
                    if n > 0:
                        real += k[n - 1, 0] * down
                        imaginary += k[n - 1, 1] * down
                if m:
                    c[l * l + l - m] = -imaginary
                c[l * l + l + m] = real

    return to_rings, from_rings


@cache
def task(kernel: Any, library: Any) -> Any:
    """A function of C that runs a kernel in each thread of an OpenMP library that calls it, on groups of orders in turn.

    It is given the address of integers: those of `CompiledLegendre._run`, arrays as addresses.
    """
    import numba
    from numba import carray  # type: ignore[attr-defined]

    from equisphere.transforms._lane_code import for_threads, pointer

    number, threads = library.omp_get_thread_num, library.omp_get_num_threads
    kinds: Any = (numba.float64, numba.int32, numba.int64, numba.complex128)
    double, small, whole, complex_ = kinds

    def run(given):
        a = carray(given, 13, np.int64)
        L, group, total, north, cuts = a[0], a[1], a[2], a[3], a[4]
        c, rings = carray(pointer(a[5]), L * L, double), carray(pointer(a[6]), (L, total), complex_)
        mantissas, exponents = carray(pointer(a[7]), (L, north), double), carray(pointer(a[8]), (L, north), small)
        argument, x = carray(pointer(a[9]), north, double), carray(pointer(a[10]), north, double)
        parts, skip = carray(pointer(a[11]), (cuts, 3), whole), carray(pointer(a[12]), L, whole)
        for first in range(group * number(), L, group * threads()):
            last = min(first + group, L)
            kernel(L, first, last, c, rings, mantissas, exponents, argument, x, parts, skip)

    return for_threads(run)
