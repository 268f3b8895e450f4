"""`equisphere project`: what it says of a whole call, and of single files."""

import numpy as np
import pytest
from PIL import Image
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


@pytest.mark.parametrize(("picture", "most"), [("perspective", 180), ("gnomonic", 180), ("stereographic", 360)])
def test_a_field_of_view_is_refused_in_degrees(call, picture, most):
    said = call("--picture", picture, "--field-of-view", most + 20, code=1)
    assert f"{picture} picture must lie between 0 and {most} degrees" in said
    assert f"got {most + 20} degrees" in said


def test_too_few_sensors_are_told_what_the_command_can_do(call, tmp_path):
    (tmp_path / "few.csv").write_text("lat,lon,t\n" + "".join(f"{10 * i},{20 * i},{i}\n" for i in range(5)))
    said = call("--no-cache", files=["few.csv"], code=1)
    assert "sensors in 5 places cannot determine" in said
    assert "lower the bandwidth to 2 at the most" in said


def test_a_picture_that_is_no_panorama_is_told_the_option(call, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "square.png")
    assert "`equisphere project --picture perspective`" in call("--no-cache", files=["square.png"], code=1)


@pytest.mark.parametrize("option", ["--output", "--cache"])
def test_a_file_is_no_folder_and_is_said_to_be_none_once(call, tmp_path, option):
    """Nor is one in the place of a folder above."""
    (tmp_path / "taken").write_text("x")
    for place in ("taken", "taken/below"):
        said = call(option, tmp_path / place, code=1)
        assert said.count("error:") == 1
        assert f"{option[2:]} must be a folder" in said
        assert f"{tmp_path / 'taken'} is a file" in said
        assert "Errno" not in said


def test_workers_are_at_least_one(call):
    assert "--workers" in call("--workers", 0, code=2)
