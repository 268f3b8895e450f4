"""The even and odd part of samples about the equator: northern rings are enough for either."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.transforms._workspace import workspace


class Halves:
    """Sums and differences of each northern ring and its mirror image, and back; or the samples as they are.

    Args:
        colatitudes: of the rings, from north to south.
        apart: whether even and odd parts are taken apart.
    """

    def __init__(self, colatitudes: np.ndarray, apart: bool) -> None:
        self.parities = 2 if apart else 1
        rings = len(colatitudes)
        self.north = int(np.sum(colatitudes <= np.pi / 2 + 1e-9)) if apart else rings
        first = int(np.argmin(abs(colatitudes[: self.north] + colatitudes[-1] - np.pi)))
        #: northern rings that have a mirror image; the i-th of them, that of the i-th ring from the south
        self.paired = slice(first, first + rings - self.north)

    def fold(self, f: Float[Tensor, "n *nodes"]) -> Float[Tensor, "parities n *nodes_of_half"]:
        """Sum and difference of each northern ring and its mirror image (nothing, where it has none)."""
        if self.parities == 1:
            return f[None]
        north, south = f[:, : self.north], f[:, self.north :].flip(1)
        halves = workspace("halves", f, 2, *north.shape)
        if south.shape != north.shape:
            halves.copy_(north.expand_as(halves))
        torch.add(north[:, self.paired], south, out=halves[0, :, self.paired])
        torch.sub(north[:, self.paired], south, out=halves[1, :, self.paired])
        return halves

    def unfold(self, halves: Float[Tensor, "parities n rings nlon"], f: Float[Tensor, "n nlat nlon"]) -> None:
        """Write the rings in the grid's order from the northern ones of each parity, which are used up."""
        even, odd = halves
        torch.add(even, odd, out=f[:, : self.north])
        south = torch.sub(even[:, self.paired], odd[:, self.paired], out=odd[:, self.paired])
        f[:, self.north :] = south.flip(1)
