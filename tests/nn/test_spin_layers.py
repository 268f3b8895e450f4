"""The contract for layers of fields with spins: all commute with every rotation, up to rounding or to aliasing that falls."""

from itertools import pairwise

import pytest
import torch
from fields import ROTATIONS, N, equivariance_error, feature, invariance_error
from reference import randn, relative_error
from rounding import CONTRACT, bound, product, rotation, tables, transform
from torch import nn

import equisphere as es
from equisphere.nn import (
    Bispectrum,
    CrossSpectrum,
    EquivariantLinear,
    Field,
    GatedActivation,
    Gradient,
    LiftToSO3,
    MagnitudeActivation,
    PointedConv,
    PowerSpectrum,
    SO3Activation,
    SO3Conv,
    SpectralPool,
    SpinBatchNorm,
    SpinConv,
    SpinProduct,
    TensorProduct,
)
from equisphere.transforms import pointwise_spins

L, C = 10, 3
MIXED = Field(L, (0, 1, 3), (4, 3, 2))
ON_SO3 = Field.on_so3(L, 2, C)
every_dtype = pytest.mark.parametrize("dtype", CONTRACT)
every_rotation = pytest.mark.parametrize("name", ROTATIONS)


def normalising(training):
    norm = SpinBatchNorm(MIXED)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm(feature(MIXED, 20, torch.float32) + 1)
    return norm.train(training)


