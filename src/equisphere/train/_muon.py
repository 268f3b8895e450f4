"""Steps by whole matrices: the optimiser of zonal convolutions where a recipe asks for it."""

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

#: odd polynomial whose iterates bring singular values near 1 in few steps, from Jordan et al. 2024
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.AdamW):
    """AdamW, but for the weights of zonal convolutions, which move by orthogonal matrices.

    The weight of such a layer is a matrix from channels to channels for each degree. AdamW moves each entry by about the
    learning rate, whatever the matrix does; here the momentum G = U S V^T of each degree's matrix is replaced by U V^T, the
    steepest step in the spectral norm, so that directions with small gradients are learned as well as those with large ones.
    (Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; `torch.optim.Muon` has it for single
    matrices.)

    Args:
        groups: of parameters; those with `matrices=True` are weights `(out, in, degrees)`, with a momentum of 0.95.
        lr: as of `torch.optim.AdamW`.
        weight_decay: likewise.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(groups, lr, weight_decay=weight_decay)
        for group in self.param_groups:
            group.setdefault("matrices", False)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; the gradients of the matrices are spent by it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"] if group["matrices"] else ():
                if weight.grad is not None:
                    self._turn(weight, group["lr"], group["weight_decay"])
                    weight.grad = None
        super().step()
        return loss

    def _turn(self, weight: Tensor, rate: float, decay: float, momentum: float = 0.95) -> None:
        state = self.state[weight]
        if not state:  # under the names of AdamW, which reads the states that it loads
            state["step"], state["exp_avg"] = torch.zeros(()), torch.zeros_like(weight)
        state["step"] += 1
        average = state["exp_avg"].mul_(momentum).add_(weight.grad)
        ahead = weight.grad + momentum * average  # as of Nesterov
        step = orthogonal(ahead.permute(2, 0, 1)).permute(1, 2, 0)
        rows, columns, _ = weight.shape
        weight.mul_(1 - rate * decay).add_(step, alpha=-rate * sqrt(max(1.0, rows / columns)))


def orthogonal(matrices: Float[Tensor, "n rows columns"]) -> Float[Tensor, "n rows columns"]:
    """U V^T of matrices U S V^T, roughly: their singular values come to lie between 0.6 and 1.3 (Jordan et al. 2024).

    By the Newton-Schulz iteration X <- a X + b (X X^T) X + c (X X^T)^2 X; directions with less than a few thousandths of the
    norm of a matrix stay behind.

    >>> q = orthogonal(torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)))
    >>> bool((torch.linalg.svdvals(q) - 1).abs().max() < 0.4)
    True
    """
    a, b, c = _COEFFICIENTS
    rows, columns = matrices.shape[-2:]
    x = matrices.mT if rows > columns else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if rows > columns else x
