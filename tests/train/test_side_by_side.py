"""Several trainings at a time: the same runs as one after the other, and what happens where one of them fails."""

import os
import signal
import threading
import time

import pytest
import torch

from equisphere.data import load_digits
from equisphere.train import RECIPES, RunError, fit, fit_side_by_side

TINY = RECIPES["digits"].changed(
    settings={"channels": [3, 4], "bandwidths": [6, 4], "hidden": 8, "dropout": 0.2}, epochs=2, batch_size=50
)


@pytest.fixture(scope="module")
def few():
    digits, some = load_digits(), torch.arange(200)
    return type(digits)("few", digits.train.take(some), digits.validation.take(some), digits.test.take(some))


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(run):
    return torch.cat([p.flatten() for p in run.model.parameters()])


def test_trainings_side_by_side_end_as_one_after_the_other(few, tmp_path, one_thread):
    recipes = {tmp_path / str(seed): TINY.changed(seed=seed) for seed in (0, 1, 2)}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "get_num_threads", lambda: 2)
        together = fit_side_by_side(recipes, few, progress=False)
    for folder, recipe in recipes.items():
        alone = fit(recipe, tmp_path / "alone" / folder.name, few, progress=False)
        assert torch.equal(weights(together[folder]), weights(alone))
        assert together[folder].figures["test_accuracy"] == alone.figures["test_accuracy"]


def test_one_at_a_time_needs_no_process(few, tmp_path, monkeypatch):
    monkeypatch.setattr("equisphere.train._side_by_side.get_context", None)
    run = fit_side_by_side({tmp_path / "a": TINY}, few, progress=False, at_once=2)[tmp_path / "a"]
    assert run.figures["parameters"] > 0


def test_a_run_that_cannot_go_on_says_so_as_it_does_alone(few, tmp_path):
    fit(TINY, tmp_path / "a", few, progress=False)
    (tmp_path / "a" / "figures.json").unlink()
    recipes = {tmp_path / "a": TINY.changed(epochs=3), tmp_path / "b": TINY}
    with pytest.raises(RunError, match="another recipe"):
        fit_side_by_side(recipes, few, progress=False, at_once=2)


def test_a_killed_training_is_told_and_can_be_resumed(few, tmp_path):
    recipes = {tmp_path / name: TINY.changed(epochs=30) for name in "ab"}

    def kill() -> None:
        until = time.monotonic() + 60
        while not (tmp_path / "a" / "last.ckpt").exists() and time.monotonic() < until:
            time.sleep(0.05)
        children = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _trains(pid)]
        os.kill(children[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.raises(RunError, match="ended from outside"):
        fit_side_by_side(recipes, few, progress=False, at_once=2)
    killer.join()
    assert not any(_trains(pid) for pid in os.listdir("/proc") if pid.isdigit())  # the other one was ended too
    done = fit_side_by_side(recipes, few, progress=False, at_once=2)
    assert all(len(run.figures["history"]) == 30 for run in done.values())


def _trains(pid: str) -> bool:
    """Whether a process is a child of this one that trains (Linux)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            state, parent = stat.read().rpartition(")")[2].split()[:2]
        with open(f"/proc/{pid}/cmdline") as command:
            return int(parent) == os.getpid() and state != "Z" and "spawn_main" in command.read()
    except OSError:
        return False
