"""Models for the tests of the audit: sound ones, and the faults that are planted in them."""

import torch
from torch import nn

import equisphere as es

GRID = es.grids.DriscollHealy(8)


class ByOrder(nn.Module):
    """A weight that depends on the order m: knows the z axis."""

    def forward(self, c):
        order = torch.from_numpy(es.harmonics.degrees_and_orders(int(c.shape[-1] ** 0.5))[1]).to(c.device)
        return c * (1 + 0.1 * order.abs())


class WrongPole(nn.Module):
    """Coefficients that are read in a frame with another pole."""

    def forward(self, c):
        return es.rotate(c, es.groups.rotation_about((1, 0, 0), 0.4))


class UpsideDown(nn.Module):
    """A map whose first row is taken for the south."""

    def forward(self, f):
        return f.flip(-2)


class WrongGrid(nn.Module):
    """Samples on rings between the poles, read as if one were on the pole."""

    def __init__(self):
        super().__init__()
        self.here, self.there = es.SHT(GRID), es.SHT(es.grids.DriscollHealy(8, poles=True))

    def forward(self, f):
        return self.here.inverse(self.there(f))


class BiasMap(nn.Module):
    """A bias for each pixel."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(0.1 * torch.randn(*GRID.shape))

    def forward(self, f):
        return f + self.bias


class PixelMean(nn.Module):
    """A mean over pixels, which counts the poles too much."""

    def forward(self, f):
        return f - f.mean((-2, -1), keepdim=True)


class Sampled(nn.Module):
    """Convolutions on samples with something between them, added to its input or not."""

    def __init__(self, middle, residual=False):
        super().__init__()
        self.first = es.nn.SphericalConv(1, 3, GRID)
        self.middle, self.residual = middle, residual
        self.last = es.nn.SphericalConv(3, 2, GRID)

    def forward(self, f):
        f = self.first(f)
        g = self.middle(f)
        return self.last(f + g if self.residual else g)


class UShaped(nn.Module):
    """Down to a coarser grid and up again, with a skip; a module used twice; an argument that is no tensor."""

    def __init__(self, fault=None):
        super().__init__()
        coarse = es.grids.DriscollHealy(4)
        self.fine, self.coarse = es.SHT(GRID), es.SHT(coarse)
        self.encode = es.nn.SphericalConv(1, 2, GRID)
        self.bottom = es.nn.SphericalConv(2, 2, coarse)
        self.fault = fault or nn.Identity()
        self.scale = Scale()

    def forward(self, f):
        top = self.scale(self.encode(f), factor=2.0)
        low = self.coarse.inverse(self.fine(top)[..., :16])
        low = self.scale(self.fault(self.bottom(low)), factor=0.5)
        up = torch.nn.functional.pad(self.coarse(low), (0, 48))
        return torch.cat((top, self.fine.inverse(up)), dim=1)


class Scale(nn.Module):
    def forward(self, f, factor, name="scale"):
        return factor * f


def coefficient_network(fault=None, dtype=torch.float32):
    model = nn.Sequential(
        es.nn.ZonalConv(2, 3, 8), es.nn.SpectralBatchNorm(3), fault or nn.Identity(), es.nn.Activation(torch.square, 8)
    )
    return (
        model.append(es.nn.SpectralPool(5))
        .append(es.nn.PowerSpectrum())
        .append(nn.Flatten())
        .append(nn.Linear(15, 4))
        .to(dtype)
    )


def smooth(*shape, dtype=torch.float32):
    """Random coefficients whose power falls with the degree."""
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(int(shape[-1] ** 0.5))[0])
    return (torch.randn(shape, dtype=torch.float64) / (1 + degree)).to(dtype)


def maps(*leading, dtype=torch.float32):
    return es.SHT(GRID).inverse(smooth(*leading, 64, dtype=dtype))
