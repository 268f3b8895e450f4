r"""Kernels of local convolutions between signals with spins, and their Fourier coefficients between the rings of a grid.

A kernel from spin s to spin s' that commutes with rotations depends on the two points by their distance beta, and turns with
the local axes at both ends (Weiler & Cesa 2019; Cohen et al. 2019, on any surface):

    (K f)(x) = \int psi(beta) e^{i (s' alpha_x - s alpha_y)} f(y) dy,

alpha_x the bearing at x of the geodesic to y, alpha_y that of its continuation at y, both from e_theta towards e_phi. Axes at y
turned by chi multiply f(y) by e^{-is chi} and take chi from alpha_y: the product stays, and likewise at x. K is a number for
each degree,

    lambda_l = 2 pi \int psi(beta) d^l_{s's}(beta) sin(beta) dbeta,

so a special `spin_convolution`. It is smooth at beta = 0 where psi is beta^n, n = |s' - s|, times an even function. Here, of
support beta < radius and with u = sin^2(beta/2) / sin^2(radius/2),

    psi_q = N_q u^{n/2} (1 - u)^SMOOTHNESS P_q^{(2 SMOOTHNESS, n)}(2u - 1),   q = 0, 1, ..,

P Jacobi's polynomials: orthonormal, \int psi_q psi_r dx = [q = r] exactly. As a function of y in the tangent plane, a kernel
of order 2q + n is a bump times a polynomial of that degree (Zernike's), and the orders up to N are all such polynomials.
"""

from functools import lru_cache
from math import exp, lgamma, log, pi, sin

import numpy as np
from jaxtyping import Complex, Float

from equisphere.grids import RingGrid
from equisphere.harmonics import wigner_d_orders

#: the power p of (1 - u): p - 1 continuous derivatives at the edge of the support
SMOOTHNESS = 3


