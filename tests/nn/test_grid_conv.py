"""GridConv and what stays on the grid beside it: equivariant up to quadrature; symmetries of the grid to rounding."""

import copy
import pickle
import re
import textwrap
from math import pi
from pathlib import Path

import pytest
import torch
from fields import ROTATIONS, N, feature
from reference import randn, relative_error
from rounding import CONTRACT, bound, product, rotation, transform
from torch import nn

import equisphere as es
from equisphere.nn import (
    AtNodes,
    Field,
    FieldSHT,
    GatedActivation,
    GridBatchNorm,
    GridConv,
    GridMean,
    MagnitudeActivation,
    MeanMagnitude,
    SO3Activation,
    SpinBatchNorm,
    SpinProduct,
)
from equisphere.transforms import SpinSHT, e_b_modes, from_e_b_modes
from equisphere.transforms._ring_kernels import multipliers, radials

PAGE = Path(__file__).parents[2] / "docs" / "grid_conv.md"
L = 8
SOURCE, TARGET = Field(L, (0, 1, 2), (3, 2, 1)), Field(L, (0, 1, 3), 2)
GRID = es.grids.ClenshawCurtis(nlat=17, nlon=32)
every_dtype = pytest.mark.parametrize("dtype", CONTRACT)


def layer_on(nlat, dtype=torch.float64, radius=0.8, order=2, kind=es.grids.GaussLegendre):
    torch.manual_seed(1)
    layer = GridConv(SOURCE, TARGET, kind(nlat=nlat, nlon=2 * nlat), radius, order)
    nn.init.normal_(layer.bias)
    return layer.to(dtype)


def answer(layer, c):
    """The layer's coefficients from coefficients."""
    return FieldSHT(layer.target, layer.grid)(layer(FieldSHT(layer.source, layer.grid).inverse(c)))


@torch.no_grad()
def continuum(layer, c):
    """The layer without a grid for its integrals: of each kernel lambda_l for each degree, of f and of its conjugate."""
    small = es.grids.GaussLegendre(L)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    signals = {}
    for s, part in layer.source.parts(c.double()).items():
        modes = torch.stack(part.chunk(2, dim=1), dim=-2) if s else None
        signals[s] = SpinSHT(small, L, s).inverse(from_e_b_modes(modes)) if s else es.SHT(small, L).inverse(part) + 0j
    out = {t: 0 for t in layer.target.spins}
    for name, weight in layer.weights.items():
        s, t = map(int, name.split(" to "))
        f = SpinSHT(small, L, s)(signals[abs(s)].conj() if s < 0 else signals[s])
        values = torch.from_numpy(multipliers((t, s), layer.radius, radials(layer.order, (t, s)), L))[:, degree]
        w = torch.complex(*weight.double()) if weight.ndim == 4 else weight.double() + 0j
        out[t] = out[t] + torch.einsum("qio,ql,bil->bol", w * layer._units[name], values + 0j, f)
    rows = []
    for t, y in out.items():
        if t:
            rows.append(e_b_modes(y).transpose(1, 2).flatten(1, 2))
            continue
        real = SpinSHT(small, L, 0).inverse(y).real + (0 if layer.bias is None else layer.bias.double()[:, None, None])
        rows.append(es.SHT(small, L)(real))
    return torch.cat(rows, dim=1)


@torch.no_grad()
def quadrature(layer, *features):
    """How far the layer on its grid is from that without one, relative to what it gives."""
    errors = [(answer(layer, c) - continuum(layer, c)).norm() for c in features]
    return float(sum(errors) / answer(layer, features[-1]).norm())


@torch.no_grad()
def equivariance_error(layer, c, R):
    """||T(R.f) - R.T(f)|| / ||R.T(f)||, compared by coefficients."""
    return relative_error(answer(layer, es.rotate(c, R)), es.rotate(answer(layer, c), R))


@pytest.mark.parametrize("kind", [es.grids.GaussLegendre, es.grids.DriscollHealy, es.grids.ClenshawCurtis])
def test_it_commutes_with_rotations_up_to_quadrature_which_falls(kind):
    """No more than the quadrature of both sides, which falls as nlat^-3 and faster."""
    c, R = feature(SOURCE), ROTATIONS["random"]
    errors = []
    for nlat in (18, 36, 54):
        layer = layer_on(nlat, kind=kind)
        errors.append(equivariance_error(layer, c, R))
        assert errors[-1] <= quadrature(layer, es.rotate(c, R), c) + CONTRACT[torch.float64]
    assert errors[1] < errors[0] / 2**3
    assert errors[2] < errors[1] / 1.5**3
    assert errors[-1] < 1e-4


