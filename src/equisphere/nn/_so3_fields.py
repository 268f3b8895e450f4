"""Fields as functions on SO(3): their Wigner coefficients, and what a turn of the argument from the right does to them.

Of a degree l, let x = (F_0, E_1, B_1, E_2, ..) be the rows of one channel at one order m of the real harmonics. As the tuple
of spins -N .. N that a function on SO(3) is (`transforms.spin_components`) they are V x, with
    V_00 = sqrt(2 pi),   V_{s,E} = -sqrt(pi),   V_{s,B} = -i sqrt(pi),   V_{-s} = (-1)^s conj(V_s)   for s > 0,
and V / sqrt(2 pi) is unitary. With f(RQ) in the place of f(R), spin s becomes sum_k D^l_sk(Q) f_k, whatever the order m.
"""

from functools import lru_cache
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equisphere import _checks
from equisphere.groups import euler_angles
from equisphere.harmonics import wigner_D
from equisphere.nn._field import Field
from equisphere.transforms import from_spin_components, spin_components, to_complex_basis, to_real_basis


def function_order(field: Field) -> int:
    """N, where a field is a function on SO(3) of the modes |n| <= N.

    Raises:
        ValueError: where it is none.
    """
    if field.spins != tuple(range(len(field.spins))) or len(set(field.channels)) != 1:
        raise ValueError(
            f"a function on SO(3) has the spins 0 .. N, each in as many channels (`Field.on_so3`), got {field}."
        )
    return len(field.spins) - 1


@lru_cache(maxsize=64)
def spin_matrix(order: int) -> Complex[np.ndarray, "spins components"]:
    """V, rows s = -N .. N, columns F_0, E_1, B_1, E_2, ..

    >>> bool(np.allclose(spin_matrix(3) @ spin_matrix(3).conj().T, 2 * pi * np.eye(7)))
    True
    """
    V = np.zeros((2 * order + 1, 2 * order + 1), dtype=np.complex128)
    V[order, 0] = sqrt(2 * pi)
    for s in range(1, order + 1):
        V[order + s, 2 * s - 1 : 2 * s + 1] = -sqrt(pi), -1j * sqrt(pi)
        V[order - s] = (-1) ** s * V[order + s].conj()
    return V


def to_wigner(field: Field, c: Float[Tensor, "batch rows coefficients"]) -> Complex[Tensor, "batch channels wigner"]:
    """Wigner coefficients of the functions on SO(3) that a feature holds, as `transforms.SO3Transform` takes them.

    Args:
        field: of the spins 0 .. N (`Field.on_so3`).
        c: `(batch, field.rows, L*L)`.

    Returns:
        `(batch, channels, L (4 L^2 - 1) / 3)`, complex; zero where |n| > N.

    Raises:
        ValueError: where the field is no function on SO(3), or `c` no feature of it.

    >>> import torch, equisphere as es
    >>> field = Field.on_so3(4, order=2, channels=3)
    >>> f = es.transforms.SO3Transform(4).inverse(to_wigner(field, torch.randn(2, *field.shape)), real=True)
    >>> f.shape
    torch.Size([2, 3, 8, 4, 8])
    """
    N = function_order(field)
    field.check(c)
    x = c.unflatten(1, (2 * N + 1, -1)).movedim(1, -2)
    kind = c.dtype.to_complex()
    return from_spin_components(to_complex_basis(torch.from_numpy(spin_matrix(N)).to(c.device, kind) @ x.to(kind)))


def from_wigner(field: Field, f: Complex[Tensor, "batch channels wigner"]) -> Float[Tensor, "batch rows coefficients"]:
    """The feature that holds real functions on SO(3), given by their Wigner coefficients: modes |n| > N are dropped.

    The inverse of `to_wigner`.

    Args:
        field: of the spins 0 .. N.
        f: `(batch, channels, L (4 L^2 - 1) / 3)`, of real functions.

    Raises:
        ValueError: where the field is no function on SO(3), `f` has another shape, or its functions are not real.

    >>> field = Field.on_so3(4, order=3, channels=1)
    >>> f = to_wigner(field, torch.randn(2, *field.shape))
    >>> bool(torch.allclose(to_wigner(field, from_wigner(field, f)), f, atol=1e-5))
    True
    """
    N, L = function_order(field), field.bandwidth
    size = L * (4 * L * L - 1) // 3
    _checks.tensor(f, "f")
    if not f.is_complex() or f.ndim != 3 or tuple(f.shape[1:]) != (field.channels[0], size):
        raise ValueError(
            f"f must be complex of shape (batch, {field.channels[0]}, {size}), got {f.dtype} {tuple(f.shape)}."
        )
    inverse = torch.from_numpy(spin_matrix(N).conj().T / (2 * pi)).to(f)
    parts = inverse @ to_real_basis(spin_components(f, N))
    if _checks.readable(parts) and bool(parts.detach().imag.abs().amax() > 1e-3 * parts.detach().abs().amax()):
        raise ValueError(
            "f must hold functions on SO(3) with real values, f^l_-m,-n = (-1)^(m - n) conj(f^l_mn), as a feature does, got "
            "others. Of a complex one, real and imaginary part are two channels."
        )
    return parts.real.movedim(-2, 1).flatten(1, 2)


def right_translations(
    order: int, bandwidth: int, rotations: Float[Tensor, "points 3 3"]
) -> list[Float[np.ndarray, "points in out"]]:
    """The matrices by which f(R) becomes f(R Q), for each degree and rotation Q: between the components that the degree has.

    Raises:
        ValueError: where the rotations are none.
    """
    _checks.rotations(rotations, "support")
    angles = torch.stack(euler_angles(rotations.double().cpu()), dim=-1).numpy()
    found = []
    for l in range(bandwidth):
        N = min(order, l)
        V = spin_matrix(N)
        inner = slice(l - N, l + N + 1)
        D = np.stack([wigner_D(l, *triple)[inner, inner] for triple in angles])
        found.append((np.linalg.inv(V) @ D @ V).real.swapaxes(1, 2))
    return found
