"""An audit leaves the model as it was, sees through what models do, and explains what it cannot audit."""

import pytest
import torch
from models_to_audit import GRID, Sampled, coefficient_network, maps, smooth
from torch import nn

import equisphere as es
from equisphere import audit


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_the_model_is_left_as_it_was_even_after_an_error(training, fails):
    class Meddles(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, c):
            self.seen = self.seen + 1
            self.calls += 1
            torch.randn(3)
            if fails and self.calls > 4:
                raise RuntimeError("no")
            return c

    model = coefficient_network(nn.Sequential(nn.Dropout1d(0.3), Meddles())).train(not training)
    model[1].eval()
    hooked = []
    model[0].register_forward_hook(lambda *_: hooked.append(1))
    before = {name: (value, value.clone()) for name, value in model.state_dict(keep_vars=True).items()}
    c = smooth(4, 2, 64)
    random = torch.get_rng_state()
    if fails:
        with pytest.raises(audit.ModelError, match="RuntimeError: no"):
            audit.audit(model, c, rotations=2, training=training)
    else:
        audit.audit(model, c, rotations=2, training=training)
    assert torch.equal(random, torch.get_rng_state())
    assert model.training is not training
    assert model[1].training is False
    assert hooked
    assert [len(m._forward_hooks) for m in model.modules()] == [0, 1, *[0] * (len(list(model.modules())) - 2)]
    assert not any(m._forward_pre_hooks for m in model.modules())
    after = model.state_dict(keep_vars=True)
    assert after.keys() == before.keys()
    assert all(after[name] is held and torch.equal(held, value) for name, (held, value) in before.items())
    assert all(p.grad is None for p in model.parameters())


def test_training_mode_is_measured_as_it_is():
    c = smooth(4, 2, 64)
    layer = nn.Sequential(es.nn.ZonalConv(2, 3, 8), nn.Dropout(0.5))
    assert audit.audit(layer, c, rotations=2).equivariant
    report = audit.audit(layer, c, rotations=2, training=True)  # drops single coefficients: that is not equivariant
    assert report.accused == ["1"]
    whole = nn.Sequential(es.nn.ZonalConv(2, 3, 8), nn.Dropout1d(0.5))  # drops channels: that is
    assert audit.audit(whole, c, rotations=2, training=True).equivariant


def test_in_place_functions_and_views_are_seen_through():
    model = nn.Sequential(es.nn.SphericalConv(1, 3, GRID), nn.ReLU(inplace=True), es.nn.SphericalConv(3, 1, GRID))
    report = audit.audit(model, maps(3, 1), grid=GRID, rotations=3)
    assert {row.name: row.verdict for row in report.layers if row.verdict != "exact"} == {"1": "aliasing"}


def test_representations_can_be_given():
    class Rows(nn.Module):
        def forward(self, c):
            return c.movedim(-1, 1)

    model = nn.Sequential(es.nn.ZonalConv(1, 3, 8), Rows(), nn.Linear(3, 3, bias=False))
    rows = audit.Coefficients(dim=1)
    report = audit.audit(
        model,
        smooth(2, 1, 64),
        rotations=2,
        representations={"1": (audit.Coefficients(), rows), "2": rows, "": (None, rows)},
    )
    assert report.equivariant, str(report)
    assert [row.name for row in report.layers] == ["0", "1", "2"]
    left_out = audit.audit(
        Sampled(nn.Identity()), maps(2, 1), grid=GRID, rotations=2, representations={"first.*": None}
    )
    assert "first.conv" not in [row.name for row in left_out.layers]


@pytest.mark.usefixtures("as_user")
def test_what_cannot_be_audited_is_explained():
    model, c = coefficient_network(), smooth(2, 2, 64)
    for bad, text in (
        ({"signals": torch.randn(2, 2, 63)}, r"coefficients \(..., L\*L\)"),
        ({"grid": GRID}, "samples"),
        ({"grid": "cube"}, "grid must be"),
        ({"rotations": 0}, "rotations must be"),
        ({"rotations": torch.ones(2, 3, 3)}, "orthogonal"),
        ({"model": torch.relu}, "torch.nn.Module"),
        ({"signals": torch.full((2, 2, 64), torch.nan)}, "finite"),
        ({"signals": torch.zeros(0, 2, 64)}, "at least one signal"),
        ({"representations": {"nothing": audit.Invariant()}}, "matches no module"),
        ({"representations": {"0": "samples"}}, "must be a representation"),
        ({"representations": 3}, "must be a dictionary"),
        ({"representations": {"0": audit.Samples(GRID)}}, "cannot be"),
        ({"model": nn.Sequential(es.nn.ZonalConv(2, 2, 8), Nan())}, "'1'"),
    ):
        with pytest.raises(ValueError, match=text):
            audit.audit(**{"model": model, "signals": c, "rotations": 2, **bad})
    with pytest.raises(ValueError, match="could be samples or coefficients"):
        audit.audit(model, torch.randn(2, 2, 64, 64))


@pytest.mark.usefixtures("as_user")
def test_a_model_that_fails_is_told_from_the_audit_and_the_part_is_named():
    model = nn.Sequential(es.nn.ZonalConv(2, 3, 8), nn.Sequential(es.nn.ZonalConv(4, 2, 8)))
    with pytest.raises(
        audit.ModelError, match=r"in its part '1\.0' \(ZonalConv\).*shape \(2, 2, 64\).*built for 4 channels"
    ):
        audit.audit(model, smooth(2, 2, 64), rotations=2)
    with pytest.raises(audit.ModelError, match=r"in its own code \(TwoArguments\).*charges.*`arguments=`"):
        audit.audit(TwoArguments(), smooth(2, 2, 64), rotations=2)
    assert audit.audit(TwoArguments(), smooth(2, 2, 64), rotations=2, keywords={"charges": 2.0}).equivariant


class TwoArguments(nn.Module):
    def forward(self, c, charges):
        return charges * c


class Nan(nn.Module):
    def forward(self, c):
        return c / 0 * 0
