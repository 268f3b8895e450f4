"""Recipes, and their training on PyTorch Lightning."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from equisphere.train._dense_tasks import FieldRegression, Segmentation
from equisphere.train._evaluate import figures_of, measure, predictions
from equisphere.train._recipes import DATA_SETS, RECIPES, Recipe, recipe_of
from equisphere.train._retrieval import describe_shape, descriptors, most_similar, retrieval_figures, shape_coefficients
from equisphere.train._tasks import TASKS, Classification, Regression, Task

if TYPE_CHECKING:
    from equisphere.train._demo import run_demo
    from equisphere.train._fit import Run, RunError, fit, recorded
    from equisphere.train._side_by_side import fit_side_by_side

__all__ = [
    "DATA_SETS",
    "RECIPES",
    "TASKS",
    "Classification",
    "FieldRegression",
    "Recipe",
    "Regression",
    "Run",
    "RunError",
    "Segmentation",
    "Task",
    "describe_shape",
    "descriptors",
    "figures_of",
    "fit",
    "fit_side_by_side",
    "measure",
    "most_similar",
    "predictions",
    "recipe_of",
    "recorded",
    "retrieval_figures",
    "run_demo",
    "shape_coefficients",
]

#: where those are that need PyTorch Lightning, which takes seconds to load
_LATE = {
    **dict.fromkeys(("Run", "RunError", "fit", "recorded"), "_fit"),
    "fit_side_by_side": "_side_by_side",
    "run_demo": "_demo",
}


def __getattr__(name: str) -> Any:
    """Load what trains when it is asked for."""
    if name in _LATE:
        return getattr(import_module(f"equisphere.train.{_LATE[name]}"), name)
    raise AttributeError(f"module 'equisphere.train' has no attribute {name!r}")
