"""Products of features against each other and against what they are: samples multiplied, degrees coupled, slopes."""

from math import pi, sqrt

import pytest
import torch
from fields import feature
from reference import harmonics_at, quadrature, randn, relative_error

import equisphere as es
from equisphere.harmonics import clebsch_gordan, clebsch_gordan_real
from equisphere.nn import (
    Bispectrum,
    CrossSpectrum,
    Field,
    GatedActivation,
    Gradient,
    MagnitudeActivation,
    SO3Activation,
    SpinBatchNorm,
    SpinProduct,
    TensorProduct,
    TripleProduct,
)
from equisphere.transforms import SpinSHT, from_e_b_modes, gradient

L = 5


def complex_of(c):
    """E of all channels, then B, as complex coefficients of the spin."""
    return from_e_b_modes(torch.stack(c.chunk(2, dim=1), dim=-2))


def coupled(f, g, s, t):
    """The product of two spin signals by Clebsch-Gordan coefficients of degrees, orders and spins."""
    out = torch.zeros_like(f)
    for a in range(abs(s), L):
        for b in range(abs(t), L):
            for l in range(max(abs(a - b), abs(s + t)), min(a + b, L - 1) + 1):
                C = torch.from_numpy(clebsch_gordan(a, b, l)).to(torch.complex128)
                k = sqrt((2 * a + 1) * (2 * b + 1) / (4 * pi * (2 * l + 1))) * C[l - s - t, a - s, b - t]
                product = torch.einsum(
                    "mij,...i,...j->...m", C, f[..., a * a : (a + 1) ** 2], g[..., b * b : (b + 1) ** 2]
                )
                out[..., l * l : (l + 1) ** 2] += k * product
    return out


@pytest.mark.parametrize(("s", "t"), [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)])
def test_the_product_at_every_point_is_the_clebsch_gordan_product(s, t):
    """f g by the formula of its docstring, and f conj(g), conj(g) being of spin -t."""
    left, right = Field(L, (s,), 2), Field(L, (t,), 2)
    a, b = feature(left), feature(right)
    f, g = complex_of(a), complex_of(b)
    if s + t < L:
        found = complex_of(SpinProduct(left, right, (s + t,))(a, b))
        assert relative_error(found, coupled(f, g, s, t)) < 1e-12
    # conj(g) has the coefficients -(E - iB) over the real harmonics, times (-1)^t over sY of spin -t: Goldberg et al. 1967
    E, B = b.chunk(2, dim=1)
    conjugate = from_e_b_modes(torch.stack((E, -B), dim=-2)) * (-1) ** t
    wanted = coupled(f, conjugate, s, -t)
    found = SpinProduct(left, right, (abs(s - t),))(a, b)
    if s == t:
        parts = found.chunk(2, dim=1)
        real, imaginary = (es.transforms.to_complex_basis(part) for part in parts)
        assert relative_error(real + 1j * imaginary, wanted) < 1e-12
    else:
        # of a negative spin, the conjugate is given
        grid = es.grids.GaussLegendre(L, nlat=12)
        f_conj_g = SpinSHT(grid, L, s - t).inverse(wanted)
        given = SpinSHT(grid, L, abs(s - t)).inverse(complex_of(found))
        assert relative_error(given, f_conj_g if s > t else f_conj_g.conj()) < 1e-12


def test_a_product_of_scalars_is_that_of_their_samples():
    """On another grid, by plain sums; and a TensorProduct with the weights of one."""
    grid = es.grids.DriscollHealy(12)
    Y = harmonics_at(grid.points, L)
    a, b = randn(2, 3, 2, L * L)
    wanted = quadrature(torch.einsum("jkc,...c->...jk", Y, a) * torch.einsum("jkc,...c->...jk", Y, b), grid, L)
    scalars = Field(L, channels=2)
    assert relative_error(SpinProduct(scalars, scalars)(a, b), wanted) < 1e-12
    layer = TensorProduct(2, L).double()
    with torch.no_grad():
        for path, (p, q, l) in enumerate(layer.paths):
            even = (p + q + l) % 2 == 0
            zero = float(clebsch_gordan(p, q, l)[l, p, q]) if even else 0.0
            layer.weight[:, path] = sqrt((2 * p + 1) * (2 * q + 1) / (4 * pi * (2 * l + 1))) * zero
        assert relative_error(layer(a, b), wanted) < 1e-12


def test_a_tensor_product_is_the_sum_over_its_paths():
    layer = TensorProduct(2, 3, out_bandwidth=5).double()
    a, b = randn(2, 4, 2, 9)
    wanted = torch.zeros(4, 2, 25, dtype=torch.float64)
    for w, (p, q, l) in zip(layer.weight.unbind(1), layer.paths, strict=True):
        C = torch.from_numpy(clebsch_gordan_real(p, q, l).copy())
        x, y = a[..., p * p : (p + 1) ** 2], b[..., q * q : (q + 1) ** 2]
        wanted[..., l * l : (l + 1) ** 2] += w[:, None] * torch.einsum("mij,nci,ncj->ncm", C, x, y)
    torch.testing.assert_close(layer(a, b), wanted)


