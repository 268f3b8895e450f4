"""Batches of files: bad ones are listed, good ones written; the cache goes by content, and heals."""

import json
import os

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from equisphere.cli._app import app
from equisphere.data import (
    DataError,
    Projection,
    _batch,
    cloud_coefficients,
    find_files,
    load_projected,
    normalize_points,
)
from equisphere.data import project_files as run_batch


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.npy", "deep/a.npy", "b.npy")):
        np.save(tmp_path / "in" / name, np.random.default_rng(i).normal(size=(20, 3)))
    (tmp_path / "in" / "bad.npy").write_bytes(b"no points")
    np.save(tmp_path / "in" / "nan.npy", np.full((5, 3), np.nan))
    (tmp_path / "in" / "notes.txt").write_text("not taken")
    return tmp_path


SETTINGS = Projection(6, shells=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_good_files_are_written_and_bad_ones_named(folder, workers):
    seen = []
    files = find_files([folder / "in"])
    outcomes = run_batch(files, folder / "out", SETTINGS, None, workers, seen.append)
    assert [o.source for o in outcomes] == list(files)
    assert len(seen) == 5
    errors = {o.source.name: o.error for o in outcomes if o.error}
    assert errors.keys() == {"bad.npy", "nan.npy"}
    assert all(str(folder / "in" / name) in error for name, error in errors.items())
    written = {str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*") if p.is_file()}
    assert written == {"a.npy.npz", "deep/a.npy.npz", "b.npy.npz"}
    found = load_projected(folder / "out" / "b.npy.npz")
    points = torch.from_numpy(np.load(folder / "in" / "b.npy"))
    torch.testing.assert_close(found.coefficients, cloud_coefficients(normalize_points(points), 6, 2).float())
    assert found.channels == ["shell 0", "shell 1"]


def test_the_cache_goes_by_content_and_settings_and_heals(folder):
    cache = folder / "cache"
    one = {folder / "in" / "a.npy": _batch.Path("a.npz")}

    def cached(files, settings=SETTINGS):
        return run_batch(files, folder / "out", settings, cache)[0].cached

    assert not cached(one)
    assert cached(one)
    renamed = folder / "in" / "renamed.npy"
    (folder / "in" / "a.npy").rename(renamed)
    moved = {renamed: _batch.Path("b.npz")}
    assert cached(moved)
    assert (folder / "out" / "b.npz").read_bytes() == (folder / "out" / "a.npz").read_bytes()
    assert not cached(moved, Projection(5, shells=2))
    os.utime(renamed)
    assert cached(moved)
    for entry in cache.iterdir():
        entry.write_bytes(entry.read_bytes()[:200])
    assert not cached(moved)
    assert cached(moved)
    np.save(renamed, np.ones((4, 3)) * np.arange(4)[:, None])
    assert not cached(moved)
    assert not [p for p in cache.iterdir() if p.suffix == ".part"]


def test_a_file_that_kills_its_process_is_the_only_one_lost(folder, monkeypatch):
    monkeypatch.setattr(_batch, "_pool", lambda workers: Pool())
    tasks = [(folder / name, folder / "out" / name) for name in ("a", "killer", "b")]
    outcomes = {o.source.name: o.error for o in _batch._parallel(work, tasks, 2)}
    assert outcomes["a"] is None
    assert outcomes["b"] is None
    assert "killed the process" in outcomes["killer"]


def work(task):
    if task[0].name == "killer":
        raise _batch.BrokenProcessPool
    return _batch.Outcome(*task)


class Pool:
    """A pool in which a process that dies takes along what comes after it."""

    def __init__(self):
        self.broken = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def submit(self, function, task):
        from concurrent.futures import Future

        future = Future()
        try:
            if self.broken:
                raise _batch.BrokenProcessPool
            future.set_result(function(task))
        except _batch.BrokenProcessPool as error:
            self.broken = True
            future.set_exception(error)
        return future


def test_two_files_of_one_name_are_not_written_over_each_other(folder):
    with pytest.raises(DataError, match="would both be written"):
        find_files([folder / "in" / "a.npy", folder / "in" / "deep" / "a.npy"])
    (folder / "void").mkdir()
    with pytest.raises(DataError, match="no file of a known kind"):
        find_files([folder / "void"])


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    "options",
    [
        {"bandwidth": 0},
        {"picture": "flat"},
        {"picture": "gnomonic", "field_of_view": 4.0},
        {"shells": 0},
        {"branches": ("foo",)},
    ],
)
def test_impossible_settings_are_explained(options):
    with pytest.raises(ValueError, match="must"):
        Projection(**options)


def test_the_command_lists_bad_files_at_the_end(folder):
    def run(*more):
        call = ["project", folder / "in", "--output", folder / "out", "--bandwidth", 6, "--cache", folder / "c", *more]
        return CliRunner().invoke(app, [str(x) for x in call], env={"COLUMNS": "300"})

    first = run()
    assert first.exit_code == 1
    assert "3 files projected" in first.stdout
    assert "bad.npy" in first.stderr
    report = json.loads(run("--json").stdout)
    assert [row["cached"] for row in report["projected"]] == [True, True, True]
    assert len(report["failed"]) == 2
    strange = CliRunner().invoke(app, ["project", str(folder / "in" / "notes.txt"), "--output", str(folder / "out")])
    assert strange.exit_code == 1
    assert "of no known kind" in strange.stderr
