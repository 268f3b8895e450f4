"""One linear layer holds the convolutions of the papers: each against its definition."""

from math import pi, sqrt

import pytest
import torch
from fields import feature, values_at
from reference import randn, relative_error

import equisphere as es
from equisphere.harmonics import degrees_and_orders, so3_index
from equisphere.nn import (
    EquivariantLinear,
    Field,
    LiftToSO3,
    PointedConv,
    SO3Conv,
    SpinConv,
    ZonalConv,
    from_wigner,
    to_wigner,
)
from equisphere.transforms import SO3Transform, evaluate, from_e_b_modes

L = 4


def with_matrices(layer, answer):
    """The layer with the weights that give the known linear `answer`, read off from it one input row at a time."""
    rows, degrees = layer.source.rows, range(layer.bandwidth)
    with torch.no_grad():
        for j in range(rows):
            for l in degrees:
                if j < layer.source.rows_at(l):
                    unit = torch.zeros(1, *layer.source.shape, dtype=torch.float64)
                    unit[0, j, l * l + l] = 1
                    layer.weights[l][j] = answer(unit)[0, : layer.target.rows_at(l), l * l + l]
    return layer


def correlation(field, psi):
    """f -> (8 pi^2 / (2l+1))^1/2 f^l (psi^l)^H, in Wigner coefficients."""
    w = to_wigner(field, psi)[0, 0]

    def of(c, source=field):
        f = to_wigner(source, c)[:, 0]
        out = torch.zeros_like(f)
        for l in range(field.bandwidth):
            here, n = slice(so3_index(l, -l, -l), so3_index(l, l, l) + 1), 2 * l + 1
            product = f[:, here].view(-1, n, n) @ w[here].view(n, n).mH
            out[:, here] = sqrt(8 * pi**2 / n) * product.flatten(1)
        return from_wigner(field, out[:, None])

    return of


@pytest.mark.parametrize("order", [1, L - 1])
def test_on_so3_it_is_the_correlation_of_cohen_2018(order):
    """(psi * f)(R) = integral over SO(3) of psi(R^-1 Q) f(Q) dQ, by the quadrature of SO3Transform, at random R."""
    field, so3 = Field.on_so3(L, order, 1), SO3Transform(L)
    f, psi = feature(field, 1), feature(field, 1)
    psi *= torch.from_numpy(abs(degrees_and_orders(L)[1]) <= order)  # f psi^H has the modes that psi has as orders
    layer = with_matrices(SO3Conv(1, 1, L, order, bias=False).double(), correlation(field, psi))
    R = es.random_rotations(6, torch.Generator().manual_seed(3), torch.float64)
    F = so3.inverse(to_wigner(field, f), real=True)
    turned = so3.inverse(to_wigner(field, es.rotate(psi, R[:, None])), real=True)
    wanted = (so3.weights * F * turned).sum((-3, -2, -1))
    with torch.no_grad():
        assert relative_error(values_at(field, layer(f).expand(6, -1, -1), R), wanted) < 1e-12


def test_from_the_sphere_it_is_the_correlation_of_cohen_2018():
    """(psi * f)(R) = integral over the sphere of psi(R^-1 x) f(x) dx, by quadrature, at random R."""
    grid, scalar, field = es.grids.GaussLegendre(L), Field(L), Field.on_so3(L, L - 1, 1)
    sht = es.SHT(grid, L)
    f, psi = randn(1, 1, L * L), randn(1, 1, L * L)
    lifted = torch.nn.functional.pad(psi, (0, 0, 0, field.rows - 1))
    # integrated over the third angle, both are constant in it: 2 pi times the integral over the sphere
    answer = correlation(field, lifted)
    layer = with_matrices(
        LiftToSO3(1, 1, L, L - 1, bias=False).double(),
        lambda c: answer_of_scalars(answer, c, field) / (2 * pi),
    )
    R = es.random_rotations(6, torch.Generator().manual_seed(3), torch.float64)
    wanted = (grid.weights * sht.inverse(f) * sht.inverse(es.rotate(psi, R[:, None]))).sum((-2, -1))
    with torch.no_grad():
        assert relative_error(values_at(field, layer(f).expand(6, -1, -1), R), wanted) < 1e-12
    assert layer.source == scalar


def answer_of_scalars(answer, c, field):
    return answer(torch.nn.functional.pad(c, (0, 0, 0, field.rows - c.shape[1])))


@pytest.mark.parametrize("on_sphere", [False, True])
def test_a_filter_given_at_points_is_a_sum_of_values(on_sphere):
    """h(R) = sum_p psi_p f(R Q_p); of a signal on the sphere, sum_p psi_p f(R Q_p N)."""
    field = Field.on_so3(L, L - 1, 1)
    source = Field(L) if on_sphere else field
    Q = es.random_rotations(3, torch.Generator().manual_seed(1), torch.float64)
    layer = PointedConv(source, field, Q, bias=False).double()
    f, psi = feature(source, 1), layer.values[:, 0, 0].detach()
    R = es.random_rotations(6, torch.Generator().manual_seed(3), torch.float64)
    found = values_at(field, layer(f).detach().expand(6, -1, -1), R)[:, 0]
    places = R[:, None] @ Q
    if on_sphere:
        wanted = evaluate(f[0, 0], places[..., 2].reshape(-1, 3)).view(6, 3) @ psi
    else:
        wanted = sum(psi[p] * values_at(field, f.expand(6, -1, -1), places[:, p])[:, 0] for p in range(3))
    assert relative_error(found, wanted) < 1e-12