def radials(order: int, spins: tuple[int, int]) -> int:
    """How many radial functions the kernels between two spins have up to an order: those with 2q + |s' - s| <= order."""
    return max(0, (order - abs(spins[0] - spins[1])) // 2 + 1)


def radial(q: int, n: int, radius: float, u: Float[np.ndarray, "*points"]) -> Float[np.ndarray, "*points"]:
    """psi_q / u^{n/2} at u = sin^2(beta/2) / sin^2(radius/2); zero from u = 1 on."""
    from scipy.special import eval_jacobi

    p = SMOOTHNESS
    norm = lgamma(q + 2 * p + 1) + lgamma(q + n + 1) - lgamma(q + 1) - lgamma(q + 2 * p + n + 1)
    norm += log(4 * pi * sin(radius / 2) ** 2 / (2 * q + 2 * p + n + 1))
    return exp(-norm / 2) * np.maximum(1 - u, 0) ** p * eval_jacobi(q, 2 * p, n, 2 * np.minimum(u, 1) - 1)


def kernels(
    theta_x: Float[np.ndarray, "*#points"],
    theta_y: Float[np.ndarray, "*#points"],
    delta: Float[np.ndarray, "*#points"],
    spins: tuple[int, int],
    radius: float,
    count: int,
) -> Complex[np.ndarray, "radials *points"]:
    """K_q(x, y) = psi_q(beta) e^{i (s' alpha_x - s alpha_y)} for y at the longitude of x plus delta; spins (s', s) of any sign.

    In m = e_theta + i e_phi, complex vectors: m_x . y = sin(beta) e^{i alpha_x}, -m_y . x = sin(beta) e^{i alpha_y} and
    m_x . conj(m_y) = (1 + cos beta) e^{i (alpha_x - alpha_y)}, the parallel transport; so nothing is divided by what may vanish
    (but at the antipode, which no support reaches).
    """
    s_x, s_y = spins
    haversine = np.sin((theta_x - theta_y) / 2) ** 2 + np.sin(theta_x) * np.sin(theta_y) * np.sin(delta / 2) ** 2
    u = haversine / sin(radius / 2) ** 2
    versed, south = 2 * np.sin(delta / 2) ** 2, np.sin(theta_y - theta_x)
    at_x = south - np.cos(theta_x) * np.sin(theta_y) * versed + 1j * np.sin(theta_y) * np.sin(delta)
    at_y = south + np.cos(theta_y) * np.sin(theta_x) * versed + 1j * np.sin(theta_x) * np.sin(delta)
    scale = 2 * sin(radius / 2) * np.sqrt(np.maximum(1 - haversine, 0.25))  # at_x / scale = u^{1/2} e^{i alpha_x}
    carried = (1 + np.cos(theta_x) * np.cos(theta_y)) * np.cos(delta) + np.sin(theta_x) * np.sin(theta_y)
    carried = carried + 1j * np.sin(delta) * (np.cos(theta_x) + np.cos(theta_y))
    both = int(np.sign(s_x)) * min(abs(s_x), abs(s_y)) if s_x * s_y > 0 else 0
    phase = _power(carried / (2 * np.maximum(1 - haversine, 0.25)), both)
    phase = phase * _power(at_x / scale, s_x - both) * _power(at_y / scale, both - s_y)
    return np.stack([radial(q, abs(s_x - s_y), radius, u) * phase for q in range(count)])


def _power(z: np.ndarray, n: int) -> np.ndarray:
    """|z|^|n| e^{i n arg z}."""
    return z**n if n >= 0 else z.conj() ** -n


@lru_cache(maxsize=64)
def rings(grid: RingGrid) -> tuple[Float[np.ndarray, "nlat"], Float[np.ndarray, "nlat"]]:
    """Colatitudes, and the quadrature weight of a node of each ring."""
    return grid.colatitudes.numpy(), grid.ring_weights.numpy()


@lru_cache(maxsize=64)
def reach(grid: RingGrid, radius: float) -> int:
    """How many rings to the north or south a kernel reaches at most."""
    theta = rings(grid)[0]
    near = np.abs(theta[:, None] - theta) < radius
    index = np.arange(grid.nlat)
    return int(np.abs(index[:, None] - index)[near].max())


def multipliers(
    spins: tuple[int, int], radius: float, count: int, bandwidth: int
) -> Float[np.ndarray, "radials bandwidth"]:
    """lambda_l of each psi_q, l < bandwidth, by Gauss-Legendre quadrature over cos(beta)."""
    nodes, weights = np.polynomial.legendre.leggauss(int(radius * bandwidth) + 32)
    u = (1 + nodes) / 2
    beta = 2 * np.arcsin(np.sqrt(u) * sin(radius / 2))
    d = wigner_d_orders(np.array(spins[:1]), np.array(spins[1:]), bandwidth, beta)[0]
    n = abs(spins[0] - spins[1])
    psi = np.stack([radial(q, n, radius, u) * u ** (n / 2) for q in range(count)])
    return 2 * pi * sin(radius / 2) ** 2 * (psi * weights) @ d


def ring_coefficients(
    grid: RingGrid, radius: float, count: int, spins: tuple[int, int]
) -> Float[np.ndarray, "orders nlat window radials"]:
    r"""Of each wave e^{im phi}, what ring i gets from ring j = i + d - reach: w_j sum_k K_q e^{i m phi_k}.

    Real, since K(-delta) = conj K(delta). Orders 0 .. nlon // 2; those of -m are those of the spins (-s', -s). Zero beyond the
    poles. The sum over the ring is whole, so at and around a pole it is what the definition says.
    """
    (theta, weights), r = rings(grid), reach(grid, radius)
    delta = 2 * pi * np.arange(grid.nlon) / grid.nlon
    out = np.zeros((grid.nlon // 2 + 1, grid.nlat, 2 * r + 1, count))
    for d in range(2 * r + 1):
        i = np.arange(max(0, r - d), min(grid.nlat, grid.nlat + r - d))
        j = i + d - r
        K = kernels(theta[i, None], theta[j, None], delta, spins, radius, count)
        waves = np.fft.ifft(K, norm="forward")[..., : grid.nlon // 2 + 1].real * weights[j, None]
        out[:, i, d] = waves.transpose(2, 1, 0)
    return out
