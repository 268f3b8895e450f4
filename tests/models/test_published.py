"""The networks of the papers: their size, their answer under rotations, their checkpoints."""

import pytest
import torch
from reference import SPECIAL_ROTATIONS, randn, relative_error

import equisphere as es
from equisphere.models import Cobb2021, Cohen2018, Esteves2018, Esteves2020, SpinClassifier, load, save

#: parameters here, and as published, to the digits that papers give
SIZES = {
    Esteves2018: (487_608, 0.5e6, 0.05),
    Cohen2018: (58_550, 58e3, 0.01),
    Esteves2020: (86_442, 58e3, 0.5),  # why it has more: its docstring
    Cobb2021: (58_095, 58e3, 0.01),
}
#: the same, small
SMALL = {
    "Esteves2018": (lambda: Esteves2018(5, 16, (3, 3, 4, 4, 4, 4, 6, 6), oversampling=2), 2),
    "Cohen2018": (lambda: Cohen2018(5, channels=(3, 4), bandwidths=(10, 6, 4), oversampling=2), 1),
    "Esteves2020": (lambda: Esteves2020(5, bandwidth=12, channels=(3, 3, 4, 4, 5, 5), oversampling=2), 1),
    "Cobb2021": (lambda: Cobb2021(5, channels=(4, 4, 4), bandwidths=(10, 6, 4), oversampling=2), 1),
    "SpinClassifier so3": (
        lambda: SpinClassifier(5, channels=(4, 4), bandwidths=(10, 6), oversampling=2, triples=3),
        1,
    ),
    "SpinClassifier gated": (
        lambda: SpinClassifier(5, spins=(0, 2), channels=(4, 4), bandwidths=(10, 6), kind="gated", anchors=5),
        1,
    ),
    "SpinClassifier magnitude": (
        lambda: SpinClassifier(5, channels=(4, 4), bandwidths=(10, 6), kind="magnitude", oversampling=2),
        1,
    ),
}


@pytest.mark.parametrize("network", SIZES)
def test_the_size_is_that_of_the_paper(network):
    here, published, share = SIZES[network]
    assert sum(p.numel() for p in network().parameters()) == here
    assert abs(here / published - 1) < share
    assert f"{here:,}" in network.__doc__


def trained(make, channels):
    """A network after three steps of Adam, in evaluation mode, and signals with the falling spectrum of natural ones."""
    torch.manual_seed(0)
    net = make()
    L = net.bandwidth
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    c = randn(12, channels, L * L, dtype=torch.float32) / (1 + degree)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(c), torch.arange(12) % 5).backward()
        optimizer.step()
    return net.eval(), c


@pytest.mark.parametrize("name", SMALL)
def test_the_answer_does_not_see_rotations_but_for_aliasing(name):
    """Every part but nonlinearities is exact to the audit's tolerance; these alias, and so little that the answer stays."""
    net, c = trained(*SMALL[name])
    report = es.audit.audit(net, c[:4], rotations=2, lie=False)
    verdicts = {row.verdict for row in report.layers}
    assert verdicts == {"exact", "aliasing"}
    for row in report.layers:
        if row.verdict == "aliasing":
            assert row.kind.endswith("Activation") or row.kind == "MeanMagnitude"
    with torch.no_grad():
        for turn in ("general", "poles_swapped", "about_z"):
            turned = net(es.rotate(c, SPECIAL_ROTATIONS[turn].float()))
            assert relative_error(turned, net(c)) < 0.05


@pytest.mark.parametrize("name", SMALL)
def test_a_checkpoint_brings_the_network_back(name, tmp_path):
    net, c = trained(*SMALL[name])
    again, _ = load(save(net, tmp_path / "model.safetensors"))
    assert again.config == net.config
    assert torch.equal(again(c), net(c))


BAD = {
    "a band limit that cannot be halved": (lambda: Esteves2018(bandwidth=12), "multiple of 8"),
    "seven convolutions": (lambda: Esteves2018(channels=(1,) * 7), "eight numbers of channels"),
    "one channel for two branches": (lambda: Esteves2018(bandwidth=8)(torch.ones(1, 1, 64)), "batch, 2"),
    "band limits that rise": (lambda: Cohen2018(bandwidths=(8, 4, 5)), "do not rise"),
    "another band limit": (
        lambda: Cohen2018(channels=(1, 1), bandwidths=(8, 4, 3))(torch.ones(1, 1, 49)),
        "band limit 8",
    ),
    "five convolutions": (lambda: Esteves2020(channels=(1,) * 5), "six numbers"),
    "one layer": (lambda: Cobb2021(channels=(3,), bandwidths=(5,)), "one number for the convolution and for each"),
    "products that widen": (lambda: Cobb2021(channels=(3, 3), bandwidths=(5, 6)), "must not rise"),
    "blocks of two lengths": (lambda: SpinClassifier(channels=(3,)), "one number for each block"),
    "blocks that widen": (lambda: SpinClassifier(channels=(3, 3), bandwidths=(5, 6)), "must not rise"),
    "another nonlinearity": (lambda: SpinClassifier(kind="relu"), "kind must be one of"),
    "another function": (lambda: SpinClassifier(activation="so3"), "activation must be one of"),
    "no scalars": (lambda: SpinClassifier(spins=(1, 2)), "must hold 0"),
    "all dropped": (lambda: SpinClassifier(dropout=1), "below 1"),
    "no function on SO(3)": (lambda: SpinClassifier(spins=(0, 2)), "spins 0 .. N"),
}


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("what", BAD)
def test_what_does_not_fit_is_refused(what):
    call, words = BAD[what]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("name", ["Cohen2018", "SpinClassifier so3"])
def test_networks_can_be_exported(name):
    make, channels = SMALL[name]
    net = make().eval()
    c = randn(2, channels, net.bandwidth**2, dtype=torch.float32)
    program = torch.export.export(net, (c,))
    torch.testing.assert_close(program.module()(c), net(c))
