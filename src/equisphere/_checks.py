"""Checks of what a user hands in. Each error says the invariant, what came, and the remedy."""

import math
from cmath import isfinite
from typing import Any

import torch
from torch import Tensor
from torch._subclasses import FakeTensor

#: how far R R^T may be from the identity before R is no longer taken for a rotation
ROTATION_TOLERANCE = 1e-3

#: how far the length of a point may be from 1 before it is no longer taken for a unit vector
UNIT_TOLERANCE = 1e-4


def positive_int(value: object, name: str) -> int:
    """Return `value` as an int, or say why it is not a positive one."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
    number = value.__index__()
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}.")
    return int(number)


def count(value: object, name: str) -> int:
    """Return `value` as an int, or say why it is not 0 or a positive one."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 0:
        raise ValueError(f"{name} must be an integer, 0 or more, got {value!r}.")
    return int(value.__index__())


def spin(value: object, bandwidth: int, name: str = "spin") -> int:
    """Return `value` as an int, or say why it is no spin of signals of this band limit."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(f"{name} must be an integer, got {value!r}.")
    number = int(value.__index__())
    if abs(number) >= bandwidth:
        raise ValueError(
            f"{name} must lie between {1 - bandwidth} and {bandwidth - 1} at bandwidth {bandwidth}, got "
            f"{number}: a signal of spin s has degrees l >= |s| alone."
        )
    return number


def order(value: object, bandwidth: int) -> int:
    """Return `value` as an int, or say why it is no highest order |m| of a kernel of this band limit."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= value.__index__() < bandwidth:
        raise ValueError(
            f"order must be an integer from 0 to {bandwidth - 1} at bandwidth {bandwidth}, got {value!r}: the highest |m| "
            "that is kept, of both signs; a band limit L has the orders |m| < L."
        )
    return int(value.__index__())


def fraction(value: object, name: str) -> float:
    """Return `value` as a float, or say why it does not lie between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"{name} must be a number between 0 and 1, such as 1e-6, got {value!r}.")
    return float(value)


def tensor(x: object, name: str) -> None:
    """Check for a torch tensor."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(x).__name__}. Convert it by `torch.as_tensor(x)`.")


def some(x: Tensor, name: str) -> None:
    """Check that a batch is not empty."""
    if x.numel() == 0:
        raise ValueError(f"{name} must hold at least one signal, got an empty batch of shape {tuple(x.shape)}.")


def bandwidth_of(coefficients: Tensor, name: str = "coefficients") -> int:
    """Band limit L of flat coefficients `(..., L*L)` of one signal or more."""
    tensor(coefficients, name)
    size = coefficients.shape[-1] if coefficients.ndim else 0
    bandwidth = math.isqrt(size)
    if size == 0 or bandwidth * bandwidth != size:
        raise ValueError(
            f"{name} must have a last dimension of L*L numbers, degree after degree (l*l + l + m), "
            f"got shape {tuple(coefficients.shape)}: {size} is no positive square number. "
            "A signal on a grid becomes coefficients by `es.SHT(grid)(signal)`."
        )
    some(coefficients, name)
    return bandwidth


def wigner_bandwidth_of(f: Tensor, name: str = "f") -> int:
    """Band limit L of flat complex Wigner coefficients `(..., L (4 L^2 - 1) / 3)` of one function or more."""
    floating(f, name)
    size = f.shape[-1] if f.ndim else 0
    bandwidth = round((3 * size / 4) ** (1 / 3))  # the cube of which is L^3 - L / 4
    if not f.is_complex() or f.numel() == 0 or bandwidth * (4 * bandwidth**2 - 1) // 3 != size:
        raise ValueError(
            f"{name} must hold complex Wigner coefficients, L (4 L^2 - 1) / 3 numbers (1, 10, 35, 84, ..) of at least one "
            f"function, got {f.dtype} {tuple(f.shape)}. Samples on a grid of rotations go through "
            "`es.transforms.SO3Transform(L)` first."
        )
    return bandwidth


