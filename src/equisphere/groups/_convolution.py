"""Group convolution on a homogeneous space, from its definition."""

import torch
from torch import Tensor

from equisphere.groups._actions import Action, Function, images_of
from equisphere.groups._group import Group

#: values of a kernel that are looked at in one go
CHUNK = 2**20


def convolve(
    f: Tensor | Function, h: Tensor | Function, group: Group, action: Action, pole: Tensor | int
) -> Tensor | Function:
    r"""(f * h)(x) = ∫_G f(g.eta) h(g^-1 x) dg: convolution on a homogeneous space E with pole eta (docs/math.md, 2).

    It commutes with G: (g.f) * h = g.(f * h). Circular convolution is Cyclic(n) on itself; convolution on the circle SO2, on
    the sphere SO3.

    On a finite set, f and h are tensors over its points in the last dimension, and points are indices; elsewhere they are
    functions of points, of which the convolution is another. Elements go to the device of f, or of the pole and the points, and
    take their dtype where both are floating point.

    Args:
        f: tensor `(..., |E|)`, or a function from points `(..., *point)` to values `(...)`.
        h: the kernel, of the same kind.
        group: its elements and weights are summed over: exact for finite groups, and on band-limited functions otherwise.
        action: from elements `(n, 1, *element)` and points `(1, m, *point)` to points `(n, m, *point)`.
        pole: a point of E.

    Returns:
        A tensor `(..., |E|)`, or a function of points `(m, *point)`.

    Raises:
        ValueError: where f and h are not of one kind, size, dtype and device, or the action leaves the set.

    >>> from equisphere.groups import Cyclic
    >>> f, h = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    >>> convolve(f, h, Cyclic(3), Cyclic(3).compose, pole=0)  # a shift by one
    tensor([0., 1., 2.])
    """
    if isinstance(f, Tensor) and isinstance(h, Tensor):
        return _over_a_set(f, h, group, action, torch.as_tensor(pole, device=f.device))
    if isinstance(f, Tensor) or isinstance(h, Tensor):
        raise ValueError("f and h must both be tensors (over a finite set) or both functions of points.")
    return _over_a_space(f, h, group, action, torch.as_tensor(pole))


def _over_a_set(f: Tensor, h: Tensor, group: Group, action: Action, pole: Tensor) -> Tensor:
    size = f.shape[-1]
    if h.shape[-1] != size:
        raise ValueError(f"f and h must be functions on one set, got {size} and {h.shape[-1]} points.")
    if f.dtype != h.dtype or f.device != h.device:
        raise ValueError(f"f and h must be alike, got {f.dtype} on {f.device} and {h.dtype} on {h.device}.")
    elements = group.elements.to(f.device)
    images = images_of(elements, action, pole.reshape(1), size)[:, 0]
    sources = images_of(group.inverse(elements), action, torch.arange(size, device=f.device), size)
    return torch.einsum("...g,...gx->...x", f[..., images] * group.weights.to(f), h[..., sources])


def _over_a_space(f: Function, h: Function, group: Group, action: Action, pole: Tensor) -> Function:
    values = f(action(_like(group.elements, pole)[:, None], pole[None, None])[:, 0])
    values = values * group.weights.to(values)

    def convolved(points: Tensor) -> Tensor:
        backward = group.inverse(_like(group.elements, points))
        step = max(1, CHUNK // max(1, len(points)))
        parts = zip(values.split(step), backward.split(step), strict=True)
        return sum((v[:, None] * h(action(g[:, None], points[None]))).sum(0) for v, g in parts)

    return convolved


def _like(elements: Tensor, points: Tensor) -> Tensor:
    """Elements where points are, in their dtype where both are floating point."""
    both = elements.is_floating_point() and points.is_floating_point()
    return elements.to(device=points.device, dtype=points.dtype if both else elements.dtype)
