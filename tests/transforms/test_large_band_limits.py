"""Legendre functions on the fly: the same transform as by tables, at any band limit, with memory of the order of the data."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, quadrature, randn, relative_error
from torch.autograd import gradcheck, gradgradcheck

import equisphere as es
from equisphere.transforms import _engines, _legendre_compiled, large_backend
from equisphere.transforms._legendre_compiled import CompiledLegendre
from equisphere.transforms._legendre_kernels import task
from equisphere.transforms._legendre_tiles import TiledLegendre

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

every_backend = pytest.mark.parametrize("backend", ["torch", "numba", "ducc0"])
both_legendres = pytest.mark.parametrize("legendre", [TiledLegendre, CompiledLegendre])
#: odd and even numbers of rings, a ring on the equator, more rings than the band limit needs, one degree alone
SHAPES = [(2, 2), (3, 5), (12, 12), (9, 13), (21, 8), (8, 128)]


@pytest.fixture
def on_the_fly(monkeypatch):
    """No tables, however small: SHT takes the way of large band limits."""
    monkeypatch.setattr(_engines, "TABLE_LIMIT", 0)
    monkeypatch.setattr(_engines, "READ_LIMIT", 0)


def wanting(backend):
    if backend != "torch":
        pytest.importorskip(backend)
    return large_backend(backend)


@every_backend
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_directions_are_the_sums_over_the_harmonics(on_the_fly, backend, kind, dtype, shape):
    """Synthesis is the sum over reference harmonics and analysis the quadrature with them, on every grid."""
    grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    sht, wide = es.SHT(grid), torch.complex128 if dtype.is_complex else torch.float64
    c, f = randn(2, sht.bandwidth**2, dtype=dtype), randn(2, *shape, dtype=dtype)
    with wanting(backend):
        samples, coefficients = sht.inverse(c), sht(f)
    assert samples.dtype == coefficients.dtype == dtype
    tolerance = 1e-6 if dtype == torch.complex64 else 3e-14
    Y = harmonics_at(grid.points, sht.bandwidth, dtype.is_complex)
    assert relative_error(samples, torch.einsum("jkc,nc->njk", Y, c.to(wide))) < tolerance
    assert relative_error(coefficients, quadrature(f.to(wide), grid, sht.bandwidth)) < tolerance


@every_backend
@pytest.mark.parametrize(
    "grid", [es.grids.GaussLegendre(nlat=3, nlon=5), es.grids.ClenshawCurtis(nlat=5, nlon=9)], ids=str
)
def test_derivatives(on_the_fly, backend, grid):
    """Gradients to second order and forward mode, by differences; the adjoints by inner products."""
    sht = es.SHT(grid)
    f, c = randn(2, *grid.shape).requires_grad_(), randn(2, sht.bandwidth**2).requires_grad_()
    with wanting(backend):
        for linear_map, x in ((sht, f), (sht.inverse, c)):
            assert gradcheck(linear_map, x, check_forward_ad=True, fast_mode=True)
            assert gradgradcheck(lambda x, g=linear_map: g(x.sin()), x, fast_mode=True)
        assert torch.allclose((sht(f) * c).sum(), (f * sht.adjoint(c)).sum(), rtol=1e-13)
        assert torch.allclose((sht.inverse(c) * f).sum(), (c * sht.inverse_adjoint(f)).sum(), rtol=1e-13)


def test_the_backward_pass_is_that_of_the_backend_of_the_forward_pass(on_the_fly):
    """What is chosen when a transform is applied is kept: the gradient is the same bits, wherever it is taken."""
    pytest.importorskip("ducc0")
    sht = es.SHT(es.grids.DriscollHealy(20))
    f = randn(40, 40).requires_grad_()
    with large_backend("ducc0"):
        c = sht(f)
        inside = torch.autograd.grad(c.square().sum(), f, retain_graph=True)[0]
    with large_backend("torch"):
        outside = torch.autograd.grad(c.square().sum(), f)[0]
        other = sht.adjoint(2 * c.detach())
    assert torch.equal(inside, outside)
    assert not torch.equal(inside, other)


@both_legendres
def test_no_value_is_lost_near_the_poles(legendre):
    """sum_m |Y_lm|^2 = (2l+1) / 4 pi at every ring and degree, down to 10^-5 from the pole, where sin^m is 10^-4000."""
    L, north = 800, np.array([1e-5, 0.03, 0.7, np.pi / 2])
    rings = np.concatenate((north, (np.pi - north[:-1])[::-1]))
    if legendre is CompiledLegendre:
        pytest.importorskip("numba")
    unit = torch.zeros(len(rings), L, len(rings), dtype=torch.complex128)
    unit[range(len(rings)), :, range(len(rings))] = 1
    values = legendre(L, rings).from_rings(unit)  # P_lm of ring j in column j
    degree, order = (torch.from_numpy(n) for n in es.harmonics.degrees_and_orders(L))
    power = torch.zeros(L, len(rings), dtype=torch.float64).index_add_(
        0, degree, values.square() * torch.where(order > 0, 2.0, torch.where(order < 0, 0.0, 1.0))[:, None]
    )
    wanted = (2 * torch.arange(L, dtype=torch.float64) + 1) / (4 * torch.pi)
    assert torch.allclose(power, wanted[:, None].expand_as(power), rtol=3e-12, atol=0)


@both_legendres
def test_values_that_begin_below_the_range_of_doubles_come_back(legendre):
    """sin(theta)^800 is down to 10^-350 here, P_2000,800 of order one: against the recurrence in extended precision."""
    if legendre is CompiledLegendre:
        pytest.importorskip("numba")
    L, m, l = 2048, 800, 2000
    north = np.array([0.37, 0.42, 0.5, 1.2])
    theta = np.concatenate((north, np.pi - north[::-1]))
    step = legendre(L, theta)
    c = torch.zeros(L * L, 1, dtype=torch.float64)
    c[l * l + l + m] = 1
    x, wide = np.cos(theta.astype(np.longdouble)), np.longdouble
    k = np.arange(1, m + 1, dtype=wide)
    value = np.exp(np.log((2 * k + 1) / (2 * k)).sum() / 2 + m * np.log(np.sin(theta.astype(wide))))
    value, before = value / np.sqrt(16 * np.arctan(wide(1))), np.zeros_like(x)
    for degree in range(m, l):
        n = np.array([degree, degree + 1], dtype=wide)
        low, high = np.sqrt((n**2 - m**2) / (4 * n**2 - 1))
        value, before = (x * value - low * before) / high, value
    found = step.to_rings(c)[0, m].real.numpy()
    np.testing.assert_allclose(found, value.astype(np.float64), rtol=0, atol=1e-11)
    assert abs(found[1]) > 1e-3  # there is something to lose


@both_legendres
def test_sectoral_values_of_high_order_against_their_closed_form(legendre):
    """P_mm sqrt(4 pi) = sqrt(prod (2k+1)/2k) sin^m theta, by logarithms, from 1 to 10^-20 at order 2000."""
    if legendre is CompiledLegendre:
        pytest.importorskip("numba")
    L, m = 2001, 2000
    sine = np.exp(-np.array([20.0, 3.0, 0.1]) / m)
    theta = np.arcsin(sine)
    c = torch.zeros(L * L, 1, dtype=torch.float64)
    c[m * m + 2 * m] = 1
    found = legendre(L, np.concatenate((theta, np.pi - theta[::-1]))).to_rings(c)[0, m].real
    k = np.arange(1, m + 1)
    wanted = np.exp(0.5 * np.log1p(1 / (2 * k)).sum() + m * np.log(np.sin(theta))) / np.sqrt(4 * np.pi)
    assert np.allclose(found[:3], wanted, rtol=1e-11, atol=1e-25)
    assert torch.equal(found[3:], found[:3].flip(0))


@pytest.mark.parametrize("name", ["topo1deg_m", "topo10m_m"])
def test_maps_of_the_earth_against_ducc0(real_data, on_the_fly, name):
    """Relief at 1 degree and at 1/6 degree (band limit 541): the coefficients are those of ducc0's own quadrature."""
    ducc0 = pytest.importorskip("ducc0")
    relief = torch.from_numpy(np.load(real_data / "earth_sky_fields.npz")[name].astype(np.float64))
    kind = es.grids.DriscollHealy if name == "topo1deg_m" else es.grids.ClenshawCurtis
    grid = kind(nlat=relief.shape[0], nlon=relief.shape[1])
    sht = es.SHT(grid)
    L = sht.bandwidth
    with large_backend("torch"):
        c = sht(relief)
        again = sht(sht.inverse(c))
    alm = ducc0.sht.adjoint_synthesis_2d(
        map=(relief * grid.weights).numpy()[None],
        spin=0,
        lmax=L - 1,
        geometry="F1" if name == "topo1deg_m" else "CC",
        nthreads=1,
    )[0]
    start = 0
    for m in range(L):
        l = np.arange(m, L)
        z = alm[start : start + L - m] * (-1.0) ** m * (np.sqrt(2) if m else 1)
        start += L - m
        scale = float(c.norm()) / L
        assert np.allclose(c[l * l + l + m], z.real, rtol=0, atol=1e-10 * scale)
        if m:
            assert np.allclose(c[l * l + l - m], -z.imag, rtol=0, atol=1e-10 * scale)
    assert relative_error(again, c) < 1e-12