def test_products_keep_the_power_of_every_degree():
    """Variance 1 of each coefficient, from rows of variance 1: its mean over 400 rows and 2l+1 orders has deviation 0.1."""
    layer = TensorProduct(400, 4).double()
    y = layer(*randn(2, 30, 400, 16)).detach()
    for l in range(4):
        assert abs(float(y[..., l * l : (l + 1) ** 2].square().mean()) - 1) < 0.4


def test_the_gradient_is_that_of_the_calculus():
    f = randn(2, 1, L * L)
    v = Gradient(Field(L), normalised=False)(f)
    torch.testing.assert_close(v, gradient(f)[:, 0])
    riesz = Gradient(Field(L))(f)
    torch.testing.assert_close(riesz.square().sum(), f[..., 1:].square().sum())


def test_a_gradient_of_spins_is_eth():
    """-ð f by differences along theta and phi, with ð as in the docstring of SpinSHT."""
    field, s, h = Field(L, (1,)), 1, 1e-5
    c = feature(field, 1)
    theta, phi = torch.tensor([0.7, 2.0]).double(), torch.tensor([0.4, 5.0]).double()

    def value(theta, phi, c, spin):
        z = es.transforms.from_e_b_modes(torch.stack(c.chunk(2, dim=1), dim=-2))[0, 0]
        total = 0
        for l in range(spin, L):
            for m in range(-l, l + 1):
                d = torch.tensor([es.harmonics.wigner_d(l, float(t))[m + l, l - spin] for t in theta])
                total = total + z[l * l + l + m] * (-1) ** spin * sqrt((2 * l + 1) / 4 / pi) * d * torch.exp(
                    1j * m * phi
                )
        return total

    def scaled(theta, phi):
        return value(theta, phi, c, s) / theta.sin() ** s

    by_theta = (scaled(theta + h, phi) - scaled(theta - h, phi)) / (2 * h)
    by_phi = (scaled(theta, phi + h) - scaled(theta, phi - h)) / (2 * h)
    eth = -(theta.sin() ** s) * (by_theta + 1j / theta.sin() * by_phi)
    found = value(theta, phi, Gradient(field, normalised=False)(c), s + 1)
    assert relative_error(-found, eth) < 1e-8


def test_the_bispectrum_of_vectors_is_the_triple_product():
    """(1, 1, 1): the determinant of three vectors, up to sqrt(6): each is orthonormal antisymmetric; and it sees mirrors."""
    layer, triple = Bispectrum(4, 3, bandwidth=2).double(), TripleProduct(4, 3).double()
    c = randn(2, 4, 9)
    with torch.no_grad():
        triple.weight.copy_(layer.weight.transpose(0, 1).flatten(0, 1))
    found = layer(c)[..., layer.degrees.index((1, 1, 1))]
    assert relative_error(found.abs(), triple(c).abs() / sqrt(6)) < 1e-12


def test_a_cross_spectrum_of_a_mixture_with_itself_is_its_power():
    layer = CrossSpectrum(4, 3).double()
    with torch.no_grad():
        layer.weight[1] = layer.weight[0]
    c = randn(2, 4, L * L)
    mixed = torch.einsum("kr,nrc->nkc", layer.weight[0], c)
    torch.testing.assert_close(layer(c), es.power_spectrum(mixed))


def test_the_norm_is_that_of_samples():
    """A channel of a spin has mean square 1 over batch and sphere; its samples by SpinSHT on a grid with exact integrals."""
    field, grid = Field(L, (0, 2), (2, 3)), es.grids.GaussLegendre(2 * L)
    norm = SpinBatchNorm(field, affine=False).double()
    y = norm(3 * feature(field))
    f = SpinSHT(grid, L, 2).inverse(complex_of(field.parts(y)[2]))
    mean_square = (grid.weights * f.abs().square()).sum((-2, -1)).mean(0) / (4 * pi)
    torch.testing.assert_close(mean_square, torch.ones(3, dtype=torch.float64), atol=1e-3, rtol=0)
    norm.eval()
    for _ in range(3):
        torch.testing.assert_close(norm(y), norm(y))


