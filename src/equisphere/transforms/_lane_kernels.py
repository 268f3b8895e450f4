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
from equisphere.transforms._lane_code import (
    for_threads,
    gather,
    lanewise,
    pointer,
    prefetch,
    scatter,
    tile_sums,
    tile_sums_across,
)
from equisphere.transforms._lane_fourier import compiled, fourier

separated = lanewise(formulas.separated, 4, 4, 1)
joined = lanewise(formulas.joined, 4, 4, 1)
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
def block_size(J, D, step):
    """Numbers from the sums of an order and parity to the next: not a power of 2, for which caches have few places."""
    return (J + 3) // 4 * 4 * D + step


@compiled
def products(table, first, down, along, across, terms, x, start, y, to, rows, D, step, soon, lines):
    """Rows y_a = sum_j t_aj x_j, a < rows (a multiple of 4), j < terms; rows of x and y have D numbers.

    Tiles of the table begin at `first`; those of the next rows are `down` further, of the next terms `along`, and `across`
    says that their columns are the rows. Meanwhile `lines` cache lines from x[soon] on are fetched, for the next call.
    """
    done, parts = 0, D // step * (rows // 4)
    for w in range(0, D, step):  # what a column of vectors reads stays in the first-level cache
        for a in range(rows // 4):
            upto = lines * (w // step * (rows // 4) + a + 1) // parts
            for line in range(done, upto):
                prefetch(x, soon + line * step)
            done = upto
            if across:
                tile_sums_across(table, first + a * down, along, terms, x, start + w, y, to + 4 * a * D + w, D)
            else:
                tile_sums(table, first + a * down, along, terms, x, start + w, y, to + 4 * a * D + w, D)


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
def rings_to_sums(f, sums, work, begin, n, nlat, L, mirrors, scales, radices, turns, turned, W, step, first, last):
    """Sums by (order, parity) of n signals on the rings first .. last-1 and their mirror images. `work`: two rings."""
    J, nlon, D = len(mirrors), len(turns), 2 * W
    x, y, block = work[: nlon * D], work[nlon * D : 2 * nlon * D], block_size(J, D, step)
    for j in range(first, last):
        gathered(f, begin, n, nlat, j, mirrors[j], x, W, nlon, step)
        z = fourier(x, y, radices, turns, 0, W)
        mean, scale = scales[j, 0], scales[j, 1]
        even, odd = sums[j * D : j * D + D], sums[block + j * D : block + j * D + D]
        for w in range(W):
            even[w], even[W + w], odd[w], odd[W + w] = mean * z[w], 0, mean * z[W + w], 0
        for m in range(1, L):
            a, b, e, o = m * D, (nlon - m) * D, 2 * m * block + j * D, (2 * m + 1) * block + j * D
            if turned:
                a, b = b, a
            separated(z, (a, a + W, b, b + W), sums, (e, e + W, o, o + W), (scale,), W)


@compiled
def sums_to_coefficients(sums, c, row, begin, n, signals, table, starts, J, kind, W, step, first, every):
    """Coefficients of n signals, of the orders first, first + every and so on. `row`: those of an order and parity."""
    L, D = len(starts), 2 * W
    flipped, turned = kind
    block, tiles = block_size(J, D, step), (J + 3) // 4
    for m in range(first, L, every):
        for parity in range(2):
            degrees = (L - m - parity + 1) // 2
            rows = (degrees + 3) // 4 * 4
            then = 2 * m + (1 ^ flipped) if parity == 0 else 2 * (m + every) + flipped
            lines = J * D // step if then < 2 * L else 0
            products(
                table, starts[m, parity], 16 * tiles, 16, False, J, sums, (2 * m + (parity ^ flipped)) * block,
                row, 0, rows, D, step, then * block, lines,
            )  # fmt: skip
            for i in range(degrees):
                l = m + parity + 2 * i
                cosine = -m if turned else m
                moved(row, i * D, c, (l * l + l + cosine) * signals + begin, n, W)
                if m > 0:
                    moved(row, i * D + W, c, (l * l + l - cosine) * signals + begin, n, W)


@compiled
def coefficients_to_sums(c, sums, row, begin, n, signals, table, starts, J, kind, W, step, first, every):
    """The transpose of `sums_to_coefficients`."""
    L, D = len(starts), 2 * W
    flipped, turned = kind
    block, tiles = block_size(J, D, step), (J + 3) // 4
    for m in range(first, L, every):
        for parity in range(2):
            degrees = (L - m - parity + 1) // 2
            for i in range(degrees):
                l = m + parity + 2 * i
                cosine = -m if turned else m
                moved(c, (l * l + l + cosine) * signals + begin, row, i * D, n, W)
                # for m = 0 the same once more
                moved(c, (l * l + l - cosine) * signals + begin, row, i * D + W, n, W)
            products(
                table, starts[m, parity], 16, 16 * tiles, True, degrees, row, 0,
                sums, (2 * m + (parity ^ flipped)) * block, 4 * tiles, D, step, 0, 0,
            )  # fmt: skip


@compiled
def sums_to_rings(sums, f, work, begin, n, nlat, L, mirrors, scales, radices, turns, turned, W, step, first, last):
    """The transpose of `rings_to_sums`."""
    J, nlon, D = len(mirrors), len(turns), 2 * W
    x, y, block = work[: nlon * D], work[nlon * D : 2 * nlon * D], block_size(J, D, step)
    for j in range(first, last):
        mean, scale = scales[j, 0], scales[j, 1]
        even, odd = sums[j * D : j * D + D], sums[block + j * D : block + j * D + D]
        for w in range(W):
            x[w], x[W + w] = mean * even[w], mean * odd[w]
        x[L * D : (nlon - L + 1) * D] = 0
        for m in range(1, L):
            a, b, e, o = m * D, (nlon - m) * D, 2 * m * block + j * D, (2 * m + 1) * block + j * D
            if turned:
                a, b = b, a
            joined(sums, (e, e + W, o, o + W), x, (a, a + W, b, b + W), (scale,), W)
        z = fourier(x, y, radices, turns, W, W)
        scattered(z, f, begin, n, nlat, j, mirrors[j], W, nlon, step)


@compiled
def shares(signals, J, W, me, of, share, begin, half):
    """What thread `me` of so many does: signals from, to, every; how many in a row; rings from, to; orders from, every.

    Each thread takes `share` signals at a time from end to end (`half` 0). Or all of them take the signals begin ..
    begin + W - 1, each some rings in one half (1 of analysis), and some orders in the other.
    """
    if half == 0:
        return me * share, signals, of * share, share, 0, J, 0, 1
    return begin, begin + 1, 1, W, J * me // of, J * (me + 1) // of, me, of


@compiled
def analysis(
    x, y, signals, nlat, table, starts, mirrors, scales, radices, turns, kind, work, sums, W, step, me, of, share, begin, half
):  # fmt: skip
    """Coefficients of signals: what falls to one thread, as `shares` has it, by rings (half 1), by orders (2) or both (0)."""
    L, J = len(starts), len(mirrors)
    start, stop, every, row, ring, end, order, orders = shares(signals, J, W, me, of, share, begin, half)
    for first in range(start, stop, every):
        for at in range(first, min(first + row, signals), W):
            n = min(W, signals - at)
            if half != 2:
                rings_to_sums(
                    x, sums, work, at, n, nlat, L, mirrors, scales, radices, turns, kind[1], W, step, ring, end
                )
            if half != 1:
                sums_to_coefficients(sums, y, work, at, n, signals, table, starts, J, kind, W, step, order, orders)


@compiled
def synthesis(
    x, y, signals, nlat, table, starts, mirrors, scales, radices, turns, kind, work, sums, W, step, me, of, share, begin, half
):  # fmt: skip
    """The transpose of `analysis`: by orders (half 1), by rings (2) or both (0)."""
    L, J = len(starts), len(mirrors)
    start, stop, every, row, ring, end, order, orders = shares(signals, J, W, me, of, share, begin, half)
    for first in range(start, stop, every):
        for at in range(first, min(first + row, signals), W):
            n = min(W, signals - at)
            if half != 2:
                coefficients_to_sums(x, sums, work, at, n, signals, table, starts, J, kind, W, step, order, orders)
            if half != 1:
                sums_to_rings(
                    sums, y, work, at, n, nlat, L, mirrors, scales, radices, turns, kind[1], W, step, ring, end
                )


@cache
def task(kernel, dtype, library):
    """A function of C that runs a kernel in each thread of an OpenMP library that calls it, on its share of the work.

    It is given the address of integers: those of `LaneEngine._run`, arrays as addresses.
    """
    number, threads = library.omp_get_thread_num, library.omp_get_num_threads
    kind = numba.from_dtype(dtype)

    def run(given):
        a = carray(given, 25, np.int64)
        x, y = carray(pointer(a[0]), a[1], kind), carray(pointer(a[2]), a[3], kind)
        room, own, each = a[4], a[5], a[6]
        share, begin, half = a[7], a[8], a[9]
        signals, nlat, L, J, nlon = a[10], a[11], a[12], a[13], a[14]
        table = carray(pointer(a[16]), a[15], kind)
        starts = carray(pointer(a[17]), (L, 2), np.int64)
        mirrors = carray(pointer(a[18]), J, np.int64)
        scales = carray(pointer(a[19]), (J, 2), kind)
        radices = carray(pointer(a[20]), a[21], np.int64)
        turns = carray(pointer(a[22]), (nlon, 2), kind)
        W, flags = a[23], a[24]
        me, of, size = number(), threads(), x.itemsize
        # sums first: those of one half are where the other looks, whatever the number of threads that each is granted
        sums = carray(pointer(room + (0 if half else me * each) * size), each, kind)
        work = carray(pointer(room + ((1 if half else of) * each + me * own) * size), own, kind)
        kernel(
            x, y, signals, nlat, table, starts, mirrors, scales, radices, turns, (flags & 1, flags >> 1), work, sums,
            W, 64 // size, me, of, share, begin, half,
        )  # fmt: skip

    return for_threads(run)
