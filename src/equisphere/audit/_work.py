"""The runs of one audit, and what is made of them."""

from dataclasses import dataclass, field
from math import isnan
from typing import Any

import torch
from torch import Tensor

from equisphere.audit._infer import Guess
from equisphere.audit._measure import Gap, Owner, Slot, forced, gap, take_reference
from equisphere.audit._probes import Probes, judge
from equisphere.audit._representations import Invariant, Representation
from equisphere.audit._rows import Errors, LayerAudit, tolerance_of
from equisphere.audit._trace import Place, Tracer


@dataclass
class Tally:
    """Gaps of one part, by kind of rotation."""

    l2: list[float] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)
    about_z: list[float] = field(default_factory=list)
    spectra: tuple[Tensor, Tensor] | None = None
    looked: int = 0  # at how many spectra

    def add(self, which: str, found: Gap) -> None:
        if which == "about_z":
            self.about_z.append(found.error)
            return
        self.l2.append(found.error)
        if not isnan(found.largest):
            self.largest.append(found.largest)
        if found.spectra is not None:
            old = self.spectra
            fits = old is not None and len(old[0]) == len(found.spectra[0])
            self.spectra = (old[0] + found.spectra[0], old[1] + found.spectra[1]) if old and fits else found.spectra
            self.looked = self.looked + 1 if old and fits else 1

    def errors(self) -> Errors:
        return Errors(*(torch.tensor(x, dtype=torch.float64) for x in (self.l2, self.largest, self.about_z)))

    def mean_spectra(self) -> tuple[Tensor, Tensor] | None:
        return None if self.spectra is None else (self.spectra[0] / self.looked, self.spectra[1] / self.looked)