@every_dtype
@pytest.mark.parametrize("name", ["about_z", "poles_swapped", "poles_swapped_and_turned", "identity"])
def test_at_the_poles_and_about_the_axis_too(name, dtype):
    """Turns about z and swaps of the poles, by any angle: no more than quadrature, which is symmetric about the equator."""
    errors = [equivariance_error(layer_on(n, dtype), feature(SOURCE, dtype=dtype), ROTATIONS[name]) for n in (24, 48)]
    assert errors[1] < 1e-5 if dtype == torch.float32 else errors[1] < 1e-6
    assert errors[1] < errors[0] / 2**3 or errors[1] < CONTRACT[dtype]


def rounding(layer, dtype):
    """Both sides err: FFTs of nlon numbers (no worse than sums), sums over a window, over all rows and radial functions."""
    window, rows = 2 * layer._local.blocks[0][1].stop, 2 * SOURCE.rows * 2
    return bound(2 * (2 * product(layer.grid.nlon) + product(window) + product(rows)), dtype)


@every_dtype
@pytest.mark.parametrize("kind", [es.grids.GaussLegendre, es.grids.DriscollHealy, es.grids.ClenshawCurtis])
def test_symmetries_of_the_grid_are_exact(kind, dtype):
    """A turn about z by a step; half a turn about y, which mirrors rings and turns the axes at each node by pi."""
    layer = layer_on(17, dtype, kind=kind)
    x = randn(2, SOURCE.rows, *layer.grid.shape, dtype=dtype)

    def half_turn(x, field):
        turned = x.flip(-2, -1).roll(1 + layer.grid.nlon // 2, -1)
        signs = [(-1.0) ** s for s, n in zip(field.spins, field.sizes, strict=True) for _ in range(n)]
        return turned * x.new_tensor(signs)[:, None, None]

    with torch.no_grad():
        y = layer(x)
        assert relative_error(layer(x.roll(5, -1)), y.roll(5, -1)) <= rounding(layer, dtype)
        assert relative_error(layer(half_turn(x, SOURCE)), half_turn(y, TARGET)) <= rounding(layer, dtype)


def test_without_a_grid_it_is_an_equivariant_linear_layer():
    """Up to rounding, whatever the weights: a number for each degree; the quadrature of a fine grid comes near."""
    layer, c = layer_on(48), feature(SOURCE)
    turned = continuum(layer, es.rotate(c, ROTATIONS["random"]))
    assert relative_error(turned, es.rotate(continuum(layer, c), ROTATIONS["random"])) < 1e-12
    assert quadrature(layer, c) < 1e-4


def test_axes_that_do_not_turn_fail():
    """The check can fail: samples of spin 2 taken for spin 1."""
    c, R = feature(Field(L, (2,), 2)), ROTATIONS["random"]
    grid = es.grids.GaussLegendre(nlat=48, nlon=96)
    right, wrong = Field(L, (2,), 2), Field(L, (1,), 2)
    layer = GridConv(wrong, Field(L, (0,), 2), grid, 0.8, 2).double()
    before, after = FieldSHT(right, grid), FieldSHT(Field(L, (0,), 2), grid)
    with torch.no_grad():
        straight, turned = (after(layer(before.inverse(x))) for x in (c, es.rotate(c, R)))
        assert relative_error(turned, es.rotate(straight, R)) > 0.1


def small_network(dtype=torch.float64):
    grid = es.grids.ClenshawCurtis(nlat=33, nlon=64)
    field = Field(L, (0, 1), 3)
    gate = GatedActivation(nn.SiLU(), field)
    radius = 0.42
    layers = [GridConv(Field(L), gate.source, grid, radius), GridBatchNorm(gate.source, grid), AtNodes(gate, grid)]
    layers += [GridConv(field, gate.source, grid, radius), AtNodes(gate, grid), GridMean(field, grid), nn.Linear(6, 3)]
    return nn.Sequential(*layers).to(dtype), FieldSHT(Field(L), grid)


@every_dtype
def test_training_does_not_break_equivariance(dtype):
    """The whole network's invariants, and each layer, before and after five steps of Adam: as near as the quadrature."""
    torch.manual_seed(0)
    net, sht = small_network(dtype)
    c, labels = randn(N, 1, L * L, dtype=dtype) / 3, torch.arange(N) % 3
    f, turned = (sht.inverse(x) for x in (c, es.rotate(c, ROTATIONS["random"])))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for steps in (0, 5):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(f), labels)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            assert relative_error(net(turned), net(f)) < 1e-3
            for layer in (net[0], net[3]):
                c = feature(layer.source, dtype=dtype)
                error = equivariance_error(layer, c, ROTATIONS["random"])
                assert error <= quadrature(layer, es.rotate(c, ROTATIONS["random"]), c) + CONTRACT[dtype]
                assert error < 0.01
    assert all(p.grad.abs().max() > 0 for p in net.parameters())


