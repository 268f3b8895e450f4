"""What goes in decides what comes out; half precisions are computed in float32 and rounded once (docs/conventions.md)."""

import pytest
import torch
from reference import randn, relative_error

import equisphere as es

GRID = es.grids.DriscollHealy(8)
SHT = es.SHT(GRID)
R = es.random_rotations(2)[:, None]

#: what is computed in float32, with its input
WIDENED = {
    "analysis": (SHT, (2, 3, 16, 16)),
    "synthesis": (SHT.inverse, (2, 3, 64)),
    "adjoint": (SHT.adjoint, (2, 3, 64)),
    "rotate": (lambda c: es.rotate(c, R), (2, 3, 64)),
    "rotate_by_half": (lambda c: es.rotate(c, R.to(c.dtype) if c.dtype == torch.float16 else R), (2, 3, 64)),
    "power": (es.power_spectrum, (2, 3, 64)),
    "spectrum": (es.nn.PowerSpectrum(), (2, 3, 64)),
    "norm": (es.nn.SpectralBatchNorm(3).eval(), (2, 3, 64)),
}
every_half = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])


@every_half
@pytest.mark.parametrize("name", [n for n in WIDENED if n != "rotate_by_half"])
def test_half_precision_is_single_precision_rounded_once(name, dtype):
    """The numbers are those of float32, to the last rounding."""
    function, shape = WIDENED[name]
    module = function.to(dtype) if isinstance(function, torch.nn.Module) and name == "norm" else function
    x = randn(*shape, dtype=torch.float32).to(dtype)
    found = module(x)
    wanted = (module.float() if name == "norm" else module)(x.float())
    assert found.dtype == dtype
    assert torch.equal(found, wanted.to(dtype))


def test_a_rotation_matrix_in_half_precision_is_read_in_single():
    """Its angles are those of the numbers that it holds."""
    c, half = randn(2, 3, 64, dtype=torch.float32), R.half()
    assert torch.equal(es.rotate(c, half), es.rotate(c, half.float()))


@every_half
def test_an_activation_in_half_precision(dtype):
    """The function sees float32; the result comes back in the dtype given."""
    seen = []

    def square(x):
        seen.append(x.dtype)
        return x.square()

    c = randn(2, 64, dtype=torch.float32).to(dtype)
    layer = es.nn.Activation(square, 8)
    assert layer(c).dtype == dtype
    assert seen == [torch.float32]
    assert torch.equal(layer(c), layer(c.float()).to(dtype))


@pytest.mark.parametrize("name", ["analysis", "synthesis", "rotate", "power", "spectrum"])
def test_autocast_changes_nothing_that_is_computed_in_single(name):
    """Values and gradients under autocast are those without, to the bit."""
    function, shape = WIDENED[name]
    x = randn(*shape, dtype=torch.float32).requires_grad_()
    plain = function(x)
    wanted = torch.autograd.grad(plain.square().sum(), x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = function(x)
        gradient = torch.autograd.grad(found.square().sum(), x)[0]
    assert torch.equal(found, plain)
    assert torch.equal(gradient, wanted)


def test_a_network_under_autocast_is_the_network_to_its_precision():
    """Mixed precision moves the answers by no more than roundings of bfloat16, and trains."""
    torch.manual_seed(0)
    model = es.models.SphericalClassifier(channels=(8, 8), bandwidths=(8, 4)).eval()
    c = randn(4, 1, 64, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(c)
    assert relative_error(logits, model(c)) < 8 * 2**-9
    logits.float().square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())


@every_half
def test_a_network_in_half_precision_runs(dtype):
    """All parameters and coefficients in half precision, and logits too."""
    torch.manual_seed(0)
    model = es.models.SphericalClassifier(channels=(8, 8), bandwidths=(8, 4)).eval()
    c = randn(4, 1, 64, dtype=torch.float32)
    wanted = model(c)
    found = model.to(dtype)(c.to(dtype))
    assert found.dtype == dtype
    assert relative_error(found, wanted) < 16 * 2**-9


def test_single_precision_is_accurate_to_its_last_digits():
    """The figure of docs/conventions.md."""
    for b in (16, 64, 128):
        sht = es.SHT(es.grids.DriscollHealy(b))
        c = randn(2, b * b)
        assert relative_error(sht.inverse(c.float()), sht.inverse(c)) < 5e-7
        assert relative_error(sht(sht.inverse(c.float())), c) < 1e-6
