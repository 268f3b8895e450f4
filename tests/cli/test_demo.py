"""The demo, in small: its report, its figures, and that it goes on where it stopped."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from equisphere.cli._app import app
from equisphere.train import RECIPES, _demo, fit


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The demo's recipes on tiny networks and a few digits; the arguments that run it."""
    tiny = {
        "digits": RECIPES["digits"].changed(settings={"channels": [4, 6], "bandwidths": [8, 6], "hidden": 8}),
        "digits-planar": RECIPES["digits-planar"].changed(settings={"bandwidth": 8, "channels": [4, 8]}),
    }
    monkeypatch.setattr(_demo, "RECIPES", tiny)
    rng = np.random.default_rng(0)
    images = (rng.random((240, 28, 28)) * 255 * np.hanning(28)[:, None] * np.hanning(28)).astype(np.uint8)
    labels = (np.arange(240) % 10).astype(np.uint8)
    np.savez(tmp_path / "few.npz", x_train=images, y_train=labels, x_test=images[:60], y_test=labels[:60])
    return ["demo", "--epochs", "1", "--data", str(tmp_path / "few.npz"), "--output", str(tmp_path / "out"), "--json"]


def test_the_demo_measures_all_that_its_report_shows(small, tmp_path, monkeypatch):
    result = CliRunner().invoke(app, small)
    assert result.exit_code == 0, result.output
    results = json.loads(result.stdout)
    assert results == json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["accuracy"].keys() == {"equivariant", "planar"}
    assert all(figures.keys() == {"NR/NR", "NR/R", "R/R"} for figures in results["accuracy"].values())
    assert len(results["curves"]) == 4
    assert results["oversampling"]["functions"]["square"][1] < 1e-5 < results["oversampling"]["functions"]["square"][0]
    kinds = {row["kind"]: row["worst"] for row in results["layers"]}
    assert kinds["ZonalConv"] < 1e-5 < kinds["Activation"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/png;base64,") >= 6
    assert len(list((tmp_path / "out" / "figures").glob("*.png"))) >= 6

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr("pytorch_lightning.Trainer.fit", never)
    again = CliRunner().invoke(app, small)
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["accuracy"] == results["accuracy"]


def test_an_interrupted_demo_leaves_no_report_and_goes_on(small, tmp_path, monkeypatch):
    def interrupted(recipes, data, progress):
        for folder, recipe in list(recipes.items())[:2]:
            fit(recipe, folder, data, progress=progress)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_demo, "fit_side_by_side", interrupted)
        assert CliRunner().invoke(app, small).exit_code == 130
    assert not (tmp_path / "out" / "report.html").exists()
    assert CliRunner().invoke(app, small).exit_code == 0
    assert (tmp_path / "out" / "report.html").exists()