def test_size_and_dtype_decide():
    """Tables while they are small, and none beyond: at 512 in single precision, not in double."""
    grid = es.grids.DriscollHealy(512)
    engine = _engines.engine_for(grid, 512)
    assert type(engine._serving(torch.zeros(1, 8))).__name__ == "RingEngine"
    with large_backend("torch"):
        large = _engines.engine_for(grid, 512)._serving(torch.zeros(1, dtype=torch.float64))
    assert type(large).__name__ == "LargeEngine"


def test_tables_are_read_where_many_signals_share_them():
    """At 384 in double precision they are 226 MB: torch reads them always, compiled functions replace them for up to four."""
    pytest.importorskip("numba")
    grid = es.grids.DriscollHealy(384)
    for backend, signals, wanted in (
        ("torch", 1, "RingEngine"),
        ("numba", 1, "LargeEngine"),
        ("numba", 4, "LargeEngine"),
        ("numba", 5, "RingEngine"),
    ):
        with large_backend(backend):
            serving = _engines.engine_for(grid, 384)._serving(torch.zeros(1, signals, dtype=torch.float64))
        assert type(serving).__name__ == wanted


@pytest.mark.parametrize("library", ["OpenMP", "pool"])
def test_threads_share_the_orders(on_the_fly, monkeypatch, library):
    """Two threads, those of torch or others, give the sums over the reference harmonics, groups of orders left over too."""
    pytest.importorskip("numba")
    if library == "pool":
        monkeypatch.setattr(_legendre_compiled, "openmp", lambda: None)
    shared = []
    monkeypatch.setattr(_legendre_compiled, "task", lambda *given: shared.append(given) or task(*given))
    before, grid = torch.get_num_threads(), es.grids.GaussLegendre(nlat=29, nlon=57)
    c, f = randn(2, 29**2, dtype=torch.float64), randn(2, 29, 57, dtype=torch.float64)
    torch.set_num_threads(2)
    try:
        with large_backend("numba"):
            sht = es.SHT(grid)
            samples, coefficients = sht.inverse(c), sht(f)
    finally:
        torch.set_num_threads(before)
    assert bool(shared) == (_legendre_compiled.openmp() is not None)
    Y = harmonics_at(grid.points, 29, False)
    assert relative_error(samples, torch.einsum("jkc,nc->njk", Y, c)) < 3e-14
    assert relative_error(coefficients, quadrature(f, grid, 29)) < 3e-14


