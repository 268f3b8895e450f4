"""The arithmetic of the compiled transform, written once, for numbers and for vectors of signals alike.

Whatever has +, - and * may stand in these formulas: numbers and arrays in tests, vector registers in `_lane_code`. Complex
numbers are pairs (real, imaginary), one after the other in a list.
"""

from collections.abc import Sequence
from math import cos, pi, sin, sqrt
from typing import Any

Numbers = list[Any]


def turned(x: Any, y: Any, c: Any, s: Any) -> Numbers:
    """(x + iy)(c + is)."""
    return [x * c - y * s, x * s + y * c]


def butterfly2(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Sums of a Fourier transform of length 2; the k-th of any butterfly is turned by the k-th power of e^{-2 pi i p / n}."""
    ar, ai, br, bi = z
    return [ar + br, ai + bi, *turned(ar - br, ai - bi, *turns)]


def butterfly3(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Length 3: with w = e^{-2 pi i / 3}, w + w^2 = -1 and w - w^2 = -i sqrt3."""
    half, root = turns[4], turns[5]  # 1/2 and sqrt3 / 2, as numbers of the right kind
    ar, ai, br, bi, cr, ci = z
    sr, si, dr, di = br + cr, bi + ci, (br - cr) * root, (bi - ci) * root
    mr, mi = ar - sr * half, ai - si * half
    return [ar + sr, ai + si, *turned(mr + di, mi - dr, *turns[:2]), *turned(mr - di, mi + dr, *turns[2:4])]


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


def butterfly5(z: Sequence[Any], turns: Sequence[Any]) -> Numbers:
    """Length 5: pairs k and 5 - k share their cosines, and their sines but for the sign."""
    c1, s1, c2, s2 = turns[8:]  # cos and sin of 2 pi / 5 and 4 pi / 5
    ar, ai, br, bi, cr, ci, dr, di, er, ei = z
    pr, pi_, qr, qi = br + er, bi + ei, cr + dr, ci + di
    ur, ui, vr, vi = br - er, bi - ei, cr - dr, ci - di
    mr, mi = ar + pr * c1 + qr * c2, ai + pi_ * c1 + qi * c2
    nr, ni = ar + pr * c2 + qr * c1, ai + pi_ * c2 + qi * c1
    xr, xi = ui * s1 + vi * s2, ur * s1 + vr * s2
    yr, yi = ui * s2 - vi * s1, ur * s2 - vr * s1
    return [
        ar + pr + qr,
        ai + pi_ + qi,
        *turned(mr + xr, mi - xi, *turns[:2]),
        *turned(nr + yr, ni - yi, *turns[2:4]),
        *turned(nr - yr, ni + yi, *turns[4:6]),
        *turned(mr - xr, mi + xi, *turns[6:8]),
    ]


#: numbers that butterflies want beside their turns
CONSTANTS: dict[int, tuple[float, ...]] = {
    2: (),
    3: (0.5, sqrt(0.75)),
    4: (),
    5: (cos(2 * pi / 5), sin(2 * pi / 5), cos(4 * pi / 5), sin(4 * pi / 5)),
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


def four_terms(sums: Sequence[Any], x: Sequence[Any], factors: Sequence[Any]) -> Numbers:
    """Add four products to each of some sums."""
    f = factors
    return [
        s + x[0] * f[4 * i] + x[1] * f[4 * i + 1] + x[2] * f[4 * i + 2] + x[3] * f[4 * i + 3]
        for i, s in enumerate(sums)
    ]


def one_term(sums: Sequence[Any], x: Sequence[Any], factors: Sequence[Any]) -> Numbers:
    """Add a product to each of some sums."""
    return [s + x[0] * factors[i] for i, s in enumerate(sums)]
