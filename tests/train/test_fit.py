"""Training: what a run leaves behind, and that an interrupted one ends as an unbroken one."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from equisphere import models
from equisphere.data import Digits, LabelledClouds, Molecules, MoleculeTable, Shapes, load_digits
from equisphere.train import RECIPES, Recipe, RunError, fit

TINY = RECIPES["digits"].changed(
    settings={"channels": [3, 4], "bandwidths": [6, 4], "hidden": 8, "dropout": 0.2},
    epochs=3,
    batch_size=50,
    matrix_rate=0.02,
)


@pytest.fixture(scope="module")
def few() -> Digits:
    digits = load_digits()
    some = torch.arange(200)
    return Digits("few", digits.train.take(some), digits.validation.take(some), digits.test.take(some))


@pytest.fixture(scope="module")
def unbroken(few, tmp_path_factory):
    return fit(TINY, tmp_path_factory.mktemp("run") / "unbroken", few, progress=False)


def weights(run):
    return torch.cat([p.flatten() for p in run.model.parameters()])


def test_a_run_leaves_weights_log_recipe_and_figures(unbroken):
    names = {path.name for path in unbroken.folder.iterdir()}
    assert names == {"recipe.json", "metrics.csv", "best.ckpt", "last.ckpt", "model.safetensors", "figures.json"}
    model, notes = models.load(unbroken.folder / "model.safetensors")
    assert notes["recipe"] == json.loads((unbroken.folder / "recipe.json").read_text())
    assert notes["figures"]["test_accuracy"].keys() == {"NR", "R"}
    assert torch.equal(torch.cat([p.flatten() for p in model.parameters()]), weights(unbroken))
    rows = (unbroken.folder / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + TINY.epochs


def test_the_same_seed_gives_the_same_weights_and_another_does_not(few, unbroken, tmp_path):
    again = fit(TINY, tmp_path / "again", few, progress=False)
    assert torch.equal(weights(again), weights(unbroken))
    other = fit(TINY.changed(seed=1), tmp_path / "other", few, progress=False)
    assert not torch.equal(weights(other), weights(unbroken))


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [2, 5, 10])
def test_a_run_killed_and_resumed_ends_with_the_same_weights_and_log(few, unbroken, tmp_path, monkeypatch, step):
    from equisphere.train._lightning import Training

    whole = Training.training_step

    def dying(self, batch, index):
        if self.global_step == step:
            raise Killed
        return whole(self, batch, index)

    monkeypatch.setattr(Training, "training_step", dying)
    with pytest.raises(Killed):
        fit(TINY, tmp_path / "run", few, progress=False)
    assert not (tmp_path / "run" / "figures.json").exists()
    monkeypatch.setattr(Training, "training_step", whole)
    resumed = fit(TINY, tmp_path / "run", few, progress=False, resume=True)
    assert torch.equal(weights(resumed), weights(unbroken))
    assert (resumed.folder / "metrics.csv").read_text() == (unbroken.folder / "metrics.csv").read_text()
    assert resumed.figures["test_accuracy"] == unbroken.figures["test_accuracy"]


def test_an_interruption_comes_through(few, tmp_path, monkeypatch):
    from equisphere.train._lightning import Training

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "training_step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(TINY, tmp_path / "run", few, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning stops listening to it


def test_a_run_killed_after_its_last_epoch_is_finished(few, unbroken, tmp_path):
    run = fit(TINY, tmp_path / "run", few, progress=False)
    (run.folder / "figures.json").unlink()
    (run.folder / "model.safetensors").unlink()
    resumed = fit(TINY, run.folder, few, progress=False, resume=True)
    assert torch.equal(weights(resumed), weights(unbroken))
    assert resumed.figures["history"] == unbroken.figures["history"]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", "half"])
def test_a_checkpoint_that_cannot_be_read_is_named(few, unbroken, tmp_path, content):
    folder = tmp_path / "run"
    shutil.copytree(unbroken.folder, folder)
    (folder / "figures.json").unlink()
    whole = (folder / "last.ckpt").read_bytes()
    (folder / "last.ckpt").write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(RunError, match=r"last\.ckpt cannot be read"):
        fit(TINY, folder, few, progress=False, resume=True)


def test_a_whole_run_is_not_trained_again(few, unbroken, monkeypatch):
    monkeypatch.delattr("pytorch_lightning.Trainer.fit")
    again = fit(TINY, unbroken.folder, few, progress=False, resume=True)
    assert torch.equal(weights(again), weights(unbroken))


def test_a_folder_with_a_run_is_not_overwritten(few, unbroken):
    with pytest.raises(RunError, match="already holds a run"):
        fit(TINY, unbroken.folder, few, progress=False)
    with pytest.raises(RunError, match="epochs was 3, now 4"):
        fit(TINY.changed(epochs=4), unbroken.folder, few, progress=False, resume=True)


def test_a_start_that_fails_leaves_nothing_behind(few, tmp_path):
    from equisphere.data import DataError

    with pytest.raises(DataError, match="no data file"):
        fit(TINY.changed(data=str(tmp_path / "gone.npz")), tmp_path / "run", progress=False)
    with pytest.raises(RunError, match="devices=0"):
        fit(TINY, tmp_path / "run", few, progress=False, devices=0)
    with pytest.raises(RunError, match="quantum"):
        fit(TINY, tmp_path / "run", few, progress=False, accelerator="quantum")
    assert not (tmp_path / "run").exists()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        fit(TINY, tmp_path / "file" / "run", few, progress=False)


def test_patience_stops_early(few, tmp_path):
    run = fit(TINY.changed(epochs=30, patience=1, learning_rate=1e-9), tmp_path / "run", few, progress=False)
    assert len(run.figures["history"]) < 30


def test_the_planar_baseline_trains_too(few, tmp_path):
    recipe = RECIPES["digits-planar"].changed(settings={"bandwidth": 8, "channels": [4, 8]}, epochs=1)
    assert (
        fit(recipe, tmp_path / "run", few, progress=False).figures["parameters"]
        == 4 * 9 + 8 + 4 * 8 * 9 + 16 + 4 * 8 * 10 + 10
    )


def test_energies_are_learned_and_resumed_to_the_bit(tmp_path, monkeypatch):
    from equisphere.train._lightning import Training

    charges, places = torch.ones(60, 4, dtype=torch.int64), torch.randn(60, 4, 3, dtype=torch.float64)
    table = MoleculeTable(charges, places, torch.cdist(places, places).sum((1, 2)))
    data = Molecules("distances", table.take(torch.arange(40)), table.take(torch.arange(40, 50)), table, (1,), radial=4)
    settings = {"bandwidth": 3, "mixtures": 8, "hidden": [16]}
    recipe = Recipe("d", "MoleculeRegressor", settings, "regression", "molecules", epochs=4, batch_size=10)
    whole = fit(recipe, tmp_path / "whole", data, progress=False)
    assert whole.figures["test_rmse"].keys() == {"given", "SO3"}
    assert whole.figures["test_rmse"]["given"] == pytest.approx(whole.figures["test_rmse"]["SO3"], rel=1e-3)
    history = whole.figures["history"]
    assert whole.figures["validation_rmse"] == min(row["validation_rmse"] for row in history)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    step = Training.training_step

    def dying(self, batch, index):
        if self.global_step == 9:
            raise Killed
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "training_step", dying)
        with pytest.raises(Killed):
            fit(recipe, tmp_path / "run", data, progress=False)
    resumed = fit(recipe, tmp_path / "run", data, progress=False, resume=True)
    assert torch.equal(weights(resumed), weights(whole))


def test_settings_follow_from_the_data_and_options_are_checked(few):
    clouds = LabelledClouds(torch.rand(4, 9, 3), torch.arange(4))
    shapes = Shapes("x", clouds, clouds, clouds, tuple("abcdefg"), shells=5)
    config = TINY.network(shapes).config
    assert (config["classes"], config["in_channels"]) == (7, 5)
    assert TINY.network(few).config["classes"] == 10
    with pytest.raises(ValueError, match=r"options .* do not fit the data 'digits'"):
        TINY.changed(options={"nonsense": 1}).load()


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"patience": 0}, "patience"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_recipe_that_cannot_be_is_explained(change, message):
    with pytest.raises(ValueError, match=message):
        TINY.changed(**change)


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing_half_written(tmp_path):
    """SIGKILL at random moments, then resume: the run ends, and in the same figures as an unbroken one."""
    command = [sys.executable, "-m", "equisphere.cli", "train", "digits", "--epochs", "2", "--json"]
    whole = subprocess.run([*command, "--output", str(tmp_path / "whole")], check=True, capture_output=True)
    for seconds in (6, 9, 13, 17):
        process = subprocess.Popen(
            [*command, "--resume", "--output", str(tmp_path / "killed")], stderr=subprocess.DEVNULL
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = subprocess.run(
        [*command, "--resume", "--output", str(tmp_path / "killed")], check=True, capture_output=True, text=True
    )
    assert json.loads(last.stdout)["test_accuracy"] == json.loads(whole.stdout)["test_accuracy"]


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    command = [sys.executable, "-m", "equisphere.cli", "train", "digits", "--epochs", "2", "--devices", "2", "--json"]
    done = subprocess.run(
        [*command, "--accelerator", "cpu", "--output", str(tmp_path / "run")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["test_accuracy"]["R"] > 0.6
