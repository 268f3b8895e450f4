"""Wigner matrices of any degree, plainly."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float, Int

from equisphere import _checks
from equisphere.harmonics._spherical import real_from_complex


def wigner_d(degree: int, beta: float) -> Float[np.ndarray, "size size"]:
    r"""Wigner's small d^l_{mn}(beta), rows m and columns n = -l .. l.

    Convention: d^l(beta) = exp(-i beta J_y) in the basis of `complex_harmonics`: the rotation by beta about y takes
    f_lm to sum_n d^l_mn(beta) f_ln (Varshalovich et al. 1988).

    Upward recurrence in the degree at fixed (m, n), which is stable, from k = max(|m|, |n|)
    (Kostelec & Rockmore 2008):
        d^{j+1} = (j+1)(2j+1) / (A_{j+1}) [ (cos beta - mn / (j(j+1))) d^j - A_j / (j (2j+1)) d^{j-1} ],
        A_j = sqrt((j^2 - m^2)(j^2 - n^2)).

    Args:
        degree: l >= 0.
        beta: angle in radians, any real number.

    Raises:
        ValueError: where the degree is negative.

    >>> import numpy as np
    >>> np.round(wigner_d(1, np.pi / 2), 4)
    array([[ 0.5   ,  0.7071,  0.5   ],
           [-0.7071,  0.    ,  0.7071],
           [ 0.5   , -0.7071,  0.5   ]])
    """
    if not hasattr(degree, "__index__") or degree < 0:
        raise ValueError(f"degree must be an integer of at least 0, got {degree!r}.")
    return wigner_d_series(degree + 1, beta)[-1]


def wigner_d_series(bandwidth: int, beta: float) -> list[Float[np.ndarray, "size size"]]:
    """`wigner_d` of every degree l < L, in one pass of its recurrence.

    >>> [d.shape for d in wigner_d_series(3, 0.1)]
    [(1, 1), (3, 3), (5, 5)]
    """
    top = _checks.positive_int(bandwidth, "bandwidth") - 1
    m, n = np.meshgrid(np.arange(-top, top + 1), np.arange(-top, top + 1), indexing="ij")
    inner = [slice(top - j, top + j + 1) for j in range(top + 1)]
    return [d[s, s].copy() for d, s in zip(_recurrence(m, n, bandwidth, np.asarray(beta)), inner, strict=True)]


def wigner_d_orders(
    m: Int[np.ndarray, "pairs"], n: Int[np.ndarray, "pairs"], bandwidth: int, betas: Float[np.ndarray, "angles"]
) -> Float[np.ndarray, "pairs angles degrees"]:
    """d^l_mn(beta) of chosen pairs of orders, for every degree l < L and many angles: the same recurrence, side by side.

    Args:
        m: first orders, of any sign.
        n: second orders, one for each of `m`.
        bandwidth: band limit L.
        betas: angles in radians.

    Returns:
        Array `(pairs, angles, L)`, zero where l < max(|m|, |n|).

    Raises:
        ValueError: where the bandwidth is not a positive integer.

    >>> import numpy as np
    >>> np.round(wigner_d_orders(np.array([1]), np.array([0]), 2, np.array([np.pi / 2])), 4)
    array([[[ 0.    , -0.7071]]])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    table = np.zeros((len(m), len(betas), L))
    lowest = np.maximum(abs(m), abs(n)).min(initial=L)
    for l, d in enumerate(_recurrence(m[:, None], n[:, None], L, betas), start=lowest):
        table[..., l] = d
    return table


def _recurrence(m: np.ndarray, n: np.ndarray, bandwidth: int, beta: np.ndarray) -> Iterator[np.ndarray]:
    """d^j_mn(beta), broadcast, for j from the least max(|m|, |n|) to L - 1; zeros where j < max(|m|, |n|)."""
    start = np.maximum(abs(m), abs(n))
    lowest = start.min(initial=bandwidth)
    if lowest >= bandwidth:
        return
    first = _first_degree(m, n, beta)
    previous, current = np.zeros_like(first), np.where(start == lowest, first, 0.0)
    yield current
    for j in range(lowest, bandwidth - 1):
        lower = np.sqrt(np.maximum((j**2 - m**2.0) * (j**2 - n**2.0), 0))
        upper = np.sqrt(np.maximum(((j + 1) ** 2 - m**2.0) * ((j + 1) ** 2 - n**2.0), 0))
        shift = m * n / (j * (j + 1)) if j else 0.0
        back = lower / (j * (2 * j + 1)) if j else 0.0
        grow = np.divide((j + 1) * (2 * j + 1), upper, out=np.zeros_like(upper), where=upper > 0)
        following = grow * ((np.cos(beta) - shift) * current - back * previous)
        previous, current = current, np.where(start == j + 1, first, np.where(start <= j, following, 0.0))
        yield current


