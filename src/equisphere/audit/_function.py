"""Equivariance error of any function of coefficients."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.audit._preserve import preserved
from equisphere.groups import act_trivially, equivariance_error
from equisphere.transforms import act_on_coefficients


def rotation_error(
    function: Callable[[Tensor], Tensor],
    c: Float[Tensor, "*batch coefficients"],
    R: Float[Tensor, "n 3 3"],
    invariant: bool = False,
) -> Float[Tensor, "n"]:
    """||T(R.f) - R.T(f)|| / ||R.T(f)|| for each rotation R (Cobb et al. 2021), over the whole batch at once.

    Coefficients are rotated, never samples, so that nothing but T adds to the error. `audit` looks into a module, and
    takes samples.

    Args:
        function: T, coefficients `(..., L*L)` to coefficients of any band limit, or to invariants. A module is measured in
            evaluation mode.
        c: coefficients of the signals f.
        R: rotation matrices.
        invariant: the output does not turn with the input: compare with T(f) itself. Say so for logits, which are taken
            for coefficients otherwise wherever their number is a square.

    Raises:
        ValueError: where the output vanishes, so that no relative error exists, is not finite, or cannot be rotated.

    >>> import torch
    >>> c, R = torch.randn(2, 3, 64), torch.linalg.qr(torch.randn(4, 3, 3))[0]
    >>> R = R * torch.linalg.det(R)[:, None, None]
    >>> bool((rotation_error(lambda c: 2 * c, c, R) < 1e-5).all())
    True
    """
    if not callable(function):
        raise ValueError(f"function must be callable, such as a module, got {function!r}.")
    _checks.orthogonal(R)
    module = function if isinstance(function, nn.Module) else nn.Module()
    act_out = act_trivially if invariant else _turned
    with preserved(module):
        return equivariance_error(function, R, act_on_coefficients, act_out, c).errors


def _turned(matrix: Tensor, output: Tensor) -> Tensor:
    _checks.finite(output, "the output of the function")
    try:
        return act_on_coefficients(matrix, output)
    except ValueError as error:
        raise ValueError(
            f"the output cannot be rotated as coefficients; for invariants, give invariant=True. {error}"
        ) from None