def test_white_signals_keep_their_power():
    """E |out|^2 = 2 in each row, over weights, for white signals of variance 1, gain sqrt2; at every spin."""
    field = Field(L, (0, 1, 2), 24)
    grid = es.grids.GaussLegendre(nlat=24, nlon=48)
    torch.manual_seed(2)
    layer = GridConv(field, field, grid, 0.6, 3, bias=False)
    c = torch.randn(4, *field.shape) * (4 * pi) ** 0.5 / L
    with torch.no_grad():
        y = layer(FieldSHT(field, grid).inverse(c))
    for spin, part in zip(field.spins, y.split(field.sizes, dim=1), strict=True):
        power = float((part.square() * grid.weights.float()).sum((-2, -1)).mean() / (4 * pi))
        assert abs(power / 2 - 1) < 0.2, spin


def test_a_coarser_grid_of_the_same_kind_is_every_other_sample():
    """On rings that hold both poles: samples of a layer's output, every other ring and node, are those on the coarser one."""
    coarse, field = es.grids.ClenshawCurtis(nlat=9, nlon=16), Field(4, (0, 1), 2)
    assert torch.equal(coarse.points, GRID.points[::2, ::2])
    with torch.no_grad():
        y = GridConv(field, field, GRID, 0.6).double()(FieldSHT(field, GRID).inverse(feature(field)))
    assert relative_error(FieldSHT(field, coarse)(y[..., ::2, ::2]), FieldSHT(field, GRID)(y)) < 1e-2


def test_the_page_says_what_is_so():
    (code,) = re.findall(r"^# .*?\n\n((?:    .*\n)+)", PAGE.read_text())
    names = {"es": es, "torch": torch, "maps": torch.randn(1, 1, 257, 512)}
    exec(textwrap.dedent(code), names)
    assert names["winds"].shape == (1, 2, 257, 512)


def test_samples_are_those_of_the_spin_transforms():
    """Rows: scalars; real parts of all channels, imaginary parts of all channels."""
    c = feature(SOURCE)
    f = FieldSHT(SOURCE, GRID).inverse(c)
    assert relative_error(f[:, :3], es.SHT(GRID, L).inverse(c[:, :3])) < 1e-14
    E, B = c[:, 3:7].chunk(2, dim=1)
    wanted = SpinSHT(GRID, L, 1).inverse(from_e_b_modes(torch.stack((E, B), dim=-2)))
    assert relative_error(torch.complex(f[:, 3:5], f[:, 5:7]), wanted) < 1e-14
    assert relative_error(FieldSHT(SOURCE, GRID)(f), c) < 1e-13


