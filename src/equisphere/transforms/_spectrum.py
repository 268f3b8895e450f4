"""What is left of a signal when its orientation is forgotten."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere._precision import widened
from equisphere.harmonics import degrees_and_orders


def power_spectrum(c: Shaped[Tensor, "*batch coefficients"]) -> Float[Tensor, "*batch degrees"]:
    """Power of each degree, ||f^l||^2 = sum_m |f_lm|^2: invariant, since D^l is unitary (docs/math.md, 6).

    The powers sum to the integral of |f|^2 over the sphere (Parseval).

    Args:
        c: coefficients `(..., L*L)`, real or complex; not samples (they go through `es.SHT` first).

    Returns:
        `(..., L)` real numbers.

    Raises:
        ValueError: where the last dimension is no L*L.

    >>> import torch, equisphere as es
    >>> es.power_spectrum(torch.tensor([1.0, 3.0, 0.0, 4.0]))
    tensor([ 1., 25.])
    """
    _checks.floating(c, "coefficients")
    L = _checks.bandwidth_of(c)
    wide = widened(c)
    power = wide.real.square() + wide.imag.square() if c.is_complex() else wide.square()
    degree = torch.from_numpy(degrees_and_orders(L)[0]).to(c.device)
    return power.new_zeros(*c.shape[:-1], L).index_add(-1, degree, power).to(c.real.dtype)
