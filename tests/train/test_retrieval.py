"""Retrieval: figures by an independent formula, descriptors that do not mind rotations."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

import equisphere as es
from equisphere.data import DataError, LabelledClouds, Mesh, SphericalClouds, write_mesh
from equisphere.models import SphericalClassifier
from equisphere.train import RECIPES, describe_shape, descriptors, most_similar, retrieval_figures

MODEL = {"classes": 3, "in_channels": 4, "channels": [6, 6], "bandwidths": [8, 6], "activation": "silu", "hidden": 5}


def test_figures_are_those_of_the_definition():
    found, labels = torch.randn(30, 5, dtype=torch.float64), torch.arange(30) % 4
    labels[7] = 9  # alone: does not ask, but may be found
    figures = retrieval_figures(found, labels)
    unit = (found / found.norm(dim=1, keepdim=True)).numpy()
    precisions, first, tiers = [], [], []
    for i in range(30):
        others = np.arange(30) != i
        likeness, same = (unit @ unit[i])[others], (labels == labels[i]).numpy()[others]
        if same.any():
            precisions.append(average_precision_score(same, likeness))
            order = np.argsort(-likeness)
            first.append(same[order[0]])
            tiers.append(same[order[: same.sum()]].mean())
    assert figures["mean average precision"] == pytest.approx(np.mean(precisions))
    assert figures["nearest neighbour"] == pytest.approx(np.mean(first))
    assert figures["first tier"] == pytest.approx(np.mean(tiers))


def test_descriptors_are_unit_vectors_in_order():
    data = SphericalClouds(LabelledClouds(torch.rand(9, 20, 3), torch.arange(9) % 3), 8, 4, rotated=False, seed=0)
    found = descriptors(SphericalClassifier(**MODEL).eval(), data, batch_size=4)
    assert found.shape == (9, 5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(9))


@pytest.mark.parametrize("trained", [False, True])
def test_a_shape_has_one_descriptor_in_any_orientation(tmp_path, trained):
    """Without training, exact to rounding in the files and in float32; a network adds its aliasing."""
    corners = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double() * torch.tensor(
        [1.0, 2.0, 4.0]
    )
    sides = torch.tensor([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])
    model = SphericalClassifier(**MODEL).eval() if trained else None
    recipe = RECIPES["modelnet10"] if trained else None
    found = []
    for name, turn in (("given", torch.eye(3)), ("turned", es.random_rotations(1)[0])):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "shape.off"
        write_mesh(Mesh(7 + 3 * corners @ turn.double().mT, sides), path)
        found.append(describe_shape(path, model, recipe))
    assert float((found[0] - found[1]).norm()) < (0.02 if trained else 1e-4)


def test_the_most_similar_come_first():
    gallery = [torch.tensor([1.0, 0.0]), torch.tensor([0.6, 0.8]), torch.tensor([0.0, 1.0])]
    assert [i for i, _ in most_similar(torch.tensor([0.0, 1.0]), gallery, 2)] == [2, 1]


def test_a_network_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match="classifier of shapes"):
        describe_shape("x.off", SphericalClassifier(**MODEL), RECIPES["digits"])
    (tmp_path / "bad.off").write_text("no mesh")
    with pytest.raises(DataError, match=r"bad\.off"):
        describe_shape(tmp_path / "bad.off")
    with pytest.raises(DataError, match="neither a mesh nor a cloud"):
        describe_shape(tmp_path / "bad.txt")
