"""Equivariance error of an infinitesimal rotation."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor, nn

from equisphere.audit._infer import of_signals, offered
from equisphere.audit._measure import norm
from equisphere.audit._preserve import preserved
from equisphere.audit._representations import Invariant, Representation


def lie_error(
    model: nn.Module,
    signals: Shaped[Tensor, "batch *signal"],
    grid: Any = None,
    gives: Representation | None = None,
) -> Float64[Tensor, "3"]:
    """||d/dt (T(R_t.f) - R_t.T(f))|| / ||T(f)|| at t = 0 for rotations R_t by the angle t about x, y and z, per radian.

    The Lie derivative of Gruver et al. (2022), by forward-mode differentiation: no rotation is chosen, and three passes
    are all it costs. It vanishes for all three where the model is equivariant, and for z alone where it knows the axis. It
    says nothing of
    steps: a network of pooled maxima is flat between its jumps.

    Args:
        model: as for `audit`, measured in evaluation mode.
        signals: as for `audit`.
        grid: as for `audit`.
        gives: what the output is; the same as the input where it has its shape or size, else invariants.

    Raises:
        ValueError: where the model has an operation without forward-mode derivative, or the signals do not fit the grid.

    >>> import equisphere as es
    >>> bool((lie_error(es.nn.ZonalConv(1, 2, 8), torch.randn(2, 1, 64)) < 1e-4).all())
    True
    """
    takes, offer = offered(model)
    source = takes or of_signals(signals, grid)
    gives = gives or offer
    with torch.no_grad():
        first = source.contents(signals.detach())
    with preserved(model):
        if gives is None:
            with torch.no_grad():
                y = model(source.restore(first, signals))
            gives = (source.at(y) if y.ndim == signals.ndim else None) or Invariant()
        found = lie_errors(model, _turning(source, first, signals), gives, ((), {}))
    if isinstance(found, str):
        raise ValueError(
            f"the model has no forward-mode derivative: {found}. Measure it by rotations, `es.audit.audit(...)`."
        )
    return found


def _turning(source: Representation, first: Tensor, signals: Tensor) -> Callable[[Tensor | None], Tensor]:
    def rotated(matrix: Tensor | None) -> Tensor:
        return source.restore(first if matrix is None else source.turn(first, matrix), signals)

    return rotated


def lie_errors(
    model: nn.Module,
    rotated: Callable[[Tensor | None], Tensor],
    gives: Representation,
    extra: tuple[tuple[Any, ...], Mapping[str, Any]],
) -> Float64[Tensor, "3"] | str:
    """The errors about x, y and z; or why there are none."""
    one = torch.eye(3, dtype=torch.float64)

    def answer(x: Tensor) -> Tensor:
        out = model(x, *extra[0], **extra[1])
        return gives.contents(out if isinstance(out, Tensor) else next(t for t in _tensors(out)))

    changes = []
    try:
        with torch.no_grad():
            straight = answer(rotated(None))
        for axis in range(3):
            spin = torch.zeros(3, 3, dtype=torch.float64)
            spin[(axis + 2) % 3, (axis + 1) % 3], spin[(axis + 1) % 3, (axis + 2) % 3] = 1.0, -1.0

            def difference(R: Tensor) -> Tensor:
                return answer(rotated(R)) - gives.turn(straight, R)

            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # torch's to itself, when it first differentiates so
                change: Tensor = torch.func.jvp(difference, (one,), (spin,))[1]
            changes.append(norm(change.detach()) / norm(straight))
    except (RuntimeError, NotImplementedError, ValueError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return torch.stack(changes)


def _tensors(tree: Any) -> list[Tensor]:
    from torch.utils._pytree import tree_flatten

    return [x for x in tree_flatten(tree)[0] if isinstance(x, Tensor) and x.is_floating_point()]
