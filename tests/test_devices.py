"""No line takes the CPU for granted: all runs on the meta device, where each operator's tensors must lie together.

Meta tensors have shapes and no numbers, so that any machine can follow the path which tensors on an accelerator take: tables
are brought to their device, branches are those of devices other than the CPU. Engines are reached as they are there; that
transforms of meta tensors otherwise stop at shapes (`is_traced`) is switched off.
"""

import contextlib
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import equisphere as es
from equisphere import models, nn
from equisphere.grids import DriscollHealy, GaussLegendre, HEALPix
from equisphere.nn import Field
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._spin_rings import spin_ring_engine

L, C, N = 8, 3, 2
GRID = GaussLegendre(L)
SCALARS, FIELD, SO3 = Field(L, (0,), C), Field(L, (0, 1), C), Field.on_so3(L, 2, C)
GATED = nn.GatedActivation(torch.nn.SiLU(), FIELD)
FEW = {"channels": (4, 4), "bandwidths": (8, 6)}

#: operators that move tensors between devices, or for which indices may lie on the CPU
MAY_MIX = {"copy_", "_to_copy", "index", "index_put_", "_index_put_impl_"}

LAYERS = {
    "SHT": (lambda: es.SHT(GRID), (N, *GRID.shape)),
    "SHT on HEALPix": (lambda: es.SHT(HEALPix(4), 6), (N, 192)),
    "ZonalConv": (lambda: nn.ZonalConv(C, 4, L, anchors=4), (N, C, L * L)),
    "Activation": (lambda: nn.Activation(torch.tanh, L), (N, C, L * L)),
    "DirectionalActivation": (lambda: nn.DirectionalActivation(torch.nn.SiLU(), L, 1, 1.5), (N, C, L * L)),
    "PolynomialActivation": (lambda: nn.PolynomialActivation([0.0, 1.0, 0.5], L), (N, C, L * L)),
    "SpectralBatchNorm": (lambda: nn.SpectralBatchNorm(C), (N, C, L * L)),
    "SpinBatchNorm": (lambda: nn.SpinBatchNorm(FIELD), (N, FIELD.rows, L * L)),
    "SpectralPool": (lambda: nn.SpectralPool(5), (N, C, L * L)),
    "SpectralPad": (lambda: nn.SpectralPad(12), (N, C, L * L)),
    "PowerSpectrum": (nn.PowerSpectrum, (N, C, L * L)),
    "CrossSpectrum": (lambda: nn.CrossSpectrum(C, 4), (N, C, L * L)),
    "Bispectrum": (lambda: nn.Bispectrum(C, 4, L), (N, C, L * L)),
    "TripleProduct": (lambda: nn.TripleProduct(C, 2), (N, C, L * L)),
    "GlobalPool": (nn.GlobalPool, (N, C, L * L)),
    "EquivariantLinear": (lambda: nn.EquivariantLinear(SCALARS, FIELD, 3), (N, C, L * L)),
    "SO3Conv": (lambda: nn.SO3Conv(C, 4, L, 2), (N, SO3.rows, L * L)),
    "SO3Activation": (lambda: nn.SO3Activation(torch.nn.SiLU(), SO3), (N, SO3.rows, L * L)),
    "GatedActivation": (lambda: GATED, (N, GATED.source.rows, L * L)),
    "MagnitudeActivation": (lambda: nn.MagnitudeActivation(torch.nn.ReLU(), FIELD), (N, FIELD.rows, L * L)),
    "MeanMagnitude": (lambda: nn.MeanMagnitude(FIELD), (N, FIELD.rows, L * L)),
    "Gradient": (lambda: nn.Gradient(SCALARS), (N, C, L * L)),
    "SphericalConv": (lambda: nn.SphericalConv(C, 4, GRID), (N, C, *GRID.shape)),
    "GridConv": (lambda: nn.GridConv(SCALARS, FIELD, GRID, 0.8), (N, C, *GRID.shape)),
    "GridBatchNorm": (lambda: nn.GridBatchNorm(FIELD, GRID), (N, FIELD.rows, *GRID.shape)),
    "GridMean": (lambda: nn.GridMean(FIELD, GRID), (N, FIELD.rows, *GRID.shape)),
    "FieldSHT": (lambda: nn.FieldSHT(FIELD, GRID), (N, FIELD.rows, *GRID.shape)),
    "SphericalClassifier": (lambda: models.SphericalClassifier(**FEW, pairs=1, triples=2), (N, 1, L * L)),
    "SpinClassifier": (lambda: models.SpinClassifier(**FEW), (N, 1, L * L)),
    "SphericalUNet": (lambda: models.SphericalUNet(2, 3, channels=[4, 4], bandwidths=[8, 6]), (N, 2, L * L)),
    "Cohen2018": (lambda: models.Cohen2018(bandwidths=(8, 6, 4)), (N, 1, L * L)),
    "Esteves2020": (lambda: models.Esteves2020(bandwidth=8, channels=(2, 2, 2, 3, 3, 3)), (N, 1, L * L)),
    "Cobb2021": (lambda: models.Cobb2021(bandwidths=(8, 6, 4)), (N, 1, L * L)),
}


