"""Groups: elements, Haar measure, convolution on homogeneous spaces, equivariance error; rotations as matrices."""

from equisphere.groups._continuous import SO2, SO3
from equisphere.groups._convolution import convolve
from equisphere.groups._error import EquivarianceError, equivariance_error, relative_error
from equisphere.groups._finite import Cyclic, Dihedral, Icosahedral, MatrixGroup, Octahedral, Symmetric, Tetrahedral
from equisphere.groups._group import Group, check_axioms
from equisphere.groups._rotations import euler_angles, random_rotations, rotation_about

__all__ = [
    "SO2",
    "SO3",
    "Cyclic",
    "Dihedral",
    "EquivarianceError",
    "Group",
    "Icosahedral",
    "MatrixGroup",
    "Octahedral",
    "Symmetric",
    "Tetrahedral",
    "check_axioms",
    "convolve",
    "equivariance_error",
    "euler_angles",
    "random_rotations",
    "relative_error",
    "rotation_about",
]
