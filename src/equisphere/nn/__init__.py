"""Layers, coefficients to coefficients, each equivariant under every rotation, and their on-grid compositions."""

from equisphere.nn._activation import Activation
from equisphere.nn._directional import DirectionalActivation
from equisphere.nn._group_conv import GroupConv
from equisphere.nn._polynomial import Polynomial, PolynomialActivation
from equisphere.nn._sampled import SphericalConv
from equisphere.nn._spectral import GlobalPool, PowerSpectrum, SpectralBatchNorm, SpectralPad, SpectralPool
from equisphere.nn._triple import TripleProduct
from equisphere.nn._zonal import ZonalConv

__all__ = [
    "Activation",
    "DirectionalActivation",
    "GlobalPool",
    "GroupConv",
    "Polynomial",
    "PolynomialActivation",
    "PowerSpectrum",
    "SpectralBatchNorm",
    "SpectralPad",
    "SpectralPool",
    "SphericalConv",
    "TripleProduct",
    "ZonalConv",
]
