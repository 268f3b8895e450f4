"""Layers, coefficients to coefficients, each equivariant under every rotation, and their on-grid compositions."""

from equisphere.nn._activation import Activation
from equisphere.nn._at_nodes import AtNodes, FieldSHT, GridMean
from equisphere.nn._directional import DirectionalActivation
from equisphere.nn._equivariant import EquivariantLinear
from equisphere.nn._field import Field
from equisphere.nn._grid_conv import GridConv
from equisphere.nn._group_conv import GroupConv
from equisphere.nn._invariants import Bispectrum, CrossSpectrum, MeanMagnitude
from equisphere.nn._polynomial import Polynomial, PolynomialActivation
from equisphere.nn._sampled import SphericalConv
from equisphere.nn._so3_fields import from_wigner, to_wigner
from equisphere.nn._spectral import GlobalPool, PowerSpectrum, SpectralBatchNorm, SpectralPad, SpectralPool
from equisphere.nn._spin_activation import GatedActivation, MagnitudeActivation, SO3Activation
from equisphere.nn._spin_conv import LiftToSO3, PointedConv, SO3Conv, SpinConv
from equisphere.nn._spin_norm import GridBatchNorm, SpinBatchNorm
from equisphere.nn._tensor_product import Gradient, SpinProduct, TensorProduct
from equisphere.nn._triple import TripleProduct
from equisphere.nn._zonal import ZonalConv

__all__ = [
    "Activation",
    "AtNodes",
    "Bispectrum",
    "CrossSpectrum",
    "DirectionalActivation",
    "EquivariantLinear",
    "Field",
    "FieldSHT",
    "GatedActivation",
    "GlobalPool",
    "Gradient",
    "GridBatchNorm",
    "GridConv",
    "GridMean",
    "GroupConv",
    "LiftToSO3",
    "MagnitudeActivation",
    "MeanMagnitude",
    "PointedConv",
    "Polynomial",
    "PolynomialActivation",
    "PowerSpectrum",
    "SO3Activation",
    "SO3Conv",
    "SpectralBatchNorm",
    "SpectralPad",
    "SpectralPool",
    "SphericalConv",
    "SpinBatchNorm",
    "SpinConv",
    "SpinProduct",
    "TensorProduct",
    "TripleProduct",
    "ZonalConv",
    "from_wigner",
    "to_wigner",
]
