"""The transform of some signals on some rings, compiled by numba: `LaneEngine` says what it does.

All arrays are flat but for tables. `D = 2 W` numbers stand together: the real parts (or cosine sums) of W signals, then their
imaginary parts (or sine sums). `kind`: whether the functions of the table are odd about the equator where P_lm is even, and
whether they meet the derivatives of cosines and sines in place of them: signs and places change, and no arithmetic.
"""
# mypy: allow-untyped-defs

from functools import cache

import numba
import numpy as np
from numba import carray  # type: ignore[attr-defined]

from equisphere.transforms import _lane_formulas as formulas
from equisphere.transforms._lane_code import for_threads, gather, lanewise, pointer, scatter
from equisphere.transforms._lane_fourier import compiled, fourier

separated = lanewise(formulas.separated, 4, 4, 1)
joined = lanewise(formulas.joined, 4, 4, 1)
four_terms = lanewise(formulas.four_terms, 4, 4, 16, adds=True)
one_term = lanewise(formulas.one_term, 1, 4, 4, adds=True)
copy = lanewise(lambda x, _: x, 1, 1, 0)


@compiled
def moved(x, start, y, to, n, W):
    """Numbers of n signals of W."""
    if n == W:
        copy(x, (start,), y, (to,), (), W)
    else:
        for w in range(n):
            y[to + w] = x[start + w]


@compiled
def products(table, terms, x, start, y, to, rows, D):
    """Rows y_a = sum_j table[a, j] x_j, a < rows (a multiple of 4), j < terms; rows of x and y have D numbers."""
    for a in range(0, rows, 4):
        b = to + a * D
        targets = (b, b + D, b + 2 * D, b + 3 * D)
        y[b : b + 4 * D] = 0
        whole = terms // 4 * 4
        for j in range(0, whole, 4):
            k = start + j * D
            factors = (
                table[a, j], table[a, j + 1], table[a, j + 2], table[a, j + 3],
                table[a + 1, j], table[a + 1, j + 1], table[a + 1, j + 2], table[a + 1, j + 3],
                table[a + 2, j], table[a + 2, j + 1], table[a + 2, j + 2], table[a + 2, j + 3],
                table[a + 3, j], table[a + 3, j + 1], table[a + 3, j + 2], table[a + 3, j + 3],
            )  # fmt: skip
            four_terms(x, (k, k + D, k + 2 * D, k + 3 * D), y, targets, factors, D)
        for j in range(whole, terms):
            one_term(
                x, (start + j * D,), y, targets, (table[a, j], table[a + 1, j], table[a + 2, j], table[a + 3, j]), D
            )


