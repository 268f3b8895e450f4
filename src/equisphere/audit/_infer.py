"""What a tensor inside a model is, guessed from its shape."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn

from equisphere import _checks
from equisphere.audit._representations import Invariant, Representation
from equisphere.audit._sphere import Coefficients, Converted, Samples, Triangle
from equisphere.audit._trace import Place

#: of one module: one representation for all it takes and gives, or one for each side; None: not to be measured
Given = Representation | None | tuple[Representation | None, Representation | None]


def of_signals(signals: Tensor, grid: object) -> Representation:
    """The representation of a model's input.

    Raises:
        ValueError: where the signals do not have the shape that `grid` says, or could be two things.
    """
    _checks.floating(signals, "signals")
    _checks.some(signals, "signals")
    if isinstance(grid, Representation):
        found, what = grid.at(signals), str(grid)
    elif grid is None or grid == "coefficients":
        found, what = Coefficients().at(signals), "coefficients (..., L*L)"
        if (
            grid is None
            and found
            and signals.ndim > 3
            and signals.shape[-2] in (signals.shape[-1], signals.shape[-1] // 2)
        ):
            raise ValueError(
                f"signals of shape {tuple(signals.shape)} could be samples or coefficients: say which, by "
                'grid=es.grids.DriscollHealy(...) (the grid they are on) or grid="coefficients".'
            )
    elif hasattr(grid, "shape") and hasattr(grid, "points"):
        nodes = len(grid.shape)
        matches = tuple(signals.shape[signals.ndim - nodes :]) == tuple(grid.shape)
        found, what = Samples(grid) if matches else None, f"samples (..., {', '.join(map(str, grid.shape))}) on {grid}"
    else:
        raise ValueError(
            f'grid must be a grid of equisphere.grids, a representation of equisphere.audit, or "coefficients", got {grid!r}.'
        )
    if found is None:
        raise ValueError(
            f"signals must be {what}, got shape {tuple(signals.shape)}. Samples need their grid (grid=..., --grid of the "
            "command), and coefficients none; other layouts have a representation: es.audit.Coefficients(dim=1), "
            "Samples(grid, dim=1), Converted, Action."
        )
    return found


def offered(module: nn.Module) -> tuple[Representation | None, Representation | None]:
    """What a module says of what it takes and gives, by `signal_layouts`: of each (to_flat, from_flat, name), or None."""
    takes, gives = getattr(module, "signal_layouts", (None, None))
    return takes and Converted(*takes), gives and Converted(*gives)


class Guess:
    """Which representations a tensor may have, the likeliest first, and whether the first is certain.

    What is certain is measured as that; of the others, the one under which a layer is exact is taken (an audit tells). A tensor
    that fits nothing is not measured, and its error is counted with that of the next layer whose output is understood.
    """

    def __init__(
        self, model: nn.Module, signals: Tensor, source: Representation, given: Mapping[str, Given] | None
    ) -> None:
        self.source, self.ndim, self.modules = source, signals.ndim, dict(model.named_modules())
        if given is not None and not isinstance(given, Mapping):
            raise ValueError(
                "representations must be a dictionary from names of modules to representations, got "
                f"{type(given).__name__}: for example {{'head.*': Invariant()}}."
            )
        self.given = dict(given or {})
        for pattern, value in self.given.items():
            sides = value if isinstance(value, tuple) else (value, value)
            if len(sides) != 2 or not all(side is None or isinstance(side, Representation) for side in sides):
                raise ValueError(
                    f"representations[{pattern!r}] must be a representation, None, or a pair of them (what the module "
                    f"takes, what it gives), got {value!r}."
                )
            if not any(fnmatchcase(name, pattern) for name in self.modules):
                raise ValueError(
                    f"representations[{pattern!r}] matches no module; there are {', '.join(self.modules)}."
                )
        grids: list[Any] = [source.grid] if isinstance(source, Samples) else []
        for module in self.modules.values():
            grid = None if getattr(module, "is_one_layer", False) else getattr(module, "grid", None)
            if hasattr(grid, "shape") and hasattr(grid, "points") and grid not in grids:
                grids.append(grid)
        self.grids = grids
        self.triangles: set[tuple[int, ...]] = set()
        #: what modules said of tensors, by shape: code of the model may hand on others of the kind
        self.layouts: dict[tuple[int, ...], Representation] = {}
        self.sizes: set[int] = {signals.shape[source.dim]} if isinstance(source, Coefficients) else set()

    def overridden(self, place: Place, x: Tensor) -> tuple[bool, Representation | None]:
        """Whether the user, or the module itself, said what this is, and what.

        Raises:
            ValueError: where the tensor cannot be that.
        """
        for pattern, value in self.given.items():
            if fnmatchcase(place.name, pattern):
                side = value[place.side == "out"] if isinstance(value, tuple) else value
                found = None if side is None else side.at(x)
                if side is not None and found is None:
                    raise ValueError(
                        f"representations[{pattern!r}]: the tensor {place.side} {place.name!r} has shape {tuple(x.shape)} and "
                        f"cannot be {side}."
                    )
                return True, found
        offer = offered(self.modules[place.name])[place.side == "out"] if place.number == 0 else None
        if offer is not None:
            self.layouts[tuple(x.shape)] = offer
        return offer is not None, offer

    def signals(self, signals: Tensor) -> Representation:
        """What the model's input is: what was said of it, else what the grid says."""
        return self.overridden(Place("", 0, "in", 0), signals)[1] or self.source

    def __call__(self, place: Place, x: Tensor) -> tuple[list[Representation], bool]:  # noqa: PLR0911
        """Candidates, and whether the first is certain."""
        if place.side == "out" and getattr(self.modules[place.name], "gives_invariants", False):
            return [Invariant()], True
        if place.side == "in" and place.name == "" and place.number == 0:
            return [self.source], True
        if x.ndim < 2:
            return [Invariant()], True
        found: list[Representation] = []
        triangle = Triangle().at(x)
        if triangle is not None:
            if tuple(x.shape[-2:]) in self.triangles:
                return [triangle], True
            found.append(triangle)
        kind = self.source if isinstance(self.source, Coefficients) else Coefficients()
        flat = kind.at(x)
        # a tensor of coefficients has one dimension where one of samples has those of its grid
        nodes = len(self.source.grid.shape) if isinstance(self.source, Samples) else 1
        least = max(2, self.ndim - nodes + 1)
        if isinstance(flat, Coefficients) and x.shape[flat.dim] in self.sizes and x.ndim == least:
            return [flat], True
        if not isinstance(self.source, Samples | Coefficients):
            here = self.source.at(x) if x.ndim == self.ndim else None
            if here is not None:
                return [here, Invariant()], False
        for grid in self.grids:
            dim = self.source.dim if isinstance(self.source, Samples) else None
            samples = Samples(grid, dim).at(x)
            if isinstance(samples, Samples):
                near = samples.grid.shape[0] <= 4 * grid.shape[0]
                if x.ndim == least - 1 + len(grid.shape) and near and not x.is_complex():
                    layout = self.layouts.get(tuple(x.shape))
                    return ([samples], True) if layout is None else ([samples, layout], False)
                found.append(samples)
        if flat is not None and x.ndim >= least:
            found.append(flat)
        found.append(Invariant())
        return found, len(found) == 1 and x.ndim <= 2

    def learn(self, representation: Representation, x: Tensor) -> None:
        """Remember the size of coefficients that have shown themselves to be such."""
        if isinstance(representation, Coefficients):
            self.sizes.add(x.shape[representation.dim])
        if isinstance(representation, Triangle):
            self.triangles.add(tuple(x.shape[-2:]))
