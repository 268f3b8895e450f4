"""What a user hands in, as real features of norm 1 without degree 0."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms import to_real_basis

Features = Float[Tensor, "n channels coefficients"]


def paired(
    a: Shaped[Tensor, "..."], b: Shaped[Tensor, "..."], channels: bool, weights: Float[Tensor, "degrees"] | None
) -> tuple[Features, Features, torch.Size]:
    """Features `(N, C, L*L)` of both, of norm 1, and their leading dimensions; a complex signal is two real channels."""
    L = _checks.bandwidth_of(a, "a")
    for x, name in ((a, "a"), (b, "b")):
        _checks.floating(x, name)
        _checks.coefficients_of(x, L, name)
        _checks.finite(x, name)
        if channels and x.ndim < 2:
            raise ValueError(f"with channels=True, {name} must have shape (..., channels, L*L), got {tuple(x.shape)}.")
    if L < 2:
        raise ValueError(
            "signals of band limit 1 are constants, which no rotation changes: alignment needs degrees l >= 1, so at least "
            f"4 coefficients, got shape {tuple(a.shape)}."
        )
    if a.device != b.device:
        raise ValueError(f"a and b must be on one device, got {a.device} and {b.device}: `b.to(a.device)`.")
    if a.is_complex() != b.is_complex():
        raise ValueError(
            f"a and b must both be real (over the real harmonics) or both complex, got {a.dtype} and {b.dtype}. "
            "`es.transforms.to_complex_basis` makes complex coefficients of real ones."
        )
    x, y = (_real_channels(v if channels else v[..., None, :]) for v in (a, b))
    if x.shape[-2] != y.shape[-2]:
        raise ValueError(
            f"a and b must have the same channels, got {tuple(a.shape)} and {tuple(b.shape)}: the dimension before the last."
        )
    try:
        leading = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except RuntimeError:
        raise ValueError(
            f"leading dimensions of a {tuple(a.shape)} and b {tuple(b.shape)} must broadcast against each other."
        ) from None
    dtype = torch.promote_types(x.dtype, y.dtype)
    scale = _root_weights(weights, L).to(x.device, dtype)
    pair = [
        _normalised(v.to(dtype), scale, name).expand(*leading, -1, -1).reshape(-1, *v.shape[-2:])
        for v, name in ((x, "a"), (y, "b"))
    ]
    return pair[0], pair[1], leading


def _real_channels(x: Tensor) -> Tensor:
    """`(..., C, L*L)` as real channels over the real harmonics; half precisions as float32."""
    if x.is_complex():
        c = to_real_basis(x)
        return torch.cat((c.real, c.imag), dim=-2)
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _root_weights(weights: Tensor | None, bandwidth: int) -> Tensor:
    """Root of the weight of each coefficient; that of degree 0 is zero, since no rotation changes it."""
    if weights is not None:
        _checks.tensor(weights, "weights")
    by_degree = torch.ones(bandwidth, dtype=torch.float64) if weights is None else weights.detach().double().cpu()
    if by_degree.shape != (bandwidth,) or not bool((by_degree >= 0).all()) or not bool(by_degree[1:].isfinite().all()):
        raise ValueError(
            f"weights must be {bandwidth} finite numbers of at least 0, one for each degree, got {weights!r}."
        )
    degree = torch.from_numpy(degrees_and_orders(bandwidth)[0])
    return torch.where(degree > 0, by_degree.sqrt()[degree], 0.0)


def _normalised(x: Float[Tensor, "..."], scale: Tensor, name: str) -> Float[Tensor, "..."]:
    """Weighted, without degree 0, and of norm 1 over channels and coefficients."""
    whole = x.detach().abs().amax(dim=(-2, -1), keepdim=True)
    x = x * scale
    size = x.detach().abs().amax(dim=(-2, -1), keepdim=True)
    if _checks.readable(x):
        # what rounding leaves of a constant is no signal
        constant = (size <= 16 * torch.finfo(x.dtype).eps * whole * scale.max()).flatten()
        if bool(constant.any()):
            raise ValueError(
                f"{name} must differ from a constant: of {len(constant)} signals, number "
                f"{torch.nonzero(constant).flatten().tolist()[:5]} has no power in degrees l >= 1 that are given a weight, and "
                "degree 0 (the mean) looks the same in every rotation."
            )
    x = x / size  # first, so that squares of very small or large numbers do not get lost
    return x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True)