def test_nonlinearities_commute_with_the_phase():
    """Turning all local axes by psi multiplies spin s by e^{-is psi}: before or after magnitude and gates."""
    field, psi = Field(L, (0, 1, 2), 2), 0.7

    def turned(field, c):
        parts = []
        for s, part in field.parts(c).items():
            E, B = part.chunk(2, dim=1) if s else (part, None)
            cos, sin = torch.cos(torch.tensor(s * psi)), torch.sin(torch.tensor(s * psi))
            parts += [part] if s == 0 else [cos * E + sin * B, cos * B - sin * E]
        return torch.cat(parts, dim=1)

    for layer in (
        MagnitudeActivation(torch.relu, field),
        GatedActivation(torch.tanh, field),
        SpinBatchNorm(field),
    ):
        layer.double()
        source = getattr(layer, "source", field)
        target = getattr(layer, "target", field)
        c = feature(source)
        torch.testing.assert_close(layer(turned(source, c)), turned(target, layer(c)), atol=1e-6, rtol=1e-6)


def test_a_bias_of_the_magnitude_silences_small_values():
    layer = MagnitudeActivation(torch.relu, Field(L, (1,), 2)).double()
    c = feature(layer.source)
    with torch.no_grad():
        torch.testing.assert_close(layer(c), c)  # relu(|f|) f / |f|
        layer.bias["1"][0] = -1e6
        assert not layer(c)[:, [0, 2]].any()
        assert layer(c)[:, [1, 3]].any()


def test_gradients():
    for layer in (
        TensorProduct(2, 3),
        SpinProduct(Field(3, (0, 1)), Field(3, (1,)), (0, 1, 2)),
    ):
        layer.double()
        shapes = [(2, 2, 9), (2, 2, 9)] if isinstance(layer, TensorProduct) else [(1, *f.shape) for f in layer.takes]
        assert torch.autograd.gradcheck(layer, [randn(*shape).requires_grad_() for shape in shapes])
    field = Field(3, (0, 1))
    for layer in (
        MagnitudeActivation(torch.tanh, field),
        GatedActivation(torch.tanh, field),
        SO3Activation(torch.tanh, field),
        SpinBatchNorm(field),
        Gradient(field),
        CrossSpectrum(3, 2),
        Bispectrum(3, 1, bandwidth=2),
    ):
        layer.double()
        source = getattr(layer, "source", field)
        assert torch.autograd.gradcheck(layer, feature(source, 2).requires_grad_(), eps=1e-5)


F01 = Field(4, (0, 1), 2)
ONE = torch.ones(2, 2, 16)
BAD = {
    "too high an output": (lambda: TensorProduct(2, 3, 6), "at most 5"),
    "no rows": (lambda: TensorProduct(0, 3), "rows must be at least 1"),
    "other rows": (lambda: TensorProduct(3, 4)(ONE, ONE), "batch, 3"),
    "two batches": (lambda: TensorProduct(2, 4)(ONE, ONE[:1]), "one batch"),
    "two batches of fields": (lambda: SpinProduct(F01, F01)(torch.ones(2, 6, 16), torch.ones(1, 6, 16)), "one batch"),
    "two band limits": (lambda: SpinProduct(F01, Field(5, (0, 1), 2)), "one band limit"),
    "two numbers of channels": (lambda: SpinProduct(F01, Field(4, (0, 1), 3)), "same number of channels"),
    "a spin that no product has": (lambda: SpinProduct(F01, F01, (0, 3)), "has the spins \\[3\\]"),
    "no spins to gate": (lambda: GatedActivation(torch.relu, Field(4)), "Take `nn.Activation`"),
    "no field": (lambda: MagnitudeActivation(torch.relu, 4), "must be an nn.Field"),
    "a class for a function": (lambda: MagnitudeActivation(torch.nn.ReLU, F01), "must be callable"),
    "too coarse": (lambda: MagnitudeActivation(torch.relu, F01, 0.5), "oversampling must be at least 1"),
    "oversampling in words": (lambda: GatedActivation(torch.relu, F01, "much"), "must be a number"),
    "no function on SO(3)": (lambda: SO3Activation(torch.relu, Field(4, (0, 2))), "spins 0 .. N"),
    "too few angles": (lambda: SO3Activation(torch.relu, F01, angles=2), "at least 3 third angles"),
    "another feature": (lambda: SO3Activation(torch.relu, F01)(ONE), "2 of spin 0, 4 of E and B of spin 1"),
    "a norm of no field": (lambda: SpinBatchNorm(4), "must be an nn.Field"),
    "a norm of other rows": (lambda: SpinBatchNorm(F01)(ONE), "batch, 6, 16"),
    "eps 0": (lambda: SpinBatchNorm(F01, eps=0), "eps must be above 0"),
    "a gradient without degrees": (lambda: Gradient(Field(2, (1,))), "none below the band limit"),
    "mixtures of other rows": (lambda: CrossSpectrum(3, 2)(ONE), "batch, 3"),
    "a bispectrum of more than there is": (
        lambda: Bispectrum(2, 1, bandwidth=5)(ONE),
        "needs coefficients of that band",
    ),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()
