"""The local convolution of waves on rings: sums over rings within reach for each radial function, then mixtures of channels.

Of each order m, and each pair of signed spins (s', s), rings of the output get from those of the input

    out_i = sum_q (sum_j T_q[i, j] Z_j) @ W_q,   |i - j| <= reach,

T real numbers of the grid alone (`ring_coefficients`), W a complex number for each pair of channels, as a real matrix on real
and imaginary parts. A band of a matrix makes poor products, so `BLOCK` rings of the output are made together, of a window of
BLOCK + 2 reach rings: a dense product for each order with all radial functions, and one with W for all orders. What lies
between is the size of a block; the backward pass is the adjoint, and makes it again instead of keeping it.
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
    def pairs(self) -> list[tuple[int, int]]:
        """Which spins are joined, target and source, those of one target together."""
        return [(t, s) for t in self.targets for s in self.sources if radials(self.order, (t, s))]

    @cached_property
    def blocks(self) -> list[tuple[slice, slice]]:
        """Rings of the output that are made together, and rings of the input that they see."""
        r, nlat = reach(self.grid, self.radius), self.grid.nlat
        starts = range(0, nlat, BLOCK)
        return [(slice(i, min(i + BLOCK, nlat)), slice(max(0, i - r), min(i + BLOCK + r, nlat))) for i in starts]

    def tables(self, like: Tensor) -> list[list[Float[Tensor, "orders _ _"]]]:
        """Of each pair and block T, the radial functions of a ring side by side in the rows."""
        return [
            list(_tables(self.grid, self.radius, radials(self.order, pair), pair, like.dtype, like.device))
            for pair in self.pairs
        ]


@lru_cache(maxsize=256)
def _tables(
    grid: RingGrid, radius: float, count: int, spins: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    T, r = ring_coefficients(grid, radius, count, spins), reach(grid, radius)
    found = []
    for rings, window in Local(grid, radius, 0, (), ()).blocks:
        i, j = np.arange(grid.nlat)[rings], np.arange(grid.nlat)[window]
        d = j - i[:, None] + r
        inside = (d >= 0) & (d <= 2 * r)
        block = T[:, i[:, None], np.where(inside, d, 0)] * inside[..., None]  # (orders, rings, window, radials)
        block = block.swapaxes(2, 3).reshape(len(T), -1, len(j))
        found.append(torch.from_numpy(np.ascontiguousarray(block)).to(device=device, dtype=dtype))
    return tuple(found)


def convolved(local: Local, waves: Sequence[Waves], weights: Sequence[Weight]) -> list[Waves]:
    """Waves of each target, the sum over all sources.

    Args:
        local: grid, kernels and spins; each target is joined to a source.
        waves: of each source.
        weights: W_q of each pair.
    """
    of_source, matrices = _taken_apart(local, waves, weights)
    columns = {t: W.shape[1] for (t, _), W in zip(local.pairs, matrices, strict=True)}
    batch, nlat, orders, _ = waves[0].shape
    out = {t: waves[0].new_empty(batch, nlat, orders, columns[t]) for t in local.targets}
    for b, rings, window, tables in _steps(local, waves[0]):
        done: dict[int, Tensor] = {}
        for (t, s), W, T in zip(local.pairs, matrices, tables, strict=True):
            near = _near(T, of_source[s][b, window]).view(-1, len(W))
            room = workspace(f"rings {t}", W, len(near), columns[t])
            done[t] = torch.addmm(done[t], near, W, out=room) if t in done else torch.mm(near, W, out=room)
        for t, y in done.items():
            out[t][b, rings] = y.view(orders, -1, columns[t]).transpose(0, 1)
    return list(out.values())


def convolved_back(
    local: Local, waves: Sequence[Waves], weights: Sequence[Weight], gradients: Sequence[Waves]
) -> tuple[list[Waves], list[Weight]]:
    """The adjoint of `convolved`: from the gradients by its output to those by waves and weights."""
    of_source, matrices = _taken_apart(local, waves, weights)
    by_waves = {s: torch.zeros_like(z) for s, z in of_source.items()}
    by_matrices = [torch.zeros_like(W) for W in matrices]
    for b, rings, window, tables in _steps(local, waves[0]):
        seen: dict[int, Tensor] = {}
        for t, gradient in zip(local.targets, gradients, strict=True):
            y = gradient[b, rings].transpose(0, 1)
            seen[t] = workspace(f"rings {t}", y, *y.shape).copy_(y).flatten(0, 1)
        for (t, s), W, T, by_W in zip(local.pairs, matrices, tables, by_matrices, strict=True):
            near = _near(T, of_source[s][b, window])
            by_W.addmm_(near.view(-1, len(W)).T, seen[t])
            torch.mm(seen[t], W.T, out=near.view(-1, len(W)))
            room = workspace("spread over rings", near, len(T), T.shape[2], near.shape[2])
            by_waves[s][b, window] += torch.bmm(T.mT, near, out=room).transpose(0, 1)
    by_weights = []
    for by, W in zip(by_matrices, weights, strict=True):
        blocks = by.view(W.shape[1], 2, W.shape[2], 2, W.shape[3])
        by_weights.append(
            torch.stack((blocks[:, 0, :, 0] + blocks[:, 1, :, 1], blocks[:, 0, :, 1] - blocks[:, 1, :, 0]))
        )
    return list(by_waves.values()), by_weights


def _taken_apart(
    local: Local, waves: Sequence[Waves], weights: Sequence[Weight]
) -> tuple[dict[int, Waves], list[Float[Tensor, "_ _"]]]:
    """Waves by their spin; weights as matrices, from the parts of all radial functions and channels to those of the output."""
    matrices = []
    for a, b in weights:
        rows = torch.stack((torch.cat((a, b), dim=-1), torch.cat((-b, a), dim=-1)), dim=1)
        matrices.append(rows.flatten(0, 2))
    return dict(zip(local.sources, waves, strict=True)), matrices


def _steps(local: Local, like: Tensor) -> Iterator[tuple[int, slice, slice, list[Tensor]]]:
    """Each block of each signal, with its tables."""
    tables = local.tables(like)
    for b in range(len(like)):
        for k, (rings, window) in enumerate(local.blocks):
            yield b, rings, window, [blocks[k] for blocks in tables]


def _near(T: Float[Tensor, "orders rows window"], z: Float[Tensor, "window orders columns"]) -> Tensor:
    """Sums over the rings of a window, `(orders, rows, columns)`."""
    room = workspace("sums over rings", z, *T.shape[:2], z.shape[-1])
    return torch.bmm(T, z.transpose(0, 1), out=room)
