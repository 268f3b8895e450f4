"""`equisphere project`: what it says of a whole call, and of single files."""

import numpy as np
import pytest
from typer.testing import CliRunner

from equisphere.cli._app import app


@pytest.fixture
def call(tmp_path):
    """Project two clouds and what else is given; the words on both channels."""
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(9, 3)))

    def run(*arguments, files=("a.npy", "b.npy"), code=0):
        given = [str(tmp_path / f) for f in files]
        options = ["--output", str(tmp_path / "out"), "--bandwidth", "4", *map(str, arguments)]
        result = CliRunner().invoke(app, ["project", *given, *options], env={"COLUMNS": "300"})
        assert result.exit_code == code, result.output
        return " ".join((result.stdout + result.stderr).split())

    return run


def test_the_cache_is_counted_where_there_is_one(call, tmp_path):
    assert "2 files projected to" in call("--cache", tmp_path / "cache")
    assert "(2 of them from the cache)" in call("--cache", tmp_path / "cache")
    assert "cache" not in call("--no-cache").replace(str(tmp_path), "")


def test_a_map_in_a_npy_file_is_told_where_maps_go(call, tmp_path):
    np.save(tmp_path / "map.npy", np.ones((8, 16)))
    said = call("--no-cache", files=["map.npy"], code=1)
    assert "Maps come as .nc or .fits" in said
    assert "no file projected" in said
    assert "projected to" not in said


@pytest.mark.parametrize("branches", ["foo", "outer,foo", ""])
def test_branches_are_checked_once_and_before_any_file(call, tmp_path, branches):
    assert call("--no-cache", "--branches", branches, code=1).count("branches must be some of outer, inner, hull") == 1
    assert not (tmp_path / "out").exists()