def coefficients_of(x: Tensor, bandwidth: int, name: str = "coefficients") -> None:
    """Check flat coefficients `(..., L*L)` of the band limit that a module was built for."""
    floating(x, name)
    found = bandwidth_of(x, name)
    if found != bandwidth:
        raise ValueError(
            f"{name} must have band limit {bandwidth} ({bandwidth**2} numbers a channel), got band limit {found} "
            f"(shape {tuple(x.shape)}). Cut to a lower band limit by `c[..., :L*L]` (`nn.SpectralPool(L)`)."
        )


def features_of(x: Tensor, channels: int, name: str = "coefficients") -> None:
    """Check real features `(batch, channels, L*L)`."""
    real(x, name)
    if x.ndim != 3 or x.shape[1] != channels:
        become = (
            "become coefficients first, by `es.SHT(grid)(samples)`, images by `es.data.image_coefficients(images, L)`."
        )
        if x.ndim == 3 and math.isqrt(x.shape[2]) ** 2 != x.shape[2]:
            remedy = f"{x.shape[2]} is no number L*L of coefficients. Samples on a grid {become}"
        elif x.ndim == 3:
            remedy = f"The layer was built for {channels} channels, and there are {x.shape[1]}."
        elif x.ndim < 3:
            remedy = "Add a missing dimension by `c[None]` (batch) or `c[:, None]` (channel)."
        else:
            remedy = f"There are too many dimensions. Samples on a grid {become}"
        raise ValueError(f"{name} must have shape (batch, {channels}, L*L), got {tuple(x.shape)}. {remedy}")


def floating(x: Tensor, name: str) -> None:
    """Check for float32, float64, complex64 or complex128 (or a half precision)."""
    tensor(x, name)
    if not (x.is_floating_point() or x.is_complex()):
        raise ValueError(f"{name} must hold floating point numbers, got {x.dtype}. Convert it by `.float()`.")


def real(x: Tensor, name: str) -> None:
    """Check for a real floating point tensor."""
    floating(x, name)
    if x.is_complex():
        raise ValueError(
            f"{name} must be real here, got {x.dtype}: layers act on the real coefficients of real signals "
            "(a complex weight per degree would not commute with rotations of a real signal). "
            "Give real and imaginary part as two channels."
        )


def readable(x: Tensor) -> bool:
    """Whether the values of `x` may be looked at (not while tracing, not on the meta device, not under vmap)."""
    if torch.compiler.is_compiling() or x.is_meta or isinstance(x, FakeTensor):
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(x)


def finite(x: Tensor, name: str) -> None:
    """Check for NaN and infinity: by the sum, which is one pass, and number by number where that may have overflowed."""
    if readable(x) and not isfinite(x.detach().sum().item()) and not bool(torch.isfinite(x.detach()).all()):
        raise ValueError(
            f"{name} must be finite, got NaN, infinite values, or numbers so large that sums of them are. Fill missing data "
            "first (for example `torch.nan_to_num(signal)`, with the gap marked in a channel of its own), and scale large ones."
        )


def samples_on(signal: Tensor, grid: Any) -> None:
    """Check for floating-point samples `(..., *grid.shape)` of at least one signal."""
    floating(signal, "signal")
    nodes = len(grid.shape)
    if signal.ndim < nodes or tuple(signal.shape[-nodes:]) != grid.shape:
        raise ValueError(
            f"signal must have shape (..., {', '.join(map(str, grid.shape))}), as the grid {grid} has, got "
            f"{tuple(signal.shape)}. {_grid_for(signal, nodes)}"
        )
    some(signal, "signal")


