"""The local convolution of samples as one operator: waves, sums over rings, samples; its backward pass the adjoint."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid
from equisphere.transforms._linear import is_traced
from equisphere.transforms._operator import grid_name, grid_named
from equisphere.transforms._ring_bands import Local, Weight, convolved, convolved_back
from equisphere.transforms._ring_kernels import radials, reach, ring_coefficients
from equisphere.transforms._ring_orders import from_orders, signed, to_orders

Samples = Float[Tensor, "batch _ nlat nlon"]


def local_convolution(x: Samples, weights: Sequence[Weight], local: Local) -> Samples:
    """Samples of the target from those of the source.

    Args:
        x: `(batch, rows, nlat, nlon)`, float32 or float64: at spin 0 a row for each channel; at spin s > 0 the real parts of
            all channels, then their imaginary parts.
        weights: of each of `local.pairs` real and imaginary parts `(2, radials, in, out)`, those of (-s', -s) the conjugates
            of those of (s', s). Waves of spins are over sqrt2: from a spin to a scalar or back, the kernel is sqrt2 times the
            weight (and of a scalar the real part).
        local: grid, kernels, spins and channels.
    """
    if is_traced(x):
        pairs = [list(side) for parts in (local.source, local.target) for side in zip(*parts, strict=True)]
        return _local_convolution(x, list(weights), grid_name(local.grid), local.radius, local.order, *pairs)
    return _LocalConvolution.apply(local, x, *weights)


def plain_local_convolution(x: Samples, weights: Sequence[Weight], local: Local) -> Samples:
    """`local_convolution` as the formulas say it, in complex numbers."""
    nlon, r = x.shape[-1], reach(local.grid, local.radius)
    waves: dict[int, Tensor] = {}
    rows = iter(torch.fft.rfft(x).split([n for s, n in local.source for _ in signed((s,))], dim=1))
    for s, _ in local.source:
        R = next(rows)
        I = next(rows) if s else 0
        waves |= {s: (R + 1j * I) * 0.5**0.5, -s: (R - 1j * I) * 0.5**0.5} if s else {0: R}
    wide = {s: torch.nn.functional.pad(z, (0, 0, r, r)) for s, z in waves.items()}
    near = {s: torch.stack([z[:, :, d : d + x.shape[2]] for d in range(2 * r + 1)], dim=-1) for s, z in wide.items()}
    out: dict[int, Tensor] = {}
    for (t, s), W in zip(local.pairs, weights, strict=True):
        T = torch.from_numpy(ring_coefficients(local.grid, local.radius, radials(local.order, (t, s)), (t, s)))
        y = torch.einsum("midq,bcimd,qco->boim", T.to(x) + 0j, near[s], torch.complex(*W))
        out[t] = out[t] + y if t in out else y
    parts = []
    for t, _ in local.target:
        parts += [(out[t] + out[-t]) * 0.5**0.5, (out[t] - out[-t]) * (-1j * 0.5**0.5)] if t else [out[0]]
    return torch.fft.irfft(torch.cat(parts, dim=1), n=nlon)


def _forth(x: Tensor, weights: Sequence[Tensor], local: Local) -> Tensor:
    """One signal after the other, so that waves stay in workspaces."""
    with torch.autocast(x.device.type, enabled=False):
        y = x.new_empty(len(x), local.rows, *x.shape[2:])
        for signal, out in zip(x, y, strict=True):
            from_orders(convolved(local, to_orders(signal, local.source, "source"), weights), local.target, out)
        return y


def _back(gradient: Tensor, x: Tensor, weights: Sequence[Tensor], local: Local) -> tuple[Tensor, list[Tensor]]:
    """Waves are made again: they cost little, and keeping them as much memory as the samples."""
    with torch.autocast(x.device.type, enabled=False):
        by_x, by_weights = (
            torch.empty_like(x, memory_format=torch.contiguous_format),
            [torch.zeros_like(w) for w in weights],
        )
        for signal, by_out, by_signal in zip(x, gradient, by_x, strict=True):
            waves, by_target = to_orders(signal, local.source, "source"), to_orders(by_out, local.target, "target")
            by_waves, found = convolved_back(local, waves, weights, by_target)
            for w, by in zip(by_weights, found, strict=True):
                w.add_(by)
            from_orders(by_waves, local.source, by_signal)
        return by_x, by_weights


class _LocalConvolution(torch.autograd.Function):
    @staticmethod
    def forward(local: Local, x: Tensor, *weights: Tensor) -> Tensor:
        return _forth(x, weights, local)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.local, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # a derivative of the derivative is asked for
            inputs = (x, *weights)
            return None, *torch.func.vjp(lambda x, *w: plain_local_convolution(x, w, ctx.local), *inputs)[1](gradient)
        by_x, by_weights = _back(gradient, x, weights, ctx.local)
        return None, by_x, *by_weights

    @staticmethod
    def jvp(ctx: Any, _: None, x_tangent: Tensor | None, *tangents: Tensor | None) -> Tensor:
        x, *weights = ctx.saved_tensors
        found = [] if x_tangent is None else [local_convolution(x_tangent, weights, ctx.local)]
        if any(w is not None for w in tangents):
            filled = [torch.zeros_like(w) if t is None else t for w, t in zip(weights, tangents, strict=True)]
            found.append(local_convolution(x, filled, ctx.local))
        return found[0] if len(found) == 1 else found[0] + found[1]

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], local: Local, x: Tensor, *weights: Tensor
    ) -> tuple[Tensor, int]:
        _, of_x, *of_weights = in_dims
        if of_x is not None and all(dim is None for dim in of_weights):  # more signals
            y = _LocalConvolution.apply(local, x.movedim(of_x, 0).flatten(0, 1), *weights)
            return y.unflatten(0, (info.batch_size, -1)), 0
        found = []
        for i in range(info.batch_size):
            each = (
                t if dim is None else t.select(dim, i)
                for t, dim in zip((x, *weights), (of_x, *of_weights), strict=True)
            )
            found.append(_LocalConvolution.apply(local, *each))
        return torch.stack(found), 0


def _described(
    grid: str,
    radius: float,
    order: int,
    in_spins: list[int],
    in_channels: list[int],
    out_spins: list[int],
    out_channels: list[int],
) -> Local:
    source, target = zip(in_spins, in_channels, strict=True), zip(out_spins, out_channels, strict=True)
    return Local(cast(RingGrid, grid_named(grid)), radius, order, tuple(source), tuple(target))


@torch.library.custom_op("equisphere::local_convolution", mutates_args=())
def _local_convolution(
    x: Tensor,
    weights: list[Tensor],
    grid: str,
    radius: float,
    order: int,
    in_spins: list[int],
    in_channels: list[int],
    out_spins: list[int],
    out_channels: list[int],
) -> Tensor:
    local = _described(grid, radius, order, in_spins, in_channels, out_spins, out_channels)
    return _forth(x, weights, local)


@_local_convolution.register_fake
def _(x: Tensor, weights: list[Tensor], *arguments: Any) -> Tensor:
    local = _described(*arguments)
    return x.new_empty(x.shape[0], local.rows, *x.shape[2:])


@torch.library.custom_op("equisphere::local_convolution_back", mutates_args=())
def _local_convolution_back(
    gradient: Tensor,
    x: Tensor,
    weights: list[Tensor],
    grid: str,
    radius: float,
    order: int,
    in_spins: list[int],
    in_channels: list[int],
    out_spins: list[int],
    out_channels: list[int],
) -> tuple[Tensor, list[Tensor]]:
    local = _described(grid, radius, order, in_spins, in_channels, out_spins, out_channels)
    return _back(gradient, x, weights, local)


@_local_convolution_back.register_fake
def _(gradient: Tensor, x: Tensor, weights: list[Tensor], *arguments: Any) -> tuple[Tensor, list[Tensor]]:
    return torch.empty_like(x), [torch.empty_like(w) for w in weights]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weights, *ctx.arguments = inputs
    ctx.save_for_backward(x, *weights)


def _operator_back(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
    x, *weights = ctx.saved_tensors
    by_x, by_weights = _local_convolution_back(gradient, x, weights, *ctx.arguments)
    return by_x, by_weights, *[None] * len(ctx.arguments)


_local_convolution.register_autograd(_operator_back, setup_context=_setup)
