"""Networks from signals to signals: what they give turns with what they are given, scalars and tangent fields alike."""

import pytest
import torch
from reference import SPECIAL_ROTATIONS, randn, relative_error
from rounding import CONTRACT, bound, pointwise_variance, product, rotation

import equisphere as es
from equisphere.models import OnGrid, PlanarUNet, SphericalUNet

SMALL = {"in_channels": 2, "out_channels": 3, "channels": (6, 6, 8), "bandwidths": (10, 8, 5)}
ROTATIONS = {
    "random": es.random_rotations(6, torch.Generator().manual_seed(3), torch.float64)[:, None],
    **{name: SPECIAL_ROTATIONS[name] for name in ("about_z", "poles_swapped", "almost_swapped", "identity")},
}


def with_functions(model, function):
    for block in (*model.down, *model.up):
        block.activation = es.nn.Activation(function, block.activation.bandwidth, oversampling=1.5)
    return model


def train_a_little(model, c, wanted, steps=5):
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        (model.train()(c) - wanted).square().mean().backward()
        optimizer.step()
    return model.eval()


def error(model, c, R):
    with torch.no_grad():
        return relative_error(model(es.rotate(c, R)), es.rotate(model(c), R))


@pytest.mark.parametrize("dtype", CONTRACT)
@pytest.mark.parametrize("name", ROTATIONS)
def test_without_nonlinearities_it_is_exact_before_and_after_training(name, dtype):
    """Pooling, convolutions, norms, padding, skips: what rounding allows, and no more.

    The longest way through the network is five blocks (a sum over at most 14 channels, a norm, a residual) and the head;
    a rounding error may meet up to twice its share of the signal where a residual is added.
    """
    model = SphericalUNet(**SMALL, direct=True)
    model.head.reset_parameters()
    model.direct.reset_parameters()
    model.to(dtype)
    for block in (*model.down, *model.up):
        block.activation = torch.nn.Identity()
    c, wanted = randn(6, 2, 100, dtype=dtype), randn(6, 3, 100, dtype=dtype)
    variance = 2 * rotation(10, dtype) + 2 * 2 * (5 * (product(14) + product(4)) + product(6))
    for steps in (0, 5):
        train_a_little(model, c, wanted, steps)
        assert error(model, c, ROTATIONS[name]) <= bound(variance, dtype)


@pytest.mark.parametrize("dtype", CONTRACT)
@pytest.mark.parametrize("trained", [False, True])
def test_with_exact_nonlinearities_the_whole_is_exact(trained, dtype):
    """A square at oversampling 1.5 does not alias: rounding, doubled by each of the five squares on the longest way."""
    model = with_functions(SphericalUNet(**SMALL), torch.square).to(dtype)
    c = randn(6, 2, 100, dtype=dtype)
    model.train()(c)
    train_a_little(model, c, randn(6, 3, 100, dtype=dtype), 5 if trained else 0)
    each = pointwise_variance(2, 1.5, 10, dtype) / 2**2
    limit = bound(each, dtype) * sum(2.0**k for k in range(1, 6))
    assert error(model, c, ROTATIONS["random"]) <= limit


def test_what_is_left_of_smooth_functions_falls_with_oversampling():
    """SiLU errs by aliasing alone: a percent or two of white noise, the hardest signal, and less on finer grids."""
    c = randn(6, 2, 100, dtype=torch.float32)
    errors = []
    for oversampling in (1, 1.5, 2, 4):
        torch.manual_seed(1)
        model = SphericalUNet(**SMALL, oversampling=oversampling)
        with torch.no_grad():
            for _ in range(30):
                model(c)  # so that the norms know the size of the signals
        errors.append(error(model.eval(), c, ROTATIONS["random"].float()))
    assert errors[1] < 2e-2
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 8 * errors[3]


def test_directions_stay_equivariant():
    model = SphericalUNet(**SMALL, pairs=2, oversampling=4).eval()
    assert error(model, randn(6, 2, 100, dtype=torch.float32), ROTATIONS["random"].float()) < 1e-2


