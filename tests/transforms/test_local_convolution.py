"""Local convolution of samples: against a direct double sum over nodes, and against what kernels are for each degree."""

from itertools import pairwise, product
from math import pi, sqrt

import numpy as np
import pytest
import torch
from reference import randn, relative_error
from scipy import integrate, special

import equisphere as es
from equisphere.harmonics import wigner_d
from equisphere.transforms import SpinSHT
from equisphere.transforms._local_convolution import local_convolution, plain_local_convolution
from equisphere.transforms._ring_bands import Local
from equisphere.transforms._ring_kernels import SMOOTHNESS, multipliers, radials
from equisphere.transforms._ring_orders import from_orders, to_orders


def psi(q, n, radius):
    """u^{n/2} (1 - u)^p P_q^{(2p, n)}(2u - 1) over its norm, found by adaptive quadrature."""
    polynomial = special.jacobi(q, 2 * SMOOTHNESS, n)

    def plain(beta):
        u = np.sin(beta / 2) ** 2 / np.sin(radius / 2) ** 2
        return np.where(u < 1, u ** (n / 2) * np.maximum(1 - u, 0) ** SMOOTHNESS * polynomial(2 * u - 1), 0)

    norm = sqrt(2 * pi * integrate.quad(lambda b: plain(b) ** 2 * np.sin(b), 0, radius, epsabs=1e-14)[0])
    return lambda beta: plain(beta) / norm


def frames(grid):
    """Points and local axes e_theta, e_phi, each `(nodes, 3)`."""
    theta, phi = (a.ravel() for a in np.meshgrid(grid.colatitudes, grid.longitudes, indexing="ij"))
    zero = np.zeros_like(theta)
    south = np.stack((np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)), axis=1)
    return grid.points.numpy().reshape(-1, 3), south, np.stack((-np.sin(phi), np.cos(phi), zero), axis=1)


def kernel(grid, spins, q, radius):
    """psi(beta) e^{i (s' alpha_x - s alpha_y)} between all nodes, from angles between vectors in space."""
    x, south, east = frames(grid)
    beta = np.arctan2(np.linalg.norm(np.cross(x[:, None], x), axis=-1), x @ x.T)
    bearing_x = np.arctan2(east @ x.T, south @ x.T)  # at x, of the direction to y
    bearing_y = np.arctan2(-(x @ east.T), -(x @ south.T))  # at y, of the direction away from x
    phase = np.exp(1j * (spins[0] * bearing_x - spins[1] * bearing_y))
    here = beta < 1e-7  # the node itself, and at a pole those that stand on it with other axes: no bearing, axes turned
    turned = np.exp(1j * spins[0] * np.arctan2(east @ south.T, south @ south.T))
    return psi(q, abs(spins[0] - spins[1]), radius)(beta) * np.where(here, turned, phase)


GRIDS = {
    "midpoints": es.grids.DriscollHealy(nlat=9, nlon=11),
    "north pole": es.grids.DriscollHealy(nlat=8, nlon=12, poles=True),
    "both poles": es.grids.ClenshawCurtis(nlat=10, nlon=13),
    "Gauss": es.grids.GaussLegendre(nlat=9, nlon=16),
}


def complex_weights(local):
    """A complex number for each pair of spins, radial function and channels, as in the definition, and as waves have them."""
    target, source = dict(local.target), dict(local.source)
    numbers = {}
    for t, s in local.pairs:
        shape = radials(local.order, (t, s)), source[abs(s)], target[abs(t)]
        w = numbers[-t, -s].conj() if (-t, -s) in numbers else randn(*shape, dtype=torch.complex128)
        numbers[t, s] = w.real + 0j if t == s == 0 else w
    scaled = {(t, s): w * (2**-0.5 if (t == 0) != (s == 0) else 1) for (t, s), w in numbers.items()}
    return numbers, [torch.stack((w.real, w.imag)) for w in scaled.values()]


@pytest.mark.parametrize("name", GRIDS)
def test_it_is_the_double_sum_over_nodes(name):
    """sum_y w_y K(x, y) f(y), of f and of its conjugate; real parts for scalars; a pole is a ring like any other."""
    grid, radius = GRIDS[name], 1.3
    local = Local(grid, radius, 4, ((0, 2), (1, 1), (2, 1)), ((0, 1), (1, 2), (3, 1)))
    numbers, weights = complex_weights(local)
    x = randn(3, 6, *grid.shape)
    f = {0: x[:, :2] + 0j, 1: torch.complex(x[:, 2:3], x[:, 3:4]), 2: torch.complex(x[:, 4:5], x[:, 5:])}
    f |= {-s: f[s].conj() for s in (1, 2)}
    area = grid.weights.flatten() + 0j
    found = local_convolution(x, weights, local)
    rows = {
        0: found[:, :1],
        1: torch.complex(found[:, 1:3], found[:, 3:5]),
        3: torch.complex(*found[:, 5:].chunk(2, dim=1)),
    }
    for t, y in rows.items():
        wanted = 0
        for (target, s), w in numbers.items():
            if target == t:
                for q in range(len(w)):
                    K = torch.from_numpy(kernel(grid, (t, s), q, radius))
                    sums = torch.einsum("xy,y,bcy->bcx", K, area, f[s].flatten(2))
                    term = torch.einsum("co,bcx->box", w[q], sums)
                    wanted = wanted + (term.real / (2 if s else 1) if t == 0 else term)
        assert relative_error(y.flatten(2), wanted) < 1e-12


