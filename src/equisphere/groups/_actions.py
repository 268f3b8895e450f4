"""Left actions of groups: on sets, on functions, on what modules take.

Two kinds of callables, `(g, x) -> g.x` both:
- an action on a set takes elements `(..., *element)` and points `(..., *point)`, broadcasts their leading dimensions, and gives
  points `(..., *point)`;
- an action on inputs takes one element `(*element)` and a tensor of any number of signals, channels in front untouched.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.groups._finite import Dihedral
from equisphere.groups._group import FEW, Group

Action = Callable[[Tensor, Tensor], Tensor]
Function = Callable[[Tensor], Tensor]


def act_trivially(g: Tensor, x: Any) -> Any:
    """g.x = x: the action on the output of an invariant function.

    >>> act_trivially(torch.tensor(1), "a label")
    'a label'
    """
    return x


def act_on_points(g: Shaped[Tensor, "*elements d d"], x: Shaped[Tensor, "*points d"]) -> Shaped[Tensor, "*images d"]:
    """Matrices on points: rotations (and reflections) of space on the sphere, or on whole space.

    Args:
        g: matrices `(..., d, d)`.
        x: points `(..., d)`; the result has their dtype.

    >>> from equisphere.groups import Octahedral, check_action
    >>> check_action(Octahedral(), act_on_points, torch.randn(7, 3, dtype=torch.float64))
    """
    return (g.to(x.dtype) @ x[..., None])[..., 0]


def act_on_indices(g: Int[Tensor, "*elements n"], x: Int[Tensor, "*points"]) -> Int[Tensor, "*images"]:
    """Permutations on what they permute: g.i = g(i), for i in 0 .. n-1.

    >>> act_on_indices(torch.tensor([1, 2, 0]), torch.tensor([0, 2]))
    tensor([1, 0])
    """
    lead = torch.broadcast_shapes(g.shape[:-1], x.shape)
    return g.expand(*lead, -1).gather(-1, x.expand(lead)[..., None])[..., 0]


def act_on_pixels(size: int) -> Action:
    """Dihedral(4) on the pixels of a square image, numbered row by row: the set action beneath `act_on_images`.

    (k, s) flips top and bottom where s is 1, then turns by k times 90 degrees, anticlockwise as one looks at the image.

    Args:
        size: rows, as many as columns.

    Returns:
        An action on the indices 0 .. size*size-1.

    >>> act_on_pixels(2)(torch.tensor([1, 0]), torch.arange(4))  # a quarter turn
    tensor([2, 0, 3, 1])
    """
    n = _checks.positive_int(size, "size")
    corners = Dihedral(4)

    def act(g: Tensor, x: Tensor) -> Tensor:
        row, column = x // n, x % n
        place = torch.stack((2 * column - (n - 1), (n - 1) - 2 * row), dim=-1)  # (to the right, up) from the middle
        to_right, up = (corners.matrices(g).round().long() * place[..., None, :]).sum(-1).unbind(-1)
        return ((n - 1) - up) // 2 * n + (to_right + (n - 1)) // 2

    return act


def act_on_functions(group: Group, action: Action) -> Callable[[Tensor, Any], Any]:
    """(g.f)(x) = f(g^-1 x): the left action on functions that an action on their points makes (docs/math.md, 1).

    Args:
        group: gives the inverse.
        action: on points.

    Returns:
        An action (g, f) -> g.f for one element g. f is a tensor `(..., |E|)` over a finite set of points 0 .. |E|-1, or a
        function of points `(m, *point)`, and g.f of the same kind.

    >>> from equisphere.groups import Cyclic
    >>> act = act_on_functions(Cyclic(4), Cyclic(4).compose)
    >>> act(torch.tensor(1), torch.tensor([5.0, 6.0, 7.0, 8.0]))  # moved to the right
    tensor([8., 5., 6., 7.])
    """

    def act(g: Tensor, f: Tensor | Function) -> Tensor | Function:
        back = group.inverse(g[None])[:, None]
        if isinstance(f, Tensor):
            return f[..., action(back.to(f.device), torch.arange(f.shape[-1], device=f.device)[None])[0]]
        return lambda points: f(action(back.to(points.device), points[None])[0])

    return act


def act_on_nodes(g: Int[Tensor, "n"], x: Shaped[Tensor, "*batch n channels"]) -> Shaped[Tensor, "*batch n channels"]:
    """A permutation on the features of nodes: node i becomes node g(i), with all of its channels.

    Raises:
        ValueError: where x has another number of nodes.

    >>> act_on_nodes(torch.tensor([1, 2, 0]), torch.tensor([[0.0], [10.0], [20.0]])).T
    tensor([[20.,  0., 10.]])
    """
    return x.index_select(-2, _back(g, x, -2))


def act_on_edges(g: Int[Tensor, "n"], x: Shaped[Tensor, "*batch n n"]) -> Shaped[Tensor, "*batch n n"]:
    """A permutation on an adjacency matrix, or any numbers for pairs of nodes: (i, j) becomes (g(i), g(j)).

    Raises:
        ValueError: where x has another number of nodes.

    >>> act_on_edges(torch.tensor([1, 0, 2]), torch.tensor([[0, 1, 2], [0, 0, 3], [0, 0, 0]]))
    tensor([[0, 0, 3],
            [1, 0, 2],
            [0, 0, 0]])
    """
    return x.index_select(-2, _back(g, x, -2)).index_select(-1, _back(g, x, -1))


def _back(g: Tensor, x: Tensor, dim: int) -> Tensor:
    """The inverse permutation, on the device of x."""
    if x.ndim < -dim or x.shape[dim] != g.shape[-1]:
        raise ValueError(
            f"a permutation of {g.shape[-1]} nodes needs as many in dimension {dim}, got shape {tuple(x.shape)}."
        )
    return g.argsort().to(x.device)


def act_on_images(g: Int[Tensor, "2"], x: Shaped[Tensor, "*channels n n"]) -> Shaped[Tensor, "*channels n n"]:
    """An element (k, s) of Dihedral(4) on square images: flip top and bottom where s is 1, then k quarter turns anticlockwise.

    Channels, and whatever else stands in front, are untouched.

    Raises:
        ValueError: where the images are not square.

    >>> act_on_images(torch.tensor([1, 0]), torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"quarter turns need square images (..., n, n), got shape {tuple(x.shape)}.")
    turns, flip = g.tolist()
    return (x.flip(-2) if flip else x).rot90(turns, (-2, -1))


