"""What a group is: elements with a measure, composition, inverse, identity; and the check that it is one."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor

from equisphere import _checks

#: up to so many elements `check_axioms` looks at all pairs, beyond that at those with one of about `FEW`
ALL_PAIRS, FEW = 512, 24


class Group(ABC):
    """A compact group, given by all of its elements or by nodes of a quadrature of its Haar measure.

    A group of one's own hands its elements to `Group.__init__` and defines `compose` and `inverse`; `check_axioms` tests it.
    docs/groups.md has one in ten lines.

    Elements are tensors of one shape, on the CPU; what uses them moves them to the device of its inputs, so that `compose` and
    `inverse` work wherever their arguments are.

    Attributes:
        elements: `(n, *element)`, one element a row; the first is the identity, unless a quadrature leaves it out.
        weights: `(n,)` Haar measure of each: 1 for finite groups (the counting measure).
        exact: whether `elements` are the whole group, closed under `compose`.

    Args:
        elements: as above.
        weights: as above; ones by default.

    Raises:
        ValueError: where there is no element, or not one weight for each.
    """

    elements: Shaped[Tensor, "n *element"]
    weights: Float64[Tensor, "n"]
    exact: bool = True

    def __init__(self, elements: Shaped[Tensor, "n *element"], weights: Float64[Tensor, "n"] | None = None) -> None:
        _checks.tensor(elements, "elements")
        if elements.ndim == 0 or len(elements) == 0:
            raise ValueError(f"elements must be (n, *element), n at least 1, got shape {tuple(elements.shape)}.")
        self.elements = elements
        self.weights = torch.ones(len(elements), dtype=torch.float64) if weights is None else weights
        if self.weights.shape != (len(elements),):
            raise ValueError(
                f"weights must be one for each of {len(elements)} elements, got {tuple(self.weights.shape)}."
            )

    @abstractmethod
    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """The product ab (first b, then a), with leading dimensions broadcast."""

    @abstractmethod
    def inverse(self, a: Tensor) -> Tensor:
        """The inverse of each element."""

    @property
    def identity(self) -> Tensor:
        """The neutral element: the first, unless a group says otherwise."""
        return self.elements[0]

    def sample(self, n: int, generator: torch.Generator | None = None) -> Shaped[Tensor, "n *element"]:
        """Elements drawn independently from the Haar measure, on the device of the generator.

        Of a group given by nodes alone, nodes are drawn, by their weights; SO2, SO3 and O3 draw from the whole group.
        """
        device = generator.device if generator is not None else "cpu"
        index = torch.multinomial(self.weights.to(device), _checks.positive_int(n, "n"), True, generator=generator)
        return self.elements.to(device)[index]

    def __len__(self) -> int:
        """Number of elements, or of nodes."""
        return len(self.elements)

    def __repr__(self) -> str:
        """What the group is, for `print`."""
        return f"{type(self).__name__}, {len(self)} {'elements' if self.exact else 'nodes'}"


class OrthogonalMatrices(Group):
    """Rotations of space, and reflections where a group has them, as 3 x 3 matrices, float64."""

    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """Product of matrices."""
        return a @ b

    def inverse(self, a: Tensor) -> Tensor:
        """Transpose."""
        return a.mT

    @property
    def identity(self) -> Tensor:
        """The unit matrix."""
        return torch.eye(3, dtype=torch.float64)


def check_axioms(group: Group, tolerance: float = 1e-9) -> None:
    """Check that a group is one: associative, with identity and inverses.

    Where all elements are given, also that none is given twice, that products are among them, and that they weigh the same.
    Identity and inverses are looked at for every element, associativity for the triples of about 24. Products: every pair of a
    group of up to 512 elements, every element with about 24 beyond.

    Args:
        group: the group.
        tolerance: by how much numbers may differ that should be one.

    Raises:
        ValueError: naming the axiom that fails and elements for which it does.

    >>> from equisphere.groups import Octahedral
    >>> check_axioms(Octahedral())
    """
    g, e = group.elements, group.identity[None]
    few = g[:: max(1, len(g) // FEW)]
    a, b, c = few[:, None, None], few[None, :, None], few[None, None, :]
    element = few.shape[1:]
    for name, found, wanted in (
        ("identity (e g = g)", group.compose(e, g), g),
        ("identity (g e = g)", group.compose(g, e), g),
        ("inverse (g^-1 g = e)", group.compose(group.inverse(g), g), e),
        ("associativity ((ab)c = a(bc))", group.compose(group.compose(a, b), c), group.compose(a, group.compose(b, c))),
    ):
        gap = (found.double() - wanted.double()).abs().reshape(*found.shape[: found.ndim - len(element)], -1).amax(-1)
        if not bool((gap <= tolerance).all()):
            first = (gap > tolerance).nonzero()[0].tolist()
            raise ValueError(f"{group!r} is no group: the axiom of {name} fails, first for elements number {first}.")
    if group.exact:
        _check_complete(group, g if len(g) <= ALL_PAIRS else few, tolerance)


def _check_complete(group: Group, factors: Tensor, tolerance: float) -> None:
    """Check that the elements differ, weigh the same, and are closed under products with `factors`."""
    g = group.elements
    if _different(g, tolerance) < len(g):
        raise ValueError(f"{group!r} is no group: an element is given more than once.")
    if bool((group.weights - group.weights[0]).abs().max() > tolerance):
        raise ValueError(f"{group!r} has no invariant measure: the elements of a finite group weigh the same.")
    for a in factors:
        if _different(torch.cat((g, group.compose(a[None], g))), tolerance) > len(g):
            raise ValueError(
                f"{group!r} is no group: it is not closed, a product with {a.tolist()} is not among its elements."
            )


def _different(elements: Tensor, tolerance: float) -> int:
    """How many different elements there are.

    Numbers that are one up to rounding are first given one value: sorted, they are runs without a gap.
    """
    values = elements.double().flatten()
    order = values.argsort()
    steps = values[order].diff(prepend=values[order][:1]) > tolerance
    ranks = torch.empty(len(values), dtype=torch.long)
    ranks[order] = steps.cumsum(0)
    return len(torch.unique(ranks.reshape(len(elements), -1), dim=0))
