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
    k = np.arange((n + 1) // 2)
    waves = np.exp(1j * np.pi * k / n) / (1 - 4.0 * k**2)
    weights = 2 * np.fft.irfft(waves, n)  # (2 / n) sum_k cos(2 k theta_j) / (1 - 4 k^2) over k and -k
    return _sealed(theta, weights, n if n % 2 else n - 1)


@lru_cache(maxsize=64)
def fejer_with_north_pole(n: int) -> Rule:
    """Fejér's second rule with a node of weight 0 at the north pole, theta_j = pi j / n (Driscoll & Healy 1994)."""
    theta = np.pi * np.arange(n) / n
    waves = np.zeros(n + 1, dtype=complex)
    waves[1:n:2] = -1j / np.arange(1, n, 2)
    weights = 4 * np.sin(theta) * np.fft.irfft(waves, 2 * n)[:n]  # (4 / n) sin(theta_j) sum_k sin(k theta_j) / k, k odd
    return _sealed(theta, weights, n - 1 if n % 2 == 0 else n - 2)


@lru_cache(maxsize=64)
def clenshaw_curtis(n: int) -> Rule:
    """Clenshaw and Curtis (1960), theta_j = pi j / (n-1), both poles included."""
    theta = np.pi * np.arange(n) / (n - 1)
    around = 2 * np.fft.irfft(1 / (1 - 4.0 * np.arange((n - 1) // 2 + 1) ** 2), n - 1)  # the poles as one node
    weights = np.append(around, around[0])
    weights[[0, -1]] /= 2
    return _sealed(theta, weights, n if n % 2 else n - 1)


@lru_cache(maxsize=64)
def gauss_legendre(n: int) -> Rule:
    """Gauss-Legendre: cos(theta_j) are the roots of P_n; exact to degree 2n-1, the most that n nodes can be.

    Newton's method on P_n(cos theta) from Olver's estimate of the roots (DLMF 18.16.14) in extended precision: a root
    that is wrong in the last digit of a double costs a transform of high band limit three digits.
    """
    psi = _bessel_zeros((n + 1) // 2).astype(np.longdouble) / (n + np.longdouble(0.5))
    theta = psi + (psi / np.tan(psi) - 1) / (8 * psi * (n + np.longdouble(0.5)) ** 2)
    if n % 2:
        theta[-1] = 2 * np.arctan(np.longdouble(1))
    step = np.ones(1, dtype=np.longdouble)
    while np.max(abs(step)) > 1e-10:  # the error after a step is below its square times n
        value, slope = _legendre_and_slope(n, np.cos(theta))
        step = value / (slope * np.sin(theta))
        theta = theta + step
    _, slope = _legendre_and_slope(n, np.cos(theta))
    weights = (2 / (np.sin(theta) * slope) ** 2).astype(np.float64)
    south = slice(n // 2 - 1, None, -1) if n > 1 else slice(0)
    pi = 4 * np.arctan(np.longdouble(1))
    nodes = np.concatenate((theta, (pi - theta)[south])).astype(np.float64)
    return _sealed(nodes, np.concatenate((weights, weights[south])), 2 * n - 1)


def _bessel_zeros(n: int) -> np.ndarray:
    """The first n zeros of J_0: those of SciPy, then McMahon's expansion (DLMF 10.21.19)."""
    from scipy.special import jn_zeros  # here, since it takes longer to load than the rest of the package

    beta = np.pi * (np.arange(1, n + 1) - 0.25)
    zeros = beta + 1 / (8 * beta) - 124 / (3 * (8 * beta) ** 3) + 120928 / (15 * (8 * beta) ** 5)
    few = min(n, 10)
    zeros[:few] = jn_zeros(0, few)
    return zeros


def _legendre_and_slope(n: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P_n(x) and P_n'(x), by l P_l = (2l-1) x P_{l-1} - (l-1) P_{l-2}."""
    before, value, made = np.ones_like(x), x.copy(), np.empty_like(x)
    for l in range(2, n + 1):
        share = x.dtype.type(l - 1) / l
        np.multiply(x, value, out=made)
        made *= 1 + share
        before *= share
        made -= before
        before, value, made = value, made, before
    return value, n * (before - x * value) / (1 - x * x)