@torch.no_grad()
def test_the_size_of_signals_is_kept_through_the_depth():
    """As many blocks as one likes, without any help of the norms: the power of what comes out is that of what went in."""
    torch.manual_seed(0)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(16)[0])
    c = torch.randn(8, 2, 256) / (1 + degree) ** 1.5
    c *= (4 * torch.pi / c.square().sum(-1, keepdim=True)).sqrt()
    bandwidths = (16, 16, 12, 12, 8, 8)
    model = SphericalUNet(2, 3, [32] * 6, bandwidths, activation="relu")
    powers = []
    hooks = [
        block.register_forward_hook(lambda _m, _i, y: powers.append(float(y.square().sum(-1).mean() / (4 * torch.pi))))
        for block in (*model.down, *model.up)
    ]
    out = model(c)
    assert len(hooks) == len(powers) == 11
    # a residual adds the power of its input at the most: the blocks of the encoder after the first double it
    assert all(0.25 < power < 4 * 2**depth for depth, power in enumerate(powers[:6]))
    assert all(0.25 < power < 16 for power in powers[6:])
    assert 0.1 < float(out.square().sum(-1).mean() / (4 * torch.pi)) < 10


@pytest.mark.parametrize("make", [lambda: SphericalUNet(**SMALL), lambda: PlanarUNet(2, 3, 10, (4, 6))])
def test_it_learns_a_map_between_signals(make):
    """The Laplacian of the one channel, the square of the other: an error well below that of the best constant."""
    model = make()  # here, where the source of randomness is seeded
    c = torch.randn(12, 2, 100) / torch.arange(1, 101).sqrt()
    sht = es.SHT(es.grids.GaussLegendre(10))
    wanted = torch.stack(
        (es.transforms.laplacian(c[:, 0]) / 30, sht(sht.inverse(c[:, 1]).square()), c[:, 0] - c[:, 1]), dim=1
    )
    train_a_little(model, c, wanted, 150)
    with torch.no_grad():
        assert (model.train()(c) - wanted).square().sum() < 0.2 * (wanted - wanted.mean(0)).square().sum()


def test_every_parameter_is_reached_by_the_gradient():
    model = SphericalUNet(**SMALL, pairs=2)
    c = torch.randn(4, 2, 100, requires_grad=True)
    model(c).square().sum().backward()
    assert bool((c.grad != 0).all())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool((parameter.grad != 0).any()), name  # noqa: PT018


@torch.no_grad()
def test_the_direct_way_is_a_convolution_beside():
    torch.manual_seed(1)
    plain = SphericalUNet(**SMALL).eval()
    model = SphericalUNet(**SMALL, direct=True).eval()
    model.load_state_dict({k: v for k, v in plain.state_dict().items() if k != "_extra_state"}, strict=False)
    c = torch.randn(2, 2, 100)
    assert torch.equal(model(c), plain(c))  # nothing at first
    assert not SphericalUNet(**SMALL, direct=True)(c).any()  # the whole, if no weights are loaded
    torch.nn.init.normal_(model.direct.weight)
    torch.testing.assert_close(model(c) - plain(c), model.direct(c))


def test_dropout_drops_whole_channels_and_keeps_equivariance():
    model = SphericalUNet(**SMALL, dropout=0.5, oversampling=4)
    c, R = torch.randn(6, 2, 100), es.random_rotations(1)
    with torch.no_grad():
        torch.manual_seed(7)
        turned = model(es.rotate(c, R))
        torch.manual_seed(7)
        straight = model(c)
        torch.manual_seed(8)
        other = model(c)
    assert relative_error(turned, es.rotate(straight, R)) < 1e-2
    assert relative_error(other, straight) > 0.1


GRID = es.grids.ClenshawCurtis(nlat=21, nlon=40)


