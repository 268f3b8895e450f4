"""Checkpoints carry their configuration, and damage is named."""

import sys

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from equisphere.models import (
    CheckpointError,
    ConfiguredModule,
    PlanarClassifier,
    PlanarUNet,
    SphericalClassifier,
    SphericalUNet,
    load,
    save,
)
from equisphere.nn import ZonalConv

MODELS = [
    SphericalClassifier(4, 1, (4, 6), (8, 6), anchors=5, activation="silu", hidden=8),
    PlanarClassifier(4, 1, 8, (4, 6)),
    SphericalUNet(1, 2, (4, 6), (8, 5), anchors=6, dropout=0.1, pairs=2),
    SphericalUNet(1, 2, (4, 6), (8, 5), pairs=(1, 3)),
    PlanarUNet(1, 2, 8, (4, 6)),
]


@pytest.fixture(params=MODELS, ids=lambda model: type(model).__name__)
def model(request):
    return request.param.eval()


def test_a_saved_network_comes_back_whole(model, tmp_path):
    c = torch.randn(3, 1, 64)
    again, notes = load(save(model, tmp_path / "model.safetensors", {"figures": {"NR": 0.9}}))
    assert type(again) is type(model)
    assert again.config == model.config
    assert notes == {"figures": {"NR": 0.9}}
    assert not again.training
    torch.testing.assert_close(again(c), model(c), rtol=0, atol=0)


def test_a_state_dict_says_how_to_make_the_network(model, tmp_path):
    torch.save(model.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    c = torch.randn(3, 1, 64)
    torch.testing.assert_close(type(model).from_state_dict(state).eval()(c), model(c), rtol=0, atol=0)


def test_a_state_dict_of_another_network_is_refused():
    with pytest.raises(ValueError, match="from_state_dict"):
        SphericalClassifier(4, 1, (4, 6), (8, 6), hidden=8).load_state_dict(MODELS[0].state_dict())
    with pytest.raises(ValueError, match="of a PlanarClassifier"):
        SphericalClassifier.from_state_dict(MODELS[1].state_dict())
    with pytest.raises(ValueError, match="carries no configuration"):
        SphericalClassifier.from_state_dict({"weight": torch.ones(1)})


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        load(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("size", [0, 5, 200, -1])
def test_a_truncated_checkpoint_is_named(model, tmp_path, size):
    path = save(model, tmp_path / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"cut\.safetensors"):
        load(path)


def test_a_foreign_checkpoint_is_named(tmp_path):
    save_file({"weight": torch.ones(2)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="another library"):
        load(tmp_path / "foreign.safetensors")
    torch.save({"weight": torch.ones(2)}, tmp_path / "pickle.safetensors")
    with pytest.raises(CheckpointError, match=r"pickle\.safetensors"):
        load(tmp_path / "pickle.safetensors")


def test_weights_that_do_not_fit_the_configuration_are_named(model, tmp_path):
    path = save(model, tmp_path / "bent.safetensors")
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = next(iter(tensors))
    save_file(tensors | {name: torch.ones(3, 3, 3, 3)}, path, metadata=header)
    with pytest.raises(CheckpointError, match="does not fit the configuration"):
        load(path)


@pytest.mark.parametrize("damage", ["nan", "integers"])
def test_damaged_weights_are_named(model, tmp_path, damage):
    path = save(model, tmp_path / "bad.safetensors")
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = next(name for name in tensors if name.startswith("head") and name.endswith("weight"))
    bad = tensors[name] * torch.nan if damage == "nan" else tensors[name].int()
    save_file(tensors | {name: bad}, path, metadata=header)
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load(path)


def test_the_dtype_is_kept(tmp_path):
    model = SphericalClassifier(4, 1, (4,), (8,), hidden=8).double().eval()
    c = torch.randn(3, 1, 64, dtype=torch.float64)
    again, _ = load(save(model, tmp_path / "model.safetensors"))
    torch.testing.assert_close(again(c), model(c), rtol=0, atol=0)


@pytest.mark.usefixtures("as_user")
def test_what_cannot_be_saved_is_explained(tmp_path):
    with pytest.raises(ValueError, match="ConfiguredModule"):
        save(torch.nn.Linear(2, 2), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="must be a dict"):
        save(MODELS[0], tmp_path / "model.safetensors", [1])
    for notes in ({"accuracy": torch.tensor(1.0)}, {"accuracy": float("nan")}):
        with pytest.raises(ValueError, match=r"notes must be what JSON holds.*tolist"):
            save(MODELS[0], tmp_path / "model.safetensors", notes)
    with pytest.raises(ValueError, match="is a folder"):
        save(MODELS[0], tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match="is a folder"):
        load(tmp_path)


def test_a_network_of_ones_own_is_saved_and_loaded(tmp_path):
    class Own(ConfiguredModule):
        def __init__(self, width=3):
            super().__init__()
            self.config = {"width": width}
            self.conv = ZonalConv(1, width, 4)

    path = save(Own(5), tmp_path / "own.safetensors")
    assert load(path)[0].conv.out_channels == 5
    del ConfiguredModule.kinds["Own"]
    with pytest.raises(CheckpointError, match="import the module that defines it"):
        load(path)


def test_weights_that_two_layers_share_are_saved(tmp_path):
    class Tied(ConfiguredModule):
        def __init__(self):
            super().__init__()
            self.config = {}
            self.first = ZonalConv(2, 2, 4)
            self.second = self.first

    network = Tied()
    try:
        again = load(save(network, tmp_path / "tied.safetensors"))[0]
    finally:
        del ConfiguredModule.kinds["Tied"]
    assert torch.equal(again.first.weight, network.first.weight)
    assert again.first.weight is again.second.weight


def test_a_full_disk_is_an_error_of_the_system(model, tmp_path, monkeypatch):
    def full(tensors, file, metadata):
        raise SafetensorError("I/O error: no space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match=r"cannot be written.*no space"):
        save(model, tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_without_safetensors_it_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    for function in (lambda: save(model, tmp_path / "model.safetensors"), lambda: load(tmp_path)):
        with pytest.raises(ImportError, match=r"equisphere\[io\]"):
            function()


def test_a_failed_write_leaves_the_old_checkpoint(model, tmp_path, monkeypatch):
    path = save(model, tmp_path / "model.safetensors")
    before = path.read_bytes()

    def half(tensors, file, metadata):
        file.write_bytes(before[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", half)
    with pytest.raises(OSError, match="no space"):
        save(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
