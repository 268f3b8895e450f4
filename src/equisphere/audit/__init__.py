"""Measured equivariance error."""

from equisphere.audit._layers import LayerError, layer_errors, rotation_error

__all__ = ["LayerError", "layer_errors", "rotation_error"]
