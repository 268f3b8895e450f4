"""Sums at any points and least squares: the plain sums, by every path, with derivatives in values and in points."""

import importlib.util
import warnings

import pytest
import torch
from reference import SPECIAL_ROTATIONS, harmonics_at, randn, relative_error, unit_points
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap

import equisphere as es
from equisphere.transforms import _points_engine as engine
from equisphere.transforms import accumulate, evaluate, fit
from equisphere.transforms._points_engine import PointSums
from equisphere.transforms._refinement import condition_met

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

real_and_complex = pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])


def points_and_poles(n):
    """Random points, the poles, points next to them, and one twice."""
    special = torch.tensor([[0, 0, 1], [0, 0, -1], [1e-9, 0, 1], [0, -1e-9, -1], [-1, 0, 0], [-1, 0, 0]])
    return torch.cat((special.double(), unit_points(n - len(special))))


@real_and_complex
@pytest.mark.parametrize("L", [1, 2, 7])
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_the_sums(L, dtype, leading):
    """f(x_i) = sum_lm c_lm Y_lm(x_i), and the adjoint sum_i v_i conj(Y_lm(x_i)), at the poles too."""
    x = points_and_poles(40)
    Y = harmonics_at(x, L, dtype.is_complex)
    c, v = randn(*leading, L * L, dtype=dtype), randn(*leading, 40, dtype=dtype)
    assert torch.allclose(evaluate(c, x), c @ Y.mT, rtol=0, atol=1e-13)
    assert torch.allclose(accumulate(v, x, L), v @ Y.conj(), rtol=0, atol=1e-13)


PATHS = {"chunks": False, "table": False, "fft": True}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("L", [1, 2, 33])
def test_every_path_computes_the_same_sums(monkeypatch, path, dtype, L):
    """Chunks of a few points, a whole table, and the non-uniform FFT, against the reference harmonics."""
    if PATHS[path] and importlib.util.find_spec("finufft") is None:
        pytest.skip("finufft is not installed")
    if path == "chunks":
        monkeypatch.setattr(engine, "TABLE_NUMBERS", 0)
        monkeypatch.setattr(engine, "CHUNK_NUMBERS", 7 * L * L)
    x = points_and_poles(300).to(dtype)
    x = torch.nn.functional.normalize(x, dim=-1)
    Y = harmonics_at(x, L)
    sums = PointSums(x, L, fast=PATHS[path])
    assert (sums._fast is not None, sums._table is not None) == (path == "fft", path == "table")
    c, v = randn(L * L, 2, dtype=dtype), randn(300, 2, dtype=dtype)
    tolerance = 3e-6 if dtype == torch.float32 else 1e-12
    assert relative_error(sums.to_points(c), Y @ c.double()) < tolerance
    assert relative_error(sums.from_points(v), Y.mT @ v.double()) < tolerance


def test_many_points_take_the_fast_path_by_themselves():
    """From a size on, where finufft is installed; the values are those of the plain path."""
    pytest.importorskip("finufft")
    x = unit_points(5000)
    assert PointSums(x, 32)._fast is not None
    assert PointSums(x[:100], 32)._fast is None
    c = randn(1024)
    assert relative_error(evaluate(c, x)[:50], harmonics_at(x[:50], 32) @ c) < 1e-12


@real_and_complex
def test_derivatives_in_values_and_points(dtype):
    """First and second order, reverse and forward; the poles among the points."""
    x = points_and_poles(9).requires_grad_()
    c, v = randn(9, dtype=dtype).requires_grad_(), randn(2, 9, dtype=dtype).requires_grad_()

    def at(y):
        return torch.nn.functional.normalize(y, dim=-1)

    for function, a in ((lambda c, x: evaluate(c, at(x)), c), (lambda v, x: accumulate(v, at(x), 3), v)):
        assert gradcheck(function, (a, x), check_forward_ad=True, fast_mode=True)
        assert gradgradcheck(function, (a, x), fast_mode=True)


def test_the_gradient_in_a_point_is_the_surface_gradient():
    """Of f(x, y, z) = z: the projection of (0, 0, 1) to the tangent plane, whatever is done to the length of the points."""
    x = points_and_poles(20).requires_grad_()
    height = torch.tensor([0, 0, (4 * torch.pi / 3) ** 0.5, 0], dtype=torch.float64)
    gradient = torch.autograd.grad(evaluate(height, x).sum(), x)[0]
    wanted = torch.tensor([0, 0, 1.0]) - x.detach() * x.detach()[:, 2:]
    assert torch.allclose(gradient, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SPECIAL_ROTATIONS)
def test_a_cloud_turns_with_its_coefficients(dtype, name):
    """Rotating the points and rotating the coefficients of their sum is one."""
    x, v, R = unit_points(30), randn(30), SPECIAL_ROTATIONS[name]
    turned = accumulate(v.to(dtype), (x @ R.mT).to(dtype), 8)
    assert relative_error(turned, es.rotate(accumulate(v.to(dtype), x.to(dtype), 8), R.to(dtype))) < (
        1e-5 if dtype == torch.float32 else 1e-13
    )


