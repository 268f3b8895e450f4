"""Seeing, and replacing, every tensor that passes into or out of a module while a model runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten


class Place(NamedTuple):
    """A tensor at the boundary of one call of a module.

    `name` is the module's qualified name, `call` counts its calls in one run of the model, `side` is "in" or "out",
    `number` the place among the tensors there.
    """

    name: str
    call: int
    side: str
    number: int


#: (place, tensor, name and call of the module in whose own code the tensor was made) -> what goes on in its place
Visit = Callable[[Place, Tensor, tuple[str, int]], Tensor]


class ModelError(ValueError):
    """The model under audit raised an error of its own."""


@dataclass
class _Run:
    """State of one run: which calls are open, how often each module has been called, whether the audit itself has failed."""

    visit: Visit
    calls: dict[str, int] = field(default_factory=dict)
    open: list[tuple[str, int]] = field(default_factory=list)
    failed: bool = False


class Tracer:
    """Hooks on all parts of a model that an audit looks at; `close` takes them off.

    Looked at is every submodule, but not the inside of one that says `is_one_layer = True`.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules = _looked_at(model)
        self._run: _Run | None = None
        self._handles: list[Any] = []
        for name, module in self.modules.items():
            self._handles.append(module.register_forward_pre_hook(self._before(name), with_kwargs=True))
            self._handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))

    def close(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def is_leaf(self, name: str) -> bool:
        """Whether nothing inside the module is looked at."""
        module = self.modules[name]
        inside = f"{name}." if name else ""
        return getattr(module, "is_one_layer", False) or not any(
            n != name and n.startswith(inside) for n in self.modules
        )

    def run(self, visit: Visit, *arguments: Any, **keywords: Any) -> Any:
        """Run the model; what `visit` returns goes on in the place of each tensor. Random numbers are the same in every run.

        Raises:
            ModelError: where the model fails; it names the part.
        """
        self._run = run = _Run(visit)
        torch.manual_seed(0)
        try:
            return self.model(*arguments, **keywords)
        except Exception as error:  # anybody's code
            if run.failed:
                raise
            raise ModelError(self._words(run, arguments[0], error)) from error
        finally:
            self._run = None

    def _words(self, run: _Run, signals: Tensor, error: Exception) -> str:
        name = run.open[-1][0] if run.open else ""
        part = f"its part {name!r}" if name else "its own code"
        return (
            f"the model {type(self.model).__name__} failed in {part} ({type(self.modules[name]).__name__}), called on signals "
            f"of shape {tuple(signals.shape)} and {signals.dtype} as its first argument: {type(error).__name__}: {error} Try "
            "`model(signals)` by itself. Other signals: shape, dtype and grid must be those that the model takes; further "
            "arguments go by `arguments=` and `keywords=`."
        )

    def _before(self, name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
            run = self._run
            if run is None:
                return None
            call = run.calls.get(name, 0)
            run.calls[name] = call + 1
            maker = run.open[-1] if run.open else ("", -1)
            run.open.append((name, call))
            return self._visited((arguments, keywords), Place(name, call, "in", 0), maker, run)

        return hook

    def _after(self, name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, arguments: Any, keywords: Any, output: Any) -> Any:
            run = self._run
            if run is None:
                return None
            maker = run.open.pop()
            return self._visited(output, Place(name, maker[1], "out", 0), maker, run)

        return hook

    def _visited(self, tree: Any, place: Place, maker: tuple[str, int], run: _Run) -> Any:
        """The tensors of `tree` replaced; the model's own parts, where a representation is made of them, are not looked at."""
        self._run = None
        try:
            return _replaced(tree, place, maker, run.visit)
        except Exception:
            run.failed = True
            raise
        finally:
            self._run = run


def _replaced(tree: Any, place: Place, maker: tuple[str, int], visit: Visit) -> Any:
    leaves, form = tree_flatten(tree)
    changed = [
        visit(place._replace(number=i), x, maker)
        if isinstance(x, Tensor) and (x.is_floating_point() or x.is_complex()) and x.numel() > 0
        else x
        for i, x in enumerate(leaves)
    ]
    return tree_unflatten(changed, form)


def _looked_at(model: nn.Module) -> dict[str, nn.Module]:
    found = dict(model.named_modules())
    for outer in [name for name, module in found.items() if getattr(module, "is_one_layer", False)]:
        inside = f"{outer}." if outer else ""
        found = {name: m for name, m in found.items() if name == outer or not name.startswith(inside)}
    return {
        name: module for name, module in found.items() if not isinstance(module, torch.jit.ScriptModule) or not name
    }
