"""The local convolution of waves on rings: sums over rings within reach for each radial function, then mixtures of channels.

Of each order m, and each pair of signed spins (s', s), rings of the output get from those of the input

    out_i = sum_q (sum_j T_q[i, j] Z_j) @ W_q,   |i - j| <= reach,

T real numbers of the grid alone (`ring_coefficients`), W a complex number for each pair of channels, as a real matrix on real
and imaginary parts. A band of a matrix makes poor products, so `BLOCK` rings of the output are made together, of a window of
BLOCK + 2 reach rings: for each order a dense product that makes the sums of all radial functions and targets, then one with W.
What lies between is the size of a block; the backward pass is the adjoint, and makes it again instead of keeping it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._ring_kernels import radials, reach, ring_coefficients
from equisphere.transforms._ring_orders import Parts, Waves, signed
from equisphere.transforms._workspace import workspace

#: rings of the output that are made together
BLOCK = 8

#: of one pair, real and imaginary parts `(2, radials, in, out)`
Weight = Float[Tensor, "2 _ _ _"]


@dataclass(frozen=True)
class Local:
    """A local convolution but for its weights: grid, radius and order of kernels, spins and channels of input and output."""

    grid: RingGrid
    radius: float
    order: int
    source: Parts
    target: Parts

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """Spins of the waves of the input."""
        return signed([s for s, _ in self.source])

    @cached_property
    def targets(self) -> tuple[int, ...]:
        """Spins of the waves of the output."""
        return signed([s for s, _ in self.target])

    @cached_property
    def rows(self) -> int:
        """Rows of the output."""
        return sum(n * (2 if s else 1) for s, n in self.target)

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Which spins are joined, target and source, those of one target together."""
        return [(t, s) for t in self.targets for s in self.sources if radials(self.order, (t, s))]

    @cached_property
    def joined(self) -> dict[int, tuple[int, ...]]:
        """The targets of each source."""
        return {source: tuple(t for t, s in self.pairs if s == source) for source in self.sources}

    @cached_property
    def blocks(self) -> list[tuple[slice, slice]]:
        """Rings of the output that are made together, and rings of the input that they see."""
        r, nlat = reach(self.grid, self.radius), self.grid.nlat
        starts = range(0, nlat, BLOCK)
        return [(slice(i, min(i + BLOCK, nlat)), slice(max(0, i - r), min(i + BLOCK + r, nlat))) for i in starts]

    def tables(self, like: Tensor) -> list[list[Float[Tensor, "orders _ _"]]]:
        """Of each block and source T: in the rows, ring after ring, the radial functions for each target that it has."""
        key = self.grid, self.radius, self.order
        of_sources = (_tables(*key, self.joined[s], s, like.dtype, like.device) for s in self.sources)
        return [list(tables) for tables in zip(*of_sources, strict=True)]


