"""What an audit found about one part of a model."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

#: How large a relative error rounding may explain, in a part that does not subtract nearly equal numbers.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 3e-2, torch.bfloat16: 2e-1}

#: verdicts, and what they mean
VERDICTS = {
    "exact": "equivariant to rounding",
    "aliasing": "equivariant on functions; the error is what its grid cannot resolve, and falls on a finer one",
    "approximate": "the error falls fast as signals get smoother: it is one of resolution",
    "about z alone": "follows rotations about the polar axis, and no others: the layer knows an axis",
    "not equivariant": "follows no rotations",
}


def tolerance_of(dtype: torch.dtype) -> float:
    """`TOLERANCES` of a dtype, complex or real.

    >>> tolerance_of(torch.complex64)
    0.0001
    """
    real = {torch.complex128: torch.float64, torch.complex64: torch.float32, torch.complex32: torch.float16}
    return TOLERANCES.get(real.get(dtype, dtype), 1e-4)


@dataclass(frozen=True)
class Errors:
    """Relative errors ||T(R.f) - R.T(f)|| / ||R.T(f)|| over rotations.

    Attributes:
        l2: in the L2 norm, for each rotation of the audit.
        largest: in the maximum norm, for the first eight of them.
        about_z: in the L2 norm, for rotations about the z axis.
    """

    l2: Float[Tensor, "n"]
    largest: Float[Tensor, "few"]
    about_z: Float[Tensor, "nz"]

    @property
    def median(self) -> float:
        """Over the rotations of the audit."""
        return float(self.l2.median())

    @property
    def worst(self) -> float:
        """Over all rotations, those about z included."""
        return float(torch.cat((self.l2, self.about_z)).max())

    @property
    def worst_rotation(self) -> int:
        """Index of the rotation (not about z) with the largest error."""
        return int(self.l2.argmax())

    @property
    def spread(self) -> float:
        """Standard deviation over the rotations of the audit."""
        return float(self.l2.std()) if len(self.l2) > 1 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "median": self.median,
            "worst": self.worst,
            "worst_rotation": self.worst_rotation,
            "spread": self.spread,
            "largest": float(self.largest.max()) if len(self.largest) else None,
            "about_z": float(self.about_z.max()) if len(self.about_z) else None,
            "errors": self.l2.tolist(),
            "errors_about_z": self.about_z.tolist(),
        }


@dataclass(frozen=True)
class LayerAudit:
    """One call of one part of a model.

    Attributes:
        name: qualified name of the submodule; empty for the model itself.
        kind: its class.
        call: which call of it in one run, from 0.
        own: errors that the part adds: measured on inputs that follow the rotation exactly. For a module with parts of its own,
            those of the code between the parts.
        reaching: errors at its output while the model runs undisturbed: all that has gathered up to there.
        gives: what its output is taken for.
        tolerance: how large an error rounding may explain here.
        smooth: median error on inputs cut to half their band limit, where it was looked at.
        verdict: a key of `VERDICTS`.
        includes: modules before it whose output is not understood, so that their error is counted here.
        spectra: power of the output, and of the error, by degree (both averaged over signals and rotations).
    """

    name: str
    kind: str
    call: int
    own: Errors
    reaching: Errors | None
    gives: str
    tolerance: float
    smooth: float | None
    verdict: str
    includes: tuple[str, ...] = ()
    spectra: tuple[Tensor, Tensor] | None = field(default=None, repr=False)

    @property
    def accused(self) -> bool:
        """Whether the error is neither rounding nor aliasing nor a matter of resolution."""
        return self.verdict in ("about z alone", "not equivariant")

    @property
    def title(self) -> str:
        """Name, and number of the call from the second on."""
        return (self.name or "(the model)") + (f" (call {self.call + 1})" if self.call else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words."""
        return {
            "name": self.name,
            "kind": self.kind,
            "call": self.call,
            "own": self.own.to_dict(),
            "reaching": self.reaching.to_dict() if self.reaching else None,
            "gives": self.gives,
            "tolerance": self.tolerance,
            "smooth": self.smooth,
            "verdict": self.verdict,
            "includes": list(self.includes),
            "spectra": [s.tolist() for s in self.spectra] if self.spectra else None,
        }
