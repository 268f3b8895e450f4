"""Tangent fields between coefficients and components at nodes, through scalar transforms alone."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere.grids import RingGrid
from equisphere.transforms._calculus import eigenvalues_of, field_of, reciprocal, scaled
from equisphere.transforms._generators import generators_dot, rotation_generators
from equisphere.transforms._sht import SHT


class VectorSHT(nn.Module):
    r"""Vector harmonic transform: components of a tangent field on a grid to its coefficients, and back by `inverse`.

    v = sum b_lm B_lm + c_lm C_lm with B = ∇Y / sqrt(l(l+1)) and C = x × ∇Y / sqrt(l(l+1)): coefficients `(..., 2, L*L)`, the
    b_lm before the c_lm, orthonormal. Samples are the components along e_theta (southwards) and e_phi (eastwards),
    `(..., 2, *grid.shape)`; a wind (u, v) towards east and north is `(-v, u)`. At a pole these directions are those of the
    node's longitude. `analysis(synthesis(c)) == c` up to rounding, and up to degree 0, which comes back zero.

    How: the generators G_i Y = -(x × ∇Y)_i keep the band limit, so x × ∇f and ∇f = x × G f are sampled through their Cartesian
    components, smooth at the poles too; analysis is the quadrature of v . B and v . C, exact where that of `SHT` is.

    Convention: these are the E and B of spin 1 in healpy and ducc0, up to the scalar layout of the coefficients.

    Args:
        grid: a grid of rings from `equisphere.grids`.
        bandwidth: band limit L; the grid's own by default.

    Raises:
        ValueError: where the grid cannot carry the band limit.

    >>> import torch, equisphere as es
    >>> sht = es.transforms.VectorSHT(es.grids.GaussLegendre(8))
    >>> f = torch.randn(64)
    >>> samples = sht.inverse(es.transforms.gradient(f))  # ∂f/∂theta and 1/sin theta ∂f/∂phi
    >>> samples.shape
    torch.Size([2, 16, 16])
    >>> bool(torch.allclose(es.transforms.divergence(sht(samples)), es.transforms.laplacian(f), atol=1e-3))
    True
    """

    def __init__(self, grid: RingGrid, bandwidth: int | None = None) -> None:
        super().__init__()
        if not isinstance(grid, RingGrid):
            raise ValueError(f"grid must be a grid of rings, such as DriscollHealy(16), got {grid!r}.")
        self.grid = grid
        self.scalar = SHT(grid, bandwidth)

    @property
    def bandwidth(self) -> int:
        """The band limit L."""
        return self.scalar.bandwidth

    def forward(self, samples: Shaped[Tensor, "*batch 2 nlat nlon"]) -> Shaped[Tensor, "*batch 2 coefficients"]:
        """Analysis: components `(..., 2, nlat, nlon)` along e_theta and e_phi to coefficients `(..., 2, L*L)`.

        Raises:
            ValueError: where the samples do not have that shape, are empty, not floating point, or not finite.
        """
        _checks.floating(samples, "samples")
        nodes = len(self.grid.shape)
        if samples.shape[-nodes - 1 :] != (2, *self.grid.shape):
            raise ValueError(
                f"samples must have shape (..., 2, {self.grid.nlat}, {self.grid.nlon}), components southwards and eastwards, "
                f"got {tuple(samples.shape)}. Of a wind (u, v) to east and north: `torch.stack((-v, u), dim=-3)`."
            )
        theta, phi = samples.unsqueeze(-nodes - 2).unbind(-nodes - 1)
        e_theta, e_phi = self._directions(samples)
        # <v, B> = <v, x × G Y> = <v × x, G Y> and <v, C> = -<v, G Y>, by Cartesian components; and G is antisymmetric
        x_cross_v, v = theta * e_phi - phi * e_theta, theta * e_theta + phi * e_phi
        products = generators_dot(self.scalar(torch.stack((x_cross_v, v), dim=-nodes - 2)))
        return scaled(products, reciprocal(eigenvalues_of(products).sqrt()))

    def inverse(self, field: Shaped[Tensor, "*batch 2 coefficients"]) -> Shaped[Tensor, "*batch 2 nlat nlon"]:
        """Synthesis: coefficients `(..., 2, L*L)` to components `(..., 2, nlat, nlon)` along e_theta and e_phi.

        Raises:
            ValueError: where the coefficients are not those of a field of this band limit, or empty, or not finite.
        """
        field_of(field)
        nodes = len(self.grid.shape)
        # the generators of both potentials at the nodes, Cartesian: (..., 2, 3, *grid.shape)
        w = self.scalar.inverse(rotation_generators(scaled(field, reciprocal(eigenvalues_of(field).sqrt()))))
        e_theta, e_phi = self._directions(w)
        south_1, south_2 = (w * e_theta).sum(-nodes - 1).unbind(-nodes - 1)
        east_1, east_2 = (w * e_phi).sum(-nodes - 1).unbind(-nodes - 1)
        # v = x × w_1 - w_2, and x × e_theta = e_phi, x × e_phi = -e_theta
        return torch.stack((-east_1 - south_2, south_1 - east_2), dim=-nodes - 1)

    def _directions(self, x: Tensor) -> list[Tensor]:
        """e_theta and e_phi at the nodes, `(3, *grid.shape)` each."""
        theta, phi = torch.meshgrid(self.grid.colatitudes, self.grid.longitudes, indexing="ij")
        e_theta = torch.stack((theta.cos() * phi.cos(), theta.cos() * phi.sin(), -theta.sin()))
        e_phi = torch.stack((-phi.sin(), phi.cos(), torch.zeros_like(phi)))
        return [e.to(dtype=x.real.dtype, device=x.device) for e in (e_theta, e_phi)]
