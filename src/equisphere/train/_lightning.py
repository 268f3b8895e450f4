"""The training step, for PyTorch Lightning."""

import time
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from equisphere.models import ConfiguredModule
from equisphere.train._recipes import Recipe


class Classification(pl.LightningModule):
    """Cross entropy, AdamW, one learning-rate cycle; keeps its own history, so that a resumed log is whole."""

    def __init__(self, model: ConfiguredModule, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0

    def on_train_start(self) -> None:
        """Start the clock, and write the epochs before an interruption into the log again."""
        self._began = time.perf_counter() - self.seconds
        for row in self.history:
            self._log_row(row)

    def on_train_epoch_start(self) -> None:
        """Draw dropout from (seed, epoch) alone: a resumed training is the unbroken one."""
        torch.manual_seed(self.recipe.seed + 1_000_003 * (self.current_epoch + 1) + self.global_rank)

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """Loss of one batch."""
        c, labels = batch
        loss = self.loss(self.model(c), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels), logger=False)
        return loss

    def validation_step(self, batch: Sequence[Tensor], _: int) -> None:
        """Accuracy and loss on held-out data."""
        c, labels = batch
        logits = self.model(c)
        accuracy = (logits.argmax(1) == labels).float().mean()
        options: dict[str, Any] = {"batch_size": len(labels), "logger": False, "sync_dist": True}
        self.log("validation_loss", nn.functional.cross_entropy(logits, labels), **options)
        self.log("validation_accuracy", accuracy, prog_bar=True, **options)

    def on_train_epoch_end(self) -> None:
        """Add a row to the history."""
        metrics = self.trainer.callback_metrics
        row = {name: float(metrics[name]) for name in ("train_loss", "validation_loss", "validation_accuracy")}
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
        """AdamW, without decay of biases and norms, under one cycle of the learning rate."""
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, self.recipe.learning_rate, weight_decay=self.recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.recipe.learning_rate, int(self.trainer.estimated_stepping_batches), pct_start=0.2
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
