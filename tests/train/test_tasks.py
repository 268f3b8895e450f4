"""Figures from sums: what batches add up to is what the whole gives, by independent formulas."""

import pytest
import torch
from sklearn import metrics

from equisphere.data import Batch
from equisphere.train import TASKS, Classification, Recipe, Regression, Task, measure
from equisphere.train._evaluate import add


def in_batches(task, output, target):
    sums = {}
    for some, wanted in zip(output.split(7), target.split(7), strict=True):
        sums = add(sums, task.sums(some, wanted))
    return task.figures(sums)


def test_accuracy_and_cross_entropy_of_batches_are_those_of_the_whole():
    logits, classes = torch.randn(40, 5), torch.randint(5, (40,))
    found = in_batches(Classification(label_smoothing=0.3), logits, classes)
    shares = logits.double().softmax(1)
    assert found["accuracy"] == metrics.accuracy_score(classes, logits.argmax(1))
    assert found["loss"] == pytest.approx(metrics.log_loss(classes, shares, labels=range(5)), rel=1e-5)


def test_errors_of_batches_are_those_of_the_whole():
    output, target = torch.randn(40), torch.randn(40)
    found = in_batches(Regression(), output, target)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(target, output), rel=1e-5)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(target, output), rel=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_how_it_chooses(name):
    task = TASKS[name](Recipe("x", "y"))
    assert isinstance(task, Task)
    assert task.mode in ("min", "max")


def test_a_network_of_several_arguments_is_measured():
    class Pairs:
        seed = 0

        def __len__(self):
            return 11

        def __getitem__(self, batch: Batch):
            x = batch.index.double()
            return (x, 2 * x), 3 * x + 1

    class Sum(torch.nn.Module):
        def forward(self, x, y):
            return x + y

    assert measure(Sum(), Pairs(), Regression(), batch_size=4)["rmse"] == pytest.approx(1)
