"""Train by a recipe: data in, checkpoint and figures out."""

import json
import logging
import pickle
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger

from equisphere import models
from equisphere._files import replacing
from equisphere.data import PART_SEEDS, DataSet, loader
from equisphere.models import ConfiguredModule
from equisphere.train._evaluate import figures_of
from equisphere.train._lightning import Training
from equisphere.train._recipes import Recipe
from equisphere.train._tasks import TASKS


class RunError(ValueError):
    """A folder holds another run than the one asked for, or one that must not be overwritten."""


@dataclass(frozen=True)
class Run:
    """A finished training: where it lies and what came out."""

    folder: Path
    model: ConfiguredModule
    figures: dict[str, Any]


def fit(
    recipe: Recipe,
    folder: str | Path,
    data: DataSet | None = None,
    devices: int = 1,
    accelerator: str = "auto",
    progress: bool = True,
    resume: bool = False,
) -> Run:
    """Train, choose the epoch by the task's figure on validation data, and look at the test data once, at the end.

    The folder receives `recipe.json`, `metrics.csv` (a row an epoch), `last.ckpt` (to resume from), and at the end
    `model.safetensors` and `figures.json`; a folder with `figures.json` holds a whole run. A run that was interrupted and is
    resumed goes on from its last whole epoch and ends with the same weights, to the bit, as one that was not.

    Args:
        recipe: what to train, on what, how.
        folder: where to; made if need be.
        data: where they are loaded already.
        devices: how many processes or accelerators.
        accelerator: as in Lightning: "auto", "cpu", "gpu".
        progress: show a progress bar.
        resume: go on with the run in the folder (or return it, where it is whole); begin, where there is none.

    Raises:
        RunError: where the folder holds a run and `resume` is not set, or a run of another recipe.
        data.DataError: where the data cannot be read.
    """
    folder = Path(folder)
    _check(recipe, folder, resume)
    finished = folder / "figures.json"
    if finished.exists():
        return Run(folder, models.load(folder / "model.safetensors")[0], json.loads(finished.read_text()))
    data = data or recipe.load()
    task = TASKS[recipe.task](recipe)
    torch.manual_seed(recipe.seed)
    module = Training(recipe.network(data), recipe, task)
    judge, bandwidth = f"validation_{task.chooses}", module.model.bandwidth
    best = ModelCheckpoint(folder, "best", monitor=judge, mode=task.mode, enable_version_counter=False)
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [best, last]
    if recipe.patience is not None:
        callbacks.append(EarlyStopping(judge, mode=task.mode, patience=recipe.patience))
    if progress:
        callbacks.append(TQDMProgressBar(leave=True))
    checkpoint = folder / "last.ckpt"
    if devices > 1:  # the data go to the processes by name: handing over many file descriptors fails
        torch.multiprocessing.set_sharing_strategy("file_system")
    with _quiet():
        try:
            trainer = pl.Trainer(
                accelerator=accelerator,
                devices=devices,
                strategy="ddp_spawn" if devices > 1 else "auto",
                use_distributed_sampler=False,
                max_epochs=recipe.epochs,
                callbacks=callbacks,
                logger=CSVLogger(str(folder), name="", version=""),
                enable_progress_bar=progress,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=1,
                deterministic=True,
            )
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            raise RunError(
                f"devices={devices} with accelerator={accelerator!r} cannot be had on this machine: {error} "
                "`--accelerator cpu --devices 1` always can."
            ) from error
        _begin(recipe, folder)
        training = data.part("train", bandwidth, recipe.rotated, augmented=True)
        held_out = data.part("validation", bandwidth, recipe.rotated)
        batches = loader(training, recipe.batch_size, shuffle=True)
        if checkpoint.exists():  # Lightning draws the first batch before it tells the sampler the epoch
            batches.sampler.set_epoch(len(_read(checkpoint)["history"]))  # type: ignore[attr-defined]
        try:
            resumed = str(checkpoint) if checkpoint.exists() else None
            share = max(1, min(250, len(held_out) // devices))  # something to validate on for each process
            trainer.fit(module, batches, loader(held_out, share), ckpt_path=resumed, weights_only=True)
        except SystemExit:
            if trainer.interrupted:  # Lightning's answer to Ctrl-C
                raise KeyboardInterrupt from None
            raise
    return _finish(recipe, folder, module, data)


def _check(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Refuse to mix two runs in one folder. A folder where nothing was trained yet holds no run."""
    if not any((folder / name).exists() for name in ("last.ckpt", "figures.json")):
        return
    if not resume:
        raise RunError(f"{folder} already holds a run. Resume it (--resume), or choose another folder (--output).")
    before = recorded(folder).to_dict()
    differing = [
        f"{key} was {before[key]}, now {value}" for key, value in recipe.to_dict().items() if before[key] != value
    ]
    if differing:
        raise RunError(
            f"{folder} holds a run of another recipe ({'; '.join(differing)}), so it cannot be resumed as this one. "
            "Give the same settings, or choose another folder (--output)."
        )


def recorded(folder: Path) -> Recipe:
    """The recipe that the run in a folder follows.

    Raises:
        RunError: where there is none, or it cannot be read.
    """
    try:
        return Recipe(**json.loads((folder / "recipe.json").read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise RunError(
            f"{folder} holds no recipe.json that can be read ({error}), so there is no run to resume."
        ) from error


def _begin(recipe: Recipe, folder: Path) -> None:
    try:
        with replacing(folder / "recipe.json") as part:
            part.write_text(json.dumps(recipe.to_dict(), indent=2))
    except OSError as error:
        raise RunError(
            f"the output folder {folder} cannot be written ({error.strerror or error}). Choose another (--output)."
        ) from error


def _read(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint of the training."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return {key: content[key] for key in ("state_dict", "history", "seconds")}
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
        raise RunError(
            f"{checkpoint} cannot be read ({error}), so the run cannot go on from there. Remove the folder to begin anew."
        ) from error


def _finish(recipe: Recipe, folder: Path, module: Training, data: DataSet) -> Run:
    """Weights of the best epoch, its figures on the test data, and the files that say that the run is whole."""
    last = _read(folder / "last.ckpt")
    module.load_state_dict(_read(folder / "best.ckpt")["state_dict"])
    model, task = module.model.eval().cpu(), module.task
    judge = f"validation_{task.chooses}"
    figures = {
        **figures_of(model, data, task),
        judge: {"max": max, "min": min}[task.mode](row[judge] for row in last["history"]),
        "parameters": sum(p.numel() for p in model.parameters()),
        "samples": {name: len(data.part(name, model.bandwidth)) for name in PART_SEEDS},
        "seconds": round(last["seconds"], 1),
        "peak_memory_mb": round(_peak_memory() / 1e6),
        "history": last["history"],
    }
    notes = {"recipe": recipe.to_dict(), "data": data.name, "figures": figures}
    if hasattr(data, "classes"):
        notes["classes"] = list(data.classes)
    models.save(model, folder / "model.safetensors", notes)
    with replacing(folder / "figures.json") as part:
        part.write_text(json.dumps(figures, indent=2))
    return Run(folder, model, figures)


def _peak_memory() -> int:
    """The most memory that this process has had, in bytes: the accelerator's, where there is one."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Lightning without its advice: on workers (the data are made in batches), folders that hold a run, its use of torch."""

    def __enter__(self) -> Any:
        caught = super().__enter__()
        for message in (
            ".*does not have many workers.*",
            ".*exists and is not empty.*",
            ".*`IterableDataset`.*",
            ".*LeafSpec.*",
        ):
            warnings.filterwarnings("ignore", message)
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        return caught
