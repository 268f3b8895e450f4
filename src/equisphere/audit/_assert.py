"""Equivariance as a test."""

from typing import Any

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from equisphere.audit._audit import audit
from equisphere.audit._report import Report


def assert_equivariant(
    module: nn.Module,
    signals: Shaped[Tensor, "batch *signal"],
    grid: Any = None,
    rotations: int | Float[Tensor, "n 3 3"] = 8,
    *,
    tolerance: float | None = None,
    **options: Any,
) -> Report:
    """Fail, with the table of the audit, where a module is not equivariant: for the tests of any project.

    Args:
        module: as for `audit`.
        signals: as for `audit`.
        grid: as for `audit`.
        rotations: as for `audit`.
        tolerance: the largest relative error at the output that passes, over all rotations; by default every part must be
            exact to the rounding of its dtype.
        options: further arguments of `audit`.

    Returns:
        The report, for further looks.

    Raises:
        AssertionError: where it is not.
        ValueError: as `audit` does.

    >>> import torch, equisphere as es
    >>> assert_equivariant(es.nn.ZonalConv(1, 2, 8), torch.randn(2, 1, 64)).worst
    ''
    """
    report = audit(module, signals, grid, rotations, **{"lie": False, **options})
    passes = report.equivariant if tolerance is None else report.total.own.worst <= tolerance
    if not passes:
        wanted = "exact to rounding" if tolerance is None else f"within {tolerance:g}"
        raise AssertionError(
            f"{type(module).__name__} is not equivariant: its error should be {wanted}, and is {report.total.own.worst:.2g}; "
            f"most of it comes from {report.worst or 'the module itself'}.\n{report}"
        )
    return report
