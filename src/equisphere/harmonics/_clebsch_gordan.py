"""Clebsch-Gordan coefficients, exactly: sums of integers under one root."""

from functools import lru_cache
from math import comb, sqrt

import numpy as np
from jaxtyping import Float

from equisphere.harmonics._spherical import real_from_complex


def clebsch_gordan(l1: int, l2: int, l: int) -> Float[np.ndarray, "size size1 size2"]:
    r"""<l1 m1 l2 m2 | l m> as an array over m, m1, m2, each from its -l up: how two degrees make a third.

    If f and g turn as degrees l1 and l2 do, h_m = sum <l1 m1 l2 m2 | l m> f_m1 g_m2 turns as degree l. Convention: Condon and
    Shortley's (Varshalovich et al. 1988, 8.2); rows are orthonormal. Racah's formula with the factorials gathered to binomials
    (Wei 1999), k running over all terms:

        sqrt( C(2l1, j) C(2l2, j) / ( C(l1+l2+l+1, j) C(2l1, l1-m1) C(2l2, l2-m2) C(2l, l-m) ) )
            sum_k (-1)^k C(j, k) C(l1-l2+l, l1-m1-k) C(l2-l1+l, l2+m2-k),    j = l1 + l2 - l.

    Args:
        l1: first degree.
        l2: second degree.
        l: degree of the result.

    Raises:
        ValueError: where the degrees are no integers of at least 0.

    >>> import numpy as np
    >>> np.round(clebsch_gordan(1, 1, 0)[0], 4)
    array([[ 0.    ,  0.    ,  0.5774],
           [ 0.    , -0.5774,  0.    ],
           [ 0.5774,  0.    ,  0.    ]])
    """
    if any(not hasattr(k, "__index__") or k < 0 for k in (l1, l2, l)):
        raise ValueError(f"degrees must be integers of at least 0, got {l1!r}, {l2!r}, {l!r}.")
    table = np.zeros((2 * l + 1, 2 * l1 + 1, 2 * l2 + 1))
    j = l1 + l2 - l
    if not abs(l1 - l2) <= l <= l1 + l2:
        return table
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -l - m1), min(l2, l - m1) + 1):
            m = m1 + m2
            terms = range(max(0, l2 - l - m1, l1 - l + m2), min(j, l1 - m1, l2 + m2) + 1)
            total = sum(
                (-1) ** k * comb(j, k) * comb(l1 - l2 + l, l1 - m1 - k) * comb(l2 - l1 + l, l2 + m2 - k) for k in terms
            )
            above = comb(2 * l1, j) * comb(2 * l2, j)
            below = comb(l1 + l2 + l + 1, j) * comb(2 * l1, l1 - m1) * comb(2 * l2, l2 - m2) * comb(2 * l, l - m)
            table[m + l, m1 + l1, m2 + l2] = total * sqrt(above / below)
    return table


@lru_cache(maxsize=4096)
def clebsch_gordan_real(l1: int, l2: int, l: int) -> Float[np.ndarray, "size size1 size2"]:
    """The same for coefficients over the real harmonics: real numbers, with orthonormal rows.

    In the real basis `clebsch_gordan` is real where l1 + l2 + l is even, and imaginary where it is odd; there it is divided by
    i. The products of odd sum change sign when f and g change places; of two vectors it is their cross product.

    >>> import numpy as np
    >>> x, y = np.array([0.0, 0, 1]), np.array([1.0, 0, 0])  # degree 1 is (y, z, x)
    >>> np.round(2**0.5 * abs(clebsch_gordan_real(1, 1, 1) @ y @ x))  # along z
    array([0., 1., 0.])
    """
    U, U1, U2 = (real_from_complex(k) for k in (l, l1, l2))
    turned = np.einsum("am,mnk,bn,ck->abc", U.conj(), clebsch_gordan(l1, l2, l), U1, U2, optimize=True)
    table = turned.real if (l1 + l2 + l) % 2 == 0 else turned.imag
    table.flags.writeable = False
    return table
