"""The experiment of `equisphere demo`: what equivariance buys on digits, in figures."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from math import radians
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import equisphere as es
from equisphere import audit
from equisphere.data import Batch, Digits, load_digits
from equisphere.models import ConfiguredModule
from equisphere.train._evaluate import measure, predictions
from equisphere.train._recipes import RECIPES
from equisphere.train._side_by_side import fit_side_by_side
from equisphere.train._tasks import Classification

NETWORKS = {"equivariant": "digits", "planar": "digits-planar"}
ANGLES = tuple(range(0, 181, 15))
OVERSAMPLINGS = (1.25, 1.5, 2.0, 3.0, 4.0)
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
    "square": torch.square,
}


def run_demo(
    folder: Path,
    say: Callable[[str], None],
    seed: int = 0,
    data: str | None = None,
    epochs: int | None = None,
    progress: bool = True,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train both networks upright and rotated, and measure all that the report shows.

    A run that was interrupted goes on where it stopped: finished trainings in `folder/runs` are taken as they are.

    Args:
        folder: where the runs go.
        say: told what is being done.
        seed: of everything.
        data: source of the digits, as in `data.load_digits`.
        epochs: fewer or more than the recipes have.
        progress: show progress bars.

    Returns:
        Figures (JSON types) and the signals that the report shows, as `plot.write_report` takes them.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "loading the digits"):
        digits = load_digits(data, seed)
    recipes = {
        (network, protocol): RECIPES[name].changed(seed=seed, data=data, epochs=epochs, rotated=protocol == "R")
        for network, name in NETWORKS.items()
        for protocol in ("NR", "R")
    }
    say("training both networks, each on upright (NR) and on rotated (R) digits")
    folders = {key: folder / "runs" / "-".join(key) for key in recipes}
    with _timed(seconds, "four trainings"):
        trained = fit_side_by_side({folders[key]: recipe for key, recipe in recipes.items()}, digits, progress)
    runs = {key: trained[folders[key]] for key in recipes}
    upright = {network: runs[network, "NR"].model for network in NETWORKS}
    say("measuring accuracy against angle")
    with _timed(seconds, "accuracy against angle"):
        angles = _accuracy_by_angle(upright, digits)
    say("measuring the equivariance of every layer")
    with _timed(seconds, "equivariance of layers"):
        samples = {
            network: digits.part("test", model.bandwidth)[Batch(torch.arange(32), 0)][0]
            for network, model in upright.items()
        }
        R = es.random_rotations(32, torch.Generator().manual_seed(seed))
        found = {
            network: audit.audit(upright[network], samples[network], rotations=turns, seed=seed, lie=False)
            for network, turns in (("equivariant", R), ("planar", R[:8]))
        }
    with _timed(seconds, "error against oversampling"):
        oversampling = _oversampling(upright["equivariant"], samples["equivariant"], R[:6])
    results = {
        "title": "Digits on the sphere",
        "seed": seed,
        "machine": f"{platform.system()} {platform.machine()}, threads: {torch.get_num_threads()}",
        "versions": {"equisphere": es.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "date": date.today().isoformat(),
        "data": {"name": digits.name} | runs["equivariant", "NR"].figures["samples"],
        "parameters": {network: runs[network, "NR"].figures["parameters"] for network in NETWORKS},
        "accuracy": {
            network: {
                "NR/NR": runs[network, "NR"].figures["test_accuracy"]["NR"],
                "NR/R": runs[network, "NR"].figures["test_accuracy"]["R"],
                "R/R": runs[network, "R"].figures["test_accuracy"]["R"],
            }
            for network in NETWORKS
        },
        "angles": angles,
        "curves": {
            f"{network} {protocol}": {
                key: [row[key] for row in run.figures["history"]]
                for key in ("epoch", "train_loss", "validation_accuracy")
            }
            for (network, protocol), run in runs.items()
        },
        "layers": _layer_rows(found["equivariant"]),
        "planar_layers": _layer_rows(found["planar"]),
        "oversampling": oversampling,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "training_seconds": {"-".join(key): run.figures["seconds"] for key, run in runs.items()},
    }
    return results, _shown_signals(upright, digits)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began


def _accuracy_by_angle(networks: dict[str, ConfiguredModule], digits: Digits) -> dict[str, Any]:
    """Accuracy on test digits that are each turned by the same angle about an axis of its own."""
    data = {network: digits.part("test", model.bandwidth, rotated=True) for network, model in networks.items()}
    axes = torch.randn(len(digits.test), 3, generator=torch.Generator().manual_seed(digits.seed + 7))
    out: dict[str, Any] = {"degrees": list(ANGLES)} | {network: [] for network in networks}
    for degrees in ANGLES:
        turns = es.groups.rotation_about(axes, radians(degrees))
        for network, model in networks.items():
            data[network].rotations = turns
            out[network].append(measure(model, data[network], Classification())["accuracy"])
    return out


def _layer_rows(report: audit.Report) -> list[dict[str, Any]]:
    """Layers that act on signals or make invariants of them, and the network's answer."""
    rows = [_row(row.title, row.kind, row.own, row) for row in report.layers if not row.name.startswith("head")]
    return [*rows, _row("logits", "whole network", report.total.own, report.total)]


def _row(name: str, kind: str, own: audit.Errors, row: audit.LayerAudit) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "median": own.median,
        "worst": own.worst,
        "about_z": float(own.about_z.max()),
        "reaching": row.reaching.median if row.reaching else None,
        "verdict": row.verdict,
    }


def _oversampling(model: ConfiguredModule, c: Tensor, R: Tensor) -> dict[str, Any]:
    """Error of one activation, on the signals that reach the first one of the network, and of the network's answer."""
    with torch.no_grad():
        first = model.get_submodule("blocks.0")
        reaching = first.norm(first.conv(first.pool(c)))  # type: ignore[operator]
    functions = {
        name: [
            float(audit.rotation_error(es.nn.Activation(function, model.bandwidth, factor), reaching, R).median())
            for factor in OVERSAMPLINGS
        ]
        for name, function in FUNCTIONS.items()
    }
    network = []
    for factor in OVERSAMPLINGS:
        finer = type(model)(**model.config | {"oversampling": factor}).eval()
        finer.load_state_dict({k: v for k, v in model.state_dict().items() if k != "_extra_state"}, strict=False)
        network.append(float(audit.rotation_error(finer, c, R, invariant=True).median()))
    return {"factors": list(OVERSAMPLINGS), "functions": functions, "network": network}


def _shown_signals(networks: dict[str, ConfiguredModule], digits: Digits) -> dict[str, Any]:
    """One digit of each class, upright and rotated, with what the networks read."""
    first = torch.stack([(digits.test.labels == digit).nonzero()[0, 0] for digit in range(10)])
    some = replace(digits, test=digits.test.take(first))
    upright, rotated = (some.part("test", networks["equivariant"].bandwidth, turned) for turned in (False, True))
    batch = Batch(torch.arange(len(first)), 0)
    return {
        "coefficients": upright[batch][0][:, 0],
        "rotated": rotated[batch][0][:, 0],
        "labels": some.test.labels.tolist(),
        "predictions": {
            network: predictions(model, some.part("test", model.bandwidth, rotated=True)).tolist()
            for network, model in networks.items()
        },
    }
