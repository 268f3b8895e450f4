"""Associated Legendre functions, normalised for the sphere."""

import numpy as np
from jaxtyping import Float

from equisphere import _checks


def associated_legendre(
    order: int, bandwidth: int, colatitudes: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "degrees n"]:
    r"""P_lm(cos theta) of one order m for every degree l = m .. L-1.

    Orthonormal on the sphere, without the Condon-Shortley phase: the complex harmonic of docs/math.md, 3, is
    Y_lm = (-1)^m P_lm(cos theta) e^{i m phi}, and 2 pi ∫ P_lm P_l'm sin theta dtheta = delta_ll'.

    Upward recurrence in l, which is stable (the forward columns of Holmes & Featherstone 2002):
        P_mm = sqrt((1 / 4 pi) prod_{k=1}^m (2k+1) / 2k) sin^m theta
        P_lm = a_lm (cos theta P_{l-1,m} - b_lm P_{l-2,m}),
        a_lm = sqrt((4 l^2 - 1) / (l^2 - m^2)),   b_lm = sqrt(((l-1)^2 - m^2) / (4 (l-1)^2 - 1)).
    sin^m underflows to 0 near the poles only where every degree below some thousands is negligible too.

    Args:
        order: m >= 0.
        bandwidth: band limit L.
        colatitudes: theta in radians.

    Returns:
        Array of L - m rows (degrees m, m+1, .., L-1; none where m >= L).

    Raises:
        ValueError: where the bandwidth is not a positive integer or the order negative.

    >>> import numpy as np
    >>> associated_legendre(0, 2, np.array([0.0])).ravel() * np.sqrt(4 * np.pi)  # sqrt(2l+1) at the north pole
    array([1.        , 1.73205081])
    """
    L, m = _checks.positive_int(bandwidth, "bandwidth"), order
    if m < 0:
        raise ValueError(f"order must be at least 0, got {m}: use P_l,-m = P_lm in this normalisation.")
    x, s = np.cos(colatitudes), np.sin(colatitudes)
    P = np.zeros((max(L - m, 0), len(x)))
    if m >= L:
        return P
    k = np.arange(1, m + 1)
    P[0] = np.sqrt(np.prod((2 * k + 1) / (2 * k)) / (4 * np.pi)) * s**m
    for l in range(m + 1, L):
        a = np.sqrt((4 * l**2 - 1) / (l**2 - m**2))
        b = np.sqrt(((l - 1) ** 2 - m**2) / (4 * (l - 1) ** 2 - 1)) if l > m + 1 else 0.0
        P[l - m] = a * (x * P[l - m - 1] - (b * P[l - m - 2] if l > m + 1 else 0.0))
    return P
