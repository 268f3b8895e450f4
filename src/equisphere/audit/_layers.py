"""Equivariance as a measured number, layer by layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.groups import relative_error
from equisphere.transforms import rotate


def rotation_error(
    function: Callable[[Tensor], Tensor],
    c: Float[Tensor, "*batch coefficients"],
    R: Float[Tensor, "n 3 3"],
    invariant: bool = False,
) -> Float[Tensor, "n"]:
    """||T(R.f) - R.T(f)|| / ||R.T(f)|| for each rotation R (Cobb et al. 2021), over the whole batch at once.

    Coefficients are rotated, never samples, so that nothing but T adds to the error.

    Args:
        function: T, coefficients `(..., L*L)` to coefficients of any band limit, or to invariants. A module is measured in
            evaluation mode.
        c: coefficients of the signals f.
        R: rotation matrices.
        invariant: the output does not turn with the input: compare with T(f) itself. Say so for logits, which are taken
            for coefficients otherwise wherever their number is a square.

    Raises:
        ValueError: where the output vanishes, so that no relative error exists, is not finite, or cannot be rotated.

    >>> c, R = torch.randn(2, 3, 64), torch.linalg.qr(torch.randn(4, 3, 3))[0]
    >>> R = R * torch.linalg.det(R)[:, None, None]
    >>> bool((rotation_error(lambda c: 2 * c, c, R) < 1e-5).all())
    True
    """
    if not callable(function):
        raise ValueError(f"function must be callable, such as a module, got {function!r}.")
    with _evaluating(function), torch.no_grad():
        straight = function(c)
        _checks.finite(straight, "the output of the function")
        errors = []
        for matrix in R:
            expected = straight if invariant else _turned(straight, matrix)
            errors.append(relative_error(function(rotate(c, matrix)), expected))
    return torch.stack(errors)


@contextmanager
def _evaluating(function: object) -> Iterator[None]:
    """Put a module into evaluation mode, and each of its parts back into the mode in which it was."""
    modes = [(part, part.training) for part in function.modules()] if isinstance(function, nn.Module) else []
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _turned(output: Tensor, matrix: Tensor) -> Tensor:
    try:
        return rotate(output, matrix)
    except ValueError as error:
        raise ValueError(
            f"the output cannot be rotated as coefficients; for invariants, give invariant=True. {error}"
        ) from None


@dataclass(frozen=True)
class LayerError:
    """Equivariance error of one layer in a network.

    Attributes:
        name: qualified name of the submodule; empty for the model itself.
        kind: its class.
        own: relative error that the layer adds, for each rotation: that on the input which reaches it.
        reaching: relative error at its output, of the whole network up to there, for each rotation.
    """

    name: str
    kind: str
    own: Float[Tensor, "n"]
    reaching: Float[Tensor, "n"]


def layer_errors(
    model: nn.Module, c: Float[Tensor, "batch channels coefficients"], R: Float[Tensor, "n 3 3"]
) -> list[LayerError]:
    """Measure every layer of a network in coefficients, in evaluation mode, in the order in which they run.

    A layer is a submodule without submodules; one that receives `(batch, channels, L*L)` is taken to give coefficients again
    unless it says by an attribute `gives_invariants = True` that it does not, and one that receives anything else to act on
    invariants. The mode of every part is restored.

    Args:
        model: a network whose input is coefficients.
        c: signals to measure on.
        R: rotation matrices.

    >>> import equisphere as es
    >>> model = es.models.SphericalClassifier(channels=(4,), bandwidths=(6,))
    >>> errors = layer_errors(model, torch.randn(2, 1, 36), es.random_rotations(2))
    >>> [e.name for e in errors if e.own.max() > 1e-4]
    ['blocks.0.activation']
    """
    _checks.real(c, "coefficients")
    leaves = {name: module for name, module in model.named_modules() if not _measured_inside(module)}
    for outer in [name for name, module in leaves.items() if getattr(module, "is_one_layer", False)]:
        inside = f"{outer}." if outer else ""
        leaves = {name: module for name, module in leaves.items() if name == outer or not name.startswith(inside)}
    with _evaluating(model), torch.no_grad():
        straight = _record(model, leaves, c)
        own: dict[str, list[Tensor]] = {name: [] for name in straight}
        reaching: dict[str, list[Tensor]] = {name: [] for name in straight}
        for matrix in R:
            turned = _record(model, leaves, rotate(c, matrix))
            for name, (x, y) in straight.items():
                module = leaves[name]
                signals = x.ndim == 3
                invariant = not signals or getattr(module, "gives_invariants", False)
                expected = y if invariant else rotate(y, matrix)
                alone = module(rotate(x, matrix)) if signals else module(x)
                own[name].append(relative_error(alone, expected))
                reaching[name].append(relative_error(turned[name][1], expected))
    return [
        LayerError(name, type(leaves[name]).__name__, torch.stack(own[name]), torch.stack(reaching[name]))
        for name in straight
    ]


def _measured_inside(module: nn.Module) -> bool:
    """Whether to look at the parts of a module rather than at itself: containers, and modules that are not layers."""
    return any(True for _ in module.children()) and not getattr(module, "is_one_layer", False)


def _record(model: nn.Module, leaves: dict[str, nn.Module], c: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Input and output of each layer while the network runs."""
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            seen[name] = (inputs[0].detach(), output.detach())

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in leaves.items()]
    try:
        model(c)
    finally:
        for handle in handles:
            handle.remove()
    return seen
