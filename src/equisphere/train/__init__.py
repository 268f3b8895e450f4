"""Recipes, and their training on PyTorch Lightning."""

from equisphere.train._demo import run_demo
from equisphere.train._evaluate import accuracy, predictions
from equisphere.train._fit import Run, RunError, fit, recorded, signals
from equisphere.train._recipes import RECIPES, Recipe, recipe_of

__all__ = [
    "RECIPES",
    "Recipe",
    "Run",
    "RunError",
    "accuracy",
    "fit",
    "predictions",
    "recipe_of",
    "recorded",
    "run_demo",
    "signals",
]