def test_a_backend_must_be_known_and_installed(monkeypatch):
    """An unknown name is refused, and a known one says what to install."""
    with pytest.raises(ValueError, match="'auto', 'torch', 'numba', 'ducc0'"), large_backend("fortran"):
        pass
    monkeypatch.setattr("equisphere.transforms._backends._installed", lambda _: False)
    with pytest.raises(ImportError, match=r"equisphere\[fast\]"), large_backend("numba"):
        pass


MEMORY = """
import resource, sys, torch, equisphere as es
L = int(sys.argv[1])
sht = es.SHT(es.grids.DriscollHealy(L))
f = torch.ones(2 * L, 2 * L, dtype=torch.float64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with es.transforms.large_backend("torch"):
    sht.inverse(sht(f))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (8 * 4 * L * L))
"""


@pytest.mark.slow
def test_memory_is_of_the_order_of_the_data():
    """At L = 1024 a round trip takes less than 8 maps of memory, where tables would take 64."""
    done = subprocess.run([sys.executable, "-c", MEMORY, "1024"], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8


@pytest.mark.slow
@every_backend
@pytest.mark.parametrize("kind", KINDS)
def test_the_round_trip_at_band_limit_2048(backend, kind):
    """analysis(synthesis(c)) = c at L = 2048, all degrees filled."""
    sht = es.SHT(KINDS[kind](2048))
    c = randn(2048**2)
    with wanting(backend):
        assert relative_error(sht(sht.inverse(c)), c) < 1e-11