def action_table(group: Group, action: Action, size: int) -> Int[Tensor, "elements points"]:
    """A finite set on which a group acts, as numbers: entry (i, x) is g_i.x, for the points x = 0 .. size-1.

    Args:
        group: of n elements.
        action: of elements `(n, 1, *element)` and points `(1, size)`, to indices of points `(n, size)`.
        size: number of points.

    Raises:
        ValueError: where the action leaves the set, or takes two points to one.

    >>> from equisphere.groups import Cyclic
    >>> action_table(Cyclic(3), Cyclic(3).compose, 3)
    tensor([[0, 1, 2],
            [1, 2, 0],
            [2, 0, 1]])
    """
    size = _checks.positive_int(size, "size")
    table = images_of(group.elements, action, torch.arange(size), size)
    if not bool((table.sort(-1).values == torch.arange(size)).all()):
        raise ValueError("an element must permute the points, but two of them are taken to one.")
    return table


def images_of(
    elements: Tensor, action: Action, points: Int[Tensor, "points"], size: int
) -> Int[Tensor, "elements points"]:
    """g.x for each element and each point of a finite set, checked to be points of it."""
    images = action(elements[:, None], points[None])
    if images.shape != (len(elements), len(points)) or images.is_floating_point():
        raise ValueError(
            f"the action must take elements (n, 1, *element) and points (1, m) to indices of points (n, m), "
            f"{(len(elements), len(points))} here, got {images.dtype} of shape {tuple(images.shape)}."
        )
    low, high = int(images.min()), int(images.max())
    if low < 0 or high >= size:
        raise ValueError(f"the action must take points 0 .. {size - 1} to such points, got {low if low < 0 else high}.")
    return images


def check_action(group: Group, action: Action, points: Shaped[Tensor, "m *point"], tolerance: float = 1e-9) -> None:
    """Check that an action on a set is one, a left one: e.x = x and (gh).x = g.(h.x).

    At the points given, for pairs of about 24 elements. f(gx) in the place of f(g^-1 x) is the usual way to miss it.

    Args:
        group: the group.
        action: takes elements `(n, 1, *element)` and points `(1, m, *point)` to points `(n, m, *point)`.
        points: where to look, `torch.arange(size)` for all points of a finite set.
        tolerance: by how much coordinates may differ that should be one; the default is for float64.

    Raises:
        ValueError: naming the law that fails, and where.

    >>> from equisphere.groups import Symmetric
    >>> check_action(Symmetric(4), act_on_indices, torch.arange(4))
    """
    g = group.elements
    few = g[:: max(1, len(g) // FEW)].to(points.device)
    laws = [("e.x = x", action(group.identity.to(points.device)[None, None], points[None]), points[None])]
    for h in few:
        then = action(few[:, None], action(h[None, None], points[None]))
        laws.append(("(gh).x = g.(h.x)", action(group.compose(few, h[None])[:, None], points[None]), then))
    for law, found, wanted in laws:
        gap = (found.double() - wanted.double()).abs()
        if not bool((gap <= tolerance).all()):
            raise ValueError(
                f"this is no left action of {group!r}: {law} fails, by {float(gap.max()):.2g}. Functions are acted on by "
                "(g.f)(x) = f(g^-1 x), not f(gx)."
            )
