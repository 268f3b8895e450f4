"""Molecules as one signal an atom: the density of its neighbours, element by element, shell by shell."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from equisphere import _checks
from equisphere.data._clouds import RadialFunctions
from equisphere.data._molecules import ORGANIC, checked_molecules
from equisphere.transforms import accumulate_each


@dataclass(frozen=True)
class Decaying:
    """Radial functions that are fine near the origin and end smoothly: b_k(r) = f(r) exp(-(K (e^{-r} - mu_k) / w)^2).

    mu_k lie evenly from e^{-reach} to 1 and w / K is half the distance of two of them: PhysNet's functions (Unke and
    Meuwly 2019, eqs. 7 and 8), whose width grows with r. f(r) = 1 - 6 x^5 + 15 x^4 - 10 x^3, x = r / reach, is 0 from the reach
    on, with two derivatives, so that no neighbour appears or leaves with a jump.

    Args:
        number: how many.
        reach: radius beyond which all vanish, Angstrom.

    Raises:
        ValueError: where the number is no integer from 2 on or the reach not positive.

    >>> Decaying(4, reach=5.0)(torch.tensor([0.0, 5.0, 6.0])).sum(-1)
    tensor([1.0183, 0.0000, 0.0000])
    """

    number: int
    reach: float = 5.0

    def __post_init__(self) -> None:
        if _checks.positive_int(self.number, "number of radial functions") < 2:
            raise ValueError("at least 2 radial functions are needed, got 1.")
        if not 0 < self.reach < float("inf"):
            raise ValueError(f"reach must be a positive number of Angstrom, got {self.reach}.")

    def __call__(self, radii: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """Values of all functions at some radii."""
        last = torch.tensor(-self.reach, dtype=radii.dtype, device=radii.device).exp()
        step = (1 - last) / (self.number - 1)
        centres = last + step * torch.arange(self.number, dtype=radii.dtype, device=radii.device)
        x = (radii / self.reach).clamp(max=1)
        fading = 1 - x**3 * (10 - x * (15 - 6 * x))
        return fading[..., None] * torch.exp(-((2 * ((-radii).exp()[..., None] - centres) / step) ** 2))


def neighbour_coefficients(
    charges: Integer[Tensor, "*batch atoms"],
    positions: Float[Tensor, "*batch atoms 3"],
    bandwidth: int,
    radial: RadialFunctions,
    elements: Sequence[int] = ORGANIC,
) -> Float[Tensor, "*batch atoms channels coefficients"]:
    r"""The density of the neighbours of each atom, one channel for each element and radial function.

    c_{i,ek,lm} = sum_{j != i, z_j = e} b_k(|p_j - p_i|) Y_lm(direction of p_j from p_i): the neighbour density of SOAP
    (Bartok et al. 2013, eq. 18) in harmonics, without any grid; turning the molecule turns the coefficients, exactly. Channel
    e * K + k holds element e and function k. Differentiable in the positions.

    Args:
        charges: nuclear charges `(..., atoms)`; 0 for padding, which has no neighbours and is none.
        positions: `(..., atoms, 3)`, Angstrom.
        bandwidth: band limit L.
        radial: radial functions b_k, such as `Decaying(8)`.
        elements: nuclear charges with channels of their own.

    Returns:
        `(..., atoms, elements * K, L*L)`, in the dtype of the positions.

    Raises:
        ValueError: as `molecule_coefficients`.

    >>> water = torch.tensor([8, 1, 1])
    >>> places = torch.tensor([[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]])
    >>> neighbour_coefficients(water, places, 4, Decaying(6), elements=(1, 8)).shape
    torch.Size([3, 12, 16])
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    known = checked_molecules(charges, positions, elements)
    leading, n = charges.shape[:-1], charges.shape[-1]
    z, p = charges.reshape(-1, n), positions.reshape(-1, n, 3)
    apart = p[:, None, :, :] - p[:, :, None, :]  # [set, i, j]: from i to j
    squared = (apart * apart).sum(-1)
    other = ~torch.eye(n, dtype=torch.bool, device=z.device) & (squared > 0)
    distance = torch.where(other, squared, 1).sqrt()
    b = radial(distance)
    channel = (z[:, None, :, None] == known) & other[..., None] & (z[:, :, None, None] > 0)  # [set, i, j, e]
    values = channel[..., None] * b[:, :, :, None, :]
    values = values.reshape(-1, n, len(known) * b.shape[-1]).mT
    c = accumulate_each(values, (apart / distance[..., None]).reshape(-1, n, 3), L)
    return c.reshape(*leading, n, -1, L * L)
