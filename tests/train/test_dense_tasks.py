"""Figures of dense tasks, against the plain counts and integrals that they mean."""

import pytest
import torch
from reference import randn

import equisphere as es
from equisphere.data import Readout
from equisphere.train import FieldRegression, Segmentation, Task

GRID = es.grids.DriscollHealy(6)
SHT = es.SHT(GRID)


def labelled(n=3, classes=3, unknown=0.2):
    labels = torch.randint(classes, (n, *GRID.shape)).to(torch.uint8)
    known = torch.rand(n, *GRID.shape) > unknown
    return Readout(torch.where(known, labels, 255).to(torch.uint8), GRID.weights * known, GRID)


def test_segmentation_counts_areas():
    """By loops over signals, classes and nodes."""
    target, c = labelled(), randn(3, 3, 36)
    task = Segmentation()
    assert isinstance(task, Task)
    found = task.figures(task.sums(c, target))
    logits = SHT.inverse(c)
    guess, weights = logits.argmax(1), target.weights
    areas = []
    for k in range(3):
        true, said = target.values == k, (guess == k) & (weights > 0)
        areas.append(float((weights * (true & said)).sum() / (weights * (true | said)).sum()))
    assert found["miou"] == pytest.approx(sum(areas) / 3)
    right = float((weights * (guess == target.values)).sum() / weights.sum())
    assert found["accuracy"] == pytest.approx(right)
    log = torch.log_softmax(logits, 1)
    loss = sum(
        -weights[n, i, j] * log[n, target.values[n, i, j].long(), i, j]
        for n in range(3)
        for i in range(12)
        for j in range(12)
        if target.values[n, i, j] != 255
    )
    assert found["loss"] == pytest.approx(float(loss / weights.sum()))
    assert float(task.loss(c, target)) == pytest.approx(found["loss"])


def test_a_class_that_does_not_occur_is_left_out_of_the_mean():
    """But to see it where it is not costs the others."""
    values = (GRID.points[..., 2] < 0).long()[None]
    target = Readout(values, GRID.weights[None], GRID)
    height = SHT(GRID.points[..., 2])
    never = torch.zeros(36, dtype=torch.float64)
    never[0] = -100
    task = Segmentation()
    assert task.figures(task.sums(torch.stack((height, -height, never))[None], target))["miou"] == pytest.approx(1.0)
    everywhere = task.figures(task.sums(torch.stack((height, -height, -never))[None], target))
    assert everywhere["miou"] == 0.0


def test_sums_of_parts_are_the_sums_of_the_whole():
    target, c = labelled(4), randn(4, 3, 36)
    field = Readout(randn(4, 2, *GRID.shape), GRID.weights.expand(4, -1, -1), GRID, fields=True)
    for task, y, x in ((Segmentation(), target, c), (FieldRegression(), field, c[:, :2])):
        cut = [
            task.sums(x[i : i + 2], Readout(y.values[i : i + 2], y.weights[i : i + 2], GRID, fields=y.fields))
            for i in (0, 2)
        ]
        whole = task.figures(task.sums(x, y))
        together = task.figures({key: cut[0][key] + cut[1][key] for key in cut[0]})
        assert together == pytest.approx(whole)


def test_the_error_of_fields_is_an_integral():
    """Of two band-limited fields, by Parseval: half of the squared length of the difference of their coefficients."""
    a, b = randn(3, 2, 25), randn(3, 2, 25)
    a[..., 0] = b[..., 0] = 0
    values = es.transforms.VectorSHT(GRID, 5).inverse(b)
    target = Readout(values, GRID.weights.expand(3, -1, -1), GRID, fields=True)
    task = FieldRegression()
    assert isinstance(task, Task)
    wanted = float(((a - b).square().sum() / (3 * 2 * 4 * torch.pi)).sqrt())
    assert task.figures(task.sums(a, target))["rmse"] == pytest.approx(wanted)
    assert float(task.loss(a, target)) == pytest.approx(wanted**2)


def test_turning_input_and_output_alike_changes_no_figure():
    R = es.random_rotations(3, dtype=torch.float64)
    target, c = labelled(), randn(3, 3, 36)
    turned = Readout(target.values, target.weights, GRID, R)
    task = Segmentation()
    wanted = task.figures(task.sums(c, target))
    assert task.figures(task.sums(es.rotate(c, R[:, None]), turned)) == pytest.approx(wanted)


def test_gradients_reach_a_network_through_a_turned_readout():
    c = randn(3, 3, 36).requires_grad_()
    target = labelled()
    R = es.random_rotations(3, dtype=torch.float64)
    Segmentation().loss(c, Readout(target.values, target.weights, GRID, R)).backward()
    assert bool((c.grad != 0).all())
