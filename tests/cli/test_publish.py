"""`equisphere publish`: what would be uploaded may be looked at first, and what is uploaded is that."""

import json

import pytest
from typer.testing import CliRunner

from equisphere import models
from equisphere.cli._app import app
from equisphere.train import RECIPES


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["publish", *map(str, arguments)], env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    recipe = RECIPES["digits"].changed(settings={"channels": [3], "bandwidths": [6], "hidden": 8})
    notes = {"recipe": recipe.to_dict(), "data": "5,000 digits", "classes": list("0123456789")}
    folder = tmp_path_factory.mktemp("run")
    models.save(models.SphericalClassifier(**recipe.settings), folder / "model.safetensors", notes)
    return folder


def test_the_folder_is_what_others_will_have(digits, tmp_path):
    run(digits, "me/net", "--output", tmp_path / "look", "--license", "mit")
    card = (tmp_path / "look" / "README.md").read_text()
    assert "license: mit" in card
    assert "on 16 test items under 16 random rotations" in card
    _, notes = models.load(models.checkpoint_path(tmp_path / "look"))
    assert notes["audit"]["verdict"] == "aliasing"
    assert notes["classes"] == list("0123456789")


def test_a_network_without_data_at_hand_is_audited_on_random_signals(tmp_path):
    model = models.SphericalUNet(1, 2, (4,), (8,))
    models.save(model, tmp_path / "model.safetensors", {"data": "my own maps"})
    result = run(tmp_path, "me/net", "--output", tmp_path / "look", "--json")
    said = json.loads(result.stdout)
    assert "no audit" not in result.stderr
    assert (said["audit"]["signals"], said["audit"]["on"]) == (16, "random signals")
    assert "my own maps" in (tmp_path / "look" / "README.md").read_text()


def test_a_network_that_no_audit_can_rotate_has_a_card_without(tmp_path):
    models.save(models.MoleculeRegressor(8, 3, 4, (8,), (1, 8)), tmp_path / "model.safetensors", {"data": "water"})
    result = run(tmp_path, "me/net", "--output", tmp_path / "look")
    assert "no audit" in result.stderr
    assert "Equivariance" not in (tmp_path / "look" / "README.md").read_text()


def test_what_is_uploaded_is_that(digits, monkeypatch):
    asked = {}

    def push(model, *given):
        asked.update(zip(("repository", "notes", "license", "private", "revision"), given, strict=True))
        return "https://hub/me/net/commit/1"

    monkeypatch.setattr("equisphere.models.ConfiguredModule.push_to_hub", push)
    assert "uploaded: https://hub/me/net/commit/1" in run(digits, "me/net", "--private").stdout
    assert asked["notes"]["audit"]["rotations"] == 16
    assert (asked["repository"], asked["license"], asked["private"], asked["revision"]) == ("me/net", None, True, None)


def test_a_name_that_is_none_is_explained(digits):
    assert "OWNER/NAME" in " ".join(run(digits, "net", code=1).stderr.split())
