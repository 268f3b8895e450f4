"""Runs of a model in which every tensor between its parts is made what an equivariant model would make of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from equisphere import _checks
from equisphere.audit._infer import Guess
from equisphere.audit._representations import Invariant, Representation, Reshaped
from equisphere.audit._trace import Place, Tracer
from equisphere.transforms import power_spectrum

#: name of a module and number of the call: whose work a tensor is
Owner = tuple[str, int]


@dataclass
class Slot:
    """What stood at one place while the model ran on the signals themselves."""

    candidates: list[Representation]
    certain: bool
    like: Tensor
    owner: Owner | None
    representation: Representation | None = None
    contents: Tensor | None = None
    same_as: Place | None = None  # an earlier place that held the very same tensor


@dataclass
class Gap:
    """How far a tensor is from what it should be."""

    error: float
    largest: float
    spectra: tuple[Tensor, Tensor] | None = None


@dataclass
class Reference:
    """Slots of a run, in order."""

    slots: dict[Place, Slot] = field(default_factory=dict)

    def slot(self, place: Place) -> Slot | None:
        """The slot that holds the contents of what stands at a place."""
        slot = self.slots.get(place)
        return self.slots[slot.same_as] if slot is not None and slot.same_as is not None else slot


class Objects:
    """Which place a tensor object came from, as long as it has not been written to since."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, int], Place] = {}
        self._kept: list[Tensor] = []

    def add(self, x: Tensor, place: Place) -> None:
        """Remember an object, and keep it from being freed."""
        self._places[id(x), x._version] = place
        self._kept.append(x)

    def place(self, x: Tensor) -> Place | None:
        """Where it came from."""
        return self._places.get((id(x), x._version))


def take_reference(
    tracer: Tracer,
    guess: Guess,
    call: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]],
    known: dict[Place, Representation | None],
) -> Reference:
    """Run the model on the signals; every tensor whose representation is certain or `known` is projected to its contents."""
    reference, objects = Reference(), Objects()
    recent: list[tuple[Place, Tensor]] = []

    def visit(place: Place, x: Tensor, maker: Owner) -> Tensor:
        owner = None if maker[1] < 0 else maker
        said, override = guess.overridden(place, x)
        before = objects.place(x)
        if before is not None and not said:
            reference.slots[place] = Slot([], True, x, owner, same_as=before)
            return x
        if said:
            slot = Slot([override] if override else [], True, x, owner, override)
        else:
            slot = Slot(*_candidates(guess, place, x, recent, reference), x, owner)
            slot.representation = slot.candidates[0] if slot.certain else known.get(place)
        if slot.representation is not None:
            found = _explained(place, slot.representation.contents, x)
            slot.contents = found.detach().clone()
            x = slot.representation.restore(slot.contents, x)
            slot.like = x
        reference.slots[place] = slot
        objects.add(x, place)
        recent.append((place, x.clone() if x.numel() < 1 << 22 else x))
        del recent[:-8]
        return x

    arguments, keywords = call()
    with torch.no_grad():
        tracer.run(visit, *arguments, **keywords)
    return reference


def _candidates(
    guess: Guess, place: Place, x: Tensor, recent: list[tuple[Place, Tensor]], reference: Reference
) -> tuple[list[Representation], bool]:
    """Those of the shape; for the very numbers of an earlier tensor in another shape, those of that one."""
    for earlier, numbers in reversed(recent):
        if numbers.numel() == x.numel() and numbers.ndim != x.ndim and torch.equal(numbers.flatten(), x.flatten()):
            slot = reference.slots[earlier]
            shape = tuple(numbers.shape)
            inner = slot.candidates if slot.representation is None else [slot.representation]
            return [r if isinstance(r, Invariant) else Reshaped(r, shape) for r in inner], slot.certain
    return guess(place, x)


def forced(
    tracer: Tracer,
    reference: Reference,
    call: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]],
    make: Callable[[Place, Slot], Tensor],
    look: Callable[[Place, Slot, Tensor | None], None],
) -> Any:
    """Run the model with the tensor at every understood place replaced by `make(place, slot)`.

    What a module or a piece of glue code makes of ideal inputs is told to `look` before it is replaced in turn; None
    stands for a tensor that was only passed on.
    """
    objects = Objects()

    def visit(place: Place, x: Tensor, maker: Owner) -> Tensor:
        own, slot = reference.slots.get(place), reference.slot(place)
        if own is None or slot is None:
            return x
        if own.same_as is not None and objects.place(x) == own.same_as:
            look(place, replace(slot, owner=own.owner), None)
            return x
        shown = replace(slot, owner=own.owner)
        look(place, shown, x.detach())
        if slot.representation is not None:
            x = make(place if own.same_as is None else own.same_as, slot)
        objects.add(x, place if own.same_as is None else own.same_as)
        return x

    arguments, keywords = call()
    with torch.no_grad():
        return tracer.run(visit, *arguments, **keywords)


def gap(representation: Representation, found: Tensor, ideal: Tensor, full: bool = False) -> Gap:
    """Relative distance of contents from what they should be: L2; and where `full`, the maximum, and by degree."""
    if found.shape != ideal.shape:
        return Gap(float("inf"), float("inf"))
    difference = found - ideal
    if not full:
        return Gap(_ratio(norm(difference), norm(ideal)), float("nan"))
    largest = _ratio(*(_largest(representation.values(x)) for x in (difference, ideal)))
    powers = None
    if representation.bandwidth(ideal):
        powers = (_power(ideal), _power(difference))
    return Gap(_ratio(norm(difference), norm(ideal)), largest, powers)


def norm(x: Tensor) -> Tensor:
    """L2 norm in double precision."""
    return torch.linalg.vector_norm(torch.view_as_real(x.resolve_conj()) if x.is_complex() else x, dtype=torch.float64)


def _largest(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, float("inf"))


def _ratio(size: Tensor, whole: Tensor) -> float:
    if float(whole) > 0:
        return float(size) / float(whole)
    return 0.0 if float(size) == 0 else float("inf")


def _power(c: Tensor) -> Tensor:
    power = power_spectrum(c).double()
    return power.reshape(-1, power.shape[-1]).mean(0).cpu()


def _explained(place: Place, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    try:
        found = function(x)
        _checks.finite(found, "tensors between the parts of a model")
    except ValueError as error:
        what = "given to" if place.side == "in" else "made by"
        raise ValueError(
            f"the tensor {what} {place.name or 'the model'!r} of shape {tuple(x.shape)}: {error}"
        ) from error
    return found
