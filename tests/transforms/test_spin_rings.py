"""The fast transform of spins in real numbers: sums over the harmonics, its own adjoint, one operator for compilers."""

import pytest
import torch
from reference import randn, relative_error, spin_harmonics
from torch.func import jvp, vmap

import equisphere as es
from equisphere.transforms import SpinSHT, from_e_b_modes, pointwise_spins
from equisphere.transforms._operator import grid_name, transform
from equisphere.transforms._spin_rings import SpinRingEngine

#: folded and plain products with cosines, an odd number of longitudes, and the FFT
GRIDS = [(7, 10, 20), (7, 11, 20), (16, 24, 48), (5, 6, 13), (12, 64, 128), (3, 4, 101)]


def columns(c):
    """E and B `(n, 2, L*L)` as `(L*L, 2, n)`."""
    return c.permute(2, 1, 0)


@pytest.mark.parametrize(("L", "nlat", "nlon"), GRIDS)
@pytest.mark.parametrize("spin", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("parity", [False, True])
def test_samples_are_sums_over_the_harmonics(L, nlat, nlon, spin, dtype, parity):
    """Q + iU = -sum (E + iB)_lm sY_lm, and analysis takes them back. Many signals are cut to pieces on the way."""
    grid = es.grids.GaussLegendre(L, nlat=nlat, nlon=nlon)
    c = randn(70, 2, L * L, dtype=dtype)
    c[..., : spin**2] = 0
    engine = SpinRingEngine(grid, L, spin, parity)
    f = engine.to_grid(columns(c), weighted=False)
    found = torch.complex(*f.permute(2, 3, 0, 1).double())
    limit = 1e-13 if dtype == torch.float64 else 1e-6
    wanted = (from_e_b_modes(c.double()) @ spin_harmonics(grid, L, spin).T).unflatten(1, grid.shape)
    assert relative_error(found, wanted) < limit
    back = engine.from_grid(f, weighted=True)
    assert relative_error(back, columns(c)) < limit


@pytest.mark.parametrize(("L", "nlat", "nlon"), GRIDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parity", [False, True])
def test_each_direction_is_the_transpose_of_the_other(L, nlat, nlon, weighted, parity):
    engine = SpinRingEngine(es.grids.GaussLegendre(L, nlat=nlat, nlon=nlon), L, 1, parity)
    c, f = randn(L * L, 2, 3), randn(nlat, nlon, 2, 3)
    forth, back = (engine.to_grid(c, weighted) * f).sum(), (c * engine.from_grid(f, weighted)).sum()
    assert abs(float(forth - back)) < 1e-11


@pytest.mark.parametrize("weighted", [False, True])
def test_on_rings_of_uneven_lengths(weighted):
    """HEALPix: the transpose, and the Gram matrix, which visits no pixels, as the product of both."""
    engine = SpinRingEngine(es.grids.HEALPix(3), 7, 2)
    c, f = randn(49, 2, 3), randn(108, 2, 3)
    forth, back = (engine.to_grid(c, weighted) * f).sum(), (c * engine.from_grid(f, weighted)).sum()
    assert abs(float(forth - back)) < 1e-11
    assert relative_error(engine.gram(c), engine.from_grid(engine.to_grid(c, weighted), not weighted)) < 1e-14


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # of torch's own forward mode
def test_derivatives_and_batches():
    """The transform is linear: forward mode is the transform, vmap that of each signal, and second order vanishes."""
    grid = es.grids.GaussLegendre(5, nlat=6)

    def to_grid(x):
        return transform(x, grid, 5, to_grid=True, weighted=False, spin=2)

    x, y = randn(2, 25, 2, 3)
    assert torch.autograd.gradcheck(to_grid, x.requires_grad_())
    torch.testing.assert_close(jvp(to_grid, (x,), (y,))[1], to_grid(y))
    several = randn(4, 25, 2, 3)
    torch.testing.assert_close(vmap(to_grid)(several), torch.stack([to_grid(one) for one in several]))


@pytest.mark.usefixtures("as_user")
def test_it_compiles():
    """Values and gradients; the operator keeps what it promises to compilers."""
    field = es.nn.Field(6, (0, 1, 2), 2)
    layer = es.nn.GatedActivation(torch.tanh, field)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    c = randn(3, *layer.source.shape, dtype=torch.float32)
    x, y = c.clone().requires_grad_(), c.clone().requires_grad_()
    found, wanted = compiled(x), layer(y)
    torch.testing.assert_close(found, wanted)
    found.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    name = grid_name(layer.grid)
    for shape, to_grid in (((36, 2, 3), True), ((*layer.grid.shape, 2, 3), False)):
        x = randn(*shape, dtype=torch.float32).requires_grad_()
        torch.library.opcheck(torch.ops.equisphere.transform.default, (x, name, 6, to_grid, True, None, 1))


@pytest.mark.parametrize("grid", [es.grids.DriscollHealy(6), es.grids.HEALPix(3)], ids=str)
@pytest.mark.parametrize("spin", [0, 2, -1])
@pytest.mark.filterwarnings("ignore:.*lru_cache")  # tables of a change of basis, which are constants
@pytest.mark.usefixtures("as_user")
def test_the_transform_of_spins_compiles(grid, spin):
    sht = SpinSHT(grid, 6, spin)

    def norms(f):
        c = sht(f)
        return c.abs().square().sum(-1), sht.inverse(c)

    f = randn(2, *grid.shape, dtype=torch.complex64)
    found, wanted = torch.compile(norms, backend="aot_eager", fullgraph=True)(f), norms(f)
    torch.testing.assert_close(found, wanted)


BAD = {
    "a coarse grid": ((es.grids.GaussLegendre(3, nlat=4), lambda f: [f]), "carries the band limits"),
    "another grid": ((es.grids.DriscollHealy(16), lambda f: [f]), "need a GaussLegendre grid"),
    "a scalar for a vector": ((es.grids.GaussLegendre(8), lambda f: [f[0]]), "samples of the spins \\(1,\\)"),
    "other nodes": ((es.grids.GaussLegendre(8), lambda f: [f[..., 1:]]), "samples of the spins"),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    (grid, function), words = BAD[what]
    with pytest.raises(ValueError, match=words):
        pointwise_spins(function, [torch.ones(2, 2, 64)], (1, 1), grid, 8)
