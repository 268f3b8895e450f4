"""Groups: elements, Haar measure, actions; convolution on homogeneous spaces; equivariance error; rotations as matrices."""

from equisphere.groups._actions import (
    act_on_edges,
    act_on_functions,
    act_on_images,
    act_on_indices,
    act_on_nodes,
    act_on_pixels,
    act_on_points,
    act_trivially,
    action_table,
    check_action,
)
from equisphere.groups._continuous import O3, SO2, SO3
from equisphere.groups._convolution import convolve
from equisphere.groups._error import EquivarianceError, equivariance_error, relative_error
from equisphere.groups._finite import Cyclic, Dihedral, Icosahedral, MatrixGroup, Octahedral, Symmetric, Tetrahedral
from equisphere.groups._group import Group, check_axioms
from equisphere.groups._product import DirectProduct
from equisphere.groups._rotations import euler_angles, random_rotations, rotation_about

__all__ = [
    "O3",
    "SO2",
    "SO3",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "EquivarianceError",
    "Group",
    "Icosahedral",
    "MatrixGroup",
    "Octahedral",
    "Symmetric",
    "Tetrahedral",
    "act_on_edges",
    "act_on_functions",
    "act_on_images",
    "act_on_indices",
    "act_on_nodes",
    "act_on_pixels",
    "act_on_points",
    "act_trivially",
    "action_table",
    "check_action",
    "check_axioms",
    "convolve",
    "equivariance_error",
    "euler_angles",
    "random_rotations",
    "relative_error",
    "rotation_about",
]
