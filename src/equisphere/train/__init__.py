"""Recipes, and their training on PyTorch Lightning."""

from equisphere.train._demo import run_demo
from equisphere.train._dense_tasks import FieldRegression, Segmentation
from equisphere.train._evaluate import figures_of, measure, predictions
from equisphere.train._fit import Run, RunError, fit, recorded
from equisphere.train._recipes import DATA_SETS, RECIPES, Recipe, recipe_of
from equisphere.train._retrieval import describe_shape, descriptors, most_similar, retrieval_figures
from equisphere.train._side_by_side import fit_side_by_side
from equisphere.train._tasks import TASKS, Classification, Regression, Task

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
]
