"""How equivariant a model is, measured and explained: anybody's model, layer by layer (docs/audit.md)."""

from equisphere.audit._aliasing import Aliasing, aliasing
from equisphere.audit._assert import assert_equivariant
from equisphere.audit._audit import audit
from equisphere.audit._function import rotation_error
from equisphere.audit._lie import lie_error
from equisphere.audit._report import Report
from equisphere.audit._representations import Action, Invariant, Representation
from equisphere.audit._rows import Errors, LayerAudit
from equisphere.audit._sphere import Coefficients, Converted, Samples, Triangle
from equisphere.audit._trace import ModelError

__all__ = [
    "Action",
    "Aliasing",
    "Coefficients",
    "Converted",
    "Errors",
    "Invariant",
    "LayerAudit",
    "ModelError",
    "Report",
    "Representation",
    "Samples",
    "Triangle",
    "aliasing",
    "assert_equivariant",
    "audit",
    "lie_error",
    "rotation_error",
]
