"""An audit finds a fault in the layer where it sits, and accuses nothing else."""

import pytest
import torch
from models_to_audit import (
    GRID,
    BiasMap,
    ByOrder,
    PixelMean,
    Sampled,
    UpsideDown,
    UShaped,
    WrongGrid,
    WrongPole,
    coefficient_network,
    maps,
    smooth,
)
from torch import nn

import equisphere as es
from equisphere import audit

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@BOTH
@pytest.mark.parametrize(("fault", "verdict"), [(ByOrder, "about z alone"), (WrongPole, "not equivariant")])
def test_a_fault_on_coefficients_is_found_where_it_sits(fault, verdict, dtype):
    c = smooth(4, 2, 64, dtype=dtype)
    sound = audit.audit(coefficient_network(dtype=dtype), c, rotations=4)
    assert sound.equivariant
    assert not sound.accused
    report = audit.audit(coefficient_network(fault(), dtype), c, rotations=4)
    assert report.worst == "2"
    assert report.accused == ["2"]
    assert report["2"].verdict == verdict
    assert not report.equivariant
    assert [row.verdict for row in report.layers if row.name != "2"] == ["exact"] * 7


@pytest.mark.parametrize("dtype", [torch.float64])
@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (BiasMap, "not equivariant"),
        (lambda: nn.MaxPool2d(3, 1, 1), "not equivariant"),
        (PixelMean, "about z alone"),
        (lambda: nn.InstanceNorm2d(3), "about z alone"),
        (UpsideDown, "about z alone"),
        (WrongGrid, "about z alone"),
        (lambda: nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"), "about z alone"),
    ],
)
@pytest.mark.parametrize("residual", [True, False])
def test_a_fault_on_samples_is_found_where_it_sits(fault, verdict, residual, dtype):
    report = audit.audit(
        Sampled(fault(), residual).to(dtype), maps(4, 1, dtype=dtype), grid=GRID, rotations=2, lie=False
    )
    assert report.worst in ("middle", "middle.there")  # a module in which the wrong grid is one of two
    assert report.accused == [report.worst], str(report)
    assert report[report.worst].verdict == verdict
    assert not report.equivariant


