"""The Fourier transform of signals in lanes, by Stockham's passes of radix 2, 3, 4, 5 and 7, compiled by numba.

`D = 2 W` numbers stand together: the real parts of W signals, then their imaginary parts.
"""
# mypy: allow-untyped-defs

import os
from inspect import unwrap

import numba

from equisphere.transforms import _lane_formulas as formulas
from equisphere.transforms._lane_code import lanewise


def compiled(function):
    """By numba, to run without the interpreter's lock."""
    njit = numba.njit(nogil=True, error_model="numpy", cache="NUMBA_CACHE_DIR" in os.environ)
    return njit(unwrap(function))  # without the wrapper in which tests check shapes


butterfly2 = lanewise(formulas.butterfly2, 4, 4, 2)
butterfly3 = lanewise(formulas.butterfly3, 6, 6, 6)
butterfly4 = lanewise(formulas.butterfly4, 8, 8, 6)
butterfly5 = lanewise(formulas.butterfly5, 10, 10, 12)
butterfly7 = lanewise(formulas.butterfly7, 14, 14, 18)
F3, F5, F7 = (formulas.CONSTANTS[r] for r in (3, 5, 7))


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
    c1, s1 = turns.dtype.type(F3[0]), turns.dtype.type(F3[1])
    for p in range(n // 3):
        factors = (turns[p * t, 0], turns[p * t, 1], turns[2 * p * t, 0], turns[2 * p * t, 1], c1, s1)
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
def pass7(x, y, n, s, turns, re, W):
    im, D, t = W - re, 2 * W, len(turns) // n
    kind = turns.dtype.type
    c1, s1, c2, s2, c3, s3 = kind(F7[0]), kind(F7[1]), kind(F7[2]), kind(F7[3]), kind(F7[4]), kind(F7[5])
    for p in range(n // 7):
        factors = (
            turns[p * t, 0], turns[p * t, 1], turns[2 * p * t, 0], turns[2 * p * t, 1],
            turns[3 * p * t, 0], turns[3 * p * t, 1], turns[4 * p * t, 0], turns[4 * p * t, 1],
            turns[5 * p * t, 0], turns[5 * p * t, 1], turns[6 * p * t, 0], turns[6 * p * t, 1], c1, s1, c2, s2, c3, s3,
        )  # fmt: skip
        for q in range(s):
            a, b, g, h = (q + s * p) * D, (q + s * 7 * p) * D, s * (n // 7) * D, s * D
            butterfly7(
                x, (a + re, a + im, a + g + re, a + g + im, a + 2 * g + re, a + 2 * g + im, a + 3 * g + re, a + 3 * g + im,
                    a + 4 * g + re, a + 4 * g + im, a + 5 * g + re, a + 5 * g + im, a + 6 * g + re, a + 6 * g + im),
                y, (b + re, b + im, b + h + re, b + h + im, b + 2 * h + re, b + 2 * h + im, b + 3 * h + re, b + 3 * h + im,
                    b + 4 * h + re, b + 4 * h + im, b + 5 * h + re, b + 5 * h + im, b + 6 * h + re, b + 6 * h + im),
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
        elif radix == 5:
            pass5(x, y, n, s, turns, re, W)
        else:
            pass7(x, y, n, s, turns, re, W)
        x, y = y, x
        n, s = n // radix, s * radix
    return x
