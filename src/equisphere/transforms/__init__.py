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
from equisphere.transforms._convolution import (
    axisymmetric_convolution,
    convolution_constant,
    spin_convolution,
    zonal_convolution,
)
from equisphere.transforms._evaluate import accumulate, evaluate, fit
from equisphere.transforms._generators import rotation_generators
from equisphere.transforms._masked import condition_number, masked_fit, masked_quadrature
from equisphere.transforms._pointwise import pointwise
from equisphere.transforms._resample import resample
from equisphere.transforms._riesz import directional
from equisphere.transforms._rotate import act_on_coefficients, rotate, rotate_signal
from equisphere.transforms._sections import (
    commutative_convolution,
    harmonic_multiplication,
    section,
    sifting_convolution,
    standard_correlation,
)
from equisphere.transforms._sht import SHT
from equisphere.transforms._so3 import SO3Transform
from equisphere.transforms._so3_convolution import (
    directional_convolution,
    directional_synthesis,
    from_spin_components,
    so3_convolution,
    spin_components,
    steerable_convolution,
)
from equisphere.transforms._solid import accumulate_each, solid_harmonics
from equisphere.transforms._spectrum import power_spectrum
from equisphere.transforms._spin import SpinSHT, e_b_modes, from_e_b_modes
from equisphere.transforms._spin_calculus import eth, ethbar, inverse_kaiser_squires, kaiser_squires
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
    "axisymmetric_convolution",
    "commutative_convolution",
    "condition_number",
    "convolution_constant",
    "curl",
    "directional",
    "directional_convolution",
    "directional_synthesis",
    "divergence",
    "e_b_modes",
    "eth",
    "ethbar",
    "evaluate",
    "fit",
    "from_e_b_modes",
    "from_spin_components",
    "gradient",
    "harmonic_multiplication",
    "inverse_kaiser_squires",
    "inverse_laplacian",
    "kaiser_squires",
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
    "section",
    "sifting_convolution",
    "smooth",
    "so3_convolution",
    "solid_harmonics",
    "spin_components",
    "spin_convolution",
    "standard_correlation",
    "steerable_convolution",
    "to_complex_basis",
    "to_real_basis",
    "zonal_convolution",
]
