"""Coefficients, grids and maps of other packages, in and out. None of them is needed to convert, but xarray for its arrays."""

from equisphere.interop._alm import from_ducc0, from_healpy, to_ducc0, to_healpy
from equisphere.interop._e3nn import from_e3nn, to_e3nn
from equisphere.interop._grids import grid_named
from equisphere.interop._squares import (
    from_pyshtools,
    from_s2fft,
    from_torch_harmonics,
    to_pyshtools,
    to_s2fft,
    to_torch_harmonics,
)
from equisphere.interop._wigner import from_s2fft_wigner, to_s2fft_wigner
from equisphere.interop._xarray import from_xarray, to_xarray

__all__ = [
    "from_ducc0",
    "from_e3nn",
    "from_healpy",
    "from_pyshtools",
    "from_s2fft",
    "from_s2fft_wigner",
    "from_torch_harmonics",
    "from_xarray",
    "grid_named",
    "to_ducc0",
    "to_e3nn",
    "to_healpy",
    "to_pyshtools",
    "to_s2fft",
    "to_s2fft_wigner",
    "to_torch_harmonics",
    "to_xarray",
]