def _first_degree(m: np.ndarray, n: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """d^k_{mn}(beta) at k = max(|m|, |n|), where it has a single term.

    For n = k, d^k_{mk} = sqrt(binom(2k, k+m)) cos(beta/2)^{k+m} sin(beta/2)^{k-m}; the symmetries
    d_mn = (-1)^{m-n} d_nm = d_{-n,-m} bring the other three sides of the square to this one.
    """
    k = np.maximum(abs(m), abs(n))
    # which side: (order on the side, sign of the exchange)
    order = np.select([n == k, m == k, m == -k], [m, n, -n], default=-m)
    exchanged = (n != k) & ((m == k) | (m != -k))
    sign = np.where(exchanged, (-1.0) ** (m - n), 1.0)
    c, s = np.cos(np.longdouble(beta) / 2), np.sin(np.longdouble(beta) / 2)
    # logarithms, against underflow; in extended precision, since they reach some hundreds before they cancel
    log_factorial = np.arange(2 * k.max() + 1, dtype=np.longdouble)
    log_factorial[1:] = np.cumsum(np.log(log_factorial[1:]))
    log_factorial[0] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_c = np.where(k + order > 0, (k + order) * np.log(abs(c)), 0)
        log_s = np.where(k - order > 0, (k - order) * np.log(abs(s)), 0)
    log_binomial = log_factorial[2 * k] - log_factorial[k + order] - log_factorial[k - order]
    size = np.exp(log_binomial / 2 + log_c + log_s).astype(np.float64)
    signs = np.where((k + order) % 2 == 1, np.sign(c), 1.0) * np.where((k - order) % 2 == 1, np.sign(s), 1.0)
    return sign * signs.astype(np.float64) * size


def wigner_D(degree: int, alpha: float, beta: float, gamma: float) -> Complex[np.ndarray, "size size"]:
    """Wigner's D^l_{mn}(alpha, beta, gamma) = e^{-i m alpha} d^l_mn(beta) e^{-i n gamma}.

    Convention: active rotations, R = R_z(alpha) R_y(beta) R_z(gamma), angles in radians; for (g.f)(x) = f(R^-1 x),
    (g.f)_lm = sum_n D^l_mn f_ln in the basis of `complex_harmonics` (docs/math.md, 8).

    >>> import numpy as np
    >>> bool(np.allclose(wigner_D(3, 0.2, 0.0, 0.3), wigner_D(3, 0.5, 0.0, 0.0)))
    True
    """
    m = np.arange(-degree, degree + 1)
    return np.exp(-1j * m * alpha)[:, None] * wigner_d(degree, beta) * np.exp(-1j * m * gamma)


def wigner_D_real(degree: int, alpha: float, beta: float, gamma: float) -> Float[np.ndarray, "size size"]:
    """The orthogonal matrix that `wigner_D` becomes in the basis of `real_harmonics`.

    >>> import numpy as np
    >>> bool(np.allclose(wigner_D_real(1, 0.0, np.pi / 2, 0.0) @ [0, 1, 0], [0, 0, 1]))  # (y, z, x): z goes to x
    True
    """
    return to_real(wigner_D(degree, alpha, beta, gamma))


def to_real(D: Complex[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """A Wigner matrix of the complex basis, conj(U) D U^T in the real one.

    >>> import numpy as np
    >>> np.round(to_real(wigner_D(1, np.pi / 2, 0.0, 0.0)) @ [0, 0, 1])  # about z, x goes to y
    array([1., 0., 0.])
    """
    U = real_from_complex(len(D) // 2)
    return (U.conj() @ D @ U.T).real
