"""Quadrature over the colatitude: nodes theta_j and weights w_j with sum_j w_j p(cos theta_j) = ∫_-1^1 p(x) dx.

Every rule returns `(colatitudes, weights, degree)`: the weights sum to 2, and the rule is exact for every
polynomial p of at most that degree. One more degree comes free where the rule is symmetric and the next degree odd.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

Rule = tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"], int]


def _sealed(theta: Float[np.ndarray, "n"], weights: Float[np.ndarray, "n"], degree: int) -> Rule:
    theta.flags.writeable = False
    weights.flags.writeable = False
    return theta, weights, degree


@lru_cache(maxsize=64)
def fejer_midpoints(n: int) -> Rule:
    """Fejér's first rule, theta_j = pi (2j+1) / 2n: the Driscoll-Healy rule that avoids the poles.

    For even n = 2b these are the weights of Driscoll & Healy (1994), theorem 3, as docs/math.md, 4, writes them:
    w_j = (2/b) sin(theta_j) sum_{l<b} sin((2l+1) theta_j) / (2l+1).
    """
    theta = np.pi * (2 * np.arange(n) + 1) / (2 * n)
    k = np.arange(1, n // 2 + 1)
    half = np.where(2 * k == n, 0.5, 1.0)  # cos(n theta_j) = 0 there, kept for the formula's sake
    weights = (2 / n) * (1 - 2 * np.cos(2 * np.outer(theta, k)) @ (half / (4.0 * k**2 - 1)))
    return _sealed(theta, weights, n if n % 2 else n - 1)


@lru_cache(maxsize=64)
def fejer_with_north_pole(n: int) -> Rule:
    """Fejér's second rule with a node of weight 0 at the north pole, theta_j = pi j / n (Driscoll & Healy 1994)."""
    theta = np.pi * np.arange(n) / n
    odd = 2 * np.arange(n // 2) + 1
    weights = (4 / n) * np.sin(theta) * (np.sin(np.outer(theta, odd)) @ (1 / odd))
    return _sealed(theta, weights, n - 1 if n % 2 == 0 else n - 2)


@lru_cache(maxsize=64)
def clenshaw_curtis(n: int) -> Rule:
    """Clenshaw and Curtis (1960), theta_j = pi j / (n-1), both poles included."""
    theta = np.pi * np.arange(n) / (n - 1)
    k = np.arange(1, (n - 1) // 2 + 1)
    last = np.where(2 * k == n - 1, 0.5, 1.0)
    weights = (2 / (n - 1)) * (1 - 2 * np.cos(2 * np.outer(theta, k)) @ (last / (4.0 * k**2 - 1)))
    weights[[0, -1]] /= 2
    return _sealed(theta, weights, n if n % 2 else n - 1)


@lru_cache(maxsize=64)
def gauss_legendre(n: int) -> Rule:
    """Gauss-Legendre: cos(theta_j) are the roots of P_n; exact to degree 2n-1, the most that n nodes can be.

    Newton's method on P_n(cos theta) from Tricomi's estimate of the roots, in extended precision: a root that is wrong
    in the last digit of a double costs a transform of high band limit three digits.
    """
    k = np.arange(1, n + 1, dtype=np.longdouble)
    theta = np.pi * (4 * k - 1) / (4 * n + 2)
    for _ in range(6):
        value, slope = _legendre_and_slope(n, np.cos(theta))
        theta = theta + value / (slope * np.sin(theta))
    _, slope = _legendre_and_slope(n, np.cos(theta))
    weights = 2 / (np.sin(theta) * slope) ** 2
    return _sealed(theta.astype(np.float64), weights.astype(np.float64), 2 * n - 1)


def _legendre_and_slope(n: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P_n(x) and P_n'(x), by l P_l = (2l-1) x P_{l-1} - (l-1) P_{l-2}."""
    before, value = np.ones_like(x), x
    for l in range(2, n + 1):
        before, value = value, ((2 * l - 1) * x * value - (l - 1) * before) / l
    return value, n * (before - x * value) / (1 - x * x)
