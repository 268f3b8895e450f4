"""Real and complex spherical harmonics Y_lm at any points, plainly."""

import numpy as np
from jaxtyping import Complex, Float

from equisphere import _checks
from equisphere.harmonics._legendre import associated_legendre


def flat_index(degree: int, order: int) -> int:
    """Place l*l + l + m of the coefficient (l, m) in a flat vector, degree after degree.

    >>> [flat_index(1, m) for m in (-1, 0, 1)]
    [1, 2, 3]
    """
    if abs(order) > degree:
        raise ValueError(f"the order m must satisfy |m| <= l, got l={degree}, m={order}.")
    return degree * degree + degree + order


def degrees_and_orders(bandwidth: int) -> tuple[np.ndarray, np.ndarray]:
    """Degree l and order m of each of the L*L flat coefficients.

    >>> degrees_and_orders(2)
    (array([0, 1, 1, 1]), array([ 0, -1,  0,  1]))
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    degree = np.repeat(np.arange(L), 2 * np.arange(L) + 1)
    return degree, np.arange(L * L) - degree * degree - degree


def so3_index(degree: int, m: int, n: int) -> int:
    """Place of the Wigner coefficient (l, m, n) in a flat vector, degree after degree, then row after row.

    Degree l begins at l (4 l^2 - 1) / 3; a function on SO(3) of band limit L has L (4 L^2 - 1) / 3 coefficients.

    >>> [so3_index(1, m, n) for m in (-1, 0, 1) for n in (-1, 0, 1)]
    [1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    if max(abs(m), abs(n)) > degree:
        raise ValueError(f"the orders must satisfy |m|, |n| <= l, got l={degree}, m={m}, n={n}.")
    return degree * (4 * degree**2 - 1) // 3 + (degree + m) * (2 * degree + 1) + degree + n


def so3_degrees_and_orders(bandwidth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Degree l and orders m, n of each of the L (4 L^2 - 1) / 3 flat Wigner coefficients.

    >>> l, m, n = so3_degrees_and_orders(2)
    >>> m
    array([ 0, -1, -1, -1,  0,  0,  0,  1,  1,  1])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    size = 2 * np.arange(L) + 1
    degree = np.repeat(np.arange(L), size**2)
    inside = np.arange(len(degree)) - degree * (4 * degree**2 - 1) // 3
    return degree, inside // (2 * degree + 1) - degree, inside % (2 * degree + 1) - degree


def complex_harmonics(
    bandwidth: int, colatitudes: Float[np.ndarray, "n"], longitudes: Float[np.ndarray, "n"]
) -> Complex[np.ndarray, "n coefficients"]:
    """Orthonormal complex Y_lm, Condon-Shortley phase included, for every degree l < L.

    Convention: that of `scipy.special.sph_harm_y(l, m, theta, phi)`;
    Y_lm = (-1)^m P_lm(cos theta) e^{i m phi} for m >= 0, and Y_{l,-m} = (-1)^m conj(Y_lm).

    Args:
        bandwidth: band limit L.
        colatitudes: theta, radians.
        longitudes: phi, radians, one for each theta.

    Returns:
        One row of L*L values a point, in the flat order l*l + l + m.

    >>> import numpy as np
    >>> complex_harmonics(1, np.array([0.3]), np.array([1.0]))  # Y_00 = 1 / sqrt(4 pi)
    array([[0.28209479+0.j]])
    """
    bandwidth = _checks.positive_int(bandwidth, "bandwidth")
    Y = np.zeros((len(colatitudes), bandwidth**2), dtype=np.complex128)
    for m in range(bandwidth):
        P = associated_legendre(m, bandwidth, colatitudes)
        for l in range(m, bandwidth):
            value = (-1) ** m * P[l - m] * np.exp(1j * m * longitudes)
            Y[:, flat_index(l, m)] = value
            Y[:, flat_index(l, -m)] = (-1) ** m * value.conj()
    return Y


def real_harmonics(
    bandwidth: int, colatitudes: Float[np.ndarray, "n"], longitudes: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n coefficients"]:
    """Orthonormal real Y_lm, without the Condon-Shortley phase, for every degree l < L.

    Convention: Y_l0 = P_l0, Y_{l,m} = sqrt2 P_lm cos(m phi) and Y_{l,-m} = sqrt2 P_lm sin(m phi) for m > 0,
    so degree 1 is sqrt(3 / 4 pi) (y, z, x). e3nn has the polar axis y and calls (y, z, x) what is (x, y, z) here:
    its harmonics of degree l at the point (y, z, x) are these at (x, y, z), in the same order of m.

    Args:
        bandwidth: band limit L.
        colatitudes: theta, radians.
        longitudes: phi, radians, one for each theta.

    Returns:
        One row of L*L values a point, in the flat order l*l + l + m.

    >>> import numpy as np
    >>> north = real_harmonics(2, np.array([0.0]), np.array([0.0]))
    >>> np.round(north * np.sqrt(4 * np.pi / 3), 6)  # (1/sqrt3, y, z, x)
    array([[0.57735, 0.     , 1.     , 0.     ]])
    """
    bandwidth = _checks.positive_int(bandwidth, "bandwidth")
    Y = np.zeros((len(colatitudes), bandwidth**2))
    for m in range(bandwidth):
        P = associated_legendre(m, bandwidth, colatitudes)
        for l in range(m, bandwidth):
            if m == 0:
                Y[:, flat_index(l, 0)] = P[l]
            else:
                Y[:, flat_index(l, m)] = np.sqrt(2) * P[l - m] * np.cos(m * longitudes)
                Y[:, flat_index(l, -m)] = np.sqrt(2) * P[l - m] * np.sin(m * longitudes)
    return Y


def real_from_complex(degree: int) -> Complex[np.ndarray, "size size"]:
    """Unitary matrix U of one degree with Y^real_{l} = U Y^complex_{l} (rows and columns m = -l .. l).

    Y_{l,m}^real = sqrt2 (-1)^m Re Y_lm and Y_{l,-m}^real = sqrt2 (-1)^m Im Y_lm for m > 0.
    Coefficients change by the conjugate, a = conj(U) c, and a Wigner matrix by D^real = conj(U) D U^T.

    >>> import numpy as np
    >>> U = real_from_complex(3)
    >>> bool(np.allclose(U @ U.conj().T, np.eye(7)))
    True
    """
    U = np.zeros((2 * degree + 1, 2 * degree + 1), dtype=np.complex128)
    U[degree, degree] = 1
    for m in range(1, degree + 1):
        sign = (-1) ** m
        # Re Y_lm = (Y_lm + (-1)^m Y_l,-m) / 2 and Im Y_lm = (Y_lm - (-1)^m Y_l,-m) / 2i
        U[degree + m, [degree + m, degree - m]] = [sign / np.sqrt(2), 1 / np.sqrt(2)]
        U[degree - m, [degree + m, degree - m]] = [-1j * sign / np.sqrt(2), 1j / np.sqrt(2)]
    return U
