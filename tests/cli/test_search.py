"""`equisphere search`: a turned copy comes first, a bad file does not stop the others."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import equisphere as es
from equisphere import models
from equisphere.cli._app import app
from equisphere.train import RECIPES


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["search", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def shapes(tmp_path):
    """A folder of clouds, and a query that is one of them turned, moved and scaled."""
    rng = np.random.default_rng(0)
    (tmp_path / "shapes" / "deep").mkdir(parents=True)
    for i in range(5):
        cloud = rng.normal(size=(200, 3)) * (1, 1 + i, 0.3 + 0.4 * i)
        np.save(tmp_path / "shapes" / "deep" / f"cloud_{i}.npy", cloud)
        if i == 3:
            np.save(tmp_path / "query.npy", 5 + 2 * cloud @ es.random_rotations(1)[0].numpy().T)
    return tmp_path / "shapes", tmp_path / "query.npy"


def test_a_turned_copy_comes_first(shapes):
    report = json.loads(run(*shapes, "--number", 2, "--json").stdout)
    assert len(report["found"]) == 2
    assert report["found"][0]["file"].endswith("cloud_3.npy")
    assert report["found"][0]["similarity"] > 0.9999 > report["found"][1]["similarity"]
    assert "cloud_3.npy" in run(*shapes).stdout


def test_a_trained_network_may_judge(shapes, tmp_path):
    settings = {"classes": 3, "in_channels": 4, "channels": [6], "bandwidths": [8], "activation": "silu", "hidden": 32}
    recipe = RECIPES["modelnet10"].changed(settings=settings, options={"shells": 4})
    model = models.SphericalClassifier(**settings)
    path = models.save(model, tmp_path / "m.safetensors", {"recipe": recipe.to_dict()})
    report = json.loads(run(*shapes, "--checkpoint", path, "--json").stdout)
    assert report["found"][0]["file"].endswith("cloud_3.npy")
    digits = models.save(model, tmp_path / "d.safetensors", {"recipe": RECIPES["digits"].to_dict()})
    assert "classifier of shapes" in " ".join(run(*shapes, "--checkpoint", digits, code=1).stderr.split())


def test_a_bad_file_does_not_stop_the_others_and_the_query_is_no_answer(shapes):
    folder, _ = shapes
    (folder / "bad.off").write_text("no mesh")
    report = json.loads(run(folder, folder / "deep" / "cloud_0.npy", "--json", code=1).stdout)
    assert len(report["found"]) == 4
    assert "bad.off" in report["failed"][0]["error"]


@pytest.mark.parametrize(
    ("given", "message"),
    [(("gone", "query.npy"), "no folder"), (("shapes", "gone.npy"), "gone.npy"), ((".", "query.npy"), "")],
)
def test_errors_are_explained(shapes, tmp_path, given, message):
    if message:
        assert message in " ".join(run(*(tmp_path / g for g in given), code=1).stderr.split())
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no shape that can be read" in " ".join(run(empty, shapes[1], code=1).stderr.split())
