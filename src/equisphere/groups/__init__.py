"""Groups that act on the sphere: rotations and their Haar measure."""

from equisphere.groups._rotations import euler_angles, random_rotations, rotation_about

__all__ = ["euler_angles", "random_rotations", "rotation_about"]
