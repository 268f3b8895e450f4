"""Signals that are answered by signals: what goes in, what should come out, and in which orientation."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.utils.data import Dataset

from equisphere.data._parts import Batch
from equisphere.grids import Grid
from equisphere.groups import random_rotations
from equisphere.transforms import SHT, VectorSHT, rotate


@dataclass(frozen=True)
class Readout:
    """What the output for a batch is compared with: values at nodes, what each node counts, and how the input was turned.

    The values are never resampled. Where the input was turned by R, the output f is read at the turned nodes R x_j, that is,
    R^-1.f at the nodes: exact, since f has coefficients. So an error of the turned problem is one of the network alone.

    Attributes:
        values: `(n, *grid.shape)` or `(n, channels, *grid.shape)`.
        weights: what each node counts, `(n, *grid.shape)`: quadrature weights where something is known, 0 elsewhere.
        grid: the nodes.
        rotations: how each input was turned, `(n, 3, 3)`; None for not at all.
        fields: outputs are tangent fields, of two channels each (`transforms.VectorSHT`), rather than scalars.
    """

    values: Shaped[Tensor, "n *channels_and_nodes"]
    weights: Float[Tensor, "n *nodes"]
    grid: Grid
    rotations: Float[Tensor, "n 3 3"] | None = None
    fields: bool = False

    def __len__(self) -> int:
        """Number of signals."""
        return len(self.values)

    def to(self, device: torch.device | str) -> "Readout":
        """The same on another device."""
        turned = None if self.rotations is None else self.rotations.to(device)
        return replace(self, values=self.values.to(device), weights=self.weights.to(device), rotations=turned)

    def read(self, c: Float[Tensor, "n channels coefficients"]) -> Float[Tensor, "n channels *nodes"]:
        """Output coefficients as samples at the nodes, in the frame of the values."""
        if self.rotations is not None:
            c = rotate(c, self.rotations.mT[:, None])
        bandwidth = round(c.shape[-1] ** 0.5)
        if not self.fields:
            return SHT(self.grid, bandwidth).inverse(c)
        return VectorSHT(self.grid, bandwidth).inverse(c.unflatten(1, (-1, 2))).flatten(1, 2)  # type: ignore[arg-type]


class DenseSignals(Dataset):
    """A part of a data set of dense tasks; what comes for a `Batch` is `(coefficients (n, channels, L*L), Readout)`.

    Args:
        inputs: coefficients `(n, channels, L*L)`.
        target: all of the values, upright.
        seed: of the rotations.
        rotated: turn each input by a rotation of its own, drawn from the Haar measure by (seed, index).
        fresh: anew in each epoch.
    """

    def __init__(
        self,
        inputs: Float[Tensor, "n channels coefficients"],
        target: Readout,
        seed: int,
        rotated: bool = False,
        fresh: bool = False,
    ) -> None:
        self.inputs, self.target = inputs, target
        self.seed, self.rotated, self.fresh = seed, rotated, fresh

    def __len__(self) -> int:
        """Number of signals."""
        return len(self.inputs)

    def __getitem__(self, batch: Batch) -> tuple[Float[Tensor, "n channels coefficients"], Readout]:
        """Inputs and what is wanted of some of them."""
        c, target = self.inputs[batch.index], self.target
        target = replace(target, values=target.values[batch.index], weights=target.weights[batch.index])
        turns = self.rotations(batch)
        if turns is None:
            return c, target
        return rotate(c, turns[:, None]), replace(target, rotations=turns)

    def rotations(self, batch: Batch) -> Float[Tensor, "n 3 3"] | None:
        """How some of them are turned; None for not at all."""
        if not self.rotated:
            return None
        return random_rotations(len(self), self.generator(batch.epoch if self.fresh else 0), torch.float32)[batch.index]

    def generator(self, epoch: int) -> torch.Generator:
        """A source of randomness for an epoch; epoch 0 is that of what stays."""
        return torch.Generator().manual_seed(self.seed + 1_000_003 * epoch)
