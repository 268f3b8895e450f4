"""Representations of signals on the sphere: coefficients in several layouts, and samples."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from equisphere import _checks
from equisphere.audit._representations import Representation, wide
from equisphere.grids import GaussLegendre
from equisphere.transforms import SHT, rotate, to_complex_basis, to_real_basis


class _OnSphere(Representation):
    """Representations whose contents are flat coefficients `(..., L*L)` of this library."""

    def turn(self, contents: Tensor, R: Tensor) -> Tensor:
        if contents.is_complex() or not _checks.readable(R):
            return rotate(contents, R.to(contents.device))
        _checks.finite(contents, "coefficients")
        out = torch.empty_like(contents)
        blocks = _wigner(tuple(R.flatten().tolist()), _checks.bandwidth_of(contents), contents.dtype, contents.device)
        for l, block in enumerate(blocks):
            here = slice(l * l, (l + 1) ** 2)
            out[..., here] = contents[..., here] @ block
        return out

    def values(self, contents: Tensor) -> Tensor:
        return _fine(_checks.bandwidth_of(contents)).inverse(contents)

    def bandwidth(self, contents: Tensor) -> int | None:
        return isqrt(contents.shape[-1])


@dataclass(frozen=True)
class Coefficients(_OnSphere):
    """Flat coefficients `(..., L*L)` of any band limit, l*l + l + m: those of this library, and of e3nn.

    e3nn's harmonics are those of this library in axes renamed by a rotation, (x, y, z) -> (y, z, x), in the same order: what is
    said of the z axis is then true of e3nn's y axis.

    Args:
        dim: the dimension that holds them.

    >>> Coefficients(dim=1).rotate(torch.ones(2, 16, 8), torch.eye(3)).shape
    torch.Size([2, 16, 8])
    """

    dim: int = -1

    def at(self, x: Tensor) -> Representation | None:
        """Where the dimension is a square number."""
        if not -x.ndim <= self.dim < x.ndim:
            return None
        size = x.shape[self.dim]
        return self if size > 0 and isqrt(size) ** 2 == size else None

    def contents(self, x: Tensor) -> Tensor:
        """The coefficients, last."""
        return wide(x).movedim(self.dim, -1)

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """Coefficients back in their dimension."""
        return contents.movedim(-1, self.dim).to(like.dtype).clone()

    def __str__(self) -> str:
        return "coefficients" if self.dim == -1 else f"coefficients in dimension {self.dim}"


@dataclass(frozen=True)
class Triangle(_OnSphere):
    """Complex coefficients `(..., L, M)` of a real signal for orders m >= 0 alone, as torch-harmonics has them.

    Orthonormal harmonics with or without the Condon-Shortley phase: the signal that the numbers are read as is then the
    signal or the one turned by half about z, so that an error is the same number at another rotation.

    >>> Triangle().rotate(torch.zeros(2, 8, 8, dtype=torch.complex64), torch.eye(3)).shape
    torch.Size([2, 8, 8])
    """

    def at(self, x: Tensor) -> Representation | None:
        """Where it is complex, with no more orders than degrees, up to the one that a ring's highest wave has."""
        return self if x.is_complex() and x.ndim >= 2 and 0 < x.shape[-1] <= x.shape[-2] + 1 else None

    def contents(self, x: Tensor) -> Tensor:
        """Real flat coefficients."""
        L, M = x.shape[-2:]
        whole = wide(x)
        whole = torch.nn.functional.pad(whole, (0, max(0, L - M)))[..., :L]
        degree, order = _indices(L, x.device)
        picked = whole[..., degree, order.abs()]
        sign = (1 - 2 * (order % 2)).to(x.device)
        both = torch.where(order < 0, sign * picked.conj(), picked)
        return to_real_basis(both).real

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """Complex ones, of the orders that there were."""
        L = isqrt(contents.shape[-1])
        degree, order = _indices(L, contents.device)
        c = to_complex_basis(contents)
        out = c.new_zeros(*contents.shape[:-1], L, max(L, like.shape[-1]))
        kept = order >= 0
        out[..., degree[kept], order[kept]] = c[..., kept]
        return out[..., : like.shape[-1]].to(like.dtype)

    def __str__(self) -> str:
        return "complex coefficients (L, M)"


