"""The compiled transform: its formulas on numbers, its two directions against plain sums over the harmonics, its choice."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from reference import KINDS, harmonics_at, randn, relative_error

import equisphere as es
from equisphere.transforms import _lane_engine, _lane_formulas, accelerate
from equisphere.transforms._engine import RingEngine
from equisphere.transforms._engines import engine_for
from equisphere.transforms._lane_engine import LaneEngine, radices_of
from equisphere.transforms._openmp import in_threads, openmp
from equisphere.transforms._tangent_engine import TangentEngine

#: even and odd numbers of rings, with and without an equator; nodes by every radix; fewer nodes than lanes, and more
SHAPES = [(4, 4), (9, 15), (12, 12), (13, 60), (20, 36), (8, 100), (16, 32), (5, 98), (2, 3), (1, 1)]


@pytest.fixture
def accelerated():
    accelerate()
    yield
    accelerate(False)


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_butterflies_are_fourier_transforms():
    """Of length r, the k-th sum turned by the k-th power of the given number."""
    rng = np.random.default_rng(0)
    for radix, constants in _lane_formulas.CONSTANTS.items():
        z = rng.normal(size=radix) + 1j * rng.normal(size=radix)
        turn = np.exp(0.7j) ** np.arange(1, radix)
        scalars = [*np.stack((turn.real, turn.imag), axis=1).ravel(), *constants]
        found = getattr(_lane_formulas, f"butterfly{radix}")(list(np.stack((z.real, z.imag), axis=1).ravel()), scalars)
        wanted = np.fft.fft(z) * np.exp(0.7j) ** np.arange(radix)
        np.testing.assert_allclose(np.array(found[::2]) + 1j * np.array(found[1::2]), wanted, rtol=0, atol=1e-14)


def test_two_real_signals_share_a_fourier_transform():
    rng = np.random.default_rng(1)
    e, o, m = rng.normal(size=12), rng.normal(size=12), 3
    Z = np.fft.fft(e + 1j * o)
    found = _lane_formulas.separated([Z[m].real, Z[m].imag, Z[-m].real, Z[-m].imag], [0.5])
    angle = m * 2 * np.pi * np.arange(12) / 12
    wanted = [e @ np.cos(angle), e @ np.sin(angle), o @ np.cos(angle), o @ np.sin(angle)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-13)
    # `joined` is the transpose: <separated z, s> = <z, joined s>
    z, s = list(rng.normal(size=4)), list(rng.normal(size=4))
    assert np.dot(_lane_formulas.separated(z, [0.7]), s) == pytest.approx(np.dot(z, _lane_formulas.joined(s, [0.7])))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_both_directions_are_the_sums_over_the_harmonics(kind, shape, weighted):
    try:
        grid = KINDS[kind](nlat=shape[0], nlon=shape[1])
    except ValueError:
        pytest.skip("no such grid")
    engine = LaneEngine(grid, grid.bandwidth)
    Y = harmonics_at(grid.points, grid.bandwidth)
    weights = grid.weights if weighted else torch.ones(shape, dtype=torch.float64)
    for n in (1, 16, 43):  # less than a vector, some whole ones, and a rest
        c, f = randn(grid.bandwidth**2, n), randn(*shape, n)
        synthesis = torch.einsum("jkc,cn,jk->jkn", Y, c, weights)
        assert relative_error(engine.to_grid(c, weighted), synthesis) < 1e-13
        assert relative_error(engine.from_grid(f, weighted), torch.einsum("jkc,jkn,jk->cn", Y, f, weights)) < 1e-13


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
@pytest.mark.parametrize("bandwidth", [16, 60, 128])
def test_round_trips_are_exact_to_rounding(accelerated, threads, dtype, bound, bandwidth):
    """The bounds of `SHT`, in any number of threads."""
    c = torch.randn(100, bandwidth**2, dtype=dtype)
    sht = es.SHT(es.grids.DriscollHealy(bandwidth))
    assert isinstance(engine_for(sht.grid, bandwidth)._serving(c.T), LaneEngine)
    assert relative_error(sht(sht.inverse(c)), c) < bound


def test_gradients_are_those_of_the_other_engine(accelerated):
    c = randn(48, 64).requires_grad_()
    sht = es.SHT(es.grids.GaussLegendre(8, nlat=12, nlon=24))

    def loss(c):
        return sht(sht.inverse(c).square()).pow(3).sum()

    compiled = torch.autograd.grad(loss(c), c)[0]
    accelerate(False)
    assert relative_error(compiled, torch.autograd.grad(loss(c), c)[0]) < 1e-13
    accelerate()
    few = randn(40, 4).requires_grad_()
    small = es.SHT(es.grids.DriscollHealy(2))
    assert torch.autograd.gradcheck(small.inverse, few)
    assert torch.autograd.gradgradcheck(lambda c: small(small.inverse(c).square()), few)
    assert torch.func.vmap(small.inverse)(randn(3, 40, 4)).shape == (3, 40, 4, 4)


def test_results_share_no_memory_and_threads_do_not_meet(accelerated):
    sht = es.SHT(es.grids.GaussLegendre(nlat=24, nlon=48))
    signals = [randn(64, 24, 48) for _ in range(6)]
    wanted = [sht(f).clone() for f in signals]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(sht, signals * 4))
    assert all(torch.equal(a, b) for a, b in zip(found, wanted * 4, strict=True))


def test_who_computes():
    """Torch by default; compiled where asked for, and where it can and pays."""
    n = 64 * torch.get_num_threads()
    smooth, prime = es.grids.GaussLegendre(8, nlat=8, nlon=24), es.grids.GaussLegendre(8, nlat=8, nlon=22)
    assert isinstance(engine_for(smooth, 8)._serving(randn(64, n)), RingEngine)
    accelerate()
    try:
        assert isinstance(engine_for(smooth, 8)._serving(randn(64, n)), LaneEngine)
        few = _lane_engine.FEWEST if openmp() else _lane_engine.APART * torch.get_num_threads()
        assert isinstance(engine_for(smooth, 8)._serving(randn(64, few)), LaneEngine)
        assert isinstance(engine_for(smooth, 8)._serving(randn(64, 3)), RingEngine)
        assert isinstance(engine_for(prime, 8)._serving(randn(64, n)), RingEngine)
        assert isinstance(engine_for(smooth, 8)._serving(torch.empty(64, n, device="meta")), RingEngine)
    finally:
        accelerate(False)
    with pytest.raises(ValueError, match="got 22"):
        LaneEngine(prime, 8)
    assert radices_of(720) == (4, 4, 3, 3, 5)


def test_a_network_trains_alike(accelerated):
    """Steps with and without agree to what rounding becomes in some steps."""
    weights = []
    for on in (True, False):
        accelerate(on)
        torch.manual_seed(0)
        model = es.models.SphericalClassifier(channels=(8, 8), bandwidths=(10, 6), pairs=2).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        c, label = randn(32, 1, 100), torch.arange(32) % 10
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(c), label).backward()
            optimizer.step()
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert relative_error(*weights) < 1e-10


def test_without_numba_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("equisphere.transforms._backends._installed", lambda package: False)
    with pytest.raises(ImportError, match=r"equisphere\[fast\]"):
        accelerate()


def test_numba_is_imported_by_those_alone_who_ask():
    """A program that does not accelerate pays nothing for it."""
    program = (
        "import sys, torch, equisphere as es; es.SHT(es.grids.DriscollHealy(4))(torch.randn(99, 8, 8)); "
        "assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_threads_do_where_those_of_torch_cannot_be_had(monkeypatch, threads, dtype):
    grid = es.grids.GaussLegendre(nlat=10, nlon=24)
    engine = LaneEngine(grid, 10)
    c, f = randn(100, 90).to(dtype), randn(10, 24, 90).to(dtype)
    whole = engine.to_grid(c, True), engine.from_grid(f, True)
    monkeypatch.setattr(_lane_engine, "openmp", lambda: None)
    assert torch.equal(engine.to_grid(c, True), whole[0])
    assert torch.equal(engine.from_grid(f, True), whole[1])


@pytest.mark.skipif(openmp() is None, reason="where PyTorch runs on another OpenMP, threads work apart")
@pytest.mark.parametrize("shape", [(10, 24), (5, 98), (2, 3)])
@pytest.mark.parametrize("signals", [8, 90])
@pytest.mark.parametrize("granted", [[3], [2, 3], [3, 1]])
def test_threads_that_work_together_find_what_one_finds_alone(monkeypatch, shape, signals, granted):
    """On few signals, and where sums leave the cache; however many threads each half is granted, more than rings too."""
    grid = es.grids.GaussLegendre(nlat=shape[0], nlon=shape[1])
    engine, before = LaneEngine(grid, grid.bandwidth), torch.get_num_threads()
    c, f = randn(grid.bandwidth**2, signals), randn(*shape, signals)
    numbers = cycle(granted)
    try:
        torch.set_num_threads(1)
        alone = engine.to_grid(c, True), engine.from_grid(f, True)
        torch.set_num_threads(3)
        monkeypatch.setattr(_lane_engine, "MOST_SUMS", 1)
        monkeypatch.setattr(_lane_engine, "in_threads", lambda *given: in_threads(*given[:-1], next(numbers)))
        # by the same arithmetic, but compiled for another caller
        assert relative_error(engine.to_grid(c, True), alone[0]) < 1e-14
        assert relative_error(engine.from_grid(f, True), alone[1]) < 1e-14
    finally:
        torch.set_num_threads(before)


def test_tensors_that_are_not_what_lies_in_memory(accelerated):
    """Signs that wait to be turned, and zeros that are not there."""
    sht, f = es.SHT(es.grids.DriscollHealy(8)), torch.randn(64, 16, 16)
    assert torch.equal(sht(torch._neg_view(f)), sht(-f))
    nothing = torch._efficientzerotensor((64, 64))
    assert not LaneEngine(sht.grid, 8).to_grid(nothing, False).any()


def _transformed(sht, f, answer):
    torch.set_num_threads(1)  # as workers of a DataLoader do: no threads of OpenMP outlive a fork
    answer.put(sht(f).numpy())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_transforms(accelerated):
    """Workers of a DataLoader are forked from a process that has transformed already."""
    context, before = get_context("fork"), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sht, f = es.SHT(es.grids.DriscollHealy(4)), randn(64, 8, 8)
        wanted, answer = sht(f), context.Queue()
        worker = context.Process(target=_transformed, args=(sht, f, answer), daemon=True)
        worker.start()
        np.testing.assert_array_equal(answer.get(timeout=60), wanted.numpy())
        worker.join(10)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(8, 15), (12, 24), (18, 36)])
def test_tangent_fields_are_those_of_the_other_engine(accelerated, shape):
    grid = es.grids.GaussLegendre(nlat=shape[0], nlon=shape[1])
    L = min(grid.exact_degree // 2, 10)
    engine = TangentEngine(grid, L)
    c, u = randn(L * L, 40), randn(80, *shape)
    compiled = engine.to_grid(c), engine.from_grid(u)
    accelerate(False)
    for found, wanted in zip(compiled, (engine.to_grid(c), engine.from_grid(u)), strict=True):
        assert relative_error(found, wanted) < 1e-14
