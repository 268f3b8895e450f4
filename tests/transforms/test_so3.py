"""The transform on SO(3) is the plain sum over Wigner functions, and its own inverse on functions of its band limit."""

from math import pi

import numpy as np
import pytest
import torch
from e3nn import o3
from reference import randn, relative_error
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap

import equisphere as es
from equisphere.groups import euler_angles
from equisphere.harmonics import (
    real_from_complex,
    so3_degrees_and_orders,
    so3_index,
    wigner_D,
    wigner_d_orders,
    wigner_d_series,
)
from equisphere.transforms import SO3Transform

# torch itself does that when it first differentiates forwards
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")

DTYPES = (torch.complex128, torch.complex64)
every_bandwidth = pytest.mark.parametrize("L", [1, 2, 4])


def functions_at(R, L):
    """B^l_mn(R) = sqrt((2l+1) / 8 pi^2) conj(D^l_mn(R)) of rotations `(n, 3, 3)`, from the reference Wigner matrices."""
    rows = [
        np.concatenate([np.sqrt((2 * l + 1) / (8 * pi**2)) * wigner_D(l, *angles).conj().ravel() for l in range(L)])
        for angles in torch.stack(euler_angles(R), dim=-1).tolist()
    ]
    return torch.from_numpy(np.stack(rows))


@every_bandwidth
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_synthesis_is_the_sum_of_the_functions(L, leading):
    so3 = SO3Transform(L)
    c = randn(*leading, so3.size, dtype=torch.complex128)
    B = functions_at(so3.rotations.flatten(0, 2), L).reshape(*so3.shape, -1)
    wanted = torch.einsum("jkix,...x->...jki", B, c)
    found = so3.inverse(c)
    assert found.shape == (*leading, *so3.shape)
    assert torch.allclose(found, wanted, rtol=0, atol=1e-12)
    assert torch.allclose(so3.inverse(c, real=True), wanted.real, rtol=0, atol=1e-12)


@every_bandwidth
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_analysis_is_the_quadrature(L, dtype):
    """f^l_mn = sum w f conj(B), of samples that are not band-limited at all."""
    so3 = SO3Transform(L)
    f = randn(2, *so3.shape, dtype=dtype)
    B = functions_at(so3.rotations.flatten(0, 2), L).reshape(*so3.shape, -1)
    wanted = torch.einsum("njki,jki,jkix->nx", f.to(B.dtype), so3.weights.to(B.dtype), B.conj())
    assert torch.allclose(so3(f), wanted, rtol=0, atol=1e-12)


