"""`equisphere audit`: a checkpoint, and anybody's factory."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import equisphere as es
from equisphere.cli._app import app
from equisphere.cli._audit import OPTIONS

FACTORIES = """
import torch, equisphere as es
from torch import nn

GRID = es.grids.DriscollHealy(6)

def sound():
    return es.nn.ZonalConv(1, 2, 6), torch.randn(3, 1, 36)

def planar():
    return nn.Conv2d(1, 2, 3, padding=1), torch.randn(3, 1, 12, 12), {"grid": GRID}

def bare():
    return nn.Conv2d(1, 2, 3, padding=1)

def nothing():
    return 3

def broken():
    raise RuntimeError("no weights")

def misspelt():
    return *sound(), {"nonsense": 1, "grid": "coefficients"}

def meddling():
    return *sound(), {"rotations": 3}

def listed():
    return *sound(), ["grid"]
"""


@pytest.fixture
def factories(tmp_path, monkeypatch):
    (tmp_path / "somebodys_models.py").write_text(FACTORIES)
    (tmp_path / "no_module.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    return "somebodys_models"


def run(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments), "--rotations", "2"])


def test_a_factory(factories, tmp_path):
    result = run(f"{factories}:sound", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["equivariant"] is True
    result = run(f"{factories}:planar", "--output", tmp_path / "page.html", "--tolerance", "0.01")
    assert result.exit_code == 1
    assert "not equivariant" in result.output
    assert "Conv2d" in (tmp_path / "page.html").read_text()
    np.save(tmp_path / "maps.npy", np.random.default_rng(0).normal(size=(3, 1, 12, 12)).astype(np.float32))
    result = run(f"{factories}:bare", "--signals", "maps.npy", "--grid", "DriscollHealy", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accused"] == [""]


def test_options_of_a_factory_are_those_that_the_command_has_not():
    own = {"model", "signals", "rotations", "training", "seed"}
    assert {*OPTIONS, *own} == inspect.signature(es.audit.audit).parameters.keys()


def test_a_checkpoint(tmp_path):
    path = es.models.save(es.models.SphericalClassifier(channels=(3,), bandwidths=(6,)), tmp_path / "m.safetensors")
    result = run(path, "--random", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["worst"] == "blocks.0.activation"
    result = run(path)
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert "m.safetensors does not say how" in said
    assert "--signals FILE, or --random" in said


def test_signals_are_used_where_a_checkpoint_has_no_recipe(tmp_path):
    path = es.models.save(es.models.SphericalClassifier(channels=(3,), bandwidths=(6,)), tmp_path / "m.safetensors")
    np.save(tmp_path / "c.npy", np.random.default_rng(0).normal(size=(3, 1, 36)).astype(np.float32))
    result = run(path, "--signals", tmp_path / "c.npy", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["signals"] == [3, 1, 36]


def test_signals_of_numpy_come_in_the_dtype_of_the_model(factories):
    np.save("maps.npy", np.random.default_rng(0).normal(size=(3, 1, 12, 12)))
    result = run(f"{factories}:bare", "--signals", "maps.npy", "--grid", "DriscollHealy", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["dtype"] == "float32"


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("gone.pt", None, [], "there is no file gone.pt"),
        (".", None, [], "is a folder: give a file of signals"),
        ("a.txt", b"hello", [], "a.txt cannot be read as signals"),
        ("a.npy", b"hello", [], "a.npy cannot be read as signals"),
        ("one.npy", np.ones((12, 12)), ["--grid", "DriscollHealy"], "must have a batch dimension"),
        ("one.npy", np.ones(36), ["--batch", "16"], "must have a batch dimension"),
        ("one.npy", np.ones((20, 40)), [], "got shape (20, 40): put one in front, by `x[None]`"),
        ("maps.npy", np.ones((20, 1, 8, 15)), [], "These are the first 16 signals (--batch) of (20, 1, 8, 15)."),
        ("one.npy", np.ones(36), ["--grid", "coefficients"], "must have a batch dimension"),
    ],
)
def test_files_that_hold_no_signals_are_explained(factories, name, content, options, said):
    if isinstance(content, bytes):
        Path(name).write_bytes(content)
    elif content is not None:
        np.save(name, content)
    result = run(f"{factories}:bare", "--signals", name, *options)
    assert result.exit_code == 1
    assert said in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)


def test_one_map_is_not_cut_to_its_first_rows(factories):
    """Where the factory says on which grid, too."""
    np.save("one.npy", np.ones((12, 12)))
    result = run(f"{factories}:planar", "--signals", "one.npy", "--batch", "3")
    assert result.exit_code == 1
    assert "must have a batch dimension" in result.output
    assert "(12, 12)" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{}:missing"], "has no"),
        (["{}:nothing"], "must return"),
        (["{}:bare"], "no signals"),
        (
            ["{}:misspelt"],
            "arguments of equisphere.audit.audit (grid, representations, arguments, keywords, lie), got 'nonsense'.",
        ),
        (["{}:meddling"], "got 'rotations'. Number of rotations, training mode and seed are options of the command."),
        (["{}:listed"], "options a dict, got (ZonalConv, Tensor, list)"),
        (["{}:sound", "--grid", "Cube"], "--grid must be"),
        (["{}:broken"], "error: the factory somebodys_models:broken failed: RuntimeError: no weights"),
        (["no_module:x"], "the module no_module failed: ZeroDivisionError"),
        (["no_such_module:x"], "No module named"),
        (["missing.safetensors"], "no checkpoint"),
    ],
)
def test_what_is_wrong_is_explained(factories, arguments, said):
    result = run(*[a.format(factories) for a in arguments])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert said in " ".join(result.output.split())


def test_a_tolerance_is_not_negative(factories):
    result = run(f"{factories}:sound", "--tolerance", "-1")
    assert result.exit_code == 2
    assert "--tolerance" in result.output
