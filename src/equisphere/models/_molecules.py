"""An energy that does not mind how a molecule is turned: a sum over atoms of functions of invariants."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from equisphere import _checks
from equisphere.models._configured import ConfiguredModule
from equisphere.nn import GlobalPool, PowerSpectrum, ZonalConv


class MoleculeRegressor(ConfiguredModule):
    """Energy of a molecule: sum over atoms of an offset of the element and of a network on the atom's surroundings.

    Each atom brings a signal, the density of its neighbours (`data.neighbour_coefficients`). A zonal convolution mixes its
    channels degree by degree; the norms of every degree of every mixture, squares of learned sums, hold all products of pairs
    of channels (the power spectrum of SOAP, Bartok et al. 2013, eq. 25, in a learned basis). They, and the means, go through an
    MLP whose hidden layer is scaled and shifted by the atom's element. Invariant under every rotation to rounding, since
    nothing meets a grid; and under reflections, as energies are.

    Args:
        in_channels: channels of each atom's signal.
        bandwidth: band limit L of the signals.
        mixtures: output channels of the convolution.
        hidden: widths of the hidden layers.
        elements: nuclear charges that occur.
        offsets: energy of each element by itself, kcal/mol: a linear model of the composition.
        scale: energy that an output of 1 of the MLP stands for, kcal/mol.

    Shape:
        coefficients `(batch, atoms, in_channels, L*L)` and charges `(batch, atoms)`, 0 for padding, to energies `(batch,)`.

    Raises:
        ValueError: where the numbers do not fit together, or an input does not fit the network.

    >>> model = MoleculeRegressor(in_channels=8, bandwidth=4, mixtures=6, elements=(1, 8), offsets=(-50.0, -60.0))
    >>> model(torch.randn(2, 3, 8, 16), torch.tensor([[8, 1, 1], [8, 1, 0]])).shape
    torch.Size([2])
    """

    charges: Tensor
    offsets: Tensor

    def __init__(
        self,
        in_channels: int,
        bandwidth: int = 5,
        mixtures: int = 64,
        hidden: Sequence[int] = (128, 64),
        elements: Sequence[int] = (1, 6, 7, 8, 16),
        offsets: Sequence[float] | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        hidden, elements = list(hidden), list(elements)
        offsets = [0.0] * len(elements) if offsets is None else [float(x) for x in offsets]
        if not hidden or len(offsets) != len(elements) or not elements:
            raise ValueError(
                f"a hidden layer and an offset for each element are needed, got hidden={hidden}, elements={elements}, "
                f"offsets={offsets}."
            )
        self.config = {
            "in_channels": _checks.positive_int(in_channels, "in_channels"),
            "bandwidth": _checks.positive_int(bandwidth, "bandwidth"),
            "mixtures": _checks.positive_int(mixtures, "mixtures"),
            "hidden": hidden,
            "elements": elements,
            "offsets": offsets,
            "scale": float(scale),
        }
        self.bandwidth, self.scale = bandwidth, float(scale)
        self.mix = ZonalConv(in_channels, mixtures, bandwidth)
        self.mean, self.spectrum = GlobalPool(), PowerSpectrum()
        invariants = mixtures * (bandwidth + 1)
        self.norm = nn.BatchNorm1d(invariants)
        self.first = nn.Linear(invariants, hidden[0])
        self.gain, self.shift = (nn.Embedding(len(elements), hidden[0]) for _ in range(2))
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)
        layers: list[nn.Module] = []
        for before, after in pairwise(hidden):
            layers += [nn.Linear(before, after), nn.SiLU()]
        self.rest = nn.Sequential(nn.SiLU(), *layers, nn.Linear(hidden[-1], 1))
        self.register_buffer("charges", torch.tensor(elements), persistent=False)
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.float64), persistent=False)

    def invariants(self, c: Float[Tensor, "n channels coefficients"]) -> Float[Tensor, "n invariants"]:
        """What the MLP sees of atoms: mean and norm of every degree of every mixture."""
        c = self.mix(c)
        return torch.cat((self.mean(c), self.spectrum(c).flatten(1)), dim=1)

    def forward(
        self, c: Float[Tensor, "batch atoms channels coefficients"], charges: Integer[Tensor, "batch atoms"]
    ) -> Float[Tensor, "batch"]:
        """Energies, kcal/mol."""
        _checks.real(c, "coefficients")
        if c.ndim != 4 or c.shape[:2] != charges.shape:
            raise ValueError(
                f"coefficients (batch, atoms, channels, L*L) need charges (batch, atoms), got {tuple(c.shape)} and "
                f"{tuple(charges.shape)}."
            )
        there = charges > 0
        which = (charges[there][:, None] == self.charges).int().argmax(1)
        if not torch.equal(self.charges[which], charges[there].to(self.charges.dtype)):
            raise ValueError(
                f"charges must be of the elements {self.config['elements']}, got {charges.unique().tolist()}."
            )
        x = self.first(self.norm(self.invariants(c[there])))
        found = self.scale * self.rest(x * (1 + self.gain(which)) + self.shift(which))[:, 0]
        atoms = torch.zeros_like(charges, dtype=torch.float64)
        atoms[there] = found.double() + self.offsets[which]
        return atoms.sum(1).to(c.dtype)
