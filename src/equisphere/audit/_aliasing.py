"""Aliasing, predicted from the signal and the grid alone (docs/math.md, 7)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from equisphere import _checks
from equisphere.audit._function import rotation_error
from equisphere.grids import GaussLegendre
from equisphere.groups import random_rotations, relative_error
from equisphere.harmonics import real_harmonics
from equisphere.transforms import SHT, rotate

#: to how many times the band limit a function of a signal is expanded, where nothing else is said
EXPANSION = 4


@dataclass(frozen=True)
class Aliasing:
    """What a grid makes of a signal F that is given beyond the band limit b which the grid is read at.

    Attributes:
        inside: f_b, the coefficients of F below b, `(..., b*b)`: they pass without error.
        beyond: f_r, all others, `(..., H*H)` with zeros below b.
        alias: Proj_b(f_r s), what sampling mistakes them for, `(..., b*b)`.
        rotations: those that were tried.
        predicted: ||alias(g.F) - g.alias(F)|| / ||f_b + alias(F)|| for each rotation g: the equivariance error, computed.
        measured: the layer's error for each, observed.
        transfer: `(H, b)`: power that is carried from each degree of f_r to each degree of the output, summed over signals.
        grid: the grid.

    >>> ones = torch.ones(1, 4).double()
    >>> Aliasing(ones, ones, ones, torch.eye(3), ones[0], ones[0], torch.eye(3).double(), None).degrees_from.tolist()
    [1.0, 1.0, 1.0]
    """

    inside: Float64[Tensor, "*batch kept"]
    beyond: Float64[Tensor, "*batch whole"]
    alias: Float64[Tensor, "*batch kept"]
    rotations: Tensor
    predicted: Float64[Tensor, "n"]
    measured: Float64[Tensor, "n"]
    transfer: Float64[Tensor, "whole_degrees degrees"]
    grid: Any

    @property
    def degrees_from(self) -> Float64[Tensor, "whole_degrees"]:
        """Power of the alias by the degree that it comes from (crossed terms left out)."""
        return self.transfer.sum(1)

    @property
    def degrees_to(self) -> Float64[Tensor, "degrees"]:
        """Power of the alias by the degree that it goes to (crossed terms left out)."""
        return self.transfer.sum(0)


def aliasing(
    layer: nn.Module,
    signal: Float[Tensor, "*batch coefficients"],
    rotations: int | Float[Tensor, "n 3 3"] = 4,
    *,
    grid: Any = None,
    bandwidth: int | None = None,
    seed: int = 0,
) -> Aliasing:
    r"""Explain the equivariance error of a layer that samples: where it comes from, and how large it has to be.

    Sampling on a grid with quadrature s and reading at band limit b gives, for F = f_b + f_r, Proj_b(F s) = f_b +
    alias(F), where alias(F) = Proj_b(f_r s) is linear in F. The layer's error under a rotation g is therefore
    ||alias(g.F) - g.alias(F)|| / ||f_b + alias(F)||. It is computed in double precision from the harmonics at the nodes,
    degree after degree; the layer is run only to measure what is predicted.

    Args:
        layer: one of
            - `es.SHT`: F is the signal itself, given to a higher band limit than the transform's;
            - a pointwise function on a grid between coefficients (`function`, `grid` and `bandwidth` are attributes, as in
              `nn.Activation`): F = function(signal), expanded to `bandwidth`;
            - a pointwise function of samples, with the `grid` that it is used on, read at the grid's band limit.
        signal: coefficients of real signals.
        rotations: how many to draw, or matrices.
        grid: for a function of samples.
        bandwidth: H, to which function(signal) is expanded; 4 times the layer's by default. What lies beyond is
            missing in the prediction: it is exact for polynomials of a degree below H / L, and comes closer with H for others.
        seed: of the rotations.

    Returns:
        The decomposition, the predicted and the measured error, and which degrees become which.

    Raises:
        ValueError: where the layer is none of these, or nothing lies beyond the band limit.

    >>> import equisphere as es
    >>> found = aliasing(es.nn.Activation(torch.square, 8, oversampling=1), torch.randn(2, 64), bandwidth=15)
    >>> bool(torch.allclose(found.predicted, found.measured, rtol=0.01))
    True
    """
    _checks.real(signal, "signal")
    _checks.bandwidth_of(signal, "signal")
    R = _draw(rotations, seed)
    c = signal.detach().double()
    function, where, b, run = _parts(layer, grid, c)
    if function is None:
        F = c
    else:
        H = EXPANSION * b if bandwidth is None else _checks.positive_int(bandwidth, "bandwidth")
        F = _expanded(function, c, H)
    H = _checks.bandwidth_of(F)
    if b >= H:
        raise ValueError(
            f"nothing aliases: the signal has band limit {H}, and the grid is read at {b}. "
            "Give the signal to a higher band limit."
        )
    flat = F.reshape(-1, H * H)
    turned = torch.stack([flat, *(rotate(flat, matrix) for matrix in R)])  # (1 + n, signals, H*H)
    alias, transfer = _alias(turned, where, b)
    seen = flat[:, : b * b] + alias[0]
    predicted = torch.stack(
        [(a - rotate(alias[0], matrix)).norm() / seen.norm() for a, matrix in zip(alias[1:], R, strict=True)]
    )
    beyond = F.clone()
    beyond[..., : b * b] = 0
    return Aliasing(
        F[..., : b * b].clone(),
        beyond,
        alias[0].reshape(*F.shape[:-1], b * b),
        R,
        predicted,
        run(R),
        transfer,
        where,
    )


def _draw(rotations: int | Tensor, seed: int) -> Tensor:
    if isinstance(rotations, Tensor):
        R = rotations.detach().cpu().double().reshape(-1, 3, 3)
        _checks.rotations(R, "rotations")
        return R
    generator = torch.Generator().manual_seed(seed)
    return random_rotations(_checks.positive_int(rotations, "rotations"), generator, torch.float64)


def _parts(
    layer: nn.Module, grid: Any, c: Tensor
) -> tuple[Callable[[Tensor], Tensor] | None, Any, int, Callable[[Tensor], Tensor]]:
    """Function, grid, band limit that it is read at, and how to measure."""
    L = _checks.bandwidth_of(c)
    if isinstance(layer, SHT):

        def sampled(R: Tensor) -> Tensor:
            read = [_at_nodes(rotate(c, matrix), layer.grid, layer) for matrix in [torch.eye(3), *R]]
            return torch.stack([relative_error(y, rotate(read[0], g)) for y, g in zip(read[1:], R, strict=True)])

        return None, layer.grid, layer.bandwidth, sampled
    function, own, b = (getattr(layer, name, None) for name in ("function", "grid", "bandwidth"))
    if callable(function) and own is not None and isinstance(b, int):
        return function, own, b, lambda R: rotation_error(layer, c, R)
    if grid is not None and isinstance(layer, nn.Module):
        sht = SHT(grid)
        if sht.bandwidth < L:
            raise ValueError(f"the signal has band limit {L}, and {grid} carries {sht.bandwidth}: take a finer grid.")

        def through(x: Tensor) -> Tensor:
            return sht(layer(sht.inverse(x)))

        padded = torch.nn.functional.pad(c, (0, sht.bandwidth**2 - L * L))
        return layer, grid, sht.bandwidth, lambda R: rotation_error(through, padded, R)
    raise ValueError(
        "aliasing needs an es.SHT, a layer with the attributes function, grid and bandwidth (such as nn.Activation), or a "
        f"pointwise function of samples together with grid=..., got {type(layer).__name__}."
    )


def _expanded(function: Callable[[Tensor], Tensor], c: Tensor, H: int) -> Tensor:
    """Coefficients of function(signal) to band limit H, on a grid of twice that."""
    L = _checks.bandwidth_of(c)
    fine = GaussLegendre(2 * H, nlat=2 * H, nlon=4 * H)
    with torch.no_grad():
        values = function(SHT(fine, max(L, 1)).inverse(c))
        return SHT(fine, H)(values)


def _harmonics(grid: Any, H: int) -> Float64[Tensor, "nodes coefficients"]:
    points = grid.points.reshape(-1, 3)
    colatitude, longitude = points[:, 2].clamp(-1, 1).acos(), torch.atan2(points[:, 1], points[:, 0])
    return torch.from_numpy(real_harmonics(H, colatitude.numpy(), longitude.numpy()))


def _at_nodes(c: Tensor, grid: Any, sht: SHT) -> Tensor:
    """What a transform reads from a signal of a band limit that the grid does not carry."""
    Y = _harmonics(grid, _checks.bandwidth_of(c))
    return sht((c.reshape(-1, c.shape[-1]) @ Y.mT).reshape(-1, *grid.shape))


def _alias(turned: Float64[Tensor, "versions signals whole"], grid: Any, b: int) -> tuple[Tensor, Tensor]:
    """Proj_b(f_r s) of each version; and of the first, the power from each degree to each degree."""
    H = _checks.bandwidth_of(turned)
    sht = SHT(grid, b)
    Y = _harmonics(grid, H)
    alias = turned.new_zeros(*turned.shape[:2], b * b)
    transfer = turned.new_zeros(H, b)
    degree = torch.arange(b * b).double().sqrt().floor().long()
    for l in range(b, H):
        here = slice(l * l, (l + 1) ** 2)
        A = sht(Y[:, here].mT.reshape(2 * l + 1, *grid.shape).contiguous())  # what each harmonic is mistaken for
        part = turned[..., here] @ A
        alias += part
        transfer[l] = transfer[l].index_add(0, degree, part[0].square().sum(0))
    return alias, transfer