def _grid_for(signal: Tensor, nodes: int) -> str:
    """Which grid may have been meant, for a signal that is not on the one given, of so many dimensions."""
    last = signal.shape[-1] if signal.ndim else 0
    nside = math.isqrt(last // 12)
    map_like = signal.ndim >= 2 and signal.shape[-2] in (last // 2, last // 2 + 1, last)
    if nside >= 4 and 12 * nside**2 == last and not map_like:
        return f"{last} pixels are those of a HEALPix map: es.grids.HEALPix({nside})."
    if nodes == 1:
        return (
            "A HEALPix map has 12 nside^2 pixels, es.grids.HEALPix(nside); points of your own are es.grids.Scattered(points), "
            "maps of latitudes and longitudes es.grids.DriscollHealy(nlat=..., nlon=...) and its siblings."
        )
    return (
        "Other sizes: es.grids.DriscollHealy(nlat=..., nlon=...) and its siblings take any; a HEALPix map is on "
        "es.grids.HEALPix(nside), values at points of your own on es.grids.Scattered(points)."
    )


def orthogonal(R: Tensor, name: str = "R") -> None:
    """Check for rotations and reflections: orthogonal matrices `(..., 3, 3)`."""
    tensor(R, name)
    if R.ndim < 2 or R.shape[-2:] != (3, 3) or not R.is_floating_point():
        raise ValueError(
            f"{name} must hold real rotation matrices of shape (..., 3, 3), got {R.dtype} of shape {tuple(R.shape)}."
        )
    if not readable(R) or R.numel() == 0:
        return
    M = R.detach().double()
    defect = (M @ M.mT - torch.eye(3, dtype=M.dtype, device=M.device)).abs().max()
    if not bool(defect <= ROTATION_TOLERANCE):
        raise ValueError(
            f"{name} must be orthogonal (R R^T = I), but R R^T differs from I by {float(defect):.2g}. "
            "Make one by `es.random_rotations(n)` or project by the polar decomposition."
        )


def rotations(R: Tensor, name: str = "R") -> None:
    """Check for rotation matrices `(..., 3, 3)`: orthogonal, of determinant +1."""
    orthogonal(R, name)
    if readable(R) and not bool((torch.linalg.det(R.detach().double()) > 0).all()):
        raise ValueError(
            f"{name} must have determinant +1, got a reflection (determinant -1), which is no rotation. "
            "Reflections of coefficients: `es.transforms.act_on_coefficients`."
        )


def points(x: Tensor, name: str) -> None:
    """Check for unit vectors `(..., 3)`."""
    real(x, name)
    if x.ndim < 1 or x.shape[-1] != 3:
        raise ValueError(
            f"{name} must be unit vectors (x, y, z) of shape (..., 3), got {tuple(x.shape)}. "
            "From colatitude t and longitude p: torch.stack((t.sin() * p.cos(), t.sin() * p.sin(), t.cos()), -1)."
        )
    if not readable(x) or x.numel() == 0:
        return
    finite(x, name)
    defect = float((x.detach().double().norm(dim=-1) - 1).abs().max())
    if defect > UNIT_TOLERANCE:
        raise ValueError(
            f"{name} must be unit vectors, but a length differs from 1 by {defect:.2g}. "
            "Put them on the sphere by `torch.nn.functional.normalize(points, dim=-1)`."
        )


def distinct_points(x: Tensor) -> int:
    """How many different points are among `(n, 3)`: where several samples lie in one place, they count once."""
    along = torch.tensor(
        [0.5773502691896258, -0.7390851332151607, 0.3465735902799727], dtype=torch.float64
    )  # no symmetry's
    return (x.detach().double() @ along.to(x.device)).unique().numel()


def alike(x: Tensor, parameter: Tensor) -> None:
    """Check that an input has the dtype and device of a layer (under autocast, the dtype is autocast's affair)."""
    if x.device != parameter.device:
        raise ValueError(f"the input is on {x.device}, the layer on {parameter.device}: move one by `.to(...)`.")
    if x.dtype != parameter.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(
            f"the input is {x.dtype}, the layer {parameter.dtype}: convert one of them "
            f"(`layer.double()` or `x.float()`, say)."
        )
