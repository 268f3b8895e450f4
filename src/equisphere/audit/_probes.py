"""Why a part is not exact: runs with other signals between the parts, in place of rotated ones."""

from collections.abc import Callable
from copy import copy
from math import ceil, inf
from typing import Any

import torch
from torch import Tensor

from equisphere.audit._infer import offered
from equisphere.audit._measure import Owner, Reference, Slot, forced, gap, norm
from equisphere.audit._representations import Representation
from equisphere.audit._rows import Errors, tolerance_of
from equisphere.audit._sphere import Coefficients, Samples
from equisphere.audit._trace import Place, Tracer
from equisphere.grids import RingGrid
from equisphere.groups import random_rotations

#: by how much an error has to fall, on signals of half the band limit or a grid twice as fine, to be put down to resolution
FALLS_NONLINEAR, FALLS = 2.0, 4.0
#: what is called approximate errs by no more than this on signals of half the band limit
SMALL = 0.1


def judge(errors: Errors, tolerance: float, owner: Owner, probes: "Probes") -> tuple[str, float | None]:
    """Verdict on one part, and its error on smooth signals where that was looked at."""
    if errors.worst <= tolerance:
        return "exact", None
    smooth = probes.smooth(owner)
    finer = probes.refined(owner)
    sampled, affine = probes.sampled(owner), probes.affine(owner)
    falls = smooth / errors.median if smooth is not None and errors.median > 0 else inf
    verdict = "not equivariant"
    on_finer = finer is not None and finer < errors.median / FALLS_NONLINEAR
    if probes.pointwise(owner) or on_finer or (falls < 1 / FALLS_NONLINEAR and not affine and not sampled):
        verdict = "aliasing"
    elif falls < 1 / FALLS and smooth is not None and smooth < SMALL and (sampled or not affine):
        verdict = "approximate"
    elif len(errors.about_z) and float(errors.about_z.max()) <= tolerance:
        verdict = "about z alone"
    return verdict, smooth