PAIRS = [(0, 0), (1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (2, 1), (2, -1), (-2, 2)]


@pytest.mark.parametrize("spins", PAIRS)
def test_kernels_are_orthonormal_and_a_number_for_each_degree(spins):
    """lambda_l = 2 pi int psi d^l_{s's} sin: by adaptive quadrature; the sum of (2l+1) lambda^2 / 4 pi is int psi^2 = 1."""
    radius, L = 1.1, 48
    found = multipliers(spins, radius, 2, L)
    for q in range(2):
        f = psi(q, abs(spins[0] - spins[1]), radius)
        for l in (2, 5, 9):

            def integrand(b, f=f, l=l):
                return 2 * pi * f(b) * wigner_d(l, b)[l + spins[0], l + spins[1]] * np.sin(b)

            wanted = integrate.quad(integrand, 0, radius, epsabs=1e-13)[0]
            assert abs(found[q, l] - wanted) < 1e-11
        assert abs(((2 * np.arange(L) + 1) * found[q] ** 2).sum() / (4 * pi) - 1) < 1e-5


def spectral(f, grid, L, spins, values):
    """The same in the continuum: lambda_l times the coefficients over the harmonics of each spin."""
    t, s = spins
    l = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    c = SpinSHT(grid, L, s)(f)
    return SpinSHT(grid, L, t).inverse(c * torch.from_numpy(values)[l])


def quadrature_error(spins, nlat, radius, q, L, kind=es.grids.GaussLegendre):
    """Largest error of the sum over nodes, over the largest value of a band-limited signal, and what is proved of it."""
    t, s = spins
    grid = kind(nlat=nlat, nlon=2 * nlat)
    order = 2 * q + abs(t - s)
    local = Local(grid, radius, order, ((abs(s), 1),), ((abs(t), 1),))
    torch.manual_seed(1)
    c = randn(4, L * L, dtype=torch.complex128)
    c[..., : s * s] = 0
    f = SpinSHT(grid, L, s).inverse(c)
    if s == 0:
        f = f.real + 0j
    rows = f.conj() if s < 0 else f  # a signal of spin -s is held by its conjugate
    x = torch.stack((rows.real, rows.imag), dim=1) if s else rows.real[:, None]
    weights = [torch.zeros(2, radials(order, pair), 1, 1, dtype=torch.float64) for pair in local.pairs]
    for pair, w in zip(local.pairs, weights, strict=True):
        if pair in ((t, s), (-t, -s)):
            w[0, q] = 2**-0.5 if (t == 0) != (s == 0) else 1.0
    y = local_convolution(x, weights, local)
    found = torch.complex(y[:, 0], y[:, 1]) if t else y[:, 0] + 0j
    values = multipliers(spins, radius, q + 1, max(L, 8 * grid.exact_degree))[q]
    wanted = spectral(f, grid, L, spins, values[:L])
    wanted = wanted if t else wanted.real + 0j
    size = float(f.abs().max())
    n = np.arange(len(values))
    tail = ((2 * n + 1) * abs(values))[grid.exact_degree - L + 2 :].sum()
    return float((found - wanted).abs().max()) / size, 2 * tail, relative_error(found, wanted)


@pytest.mark.parametrize("kind", [es.grids.GaussLegendre, es.grids.DriscollHealy, es.grids.ClenshawCurtis])
@pytest.mark.parametrize(
    ("spins", "q"), [((0, 0), 1), ((1, 0), 0), ((0, 1), 0), ((1, 1), 0), ((2, 1), 1), ((2, -1), 0)]
)
def test_of_band_limited_signals_it_is_the_convolution_up_to_quadrature(spins, q, kind):
    """|error| <= 8 pi max|f| E_n(K) <= 2 max|f| sum_{l > n} (2l+1) |lambda_l|, n = exact degree - (L - 1), wherever the signal.

    It falls at least as nlat^-SMOOTHNESS (Jackson's theorem): here by 2^3 and more from one grid to the next.
    """
    errors = []
    for nlat in (24, 48, 96):
        error, proved, relative = quadrature_error(spins, nlat, 0.7, q, 8, kind)
        assert error <= proved
        errors.append(relative)
    assert all(finer < coarser / 2**SMOOTHNESS for coarser, finer in pairwise(errors))
    assert errors[-1] < 1e-4


def test_the_error_falls_as_the_fourier_transform_of_the_kernel():
    """Typically as nlat^-(SMOOTHNESS + 3/2), the decay of its transform (J_{p+1}(k) / k^{p+1} in the plane)."""
    errors = [quadrature_error((0, 0), nlat, 0.7, 0, 8)[2] for nlat in (24, 48, 96, 192)]
    slope = np.polyfit(np.log([24, 48, 96, 192]), np.log(errors), 1)[0]
    assert -(SMOOTHNESS + 2.5) < slope < -(SMOOTHNESS + 0.5)


@pytest.mark.parametrize("nlon", [7, 8])
def test_waves_are_an_orthogonal_change_of_basis(nlon):
    parts = ((0, 2), (1, 3))
    x, y = randn(2, 8, 5, nlon)
    waves, again = to_orders(x, parts, "one"), torch.empty_like(x)
    from_orders(waves, parts, again)
    assert relative_error(again, x) < 1e-14
    inner = sum((a * b).sum() for a, b in zip(waves, to_orders(y, parts, "other"), strict=True))
    torch.testing.assert_close(inner, (x * y).sum())
    other = [randn(*w.shape) for w in waves]  # also what no samples have: sines of order 0
    inner = sum((a * b).sum() for a, b in zip(waves, other, strict=True))
    from_orders(other, parts, again)
    torch.testing.assert_close(inner, (x * again).sum())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's to itself, when it first differentiates forwards
@pytest.mark.parametrize("name", GRIDS)
def test_it_differentiates(name):
    """Backward, forward and twice, by samples and weights; the fast form and the plain one agree."""
    local = Local(GRIDS[name], 1.3, 2, ((0, 1), (1, 1)), ((0, 1), (1, 1)))
    weights = [w.requires_grad_() for w in complex_weights(local)[1]]
    x = randn(2, 3, *local.grid.shape).requires_grad_()

    def layer(x, *w):
        return local_convolution(x, w, local)

    found, wanted = layer(x, *weights), plain_local_convolution(x, weights, local)
    assert relative_error(found, wanted) < 1e-14
    by = [torch.autograd.grad(y.sin().sum(), [x, *weights]) for y in (found, wanted)]
    assert all(relative_error(a, b) < 1e-13 for a, b in zip(*by, strict=True))
    assert torch.autograd.gradcheck(layer, (x, *weights), check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(layer, (x, *weights), fast_mode=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_maps_over_signals_and_over_weights():
    """More signals, as many layers, and a gradient for each signal."""
    local = Local(GRIDS["both poles"], 1.3, 2, ((0, 1), (1, 1)), ((0, 1), (1, 1)))
    weights = complex_weights(local)[1]
    x = randn(3, 2, 3, *local.grid.shape)
    found = torch.func.vmap(lambda x: local_convolution(x, weights, local))(x)
    assert relative_error(found, torch.stack([local_convolution(f, weights, local) for f in x])) < 1e-14
    stacks = [torch.stack((w, 2 * w, -w)) for w in weights]
    found = torch.func.vmap(lambda x, *w: local_convolution(x, w, local))(x, *stacks)
    assert (
        relative_error(
            found, torch.stack([local_convolution(f, weights, local) * a for f, a in zip(x, (1, 2, -1), strict=True)])
        )
        < 1e-14
    )

    def loss(x, w):
        return local_convolution(x, [w, *weights[1:]], local).sin().sum()

    found = torch.func.vmap(torch.func.grad(loss, argnums=1), in_dims=(0, None))(x, weights[0])
    w = weights[0].clone().requires_grad_()
    wanted = torch.stack([torch.autograd.grad(loss(f, w), w)[0] for f in x])
    assert relative_error(found, wanted) < 1e-12


def test_the_operators_keep_the_rules_of_torch():
    local = Local(GRIDS["Gauss"], 1.3, 1, ((0, 1),), ((0, 1), (1, 1)))
    weights = [w.requires_grad_() for w in complex_weights(local)[1]]
    x = randn(2, 1, *local.grid.shape).requires_grad_()
    arguments = ("GaussLegendre 8 9 16 0", 1.3, 1, [0], [1], [0, 1], [1, 1])
    torch.library.opcheck(torch.ops.equisphere.local_convolution.default, (x, weights, *arguments))


def test_pairs_without_a_kernel_are_left_out():
    local = Local(GRIDS["Gauss"], 1.3, 1, ((0, 2), (1, 1)), ((1, 1), (2, 1)))
    assert local.pairs == [(1, 0), (1, 1), (-1, 0), (-1, -1), (2, 1), (-2, -1)]
    x = randn(2, 4, *local.grid.shape)
    weights = complex_weights(local)[1]
    assert relative_error(local_convolution(x, weights, local), plain_local_convolution(x, weights, local)) < 1e-14
    unheard = Local(local.grid, 1.3, 1, ((0, 1), (3, 1)), ((0, 1),))  # nothing goes from spin 3 to 0
    x = randn(2, 3, *local.grid.shape).requires_grad_()
    local_convolution(x, complex_weights(unheard)[1], unheard).square().sum().backward()
    assert x.grad[:, :1].abs().min() > 0
    assert not x.grad[:, 1:].any()
    assert [radials(n, (0, 0)) for n in range(5)] == [1, 1, 2, 2, 3]
    assert all(
        radials(n, (t, s)) == max(0, (n - abs(t - s)) // 2 + 1) for n, t, s in product(range(5), range(3), range(3))
    )
