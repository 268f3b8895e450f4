"""Elements of SO(3) as 3 x 3 matrices, and its Haar measure."""

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from equisphere import _checks


def random_rotations(
    n: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
) -> Float[Tensor, "n 3 3"]:
    """Rotations drawn uniformly from SO(3), that is from its Haar measure.

    A normally distributed quaternion has a uniform direction on S3, and S3 covers SO(3) evenly (Shoemake 1992).

    Args:
        n: how many.
        generator: source of randomness, for a reproducible draw; its device is that of the result.
        dtype: torch's default dtype unless given.

    Raises:
        ValueError: where n is not a positive integer.

    >>> import torch, equisphere as es
    >>> R = es.random_rotations(5, torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(R @ R.mT, torch.eye(3).expand(5, 3, 3), atol=1e-6))
    True
    """
    n = _checks.positive_int(n, "n")
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating point one, got {dtype}.")
    device = generator.device if generator is not None else None
    q = torch.randn(n, 4, generator=generator, dtype=torch.float64, device=device)
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    R = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    return R.to(dtype or torch.get_default_dtype())


def rotation_about(
    axis: tuple[float, float, float] | Float[Tensor, "*axes 3"], angle: float | Shaped[Tensor, "*angles"]
) -> Float[Tensor, "*batch 3 3"]:
    """Rotation by `angle` (radians, right-handed) about `axis`: Rodrigues' formula I + sin K + (1 - cos) K^2.

    Differentiable in both. Computed in float64.

    Args:
        axis: direction, of any length but zero: three numbers, or a tensor `(..., 3)` of directions.
        angle: one angle, or a tensor of them `(...)`, broadcast against the leading dimensions of `axis`.

    Returns:
        Matrices `(..., 3, 3)` in the dtype and on the device of the tensor given: of the angle, if both are.

    Raises:
        ValueError: where an axis has no direction, or axes and angles do not go together.

    >>> from math import pi
    >>> rotation_about((0, 0, 1), pi / 2).round(decimals=6) @ torch.tensor([1.0, 0.0, 0.0])  # x goes to y
    tensor([0., 1., 0.])
    >>> rotation_about(torch.randn(5, 3), torch.rand(5)).shape
    torch.Size([5, 3, 3])
    """
    like = next((x for x in (angle, axis) if isinstance(x, Tensor) and x.is_floating_point()), None)
    dtype = torch.get_default_dtype() if like is None else like.dtype
    device = next((x.device for x in (angle, axis) if isinstance(x, Tensor)), None)
    a = torch.as_tensor(angle, dtype=torch.float64, device=device)[..., None, None]
    direction = torch.as_tensor(axis, dtype=torch.float64, device=device)
    length = direction.norm(dim=-1, keepdim=True)
    if direction.shape[-1:] != (3,) or (_checks.readable(length) and not bool((length > 0).all())):
        raise ValueError(f"axis must be three numbers, not all zero, or a tensor (..., 3) of such, got {axis}.")
    eye = torch.eye(3, dtype=torch.float64, device=device)
    K = torch.linalg.cross(
        (direction / length)[..., None], eye.expand(*direction.shape[:-1], 3, 3), dim=-2
    )  # K v = axis x v
    try:
        R = eye + a.sin() * K + (1 - a.cos()) * (K @ K)
    except RuntimeError:
        raise ValueError(
            f"axes {tuple(direction.shape)} and angles {tuple(a.shape[:-2])} must broadcast: "
            "one angle for each axis, or one for all."
        ) from None
    return R.to(dtype)


def euler_angles(R: Float[Tensor, "*batch 3 3"]) -> tuple[Float64[Tensor, "*batch"], ...]:
    """Angles (alpha, beta, gamma), radians, with R = R_z(alpha) R_y(beta) R_z(gamma) and beta in [0, pi].

    At beta = 0 or pi only alpha + gamma or alpha - gamma is determined; any alpha serves there, since gamma is read
    from what remains of R once alpha and beta are undone. The product is R to rounding, everywhere.

    Args:
        R: rotation matrices.

    Returns:
        Three float64 tensors, without gradient (the angles are not smooth where beta is 0 or pi; `es.rotate` is).

    Raises:
        ValueError: where R holds anything but rotations.

    >>> [round(float(a), 6) for a in euler_angles(rotation_about((0, 0, 1), torch.tensor(0.5)))]
    [0.0, 0.0, 0.5]
    """
    _checks.rotations(R)
    M = R.detach().double()
    alpha = torch.atan2(M[..., 1, 2], M[..., 0, 2])
    beta = torch.atan2(torch.hypot(M[..., 0, 2], M[..., 1, 2]), M[..., 2, 2])
    # R_y(-beta) R_z(-alpha) R = R_z(gamma): its second row is (sin gamma, cos gamma, 0)
    gamma = torch.atan2(
        alpha.cos() * M[..., 1, 0] - alpha.sin() * M[..., 0, 0],
        alpha.cos() * M[..., 1, 1] - alpha.sin() * M[..., 0, 1],
    )
    return alpha, beta, gamma
