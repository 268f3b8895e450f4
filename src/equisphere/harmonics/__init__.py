"""Reference mathematics, plain and readable, in NumPy: what the fast transforms are tested against."""

from equisphere.harmonics._clebsch_gordan import clebsch_gordan, clebsch_gordan_real
from equisphere.harmonics._legendre import associated_legendre
from equisphere.harmonics._spherical import (
    complex_harmonics,
    degrees_and_orders,
    flat_index,
    real_from_complex,
    real_harmonics,
    so3_degrees_and_orders,
    so3_index,
)
from equisphere.harmonics._wigner import to_real, wigner_D, wigner_d, wigner_d_orders, wigner_D_real, wigner_d_series

__all__ = [
    "associated_legendre",
    "clebsch_gordan",
    "clebsch_gordan_real",
    "complex_harmonics",
    "degrees_and_orders",
    "flat_index",
    "real_from_complex",
    "real_harmonics",
    "so3_degrees_and_orders",
    "so3_index",
    "to_real",
    "wigner_D",
    "wigner_D_real",
    "wigner_d",
    "wigner_d_orders",
    "wigner_d_series",
]
