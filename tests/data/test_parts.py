"""Data sets have three parts, and say so."""

from pathlib import Path

import pytest
import torch

from equisphere.data import LabelledClouds, Molecules, MoleculeTable, Shapes, load_digits

CLOUDS = LabelledClouds(torch.randn(4, 9, 3), torch.arange(4) % 2)
TABLE = MoleculeTable(torch.ones(3, 2).long(), torch.randn(3, 2, 3).double(), torch.randn(3).double())
SETS = {
    "shapes": lambda: Shapes("clouds", CLOUDS, CLOUDS, CLOUDS, ("round", "flat")),
    "molecules": lambda: Molecules("hydrogen", TABLE, TABLE, TABLE),
    "digits": load_digits,
}


@pytest.mark.parametrize("name", SETS)
def test_another_part_is_refused_by_name(name):
    with pytest.raises(ValueError, match="the parts of a data set are 'train', 'validation', 'test', got 'foo'"):
        SETS[name]().part("foo", 4)


def test_every_data_set_asks_the_one_check():
    """Those too whose data are too large for this test."""
    folder = Path(__file__).parents[2] / "src" / "equisphere" / "data"
    modules = [path for path in folder.glob("*.py") if "def part(self" in path.read_text() and path.stem != "_parts"]
    assert len(modules) >= 6
    for path in modules:
        body = path.read_text().split("def part(self")[1].split("\n    def ")[0]
        statements = body.split('"""')[2].strip()
        assert statements.startswith("seed = part_seed(name, self.seed)"), path.name


@pytest.mark.parametrize("name", SETS)
def test_a_data_set_is_shown_by_shapes(name):
    shown = repr(SETS[name]())
    assert "tensor(" not in shown
    assert len(shown) < 800
    if name == "shapes":
        assert "points=<float32 (4, 9, 3)>" in shown
        assert "classes=('round', 'flat')" in shown