def meta(*shape, dtype=torch.float32):
    return torch.empty(*shape, dtype=dtype, device="meta")


FUNCTIONS = {
    "rotate": lambda: es.rotate(meta(N, C, L * L), meta(N, 1, 3, 3)),
    "power_spectrum": lambda: es.power_spectrum(meta(N, L * L)),
    "evaluate": lambda: es.transforms.evaluate(meta(N, L * L), meta(5, 3)),
    "laplacian": lambda: es.transforms.laplacian(meta(N, L * L)),
    "zonal_convolution": lambda: es.transforms.zonal_convolution(meta(N, L * L), meta(L)),
    "resample": lambda: es.transforms.resample(meta(N, *GRID.shape), GRID, DriscollHealy(L)),
    "to_complex_basis": lambda: es.transforms.to_complex_basis(meta(N, L * L)),
    "SO3Transform": lambda: es.transforms.SO3Transform(4).inverse(meta(N, 84, dtype=torch.complex64)),
    "correlation": lambda: es.align.correlation(meta(L * L), meta(L * L)),
}


class Together(TorchDispatchMode):
    """An error where tensors of one operator lie on different devices (single numbers may lie anywhere)."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and x.ndim]
        if len({x.device for x in tensors}) > 1 and function.overloadpacket.__name__ not in MAY_MIX:
            raise RuntimeError(f"{function} is given tensors on {', '.join(str(x.device) for x in tensors)}")
        return function(*args, **kwargs)


@pytest.fixture
def elsewhere(monkeypatch):
    """As if the meta device had numbers, and autocast."""
    for name, module in list(sys.modules.items()):
        if name.startswith("equisphere.") and hasattr(module, "is_traced"):
            monkeypatch.setattr(module, "is_traced", lambda x: False)
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())


def test_what_lies_apart_is_found():
    """Operators of the meta device do not all look."""
    with Together(), pytest.raises(RuntimeError, match="on meta, cpu"):
        meta(3, 3) @ torch.ones(3, 3)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_run_on_any_device(elsewhere, name):
    make, shape = LAYERS[name]
    layer, x = make().to("meta"), meta(*shape).requires_grad_()
    with Together():
        y = layer(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
    assert (y.device.type, gradient.device.type, gradient.shape) == ("meta", "meta", shape)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_run_on_any_device(elsewhere, name):
    with Together():
        assert FUNCTIONS[name]().device.type == "meta"


@pytest.mark.parametrize("bandwidth", [8, 40])
@pytest.mark.parametrize("spin", [0, 2])
def test_engines_run_on_any_device(spin, bandwidth):
    """With products for the Fourier step, and with FFTs."""
    grid = DriscollHealy(bandwidth)
    engine = spin_ring_engine(grid, bandwidth, spin, None) if spin else ring_engine(grid, bandwidth)
    parts = (2,) if spin else ()
    with Together():
        for weighted in (False, True):
            f = engine.to_grid(meta(bandwidth**2, *parts, 5), weighted)
            assert engine.from_grid(meta(*grid.shape, *parts, 5), weighted).device.type == f.device.type == "meta"
