"""Dense recipes train, are judged in both orientations, and come back from their checkpoints."""

import dataclasses

import pytest
import torch

import equisphere as es
from equisphere import models
from equisphere.data import LabelledPanoramas, MaskedSky, MonthlyWinds
from equisphere.train import RECIPES, TASKS, figures_of, fit, recipe_of


def rooms():
    """Pictures whose colour says the class, but for noise."""
    torch.manual_seed(0)
    grid = es.grids.DriscollHealy(nlat=16, nlon=32)
    f = es.SHT(grid, 4).inverse(torch.randn(20, 16) / torch.arange(1, 17))
    labels = (f > 0).to(torch.uint8)
    images = (110 + 60 * labels[:, None] + 10 * torch.randn(20, 3, 16, 32)).clamp(0, 255).to(torch.uint8)
    return LabelledPanoramas("rooms", images, labels, [f"room {i // 2}" for i in range(20)], ["dark", "light"])


def winds():
    torch.manual_seed(0)
    grid = es.grids.ClenshawCurtis(nlat=13, nlon=24)
    slow = torch.randn(9, 2, 36).repeat_interleave(12, 0)[:72] + 0.1 * torch.randn(72, 2, 36)
    field = es.transforms.VectorSHT(grid, 6).inverse(slow)
    return MonthlyWinds("winds", field, torch.rand(12, 24), torch.randn(12, 24), held_out=(1, 1))


def sky():
    torch.manual_seed(0)
    grid = es.grids.HEALPix(4)
    f = es.SHT(grid, 8).inverse(torch.randn(64) / torch.arange(1, 65))
    return MaskedSky("sky", f, grid.points[:, 2].abs() > 0.3)


SMALL = {"channels": [8, 8], "bandwidths": [8, 4], "dropout": 0.0, "anchors": None}
CASES = {
    "pano-layout": (rooms, SMALL, 15, "miou"),
    "pano-layout-planar": (rooms, {"bandwidth": 8, "channels": [8, 8]}, 15, "miou"),
    "wind": (winds, {**SMALL, "bandwidths": [6, 4]}, 4, "rmse"),
    "sky-inpaint": (sky, SMALL, 1, "rmse"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_trains_and_is_judged_in_both_orientations(name, tmp_path):
    make, settings, epochs, figure = CASES[name]
    data, recipe = make(), dataclasses.replace(RECIPES[name], settings=settings, epochs=epochs, batch_size=4)
    run = fit(recipe, tmp_path, data, progress=False)
    losses = [row["train_loss"] for row in run.figures["history"]]
    assert min(losses) < losses[0] or epochs == 1
    found = run.figures[f"test_{figure}"]
    assert list(found) == list(data.orientations)
    upright, turned = found.values()
    if recipe.model == "SphericalUNet":
        assert turned == pytest.approx(upright, rel=0.02)
    if name == "pano-layout":
        assert upright > 0.6  # the colour tells; chance is a third
    model, notes = models.load(tmp_path / "model.safetensors")
    again = figures_of(model, data, TASKS[recipe.task](recipe_of(notes, tmp_path)))
    assert again[f"test_{figure}"] == pytest.approx(found, rel=1e-5)