@real_and_complex
def test_analysis_is_weighted_least_squares(dtype):
    """SHT on scattered points, and `fit`, against a dense solver; with a regularization for each degree."""
    L, n = 5, 90
    x, w = unit_points(n), torch.rand(n, dtype=torch.float64) + 0.5
    w = w * 4 * torch.pi / w.sum()
    grid = es.grids.Scattered(x, w)
    f = randn(2, n, dtype=dtype)
    Y = harmonics_at(x, L, dtype.is_complex)
    W = w[:, None].to(dtype)
    ridge = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    for R in (0 * ridge, ridge):
        G = Y.mH @ (W * Y) + torch.diag(R[degree]).to(dtype)
        wanted = torch.linalg.solve(G, Y.mH @ (W * f.mT)).mT
        assert relative_error(fit(f, x, L, w, R, tolerance=1e-12), wanted) < 1e-10
        if not R.any():
            sht = es.SHT(grid, L, tolerance=1e-12)
            assert relative_error(sht(f), wanted) < 1e-10
            c = randn(2, L * L, dtype=dtype)
            assert relative_error((sht(f).conj() * c).sum(), (f.conj() * sht.adjoint(c)).sum()) < 1e-9


def test_the_round_trip_on_scattered_points():
    """Comfortably many points give the coefficients back, in either precision."""
    sht = es.SHT(es.grids.Scattered(unit_points(1200)), tolerance=1e-12)
    c = randn(2, sht.bandwidth**2)
    assert sht.bandwidth == 17
    assert relative_error(sht(sht.inverse(c)), c) < 1e-10
    loose = es.SHT(sht.grid)
    assert relative_error(loose(loose.inverse(c.float())), c) < 1e-4


def test_derivatives_of_the_fit():
    """In values, points, weights and regularization, to second order: through the equations, not the steps."""
    x, v, w = unit_points(25).requires_grad_(), randn(2, 25).requires_grad_(), torch.rand(25).double() + 0.5
    w.requires_grad_()
    ridge = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)

    def fitted(v, x, w, ridge):
        return fit(v, torch.nn.functional.normalize(x, dim=-1), 3, w, ridge, tolerance=1e-14)

    assert gradcheck(fitted, (v, x, w, ridge), fast_mode=True)
    assert gradgradcheck(fitted, (v, x, w, ridge), fast_mode=True)
    assert gradcheck(es.SHT(es.grids.Scattered(x.detach()), 3, tolerance=1e-14), v, fast_mode=True)


def test_vmap_over_signals():
    """Mapped over the signals, the sums are those of the batch; over the points it is refused."""
    x, c = unit_points(12), randn(4, 9)
    assert torch.allclose(vmap(lambda a: evaluate(a, x))(c), evaluate(c, x), rtol=0, atol=1e-14)
    v = randn(12, 4)
    assert torch.allclose(vmap(lambda a: accumulate(a, x, 3), in_dims=1)(v), accumulate(v.mT, x, 3), rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="Loop over them"):
        vmap(lambda y: evaluate(c, y))(torch.stack((x, x)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("lowest", "determined"), [(-1.0, True), (-0.8, True), (-0.5, False), (0.0, False), (0.8, False)]
)
def test_a_gap_that_hides_signals_is_said_though_the_residual_is_small(lowest, determined, dtype):
    """Noise-free samples north of a parallel: either the coefficients come back, or a warning says that they may not."""
    x = unit_points(4000)
    x = x[x[:, 2] > lowest]
    c = randn(64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fit(evaluate(c, x).to(dtype), x.to(dtype), 8)
    assert any("hardly determine" in str(warning.message) for warning in caught) != determined
    assert (float((found - c).norm() / c.norm()) < 1e-3) == determined


def test_the_condition_that_the_steps_meet_is_that_of_the_matrix():
    """Of small systems conjugate gradients meet the whole spectrum, each column by itself."""
    spectrum = torch.logspace(0, 3, 8, dtype=torch.float64)
    Q = torch.linalg.qr(randn(8, 8)).Q
    gram = Q @ torch.diag(spectrum) @ Q.mT
    lengths, ratios, residual = [], [], torch.cat((randn(8, 2), Q[:, :1]), dim=1)  # the last is done in one step
    direction = residual
    for _ in range(8):
        product, energy = gram @ direction, residual.square().sum(0)
        length = torch.where(energy > 1e-20, energy / (direction * product).sum(0), 0)
        residual = residual - length * product
        ratio = torch.where(length > 0, residual.square().sum(0) / energy, 0)
        direction = residual + ratio * direction
        lengths.append(length)
        ratios.append(ratio)
    assert condition_met(lengths, ratios) == pytest.approx(1e3, rel=1e-6)
    assert condition_met([a[2:] for a in lengths], [b[2:] for b in ratios]) == pytest.approx(1, rel=1e-6)
    assert condition_met([], []) == 1


def test_a_poorly_determined_fit_warns():
    """Points on half of the sphere alone cannot tell degree 15: it is said, and a regularization mends it."""
    x = unit_points(1500)
    x[:, 2].abs_()
    v = evaluate(randn(225), x)
    with pytest.warns(RuntimeWarning, match="hardly determine"):
        fit(v, x, 15, tolerance=1e-13)
    fit(v, x, 15, regularization=1e-3)
