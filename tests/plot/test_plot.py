"""Pictures hold the right values."""

from math import pi
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from equisphere import plot
from equisphere.data import image_coefficients
from equisphere.harmonics import real_harmonics
from equisphere.plot._style import BLUE, INK, NETWORKS, ORANGE, spread
from equisphere.plot._visible import FROM_BELOW, facing

VIEWS = [(pi / 3, 0.4), (0.0, 0.0), FROM_BELOW, (2.5, -2.0)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_pixel_of_a_globe_holds_the_value_of_the_function_at_its_point(
    view: tuple[float, float], dtype: torch.dtype
) -> None:
    L, pixels = 9, 24
    c = torch.randn(L * L, dtype=dtype)
    drawn = np.asarray(plot.globe(c, view=view, pixels=pixels).axes[0].images[0].get_array())
    theta, phi = view
    east = np.array([-np.sin(phi), np.cos(phi), 0])
    eye = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    north = np.cross(eye, east)
    for row, column in [(3, 14), (12, 12), (20, 9), (0, 12), (15, 22)]:
        x, y = (2 * column + 1) / pixels - 1, (2 * row + 1) / pixels - 1
        assert x * x + y * y < 1
        p = x * east + y * north + np.sqrt(1 - x * x - y * y) * eye
        Y = real_harmonics(L, np.array([np.arccos(p[2])]), np.array([np.arctan2(p[1], p[0])]))
        assert drawn[row, column] == pytest.approx(float(Y[0] @ c.double().numpy()), abs=1e-10)


@pytest.mark.parametrize("view", VIEWS)
def test_colours_and_classes_are_those_of_each_point(view: tuple[float, float]) -> None:
    """Pixel by pixel what `globe`, tested above, draws of each signal; a shadow falls towards the edge."""
    c = torch.randn(3, 25)
    values = np.stack([np.asarray(plot.globe(x, view=view, pixels=20).axes[0].images[0].get_array()) for x in c])
    picture = np.asarray(plot.globe_picture(c, view=view, pixels=20).axes[0].images[0].get_array())
    classes = np.asarray(
        plot.globe_classes(c, view=view, colours=["#ff0000", "#00ff00", "#0000ff"], pixels=20)
        .axes[0]
        .images[0]
        .get_array()
    )
    middle = (slice(5, 15), slice(5, 15))
    wanted = np.clip(np.moveaxis(values, 0, -1), 0, 1)
    assert np.abs(picture - wanted)[middle].max() < 0.05
    assert np.array_equal(classes.argmax(-1), values.argmax(0))


@pytest.mark.usefixtures("as_user")
def test_colours_that_do_not_fit_are_explained() -> None:
    with pytest.raises(ValueError, match="red, green and blue"):
        plot.globe_picture(torch.randn(2, 25))
    with pytest.raises(ValueError, match="each of the 7 classes"):
        plot.globe_classes(torch.randn(7, 25))
    with pytest.raises(ValueError, match=r"\(n, L\*L\)"):
        plot.globe_classes(torch.randn(25))


def test_an_image_reads_right_from_below() -> None:
    image = torch.zeros(21, 21)
    image[3:6, 3:6] = 1.0  # top left
    picture = plot.globe(image_coefficients(image, 24), view=FROM_BELOW, pixels=100).axes[0].images[0]
    assert picture.origin == "lower"
    row, column = np.unravel_index(np.argmax(picture.get_array()), (100, 100))
    assert row > 60  # up
    assert column < 40  # left


def test_a_rotated_image_is_faced_where_it_lies(signals: dict[str, Any]) -> None:
    assert facing(signals["coefficients"][0])[0] == pytest.approx(pi, abs=0.3)  # the south pole
    for c in signals["rotated"]:
        theta, phi = facing(c)
        assert theta > 0
        values = np.asarray(plot.globe(c, view=(theta, phi), pixels=60).axes[0].images[0].get_array())
        behind = np.asarray(plot.globe(c, view=(pi - theta, phi + pi), pixels=60).axes[0].images[0].get_array())
        assert values.max() > 3 * behind[15:45, 15:45].max()
    assert facing(torch.ones(1)) == facing(torch.zeros(4))  # nothing to face


def test_globe_draws_into_given_axes_and_fixes_colours_over_the_whole_sphere() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    c = torch.eye(4)[2]  # Y_10, from -0.49 in the south to 0.49 in the north
    assert plot.globe(c, left, view=(0.0, 0.0)) is figure
    plot.globe(c, right, view=(pi, 0.0), graticule=False)
    top = (3 / (4 * pi)) ** 0.5
    for ax in (left, right):
        assert ax.images[0].get_clim() == pytest.approx((-top, top), rel=2e-3)
    assert np.asarray(left.images[0].get_array()).min() > -1e-12
    assert len(left.collections) == 1
    assert len(left.lines) == 1  # the pole
    assert not right.collections
    assert not right.lines


def test_a_constant_signal_and_given_limits_can_be_drawn() -> None:
    low, high = plot.globe(torch.tensor([1.0])).axes[0].images[0].get_clim()
    assert low < (4 * pi) ** -0.5 < high
    assert plot.globe(torch.zeros(4), limits=(-1, 2)).axes[0].images[0].get_clim() == (-1, 2)


def test_globes_share_colours_and_have_titles() -> None:
    c = torch.eye(9)[[2, 6, 3]]
    figure = plot.globes(c, ["a", "b", "c"], columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c"]
    assert len({ax.images[0].get_clim() for ax in figure.axes}) == 1
    tops = [ax.get_position().y1 for ax in figure.axes]
    assert tops[0] == tops[1] > tops[2]


@pytest.mark.usefixtures("as_user")
def test_bad_signals_are_refused_with_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"last dimension of L\*L numbers.*no positive square"):
        plot.globe(torch.randn(10))
    with pytest.raises(ValueError, match=r"shape \(L\*L,\) here, got \(2, 9\).*c\[0\]"):
        plot.globe(torch.randn(2, 9))
    with pytest.raises(ValueError, match=r"shape \(n, L\*L\) here, got \(9,\).*c\[None\]"):
        plot.globes(torch.randn(9))
    with pytest.raises(ValueError, match="must be real"):
        plot.globe(torch.randn(9, dtype=torch.complex64))
    with pytest.raises(ValueError, match="must be finite"):
        plot.globe(torch.full((9,), torch.nan))
    with pytest.raises(ValueError, match="pixels must be at least 1"):
        plot.globe(torch.randn(9), pixels=0)
    with pytest.raises(ValueError, match="one for each signal, got 1 for 2"):
        plot.globes(torch.randn(2, 9), ["a"])


def test_digits_mark_right_and_wrong_answers(signals: dict[str, Any]) -> None:
    for columns, bands in ((10, 1), (2, 2)):
        figure = plot.digits(signals, columns=columns)
        assert len(figure.axes) == 3 * 3
        texts = [text.get_text() for text in figure.texts]
        a, b, c = signals["labels"]
        answers = [t for t in texts if t.endswith(("✓", "✗"))]
        assert sorted(answers) == sorted([f"{a} ✓", f"{b} ✓", f"{c} ✓", f"{a} ✓", "8 ✗", "9 ✗"])
        assert texts.count("equivariant") == texts.count("planar") == bands


def test_digits_refuse_unequal_numbers(signals: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"as many.*\[3, 3, 2, 3, 3\]"):
        plot.digits(signals | {"labels": [1, 2]})


def test_bars_have_the_heights_and_say_them(results: dict[str, Any]) -> None:
    ax = plot.accuracy_bars(results["accuracy"], 1000).axes[0]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([95.4, 95.1, 95.2, 96.9, 31.2, 87.1])
    assert [t.get_text() for t in ax.texts][:6] == ["95.4", "95.1", "95.2", "96.9", "31.2", "87.1"]
    assert [t.get_text().split()[-1] for t in ax.get_xticklabels()] == ["(NR/NR)", "(NR/R)", "(R/R)"]
    assert "1,000 test digits (%)" in ax.get_ylabel()
    assert [list(line.get_ydata()) for line in ax.lines] == [[10, 10]]  # guessing


def test_lines_by_angle(results: dict[str, Any]) -> None:
    ax = plot.accuracy_by_angle(results["angles"]).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["planar"].get_ydata()[0] == pytest.approx(96.9)
    assert lines["equivariant"].get_color() == NETWORKS["equivariant"]
    assert list(lines["planar"].get_xdata()) == results["angles"]["degrees"]
    assert "degrees" in ax.get_xlabel()


def test_learning_curves_of_unequal_length(results: dict[str, Any]) -> None:
    loss, accuracy = plot.learning_curves(results["curves"]).axes
    assert len(loss.lines) == len(accuracy.lines) == 4
    assert loss.get_yscale() == "log"
    assert [len(line.get_xdata()) for line in accuracy.lines] == [6, 6, 6, 9]
    assert list(loss.lines[3].get_ydata()) == results["curves"]["planar R"]["train_loss"]
    assert [line.get_linestyle() for line in accuracy.lines] == ["-", "--", "-", "--"]
    zero = {"equivariant NR": {"epoch": [1], "train_loss": [0.0], "validation_accuracy": [1.0]}}
    assert plot.learning_curves(zero).axes[0].get_yscale() == "linear"


def test_layer_errors_show_zeros_and_colour_by_verdict(results: dict[str, Any]) -> None:
    layers = [*results["layers"], results["layers"][1] | {"name": "odd", "median": float("nan")}]
    ax = plot.layer_errors(layers).axes[0]
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == ["blocks.0.0  SpectralPool", "blocks.0.1  ZonalConv"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_color() for dot in dots[:4]] == [BLUE, BLUE, ORANGE, INK]
    low, high = ax.get_xlim()
    assert low < dots[0].get_xdata()[0] < 1e-7  # a zero is drawn, at the edge
    assert dots[2].get_xdata()[0] == 3e-3 < high
    assert ax.yaxis_inverted()  # first layer on top


def test_oversampling_errors(results: dict[str, Any]) -> None:
    ax = plot.oversampling_errors(results["oversampling"]).axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert lines["relu"] == [2e-2, 6e-3, 3e-3]
    assert lines["whole network"] == [1.3e-2, 4e-3, 2e-3]
    assert 0 < lines["square"][-1] <= 1e-8
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "1.5", "2"]


def test_labels_keep_apart() -> None:
    places = spread([3.0, 1.0, 1.2, 1.1], 0.5)
    assert places[0] == 3.0
    assert places == pytest.approx([3.0, 0.6, 1.6, 1.1])


def test_the_style_is_the_same_wherever_a_figure_is_drawn_and_saved(results: dict[str, Any], tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot.times(results["seconds"]).savefig(tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before
    strange = {
        "axes.facecolor": "black",
        "font.size": 20,
        "xtick.labelsize": 30,
        "xtick.color": "red",
        "axes.grid": True,
    }
    with matplotlib.rc_context(strange):
        plot.times(results["seconds"]).savefig(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
