"""Group convolution on a homogeneous space, from its definition."""

from collections.abc import Callable

import torch
from torch import Tensor

from equisphere.groups._group import Group

Action = Callable[[Tensor, Tensor], Tensor]
Function = Callable[[Tensor], Tensor]


def convolve(
    f: Tensor | Function, h: Tensor | Function, group: Group, action: Action, pole: Tensor | int
) -> Tensor | Function:
    r"""(f * h)(x) = ∫_G f(g.eta) h(g^-1 x) dg: convolution on a homogeneous space E with pole eta (docs/math.md, 2).

    It commutes with G: (g.f) * h = g.(f * h). Circular convolution is Cyclic(n) on itself; convolution on the circle SO2, on
    the sphere SO3.

    On a finite set, f and h are tensors over its points in the last dimension, and points are indices; elsewhere they are
    functions of points, of which the convolution is another.

    Args:
        f: tensor `(..., |E|)`, or a function from points `(..., *point)` to values `(...)`.
        h: the kernel, of the same kind.
        group: its elements and weights are summed over: exact for finite groups, and on band-limited functions otherwise.
        action: from elements `(n, 1, *element)` and points `(1, m, *point)` to points `(n, m, *point)`.
        pole: a point of E.

    Returns:
        A tensor `(..., |E|)`, or a function of points `(m, *point)`.

    Raises:
        ValueError: where f and h are not of one kind or size, or the action leaves the set.

    >>> from equisphere.groups import Cyclic
    >>> f, h = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    >>> convolve(f, h, Cyclic(3), lambda g, x: (g + x) % 3, pole=0)  # a shift by one
    tensor([0., 1., 2.])
    """
    pole = torch.as_tensor(pole)
    elements = group.elements
    element = elements.shape[1:]
    backward = group.inverse(elements).reshape(len(elements), 1, *element)
    images = action(elements.reshape(len(elements), 1, *element), pole[None, None])[:, 0]
    if isinstance(f, Tensor) and isinstance(h, Tensor):
        size = f.shape[-1]
        if h.shape[-1] != size:
            raise ValueError(f"f and h must be functions on one set, got {size} and {h.shape[-1]} points.")
        sources = action(backward, torch.arange(size)[None])
        if int(sources.min()) < 0 or int(sources.max()) >= size or int(images.max()) >= size:
            raise ValueError(f"the action must take points 0 .. {size - 1} to such points, got {int(sources.max())}.")
        weighted = f[..., images] * group.weights.to(f)
        return torch.einsum("...g,...gx->...x", weighted, h[..., sources])
    if isinstance(f, Tensor) or isinstance(h, Tensor):
        raise ValueError("f and h must both be tensors (over a finite set) or both functions of points.")
    values = f(images) * group.weights.to(images)

    def convolved(points: Tensor) -> Tensor:
        return torch.einsum("g,gx->x", values, h(action(backward, points[None])))

    return convolved
