"""Samples of tangent fields by tables of their own: slopes of the Legendre functions in place of their values."""

from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import GaussLegendre
from equisphere.harmonics import associated_legendre
from equisphere.transforms._backends import accelerated
from equisphere.transforms._fourier import MatrixFourier
from equisphere.transforms._lane_engine import LaneEngine, fills_lanes
from equisphere.transforms._recurrence import epsilon
from equisphere.transforms._workspace import workspace

#: signals at a time on a CPU, so that what lies between the steps stays in the cache; odd, as in `RingEngine`
SIGNALS = 255


class TangentEngine:
    """Samples of u = grad (-Delta)^(-1/2) f, f of band limit L, and the transpose of that map.

    With p_lm = P_lm / sqrt(l(l+1)), along e_theta (south) and e_phi (east):
        u_south = sum_lm c_lm dp_lm/dtheta e_m(phi),     u_east = sum_lm c_lm p_lm / sin(theta) e_m'(phi),
    where e_m is sqrt2 cos(m phi), sqrt2 sin(m phi), or 1. e_m' is m times the other of the two, so that the second is a sum
    over e_m as well, with cosines and sines exchanged. As in `RingEngine` a Fourier step follows the Legendre step, here one
    batched product of all orders: band limits of nonlinearities are low, and the empty triangle l < m costs little there.
    (`SpinRingEngine` of spin 1 gives the same where B is zero, in one and a half times the time.)
    """

    def __init__(self, grid: GaussLegendre, bandwidth: int) -> None:
        self.grid, self.bandwidth = grid, bandwidth
        self.fourier = MatrixFourier(grid.nlon, bandwidth)
        self._tables: dict[tuple, tuple[Tensor, ...]] = {}

    @cached_property
    def _compiled(self) -> tuple[LaneEngine, LaneEngine]:
        """An engine for each component: slopes are odd where P_lm is even, p_lm / sin(theta) meets derivatives of waves."""
        south, east = self._slopes()
        return (
            LaneEngine(self.grid, self.bandwidth, lambda m: south[m, m:], odd=True),
            LaneEngine(self.grid, self.bandwidth, lambda m: east[m, m:], turned=True),
        )

    def _compiles(self, x: Tensor) -> bool:
        return accelerated() and fills_lanes(x, self.grid, self.bandwidth)

    def to_grid(self, c: Float[Tensor, "coefficients n"]) -> Float[Tensor, "components_of_n nlat nlon"]:
        """The components south of all signals, then those east."""
        n, (nlat, nlon) = c.shape[-1], self.grid.shape
        c = c.contiguous()
        samples = c.new_empty(2, n, nlat, nlon)
        if self._compiles(c):
            for engine, component in zip(self._compiled, samples, strict=True):
                engine.to_grid(c, False, out=component.movedim(0, -1))
            return samples.flatten(0, 1)
        for part in self._chunks(c, n):
            for rows, _, table, component in zip(*self._step(c), samples, strict=True):
                terms = c[:, part].index_select(0, rows).view(len(table), self.bandwidth, -1)
                waves = workspace("waves", c, len(table), terms.shape[-1], nlat)
                self.fourier.synthesis(torch.bmm(terms.mT, table, out=waves)[None], None, component[None, part])
        return samples.flatten(0, 1)

    def from_grid(self, u: Float[Tensor, "components_of_n nlat nlon"]) -> Float[Tensor, "coefficients n"]:
        """The transpose of `to_grid`."""
        samples = u.contiguous().unflatten(0, (2, -1))
        n = samples.shape[1]
        if self._compiles(samples.movedim(1, -1)):
            south, east = (
                engine.from_grid(part.movedim(0, -1), False)
                for engine, part in zip(self._compiled, samples, strict=True)
            )
            return south.add_(east)
        c = u.new_empty(self.bandwidth**2, n)
        for part in self._chunks(u, n):
            sums = []
            for _, back, table, component in zip(*self._step(u), samples, strict=True):
                waves = workspace("waves", u, len(table), part.stop - part.start, self.grid.nlat)
                self.fourier.analysis(component[None, part], waves[None], None)
                sums.append(torch.bmm(table, waves.mT).flatten(0, 1).index_select(0, back))
            torch.add(*sums, out=c[:, part])
        return c

    def _chunks(self, x: Tensor, signals: int) -> Iterator[slice]:
        size = SIGNALS if x.device.type == "cpu" else signals
        return (slice(i, min(i + size, signals)) for i in range(0, signals, size))

    def _step(self, x: Tensor) -> tuple[tuple[Tensor, ...], ...]:
        """For each component: which coefficient each row of the product takes, which row each coefficient, the factors."""
        key = (x.dtype, x.device)
        if key not in self._tables:
            order = np.concatenate(self.fourier.groups)
            slopes, others = (table[order] for table in self._slopes())
            paired = slopes.repeat(2, axis=0), np.stack((others, -others), axis=1).reshape(-1, *others.shape[1:])
            south, east = (torch.from_numpy(table).to(x) for table in paired)
            (rows, back), (rows_east, back_east) = (
                [torch.from_numpy(i).to(x.device) for i in self._places(exchanged)] for exchanged in (False, True)
            )
            self._tables[key] = (rows, rows_east, back, back_east, south, east)
        found = self._tables[key]
        return found[:2], found[2:4], found[4:]

    def _places(self, exchanged: bool) -> tuple[np.ndarray, np.ndarray]:
        """Coefficient of each row (order, cosine or sine, degree), and row of each coefficient; rows without one name 0."""
        L = self.bandwidth
        order, sine, degree = np.meshgrid(np.concatenate(self.fourier.groups), (0, 1), np.arange(L), indexing="ij")
        m = np.where((sine == 1) != exchanged, -order, order)
        holds = (order <= degree) & ((order > 0) | (sine == int(exchanged)))
        flat = np.where(holds, degree * (degree + 1) + m, 0).ravel()
        back = np.zeros(L * L, dtype=np.int64)
        back[flat[holds.ravel()]] = np.flatnonzero(holds)
        return flat, back

    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """dp_lm/dtheta and m p_lm / sin(theta) as (orders, degrees, rings), zero where l < m.

        The first by sin(theta) dP_lm/dtheta = l a_{l+1,m} P_{l+1,m} - (l+1) a_{l,m} P_{l-1,m} with
        a_{l,m}^2 = (l^2 - m^2) / (4 l^2 - 1) (DLMF 14.10.5 for orthonormal P_lm); no Gauss-Legendre ring lies on a pole.
        """
        L, theta = self.bandwidth, self.grid.colatitudes.numpy()
        south, east = np.zeros((L, L, len(theta))), np.zeros((L, L, len(theta)))
        for m in range(L):
            P = np.zeros((L + 2, len(theta)))  # degrees -1 to L
            P[m + 1 :] = associated_legendre(m, L + 1, theta)
            l = np.arange(L)[:, None]
            south[m] = l * epsilon(l + 1, np.array(m)) * P[2:] - (l + 1) * epsilon(l, np.array(m)) * P[:-2]
            south[m, :m], east[m] = 0, m * P[1:-1]
        degree = np.arange(1, L)
        root = np.concatenate(([0.0], (degree * (degree + 1)) ** -0.5))[:, None]
        return south * root / np.sin(theta), east * root / np.sin(theta)


@lru_cache(maxsize=32)
def tangent_engine(grid: GaussLegendre, bandwidth: int) -> TangentEngine:
    """The engine of a grid and band limit, one for all modules."""
    return TangentEngine(grid, bandwidth)