def half_turn(samples):
    """Scalar, southward and eastward component, turned by pi about y, where both tangent directions change their signs."""
    turned = samples.flip(-2).flip(-1).roll(GRID.nlon // 2 + 1, -1)  # longitude p goes to pi - p
    return turned * torch.tensor([1.0, -1.0, -1.0])[: samples.shape[1], None, None]


def test_fields_come_and_go_as_components_that_turn_as_vectors_do():
    """By symmetries of the grid alone: no rotation of this library is part of the check."""
    network = SphericalUNet(3, 3, (6, 8), (10, 6), oversampling=4).double().eval()
    model = OnGrid(network, GRID, in_fields=1, out_fields=1)
    f = randn(2, 3, *GRID.shape)
    f[..., 1:, [0, -1], :] = 0  # components at a pole are those of one vector
    with torch.no_grad():
        assert relative_error(model(half_turn(f)), half_turn(model(f))) < 1e-12
        assert relative_error(model(f.roll(7, -1)), model(f).roll(7, -1)) < 1e-5  # aliasing of SiLU


def test_on_grid_is_analysis_network_synthesis():
    network = SphericalUNet(3, 4, (4, 6), (8, 5)).double().eval()
    f = randn(2, 3, *GRID.shape)
    scalar, vector = es.SHT(GRID, 8), es.transforms.VectorSHT(GRID, 8)
    with torch.no_grad():
        c = network(torch.cat((scalar(f[:, :1]), vector(f[:, 1:])), dim=1))
        pixels = es.grids.HEALPix(4)
        wanted = es.SHT(pixels, 8).inverse(c)
        torch.testing.assert_close(OnGrid(network, GRID, pixels, in_fields=1)(f), wanted)
        wanted = vector.inverse(c.unflatten(1, (2, 2))).flatten(1, 2)
        torch.testing.assert_close(OnGrid(network, GRID, in_fields=1, out_fields=2)(f), wanted)


@torch.no_grad()
def test_the_planar_net_turns_about_z_alone():
    """By whole cells of its coarsest level; and not about other axes: that is what it is a baseline for."""
    model = PlanarUNet(2, 3, 8, (6, 8, 8)).double().eval()
    c = randn(4, 2, 64)
    quarter = es.groups.rotation_about((0.0, 0.0, 1.0), torch.tensor(torch.pi / 2, dtype=torch.float64))
    tilt = es.groups.rotation_about((1.0, 0.0, 0.0), torch.tensor(torch.pi / 2, dtype=torch.float64))
    assert error(model, c, quarter) < 1e-12
    assert error(model, c, tilt) > 0.01


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (6, 6)}, "one number for each block"),
        ({"bandwidths": (5, 8, 10)}, "must not rise"),
        ({"bandwidths": (10, 8, 0)}, "at least 1"),
        ({"activation": "step"}, "must be one of relu"),
        ({"dropout": -0.1}, "probability"),
        ({"pairs": 4}, "at least 8 channels"),
        ({"pairs": (1, 2)}, "one for each of 3 blocks, got 2"),
        ({"pairs": (1, -2, 0)}, "from 0 on, got -2"),
        ({"out_channels": 0}, "at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_explained(change, message):
    with pytest.raises(ValueError, match=message):
        SphericalUNet(**(SMALL | change))


@pytest.mark.usefixtures("as_user")
def test_levels_that_cannot_be_halved_are_explained():
    with pytest.raises(ValueError, match="must be even"):
        PlanarUNet(1, 1, 9, (4, 4, 4))


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    "model", [SphericalUNet(**SMALL), PlanarUNet(2, 3, 10, (4, 6))], ids=lambda m: type(m).__name__
)
@pytest.mark.parametrize("shape", [(2, 2, 99), (2, 3, 100), (2, 100), (2, 2, 144), (0, 2, 100)])
def test_input_that_does_not_fit_is_explained(model, shape):
    with pytest.raises(ValueError, match=r"must h"):
        model(torch.randn(shape))


@pytest.mark.usefixtures("as_user")
def test_grids_and_samples_that_do_not_fit_are_explained():
    network = SphericalUNet(**SMALL)
    with pytest.raises(ValueError, match="grid of rings"):
        OnGrid(network, es.grids.HEALPix(8), in_fields=1)
    with pytest.raises(ValueError, match="too large"):
        OnGrid(network, es.grids.GaussLegendre(4))
    for bad in (-1, 0.5, True):
        with pytest.raises(ValueError, match="0 or more"):
            OnGrid(network, GRID, in_fields=bad)
    with pytest.raises(ValueError, match=r"in_fields=2 are 4 channels.*in_channels=2"):
        OnGrid(network, GRID, in_fields=2)
    with pytest.raises(ValueError, match=r"out_fields=2 are 4 channels.*out_channels=3"):
        OnGrid(network, GRID, out_fields=2)
    with pytest.raises(ValueError, match=r"\(batch, channels, 21, 40\), got"):  # not a word about fields
        OnGrid(network, GRID)(torch.randn(2, 21, 40))
    model = OnGrid(network, GRID, in_fields=1)
    for bad in (torch.randn(2, 1, 21, 40), torch.randn(2, 21, 40), torch.randn(2, 2, 21, 40, dtype=torch.complex64)):
        with pytest.raises(ValueError, match="must"):
            model(bad)
    with pytest.raises(ValueError, match="finite"):
        model(torch.full((1, 2, 21, 40), torch.nan))
