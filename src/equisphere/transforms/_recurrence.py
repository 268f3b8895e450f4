r"""Legendre functions on the fly: a recurrence two degrees at a time, and start values that cannot underflow.

With eps_lm = sqrt((l^2 - m^2) / (4 l^2 - 1)), x P_lm = eps_{l+1} P_{l+1} + eps_l P_{l-1} (orders left out). Everything is
built on one chain of functions for each order, that of the odd degrees divided by x (Ishioka 2018, J. Meteorol. Soc.
Japan 96, eqs. 3 to 13, up to the scale): u_n = P_{m+2n+1} / x, an even polynomial in x times sin^m, with
    P_{m+2n} = eps_{m+2n+1} u_n + eps_{m+2n} u_{n-1},     P_{m+2n+1} = x u_n,
so that one value serves two degrees. Scaled as u_n = kappa_n p_n the chain is
    p_{n+1} = p_{n-1} + a_n (x^2 - t_n) p_n,   a_n = (-1)^n kappa_n^2 / q,   t_n = eps_{l+1}^2 + eps_l^2,   l = m + 2n + 1,
with |kappa_{n+1}| = q / (|kappa_n| eps_{l+1} eps_{l+2}) and signs +, +, -, -, +, ..

Near the poles x^2 - t_n is taken as (1 - t_n) - sin^2: a rounded x^2 there stands for another colatitude, and costs
a transform at L = 2048 a factor of twenty.

Where sin^m is below the range of a double the chain starts with an exponent of its own, in units of 2^UNIT, and is
brought back to exponent 0 when it has grown (Fukushima 2012, J. Geodesy 86, section 2.5).
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int32

#: kappa_n kappa_{n+1} eps_{l+1} eps_{l+2}, the free constant of the scale: 1/4 keeps kappa near 1 at high degrees
Q = 0.25
#: one exponent of a scaled number is this many powers of two
UNIT = 512
#: a scaled number of exponent e < 0 goes to e + 1 when its mantissa has reached 2^(UNIT - FLOOR): it is 2^-FLOOR then
FLOOR = 812
#: what is smaller counts for nothing; a mantissa of exponent e < 0 is smaller at any time, so that none need be masked
NEGLIGIBLE = 2.0**-160
#: steps of the chain between two looks at the exponents: up to order 2^15 it grows by less than 2^120 in these
STEPS = 8
#: rings with sin^2 below this take the polar form of the recurrence
POLAR = 0.5


def epsilon(degree: np.ndarray, order: np.ndarray) -> Float64[np.ndarray, "..."]:
    """sqrt((l^2 - m^2) / (4 l^2 - 1)), and 0 where l <= m."""
    l, m = np.asarray(degree, dtype=np.float64), np.asarray(order, dtype=np.float64)
    return np.sqrt(np.maximum((l - m) * (l + m), 0.0) / (4 * l * l - 1).clip(min=1))


@lru_cache(maxsize=4)
def scales(bandwidth: int) -> Float64[np.ndarray, "terms orders"]:
    """kappa_n of every order m < L, signs included: about L^2 / 2 numbers.

    Each is made from the one before, so that the product of two neighbours is exact to rounding, which the recurrence
    depends on; their own error, which grows as sqrt(n), is made good by p_n.
    """
    order = np.arange(bandwidth)
    kappa = np.ones((bandwidth // 2 + 2, bandwidth))
    for n in range(len(kappa) - 1):
        l = order + 2 * n + 1
        kappa[n + 1] = Q / (kappa[n] * epsilon(l + 1, order) * epsilon(l + 2, order))
    kappa[2::4] *= -1
    kappa[3::4] *= -1
    kappa.flags.writeable = False
    return kappa


def centres(degree: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The centre t = eps_{l+1}^2 + eps_l^2, and 1 - t, both without cancellation."""
    l, m = np.asarray(degree, dtype=np.float64), np.asarray(order, dtype=np.float64)
    ll, mm, below = l * (l + 1), m * m, (2 * l - 1) * (2 * l + 3)
    return (2 * ll - 2 * mm - 1) / below, (2 * ll + 2 * mm - 2) / below


def starts(
    bandwidth: int, colatitudes: Float64[np.ndarray, "rings"]
) -> tuple[Float64[np.ndarray, "orders rings"], Int32[np.ndarray, "orders rings"]]:
    """p_0 = sqrt(2m+3) P_mm(cos theta) of every order m < L, as mantissas and exponents.

    Made in extended precision, for sin^m multiplies the relative error of the sine by m.

    >>> mantissa, exponent = starts(3001, np.array([0.01]))  # 0.01^3000 is 10^-6000
    >>> round((np.log10(mantissa) + exponent * UNIT * np.log10(2)).item(3000), 1)
    -5997.8
    """
    sine = np.sin(colatitudes.astype(np.longdouble))
    value, power = (
        np.full_like(sine, np.sqrt(3 / (16 * np.arctan(np.longdouble(1))))),
        np.zeros(len(sine), dtype=np.int64),
    )
    mantissas = np.empty((bandwidth, len(sine)))
    exponents = np.empty((bandwidth, len(sine)), dtype=np.int32)
    for m in range(bandwidth):
        if m:
            wide = np.longdouble(m)
            value = value * (sine * np.sqrt((2 * wide + 3) / (2 * wide)))
        value, shift = np.frexp(value)
        power = power + shift
        exponent = np.where(sine > 0, np.minimum(0, (power + FLOOR) // UNIT), 0)
        exponents[m] = exponent
        mantissas[m] = np.ldexp(value.astype(np.float64), power - UNIT * exponent)
    return mantissas, exponents


def reach(bandwidth: int, order: int, sine: Float64[np.ndarray, "rings"]) -> int:
    """The first ring, of those from the pole to the equator, where order m is not negligible at every degree l < L.

    P_lm is, where l sin(theta) is below m by so much (the margin is that of Reinecke & Seljebotn 2013, section 3.3).
    """
    margin = max(100.0, 0.01 * bandwidth)
    return int(np.sum(sine * bandwidth + margin < order))
