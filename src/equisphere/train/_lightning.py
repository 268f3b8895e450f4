"""The training step, for PyTorch Lightning."""

import time
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from equisphere.models import ConfiguredModule
from equisphere.nn import ZonalConv
from equisphere.train._evaluate import add, answer
from equisphere.train._muon import Muon
from equisphere.train._recipes import Recipe
from equisphere.train._tasks import Task


class Training(pl.LightningModule):
    """A task's loss, its optimiser, one learning-rate cycle; keeps its own history, so that a resumed log is whole."""

    def __init__(self, model: ConfiguredModule, recipe: Recipe, task: Task) -> None:
        super().__init__()
        self.model, self.recipe, self.task = model, recipe, task
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._sums: dict[str, Tensor] = {}

    def on_train_start(self) -> None:
        """Start the clock, and write the epochs before an interruption into the log again."""
        self._began = time.perf_counter() - self.seconds
        for row in self.history:
            self._log_row(row)

    def on_train_epoch_start(self) -> None:
        """Draw dropout from (seed, epoch) alone: a resumed training is the unbroken one."""
        torch.manual_seed(self.recipe.seed + 1_000_003 * (self.current_epoch + 1) + self.global_rank)

    def training_step(self, batch: Sequence[Any], _: int) -> Tensor:
        """Loss of one batch."""
        inputs, target = batch
        loss = self.task.loss(answer(self.model, inputs), target)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(target), logger=False)
        return loss

    def validation_step(self, batch: Sequence[Any], _: int) -> None:
        """What one batch of held-out data adds to the figures."""
        inputs, target = batch
        self._sums = add(self._sums, self.task.sums(answer(self.model, inputs), target))

    def on_validation_epoch_end(self) -> None:
        """Figures on all held-out data, those of other processes too."""
        reduce = self.trainer.strategy.reduce
        sums = {key: reduce(value, reduce_op="sum") for key, value in self._sums.items()}
        self._sums = {}
        for name, value in self.task.figures(sums).items():
            self.log(f"validation_{name}", value, prog_bar=name == self.task.chooses, logger=False)

    def on_train_epoch_end(self) -> None:
        """Add a row to the history."""
        metrics = self.trainer.callback_metrics
        row = {name: float(value) for name, value in metrics.items() if name.startswith(("train_", "validation_"))}
        row = {"epoch": self.current_epoch + 1, **row, "learning_rate": self.optimizers().param_groups[0]["lr"]}  # type: ignore[union-attr]
        self.history.append(row)
        self._log_row(row)

    def _log_row(self, row: dict[str, float]) -> None:
        if self.logger is not None:
            self.logger.log_metrics(row, step=int(row["epoch"]))
            self.logger.save()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history and the time taken in the checkpoint."""
        checkpoint["history"] = self.history
        checkpoint["seconds"] = time.perf_counter() - self._began

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them from there."""
        self.history, self.seconds = list(checkpoint["history"]), checkpoint["seconds"]

    def configure_optimizers(self) -> Any:
        """AdamW, or Muon for the matrices of convolutions, under one cycle of the learning rates."""
        recipe = self.recipe
        optimizer = Muon(groups_of(self.model, recipe.matrix_rate), recipe.learning_rate, recipe.weight_decay)
        rates = [group["lr"] for group in optimizer.param_groups]
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, steps, pct_start=0.2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def groups_of(model: nn.Module, matrix_rate: float | None) -> list[dict[str, Any]]:
    """Parameters by how they are learned: without decay biases and norms, with a rate of their own convolutions' matrices."""
    matrices: list[nn.Parameter] = []
    if matrix_rate is not None:
        convolutions = (m for m in model.modules() if isinstance(m, ZonalConv))
        matrices = [m.weight for m in convolutions if min(m.in_channels, m.out_channels) > 1]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in matrices)]
    decayed = [p for p in others if p.ndim > 1]
    plain = [p for p in others if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    return [*groups, {"params": matrices, "matrices": True, "lr": matrix_rate}] if matrices else groups
