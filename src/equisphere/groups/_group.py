"""What a group is: elements with a measure, composition, inverse, identity."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor


class Group(ABC):
    """A compact group, given by all of its elements or by nodes of a quadrature of its Haar measure.

    A group of one's own sets `elements` and `weights` and defines `compose` and `inverse`; `check_axioms` tests it.

    Attributes:
        elements: `(n, ...)`, one element a row; the first is the identity, unless a quadrature leaves it out.
        weights: `(n,)` Haar measure of each: 1 for finite groups (the counting measure).
        exact: whether `elements` are the whole group, closed under `compose`.
    """

    elements: Shaped[Tensor, "n *element"]
    weights: Float64[Tensor, "n"]
    exact: bool = True

    @abstractmethod
    def compose(self, a: Tensor, b: Tensor) -> Tensor:
        """The product ab (first b, then a), with leading dimensions broadcast."""

    @abstractmethod
    def inverse(self, a: Tensor) -> Tensor:
        """The inverse of each element."""

    @property
    @abstractmethod
    def identity(self) -> Tensor:
        """The neutral element."""

    def __len__(self) -> int:
        """Number of elements, or of nodes."""
        return len(self.elements)

    def __repr__(self) -> str:
        """What the group is, for `print`."""
        return f"{type(self).__name__}, {len(self)} {'elements' if self.exact else 'nodes'}"


class Rotations(Group):
    """Rotations of space as 3 x 3 matrices, float64."""

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
    """Check that a group is one: associative, with identity and inverses, closed where it is given by all elements.

    Every pair of elements of a finite group is looked at, and triples of a sample of at most 24.

    Raises:
        ValueError: naming the axiom that fails and elements for which it does.

    >>> from equisphere.groups import Octahedral
    >>> check_axioms(Octahedral())
    """

    def same(x: Tensor, y: Tensor) -> Tensor:
        x, y = torch.broadcast_tensors(x, y)
        gap = (x.double() - y.double()).abs()
        return gap.flatten(2).amax(-1) <= tolerance if gap.ndim > 2 else gap <= tolerance

    g = group.elements
    step = max(1, len(g) // 24)
    few = g[::step]
    e = group.identity
    for name, found in (
        ("identity (e g = g)", same(group.compose(e[None], g)[None], g[None])),
        ("identity (g e = g)", same(group.compose(g, e[None])[None], g[None])),
        ("inverse (g^-1 g = e)", same(group.compose(group.inverse(g), g)[None], e[None, None])),
        (
            "associativity ((ab)c = a(bc))",
            torch.stack(
                [
                    same(group.compose(group.compose(few, b), c)[None], group.compose(few, group.compose(b, c))[None])
                    for b in few
                    for c in few
                ]
            ).flatten(0, 1),
        ),
    ):
        if not bool(found.all()):
            raise ValueError(
                f"{group!r} is no group: the axiom of {name} fails, first at {found.logical_not().nonzero()[0].tolist()}."
            )
    if group.exact:
        flat = g.double().flatten(1) if g.ndim > 1 else g.double()[:, None]
        for a in g:
            products = group.compose(a[None], g).double()
            products = products.flatten(1) if products.ndim > 1 else products[:, None]
            if float(torch.cdist(products, flat).amin(1).max()) > 1e-6:
                raise ValueError(
                    f"{group!r} is no group: it is not closed, a product with {a.tolist()} is not among its elements."
                )
