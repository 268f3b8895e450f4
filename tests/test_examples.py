"""The examples run, and show what they say."""

import runpy
from pathlib import Path

import torch

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_own_maps():
    names = runpy.run_path(str(EXAMPLES / "own_maps.py"))
    assert names["upright"] > 0.8
    assert torch.isclose(names["upright"], names["rotated"], atol=0.05)
    assert names["audit"].total.own.worst < 0.05


def test_own_fields():
    names = runpy.run_path(str(EXAMPLES / "own_fields.py"))
    assert names["relative"] < 0.2
    assert abs(names["relative_turned"] - names["relative"]) < 0.02
    assert names["audit"].total.own.worst < 0.05


def test_own_directions():
    names = runpy.run_path(str(EXAMPLES / "own_directions.py"))
    assert names["losses"][-1] < names["losses"][0] / 2
    assert names["accuracy"] > 0.8
    assert names["audit"].accused == []
    assert names["audit"].total.own.worst < 0.05
