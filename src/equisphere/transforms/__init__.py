"""Fast differentiable transforms: coefficients from samples and back, their rotation and convolution."""

from equisphere.transforms._backends import accelerate, large_backend
from equisphere.transforms._basis import to_complex_basis, to_real_basis
from equisphere.transforms._calculus import (
    curl,
    divergence,
    gradient,
    inverse_laplacian,
    laplacian,
    rotated_gradient,
    smooth,
)
from equisphere.transforms._convolution import convolution_constant, zonal_convolution
from equisphere.transforms._evaluate import accumulate, evaluate, fit
from equisphere.transforms._generators import rotation_generators
from equisphere.transforms._masked import condition_number, masked_fit, masked_quadrature
from equisphere.transforms._pointwise import pointwise
from equisphere.transforms._resample import resample
from equisphere.transforms._riesz import directional
from equisphere.transforms._rotate import act_on_coefficients, rotate, rotate_signal
from equisphere.transforms._sht import SHT
from equisphere.transforms._so3 import SO3Transform
from equisphere.transforms._solid import accumulate_each, solid_harmonics
from equisphere.transforms._spectrum import power_spectrum
from equisphere.transforms._spin import SpinSHT, e_b_modes, from_e_b_modes
from equisphere.transforms._spin_pointwise import pointwise_spins
from equisphere.transforms._vector import VectorSHT

__all__ = [
    "SHT",
    "SO3Transform",
    "SpinSHT",
    "VectorSHT",
    "accelerate",
    "accumulate",
    "accumulate_each",
    "act_on_coefficients",
    "condition_number",
    "convolution_constant",
    "curl",
    "directional",
    "divergence",
    "e_b_modes",
    "evaluate",
    "fit",
    "from_e_b_modes",
    "gradient",
    "inverse_laplacian",
    "laplacian",
    "large_backend",
    "masked_fit",
    "masked_quadrature",
    "pointwise",
    "pointwise_spins",
    "power_spectrum",
    "resample",
    "rotate",
    "rotate_signal",
    "rotated_gradient",
    "rotation_generators",
    "smooth",
    "solid_harmonics",
    "to_complex_basis",
    "to_real_basis",
    "zonal_convolution",
]
