"""Sums of harmonics at many points by the double Fourier sphere and a non-uniform FFT.

Continued over the poles by f(-theta, phi) = f(theta, phi + pi), a function of band limit L is a Fourier series in both
angles with frequencies below L (Boyd 1978; Townsend, Wilber and Wright 2016). Its samples on an equiangular grid of
L + 1 rings with both poles give that series by an FFT, which a non-uniform FFT then sums at any points. The transpose
is the same steps backwards.
"""

from importlib.util import find_spec

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from equisphere.grids import ClenshawCurtis
from equisphere.transforms._engine import ring_engine


def available(points: Tensor) -> bool:
    """Whether a non-uniform FFT for points on this device is installed: `finufft`, for the CPU."""
    return points.device.type == "cpu" and find_spec("finufft") is not None


class NonUniformFFT:
    """Synthesis at points and its transpose, to 1e-14 in float64 and 1e-8 in float32.

    The sum itself always runs in double precision: angles in single would cost L times their rounding.
    """

    def __init__(self, points: Float[Tensor, "n 3"], bandwidth: int) -> None:
        self.bandwidth, self.half = bandwidth, bandwidth + 1
        self._rings = ring_engine(ClenshawCurtis(nlat=bandwidth + 1, nlon=2 * bandwidth), bandwidth)
        x, y, z = points.double().unbind(-1)
        self._theta = torch.atan2(torch.hypot(x, y), z).numpy()
        self._phi = torch.atan2(y, x).numpy()
        self._accuracy = 1e-14 if points.dtype == torch.float64 else 1e-8

    def to_points(self, c: Float[Tensor, "coefficients k"]) -> Float[Tensor, "n k"]:
        """Values of sum_lm c_lm Y_lm."""
        f = self._rings.to_grid(c, weighted=False)
        around = torch.cat((f, f[1:-1].flip(0).roll(self.bandwidth, 1)))
        series = torch.fft.fftn(around.movedim(-1, 0), dim=(1, 2), norm="forward")
        return torch.from_numpy(self._run(2, series.to(torch.complex128).numpy())).real.to(c.dtype).mT

    def from_points(self, v: Float[Tensor, "n k"]) -> Float[Tensor, "coefficients k"]:
        """Sums over the points of v Y_lm."""
        series = torch.from_numpy(self._run(1, v.mT.to(torch.complex128).contiguous().numpy()))
        around = torch.fft.ifftn(series, dim=(1, 2), norm="forward").real.movedim(0, -1) / (4 * self.bandwidth**2)
        f = around[: self.half].clone()
        f[1:-1] += around[self.half :].roll(-self.bandwidth, 1).flip(0)
        return self._rings.from_grid(f.to(v.dtype), weighted=False)

    def _run(self, kind: int, data: np.ndarray) -> np.ndarray:
        """Type 2, series `(k, 2L, 2L)` to values `(k, n)`, or its conjugate transpose, type 1."""
        import finufft

        modes = (2 * self.bandwidth, 2 * self.bandwidth)
        plan = finufft.Plan(kind, modes, n_trans=len(data), modeord=1, isign=1 if kind == 2 else -1, eps=self._accuracy)
        plan.setpts(self._theta, self._phi)
        return plan.execute(np.ascontiguousarray(data)).reshape(len(data), *(modes if kind == 1 else (-1,)))