class Probes:
    """Each probe replaces what stands between the parts, and looks at what every part makes of it."""

    def __init__(
        self,
        tracer: Tracer,
        reference: Reference,
        call: Callable[..., Any],
        generator: torch.Generator,
        errors: dict[Owner, Errors],
    ) -> None:
        self.tracer, self.reference, self.call, self.generator = tracer, reference, call, generator
        self.suspects = {owner for owner, found in errors.items() if found.worst > tolerance_of(torch.float64)}
        self._smooth: dict[Owner, list[float]] | None = None
        self._mixed: dict[Owner, tuple[bool, bool]] | None = None

    def conditions(
        self,
        first: Tensor,
        source: Representation,
        signals: Tensor,
        extra: tuple[tuple[Any, ...], dict[str, Any]],
        out: Place,
        straight: Tensor,
    ) -> dict[Owner, float]:
        """How much larger a relative error becomes in each part, and ("", -1) in the whole model.

        A part that subtracts nearly equal numbers has large relative errors of rounding: its tolerance is larger by this.
        """
        found: dict[Owner, float] = {}

        def size(x: Tensor) -> float:
            return tolerance_of(x.dtype) ** 0.5 / 10

        def make(place: Place, slot: Slot) -> Tensor:
            contents = slot.contents + size(slot.like) * self._noise(slot.contents)  # type: ignore[operator,arg-type]
            return slot.representation.restore(contents, slot.like)  # type: ignore[union-attr]

        def look(place: Place, slot: Slot, x: Tensor | None) -> None:
            if (
                x is not None
                and slot.owner
                and slot.representation
                and slot.contents is not None
                and x.shape == slot.like.shape
            ):
                error = float(norm(slot.representation.contents(x) - slot.contents)) / max(
                    float(norm(slot.contents)), 1e-300
                )
                found[slot.owner] = max(found.get(slot.owner, 0.0), error / size(slot.like))

        forced(self.tracer, self.reference, self.call, make, look)
        results: list[Tensor] = []

        def last(place: Place, x: Tensor, maker: Owner) -> Tensor:
            if place == out:
                slot = self.reference.slot(place)
                results.append(slot.representation.contents(x.detach()))  # type: ignore[union-attr]
            return x

        moved = source.restore(first + size(signals) * self._noise(first), signals)
        with torch.no_grad():
            self.tracer.run(last, moved, *extra[0], **extra[1])
        found["", -1] = float(norm(results[-1] - straight)) / max(float(norm(straight)), 1e-300) / size(signals)
        return found

    def smooth(self, owner: Owner) -> float | None:
        """Median error where inputs are cut to half their band limit."""
        if self._smooth is None:
            self._smooth = self._run_smooth()
        found = self._smooth.get(owner)
        return None if not found else float(torch.tensor(found).median())

    def pointwise(self, owner: Owner) -> bool:
        """Whether every node is treated alike and apart from the others: such a map follows rotations of functions."""
        return self._mixtures().get(owner, (False, False))[0]

    def refined(self, owner: Owner) -> float | None:
        """Median error on a grid twice as fine, of a layer of coefficients with a `grid`, or one with `refined`."""
        module = self.tracer.modules[owner[0]]
        source, target = (self.reference.slot(Place(*owner, side, 0)) for side in ("in", "out"))
        if source is None or target is None or source.contents is None:
            return None
        before, like = source.contents, source.like
        found = _refined(module, source.representation, target.representation)
        if found is None:
            return None
        finer, takes, gives = found

        def run(contents: Tensor) -> Tensor:
            return gives.contents(finer.forward(takes.restore(contents, like)))

        try:
            with torch.no_grad():
                straight = run(before)
                errors = [
                    gap(gives, run(takes.turn(before, R)), gives.turn(straight, R)).error
                    for R in random_rotations(3, self.generator, torch.float64)
                ]
        except (ValueError, RuntimeError, TypeError):
            return None
        return sorted(errors)[1]

    def affine(self, owner: Owner) -> bool:
        """Whether the mean of two inputs goes to the mean of their outputs."""
        return self._mixtures().get(owner, (False, False))[1]

    def sampled(self, owner: Owner) -> bool:
        """Whether samples go in or out."""
        return any(
            isinstance(self.reference.slot(place).representation, Samples)  # type: ignore[union-attr]
            for place, slot in self.reference.slots.items()
            if slot.owner == owner or place[:2] == owner
        )

    def _noise(self, like: Tensor) -> Tensor:
        """Random numbers of the same size as those of a tensor."""
        noise = torch.randn(like.shape, generator=self.generator, dtype=torch.float64)
        if like.is_complex():
            noise = torch.complex(noise, torch.randn(like.shape, generator=self.generator, dtype=torch.float64))
        noise = noise.to(device=like.device, dtype=like.dtype)
        return noise * (like.abs().square().mean().sqrt() / noise.abs().square().mean().sqrt().clamp(min=1e-30))

    def _pass(self, make: Callable[[Place, Slot], Tensor]) -> dict[Place, Tensor]:
        """What the suspects make where the tensors between the parts are these."""
        found: dict[Place, Tensor] = {}

        def look(place: Place, slot: Slot, x: Tensor | None) -> None:
            if (
                slot.owner in self.suspects
                and x is not None
                and slot.representation is not None
                and x.shape == slot.like.shape
            ):
                found[place] = x.clone()

        forced(self.tracer, self.reference, self.call, make, look)
        return found

    def _run_smooth(self) -> dict[Owner, list[float]]:
        def cut(slot: Slot) -> Tensor:
            contents = slot.contents
            L = slot.representation.bandwidth(contents)  # type: ignore[union-attr,arg-type]
            if not L:
                return contents  # type: ignore[return-value]
            kept = torch.arange(L * L, device=contents.device) < ceil(L / 2) ** 2  # type: ignore[union-attr]
            return contents * kept  # type: ignore[operator]

        def plain(place: Place, slot: Slot) -> Tensor:
            return slot.representation.restore(cut(slot), slot.like)  # type: ignore[union-attr]

        straight = self._pass(plain)
        errors: dict[Owner, list[float]] = {}
        for matrix in random_rotations(3, self.generator, torch.float64):

            def turned(place: Place, slot: Slot, matrix: Tensor = matrix) -> Tensor:
                contents = slot.representation.turn(cut(slot), matrix)  # type: ignore[union-attr]
                return slot.representation.restore(contents, slot.like)  # type: ignore[union-attr]

            here: dict[Owner, float] = {}
            for place, x in self._pass(turned).items():
                slot, owner = self.reference.slot(place), self.reference.slots[place].owner
                if place in straight and slot is not None and slot.representation is not None and owner is not None:
                    r = slot.representation
                    error = gap(r, r.contents(x), r.turn(r.contents(straight[place]), matrix)).error
                    here[owner] = max(here.get(owner, 0.0), error)
            for owner, error in here.items():
                errors.setdefault(owner, []).append(error)
        return errors

    def _mixtures(self) -> dict[Owner, tuple[bool, bool]]:
        if self._mixed is None:
            self._mixed = self._run_mixtures()
        return self._mixed

    def _run_mixtures(self) -> dict[Owner, tuple[bool, bool]]:
        """Two sets of inputs a and b, their mean, and a where a mask says so and b elsewhere, the nodes then shuffled."""
        other: dict[int, Tensor] = {}
        shuffles: dict[Any, tuple[Tensor, Tensor]] = {}

        def a(place: Place, slot: Slot) -> Tensor:
            return slot.representation.restore(slot.contents, slot.like).clone()  # type: ignore[union-attr,arg-type]

        def b(place: Place, slot: Slot) -> Tensor:
            key = id(slot.contents)
            if key not in other:
                other[key] = self._noise(slot.contents)  # type: ignore[arg-type]
            return slot.representation.restore(other[key], slot.like).clone()  # type: ignore[union-attr]

        def mixed(slot: Slot, x: Tensor, y: Tensor) -> Tensor | None:
            samples = slot.representation
            if not isinstance(samples, Samples):
                return None
            nodes = len(samples.grid.shape)
            dim = x.ndim - nodes if samples.dim is None else samples.dim
            flat_x, flat_y = x.flatten(dim, dim + nodes - 1), y.flatten(dim, dim + nodes - 1)
            count = flat_x.shape[dim]
            if samples.grid not in shuffles:
                mask = torch.rand(count, generator=self.generator) < 0.5
                shuffles[samples.grid] = mask, torch.randperm(count, generator=self.generator)
            mask, order = (t.to(x.device) for t in shuffles[samples.grid])
            shape = [count if d == dim else 1 for d in range(flat_x.ndim)]
            chosen = torch.where(mask.reshape(shape), flat_x, flat_y)
            return chosen.index_select(dim, order).reshape(x.shape)

        def c(place: Place, slot: Slot) -> Tensor:
            made = mixed(slot, a(place, slot), b(place, slot))
            return a(place, slot) if made is None else made

        of_a, of_b, of_mean, of_mixed = (self._pass(make) for make in (a, b, lambda p, s: (a(p, s) + b(p, s)) / 2, c))
        verdicts: dict[Owner, tuple[bool, bool]] = {}
        for place in of_a.keys() & of_b.keys() & of_mean.keys() & of_mixed.keys():
            slot, owner = self.reference.slot(place), self.reference.slots[place].owner
            if slot is None or owner is None:
                continue
            limit = tolerance_of(slot.like.dtype)
            expected = mixed(slot, of_a[place], of_b[place])
            alike = expected is not None and _near(of_mixed[place], expected, limit)
            affine = _near(of_mean[place], (of_a[place] + of_b[place]) / 2, limit)
            before = verdicts.get(owner, (True, True))
            verdicts[owner] = (before[0] and alike, before[1] and affine)
        return verdicts


def _refined(
    module: Any, takes: Representation | None, gives: Representation | None
) -> tuple[Any, Representation, Representation] | None:
    """The layer on a grid twice as fine, what it takes and gives; None where there is no such thing."""
    if hasattr(module, "refined"):
        finer = module.refined()
        takes, gives = (offer or given for offer, given in zip(offered(finer), (takes, gives), strict=True))
        return finer, takes, gives  # type: ignore[return-value]
    grid = getattr(module, "grid", None)
    if not isinstance(grid, RingGrid) or not isinstance(takes, Coefficients) or not isinstance(gives, Coefficients):
        return None
    finer = copy(module)  # shares its parameters
    finer.__dict__["grid"] = grid.refined()
    return finer, takes, gives


def _near(x: Tensor, y: Tensor, limit: float) -> bool:
    return float(norm(x - y)) <= limit * float(norm(y)) if float(norm(y)) > 0 else float(norm(x)) == 0
