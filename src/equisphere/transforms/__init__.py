"""Fast differentiable transforms: coefficients from samples and back, their rotation and convolution."""

from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._convolution import convolution_constant, zonal_convolution
from equisphere.transforms._pointwise import pointwise
from equisphere.transforms._riesz import directional
from equisphere.transforms._rotate import act_on_coefficients, rotate, rotate_signal
from equisphere.transforms._sht import SHT
from equisphere.transforms._spectrum import power_spectrum

__all__ = [
    "SHT",
    "act_on_coefficients",
    "convolution_constant",
    "directional",
    "pointwise",
    "power_spectrum",
    "rotate",
    "rotate_signal",
    "to_complex_basis",
    "to_real_basis",
    "zonal_convolution",
]
