"""Bad input raises ValueError with a message that says what came and what to do; nothing else, and nothing silent."""

import contextlib

import numpy as np
import pytest
import torch

import equisphere as es
from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre
from equisphere.groups import euler_angles, rotation_about
from equisphere.nn import (
    Activation,
    GlobalPool,
    PowerSpectrum,
    SpectralBatchNorm,
    SpectralPad,
    SpectralPool,
    SphericalConv,
    ZonalConv,
)
from equisphere.transforms import pointwise, to_complex_basis, to_real_basis, zonal_convolution

pytestmark = pytest.mark.usefixtures("as_user")

NAN, INF = float("nan"), float("inf")
GRID = DriscollHealy(4)
SIGNAL, C = torch.ones(8, 8), torch.ones(16)
SHT, WIDE_SHT = es.SHT(GRID), es.SHT(ClenshawCurtis(nlat=9, nlon=100))
EYE = torch.eye(3)
HALF_TURN_MIRRORED = torch.diag(torch.tensor([1.0, 1.0, -1.0]))


def spoiled(x, value):
    """`x` with one entry replaced."""
    y = x.clone()
    y.view(-1)[5] = value
    return y


#: what it is -> (what to call, the words that the message must have)
CASES = {
    # a signal that is on another grid
    "HEALPix map": (lambda: SHT(torch.ones(2, 3072)), r"got \(2, 3072\).*HEALPix\(16\)"),
    "map, not pixels": (lambda: es.SHT(es.grids.HEALPix(4))(torch.ones(48, 96)), "12 nside.*Scattered.*DriscollHealy"),
    "coarser HEALPix": (lambda: es.SHT(es.grids.HEALPix(8))(torch.ones(192)), r"es\.grids\.HEALPix\(4\)"),
    "points": (lambda: SHT(torch.ones(7)), "Scattered"),
    # numbers that make grids and modules
    "bandwidth 0": (lambda: DriscollHealy(0), "bandwidth must be at least 1, got 0"),
    "bandwidth negative": (lambda: GaussLegendre(-3), "bandwidth must be at least 1, got -3"),
    "bandwidth float": (lambda: ClenshawCurtis(4.0), "bandwidth must be a positive integer, got 4.0"),
    "bandwidth bool": (lambda: DriscollHealy(True), "bandwidth must be a positive integer, got True"),
    "bandwidth string": (lambda: DriscollHealy("8"), "bandwidth must be a positive integer, got '8'"),
    "no bandwidth": (DriscollHealy, "bandwidth, or both nlat= and nlon="),
    "nlat alone": (lambda: GaussLegendre(nlat=5), "bandwidth, or both nlat= and nlon="),
    "nlat 0": (lambda: GaussLegendre(nlat=0, nlon=4), "nlat must be at least 1, got 0"),
    "nlon float": (lambda: GaussLegendre(nlat=4, nlon=4.5), "nlon must be a positive integer, got 4.5"),
    "one ring": (lambda: ClenshawCurtis(nlat=1, nlon=4), "nlat must be at least 2, got 1"),
    "grid too coarse": (lambda: DriscollHealy(8, nlat=8), "band limits up to 4.*Lower the bandwidth to 4"),
    "SHT bandwidth too large": (lambda: es.SHT(GRID, 5), "bandwidth 5 is too large.*up to 4.*finer grid"),
    "SHT bandwidth 0": (lambda: es.SHT(GRID, 0), "bandwidth must be at least 1"),
    "SHT bandwidth float": (lambda: es.SHT(GRID, 2.0), "bandwidth must be a positive integer"),
    "SHT grid by name": (lambda: es.SHT("driscoll-healy"), "grid must be a grid.*got 'driscoll-healy'"),
    "conv channels 0": (lambda: ZonalConv(0, 2, 4), "in_channels must be at least 1"),
    "conv channels float": (lambda: ZonalConv(1, 2.0, 4), "out_channels must be a positive integer"),
    "conv bandwidth bool": (lambda: ZonalConv(1, 2, True), "bandwidth must be a positive integer"),
    "one anchor": (lambda: ZonalConv(1, 2, 4, anchors=1), "anchors must lie between 2 and.* 4, got 1"),
    "too many anchors": (lambda: ZonalConv(1, 2, 4, anchors=5), "anchors must lie between 2 and.* 4, got 5"),
    "anchors float": (lambda: ZonalConv(1, 2, 4, anchors=2.0), "anchors must be a positive integer"),
    "sampled conv bandwidth": (lambda: SphericalConv(1, 2, GRID, 9), "bandwidth 9 is too large"),
    "sampled conv grid": (lambda: SphericalConv(1, 2, (8, 8)), "grid must be a grid"),
    "norm channels": (lambda: SpectralBatchNorm(-1), "channels must be at least 1"),
    "pad bandwidth": (lambda: SpectralPad(-1), "bandwidth must be at least 1"),
    "pool bandwidth": (lambda: SpectralPool(0), "bandwidth must be at least 1"),
    "oversampling below 1": (
        lambda: Activation(torch.relu, 4, oversampling=0.9),
        "oversampling must be at least 1.*0.9",
    ),
    "oversampling nan": (lambda: Activation(torch.relu, 4, oversampling=NAN), "oversampling must be"),
    "oversampling infinite": (lambda: Activation(torch.relu, 4, oversampling=INF), "oversampling must be"),
    "oversampling string": (lambda: Activation(torch.relu, 4, oversampling="two"), "oversampling must be"),
    "function not callable": (lambda: Activation("relu", 4), "function must be callable.*got 'relu'"),
    "number of rotations": (lambda: es.random_rotations(0), "n must be at least 1, got 0"),
    "number of rotations float": (lambda: es.random_rotations(2.0), "n must be a positive integer"),
    # signals
    "grid shape": (lambda: SHT(torch.ones(8, 9)), r"signal must have shape \(..., 8, 8\).*got \(8, 9\)"),
    "grid shape swapped": (lambda: WIDE_SHT(torch.ones(100, 9)), r"signal must have shape \(..., 9, 100\)"),
    "one dimension": (lambda: SHT(torch.ones(64)), "signal must have shape"),
    "empty batch": (
        lambda: SHT(torch.ones(0, 8, 8)),
        r"signal must hold at least one signal, got an empty batch.*8\)\.$",
    ),
    "integer signal": (lambda: SHT(SIGNAL.long()), r"floating point numbers, got torch.int64.*\.float\(\)"),
    "boolean signal": (lambda: SHT(SIGNAL > 0), "floating point numbers, got torch.bool"),
    "signal in NumPy": (lambda: SHT(np.ones((8, 8))), "(?i)tensor"),
    "rotated signal shape": (lambda: es.rotate_signal(torch.ones(4, 4), EYE, GRID), "signal must have shape"),
    # coefficients
    "not L*L": (lambda: SHT.inverse(torch.ones(2, 15)), r"L\*L numbers.*\(2, 15\)"),
    "another band limit": (lambda: SHT.inverse(torch.ones(25)), "band limit 4.*got band limit 5"),
    "integer coefficients": (lambda: SHT.inverse(C.int()), "floating point numbers, got torch.int32"),
    "scalar": (lambda: es.power_spectrum(torch.tensor(1.0)), r"L\*L numbers"),
    "rotate not L*L": (lambda: es.rotate(torch.ones(3, 17), EYE), r"L\*L numbers.*17 is no positive square"),
    "rotate integers": (lambda: es.rotate(C.long(), EYE), "floating point numbers"),
    "rotate no coefficients": (lambda: es.rotate(torch.ones(3, 0), EYE), r"L\*L numbers"),
    "power of integers": (lambda: es.power_spectrum(C.long()), "floating point numbers"),
    "power of 5 numbers": (lambda: PowerSpectrum()(torch.ones(5)), r"L\*L numbers"),
    "mean of 5 numbers": (lambda: GlobalPool()(torch.ones(5)), r"L\*L numbers"),
    "mean of integers": (lambda: GlobalPool()(C.long()), "floating point numbers"),
    "basis of 5 numbers": (lambda: to_complex_basis(torch.ones(5)), r"L\*L numbers"),
    "basis of 5 complex numbers": (lambda: to_real_basis(1j * torch.ones(5)), r"L\*L numbers"),
    "kernel of another band limit": (lambda: zonal_convolution(C, torch.ones(5)), "4 degrees of f.*5"),
    "kernels that do not broadcast": (lambda: zonal_convolution(torch.ones(3, 16), torch.ones(2, 4)), "broadcast"),
    "kernel of integers": (lambda: zonal_convolution(C, torch.ones(4).long()), "floating point"),
    # rotations
    "reflection": (lambda: es.rotate(C, HALF_TURN_MIRRORED), "reflection"),
    "minus identity": (lambda: es.rotate(C, -EYE), "determinant"),
    "not orthogonal": (lambda: es.rotate(C, 1.1 * EYE), "must be orthogonal.*random_rotations"),
    "one of a batch": (lambda: es.rotate(C, torch.stack((EYE, 2 * EYE))), "must be orthogonal"),
    "zero matrix": (lambda: es.rotate(C, 0 * EYE), "must be orthogonal"),
    "NaN rotation": (lambda: es.rotate(C, spoiled(EYE, NAN)), "must be orthogonal"),
    "infinite rotation": (lambda: es.rotate(C, spoiled(EYE, INF)), "must be orthogonal"),
    "quaternion": (lambda: es.rotate(C, torch.ones(4)), r"\(..., 3, 3\).*\(4,\)"),
    "4 x 4 matrix": (lambda: es.rotate(C, torch.eye(4)), r"\(..., 3, 3\).*\(4, 4\)"),
    "integer rotation": (lambda: es.rotate(C, EYE.long()), "real rotation matrices.*int64"),
    "complex rotation": (lambda: es.rotate(C, EYE.to(torch.complex64)), "real rotation matrices.*complex64"),
    "rotation in NumPy": (lambda: es.rotate(C, np.eye(3)), "(?i)tensor"),
    "no broadcast": (lambda: es.rotate(torch.ones(2, 3, 16), EYE.expand(2, 3, 3)), r"must broadcast.*R\[:, None\]"),
    "no broadcast, signal": (
        lambda: es.rotate_signal(SIGNAL.expand(2, 8, 8), EYE.expand(3, 3, 3), GRID),
        "must broadcast",
    ),
    "axis zero": (lambda: rotation_about((0, 0, 0), 1.0), "axis must be three numbers, not all zero"),
    "axis in the plane": (lambda: rotation_about((1, 0), 1.0), "axis must be three numbers"),
    "one axis zero": (lambda: rotation_about(torch.eye(4, 3), 1.0), "axis must be three numbers, not all zero"),
    "axes and angles": (
        lambda: rotation_about(torch.ones(2, 3), torch.ones(3)),
        "must broadcast: one angle for each axis",
    ),
    "Euler angles of 2 x 2": (lambda: euler_angles(torch.eye(2)), r"\(..., 3, 3\)"),
    # layers
    "features without a batch": (lambda: ZonalConv(2, 3, 4)(torch.ones(2, 16)), r"\(batch, 2, L\*L\).*c\[None\]"),
    "wrong channels": (lambda: ZonalConv(2, 3, 4)(torch.ones(1, 3, 16)), r"\(batch, 2, L\*L\), got \(1, 3, 16\)"),
    "features of another band limit": (
        lambda: ZonalConv(2, 3, 4)(torch.ones(1, 2, 25)),
        "band limit 4.*got band limit 5",
    ),
    "features not L*L": (lambda: ZonalConv(2, 3, 4)(torch.ones(1, 2, 15)), r"L\*L numbers"),
    "float64 to float32": (lambda: ZonalConv(1, 1, 4)(C.double()[None, None]), r"float64.*float32.*layer.double\(\)"),
    "float32 to float64": (lambda: ZonalConv(1, 1, 4).double()(C[None, None]), "float32.*float64"),
    "complex features": (lambda: ZonalConv(1, 1, 4)(C[None, None] * 1j), "must be real.*two channels"),
    "integer features": (lambda: ZonalConv(1, 1, 4)(C[None, None].long()), "floating point numbers"),
    "sampled: complex": (lambda: SphericalConv(1, 1, GRID)(SIGNAL[None, None] * 1j), "must be real"),
    "sampled: shape": (lambda: SphericalConv(1, 1, GRID)(torch.ones(1, 1, 9, 8)), "signal must have shape"),
    "sampled: float64": (lambda: SphericalConv(1, 1, GRID)(SIGNAL[None, None].double()), "float64.*float32"),
    "sampled: channels": (
        lambda: SphericalConv(2, 1, GRID)(SIGNAL[None, None]),
        r"\(batch, 2, 8, 8\), got \(1, 1, 8, 8\)",
    ),
    "sampled: NaN": (lambda: SphericalConv(1, 1, GRID)(spoiled(SIGNAL, NAN)[None, None]), "must be finite"),
    "norm: float64": (lambda: SpectralBatchNorm(1)(C[None, None].double()), "float64.*float32"),
    "norm: channels": (lambda: SpectralBatchNorm(3)(C[None, None]), r"\(batch, 3, L\*L\)"),
    "norm: not L*L": (lambda: SpectralBatchNorm(1)(torch.ones(1, 1, 15)), r"L\*L numbers"),
    "norm: complex": (lambda: SpectralBatchNorm(1)(C[None, None] * 1j), "must be real"),
    "pool upwards": (lambda: SpectralPool(5)(C), r"SpectralPool\(5\) lowers the band limit.*only 4"),
    "pad downwards": (lambda: SpectralPad(3)(C), r"SpectralPad\(3\) raises the band limit.*has 4"),
    "pad integers": (lambda: SpectralPad(5)(torch.ones(16, dtype=torch.int64)), "floating point"),
    "pool not L*L": (lambda: SpectralPool(2)(torch.ones(15)), r"L\*L numbers"),
    "activation: complex": (lambda: Activation(torch.relu, 4)(C * 1j), "must be real"),
    "activation: band limit": (lambda: Activation(torch.relu, 4)(torch.ones(25)), "band limit 4.*got band limit 5"),
    "activation: integers": (lambda: Activation(torch.relu, 4)(C.long()), "floating point numbers"),
    "function reduces": (lambda: Activation(torch.sum, 4)(C), "must keep shape and dtype"),
    "function changes shape": (lambda: Activation(lambda x: x[:1], 4)(C), "must keep shape and dtype"),
    "function changes dtype": (lambda: Activation(lambda x: x > 0, 4)(C), "must keep shape and dtype.*bool"),
    "function returns nothing": (lambda: Activation(lambda x: None, 4)(C), "must keep shape and dtype|tensor"),
    "pointwise: odd rings": (lambda: pointwise(torch.relu, C, GaussLegendre(4, nlat=5)), "even number of rings"),
    "pointwise: too coarse": (lambda: pointwise(torch.relu, C, GaussLegendre(2)), "band limit"),
    "pointwise: grid not symmetric": (
        lambda: pointwise(torch.relu, C, DriscollHealy(4, poles=True)),
        "GaussLegendre|symmetric",
    ),
    "pointwise: complex": (lambda: pointwise(torch.square, C * 1j, GaussLegendre(4)), "must be real"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused(case):
    """A ValueError whose message has the words: what came, what is wanted, what to do."""
    call, words = CASES[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("sht", [SHT, WIDE_SHT, es.SHT(DriscollHealy(4, poles=True))], ids=str)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_a_single_bad_value_is_seen_anywhere(sht, value, dtype):
    """NaN and infinity are refused wherever they stand, a pole without weight included, whichever signal has them."""
    for place in ((0, 0), (0, 3), (4, 5), (sht.grid.nlat - 1, sht.grid.nlon - 1)):
        signals = torch.ones(2, 2, *sht.grid.shape, dtype=dtype)
        signals[(1, 0, *place)] = value
        with pytest.raises(ValueError, match=r"must be finite.*nan_to_num"):
            sht(signals)


@pytest.mark.parametrize(
    "layer",
    [ZonalConv(2, 3, 4), SpectralBatchNorm(2), Activation(torch.relu, 4), SHT.inverse],
    ids=["ZonalConv", "SpectralBatchNorm", "Activation", "inverse"],
)
def test_an_empty_batch_is_refused_or_stays_empty(layer):
    """No signals in: a ValueError that says so, or no signals out. (In a batch norm: no NaN in what it tracks.)"""
    with contextlib.suppress(ValueError):
        assert layer(torch.zeros(0, 2, 16)).shape[0] == 0
    if isinstance(layer, SpectralBatchNorm):
        assert bool(torch.isfinite(layer.running_mean).all())


def test_whole_numbers_of_numpy_and_torch_are_integers():
    """The check of integers refuses no integer: NumPy's and torch's are welcome."""
    assert DriscollHealy(np.int64(4)) == GRID
    assert ZonalConv(1, 1, torch.tensor(4)).bandwidth == 4


def test_large_values_are_not_mistaken_for_infinite_ones():
    """Large finite float32 values pass."""
    assert bool(torch.isfinite(SHT(SIGNAL * 1e36)).all())


def test_a_wrong_number_of_channels_is_no_missing_dimension():
    layer = es.nn.ZonalConv(3, 2, 4)
    with pytest.raises(ValueError, match="built for 3 channels, and there are 2"):
        layer(torch.randn(5, 2, 16))
    with pytest.raises(ValueError, match=r"missing dimension by `c\[None\]`"):
        layer(torch.randn(3, 16))
    with pytest.raises(ValueError, match=r"28 is no number L\*L of coefficients.*image_coefficients"):
        layer(torch.zeros(2, 28, 28))


def test_samples_given_for_coefficients_lack_no_dimension():
    net = es.models.SphericalClassifier(channels=(3,), bandwidths=(6,))
    with pytest.raises(ValueError, match=r"too many dimensions.*es\.SHT\(grid\).*image_coefficients") as refused:
        net(torch.zeros(1, 1, 28, 28))
    assert "missing dimension" not in str(refused.value)