def test_complex_weights_between_spins_are_two_by_two_blocks():
    """The spin-weighted convolution (Esteves 2020): f_s' = w f_s + v conj(f)_-s, complex numbers for each degree."""
    s, t = 1, 2
    layer = SpinConv(1, 1, L, (s,), (t,), bias=False).double()
    c = feature(layer.source)
    E, B = layer(c).chunk(2, dim=1)
    found = from_e_b_modes(torch.stack((E, B), dim=-2))
    modes = torch.stack(c.chunk(2, dim=1), dim=-2)
    degree = torch.from_numpy(degrees_and_orders(L)[0])
    pairs = [layer.weights[l] if l >= t else torch.zeros(2, 2, dtype=torch.float64) for l in range(L)]
    w = torch.stack([torch.complex(m[0, 0] + m[1, 1], m[0, 1] - m[1, 0]) / 2 for m in pairs])[degree]
    v = torch.stack([torch.complex(m[0, 0] - m[1, 1], m[0, 1] + m[1, 0]) / 2 for m in pairs])[degree]
    conjugate = modes * torch.tensor([1.0, -1.0])[:, None]  # spin -s: E - iB over the real harmonics
    torch.testing.assert_close(found, w * from_e_b_modes(modes) + v * from_e_b_modes(conjugate))


def test_of_scalars_it_is_the_zonal_convolution():
    for anchors in (None, 3):
        zonal = ZonalConv(3, 5, L, anchors).double()
        layer = EquivariantLinear(Field(L, channels=3), Field(L, channels=5), anchors).double()
        with torch.no_grad():
            torch.nn.init.normal_(zonal.bias)
            layer.bias.copy_(zonal.bias)
            for weight, matrix in zip(layer.weights, zonal.weight.permute(2, 1, 0), strict=True):
                weight.copy_(matrix)
        c = randn(2, 3, L * L)
        close = {"atol": 1e-12, "rtol": 0} if anchors is None else {"atol": 1e-5, "rtol": 0}  # its hats are in float32
        torch.testing.assert_close(layer(c), zonal(c), **close)
        assert sum(p.numel() for p in layer.parameters()) == sum(p.numel() for p in zonal.parameters())


def test_what_is_in_degrees_below_the_spin_is_ignored_and_not_made():
    layer = EquivariantLinear(Field(L, (0, 2), 3), Field(L, (1, 3), 2)).double()
    c = feature(layer.source)
    dirty = c.clone()
    layer.source.parts(dirty)[2][..., :4] = 7
    torch.testing.assert_close(layer(dirty), layer(c))
    for spin, part in layer.target.parts(layer(c)).items():
        assert not part[..., : spin**2].any()
        assert part[..., spin**2 :].abs().min() > 0


@pytest.mark.parametrize("anchors", [None, 3, L])
def test_every_parameter_has_an_effect(anchors):
    layer = EquivariantLinear(Field(L, (0, 2), 2), Field(L, (0, 1, 3), 2), anchors).double()
    layer(feature(layer.source)).square().sum().backward()
    assert all(p.grad.abs().min() > 0 for p in layer.parameters())


def test_the_power_of_every_degree_keeps_its_size():
    """Of 60 + 2 * 60 + 2 * 60 rows of variance 1, each output coefficient has variance 2, degrees below the spins included.

    Standard deviation of the mean square of n independent weights' rows: 2 sqrt(2 / n), n = 300 rows and 2l+1 orders at least.
    """
    torch.manual_seed(1)
    field = Field(L, (0, 1, 2), 60)
    y = EquivariantLinear(field, field, bias=False).double()(feature(field, 20))
    for l in range(L):
        here = y[:, : field.rows_at(l), l * l : (l + 1) ** 2]
        assert abs(float(here.square().mean().detach()) - 2) < 5 * 2 * sqrt(2 / 60)


def test_anchored_matrices_are_interpolated():
    layer = EquivariantLinear(Field(9, (0, 1), 2), Field(9, (0, 1), 2), anchors=3, bias=False)
    first, middle, last = layer.weights
    for l, matrix in enumerate(layer.matrices):
        k = layer.source.rows_at(l)
        ends = (first, middle) if l <= 4 else (middle, last)
        t = l / 4 - (l > 4)
        torch.testing.assert_close(matrix, (1 - t) * ends[0][:k, :k] + t * ends[1][:k, :k])


def test_gradients():
    for layer in (
        EquivariantLinear(Field(3, (0, 1)), Field(3, (0, 2), 2), anchors=2),
        PointedConv(Field(3), Field.on_so3(3, 1, 2), es.random_rotations(2)),
    ):
        layer.double()
        assert torch.autograd.gradcheck(layer, feature(layer.source, 2).requires_grad_())


BAD = {
    "no field": (lambda: EquivariantLinear(3, Field(4)), "source must be an nn.Field"),
    "two band limits": (lambda: EquivariantLinear(Field(4), Field(5)), "rotations do not mix degrees"),
    "one anchor": (lambda: EquivariantLinear(Field(4), Field(4), anchors=1), "between 2 and the bandwidth 4"),
    "many anchors": (lambda: EquivariantLinear(Field(4), Field(4), anchors=5), "between 2 and the bandwidth 4"),
    "another feature": (lambda: EquivariantLinear(Field(4), Field(4))(torch.ones(2, 2, 16)), "batch, 1, 16"),
    "another dtype": (lambda: EquivariantLinear(Field(4), Field(4))(torch.ones(2, 1, 16).double()), "convert one"),
    "an order without degrees": (lambda: LiftToSO3(1, 1, 4, order=4), "none below the band limit"),
    "no rotations": (lambda: PointedConv(Field(4), Field(4), 2 * torch.eye(3)[None]), "orthogonal"),
    "points for spins alone": (
        lambda: PointedConv(Field(4, (1,)), Field(4), torch.eye(3)[None]),
        "a function on SO\\(3\\) has the spins",
    ),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()
