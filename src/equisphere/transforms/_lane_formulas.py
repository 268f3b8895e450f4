"""The arithmetic of the compiled transform, written once, for numbers and for vectors of signals alike.

Whatever has +, - and * may stand in these formulas: numbers and arrays in tests, vector registers in `_lane_code`. Complex
numbers are pairs (real, imaginary), one after the other in a list.
"""

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Any

Numbers = list[Any]


def turned(x: Any, y: Any, c: Any, s: Any) -> Numbers:
    """(x + iy)(c + is)."""
    return [x * c - y * s, x * s + y * c]


def butterfly2(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Sums of a Fourier transform of length 2; the k-th of any butterfly is turned by the k-th power of e^{-2 pi i p / n}."""
    ar, ai, br, bi = z
    return [ar + br, ai + bi, *turned(ar - br, ai - bi, *turns)]


def butterfly4(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Length 4: e^{-2 pi i / 4} = -i costs no product."""
    ar, ai, br, bi, cr, ci, dr, di = z
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, bi - di, dr - br
    return [
        sr + ur,
        si + ui,
        *turned(tr + vr, ti + vi, *turns[:2]),
        *turned(sr - ur, si - ui, *turns[2:4]),
        *turned(tr - vr, ti - vi, *turns[4:6]),
    ]


def butterfly_odd(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Odd lengths r: terms j and r - j share their cosines, and their sines but for the sign; so do the sums k and r - k."""
    r = len(z) // 2
    half, constants = r // 2, turns[2 * (r - 1) :]  # cos and sin of 2 pi j / r
    pairs = [[z[2 * j], z[2 * j + 1], z[2 * (r - j)], z[2 * (r - j) + 1]] for j in range(1, half + 1)]
    sums = [(ar + br, ai + bi) for ar, ai, br, bi in pairs]
    differences = [(ar - br, ai - bi) for ar, ai, br, bi in pairs]
    out: list[Numbers] = [[z[0], z[1]], *([] for _ in range(r - 1))]
    for sr, si in sums:
        out[0] = [out[0][0] + sr, out[0][1] + si]
    for k in range(1, half + 1):
        (mr, mi), (xr, xi) = (z[0], z[1]), (None, None)
        for j in range(1, half + 1):
            at = j * k % r
            c, s = constants[2 * min(at, r - at) - 2], constants[2 * min(at, r - at) - 1]
            (sr, si), (dr, di) = sums[j - 1], differences[j - 1]
            mr, mi, yr, yi = mr + sr * c, mi + si * c, di * s, dr * s
            if xr is None:
                xr, xi = yr, yi  # of j = 1, whose angle is below pi: no sign to turn
            else:
                xr, xi = (xr + yr, xi + yi) if at <= half else (xr - yr, xi - yi)
        out[k] = turned(mr + xr, mi - xi, *turns[2 * k - 2 : 2 * k])
        out[r - k] = turned(mr - xr, mi + xi, *turns[2 * (r - k) - 2 : 2 * (r - k)])
    return [number for pair in out for number in pair]


butterfly3 = butterfly5 = butterfly7 = butterfly_odd

#: numbers that butterflies want beside their turns: of odd lengths r, cos and sin of 2 pi j / r for j up to half of it
CONSTANTS: dict[int, tuple[float, ...]] = {
    r: tuple(wave(2 * pi * j / r) for j in range(1, r // 2 + 1) for wave in (cos, sin)) if r % 2 else ()
    for r in (2, 3, 4, 5, 7)
}


def separated(z: Sequence[Any], scale: Sequence[Any]) -> Numbers:
    """Cosine and sine sums of e, then those of o, from Z = E + iO, the transform of e + io (both real), at m and at -m.

    E_m = (Z_m + conj Z_-m) / 2, O_m = (Z_m - conj Z_-m) / 2i; cosine sums are real parts, sine sums minus imaginary ones.
    """
    (ar, ai, br, bi), h = z, scale[0]
    return [(ar + br) * h, (bi - ai) * h, (ai + bi) * h, (ar - br) * h]


def joined(sums: Sequence[Any], scale: Sequence[Any]) -> Numbers:
    """Z_m and Z_-m of e + io from cosine and sine sums of e and of o: the transpose of `separated`."""
    (ec, es, oc, os), h = sums, scale[0]
    return [(ec + os) * h, (oc - es) * h, (ec - os) * h, (oc + es) * h]
