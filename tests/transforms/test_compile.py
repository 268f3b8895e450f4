"""Compilers: one graph without breaks, exported programs, fake and meta tensors, and what is and is not recorded."""

import copy
import io
import pickle

import pytest
import torch
from reference import randn, relative_error
from torch._subclasses import FakeTensorMode
from torch.func import vmap

import equisphere as es

pytestmark = [
    pytest.mark.usefixtures("as_user"),  # compilers cannot follow the checks of annotations
    # torch's own, while it records programs
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

L = 8
GRID = es.grids.DriscollHealy(L)
SHT = es.SHT(GRID)


def signals(n=2):
    return randn(n, 3, *GRID.shape, dtype=torch.float32)


def coefficients(n=2):
    return randn(n, 3, L * L, dtype=torch.float32)


R = es.groups.rotation_about((1, 2, 3), torch.tensor(0.7))


def turned(c):
    return es.rotate(c, R)


def complex_parts(f):
    return torch.view_as_real(SHT(torch.complex(f, f.flip(0))))


def classifier():
    torch.manual_seed(0)
    return es.models.SphericalClassifier(in_channels=3, channels=(5, 5), bandwidths=(4, 3), triples=2).eval()


def few(n=2):
    return coefficients(n)[..., :16]


#: everything that is to compile, with its input
CASES = {
    "analysis": (SHT, signals),
    "synthesis": (SHT.inverse, coefficients),
    "adjoint": (SHT.adjoint, coefficients),
    "inverse_adjoint": (SHT.inverse_adjoint, signals),
    "complex": (complex_parts, signals),
    "rotate": (turned, coefficients),
    "power_spectrum": (es.power_spectrum, coefficients),
    "zonal_conv": (es.nn.ZonalConv(3, 4, L, anchors=4), coefficients),
    "activation": (es.nn.Activation(torch.tanh, L), coefficients),
    "pool": (es.nn.SpectralPool(4), coefficients),
    "pad": (es.nn.SpectralPad(12), coefficients),
    "norm": (es.nn.SpectralBatchNorm(3).eval(), coefficients),
    "spectrum": (es.nn.PowerSpectrum(), coefficients),
    "mean": (es.nn.GlobalPool(), coefficients),
    "triple": (es.nn.TripleProduct(3, 2), coefficients),
    "grid_conv": (es.nn.GridConv(es.nn.Field(L, channels=3), es.nn.Field(L, (0, 1), 2), GRID, 0.8), signals),
    "spherical_conv": (es.nn.SphericalConv(3, 4, GRID), signals),
    "classifier": (classifier(), few),
}
every_case = pytest.mark.parametrize("name", CASES)


def agree(function, compiled, x):
    """Values and gradients of the two."""
    x = x.clone().requires_grad_()
    wanted, found = function(x), compiled(x)
    assert found.dtype == wanted.dtype
    assert relative_error(found, wanted) < 1e-6
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (found, wanted)]
    assert relative_error(*gradients) < 1e-5


@every_case
def test_one_graph_without_breaks(name):
    """Values and gradients of the compiled function are those of the function."""
    function, make = CASES[name]
    torch._dynamo.reset()
    agree(function, torch.compile(function, backend="aot_eager", fullgraph=True), make())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["analysis", "synthesis", "rotate", "activation", "classifier"])
def test_inductor(name):
    """The compiler that is the default: generated code relies on the memory orders that operators promise."""
    function, make = CASES[name]
    torch._dynamo.reset()
    agree(function, torch.compile(function, fullgraph=True), make())


def test_a_training_step_compiles():
    """The network in training mode, batch statistics and all, gives the gradients of the eager one."""
    torch._dynamo.reset()
    model = classifier().train()
    twin = copy.deepcopy(model)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    c = few(6)
    for network, forward in ((model, model), (twin, compiled)):
        network.zero_grad()
        forward(c).square().sum().backward()
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        # a bias before a normalisation has no gradient but rounding
        assert torch.allclose(p.grad, q.grad, rtol=1e-4, atol=1e-5), name
    assert torch.allclose(model.blocks[0].norm.running_var, twin.blocks[0].norm.running_var)