@lru_cache(maxsize=128)
def _tables(
    grid: RingGrid,
    radius: float,
    order: int,
    targets: tuple[int, ...],
    source: int,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Tensor, ...]:
    r = reach(grid, radius)
    parts = [np.zeros((grid.nlon // 2 + 1, grid.nlat, 2 * r + 1, 0))]
    parts += [ring_coefficients(grid, radius, radials(order, (t, source)), (t, source)) for t in targets]
    T = np.concatenate(parts, axis=-1)
    found = []
    for rings, window in Local(grid, radius, order, (), ()).blocks:
        i, j = np.arange(grid.nlat)[rings], np.arange(grid.nlat)[window]
        d = j - i[:, None] + r
        inside = (d >= 0) & (d <= 2 * r)
        block = T[:, i[:, None], np.where(inside, d, 0)] * inside[..., None]  # (orders, rings, window, radials)
        block = block.swapaxes(2, 3).reshape(len(T), -1, len(j))
        found.append(torch.from_numpy(np.ascontiguousarray(block)).to(device=device, dtype=dtype))
    return tuple(found)


def convolved(local: Local, waves: Sequence[Waves], weights: Sequence[Weight]) -> list[Waves]:
    """Waves of each target, the sum over all sources, in workspaces.

    Args:
        local: grid, kernels and spins; each target is joined to a source.
        waves: of each source, of one signal.
        weights: W_q of each pair.
    """
    matrices = _matrices(local, weights)
    columns = {t: W.shape[1] for (t, _), W in matrices.items()}
    nlat, orders, _ = waves[0].shape
    out = {t: workspace(f"waves {t}, convolved", waves[0], nlat, orders, columns[t]) for t in local.targets}
    for (rings, window), tables in zip(local.blocks, local.tables(waves[0]), strict=True):
        done: dict[int, Tensor] = {}
        for s, z, T in zip(local.sources, waves, tables, strict=True):
            for t, near in _near(local, s, T, z[window], matrices):
                room = workspace(f"rings {t}", near, len(near), columns[t])
                W = matrices[t, s]
                done[t] = torch.addmm(done[t], near, W, out=room) if t in done else torch.mm(near, W, out=room)
        for t, y in done.items():
            out[t][rings] = y.view(orders, -1, columns[t]).transpose(0, 1)
    return list(out.values())


def convolved_back(
    local: Local, waves: Sequence[Waves], weights: Sequence[Weight], gradients: Sequence[Waves]
) -> tuple[list[Waves], list[Weight]]:
    """The adjoint of `convolved`: from the gradients by its output to those by waves, in workspaces, and by weights."""
    matrices = _matrices(local, weights)
    by_waves = [workspace(f"waves {s}, back", z, *z.shape).zero_() for s, z in zip(local.sources, waves, strict=True)]
    by_matrices = {pair: torch.zeros_like(W) for pair, W in matrices.items()}
    for (rings, window), tables in zip(local.blocks, local.tables(waves[0]), strict=True):
        seen: dict[int, Tensor] = {}
        for t, gradient in zip(local.targets, gradients, strict=True):
            y = gradient[rings].transpose(0, 1)
            seen[t] = workspace(f"rings {t}", y, *y.shape).copy_(y).flatten(0, 1)
        for s, z, by_z, T in zip(local.sources, waves, by_waves, tables, strict=True):
            for t, near in _near(local, s, T, z[window], matrices):
                by_matrices[t, s].addmm_(near.T, seen[t])
                torch.mm(seen[t], matrices[t, s].T, out=near)
            near = workspace("sums over rings", z, *T.shape[:2], z.shape[-1])  # what the loop has left there
            room = workspace("spread over rings", z, len(T), T.shape[2], z.shape[-1])
            by_z[window] += torch.bmm(T.mT, near, out=room).transpose(0, 1)
    by_weights = []
    for by, W in zip(by_matrices.values(), weights, strict=True):
        blocks = by.view(W.shape[1], 2, W.shape[2], 2, W.shape[3])
        by_weights.append(
            torch.stack((blocks[:, 0, :, 0] + blocks[:, 1, :, 1], blocks[:, 0, :, 1] - blocks[:, 1, :, 0]))
        )
    return by_waves, by_weights


def _matrices(local: Local, weights: Sequence[Weight]) -> dict[tuple[int, int], Float[Tensor, "_ _"]]:
    """Weights as matrices, from the real and imaginary parts of all radial functions and channels to those of the output."""
    matrices = {}
    for pair, (a, b) in zip(local.pairs, weights, strict=True):
        rows = torch.stack((torch.cat((a, b), dim=-1), torch.cat((-b, a), dim=-1)), dim=1)
        matrices[pair] = rows.flatten(0, 2)
    return matrices


def _near(
    local: Local,
    source: int,
    T: Float[Tensor, "orders rows window"],
    z: Float[Tensor, "window orders columns"],
    matrices: dict[tuple[int, int], Tensor],
) -> Iterator[tuple[int, Float[Tensor, "rings sums"]]]:
    """Sums over the rings of a window, and of each target its part of them: views of one room."""
    room = workspace("sums over rings", z, *T.shape[:2], z.shape[-1])
    targets = local.joined[source]
    sizes = [len(matrices[t, source]) for t in targets]
    if targets:
        sums = torch.bmm(T, z.transpose(0, 1), out=room).view(-1, sum(sizes))
        yield from zip(targets, sums.split(sizes, dim=1), strict=True)
