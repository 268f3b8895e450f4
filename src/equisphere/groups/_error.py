"""Equivariance error of any function under any two actions of a group."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.groups._group import Group


@dataclass(frozen=True)
class EquivarianceError:
    """What `equivariance_error` found.

    Attributes:
        errors: relative error for each element that was tried, float64.
        elements: those elements.
        mean: Haar average of the error.
        interval: confidence interval of that average (a point, where every element was tried).
        worst: largest error.
        worst_element: the element that gives it.

    >>> EquivarianceError(torch.tensor([0.1, 0.3]), torch.arange(2), 0.2, (0.2, 0.2)).worst_element
    tensor(1)
    """

    errors: Float[Tensor, "n"]
    elements: Shaped[Tensor, "n *element"]
    mean: float
    interval: tuple[float, float]

    @property
    def worst(self) -> float:
        """Largest error."""
        return float(self.errors.max())

    @property
    def worst_element(self) -> Tensor:
        """The element that gives it."""
        return self.elements[self.errors.argmax()]


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    group: Group | Shaped[Tensor, "n *element"],
    act_in: Callable[[Tensor, Tensor], Tensor],
    act_out: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    samples: int | None = None,
    generator: torch.Generator | None = None,
    confidence: float = 0.95,
) -> EquivarianceError:
    """||T(g.x) - g.T(x)|| / ||g.T(x)|| over the elements of a group (docs/math.md, 1), without gradients.

    Norms are over all signals at once. Elements go to the device of the inputs; floating point ones to their precision too
    (float32 for half precisions).

    Args:
        function: T. A module is called as it is: `.eval()` it first, where it has another behaviour while it trains.
        group: whose elements, or quadrature nodes, are all tried, and averaged by their Haar weights. Or a tensor of elements
            `(n, *element)`, averaged evenly: the interval then takes them for independent draws from some distribution, and is
            for the mean of that.
        act_in: (g, x) -> g.x on inputs, for one element g. `act_on_images`, `act_on_nodes`, `act_on_functions`,
            `es.transforms.act_on_coefficients` are such.
        act_out: the same on outputs; `act_trivially` for invariance.
        inputs: x, all signals at once.
        samples: try so many elements drawn from the Haar measure rather than all.
        generator: source of randomness of the draw.
        confidence: that the interval covers the mean, by Student's distribution: right for many samples; for few, as far as
            errors are distributed normally.

    Raises:
        ValueError: where the output vanishes, so that no relative error exists; is not finite; or has another shape for other
            elements.

    >>> from equisphere.groups import Cyclic
    >>> def shift(g, x):
    ...     return x.roll(int(g), dims=-1)
    >>> x = torch.randn(3, 8)
    >>> equivariance_error(torch.relu, Cyclic(8), shift, shift, x).worst
    0.0
    >>> equivariance_error(lambda x: x.cumsum(-1), Cyclic(8), shift, shift, x).mean > 0.1
    True
    """
    if not callable(function):
        raise ValueError(f"function must be callable, such as a module, got {function!r}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}.")
    _checks.tensor(inputs, "inputs")
    weights = None
    if isinstance(group, Tensor):
        if samples is not None:
            raise ValueError("samples are drawn from a group: give one, or the elements to try without samples.")
        if group.ndim == 0 or len(group) == 0:
            raise ValueError(f"elements to try must be (n, *element), n at least 1, got shape {tuple(group.shape)}.")
        chosen = group
    elif samples is not None:
        chosen = group.sample(samples, generator)
    else:
        chosen, weights = group.elements, group.weights
    chosen = _beside(chosen, inputs)
    with torch.no_grad():
        straight = function(inputs)
        found = torch.stack([relative_error(function(act_in(g, inputs)), act_out(g, straight)) for g in chosen])
    _checks.finite(found, "the output of the function at transformed inputs")
    if weights is not None:
        mean = float((found * weights.to(found)).sum()) / float(weights.sum())
        return EquivarianceError(found, chosen, mean, (mean, mean))
    return EquivarianceError(found, chosen, float(found.mean()), _interval(found, confidence))


def _interval(draws: Float[Tensor, "n"], confidence: float) -> tuple[float, float]:
    """Student's interval for the mean of a number that is not negative; of one draw, nothing is known."""
    if len(draws) == 1:
        return 0.0, inf
    from scipy.special import stdtrit

    half = float(stdtrit(len(draws) - 1, (1 + confidence) / 2)) * float(draws.std()) / sqrt(len(draws))
    return max(0.0, float(draws.mean()) - half), float(draws.mean()) + half


def _beside(elements: Tensor, inputs: Tensor) -> Tensor:
    """Elements on the device of the inputs, and in their precision, single at the least."""
    single = (torch.float32, torch.complex64, torch.float16, torch.bfloat16)
    if elements.is_floating_point() and (inputs.is_floating_point() or inputs.is_complex()):
        elements = elements.to(torch.float32 if inputs.dtype in single else torch.float64)
    return elements.to(inputs.device)


def relative_error(found: Shaped[Tensor, "*shape"], expected: Shaped[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """||found - expected|| / ||expected||, over all of both tensors, in float64.

    Raises:
        ValueError: where their shapes differ, or what is expected vanishes or is not finite.

    >>> float(relative_error(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])))
    0.2
    """
    if found.shape != expected.shape:
        raise ValueError(
            f"outputs to compare must have one shape, got T(g.x) of {tuple(found.shape)} and g.T(x) of "
            f"{tuple(expected.shape)}: the action on outputs must fit them."
        )
    _checks.finite(
        expected if expected.is_floating_point() or expected.is_complex() else expected.double(), "the output"
    )
    wide = torch.complex128 if expected.is_complex() or found.is_complex() else torch.float64
    size = expected.to(wide).norm()
    if not bool(size > 0):
        raise ValueError("the output is zero everywhere, so that it has no relative error: give other signals.")
    return (found.to(wide) - expected.to(wide)).norm() / size