def test_other_batch_sizes_do_not_compile_again():
    """After the second size, the size of the batch is a symbol."""
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    model = torch.compile(classifier(), backend=counter, fullgraph=True)
    with torch.no_grad():
        for n in (2, 3, 4, 5, 7, 16):
            assert model(few(n)).shape == (n, 10)
    assert counter.frame_count <= 2


@pytest.mark.parametrize("name", ["analysis", "synthesis", "activation", "grid_conv", "classifier"])
def test_export(name):
    """The exported program takes any batch, survives saving, and carries no tables."""
    function, make = CASES[name]

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = function if isinstance(function, torch.nn.Module) else None

        def forward(self, x):
            return function(x)

    module = Module().eval()
    batch = {0: torch.export.Dim("batch", min=2, max=64)}
    program = torch.export.export(module, (make(4),), dynamic_shapes=(batch,))
    file = io.BytesIO()
    torch.export.save(program, file)
    parameters = sum(p.numel() for p in module.parameters()) * 4
    assert file.tell() < parameters + 150_000
    assert all(c.numel() <= L * L for c in program.constants.values())
    file.seek(0)
    again = torch.export.load(file).module()
    x = make(5)
    assert relative_error(again(x), function(x)) < 1e-6


@pytest.mark.parametrize("name", [n for n in CASES if n != "rotate"])
def test_shapes_alone(name):
    """On the meta device and with fake tensors the result has the shape and dtype that it would have."""
    function, make = CASES[name]
    wanted = function(make())
    if isinstance(function, torch.nn.Module):
        found = copy.deepcopy(function).to("meta")(make().to("meta"))
        assert (found.shape, found.dtype, found.device.type) == (wanted.shape, wanted.dtype, "meta")
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        found = function(mode.from_tensor(make()))
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)


def test_meta_tensors_leave_the_tables_alone():
    """A transform that was first used for shapes gives numbers afterwards, right ones."""
    sht = es.SHT(es.grids.GaussLegendre(nlat=7, nlon=14))
    assert sht(torch.empty(2, 7, 14, device="meta")).shape == (2, 49)
    with FakeTensorMode():
        assert sht.inverse(torch.empty(3, 49)).shape == (3, 7, 14)
    c = randn(2, 49)
    assert relative_error(sht(sht.inverse(c)), c) < 1e-13


def test_meta_rotation():
    """A rotation of shapes."""
    assert es.rotate(torch.empty(2, 3, 64, device="meta"), torch.empty(2, 1, 3, 3, device="meta")).shape == (2, 3, 64)


def test_vmap_inside_a_compiled_function():
    """The mapped dimension joins the signals there too."""
    torch._dynamo.reset()
    f = signals()

    def analysis(x):  # vmap spells the names of what is no function, which compilers cannot follow
        return SHT(x)

    assert torch.allclose(torch.compile(vmap(analysis), backend="eager", fullgraph=True)(f), SHT(f), atol=1e-6)


def test_the_operators_keep_the_rules_of_torch():
    """Schema, fake tensors, autograd registration and dynamic shapes, by PyTorch's own checker."""
    name = f"DriscollHealy {L} {2 * L} {2 * L} 0"
    for to_grid, shape in ((True, (L * L, 3)), (False, (2 * L, 2 * L, 3))):
        x = randn(*shape).requires_grad_()
        torch.library.opcheck(torch.ops.equisphere.transform.default, (x, name, L, to_grid, True))
    c, R = randn(2, 9).requires_grad_(), es.random_rotations(2, dtype=torch.float64).requires_grad_()
    torch.library.opcheck(torch.ops.equisphere.rotate.default, (c, R, False))


def test_copies_of_a_network_share_tables_and_carry_none():
    """Deep copies and pickles of a used network are as small as its parameters; equal grids meet one engine."""
    from equisphere.transforms._engines import engine_for

    model = classifier()
    x = few()
    wanted = model(x)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(x), wanted)
    size = 4 * sum(p.numel() for p in model.parameters())
    assert len(pickle.dumps(model)) < size + 30_000
    assert engine_for(es.grids.GaussLegendre(6), 6) is engine_for(es.grids.GaussLegendre(6), 6)