#: a layer and the number of terms in its sums
LINEAR = {
    "between fields": (lambda: EquivariantLinear(MIXED, Field(L, (0, 2, 3), 3)), MIXED.rows),
    "anchored": (lambda: EquivariantLinear(MIXED, Field(L, (1,), 2), anchors=4), MIXED.rows),
    "spin-weighted": (lambda: SpinConv(C, 4, L), 3 * C),
    "lift": (lambda: LiftToSO3(C, 4, L, order=L - 1), C),
    "on SO(3)": (lambda: SO3Conv(C, 4, L, order=2), ON_SO3.rows),
    "at points": (lambda: PointedConv(ON_SO3, ON_SO3, es.random_rotations(6)), ON_SO3.rows),
    "gradient": (lambda: Gradient(MIXED), 1),
    "slope": (lambda: Gradient(MIXED, normalised=False), 1),
    "norm, training": (lambda: normalising(True), N * L * L),
    "norm, evaluation": (lambda: normalising(False), N * L * L),
    "pooling": (lambda: SpectralPool(L // 2), 1),
}


@pytest.mark.parametrize("kind", LINEAR)
@every_rotation
@every_dtype
def test_linear_layers_commute_with_rotations(kind, name, dtype):
    make, terms = LINEAR[kind]
    layer = make().to(dtype)
    c = feature(getattr(layer, "source", MIXED), dtype=dtype)
    assert equivariance_error(layer, ROTATIONS[name], c) <= bound(2 * rotation(L) + 2 * product(terms), dtype)


@every_rotation
@every_dtype
def test_clebsch_gordan_products_commute_with_rotations(name, dtype):
    """Two rotations before and one after; sums over 2l+1 products and over the paths to a degree; exact tables, rounded."""
    layer = TensorProduct(C, 6).to(dtype)
    a, b = randn(2, N, C, 36, dtype=dtype)
    paths = max(sum(l == k for _, _, l in layer.paths) for k in range(6))
    own = product(11) + product(paths) + 3 * tables(dtype)
    assert equivariance_error(layer, ROTATIONS[name], a, b) <= bound(3 * rotation(6, dtype) + 2 * own, dtype)


def kept(layer, *features):
    """Which part of the norm of a nonlinearity the projection to its band limit keeps: its aliasing is rounding against all."""
    fine = es.grids.GaussLegendre(3 * L, nlat=3 * L)
    parts = [part for field, c in features for part in field.parts(c).values()]
    spins = [spin for field, _ in features for spin in field.spins] + list(layer.target.spins)
    squares = [c.square().sum() for c in pointwise_spins(layer.values, parts, spins, fine, 2 * L)]
    return float((layer(*(c for _, c in features)).square().sum() / sum(squares)).sqrt())


def quadratic_variance(whole, dtype):
    """`rounding.pointwise_variance` of degree 2 for spins: twice the terms (E and B), and what the projection drops."""
    before, after = transform(2 * L, 2 * L, L, dtype), transform(3 * L, 3 * L, L, dtype)
    turn = rotation(L, dtype)
    return (2 * before + turn) * 2**2 + 2 * after / whole**2 + turn


@every_rotation
@every_dtype
def test_products_at_points_commute_with_rotations(name, dtype):
    """Of two spins: a polynomial of degree 2 on a grid that is exact for it."""
    left, right = Field(L, (0, 1, 2), C), Field(L, (1, 3), C)
    layer = SpinProduct(left, right, spins=(0, 1, 2, 3, 4))
    a, b = feature(left, dtype=dtype), feature(right, dtype=dtype)
    whole = kept(layer, (left, a.double()), (right, b.double()))
    assert 0.2 < whole < 1
    assert equivariance_error(layer, ROTATIONS[name], a, b) <= bound(quadratic_variance(whole, dtype), dtype)


@every_rotation
@every_dtype
def test_squares_on_so3_commute_with_rotations(name, dtype):
    layer = SO3Activation(torch.square, ON_SO3)
    c = feature(ON_SO3, dtype=dtype)
    whole = kept(layer, (ON_SO3, c.double()))
    variance = quadratic_variance(whole, dtype) + 2 * (4 * product(5) + product(layer.angles)) / whole**2
    assert equivariance_error(layer, ROTATIONS[name], c) <= bound(variance, dtype)


INVARIANT = {
    "cross-spectrum": (lambda: CrossSpectrum(MIXED.rows, 5), 2),
    "bispectrum": (lambda: Bispectrum(MIXED.rows, 5, bandwidth=5), 3),
    "norms": (PowerSpectrum, 1),
}


@pytest.mark.parametrize("kind", INVARIANT)
@every_rotation
@every_dtype
def test_invariants_do_not_see_rotations(kind, name, dtype):
    """A product of as many factors: each has the error of a rotation and of a mixture; then sums over a degree, or two."""
    make, factors = INVARIANT[kind]
    variance = factors * (rotation(L, dtype) + 2 * product(MIXED.rows)) + 4 * product(2 * L - 1) + 3 * tables(dtype)
    assert invariance_error(make().to(dtype), ROTATIONS[name], feature(MIXED, dtype=dtype)) <= bound(variance, dtype)


@every_rotation
@every_dtype
def test_training_does_not_break_equivariance(name, dtype):
    """Each layer of a network holds its bound before and after five steps of Adam, training and evaluating."""
    small = Field.on_so3(L, 2, 2)
    lift = nn.Sequential(LiftToSO3(1, 2, L, 2), SpinBatchNorm(small), SO3Activation(torch.square, small))
    both = SpinProduct(small, small)
    last = nn.Sequential(SpectralPool(6), EquivariantLinear(both.target.at(6), Field(6, (0, 1), 3), anchors=3))
    spectrum, head = CrossSpectrum(9, 4), nn.Linear(24, 3)
    net = nn.ModuleList([lift, last, spectrum, head]).to(dtype)
    c, labels = randn(N, 1, L * L, dtype=dtype), torch.arange(N) % 3
    R = ROTATIONS[name]
    start = [p.detach().clone() for p in net.parameters()]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    linear = bound(2 * rotation(L) + 2 * product(N * L * L), dtype)
    for steps in (0, 5):
        for _ in range(steps):
            optimizer.zero_grad()
            x = lift(c)
            nn.functional.cross_entropy(head(spectrum(last(both(x, x))).flatten(1)), labels).backward()
            optimizer.step()
        for training in (True, False):
            net.train(training)
            x = c
            for layer in lift:
                limit = linear
                if isinstance(layer, SO3Activation):
                    whole = kept(layer.double(), (small, x.double()))
                    variance = (
                        quadratic_variance(whole, dtype) + 2 * (4 * product(5) + product(layer.angles)) / whole**2
                    )
                    limit = bound(variance, dtype)
                assert equivariance_error(layer, R, x) <= limit
                x = layer(x).detach()
            whole = kept(both, (small, x.double()), (small, x.double()))
            assert equivariance_error(both, R, x, x) <= bound(quadratic_variance(whole, dtype), dtype)
            x = both(x, x)
            assert equivariance_error(last, R, x) <= linear
            # mixtures may cancel after training: the error counts against the norms, not against what is left
            assert invariance_error(spectrum, R, last(x).detach()) <= CONTRACT[dtype]
        net.train()
    assert not all(torch.allclose(a, b, atol=1e-3) for a, b in zip(start, net.parameters(), strict=True))


ALIASING = {
    "magnitude": lambda s: MagnitudeActivation(torch.relu, MIXED, s),
    "gates": lambda s: GatedActivation(nn.functional.silu, MIXED, s),
    "relu on SO(3)": lambda s: SO3Activation(torch.relu, ON_SO3, s),
    "silu on SO(3)": lambda s: SO3Activation(nn.functional.silu, ON_SO3, s),
}


@pytest.mark.parametrize("kind", ALIASING)
def test_what_is_no_polynomial_errs_by_aliasing_which_falls(kind):
    layers = [ALIASING[kind](s) for s in (1, 2, 4, 8)]
    c = feature(layers[0].source)
    errors = [equivariance_error(layer.double(), ROTATIONS["random"], c) for layer in layers]
    assert errors[0] > 1e-2
    assert all(finer < coarser / 1.5 for coarser, finer in pairwise(errors))
    assert errors[-1] < errors[0] / 25


def test_a_spin_read_as_another_fails_the_contract():
    """The check can fail: spin 2 rows that a grid reads as spin 1 make products that do not turn with the signal."""
    left, wrong = Field(L, (2,), C), Field(L, (1,), C)
    a = feature(left)
    straight = SpinProduct(left, left, spins=(4,))
    mistaken = SpinProduct(wrong, wrong, spins=(2,))
    R = ROTATIONS["random"]
    assert equivariance_error(straight, R, a, a) < 1e-12
    assert equivariance_error(mistaken, R, a, a) < 1e-12  # read as spin 1 throughout: consistent
    mixed = pointwise_spins(lambda f: [f], [a], (1, 2), straight.grid, L)[0]
    turned = pointwise_spins(lambda f: [f], [es.rotate(a, R)], (1, 2), straight.grid, L)[0]
    assert relative_error(turned, es.rotate(mixed, R)) > 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_on_grids_half_precision_is_single_precision_rounded_once(dtype):
    half = feature(ON_SO3, dtype=torch.float32).to(dtype)
    layer = SO3Activation(torch.tanh, ON_SO3)
    assert torch.equal(layer(half), layer(half.float()).to(dtype))


def test_gates_that_are_missing_are_named():
    field = es.nn.Field(6, (0, 1), 3)
    layer = es.nn.GatedActivation(torch.relu, field)
    with pytest.raises(ValueError, match=r"activation\.source.*3 scalars more, the gates"):
        layer(torch.randn(2, *field.shape))
