"""The fast transform between flat Wigner coefficients and samples on a grid of rotations.

Separation of variables: with F_mn(beta) the Fourier coefficients over (alpha, gamma),
    f(alpha, beta, gamma) = sum_mn F_mn(beta) e^{i (m alpha + n gamma)},   F_mn(beta) = sum_l k_l d^l_mn(beta) f^l_mn,
k_l = sqrt((2l+1) / 8 pi^2): a two-dimensional FFT at each beta, and a product over l for each pair of orders.

Memory order: functions stand side by side in the last dimension, coefficients `(K, N)`, samples `(alpha, beta, gamma, N)`.
"""

from functools import lru_cache

import torch
from jaxtyping import Complex, Shaped
from torch import Tensor

from equisphere.harmonics import so3_degrees_and_orders
from equisphere.transforms._so3_tables import Places, partners, places, so3_colatitudes, wigner_tables


class SO3Engine:
    """Synthesis and its transpose at one band limit.

    With `real`, samples are the real part of the synthesis, and only half of the work is done.
    """

    def __init__(self, bandwidth: int, real: bool) -> None:
        self.bandwidth, self.real = bandwidth, real
        self.grid = so3_colatitudes(bandwidth)

    def _tables(self, x: Tensor) -> tuple[list[Tensor], Places, Tensor]:
        """Wigner tables, places, and the weight of each angle beta, for the dtype and device of a real tensor."""
        wigner = wigner_tables(self.bandwidth, x.dtype, x.device)
        weights = self.grid.weights[:, 0] * self.grid.longitudes[1]
        return wigner, places(self.bandwidth, self.real, x.dtype, x.device), weights.to(x)

    def to_grid(self, c: Complex[Tensor, "coefficients n"], weighted: bool) -> Shaped[Tensor, "alpha beta gamma n"]:
        """Samples of sum_lmn c^l_mn B^l_mn; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        if self.real:
            partner, sign = _reflection(self.bandwidth, c.device)
            c = (c + sign[:, None] * c.index_select(0, partner).conj()) / 2
        x = torch.view_as_real(c.resolve_conj().contiguous())
        n, angles, size = x.shape[1], self.grid.nlat, 2 * self.bandwidth
        wigner, at, weights = self._tables(x)
        rings = []
        for table, terms in zip(wigner, at.terms, strict=True):
            pairs, _, degrees = table.shape
            product = torch.bmm(table, x.flatten(1).index_select(0, terms).view(pairs, degrees, -1))
            rings.append(product.view(pairs, angles, -1, 2 * n).transpose(1, 2).reshape(-1, angles * 2 * n))
        waves = torch.cat(rings).index_select(0, at.waves).view(-1, angles, n, 2) * at.waves_factor
        if weighted:
            waves *= weights[:, None, None]
        spectrum = torch.view_as_complex(waves).unflatten(0, (size, -1))
        if self.real:
            f = torch.fft.irfft2(spectrum, s=(size, size), dim=(0, 1), norm="forward")
        else:
            f = torch.fft.ifft2(spectrum, dim=(0, 1), norm="forward")
        return f.permute(1, 2, 0, 3)

    def from_grid(self, f: Shaped[Tensor, "alpha beta gamma n"], weighted: bool) -> Complex[Tensor, "coefficients n"]:
        """Sums over the samples of f conj(B^l_mn); `weighted` makes them the quadrature of analysis."""
        f = f.permute(2, 0, 1, 3)
        spectrum = torch.fft.rfft2(f, dim=(0, 1)) if self.real else torch.fft.fft2(f, dim=(0, 1))
        waves = torch.view_as_real(spectrum.contiguous())
        n, angles = f.shape[-1], self.grid.nlat
        wigner, at, weights = self._tables(waves)
        if weighted:
            waves = waves * weights[:, None, None]
        waves = waves.reshape(-1, angles * 2 * n)
        terms = []
        for table, images in zip(wigner, at.images, strict=True):
            pairs = table.shape[0]
            rings = waves.index_select(0, images).view(pairs, -1, angles, 2 * n).transpose(1, 2)
            terms.append(torch.bmm(table.mT, rings.reshape(pairs, angles, -1)).view(-1, 2 * n))
        c = torch.cat(terms).index_select(0, at.back).view(-1, n, 2) * at.back_factor
        return torch.view_as_complex(c)


@lru_cache(maxsize=16)
def _reflection(bandwidth: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Place of (l, -m, -n) for each coefficient (l, m, n), and (-1)^{m-n}."""
    _, m, n = so3_degrees_and_orders(bandwidth)
    return torch.tensor(partners(bandwidth), device=device), torch.tensor((-1.0) ** (m - n), device=device).float()


@lru_cache(maxsize=64)
def so3_engine(bandwidth: int, real: bool) -> SO3Engine:
    """The engine of a band limit, one for all modules."""
    return SO3Engine(bandwidth, real)