ACTIVATIONS = {
    "gates": lambda: GatedActivation(nn.SiLU(), Field(L, (0, 1), (3, 2)), oversampling=2),
    "gates alone": lambda: GatedActivation(nn.SiLU(), Field(L, (1,), 2), oversampling=2),
    "magnitudes": lambda: MagnitudeActivation(torch.relu, SOURCE, oversampling=2),
    "on SO(3)": lambda: SO3Activation(torch.tanh, Field.on_so3(L, 2, 2), oversampling=2),
    "product": lambda: SpinProduct(Field(L, (0, 1), 2), Field(L, (0, 1), 2)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_at_nodes_is_what_the_activation_does_between_its_transforms(name):
    activation = ACTIVATIONS[name]().double()
    layer = AtNodes(activation, activation.grid)
    inputs = [feature(field) for field in activation.takes]
    samples = (FieldSHT(field, activation.grid).inverse(c) for field, c in zip(activation.takes, inputs, strict=True))
    found = FieldSHT(activation.target, activation.grid)(layer(*samples))
    assert relative_error(found, activation(*inputs)) < 1e-13
    assert layer.refined().grid.nlat == 2 * activation.grid.nlat


def test_means_over_the_grid_are_those_of_the_coefficients():
    c = feature(SOURCE)
    mean = MeanMagnitude(SOURCE, oversampling=3)
    found = GridMean(SOURCE, mean.grid)(FieldSHT(SOURCE, mean.grid).inverse(c))
    assert relative_error(found, mean(c)) < 1e-13


@pytest.mark.parametrize("affine", [True, False])
def test_the_norm_of_samples_is_that_of_the_coefficients(affine):
    """In training, in what is tracked, and in evaluation: the quadrature carries the squares."""
    on_grid, flat = GridBatchNorm(SOURCE, GRID, affine=affine).double(), SpinBatchNorm(SOURCE, affine=affine).double()
    for p in flat.parameters():
        nn.init.normal_(p)
    on_grid.load_state_dict(flat.state_dict())
    sht = FieldSHT(SOURCE, GRID)
    for _ in range(3):
        c = 3 * feature(SOURCE) + 1
        c = sht(sht.inverse(c))  # nothing below the spins
        assert relative_error(on_grid(sht.inverse(c)), sht.inverse(flat(c))) < 1e-13
    for name, tracked in flat.state_dict().items():
        assert torch.allclose(on_grid.state_dict()[name], tracked, rtol=1e-12), name
    assert relative_error(on_grid.eval()(sht.inverse(c)), sht.inverse(flat.eval()(c))) < 1e-13
    assert (
        relative_error(
            on_grid.refined()(FieldSHT(SOURCE, GRID.refined()).inverse(c)),
            FieldSHT(SOURCE, GRID.refined()).inverse(flat(c)),
        )
        < 1e-13
    )


@every_dtype
def test_round_trips_and_means_are_invariant_to_rounding(dtype):
    """Means of scalars: the quadrature is exact for them."""
    field = Field(L, channels=3)
    c = randn(N, 3, L * L, dtype=dtype)
    sht, mean = FieldSHT(field, GRID), GridMean(field, GRID)
    turned = mean(sht.inverse(es.rotate(c, ROTATIONS["random"])))
    own = transform(L, 2 * L, L, dtype) + product(GRID.nlat) + product(GRID.nlon)
    smallest = float(c[..., 0].norm() / c.norm())  # errors count against all degrees, means hold one
    assert relative_error(turned, mean(sht.inverse(c))) <= bound(rotation(L, dtype) + 2 * own, dtype) / smallest


def test_an_audit_knows_it():
    net, sht = small_network(torch.float32)
    report = es.audit.audit(net, sht.inverse(randn(3, 1, L * L, dtype=torch.float32) / 3), grid=sht.grid, rotations=2)
    assert report.accused == []
    assert report["0"].verdict == report["3"].verdict == "aliasing"
    assert report["1"].verdict == "exact"
    assert report["0"].own.worst < 1e-2
    assert float(report["0"].own.about_z.max()) < 1e-5


def test_copies_pickles_shapes_and_precisions():
    layer = GridConv(SOURCE, TARGET, GRID, 0.6)
    x = randn(2, SOURCE.rows, *GRID.shape, dtype=torch.float32)
    y = layer(x)
    size = sum(p.numel() for p in layer.parameters()) * 4
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(again(x), y)
    assert len(pickle.dumps(layer)) < size + 30_000
    assert copy.deepcopy(layer).to("meta")(x.to("meta")).shape == y.shape
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x), y)
    half = x.to(torch.bfloat16)
    low = copy.deepcopy(layer).to(torch.bfloat16)
    assert torch.equal(low(half), copy.deepcopy(low).float()(half.float()).to(torch.bfloat16))
    assert relative_error(layer.double()(x.double()), y) < 1e-5


def test_gradients():
    layer = GridConv(Field(4, (0, 1)), Field(4, (0, 2)), es.grids.ClenshawCurtis(nlat=9, nlon=14), 1.5, 2).double()
    x = randn(2, 3, 9, 14).requires_grad_()
    assert torch.autograd.gradcheck(layer, x, fast_mode=True)
    layer(x).square().sum().backward()
    assert all(p.grad.abs().min() > 0 for p in layer.parameters())