@pytest.mark.parametrize("seed", [4, 7, 8])
def test_a_large_error_is_none_of_resolution_though_it_falls_fast(seed):
    """A planar kernel that is nearly a multiple of the identity on smooth signals: its error falls to a quarter, to 0.17."""
    torch.manual_seed(109)
    convolution = nn.Conv2d(1, 1, 3, padding=1).double()
    signals = torch.randn(2, 1, 17, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    report = audit.audit(convolution, signals, grid=es.grids.ClenshawCurtis(nlat=17, nlon=32), rotations=3, lie=False)
    assert report.total.own.median > 0.5
    assert report.total.verdict == "not equivariant"


class NearlyIdentity(nn.Module):
    """Smoothing along the parallels that keeps slow waves: of order m it leaves 1 - O(m^4)."""

    def forward(self, f: torch.Tensor) -> torch.Tensor:
        one, two = (f.roll(k, -1) + f.roll(-k, -1) for k in (1, 2))
        return (10 * f + 4 * one - two) / 16


def test_what_comes_true_on_smooth_signals_is_approximate():
    report = audit.audit(NearlyIdentity(), maps(4, 1, dtype=torch.float64), grid=GRID, rotations=4, lie=False)
    assert report.total.verdict == "approximate", str(report)
    assert report.layers[0].smooth < report.total.own.median / 4
    assert not report.accused
    assert not report.equivariant


class TurnedWinds(nn.Module):
    """Winds turned by a right angle where they are, or only their first component kept, by code of the model's own."""

    def __init__(self, sound: bool) -> None:
        super().__init__()
        self.grid = es.grids.GaussLegendre(16, nlat=24, nlon=48)
        scalars, winds = es.nn.Field(16), es.nn.Field(16, (1,))
        self.gradients = es.nn.GridConv(scalars, winds, self.grid, radius=0.6)
        self.sound = sound

    def forward(self, f: torch.Tensor) -> torch.Tensor:
        y = self.gradients(f)
        return torch.stack((y[:, 1], -y[:, 0]), 1) if self.sound else torch.stack((y[:, 0], 0 * y[:, 1]), 1)


@pytest.mark.parametrize("sound", [True, False])
def test_winds_that_a_layer_gave_are_known_in_the_code_after_it(sound):
    torch.manual_seed(0)
    model = TurnedWinds(sound).double()
    signals = es.SHT(model.grid, 16).inverse(smooth(2, 1, 256, dtype=torch.float64))
    report = audit.audit(model, signals, grid=model.grid, rotations=3, lie=False)
    assert (report.accused == []) == sound, str(report)
    if sound:
        assert report.total.own.worst < 0.05
        assert any("not for samples" in note for note in report.notes)


def test_pooling_to_a_coarser_grid_is_measured_on_that_grid():
    model = nn.Sequential(es.nn.SphericalConv(1, 2, GRID), nn.MaxPool2d(2))
    report = audit.audit(model, maps(4, 1), grid=GRID, rotations=4)
    assert report.worst == "1"
    assert report["1"].gives == "samples DriscollHealy 8 x 8"
    assert report["1"].accused


def test_a_pointwise_function_of_samples_is_charged_with_its_aliasing_and_no_more():
    report = audit.audit(Sampled(nn.ReLU()), maps(4, 1), grid=GRID, rotations=4)
    row = report["middle"]
    assert row.verdict == "aliasing"
    assert report.accused == []
    inside = es.SHT(GRID)(es.SHT(GRID).inverse(smooth(1, 3, 64)))
    alone = audit.audit(nn.ReLU(), es.SHT(GRID).inverse(inside), grid=GRID, rotations=report.rotations)
    predicted = audit.aliasing(nn.ReLU(), inside, report.rotations, grid=GRID, bandwidth=64).predicted
    torch.testing.assert_close(alone.total.own.l2, predicted, rtol=0.02, atol=0)


def test_the_code_between_parts_is_charged_to_the_module_whose_code_it_is():
    class Glue(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = es.nn.ZonalConv(1, 2, 8), es.nn.ZonalConv(2, 2, 8)

        def forward(self, c):
            return self.b(self.a(c) * torch.linspace(1, 2, 64))

    model = nn.Sequential(es.nn.ZonalConv(1, 1, 8), Glue(), nn.Identity())
    report = audit.audit(model, smooth(4, 1, 64), rotations=3)
    assert report.worst == "1"
    assert report.accused == ["1"]
    assert "between its parts" in report["1"].kind


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(k, marks=pytest.mark.slow) for k in range(8, 100))])
def test_an_equivariant_net_is_never_accused(seed):
    random = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)

    def draw(*options):
        return options[int(torch.randint(len(options), (), generator=random))]

    L, channels, layers = draw(6, 8), draw(1, 2), []
    exact = draw(True, True, False)
    start = channels
    for _ in range(draw(1, 2, 3)):
        after = draw(2, 3)
        layers += [es.nn.SpectralPool(L), es.nn.ZonalConv(channels, after, L)]
        layers += [es.nn.SpectralBatchNorm(after)] if draw(True, False) else []
        polynomial = es.nn.PolynomialActivation(draw((0, 1, 0.5), (0.1, 1, 0.2, 0.1)), L)
        layers.append(polynomial if exact else es.nn.Activation(draw(torch.relu, torch.tanh), L, draw(1.0, 1.5)))
        channels, L = after, draw(L, max(3, L - 2))
    layers += draw([], [es.nn.PowerSpectrum(), nn.Flatten()], [es.nn.GlobalPool(), nn.Linear(channels, 5)])
    dtype = draw(torch.float32, torch.float64)
    model = nn.Sequential(*layers).to(dtype)
    band = layers[0].bandwidth
    signals = smooth(2, start, band**2, dtype=dtype)
    grid = None
    if draw(True, False):  # the same network between transforms
        grid = draw(es.grids.DriscollHealy, es.grids.GaussLegendre)(band)
        model = nn.Sequential(es.SHT(grid), model)
        signals = es.SHT(grid).inverse(signals)
    report = audit.audit(model, signals, grid=grid, rotations=2, training=draw(True, False), lie=False, seed=seed)
    assert report.accused == [], str(report)
    assert report.equivariant or not exact, str(report)
    assert {row.verdict for row in report.layers} <= ({"exact"} if exact else {"exact", "aliasing"}), str(report)


