"""The transform of some signals on some rings, compiled by numba: `LaneEngine` says what it does.

All arrays are flat but for tables. `D = 2 W` numbers stand together: the real parts (or cosine sums) of W signals, then their
imaginary parts (or sine sums). `kind`: whether the functions of the table are odd about the equator where P_lm is even, and
whether they meet the derivatives of cosines and sines in place of them: signs and places change, and no arithmetic.
"""
# mypy: allow-untyped-defs

import os
from inspect import unwrap

import numba

from equisphere.transforms import _lane_formulas as formulas
from equisphere.transforms._lane_code import gather, lanewise, scatter


def compiled(function):
    """By numba, to run without the interpreter's lock."""
    njit = numba.njit(nogil=True, error_model="numpy", cache="NUMBA_CACHE_DIR" in os.environ)
    return njit(unwrap(function))  # without the wrapper in which tests check shapes


butterfly2 = lanewise(formulas.butterfly2, 4, 4, 2)
butterfly3 = lanewise(formulas.butterfly3, 6, 6, 6)
butterfly4 = lanewise(formulas.butterfly4, 8, 8, 6)
butterfly5 = lanewise(formulas.butterfly5, 10, 10, 12)
separated = lanewise(formulas.separated, 4, 4, 1)
joined = lanewise(formulas.joined, 4, 4, 1)
four_terms = lanewise(formulas.four_terms, 4, 4, 16, adds=True)
one_term = lanewise(formulas.one_term, 1, 4, 4, adds=True)
copy = lanewise(lambda x, _: x, 1, 1, 0)
F3, F5 = formulas.CONSTANTS[3], formulas.CONSTANTS[5]


@compiled
def pass2(x, y, n, s, turns, re, W):
    im, D, t = W - re, 2 * W, len(turns) // n
    for p in range(n // 2):
        factors = (turns[p * t, 0], turns[p * t, 1])
        for q in range(s):
            a, b, g, h = (q + s * p) * D, (q + s * 2 * p) * D, s * (n // 2) * D, s * D
            butterfly2(
                x, (a + re, a + im, a + g + re, a + g + im),
                y, (b + re, b + im, b + h + re, b + h + im), factors, W,
            )  # fmt: skip


@compiled
def pass3(x, y, n, s, turns, re, W):
    im, D, t = W - re, 2 * W, len(turns) // n
    half, root = turns.dtype.type(F3[0]), turns.dtype.type(F3[1])
    for p in range(n // 3):
        factors = (turns[p * t, 0], turns[p * t, 1], turns[2 * p * t, 0], turns[2 * p * t, 1], half, root)
        for q in range(s):
            a, b, g, h = (q + s * p) * D, (q + s * 3 * p) * D, s * (n // 3) * D, s * D
            butterfly3(
                x, (a + re, a + im, a + g + re, a + g + im, a + 2 * g + re, a + 2 * g + im),
                y, (b + re, b + im, b + h + re, b + h + im, b + 2 * h + re, b + 2 * h + im), factors, W,
            )  # fmt: skip


@compiled
def pass4(x, y, n, s, turns, re, W):
    im, D, t = W - re, 2 * W, len(turns) // n
    for p in range(n // 4):
        factors = (
            turns[p * t, 0], turns[p * t, 1], turns[2 * p * t, 0], turns[2 * p * t, 1],
            turns[3 * p * t, 0], turns[3 * p * t, 1],
        )  # fmt: skip
        for q in range(s):
            a, b, g, h = (q + s * p) * D, (q + s * 4 * p) * D, s * (n // 4) * D, s * D
            butterfly4(
                x, (a + re, a + im, a + g + re, a + g + im, a + 2 * g + re, a + 2 * g + im, a + 3 * g + re, a + 3 * g + im),
                y, (b + re, b + im, b + h + re, b + h + im, b + 2 * h + re, b + 2 * h + im, b + 3 * h + re, b + 3 * h + im),
                factors, W,
            )  # fmt: skip


@compiled
def pass5(x, y, n, s, turns, re, W):
    im, D, t = W - re, 2 * W, len(turns) // n
    kind = turns.dtype.type
    c1, s1, c2, s2 = kind(F5[0]), kind(F5[1]), kind(F5[2]), kind(F5[3])
    for p in range(n // 5):
        factors = (
            turns[p * t, 0], turns[p * t, 1], turns[2 * p * t, 0], turns[2 * p * t, 1],
            turns[3 * p * t, 0], turns[3 * p * t, 1], turns[4 * p * t, 0], turns[4 * p * t, 1], c1, s1, c2, s2,
        )  # fmt: skip
        for q in range(s):
            a, b, g, h = (q + s * p) * D, (q + s * 5 * p) * D, s * (n // 5) * D, s * D
            butterfly5(
                x, (a + re, a + im, a + g + re, a + g + im, a + 2 * g + re, a + 2 * g + im,
                    a + 3 * g + re, a + 3 * g + im, a + 4 * g + re, a + 4 * g + im),
                y, (b + re, b + im, b + h + re, b + h + im, b + 2 * h + re, b + 2 * h + im,
                    b + 3 * h + re, b + 3 * h + im, b + 4 * h + re, b + 4 * h + im),
                factors, W,
            )  # fmt: skip


@compiled
def fourier(x, y, radices, turns, re, W):
    """Sums over k of x_k e^{-2 pi i mk / n}, by Stockham's passes between two arrays; returns where they end, x or y.

    `re` is 0, or W: real and imaginary parts in each other's place give the sums with e^{+2 pi i mk / n}.
    """
    n, s = len(turns), 1
    for radix in radices:
        if radix == 4:
            pass4(x, y, n, s, turns, re, W)
        elif radix == 2:
            pass2(x, y, n, s, turns, re, W)
        elif radix == 3:
            pass3(x, y, n, s, turns, re, W)
        else:
            pass5(x, y, n, s, turns, re, W)
        x, y = y, x
        n, s = n // radix, s * radix
    return x


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
    """The transpose of `analysis`: samples of the signals first .. last-1. `table` has rings in front here."""
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
                products(table[:, start : start + degrees], degrees, row, 0, sums, to, rings, D)
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
