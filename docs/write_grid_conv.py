"""Measure convolutions on the grid; write the tables of docs/grid_conv.md.

    EQUISPHERE_DATA=folder python docs/write_grid_conv.py [names of tables]

The folder holds `earth_sky_fields.npz`, for `winds`; without it that table is left as it is. Times are processor milliseconds
on one thread, medians. Each table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import sys
import warnings

import numpy as np
import torch
from torch import Tensor
from write_directional import DATA, clocked, feature, write

import equisphere as es
from equisphere import nn
from equisphere.harmonics import degrees_and_orders
from equisphere.nn import Field
from equisphere.transforms import VectorSHT, gradient
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._ring_kernels import kernels, reach, rings
from equisphere.transforms._spin_rings import spin_ring_engine


def main() -> None:
    """Write every table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for name, table in (("error", error), ("time", time), ("sparse", sparse), ("winds", winds)):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            write("grid_conv", name, table())
        except FileNotFoundError as problem:
            warnings.warn(f"{name} is left as it is: {problem}", stacklevel=1)


def error(n: int = 4) -> str:
    """Equivariance error of a `GridConv` between spins 0 and 1, by resolution, of several kinds of signals, in float64."""
    R = es.random_rotations(n, torch.Generator().manual_seed(0), torch.float64)[:, None]

    def of(nlat: int, L: int, radius: float, decay: float) -> float:
        torch.manual_seed(0)
        grid, field = es.grids.GaussLegendre(nlat=nlat, nlon=2 * nlat), Field(L, (0, 1), 4)
        layer, sht = nn.GridConv(field, field, grid, radius, order=2).double(), nn.FieldSHT(field, grid)
        degree = torch.from_numpy(degrees_and_orders(L)[0])
        c = feature(field, n, torch.float64) * (degree + 1.0) ** -decay
        with torch.no_grad():
            turned, straight = (sht(layer(sht.inverse(x))) for x in (es.rotate(c, R), c))
        return float((turned - es.rotate(straight, R)).norm() / straight.norm())

    rows = []
    for nlat in (32, 64, 128):
        three = 3.2 * np.pi / nlat
        cells = of(nlat, nlat, three, 0), of(nlat, nlat // 2, three, 0), of(nlat, nlat, three, 2), of(nlat, 16, 0.35, 0)
        rows.append(f"| {nlat} x {2 * nlat} | " + " | ".join(f"{e:.1e}" for e in cells) + " |")
    head = "| grid | 3.2 rings, white to its band limit | to half of it | power as l^-3 | radius 0.35, white to degree 15 |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def megabytes(tables: list[Tensor]) -> float:
    """Of tables."""
    return sum(t.numel() * t.element_size() for t in tables) / 1e6


def time(channels: int = 8) -> str:
    """A local convolution on samples, and the same map in coefficients; and each with gates, as layers of a network."""
    rows = []
    for spins in ((0,), (0, 1)):
        grids = [es.grids.GaussLegendre(nlat=n, nlon=2 * n) for n in (64, 128, 256, 512)]
        grids += [es.grids.ClenshawCurtis(nlat=n + 1, nlon=2 * n) for n in (256, 512)]
        for grid in grids:
            L, nlat = grid.bandwidth, grid.nlat
            field = Field(L, spins, channels)
            radius, repetitions = 3.2 * 2 * np.pi / grid.nlon, 5 if nlat < 512 else 3
            local = nn.GridConv(field, field, grid, radius, order=2)
            sht, linear = nn.FieldSHT(field, grid), nn.EquivariantLinear(field, field, anchors=16)
            x = torch.randn(1, field.rows, *grid.shape).requires_grad_()

            def through(x: Tensor, sht=sht, linear=linear) -> Tensor:
                return sht.inverse(linear(sht(x)))

            def step(f, x: Tensor, repetitions=repetitions) -> str:
                return f"{clocked(lambda: f(x).square().sum().backward(), repetitions):.0f}"

            cells = []
            for function in (local, through):
                with torch.no_grad():
                    cells += [f"{clocked(lambda f=function, x=x: f(x), repetitions):.0f}"]
                cells += [step(function, x)]
            engines = [ring_engine(grid, L), *(spin_ring_engine(grid, L, s, None) for s in spins if s)]
            sizes = (
                [t for pair in local._local.tables(x) for t in pair],
                [t for e in engines for ts in getattr(e, "_tables", {}).values() for t in ts],
            )
            cells += [f"{megabytes(list(tables)):.0f}" for tables in sizes]
            if len(spins) > 1:
                gate = nn.GatedActivation(torch.nn.SiLU(), field)
                on_grid = torch.nn.Sequential(
                    nn.GridConv(field, gate.source, grid, radius, order=2), nn.AtNodes(gate, grid)
                )
                flat = torch.nn.Sequential(nn.EquivariantLinear(field, gate.source, anchors=16), gate)
                cells += [step(on_grid, x), step(flat, torch.randn(1, *field.shape).requires_grad_())]
            else:
                cells += ["", ""]
            kind = "scalars" if len(spins) == 1 else "spins 0 and 1"
            name = f"`{type(grid).__name__}` {nlat} x {grid.nlon}"
            rows.append(f"| {kind} | {name} | {L} | " + " | ".join(cells) + " |")
    head = (
        "| field | grid | band limit | `GridConv`, ms | with backward | through transforms, ms | with backward | tables, MB "
        "| of the transforms | and gates at nodes | in coefficients, and gates |"
    )
    return "\n".join([head, "|" + "---|" * 11, *rows])


def sparse(channels: int = 8) -> str:
    """The kernel between scalars as a sparse matrix over nodes, one radial function, beside the whole layer with two."""
    rows = []
    for nlat in (64, 128, 256):
        grid, field = es.grids.GaussLegendre(nlat=nlat, nlon=2 * nlat), Field(nlat, channels=channels)
        layer = nn.GridConv(field, field, grid, 3.2 * np.pi / nlat, order=2)
        (theta, weights), r = rings(grid), reach(grid, layer.radius)
        node, found = np.arange(grid.nlon), []
        for i in range(nlat):
            for j in range(max(0, i - r), min(nlat, i + r + 1)):
                K = (
                    kernels(theta[i], theta[j], 2 * np.pi * node / grid.nlon, (0, 0), layer.radius, 1)[0].real
                    * weights[j]
                )
                (near,) = np.nonzero(K)
                column = j * grid.nlon + (node[:, None] + near) % grid.nlon
                row = np.broadcast_to(i * grid.nlon + node[:, None], column.shape)
                found.append(np.stack((row, column, np.broadcast_to(K[near], column.shape))).reshape(3, -1))
        row, column, value = np.concatenate(found, axis=1)
        size = nlat * grid.nlon
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's to itself: its sparse rows are in beta state
            places = np.stack((row, column)).astype(np.int64)
            matrix = torch.sparse_coo_tensor(places, value, (size, size)).float().to_sparse_csr()
        x = torch.randn(1, channels, *grid.shape)
        flat = x.flatten(2)[0].T.contiguous()
        with torch.no_grad():
            cells = [clocked(lambda m=matrix, f=flat: m @ f), clocked(lambda layer=layer, x=x: layer(x))]
        entries = len(value)
        rows.append(
            f"| {nlat} x {2 * nlat} | {entries / size:.0f} | {12 * entries / 1e6:.0f} | {cells[0]:.1f} | {cells[1]:.1f} |"
        )
    head = "| grid | entries a node | MB | sparse product, one radial function, ms | `GridConv`, two and their mixtures, ms |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


class Winds(torch.nn.Module):
    """Heights and sin(latitude) to winds: three local convolutions, with features of the spins given between."""

    def __init__(self, grid: es.grids.RingGrid, spins: tuple[int, ...], channels: int, radius: float) -> None:
        super().__init__()
        L = grid.max_bandwidth
        field = Field(L, spins, channels)
        gate = nn.GatedActivation(torch.nn.SiLU(), field) if len(spins) > 1 else None
        wide = field if gate is None else gate.source
        self.steps = torch.nn.Sequential()
        for before in (Field(L, channels=4), field):
            self.steps.append(nn.GridConv(before, wide, grid, radius, order=2, bias=False))
            self.steps.append(nn.GridBatchNorm(wide, grid))
            self.steps.append(torch.nn.SiLU() if gate is None else nn.AtNodes(gate, grid))
        self.steps.append(nn.GridConv(field, Field(L, (1,), 3), grid, radius, order=2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Samples `(batch, 4, nlat, nlon)` to `(batch, 6, nlat, nlon)`."""
        return self.steps(x)


def geostrophic(height: Tensor, wanted: Tensor, grid: es.grids.RingGrid) -> tuple[float, float]:
    """RMSE of the textbook's wind, k x grad(geopotential) f / (f^2 + f0^2), f0 and a factor fitted on the first month; m/s.

    Args:
        height: geopotential `(2, 3, nlat, nlon)`.
        wanted: winds `(2, 3, 2, nlat, nlon)`, south and east.
        grid: of both.
    """
    weights, L = grid.weights / (4 * np.pi), grid.bandwidth
    south, east = (VectorSHT(grid, L).inverse(gradient(es.SHT(grid, L)(height))) / 6.371e6).unbind(-3)
    f = 2 * 7.292e-5 * grid.colatitudes.cos()[:, None]
    best = (np.inf, np.inf)
    for f0 in np.geomspace(1e-6, 1e-4, 41):
        wind = torch.stack((-east, south), dim=-3) * f / (f * f + f0 * f0)
        factor = (weights * wind * wanted)[0].sum() / (weights * wind * wind)[0].sum()
        squares = (weights * (factor * wind - wanted).square()).sum((-2, -1)).flatten(1).mean(1)
        best = min(best, tuple(squares.sqrt().tolist()))
    return best


def winds(steps: int = 250, seeds: int = 2) -> str:
    """The winds of a month from its geopotential heights at three levels, learned on January, tested on July."""
    with np.load(DATA / "earth_sky_fields.npz") as data:
        z, u, v = (torch.from_numpy(data[f"eraint_{k}"].astype(np.float32)) for k in ("z_10m2s2", "u_cms", "v_cms"))
    grid = es.grids.ClenshawCurtis(nlat=z.shape[-2], nlon=z.shape[-1])
    weights = grid.weights.float() / (4 * np.pi)
    textbook = geostrophic(10 * z.double(), torch.stack((-v, u), dim=2).double() / 100, grid)[1]
    z = z - (weights * z[0]).sum((-2, -1))[:, None, None]
    z = z / (weights * z[0].square()).sum((-2, -1)).sqrt()[:, None, None]
    sine = grid.colatitudes.float().cos()[:, None].expand(grid.shape)
    x = torch.cat((z, sine.expand(2, 1, *grid.shape)), dim=1)
    y = torch.cat((-v, u), dim=1) / 1000  # south, then east, 10 m/s
    R = es.random_rotations(1, torch.Generator().manual_seed(0))

    def rmse(found: Tensor, wanted: Tensor) -> float:
        return 10 * float((weights * (found - wanted).square()).sum((-2, -1)).mean().sqrt())

    def turned(samples: Tensor, field: Field) -> Tensor:
        sht = nn.FieldSHT(field, grid)
        return sht.inverse(es.rotate(sht(samples), R))

    L = grid.max_bandwidth
    scalars, vectors = Field(L, channels=4), Field(L, (1,), 3)
    rows = [f"| those of January | | {rmse(y[:1], y[1:]):.2f} | |", f"| geostrophic | 2 | {textbook:.2f} | |"]
    radius = 3.2 * np.pi / (grid.nlat - 1)
    for name, spins, channels in (
        ("scalars inside, a direction in the last layer alone", (0,), 15),
        ("spins 0 and 1 inside", (0, 1), 6),
    ):
        errors, errors_turned = [], []
        for seed in range(seeds):
            torch.manual_seed(seed)
            model = Winds(grid, spins, channels, radius)
            optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.03, total_steps=steps)
            for _ in range(steps):
                optimizer.zero_grad()
                loss = (weights * (model(x[:1]) - y[:1]).square()).sum((-2, -1)).mean()
                loss.backward()
                optimizer.step()
                schedule.step()
            with torch.no_grad():
                errors.append(rmse(model(x[1:]), y[1:]))
                errors_turned.append(rmse(model(turned(x[1:], scalars)), turned(y[1:], vectors)))
        size = sum(p.numel() for p in model.parameters())
        cells = [f"{np.mean(e):.2f} ± {np.std(e):.2f}" for e in (errors, errors_turned)]
        rows.append(f"| `GridConv`, {name} | {size:,} | {cells[0]} | {cells[1]} |")
    head = "| winds of July | parameters | RMSE of a component, m/s | the Earth turned |"
    return "\n".join([head, "|---|---|---|---|", *rows])


if __name__ == "__main__":
    main()
