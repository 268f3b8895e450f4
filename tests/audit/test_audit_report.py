"""What an audit hands back: words, numbers, a page; and the infinitesimal error, and the assertion for test suites."""

import json
import re
from collections import OrderedDict

import pytest
import torch
from models_to_audit import GRID, BiasMap, ByOrder, Sampled, coefficient_network, maps, smooth
from rich.console import Console
from torch import nn

import equisphere as es
from equisphere import audit


@pytest.fixture(scope="module")
def report():
    torch.manual_seed(1)
    return audit.audit(coefficient_network(ByOrder()), smooth(4, 2, 64), rotations=4)


def test_the_table_and_the_text_say_the_same(report):
    console = Console(width=160, record=True)
    console.print(report.table())
    for shown in (console.export_text(), str(report)):
        assert "ByOrder" in shown
        assert "about z alone" in shown
        assert f"{report['2'].own.median:.1e}" in shown
        assert "Most error comes from 2." in shown


def test_a_narrow_window_cuts_no_name():
    console = Console(width=72, record=True)
    model = nn.Sequential(OrderedDict(a_name_that_is_as_long_as_some_names_are=ByOrder()))
    console.print(audit.audit(model, smooth(2, 2, 64), rotations=2).table())
    text = console.export_text()
    assert "…" not in text
    assert "a_name_that_is_as_long_as_some_names_are" in "".join(re.findall(r"^ (\w+)", text, re.MULTILINE))


def test_the_dict_is_json(report):
    held = json.loads(json.dumps(report.to_dict()))
    assert held["worst"] == "2"
    assert held["equivariant"] is False
    assert len(held["rotations"]) == len(held["total"]["own"]["errors"]) == 4
    row = held["layers"][2]
    assert row["own"]["about_z"] < 1e-6 < row["own"]["median"] <= row["own"]["worst"]
    signal, error = row["spectra"]
    assert error[0] < 1e-12 * signal[0] + 1e-12  # the degree 0 has no order to depend on
    assert error[3] > 0


def test_the_page_holds_all_it_shows(report, tmp_path):
    path = report.save_html(tmp_path / "new" / "audit.html")
    html = path.read_text()
    assert "http:" not in html
    assert "https:" not in html
    assert html.count("data:image/png;base64,") == 3
    assert "is not equivariant" in html
    assert "The cause sits in 2." in html
    exact = audit.audit(coefficient_network(), smooth(2, 2, 64), rotations=2)
    assert "is equivariant" in exact.save_html(tmp_path / "exact.html").read_text()


def test_the_maximum_norm_is_that_on_the_sphere():
    c, layer = smooth(2, 1, 64, dtype=torch.float64), ByOrder()
    report = audit.audit(layer, c, rotations=2)
    fine = es.SHT(es.grids.GaussLegendre(32), 8)
    for matrix, found in zip(report.rotations, report.total.own.largest, strict=True):
        ideal = es.rotate(layer(c), matrix)
        gap = fine.inverse(layer(es.rotate(c, matrix)) - ideal).abs().max() / fine.inverse(ideal).abs().max()
        assert float(found) == pytest.approx(float(gap), rel=0.05)  # looked for on another grid


def test_the_infinitesimal_error_is_the_slope_of_the_error():
    c, layer = smooth(2, 1, 64, dtype=torch.float64), ByOrder()
    found = audit.lie_error(layer, c)
    for axis, slope in zip(((1, 0, 0), (0, 1, 0), (0, 0, 1)), found, strict=True):
        angle = 1e-5
        R = es.groups.rotation_about(axis, torch.tensor(angle, dtype=torch.float64))
        gap = (layer(es.rotate(c, R)) - es.rotate(layer(c), R)).norm() / layer(c).norm() / angle
        assert float(slope) == pytest.approx(float(gap), rel=1e-3, abs=1e-6)
    assert float(found[2]) < 1e-10
    assert float(found[:2].min()) > 1e-2


def test_assert_equivariant_passes_and_fails():
    c = smooth(2, 2, 64)
    assert audit.assert_equivariant(coefficient_network(), c, rotations=2).equivariant
    with pytest.raises(AssertionError, match=r"comes from 2\.(.|\n)*ByOrder"):
        audit.assert_equivariant(coefficient_network(ByOrder()), c, rotations=2)
    model = Sampled(torch.nn.ReLU())
    with pytest.raises(AssertionError, match="exact to rounding"):
        audit.assert_equivariant(model, maps(2, 1), GRID, rotations=2)
    report = audit.assert_equivariant(model, maps(2, 1), GRID, rotations=2, tolerance=0.5)
    assert f"{report.total.own.worst:.1e} at the worst" in str(report)
    with pytest.raises(AssertionError, match=r"within 0\.001"):
        audit.assert_equivariant(Sampled(BiasMap()), maps(2, 1), GRID, rotations=2, tolerance=1e-3)


@pytest.mark.parametrize(
    ("representation", "x"),
    [
        (audit.Coefficients(), torch.randn(2, 3, 16)),
        (audit.Coefficients(dim=1), torch.randn(2, 16, 3)),
        (audit.Samples(GRID), maps(2, 3)),
        (audit.Samples(GRID, dim=1), maps(2, 3).movedim(1, -1)),
        (audit.Invariant(), torch.randn(2, 5)),
        (audit.Converted(lambda x: x / 2, lambda c: 2 * c), torch.randn(2, 9)),
        (audit.Action(lambda x, R: x @ R.to(x).mT), torch.randn(2, 4, 3)),
    ],
)
def test_a_representation_is_one(representation, x):
    a, b = es.random_rotations(2, dtype=torch.float64)
    fits = representation.at(x)
    twice = fits.rotate(fits.rotate(x, b), a)
    torch.testing.assert_close(twice, fits.rotate(x, a @ b), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fits.rotate(x, torch.eye(3)), x, rtol=1e-4, atol=1e-5)


def test_complex_triangles_turn_as_the_signals_do():
    c = torch.randn(2, 36, dtype=torch.float64)
    whole = es.transforms.to_complex_basis(c)
    triangle = torch.zeros(2, 6, 6, dtype=torch.complex128)
    for l in range(6):
        triangle[:, l, : l + 1] = whole[:, l * l + l : (l + 1) ** 2]
    representation = audit.Triangle()
    torch.testing.assert_close(representation.contents(triangle), c)
    torch.testing.assert_close(representation.restore(c, triangle), triangle)
