"""Equivariance error of any function under any two actions of a group."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.groups._group import Group


@dataclass(frozen=True)
class EquivarianceError:
    """What `equivariance_error` found.

    Attributes:
        errors: relative error for each element that was tried.
        elements: those elements.
        mean: Haar average of the error.
        interval: 95 % confidence interval of that average (a point, where every element was tried).
        worst: largest error.

    >>> EquivarianceError(torch.tensor([0.1, 0.3]), torch.arange(2), 0.2, (0.2, 0.2), 0.3).worst
    0.3
    """

    errors: Float[Tensor, "n"]
    elements: Tensor
    mean: float
    interval: tuple[float, float]
    worst: float


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    group: Group,
    act_in: Callable[[Tensor, Tensor], Tensor],
    act_out: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    samples: int | None = None,
    generator: torch.Generator | None = None,
) -> EquivarianceError:
    """||T(g.x) - g.T(x)|| / ||g.T(x)|| over the elements of a group (docs/math.md, 1).

    Args:
        function: T.
        group: whose elements, or quadrature nodes, are tried.
        act_in: (g, x) -> g.x on inputs, for one element g.
        act_out: the same on outputs; `lambda g, y: y` for invariance.
        inputs: x, all signals at once.
        samples: try so many elements drawn from the Haar measure rather than all.
        generator: source of randomness of the draw.

    Raises:
        ValueError: where the output vanishes, so that no relative error exists.

    >>> from equisphere.groups import Cyclic
    >>> def shift(g, x):
    ...     return x.roll(int(g), dims=-1)
    >>> x = torch.randn(3, 8)
    >>> equivariance_error(torch.relu, Cyclic(8), shift, shift, x).worst
    0.0
    >>> equivariance_error(lambda x: x.cumsum(-1), Cyclic(8), shift, shift, x).mean > 0.1
    True
    """
    chosen, weights = group.elements, group.weights
    if samples is not None:
        index = torch.multinomial(weights, samples, replacement=True, generator=generator)
        chosen, weights = chosen[index], torch.ones(samples, dtype=torch.float64)
    with torch.no_grad():
        straight = function(inputs)
        errors = []
        for g in chosen:
            errors.append(relative_error(function(act_in(g, inputs)), act_out(g, straight)))
    found = torch.stack(errors)
    mean = float((found * weights).sum() / weights.sum())
    half = 1.96 * float(found.std()) / sqrt(len(found)) if samples is not None and samples > 1 else 0.0
    return EquivarianceError(found, chosen, mean, (mean - half, mean + half), float(found.max()))


def relative_error(found: Tensor, expected: Tensor) -> Float[Tensor, ""]:
    """||found - expected|| / ||expected||, over all of both tensors, in float64.

    Raises:
        ValueError: where what is expected vanishes.

    >>> float(relative_error(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])))
    0.2
    """
    wide = torch.complex128 if expected.is_complex() else torch.float64
    size = expected.to(wide).norm()
    if not bool(size > 0):
        raise ValueError("the output is zero everywhere, so that it has no relative error: give other signals.")
    return (found.to(wide) - expected.to(wide)).norm() / size
