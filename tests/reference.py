"""Plain counterparts of the fast code, built from `equisphere.harmonics`, which is tested against SciPy and e3nn."""

from math import pi, sqrt

import numpy as np
import torch
from torch import Tensor

from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre, Grid, RingGrid
from equisphere.harmonics import complex_harmonics, real_harmonics, wigner_d

#: every kind of grid; called with `nlat=` and `nlon=`, or with a bandwidth
KINDS = {
    "midpoints": DriscollHealy,
    "poles": lambda *args, **kwargs: DriscollHealy(*args, poles=True, **kwargs),
    "clenshaw_curtis": ClenshawCurtis,
    "gauss_legendre": GaussLegendre,
}

#: square, odd, wide, tall, and more than 96 longitudes, where the transform turns to the FFT
SHAPES = [(12, 12), (9, 13), (7, 40), (21, 8), (11, 101), (8, 128)]


def randn(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Independent normal numbers of unit variance, drawn in double precision whatever the dtype."""
    if dtype.is_complex:
        return torch.randn(*shape, dtype=torch.complex128).to(dtype)
    return torch.randn(*shape, dtype=torch.float64).to(dtype)


def harmonics_at(points: Tensor, bandwidth: int, complex_: bool = False) -> Tensor:
    """Y_lm at points `(..., 3)` in float64 or complex128, as `(..., L*L)`."""
    x, y, z = points.double().reshape(-1, 3).numpy().T
    basis = complex_harmonics if complex_ else real_harmonics
    Y = torch.from_numpy(basis(bandwidth, np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)))
    return Y.reshape(*points.shape[:-1], -1)


def spin_harmonics(grid: Grid, L: int, spin: int) -> Tensor:
    """sY_lm at the nodes `(nodes, L*L)`: (-1)^s sqrt((2l+1) / 4 pi) d^l_{m,-s} e^{i m phi}, from the reference Wigner d."""
    theta, phi = grid.colatitudes.numpy(), grid.longitudes.numpy()
    if isinstance(grid, RingGrid):
        theta, phi = (x.ravel() for x in np.meshgrid(theta, phi, indexing="ij"))
    Y = np.zeros((len(theta), L * L), complex)
    for angle in np.unique(theta):
        here = theta == angle
        for l in range(abs(spin), L):
            d = (-1) ** spin * sqrt((2 * l + 1) / (4 * pi)) * wigner_d(l, angle)[:, l - spin]
            Y[np.ix_(here, range(l * l, (l + 1) ** 2))] = d * np.exp(1j * np.outer(phi[here], np.arange(-l, l + 1)))
    return torch.from_numpy(Y)


def quadrature(f: Tensor, grid: RingGrid, bandwidth: int) -> Tensor:
    """The plain sum of MATH 4, f_lm = sum_jk w_jk f(x_jk) conj(Y_lm(x_jk)), of samples `(..., nlat, nlon)`."""
    Y = harmonics_at(grid.points, bandwidth, f.is_complex())
    return torch.einsum("...jk,jk,jkc->...c", f, grid.weights.to(f.dtype), Y.conj().to(f.dtype))


def unit_points(n: int) -> Tensor:
    """Points `(n, 3)` drawn uniformly from the sphere."""
    return torch.nn.functional.normalize(randn(n, 3), dim=-1)


def about_z(angle: float) -> Tensor:
    """The active rotation by `angle` about the polar axis, in float64."""
    c, s = np.cos(angle), np.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def about_y(angle: float) -> Tensor:
    """The active rotation by `angle` about y, which takes z towards x, in float64."""
    c, s = np.cos(angle), np.sin(angle)
    return torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float64)


def from_euler(alpha: float, beta: float, gamma: float) -> Tensor:
    """R_z(alpha) R_y(beta) R_z(gamma)."""
    return about_z(alpha) @ about_y(beta) @ about_z(gamma)


#: rotations at which Euler angles are ambiguous or nearly so, and one at which they are not
SPECIAL_ROTATIONS = {
    "identity": from_euler(0, 0, 0),
    "about_z": from_euler(0.7, 0, 0.4),
    "poles_swapped": from_euler(0, pi, 0),
    "poles_swapped_and_turned": from_euler(0.3, pi, -1.1),
    "almost_about_z": from_euler(0.3, 1e-9, 0.5),
    "almost_swapped": from_euler(0.3, pi - 1e-9, 0.5),
    "general": from_euler(-2.1, 1.3, 0.6),
}


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """||found - wanted|| / ||wanted||, measured in double precision."""
    wide = torch.complex128 if wanted.is_complex() else torch.float64
    found, wanted = found.detach().to(wide), wanted.detach().to(wide)
    return float((found - wanted).norm() / wanted.norm())