def test_the_functions_are_e3nns_in_the_complex_basis():
    """Its D^l(R), real, at the rotations of the grid: conj(D) = U^H D_real U."""
    so3 = SO3Transform(3)
    R = so3.rotations.flatten(0, 2)
    to_e3nn = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=R.dtype)  # (x, y, z) to (y, z, x)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        D = o3.Irrep(2, 1).D_from_matrix(to_e3nn @ R @ to_e3nn.T)
    finally:
        torch.set_default_dtype(before)
    U = torch.from_numpy(real_from_complex(2))
    conj_D = U.mH @ D.to(U.dtype) @ U
    for m, n in ((0, 0), (1, -2), (-2, 1), (2, 2), (-1, -1)):
        c = torch.zeros(so3.size, dtype=torch.complex128)
        c[so3_index(2, m, n)] = 1
        wanted = np.sqrt(5 / (8 * pi**2)) * conj_D[:, 2 + m, 2 + n].reshape(so3.shape)
        assert torch.allclose(so3.inverse(c), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("L", [1, 2, 3, 8, 17, 32])
def test_the_sampling_theorem(L, dtype):
    check_round_trip(L, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("L", [64, 128])
def test_the_sampling_theorem_at_high_band_limits(L, dtype):
    check_round_trip(L, dtype)


def check_round_trip(L, dtype):
    """analysis(synthesis(c)) = c to rounding, for complex functions and for real ones, in the norm and in the worst number.

    The tables come from a recurrence in the degree, in double precision: some roundings for each of L degrees. What is
    single is rounded once from them, and added up.
    """
    bound = 1e-6 if dtype == torch.complex64 else 1e-14 + 6 * L * torch.finfo(dtype).eps
    so3 = SO3Transform(L)
    c = randn(so3.size, dtype=dtype)
    again = so3(so3.inverse(c))
    f = so3.inverse(c, real=True)
    real = so3(f)
    assert f.dtype == dtype.to_real()
    for found, wanted in ((again, c), (so3.inverse(real, real=True), f)):
        assert relative_error(found, wanted) <= bound
        assert float((found - wanted).abs().max() / wanted.abs().max()) <= bound


def test_coefficients_of_a_real_function_have_their_symmetry():
    """f^l_{-m,-n} = (-1)^{m-n} conj(f^l_mn), and the real path gives what the complex one does."""
    so3 = SO3Transform(7)
    f = randn(*so3.shape)
    c = so3(f)
    for l, m, n in np.stack(so3_degrees_and_orders(7), axis=1).tolist():
        assert torch.isclose(c[so3_index(l, -m, -n)], (-1) ** (m - n) * c[so3_index(l, m, n)].conj(), atol=1e-13)
    assert torch.allclose(c, so3(f.to(torch.complex128)), rtol=0, atol=1e-13)


def test_norms_are_integrals():
    """sum |f^l_mn|^2 is the integral of |f|^2 over SO(3), of total measure 8 pi^2."""
    so3 = SO3Transform(5)
    c = randn(so3.size, dtype=torch.complex128)
    assert torch.isclose(so3.weights.sum(), torch.tensor(8 * pi**2, dtype=torch.float64), rtol=1e-14)
    assert torch.isclose((so3.weights * so3.inverse(c).abs().square()).sum(), c.abs().square().sum(), rtol=1e-13)


def test_the_grid_is_that_of_the_group():
    """`groups.SO3` has the same rotations, its angles beta in the other order."""
    L = 4
    theirs = es.groups.SO3(L).elements.reshape(2 * L, L, 2 * L, 3, 3).flip(1)
    assert torch.allclose(SO3Transform(L).rotations, theirs, rtol=0, atol=1e-14)


def test_columns_turn_as_signals_on_the_sphere():
    """(Q.f)(R) = f(Q^-1 R) takes f^l_mn to sum_k D^l_mk(Q) f^l_kn: evaluated at the turned rotations."""
    L, Q = 4, es.random_rotations(1, torch.Generator().manual_seed(1), torch.float64)[0]
    so3 = SO3Transform(L)
    c = randn(so3.size, dtype=torch.complex128)
    there = functions_at(Q.mT @ so3.rotations.flatten(0, 2), L) @ c
    angles = [float(a) for a in euler_angles(Q)]
    parts = c.split([(2 * l + 1) ** 2 for l in range(L)])
    D = [torch.from_numpy(wigner_D(l, *angles)) for l in range(L)]
    moved = torch.cat([(D[l] @ p.view(2 * l + 1, -1)).ravel() for l, p in enumerate(parts)])
    assert torch.allclose(so3.inverse(moved).flatten(), there, rtol=0, atol=1e-12)


def test_a_signal_on_the_sphere_is_a_function_of_the_rotated_pole():
    """R -> F(R N) has f^l_m0 = sqrt(2 pi) F_lm, and nothing else."""
    L = 5
    so3 = SO3Transform(L)
    F = randn(L * L, dtype=torch.complex128)
    points = so3.rotations[..., :, 2]
    theta, phi = torch.acos(points[..., 2].clamp(-1, 1)), torch.atan2(points[..., 1], points[..., 0])
    Y = torch.from_numpy(es.harmonics.complex_harmonics(L, theta.numpy().ravel(), phi.numpy().ravel()))
    c = so3((Y @ F).reshape(so3.shape))
    degree, m, n = so3_degrees_and_orders(L)
    wanted = torch.where(torch.from_numpy(n == 0), (2 * pi) ** 0.5 * F[degree**2 + degree + m], 0)
    assert torch.allclose(c, wanted, rtol=0, atol=1e-12)


def test_gradients():
    """First and second order, forward mode; the adjoints are adjoints by their inner products."""
    so3 = SO3Transform(2)
    f = randn(2, *so3.shape).requires_grad_()
    z = f.detach().to(torch.complex128).requires_grad_()
    c = randn(2, so3.size, dtype=torch.complex128).requires_grad_()
    real = lambda c: so3.inverse(c, real=True)  # noqa: E731
    for function, x in ((so3, f), (so3, z), (so3.inverse, c), (real, c), (so3.adjoint, c), (so3.inverse_adjoint, f)):
        assert gradcheck(function, x, check_forward_ad=True, fast_mode=True)
        assert gradgradcheck(lambda x, g=function: g(x.sin()), x, fast_mode=True)
    inner = lambda a, b: (a.conj() * b).sum()  # noqa: E731
    assert torch.isclose(inner(so3(z), c), inner(z, so3.adjoint(c)), rtol=1e-12)
    assert torch.isclose(inner(so3.inverse(c), z), inner(c, so3.inverse_adjoint(z)), rtol=1e-12)


def test_vmap_is_the_batch():
    so3 = SO3Transform(3)
    f = randn(4, *so3.shape)
    c = so3(f)
    assert torch.allclose(vmap(so3, in_dims=1)(f.movedim(0, 1)), c, rtol=0, atol=1e-13)
    assert torch.allclose(vmap(so3.inverse)(c), so3.inverse(c), rtol=0, atol=1e-13)


def test_tables_hold_a_third_of_what_there_is():
    """Of (4/3) L^4 numbers the symmetries leave a third, less what fills the blocks: the memory that the docstring states."""
    L = 32
    tables = es.transforms._so3_tables.wigner_tables(L, torch.float32, torch.device("cpu"))
    assert sum(t.numel() for t in tables) <= L**4 / 2.5


@pytest.mark.parametrize("beta", [0.0, 0.4, pi / 2, 3.0, pi])
def test_the_tables_are_the_series(beta):
    """`wigner_d_orders` holds what `wigner_d_series`, which is tested against the exponential, does; zeros below."""
    m, n = (v.ravel() for v in np.meshgrid(np.arange(-8, 9), np.arange(-8, 9)))
    table = wigner_d_orders(m, n, 12, np.array([beta]))[:, 0]
    for l, d in enumerate(wigner_d_series(12, beta)):
        inside = np.maximum(abs(m), abs(n)) <= l
        assert np.allclose(table[inside, l], d[m[inside] + l, n[inside] + l], rtol=0, atol=1e-14)
        assert not table[~inside, l].any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SO3Transform(0), "bandwidth must be at least 1"),
        (lambda: SO3Transform(3)(torch.ones(6, 6, 3)), r"samples must have shape \(..., 6, 3, 6\).*got \(6, 6, 3\)"),
        (lambda: SO3Transform(3)(torch.ones(0, 6, 3, 6)), "at least one function"),
        (lambda: SO3Transform(3)(torch.ones(6, 3, 6).int()), "samples must hold floating point"),
        (lambda: SO3Transform(3)(torch.full((6, 3, 6), float("nan"))), "samples must be finite"),
        (lambda: SO3Transform(3).inverse(torch.ones(35)), "coefficients must be complex"),
        (lambda: SO3Transform(3).inverse(torch.ones(36) + 0j), r"shape \(..., 35\).*got"),
        (lambda: SO3Transform(2).inverse(torch.full((10,), float("nan")) + 0j), "coefficients must be finite"),
        (lambda: so3_index(2, 3, 0), "orders must satisfy"),
    ],
)
@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained(call, words):
    with pytest.raises(ValueError, match=words):
        call()
