"""Energies: invariant to rounding before and after training, sums over atoms, and nothing of padding."""

import pytest
import torch

import equisphere as es
from equisphere.models import MoleculeRegressor

SETTINGS = {
    "in_channels": 6,
    "bandwidth": 4,
    "mixtures": 5,
    "hidden": (8, 4),
    "elements": (1, 8),
    "offsets": (-50.0, -60.0),
}
CHARGES = torch.tensor([[8, 1, 1, 0], [1, 8, 1, 8]])


def train_a_little(model, c):
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        (model.train()(c, CHARGES) + 100).square().mean().backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_energies_do_not_mind_rotations(trained, dtype, bound):
    """Nothing meets a grid: rounding of the few layers alone, relative to energies of 100 and more."""
    model = MoleculeRegressor(**SETTINGS).to(dtype)
    c = torch.randn(2, 4, 6, 16, dtype=dtype)
    if trained:
        train_a_little(model, c)
    model.eval()
    R = torch.cat(
        (es.random_rotations(7, dtype=dtype), es.groups.rotation_about((0.0, 0, 1), torch.tensor([2.0], dtype=dtype)))
    )
    for turn in R:
        torch.testing.assert_close(model(es.rotate(c, turn), CHARGES), model(c, CHARGES), rtol=bound, atol=0)


def test_energies_are_sums_over_atoms_in_any_order():
    model = MoleculeRegressor(**SETTINGS).eval()
    c = torch.randn(2, 4, 6, 16)
    whole = model(c, CHARGES)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model(c[:, order], CHARGES[:, order]), whole)
    apart = torch.stack([model(c[1:, i : i + 1], CHARGES[1:, i : i + 1]) for i in range(4)]).sum(0)
    torch.testing.assert_close(apart[0], whole[1])
    shorter = model(c[:1, :3], CHARGES[:1, :3])
    torch.testing.assert_close(shorter[0], whole[0])


def test_a_network_that_says_nothing_leaves_the_linear_model():
    model = MoleculeRegressor(**SETTINGS).eval()
    torch.nn.init.zeros_(model.rest[-1].weight)
    torch.nn.init.zeros_(model.rest[-1].bias)
    assert model(torch.randn(2, 4, 6, 16), CHARGES).tolist() == [-160, -220]


def test_it_learns():
    c = torch.randn(2, 4, 6, 16)
    model = MoleculeRegressor(**{**SETTINGS, "scale": 30.0})
    before = (model.eval()(c, CHARGES) + 100).abs().mean()
    assert (train_a_little(model, c)(c, CHARGES) + 100).abs().mean() < before / 2


def test_it_comes_back_from_a_file(tmp_path):
    model = MoleculeRegressor(**SETTINGS).eval()
    again, _ = es.models.load(es.models.save(model, tmp_path / "m.safetensors"))
    c = torch.randn(2, 4, 6, 16)
    assert torch.equal(again(c, CHARGES), model(c, CHARGES))


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    model = MoleculeRegressor(**SETTINGS).eval()
    c = torch.randn(2, 4, 6, 16)
    with pytest.raises(ValueError, match="need charges"):
        model(c, CHARGES[:, :3])
    with pytest.raises(ValueError, match=r"elements \[1, 8\]"):
        model(c, CHARGES + 5)
    with pytest.raises(ValueError, match="band limit 4"):
        model(c[..., :9], CHARGES)
    with pytest.raises(ValueError, match="an offset for each element"):
        MoleculeRegressor(**{**SETTINGS, "offsets": (1.0,)})
