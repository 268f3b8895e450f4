"""The transform by ducc0, where the user has installed it: single large maps on the CPU."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import RingGrid


class DuccEngine:
    """Synthesis and its transpose, each by the routine of ducc0 that is the adjoint of the other's.

    ducc0 is licensed under the GPL: it is never required, and nothing of it is contained here.
    """

    def __init__(self, grid: RingGrid, bandwidth: int) -> None:
        self.grid, self.bandwidth = grid, bandwidth

    def to_grid(self, c: Float[Tensor, "coefficients n"], weighted: bool) -> Float[Tensor, "nlat nlon n"]:
        """Samples of sum_lm c_lm Y_lm; `weighted` multiplies them by the quadrature weights (adjoint of analysis)."""
        import ducc0

        cosine, sine, scale = _order_by_order(self.bandwidth)
        alm = c.new_empty(c.shape[-1], len(scale), 2)
        signals, factor = c.T.contiguous(), (1 / scale).to(c)
        torch.mul(signals.index_select(1, cosine), factor, out=alm[..., 0])
        torch.mul(signals.index_select(1, sine), torch.where(sine == cosine, 0, -factor), out=alm[..., 1])
        maps = ducc0.sht.synthesis(alm=torch.view_as_complex(alm).numpy()[:, None], **self._geometry(weighted))
        return torch.from_numpy(maps[:, 0]).unflatten(1, self.grid.shape).movedim(0, -1)

    def from_grid(self, f: Float[Tensor, "nlat nlon n"], weighted: bool) -> Float[Tensor, "coefficients n"]:
        """Sums over the samples of f Y_lm; `weighted` makes them the quadrature of analysis."""
        import ducc0

        cosine, sine, scale = _order_by_order(self.bandwidth)
        maps = f.movedim(-1, 0).flatten(1).contiguous().numpy()
        alm = torch.from_numpy(ducc0.sht.adjoint_synthesis(map=maps[:, None], **self._geometry(weighted))[:, 0])
        out, scale = f.new_empty(len(maps), self.bandwidth**2), scale.to(f)
        out[:, sine] = -alm.imag * scale
        out[:, cosine] = alm.real * scale  # after the line above, for sine and cosine of m = 0 share a place
        return out.T

    def _geometry(self, weighted: bool) -> dict[str, Any]:
        nlat, nlon = self.grid.shape
        factor = {"ringfactor": self.grid.ring_weights.numpy()} if weighted else {}
        return factor | {
            "theta": self.grid.colatitudes.numpy(),
            "nphi": np.full(nlat, nlon, dtype=np.uint64),
            "phi0": np.zeros(nlat),
            "ringstart": np.arange(nlat, dtype=np.uint64) * np.uint64(nlon),
            "lmax": self.bandwidth - 1,
            "spin": 0,
            "nthreads": torch.get_num_threads(),
        }


@lru_cache(maxsize=4)
def _order_by_order(bandwidth: int) -> tuple[Tensor, Tensor, Tensor]:
    """Flat places of (l, m) and (l, -m) in ducc0's order (all degrees of m = 0, then of m = 1, ..), and the factor.

    alm = (-1)^m (a_lm - i a_l,-m) / sqrt2, m > 0, over the harmonics with the Condon-Shortley phase.
    """
    m = np.repeat(np.arange(bandwidth), np.arange(bandwidth, 0, -1))
    l = np.concatenate([np.arange(first, bandwidth) for first in range(bandwidth)])
    scale = np.where(m == 0, 1.0, np.sqrt(2) * (1 - 2 * (m % 2)))
    return torch.from_numpy(l * l + l + m), torch.from_numpy(l * l + l - m), torch.from_numpy(scale)
