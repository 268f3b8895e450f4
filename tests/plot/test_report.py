"""The report says what the numbers say, in one page that is whole or not there."""

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from equisphere import plot
from equisphere.plot import _report, _words


class _Page(HTMLParser):
    """What a page refers to, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(html)
        self.words = re.sub(r"\s+", " ", self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.words += data


def _with(results: dict[str, Any], **accuracy: dict[str, float]) -> dict[str, Any]:
    changed = copy.deepcopy(results)
    for network, by in accuracy.items():
        changed["accuracy"][network].update({key.replace("_", "/"): value for key, value in by.items()})
    return changed


def test_the_headline_says_what_the_numbers_say(results: dict[str, Any]) -> None:
    def said(**accuracy: dict[str, float]) -> str:
        return _words.headline(_with(results, **accuracy)).replace("\u00a0", " ")

    assert said() == (
        "Trained on upright digits only, the equivariant network reads 95.1 % of digits in any orientation "
        "(95.4 % upright); a planar CNN of the same size falls from 96.9 % upright to 31.2 % in any orientation."
    )
    assert "planar CNN of the same size reads 96.5 % of digits in any orientation" in said(planar={"NR_R": 0.965})
    assert "planar CNN of the same size goes down from 96.9 % upright to 90.0 %" in said(planar={"NR_R": 0.9})
    assert "planar CNN of the same size rises from 50.0 % upright" in said(planar={"NR_NR": 0.5, "NR_R": 0.9})
    assert "equivariant network falls from 95.4 % upright to 20.0 %" in said(equivariant={"NR_R": 0.2})


def test_the_headline_states_the_sizes_that_there_are(results: dict[str, Any]) -> None:
    results["parameters"]["planar"] = 2 * 58210
    assert "with 2.0 times as many parameters" in _words.headline(results)
    results["parameters"]["planar"] = 50000
    assert "of about the same size" in _words.headline(results)
    results["parameters"]["planar"] = 58210 // 4
    assert "with 25% of its parameters" in _words.headline(results)


def test_accuracy_words_follow_the_numbers(results: dict[str, Any]) -> None:
    words = _words.accuracy_words(results)
    assert "changes little for the equivariant network" in words
    assert "brings the planar CNN" in words
    assert "8.1 points below" in words
    words = _words.accuracy_words(_with(results, planar={"R_R": 0.99}, equivariant={"R_R": 0.8}))
    assert "sets back the equivariant network" in words
    assert "19.0 points above" in words
    assert "equal within" in _words.accuracy_words(_with(results, planar={"R_R": 0.953}))


def test_angle_words_follow_the_numbers(results: dict[str, Any]) -> None:
    assert "less than half" in _words.angle_words(results["angles"])
    results["angles"]["planar"] = [0.9] * 13
    assert "half" not in _words.angle_words(results["angles"])
    results["angles"]["planar"] = [0.9] * 6 + [0.2] + [0.9] * 6
    assert "From 90° on" in _words.angle_words(results["angles"])
    assert "exceptions" in _words.angle_words(results["angles"])


def test_layer_words_follow_the_numbers(results: dict[str, Any]) -> None:
    words = _words.layer_words(results["layers"])
    assert "2 of the 3 layers are exact: they add at most 4.2·10⁻⁷, rounding." in words
    assert "Most comes from blocks.0.3 (Activation)" in words
    assert "2.4·10⁻³ has gathered" in words
    results["layers"][1] |= {"worst": 1e-2, "median": 9e-3, "verdict": "about z alone"}
    words = _words.layer_words(results["layers"])
    assert "Here something breaks the symmetry: blocks.0.1." in words
    assert "Most comes from blocks.0.1" in words


def test_oversampling_words_follow_the_numbers(results: dict[str, Any]) -> None:
    words = _words.oversampling_words(results["oversampling"])
    assert "Exact to rounding: square from 1.5 on." in words
    assert "relu (from 2.0·10⁻² to 3.0·10⁻³)" in words
    results["oversampling"]["functions"]["square"] = [1e-2, 1e-2, 1e-2]
    assert "Exact" not in _words.oversampling_words(results["oversampling"])


def test_the_report_is_one_page_that_refers_to_nothing(
    results: dict[str, Any], signals: dict[str, Any], tmp_path: Path
) -> None:
    results = json.loads(json.dumps(results))  # as read back from results.json
    path = plot.write_report(results, signals, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    html = path.read_text(encoding="utf-8")
    page = _Page(html)
    assert "http:" not in html
    assert "https:" not in html
    assert "//" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.tags.count("img") == 7
    assert page.sources
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    names = {"digits", "digits_narrow", "accuracy", "angles", "curves", "layers", "oversampling", "times"}
    assert {p.name for p in (path.parent / "figures").iterdir()} == {f"{name}.png" for name in names}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (path.parent / "figures").iterdir())
    assert sorted(p.name for p in path.parent.iterdir()) == ["figures", "report.html"]


def test_the_report_says_the_numbers(results: dict[str, Any], signals: dict[str, Any], tmp_path: Path) -> None:
    results["title"] = "Digits & <balls>"
    html = plot.write_report(results, signals, tmp_path).read_text(encoding="utf-8")
    words = _Page(html).words
    shown = ["95.4 %", "95.1 %", "31.2 %", "87.1 %", "58,210", "57,904", "3,700 / 300 / 1,000", "2 cores, Linux x86_64"]
    shown += [
        "2.1·10⁻⁷",
        "6.0·10⁻³",
        "2 min 5 s",
        "2025-11-23",
        "torch 2.9.1",
        "right on 3 of these 3",
        "right on 1 of these 3",
    ]
    for text in shown:
        assert text in words, text
    assert "Digits &amp; &lt;balls&gt;" in html


def test_nothing_half_written_is_left_when_a_write_fails(
    results: dict[str, Any], signals: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plot.write_report(results, signals, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    write = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        if "report" in self.name:
            write(self, data[: len(data) // 2])
            raise OSError("no space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", half)
    results["title"] = "Another"
    with pytest.raises(OSError, match="no space"):
        plot.write_report(results, signals, tmp_path)
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == set(before)
    assert path.read_bytes() == before[path]


def test_nothing_is_written_when_a_figure_fails(
    results: dict[str, Any], signals: dict[str, Any], tmp_path: Path
) -> None:
    del results["oversampling"]
    with pytest.raises(KeyError, match="oversampling"):
        plot.write_report(results, signals, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_folder_that_cannot_be_written_is_an_os_error(
    results: dict[str, Any], signals: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_report, "_figures", lambda *_: {})
    monkeypatch.setattr(_report, "_page", lambda *_: "")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        plot.write_report(results, signals, tmp_path / "file")