class Work:
    """The runs of one audit, and what they found."""

    def __init__(
        self,
        tracer: Tracer,
        guess: Guess,
        source: Representation,
        first: Tensor,
        signals: Tensor,
        extra: tuple[tuple[Any, ...], dict[str, Any]],
        generator: torch.Generator,
    ) -> None:
        self.tracer, self.guess, self.source, self.first = tracer, guess, source, first
        self.signals, self.extra, self.generator = signals.detach(), extra, generator
        self.own: dict[Owner, Tally] = {}
        self.reaching: dict[Place, Tally] = {}
        self.total = Tally()
        self.flipped: list[float] = []
        self.includes: dict[Owner, tuple[str, ...]] = {}
        self.notes: list[str] = []
        self.known: dict[Place, Representation | None] = {}

    def rotated(self, matrix: Tensor | None) -> Tensor:
        """The signals, projected and turned, as the model takes them."""
        c = self.first if matrix is None else self.source.turn(self.first, matrix)
        return self.source.restore(c, self.signals).clone()

    def call(self, matrix: Tensor | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.rotated(matrix), *self.extra[0]), self.extra[1]

    def settle(self, matrix: Tensor) -> None:
        """Run on the signals, find out what is what, and keep what an undisturbed run gives at each output."""
        self.reference = take_reference(self.tracer, self.guess, self.call, self.known)
        if self.guess.layouts:  # now that all modules have said what they take and give
            self.reference = take_reference(self.tracer, self.guess, self.call, self.known)
        open_places = [
            p
            for p, s in self.reference.slots.items()
            if s.representation is None and s.same_as is None and s.candidates
        ]
        if open_places:
            self._decide(matrix)
            self.reference = take_reference(self.tracer, self.guess, self.call, self.known)
        self.straight = self._outputs(None)
        out = [p for p in self.straight if p.name == "" and p.side == "out"]
        if not out:
            raise ValueError("the model gives no floating point tensor whose equivariance could be measured.")
        self.out = out[0]
        slot = self.reference.slot(self.out)
        self.out_representation = slot.representation if slot is not None and slot.representation else Invariant()

    def _decide(self, matrix: Tensor) -> None:
        """Take the representation under which a part is exact; else the one that is much the better."""
        ideal: dict[Place, Tensor] = {}

        def make(place: Place, slot: Slot) -> Tensor:
            return ideal[place]

        def look(place: Place, slot: Slot, x: Tensor | None) -> None:
            place = self.reference.slots[place].same_as or place
            if x is None or place in ideal:
                return
            options = [slot.representation] if slot.representation else slot.candidates
            tried = []
            for option in options:
                try:
                    contents = option.contents(slot.like) if slot.contents is None else slot.contents
                    turned = option.turn(contents, matrix)
                    tried.append((gap(option, option.contents(x), turned).error, option, turned))
                except (ValueError, RuntimeError):
                    continue
            if not tried:
                return
            limit = 10 * tolerance_of(slot.like.dtype)
            tried_first = tried[0]
            best = next((t for t in tried if t[0] <= limit), min(tried, key=lambda t: t[0]))
            others = [t[0] for t in tried if t is not best]
            root = place.name == "" and place.side == "out"
            clear = best[0] <= limit or root or (bool(others) and best[0] < 0.5 * min(others))
            if slot.representation is None and clear:
                self.known[place] = best[1]
                self.guess.learn(best[1], slot.like)
                if len(tried) > 1 and str(best[1]) != str(tried_first[1]):
                    self.notes.append(
                        f"{place.name or 'the model'} ({place.side}), shape {tuple(slot.like.shape)}: taken for {best[1]}, "
                        f"not for {tried_first[1]}, since it follows rotations better so."
                    )
            if slot.representation is not None or clear:
                ideal[place] = best[1].restore(best[2], slot.like)
                self.reference.slots[place].representation = best[1]

        # a tensor that stays unknown is not replaced
        forced(self.tracer, self.reference, lambda: self.call(matrix), make, look)

    def _outputs(self, matrix: Tensor | None) -> dict[Place, Tensor]:
        """Contents at all outputs of an undisturbed run."""
        found: dict[Place, Tensor] = {}

        def visit(place: Place, x: Tensor, maker: Owner) -> Tensor:
            slot = self.reference.slot(place)
            if place.side == "out" and slot is not None and slot.representation is not None:
                found[place] = slot.representation.contents(x.detach()).clone()
            return x

        arguments, keywords = self.call(matrix)
        with torch.no_grad():
            self.tracer.run(visit, *arguments, **keywords)
        return found

    def measure(self, which: str, matrix: Tensor, full: bool) -> None:
        """One rotation: the run with ideal inputs, and the undisturbed one; where `full`, the maximum norm and spectra too."""
        turned: dict[Place, Tensor] = {}
        charges: dict[Owner, Gap] = {}
        unknown: list[str] = []

        def ideal(place: Place, slot: Slot) -> Tensor:
            if place not in turned:
                turned[place] = slot.representation.turn(slot.contents, matrix)  # type: ignore[union-attr,arg-type]
            return turned[place]

        def make(place: Place, slot: Slot) -> Tensor:
            return slot.representation.restore(ideal(place, slot), slot.like)  # type: ignore[union-attr]

        def look(place: Place, slot: Slot, x: Tensor | None) -> None:
            if slot.representation is None:
                if place.side == "out":
                    unknown.append(place.name)
                return
            if slot.owner is None:
                return
            found = Gap(0.0, 0.0)
            if x is not None:
                base = self.reference.slots[place].same_as or place
                shape_kept = x.shape == slot.like.shape
                contents = slot.representation.contents(x) if shape_kept else x
                found = gap(slot.representation, contents, ideal(base, slot), full)
                if unknown:
                    self.includes[slot.owner] = tuple(dict.fromkeys(unknown))
                    unknown.clear()
            worst = charges.get(slot.owner)
            if worst is None or found.error > worst.error:
                charges[slot.owner] = found

        forced(self.tracer, self.reference, lambda: self.call(matrix), make, look)
        for owner, found in charges.items():
            self.own.setdefault(owner, Tally()).add(which, found)
        gathered = self._outputs(matrix)
        for place, straight in self.straight.items():
            representation = self.reference.slot(place).representation  # type: ignore[union-attr]
            if place in gathered and representation is not None:
                found = gap(
                    representation, gathered[place], representation.turn(straight, matrix), full and place == self.out
                )
                self.reaching.setdefault(place, Tally()).add(which, found)
        here, before = gathered[self.out], self.straight[self.out]
        choice = isinstance(self.out_representation, Invariant) and before.ndim == 2 and before.shape[1] > 1
        if which == "l2" and choice and not before.is_complex():
            self.flipped.append(float((here.argmax(1) != before.argmax(1)).double().mean()))

    def flips(self, n: int) -> float | None:
        """How often the largest of the outputs is another one after a rotation."""
        return sum(self.flipped) / n if self.flipped else None

    def rows(self) -> tuple[list[LayerAudit], LayerAudit]:
        """Each part that does something, in the order in which they run, and the model as a whole."""
        probes = Probes(self.tracer, self.reference, self.call, self.generator, self.own_errors())
        conditions = probes.conditions(
            self.first, self.source, self.signals, self.extra, self.out, self.straight[self.out]
        )
        rows = []
        for owner in self._order():
            errors = self.own[owner].errors()
            leaf = self.tracer.is_leaf(owner[0])
            slot = self._output_slot(owner)
            rounding = tolerance_of(slot.like.dtype if slot else self.signals.dtype)
            tolerance = rounding * max(1.0, conditions.get(owner, 1.0))
            verdict, smooth = judge(errors, tolerance, owner, probes)
            if not leaf and verdict == "exact":
                continue  # code between parts is worth a line where it does something
            place = Place(owner[0], owner[1], "out", 0)
            reaching = self.reaching.get(place)
            rows.append(
                LayerAudit(
                    owner[0],
                    type(self.tracer.modules[owner[0]]).__name__ + ("" if leaf else ", between its parts"),
                    owner[1],
                    errors,
                    reaching.errors() if reaching else None,
                    str(slot.representation) if slot else "",
                    tolerance,
                    smooth,
                    verdict,
                    self.includes.get(owner, ()),
                    self.own[owner].mean_spectra(),
                )
            )
        whole = self.reaching[self.out].errors()
        rounding = max([tolerance_of(s.like.dtype) for s in self.reference.slots.values()])
        tolerance = rounding * max(1.0, conditions.get(("", -1), 1.0))
        inexact = {row.verdict for row in rows} - {"exact"}
        if whole.worst <= tolerance:
            verdict = "exact"
        elif inexact <= {"aliasing", "approximate"}:
            verdict = "approximate" if "approximate" in inexact else "aliasing"
        else:
            z_alone = len(whole.about_z) and float(whole.about_z.max()) <= tolerance
            verdict = "about z alone" if z_alone else "not equivariant"
        total = LayerAudit(
            "",
            type(self.tracer.model).__name__,
            0,
            whole,
            whole,
            str(self.out_representation),
            tolerance,
            None,
            verdict,
        )
        return rows, total

    def own_errors(self) -> dict[Owner, Errors]:
        return {owner: tally.errors() for owner, tally in self.own.items()}

    def _order(self) -> list[Owner]:
        """Owners in the order in which their last tensor was seen."""
        last: dict[Owner, int] = {}
        for k, slot in enumerate(self.reference.slots.values()):
            if slot.owner in self.own:
                last[slot.owner] = k
        return sorted(last, key=lambda owner: last[owner])

    def _output_slot(self, owner: Owner) -> Slot | None:
        return self.reference.slot(Place(owner[0], owner[1], "out", 0))