SMALL = es.grids.ClenshawCurtis(nlat=17, nlon=32)
SAMPLES = torch.ones(1, 3, 17, 32)
FIELD = Field(4, (0, 1))
EMPTY = r"samples must hold at least one signal, got an empty batch of shape \(0, 3, 17, 32\)\.$"
BAD = {
    "no field": (lambda: GridConv(3, FIELD, SMALL, 0.6), "source must be an nn.Field"),
    "two band limits": (lambda: GridConv(FIELD, Field(5), SMALL, 0.6), "one band limit, got 4 and 5"),
    "no rings": (lambda: GridConv(FIELD, FIELD, es.grids.HEALPix(4), 0.6), "grid of rings.*resample"),
    "a grid too coarse": (lambda: GridConv(Field(12), Field(12), SMALL, 0.6), "band limit 12 is too large.*finer grid"),
    "no radius": (lambda: GridConv(FIELD, FIELD, SMALL, "3"), "angle between 0 and pi / 2"),
    "a radius in degrees": (lambda: GridConv(FIELD, FIELD, SMALL, 5), "in radians, got 5.*EquivariantLinear"),
    "a grid too coarse for any radius": (
        lambda: GridConv(FIELD, FIELD, es.grids.GaussLegendre(4, nlat=8, nlon=8), 1.2),
        "Take a finer grid",
    ),
    "a radius of one ring": (lambda: GridConv(FIELD, FIELD, SMALL, 0.2), "two steps.*1.02 steps.*radius of 0.3927"),
    "a high order": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6, 3), "order 3 need a radius of 4 steps.*Take order=2"),
    "no order": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6, -1), "order must be an integer, 0 or more"),
    "a spin out of reach": (
        lambda: GridConv(Field(4), Field(4, (0, 3)), SMALL, 0.6, 2),
        r"nothing reaches spin 3.*order \|3 - s\|.*order here is 2",
    ),
    "rows missing": (
        lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(SAMPLES[:, :2]),
        r"\(batch, 3, 17, 32\).*1 of spin 0, 2 of real and imaginary parts of spin 1.*got \(1, 2, 17, 32\)",
    ),
    "coefficients": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(torch.ones(1, 3, 16)), "FieldSHT.*inverse"),
    "complex samples": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(SAMPLES + 0j), "must be real"),
    "an empty batch": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(SAMPLES[:0]), EMPTY),
    "an empty batch at nodes": (lambda: AtNodes(MagnitudeActivation(torch.relu, FIELD), SMALL)(SAMPLES[:0]), EMPTY),
    "norm of an empty batch": (lambda: GridBatchNorm(FIELD, SMALL)(SAMPLES[:0]), EMPTY),
    "mean of an empty batch": (lambda: GridMean(FIELD, SMALL)(SAMPLES[:0]), EMPTY),
    "another dtype": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(SAMPLES.double()), "convert one"),
    "NaN": (lambda: GridConv(FIELD, FIELD, SMALL, 0.6)(SAMPLES * float("nan")), "samples must be finite"),
    "a function at nodes": (lambda: AtNodes(torch.relu, SMALL), "nonlinearity of fields.*GatedActivation"),
    "means at nodes": (lambda: AtNodes(MeanMagnitude(FIELD), SMALL), "nn.GridMean"),
    "one feature of two": (lambda: AtNodes(SpinProduct(FIELD, FIELD), SMALL)(SAMPLES), "takes 2 features, got 1"),
    "gates missing": (lambda: AtNodes(GatedActivation(torch.relu, FIELD), SMALL)(SAMPLES), r"\(batch, 4, 17, 32\)"),
    "norm of others": (lambda: GridBatchNorm(FIELD, SMALL)(SAMPLES[:, :1]), r"\(batch, 3, 17, 32\)"),
    "norm of another dtype": (lambda: GridBatchNorm(FIELD, SMALL)(SAMPLES.double()), "convert one"),
    "mean of others": (lambda: GridMean(FIELD, SMALL)(SAMPLES[:, :1]), r"\(batch, 3, 17, 32\)"),
    "NaN to coefficients": (lambda: FieldSHT(FIELD, SMALL)(SAMPLES * float("nan")), "samples must be finite"),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()
