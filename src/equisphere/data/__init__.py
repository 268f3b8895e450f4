"""From images to signals on the sphere, and data sets of them."""

from equisphere.data._clouds import Shells, cloud_coefficients, cloud_density, normalize_points
from equisphere.data._digits import DataError, Digits, LabelledImages, load_digits
from equisphere.data._image_files import find_pictures, read_digit
from equisphere.data._projection import image_coefficients
from equisphere.data._spherical_images import Batch, Batches, SphericalImages, loader

__all__ = [
    "Batch",
    "Batches",
    "DataError",
    "Digits",
    "LabelledImages",
    "Shells",
    "SphericalImages",
    "cloud_coefficients",
    "cloud_density",
    "find_pictures",
    "image_coefficients",
    "load_digits",
    "loader",
    "normalize_points",
    "read_digit",
]