@compiled
def gathered(f, first, n, nlat, ring, mirror, x, W, nlon, step):
    """x_k = (north + south) + i (north - south) of n signals; where there is no mirror image, north alone in both."""
    size, D = nlat * nlon, 2 * W
    beta = f.dtype.type(1 if mirror >= 0 else 0)
    north, south = ring * nlon, (mirror if mirror >= 0 else ring) * nlon
    whole = n // step * step
    for w in range(0, whole, step):
        at = (first + w) * size
        for k in range(0, nlon - step + 1, step):
            gather(f, at + north + k, at + south + k, size, x, k * D + w, D, W, beta)
    for w in range(n):
        at = (first + w) * size
        for k in range(nlon // step * step if w < whole else 0, nlon):
            a, b = f[at + north + k], beta * f[at + south + k]
            x[k * D + w], x[k * D + W + w] = a + b, a - b


@compiled
def scattered(x, f, first, n, nlat, ring, mirror, W, nlon, step):
    """The real part plus the imaginary one to the north, minus it to the south."""
    size, D = nlat * nlon, 2 * W
    north, south = ring * nlon, (mirror if mirror >= 0 else ring) * nlon
    whole = n // step * step
    for w in range(0, whole, step):
        at = (first + w) * size
        for k in range(0, nlon - step + 1, step):
            scatter(f, at + north + k, at + south + k, size, x, k * D + w, D, W, f.dtype.type(1))
    for w in range(n):
        at = (first + w) * size
        for k in range(nlon // step * step if w < whole else 0, nlon):
            a, b = x[k * D + w], x[k * D + W + w]
            f[at + south + k] = a - b
            f[at + north + k] = a + b


@compiled
def analysis(f, c, signals, nlat, table, starts, mirrors, scales, radices, turns, kind, room, W, step, first, last):
    """Coefficients of the signals first .. last-1. `room`: x, y, sums by (order, parity, ring), coefficients of an order."""
    L, J, nlon, D = len(starts), len(mirrors), len(turns), 2 * W
    flipped, turned = kind
    x, y = room[: nlon * D], room[nlon * D : 2 * nlon * D]
    sums = room[2 * nlon * D : 2 * nlon * D + 2 * L * J * D]
    row = room[2 * nlon * D + 2 * L * J * D :]
    for begin in range(first, last, W):
        n = min(W, last - begin)
        for j in range(J):
            gathered(f, begin, n, nlat, j, mirrors[j], x, W, nlon, step)
            z = fourier(x, y, radices, turns, 0, W)
            mean, scale = scales[j, 0], scales[j, 1]
            even, odd = sums[j * D : j * D + D], sums[(J + j) * D : (J + j) * D + D]
            for w in range(W):
                even[w], even[W + w], odd[w], odd[W + w] = mean * z[w], 0, mean * z[W + w], 0
            for m in range(1, L):
                a, b, e, o = m * D, (nlon - m) * D, (2 * m * J + j) * D, ((2 * m + 1) * J + j) * D
                if turned:
                    a, b = b, a
                separated(z, (a, a + W, b, b + W), sums, (e, e + W, o, o + W), (scale,), W)
        for m in range(L):
            for parity in range(2):
                degrees = (L - m - parity + 1) // 2
                rows = (degrees + 3) // 4 * 4
                start = starts[m, parity]
                products(table[start : start + rows], J, sums, (2 * m + (parity ^ flipped)) * J * D, row, 0, rows, D)
                for i in range(degrees):
                    l = m + parity + 2 * i
                    cosine = -m if turned else m
                    moved(row, i * D, c, (l * l + l + cosine) * signals + begin, n, W)
                    if m > 0:
                        moved(row, i * D + W, c, (l * l + l - cosine) * signals + begin, n, W)


@compiled
def synthesis(c, f, signals, nlat, table, starts, mirrors, scales, radices, turns, kind, room, W, step, first, last):
    """The transpose of `analysis`: samples of the signals first .. last-1."""
    L, J, nlon, D = len(starts), len(mirrors), len(turns), 2 * W
    rings = (J + 3) // 4 * 4
    flipped, turned = kind
    x, y = room[: nlon * D], room[nlon * D : 2 * nlon * D]
    sums = room[2 * nlon * D : 2 * nlon * D + 2 * L * rings * D]
    row = room[2 * nlon * D + 2 * L * rings * D :]
    for begin in range(first, last, W):
        n = min(W, last - begin)
        for m in range(L):
            for parity in range(2):
                degrees = (L - m - parity + 1) // 2
                for i in range(degrees):
                    l = m + parity + 2 * i
                    cosine = -m if turned else m
                    moved(c, (l * l + l + cosine) * signals + begin, row, i * D, n, W)
                    moved(
                        c, (l * l + l - cosine) * signals + begin, row, i * D + W, n, W
                    )  # for m = 0 the same once more
                start = starts[m, parity]
                to = (2 * m + (parity ^ flipped)) * rings * D
                products(table[start : start + degrees].T, degrees, row, 0, sums, to, rings, D)
        for j in range(J):
            mean, scale = scales[j, 0], scales[j, 1]
            even, odd = sums[j * D : j * D + D], sums[(rings + j) * D : (rings + j) * D + D]
            for w in range(W):
                x[w], x[W + w] = mean * even[w], mean * odd[w]
            x[L * D : (nlon - L + 1) * D] = 0
            for m in range(1, L):
                a, b = m * D, (nlon - m) * D
                e, o = (2 * m * rings + j) * D, ((2 * m + 1) * rings + j) * D
                if turned:
                    a, b = b, a
                joined(sums, (e, e + W, o, o + W), x, (a, a + W, b, b + W), (scale,), W)
            z = fourier(x, y, radices, turns, W, W)
            scattered(z, f, begin, n, nlat, j, mirrors[j], W, nlon, step)


@cache
def task(kernel, dtype, library):
    """A function of C that runs a kernel in each thread of an OpenMP library that calls it, on its share of the signals.

    It is given the address of integers: those of `LaneEngine._run`, arrays as addresses.
    """
    number, threads = library.omp_get_thread_num, library.omp_get_num_threads
    kind = numba.from_dtype(dtype)

    def run(given):
        a = carray(given, 22, np.int64)
        x, y = carray(pointer(a[0]), a[1], kind), carray(pointer(a[2]), a[3], kind)
        signals, nlat, L, J, nlon, rows = a[4], a[5], a[6], a[7], a[8], a[9]
        table = carray(pointer(a[10]), (rows, (J + 3) // 4 * 4), kind)
        starts = carray(pointer(a[11]), (L, 2), np.int64)
        mirrors = carray(pointer(a[12]), J, np.int64)
        scales = carray(pointer(a[13]), (J, 2), kind)
        radices = carray(pointer(a[14]), a[15], np.int64)
        turns = carray(pointer(a[16]), (nlon, 2), kind)
        numbers, W, share, flags = a[18], a[19], a[20], a[21]
        which = (flags & 1, flags >> 1)
        step = 64 // x.itemsize
        room = carray(pointer(a[17]), (threads(), numbers), kind)[number()]
        for part in range(number(), (signals + share - 1) // share, threads()):
            first, last = part * share, min(part * share + share, signals)
            kernel(
                x, y, signals, nlat, table, starts, mirrors, scales, radices, turns, which, room, W, step, first, last
            )  # fmt: skip

    return for_threads(run)
