"""Networks go to the Hugging Face Hub and come back, by its own library; errors say what to do. The Hub is a stand-in here."""

import sys

import pytest
import torch
from hub_server import TOKEN, Hub
from huggingface_hub import constants

from equisphere import models
from equisphere.models import HubError, PlanarClassifier, SphericalClassifier

NOTES = {
    "data": "MNIST",
    "recipe": {
        "name": "digits",
        "task": "classification",
        "rotated": False,
        "epochs": 3,
        "seed": 1,
        "options": {"extent": 1.2},
    },
    "figures": {
        "test_accuracy": {"NR": 0.981, "R": 0.975},
        "orientations": {"NR": "upright", "R": "randomly rotated"},
        "samples": {"train": 5000, "validation": 100, "test": 1000},
    },
    "audit": {
        "signals": 16,
        "on": "test items",
        "rotations": 8,
        "dtype": "float32",
        "median": 0.021,
        "worst": 0.03,
        "flips": 0.0012,
        "verdict": "aliasing",
    },
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The stand-in, and a cache that is empty."""
    with Hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # plain HTTP, which the stand-in speaks
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield server


@pytest.fixture
def model():
    return SphericalClassifier(4, 1, (4,), (6,), hidden=8).eval()


def test_a_network_goes_up_and_comes_back(hub, model):
    address = model.push_to_hub("me/net", NOTES, license="mit", token=TOKEN)
    assert address.startswith(f"{hub.url}/me/net/commit/")
    assert set(hub.repositories["me/net"]["main"]) == {"README.md", "model.safetensors"}
    again = SphericalClassifier.from_pretrained("me/net")
    c = torch.randn(3, 1, 36)
    torch.testing.assert_close(again(c), model(c), rtol=0, atol=0)
    assert models.load(models.checkpoint_path("me/net"))[1] == NOTES
    assert all("equisphere" in agent for agent in hub.agents)


def test_what_was_fetched_once_is_read_without_the_hub(hub, model, monkeypatch):
    model.push_to_hub("me/net", token=TOKEN)
    path = models.checkpoint_path("me/net")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert models.checkpoint_path("me/net") == path
    with pytest.raises(HubError, match="cannot be reached"):
        models.checkpoint_path("me/another")


def test_a_branch_has_weights_of_its_own(hub, model):
    model.push_to_hub("me/net", token=TOKEN)
    other = SphericalClassifier(4, 1, (4,), (6,), hidden=8).eval()
    other.push_to_hub("me/net", token=TOKEN, revision="wider")
    c = torch.randn(3, 1, 36)
    found = SphericalClassifier.from_pretrained("me/net", revision="wider")
    torch.testing.assert_close(found(c), other(c), rtol=0, atol=0)
    assert not torch.equal(SphericalClassifier.from_pretrained("me/net")(c), other(c))
    with pytest.raises(HubError, match="no branch, tag or commit 'gone'"):
        SphericalClassifier.from_pretrained("me/net", revision="gone")


def test_a_repository_that_only_some_may_see(hub, model):
    model.push_to_hub("me/net", token=TOKEN, private=True)
    with pytest.raises(HubError, match="hf auth login"):
        SphericalClassifier.from_pretrained("me/net")
    assert isinstance(SphericalClassifier.from_pretrained("me/net", token=TOKEN), SphericalClassifier)


def test_errors_say_what_to_do(hub, model):
    with pytest.raises(HubError, match="no repository of that name"):
        SphericalClassifier.from_pretrained("me/gone")
    hub.repositories["me/words"] = {"main": {"README.md": b"nothing else"}}
    with pytest.raises(HubError, match=r"holds no model\.safetensors"):
        SphericalClassifier.from_pretrained("me/words")
    hub.repositories["me/foreign"] = {"main": {"model.safetensors": b"what"}}
    with pytest.raises(models.CheckpointError, match="cannot be read as a safetensors file"):
        SphericalClassifier.from_pretrained("me/foreign")
    PlanarClassifier(4, 1, 8, (4,)).push_to_hub("me/planar", token=TOKEN)
    with pytest.raises(ValueError, match="is a PlanarClassifier, not a SphericalClassifier"):
        SphericalClassifier.from_pretrained("me/planar")
    with pytest.raises(HubError, match=r"(?s)refused me/net.*token that may write"):
        model.push_to_hub("me/net", token="hf_may_read")
    with pytest.raises(HubError, match="OWNER/NAME"):
        model.push_to_hub("net", token=TOKEN)


def test_no_connection_is_explained(hub, model, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the library tries again, and waits in between
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )
    with pytest.raises(HubError, match=r"no file or folder me/net here.*cannot be reached"):
        SphericalClassifier.from_pretrained("me/net")
    with pytest.raises(HubError, match=r"^me/net: the Hugging Face Hub cannot be reached"):
        model.push_to_hub("me/net", token=TOKEN)


def test_without_the_library_it_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"equisphere\[hub\]"):
        SphericalClassifier.from_pretrained("me/net")
    with pytest.raises(ImportError, match=r"equisphere\[hub\]"):
        model.push_to_hub("me/net")


def test_a_name_may_be_a_path(model, tmp_path, monkeypatch):
    path = models.save(model, tmp_path / "runs" / "mine" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    for name in (path, str(path), "runs/mine"):
        assert SphericalClassifier.from_pretrained(name).config == model.config
    with pytest.raises(FileNotFoundError, match=r"runs/gone\.safetensors"):
        SphericalClassifier.from_pretrained("runs/gone.safetensors")
    with pytest.raises(FileNotFoundError, match=r"runs is a folder, and holds no model\.safetensors"):
        SphericalClassifier.from_pretrained("runs")
    with pytest.raises(ValueError, match="spherical-mnist"):
        SphericalClassifier.from_pretrained("no-such-network")
    with pytest.raises(ValueError, match="no revision"):
        SphericalClassifier.from_pretrained("spherical-mnist", revision="main")


def test_the_card_says_what_the_notes_know(hub, model):
    model.push_to_hub("me/net", NOTES, license="cc-by-4.0", token=TOKEN)
    card = hub.repositories["me/net"]["main"]["README.md"].decode()
    assert card.startswith("---\nlibrary_name: equisphere\nlicense: cc-by-4.0\n")
    for words in (
        "SphericalClassifier.from_pretrained('me/net')",
        "5,000 items to train on",
        "trained on items as they come, 3 epochs, seed 1",
        "| randomly rotated (R) | 0.975 |",
        "2.1e-02 in the median and 3.0e-02 at worst",
        "0.12 % of the answers change",
    ):
        assert words in card
    model.push_to_hub("me/plain", token=TOKEN)
    plain = hub.repositories["me/plain"]["main"]["README.md"].decode()
    assert "license" not in plain
    assert "Data" not in plain


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ({"figures": {"test_accuracy": 0.98}}, '**Figures.** `{"test_accuracy": 0.98}`'),
        ({"data": "x", "figures": 0.98}, "**Data.** x\n\n**Figures.** `0.98`"),
        ({"data": "x", "figures": {"samples": 100}}, '**Figures.** `{"samples": 100}`'),
        ({"recipe": {"lr": 1e-3}}, '**Recipe.** `{"lr": 0.001}`'),
        ({"audit": {"worst": 1}}, '**Audit.** `{"worst": 1}`'),
        (
            {"data": "x", "figures": {"samples": {"train": "many"}, "history": [1]}},
            '**Figures.** `{"samples": {"train": "many"}}`',
        ),
        ({"figures": {"test_accuracy": {}}}, '**Figures.** `{"test_accuracy": {}}`'),
    ],
)
def test_notes_of_a_form_of_ones_own_are_printed_as_they_are(model, tmp_path, notes, words):
    models.card_folder(model, tmp_path, "me/net", notes)
    assert words in (tmp_path / "README.md").read_text()


def test_the_card_of_a_class_of_ones_own_imports_it_from_where_it_is(tmp_path):
    class Own(models.ConfiguredModule):
        def __init__(self):
            super().__init__()
            self.config, self.bandwidth = {}, 4

    try:
        models.card_folder(Own(), tmp_path, "me/own")
        assert (
            f"from {__name__} import Own\n    model = Own.from_pretrained('me/own')"
            in (tmp_path / "README.md").read_text()
        )
    finally:
        del models.ConfiguredModule.kinds["Own"]
