"""Direct products of groups."""

from math import prod

import torch
from jaxtyping import Shaped
from torch import Tensor

from equisphere.groups._group import Group


class DirectProduct(Group):
    """The direct product G x H x ...: one element of each, composed each for itself.

    An element is one row of numbers: those of its factors, flattened, one after the other, in the dtype that holds them all.
    `split` gives the factors back, each as its own group has it; `join` puts them together. The Haar measure is the product
    of those of the factors.

    Args:
        factors: the groups.

    Raises:
        ValueError: where no group is given.

    >>> from equisphere.groups import Cyclic, Dihedral
    >>> G = DirectProduct(Cyclic(3), Dihedral(4))
    >>> len(G), G.elements.shape
    (24, torch.Size([24, 3]))
    >>> turn, symmetry = G.split(G.elements[-1])
    >>> turn, symmetry
    (tensor(2), tensor([3, 1]))
    """

    def __init__(self, *factors: Group) -> None:
        if not factors:
            raise ValueError("a direct product needs at least one group, such as `DirectProduct(Cyclic(3), SO3(4))`.")
        self.factors = factors
        self.exact = all(factor.exact for factor in factors)
        places = torch.cartesian_prod(*(torch.arange(len(factor)) for factor in factors)).reshape(-1, len(factors))
        weights = torch.ones(len(places), dtype=torch.float64)
        for factor, place in zip(factors, places.unbind(1), strict=True):
            weights = weights * factor.weights[place]
        parts = [factor.elements[place] for factor, place in zip(factors, places.unbind(1), strict=True)]
        super().__init__(self.join(*parts), weights)

    def split(self, a: Tensor) -> tuple[Tensor, ...]:
        """The factors of elements `(..., numbers)`, each `(..., *element)` of its group; whole numbers where it has such."""
        shapes = [factor.elements.shape[1:] for factor in self.factors]
        parts = a.split([prod(shape) for shape in shapes], dim=-1)
        return tuple(
            part.reshape((*a.shape[:-1], *shape)).to(
                a.dtype if factor.elements.is_floating_point() else factor.elements.dtype
            )
            for part, shape, factor in zip(parts, shapes, self.factors, strict=True)
        )

    def join(self, *parts: Tensor) -> Shaped[Tensor, "*batch numbers"]:
        """The element made of one of each factor, with leading dimensions broadcast: the inverse of `split`."""
        lead = [
            part.shape[: part.ndim + 1 - factor.elements.ndim] for part, factor in zip(parts, self.factors, strict=True)
        ]
        together = torch.broadcast_shapes(*lead)
        rows = [part.reshape(*shape, -1).expand(*together, -1) for part, shape in zip(parts, lead, strict=True)]
        return torch.cat(rows, dim=-1)

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Each factor composed for itself."""
        pairs = zip(self.factors, self.split(a), self.split(b), strict=True)
        return self.join(*(factor.compose(x, y) for factor, x, y in pairs))

    def inverse(self, a: Tensor) -> Tensor:
        """The inverse of each factor."""
        return self.join(*(factor.inverse(x) for factor, x in zip(self.factors, self.split(a), strict=True)))

    @property
    def identity(self) -> Tensor:
        """The identities of the factors."""
        return self.join(*(factor.identity for factor in self.factors))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Shaped[Tensor, "n numbers"]:
        """Independent draws from the factors."""
        return self.join(*(factor.sample(n, generator) for factor in self.factors))

    def __repr__(self) -> str:
        """The factors."""
        return f"DirectProduct({'; '.join(map(repr, self.factors))})"