def test_a_u_shaped_net_with_a_module_used_twice_and_arguments_that_are_no_tensors():
    f = maps(3, 1)
    report = audit.audit(UShaped(), f, grid=GRID, rotations=3)
    assert report.equivariant, str(report)
    assert [row.call for row in report.layers if row.name == "scale"] == [0, 1]
    faulty = audit.audit(UShaped(nn.MaxPool2d(3, 1, 1)), f, grid=GRID, rotations=3)
    assert faulty.worst == "fault"
    assert faulty.accused == ["fault"]


def test_what_gathers_is_the_undisturbed_error():
    model = es.models.SphericalClassifier(4, 2, (4, 6), (8, 6), hidden=8).eval()
    c = torch.randn(4, 2, 64)
    report = audit.audit(model, c, rotations=3)
    expected = audit.rotation_error(model, c, report.rotations, invariant=True)
    torch.testing.assert_close(report.total.own.l2, expected.double(), rtol=1e-3, atol=1e-9)
    torch.testing.assert_close(report.layers[-1].reaching.l2, report.total.own.l2)
    answers = [model(es.rotate(c, matrix)).argmax(1) for matrix in report.rotations]
    assert report.flips == pytest.approx(float(sum((a != model(c).argmax(1)).double().mean() for a in answers) / 3))


def test_maps_on_healpix():
    grid = es.grids.HEALPix(2)
    sht = es.SHT(grid)
    f = sht.inverse(smooth(3, 2, sht.bandwidth**2))

    class Rolled(nn.Module):
        def forward(self, f):
            return f.roll(5, -1)

    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.ReLU(), Rolled())
    report = audit.audit(model, f, grid=grid, rotations=2, lie=False)
    assert [row.verdict for row in report.layers] == ["exact", "aliasing", "not equivariant"]
    assert report.accused == ["2"]


def test_tangent_fields_on_a_grid_are_no_scalars():
    """`OnGrid` says itself what it takes and gives; of another model the user may say it, of the input as well."""
    grid = es.grids.ClenshawCurtis(nlat=17, nlon=32)
    network = es.models.SphericalUNet(3, 2, channels=(4, 4), bandwidths=(8, 4), oversampling=4)
    on_grid = es.models.OnGrid(network, grid, in_fields=1, out_fields=1).eval()
    samples = torch.randn(3, 3, 17, 32)
    report = audit.audit(on_grid, samples, grid=grid, rotations=3)
    assert report.accused == [], str(report)
    assert report.total.own.worst < 5e-3
    assert report["network.head"].verdict == "exact"
    assert bool((audit.lie_error(on_grid, samples, grid) < 0.05).all())

    class Own(nn.Module):  # the same, and says nothing
        def __init__(self):
            super().__init__()
            self.inner = on_grid.network

        def forward(self, x):
            return on_grid.forward(x)

    takes, gives = (audit.Converted(*layout) for layout in on_grid.signal_layouts)
    told = audit.audit(
        Own().eval(), samples, grid=grid, rotations=report.rotations, representations={"": (takes, gives)}
    )
    torch.testing.assert_close(told.total.own.l2, report.total.own.l2, rtol=1e-2, atol=1e-6)
    assert audit.audit(Own().eval(), samples, grid=grid, rotations=2).accused  # as scalars


def test_a_field_through_a_fault_is_still_accused():
    grid = es.grids.ClenshawCurtis(nlat=17, nlon=32)
    network = es.models.SphericalUNet(2, 2, channels=(4, 4), bandwidths=(8, 4))
    network.head = nn.Conv1d(4, 2, 3, padding=1)  # over the coefficients, as no rotation allows
    model = es.models.OnGrid(network, grid, in_fields=1, out_fields=1).eval()
    report = audit.audit(model, torch.randn(3, 2, 17, 32), grid=grid, rotations=2)
    assert report.accused == ["network.head"], str(report)
