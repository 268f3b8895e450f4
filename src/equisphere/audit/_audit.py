"""Equivariance of any model as measured numbers, part by part."""

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from equisphere import _checks
from equisphere.audit._infer import Given, Guess, of_signals
from equisphere.audit._lie import lie_errors
from equisphere.audit._preserve import preserved
from equisphere.audit._report import Report
from equisphere.audit._trace import Tracer
from equisphere.audit._work import Work
from equisphere.groups import random_rotations, rotation_about

#: for how many of the rotations the maximum norm and the spectra are looked at: they cost as much as all the rest
FULL = 8


def audit(
    model: nn.Module,
    signals: Shaped[Tensor, "batch *signal"],
    grid: Any = None,
    rotations: int | Float[Tensor, "n 3 3"] = 16,
    *,
    representations: Mapping[str, Given] | None = None,
    training: bool = False,
    seed: int = 0,
    arguments: Sequence[Any] = (),
    keywords: Mapping[str, Any] | None = None,
    lie: bool = True,
) -> Report:
    r"""Measure how far a model, and each of its parts, is from commuting with rotations: ||T(R.f) - R.T(f)|| / ||R.T(f)||.

    The model may be anybody's. While it runs, every tensor between its parts is replaced by the one that an equivariant model
    would have there (the rotated one of the run on f), so that each part is measured on inputs that follow the rotation
    exactly, and is charged with its own error alone; so is the code between the parts of a module. A second run,
    undisturbed, tells what has gathered at each output. Norms are over the whole batch. Parameters, buffers, mode, hooks
    and random numbers are restored, after an error too. docs/audit.md has the protocol.

    Samples are compared by their coefficients at the band limit of their grid, and the signals are projected to it first:
    what a grid cannot resolve cannot be rotated.

    Args:
        model: takes the signals as its first argument.
        signals: `(batch, ...)`: samples on `grid`, or coefficients.
        grid: grid of the samples, of `equisphere.grids`; "coefficients" or None for flat coefficients `(..., L*L)`; any
            `Representation` for other layouts.
        rotations: how many to draw from the Haar measure, or matrices. Half as many about the z axis alone are added: a layer
            that knows the axis follows those, and no others.
        representations: what tensors inside the model are, where their shape misleads: name of a submodule (with wildcards,
            "encoder.*"; "" is the model itself) to a representation, None (not to be measured), or a pair (what it takes, what
            it gives). A module may say so itself, as `models.OnGrid` does by its `signal_layouts`.
        training: audit in training mode; random numbers are then the same in every run.
        seed: of the rotations and probes.
        arguments: further arguments of the model, handed on as they are.
        keywords: the same by name.
        lie: measure the derivative with respect to rotations too, where the model has forward-mode derivatives.

    Returns:
        The report: `print(report)`, `.table()`, `.worst`, `.equivariant`, `.to_dict()`, `.save_html(path)`.

    Raises:
        ValueError: where the signals are not what `grid` says, or something in the model is not finite.
        ModelError: where the model fails; it is a ValueError that names the part and what it was given.

    >>> import equisphere as es
    >>> model = es.models.SphericalClassifier(channels=(4,), bandwidths=(6,))
    >>> report = audit(model, torch.randn(2, 1, 36), rotations=2)
    >>> report.worst, report["blocks.0.activation"].verdict, report["blocks.0.conv"].verdict
    ('blocks.0.activation', 'aliasing', 'exact')
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}: wrap a function in one.")
    guess = Guess(model, signals, of_signals(signals, grid), representations)
    source = guess.signals(signals)
    generator = torch.Generator().manual_seed(seed)
    R = _rotations(rotations, generator)
    angles = pi * (1 - torch.rand(max(2, len(R) // 2), generator=generator, dtype=torch.float64))
    z = rotation_about((0, 0, 1), angles)
    with torch.no_grad():
        first = source.contents(signals.detach())
    extra = (tuple(arguments), dict(keywords or {}))
    with preserved(model, training):
        tracer = Tracer(model)
        try:
            work = Work(tracer, guess, source, first, signals, extra, generator)
            work.settle(R[0])
            for which, turns in (("l2", R), ("about_z", z)):
                for k, matrix in enumerate(turns):
                    work.measure(which, matrix, full=which == "l2" and k < FULL)
            rows, total = work.rows()
        finally:
            tracer.close()
        change = None
        if lie:
            change = lie_errors(model, work.rotated, work.out_representation, extra)
    return Report(
        model=type(model).__name__,
        layers=rows,
        total=total,
        rotations=R,
        z_angles=angles,
        takes=str(source),
        signals=tuple(signals.shape),
        dtype=str(signals.dtype).removeprefix("torch."),
        training=training,
        seed=seed,
        flips=work.flips(len(R)),
        lie=change,
        notes=tuple(work.notes),
    )


def _rotations(rotations: int | Tensor, generator: torch.Generator) -> Tensor:
    if isinstance(rotations, Tensor):
        R = rotations.detach().cpu().double()
        R = R[None] if R.ndim == 2 else R
        _checks.rotations(R, "rotations")
        if R.ndim != 3 or len(R) == 0:
            raise ValueError(f"rotations must be a number or matrices (n, 3, 3), got shape {tuple(rotations.shape)}.")
        return R
    return random_rotations(_checks.positive_int(rotations, "rotations"), generator, torch.float64)
