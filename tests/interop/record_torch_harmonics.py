"""Record what torch-harmonics makes of a signal: `python tests/interop/record_torch_harmonics.py`, where it is installed."""

from pathlib import Path

import numpy as np
import torch

FILE = Path(__file__).parent / "torch_harmonics_0_9_3.npz"
NLAT, NLON, L = 6, 12, 6

if __name__ == "__main__":
    from torch_harmonics import RealSHT

    signal = torch.randn(NLAT, NLON, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    recorded = {"signal": signal.numpy()}
    for norm in ("ortho", "four-pi", "schmidt"):
        for csphase in (True, False):
            sht = RealSHT(NLAT, NLON, lmax=L, mmax=L, grid="legendre-gauss", norm=norm, csphase=csphase).double()
            recorded[f"{norm} {csphase}"] = sht(signal).numpy()
    np.savez(FILE, **recorded)