@dataclass(frozen=True)
class Samples(_OnSphere):
    """Values on the nodes of a grid, `(..., *grid.shape)`; contents are their coefficients at the grid's band limit.

    What the samples hold beyond that band limit cannot be rotated and is not compared: a pointwise function of samples is
    accused of its aliasing, which is its error, and of no more.

    Args:
        grid: of `equisphere.grids`.
        dim: the first dimension of the grid; the last ones are its own by default.

    >>> import equisphere as es
    >>> samples = Samples(es.grids.DriscollHealy(8))
    >>> samples.at(torch.zeros(2, 3, 8, 8))  # pooled: the same kind of grid, coarser
    Samples(grid=DriscollHealy(bandwidth=4, nlat=8, nlon=8, poles=False), dim=None)
    """

    grid: Any
    dim: int | None = None

    def at(self, x: Tensor) -> Representation | None:
        """On the grid of the same kind that has the shape of `x`."""
        nodes = len(self.grid.shape)
        first = x.ndim - nodes if self.dim is None else self.dim
        if first < 0 or first + nodes > x.ndim:
            return None
        grid = _resized(self.grid, tuple(x.shape[first : first + nodes]))
        return None if grid is None else Samples(grid, self.dim)

    def contents(self, x: Tensor) -> Tensor:
        """Coefficients."""
        nodes = len(self.grid.shape)
        if self.dim is not None:
            x = x.movedim(tuple(range(self.dim, self.dim + nodes)), tuple(range(-nodes, 0)))
        return _sht(self.grid)(wide(x))

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """Samples of the signal that has these coefficients."""
        nodes = len(self.grid.shape)
        f = _sht(self.grid).inverse(contents)
        if self.dim is not None:
            f = f.movedim(tuple(range(-nodes, 0)), tuple(range(self.dim, self.dim + nodes)))
        return f.to(like.dtype).contiguous()

    def __str__(self) -> str:
        return f"samples {type(self.grid).__name__} " + " x ".join(map(str, self.grid.shape))


@dataclass(frozen=True)
class Converted(_OnSphere):
    """Another layout of coefficients, given by the two functions that convert it.

    Args:
        to_flat: a tensor to flat coefficients `(..., L*L)` of this library.
        from_flat: flat coefficients to a tensor of the layout.
        name: for reports.
        fits: which tensors have this layout; all by default.

    >>> backwards = Converted(lambda x: x.flip(-1), lambda c: c.flip(-1), "the other way round")
    >>> backwards.rotate(torch.ones(2, 9), torch.eye(3)).shape
    torch.Size([2, 9])
    """

    to_flat: Callable[[Tensor], Tensor]
    from_flat: Callable[[Tensor], Tensor]
    name: str = "converted"
    fits: Callable[[Tensor], bool] | None = None

    def at(self, x: Tensor) -> Representation | None:
        """Where it fits."""
        return self if self.fits is None or self.fits(x) else None

    def contents(self, x: Tensor) -> Tensor:
        """Flat coefficients."""
        return self.to_flat(wide(x))

    def restore(self, contents: Tensor, like: Tensor) -> Tensor:
        """The layout."""
        return self.from_flat(contents).to(like.dtype)

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=16)
def _wigner(matrix: tuple[float, ...], L: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """Transposed Wigner matrix of each degree: many tensors are turned by one rotation, which a product does faster."""
    order = _indices(L, torch.device("cpu"))[1]
    basis = torch.zeros(2 * L - 1, L * L, dtype=torch.float64)
    basis[order + L - 1, torch.arange(L * L)] = 1  # one signal for each order turns all degrees at once
    turned = rotate(basis, torch.tensor(matrix, dtype=torch.float64).reshape(3, 3))
    return [
        turned[L - 1 - l : L + l, l * l : (l + 1) ** 2].contiguous().to(dtype=dtype, device=device) for l in range(L)
    ]


@lru_cache(maxsize=64)
def _sht(grid: Any) -> SHT:
    return SHT(grid)


@lru_cache(maxsize=64)
def _fine(bandwidth: int) -> SHT:
    """Where the largest value of a signal is looked for."""
    return SHT(GaussLegendre(bandwidth, nlat=2 * bandwidth, nlon=4 * bandwidth))


@lru_cache(maxsize=64)
def _indices(L: int, device: torch.device) -> tuple[Tensor, Tensor]:
    index = torch.arange(L * L, device=device)
    degree = index.double().sqrt().floor().long()
    return degree, index - degree * degree - degree


@lru_cache(maxsize=256)
def _resized(grid: Any, shape: tuple[int, ...]) -> Any:
    """The grid of the same kind with another shape, of the same proportions; None where there is none."""
    if shape == tuple(grid.shape):
        return grid
    try:
        if hasattr(grid, "nside"):  # HEALPix: 12 nside^2 pixels
            made = type(grid)(isqrt(shape[0] // 12))
            return made if tuple(made.shape) == shape else None
        (nlat, nlon), (rows, columns) = shape, grid.shape
        if abs(nlon * rows - columns * nlat) > 2 * rows or (nlat == nlon) != (rows == columns):
            return None
        options = {"poles": grid.poles} if hasattr(grid, "poles") else {}
        made = type(grid)(nlat=nlat, nlon=nlon, **options)
        return made if made.bandwidth > 1 else None
    except (TypeError, ValueError):
        return None
