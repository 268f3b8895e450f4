"""The command: what it prints, for people and for programs, and its exit codes."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from equisphere import models
from equisphere.cli._app import app
from equisphere.train import RECIPES


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network that was never trained, with the notes that training writes."""
    recipe = RECIPES["digits"].changed(settings={"channels": [3], "bandwidths": [6], "hidden": 8})
    model = models.SphericalClassifier(**recipe.settings)
    notes = {"recipe": recipe.to_dict(), "figures": {"test_accuracy": {"NR": 0.1, "R": 0.1}}}
    return models.save(model, tmp_path_factory.mktemp("run") / "model.safetensors", notes)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.PNG"):
        Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(folder / name)
    (folder / "words.txt").write_text("no picture")
    return folder


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "300"})
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["train"],
        ["evaluate"],
        ["predict"],
        ["project"],
        ["search"],
        ["audit"],
        ["align"],
        ["publish"],
        ["info"],
    ],
)
def test_help_teaches(command):
    text = run(*command, "--help").stdout
    assert "Usage" in text
    assert len(text) > 400


def test_evaluate_gives_figures_to_people_and_programs(checkpoint):
    report = json.loads(run("evaluate", checkpoint, "--json").stdout)
    assert report["n"] == 1000
    assert all(0 <= share <= 0.4 for share in report["test_accuracy"].values())
    assert "randomly rotated (R)" in run("evaluate", checkpoint).stdout


def test_predict_reads_a_file_or_a_folder(checkpoint, pictures):
    one = json.loads(run("predict", checkpoint, pictures / "a.png", "--json").stdout)
    both = json.loads(run("predict", checkpoint, pictures, "--json").stdout)
    assert len(one["predictions"]) == 1
    assert [row["digit"] for row in both["predictions"]] == 2 * [one["predictions"][0]["digit"]]
    assert "a.png" in run("predict", checkpoint, pictures).stdout


def test_one_bad_picture_does_not_stop_the_others(checkpoint, pictures):
    (pictures / "c.png").write_bytes(b"no picture")
    result = json.loads(run("predict", checkpoint, pictures, "--json", code=1).stdout)
    assert len(result["predictions"]) == 2
    assert "c.png" in result["failed"][0]["error"]


def test_a_missing_picture_does_not_stop_the_others_and_names_stay_as_they_are(checkpoint, pictures):
    (pictures / "a.png").rename(pictures / "[red]a.png")
    result = run("predict", checkpoint, pictures / "gone.png", pictures, code=1)
    assert "[red]a.png" in result.stdout
    assert "gone.png" in result.stderr


def test_where_nothing_was_read_there_is_no_table(checkpoint, tmp_path):
    Image.new("L", (28, 28), 0).save(tmp_path / "black.png")
    (tmp_path / "empty").mkdir()
    result = run("predict", checkpoint, tmp_path / "black.png", tmp_path / "empty", code=1)
    assert result.stdout == ""
    assert "all of its pixels are alike" in result.stderr
    assert "holds none of the pictures of digits" in result.stderr


def test_info_tells_of_the_machine_and_of_a_checkpoint(checkpoint):
    assert json.loads(run("info", "--json").stdout)["torch"]
    facts = json.loads(run("info", checkpoint, "--json").stdout)
    assert facts["model"] == "SphericalClassifier"
    assert facts["figures"]["test_accuracy"]["NR"] == 0.1
    text = run("info", checkpoint).stdout
    assert "test_accuracy: NR 0.1, R 0.1" in text
    assert "{" not in text


def test_info_prints_figures_of_any_form(tmp_path):
    network = models.SphericalClassifier(channels=(3,), bandwidths=(6,))
    for figures in (0.98, [1, 2], "good"):
        path = models.save(network, tmp_path / "own.safetensors", {"figures": figures})
        assert json.loads(run("info", path, "--json").stdout)["figures"] == figures
        run("info", path)


def test_train_lists_its_recipes():
    text = run("train", "list").stdout
    assert all(name in text for name in RECIPES)
    assert "{" not in text
    assert [recipe["name"] for recipe in json.loads(run("train", "list", "--json").stdout)] == list(RECIPES)


def test_options_of_the_data_are_given_by_name(tmp_path, monkeypatch):
    asked = []

    def fit(recipe, *_, **__):
        asked.append(recipe)
        raise ValueError("enough")

    monkeypatch.setattr("equisphere.train.fit", fit)
    run("train", "digits", "--option", "shared=500", "--option", "extent=1", "--output", tmp_path / "run", code=1)
    assert asked[0].options == {"extent": 1, "jitter": 0.1, "shared": 500}
    run("train", "digits", "--option", "shared", "--output", tmp_path / "run", code=2)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "nothing-like-it"], 2, "there is no recipe"),
        (["train", "digits", "--epochs", "0"], 1, "epochs must be at least 1"),
        (["train", "digits", "--epochs", "many"], 2, "Invalid value for '--epochs'"),
        (["train", "digits", "--data", "/nowhere/mnist.npz"], 1, "there is no data file /nowhere/mnist.npz"),
        (["evaluate", "/nowhere/model.safetensors"], 1, "there is no checkpoint"),
        (["predict", "/nowhere/model.safetensors", "a.png"], 1, "there is no checkpoint"),
        (["info", __file__], 1, "cannot be read as a safetensors file"),
        (["train", "digits", "--devices", "0"], 1, "devices=0"),
        (["train", "digits", "--seed", "-1"], 1, "seed must be"),
        (["evaluate", "."], 1, "is a folder"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_errors_are_explained_and_coded(arguments, code, message, tmp_path):
    output = ["--output", tmp_path / "run"] if arguments[0] == "train" else []
    result = run(*arguments, *output, code=code)
    assert message in " ".join((result.stdout + result.stderr).split())
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [["train", "digits", "--epochs", "1"], ["demo", "--epochs", "1"]])
def test_an_output_folder_that_cannot_be_made_is_named(command, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run(*command, "--output", tmp_path / "file" / "run", code=1)
    assert "cannot be written" in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_foreign_checkpoint_without_a_recipe_is_explained(tmp_path):
    path = models.save(models.SphericalClassifier(channels=(3,), bandwidths=(6,)), tmp_path / "plain.safetensors")
    assert "does not say how its network was trained" in " ".join(run("evaluate", path, code=1).stderr.split())


def test_an_interruption_is_code_130(monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("equisphere.train.fit", interrupted)
    assert "--resume" in run("train", "digits", "--output", tmp_path / "run", code=130).stderr


def test_no_command_writes_into_the_current_folder_by_surprise(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("evaluate", checkpoint)
    run("info")
    assert not list(tmp_path.iterdir())
