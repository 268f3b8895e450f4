"""Pictures: signals on the globe, results of an experiment, and a report of both in one HTML page.

Each function returns a `matplotlib.figure.Figure`, drawn without a window and without state: `figure.savefig("globe.png")`.
"""

try:
    import jinja2 as _jinja2  # noqa: F401
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"equisphere.plot needs {error.name}: pip install 'equisphere[plot]'.", name=error.name
    ) from error

from equisphere.plot._accuracy import accuracy_bars, accuracy_by_angle, learning_curves
from equisphere.plot._audit import audit_rows, error_spectra, rotation_errors, write_audit
from equisphere.plot._colours import globe_classes, globe_picture
from equisphere.plot._digits import digits
from equisphere.plot._errors import layer_errors, oversampling_errors, times
from equisphere.plot._globe import globe, globes
from equisphere.plot._report import write_report

__all__ = [
    "accuracy_bars",
    "accuracy_by_angle",
    "audit_rows",
    "digits",
    "error_spectra",
    "globe",
    "globe_classes",
    "globe_picture",
    "globes",
    "layer_errors",
    "learning_curves",
    "oversampling_errors",
    "rotation_errors",
    "times",
    "write_audit",
    "write_report",
]
