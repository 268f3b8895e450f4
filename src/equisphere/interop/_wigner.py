"""Functions on SO(3) for s2fft and s2conv."""

from math import pi

import numpy as np
import torch
from jaxtyping import Complex, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.harmonics import so3_degrees_and_orders
from equisphere.interop._layouts import as_numpy, as_tensor


def to_s2fft_wigner(
    f: Complex[Tensor, "*batch wigner"], N: int | None = None
) -> Complex[np.ndarray, "*batch n degrees m"]:
    """The `flmn` of `s2fft.wigner` and of s2conv: order n = -(N-1) .. N-1 by degree l by order m = -(L-1) .. L-1.

    Its coefficients are the integrals of f D^l_mn, sqrt(8 pi^2 / (2l+1)) times those over orthonormal functions.

    Args:
        f: Wigner coefficients `(..., L (4 L^2 - 1) / 3)`, as in `transforms.SO3Transform`.
        N: orders |n| < N are kept; L, all of them, by default.

    Returns:
        `(..., 2 N - 1, L, 2 L - 1)`, zero where |m| > l or |n| > l.

    Raises:
        ValueError: where `f` holds no complex Wigner coefficients, or N does not lie between 1 and L.

    >>> to_s2fft_wigner(torch.ones(10) + 0j).shape
    (3, 2, 3)
    """
    L = _checks.wigner_bandwidth_of(f)
    N = L if N is None else _checks.positive_int(N, "N")
    if N > L:
        raise ValueError(f"N must not be above the band limit {L}, got {N}: a degree l has the orders |n| <= l alone.")
    n, l, m = np.ogrid[1 - N : N, 0:L, 1 - L : L]
    holds = np.maximum(abs(m), abs(n)) <= l
    place = np.where(holds, l * (4 * l * l - 1) // 3 + (l + m) * (2 * l + 1) + l + n, 0)
    scale = torch.from_numpy(holds * np.sqrt(8 * pi**2 / (2 * l + 1))).to(f.real)
    return as_numpy(f[..., torch.from_numpy(place).to(f.device)] * scale)


def from_s2fft_wigner(
    flmn: Shaped[np.ndarray, "*batch n degrees m"] | Shaped[Tensor, "*batch n degrees m"],
) -> Complex[Tensor, "*batch wigner"]:
    """Wigner coefficients `(..., L (4 L^2 - 1) / 3)` from the `flmn` of s2fft: the inverse of `to_s2fft_wigner`.

    Orders |n| >= N, which it does not hold, are zero.

    Raises:
        ValueError: where the shape is not `(..., 2 N - 1, L, 2 L - 1)`, or the numbers are not complex and finite.

    >>> f = torch.randn(10, dtype=torch.complex128)
    >>> bool(torch.allclose(from_s2fft_wigner(to_s2fft_wigner(f)), f))
    True
    """
    a = as_tensor(flmn, "flmn")
    if a.ndim < 3 or a.shape[-1] != 2 * a.shape[-2] - 1 or a.shape[-3] % 2 == 0 or not a.is_complex():
        raise ValueError(
            f"flmn must be complex, of shape (..., 2 N - 1, L, 2 L - 1), got {a.dtype} of shape {tuple(a.shape)}."
        )
    N, L = a.shape[-3] // 2 + 1, a.shape[-2]
    l, m, n = so3_degrees_and_orders(L)
    place = (np.clip(N - 1 + n, 0, 2 * N - 2) * L + l) * (2 * L - 1) + L - 1 + m
    scale = torch.from_numpy((abs(n) < N) * np.sqrt((2 * l + 1) / (8 * pi**2))).to(a.real)
    return a.flatten(-3)[..., torch.from_numpy(place).to(a.device)] * scale
