"""The optimiser that moves matrices as wholes."""

import torch

from equisphere.models import SphericalClassifier
from equisphere.train._lightning import groups_of
from equisphere.train._muon import Muon, orthogonal

RANDOM = torch.Generator().manual_seed(0)


def test_steps_are_nearly_the_polar_factor():
    G = torch.randn(4, 24, 16, generator=RANDOM, dtype=torch.float64)
    U, _, Vh = torch.linalg.svd(G, full_matrices=False)
    Q = orthogonal(G)
    # what the iteration makes of each singular value, it makes of nothing else: the singular vectors stay
    made = U.mT @ Q @ Vh.mT
    values = made.diagonal(dim1=1, dim2=2)
    assert float((made - torch.diag_embed(values)).abs().max()) < 1e-12
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3
    torch.testing.assert_close(orthogonal(G.mT), Q.mT)
    torch.testing.assert_close(orthogonal(1e5 * G), Q)


def test_no_gradient_moves_nothing():
    assert not orthogonal(torch.zeros(2, 3, 3)).any()


def test_each_parameter_is_in_one_group_and_matrices_are_those_of_convolutions():
    model = SphericalClassifier(channels=(4, 6), bandwidths=(6, 4), anchors=4)
    groups = groups_of(model, 0.1)
    everything = [p for group in groups for p in group["params"]]
    assert len(everything) == len({id(p) for p in everything}) == len(list(model.parameters()))
    (matrices,) = (group for group in groups if group.get("matrices"))
    assert {id(p) for p in matrices["params"]} == {id(block.conv.weight) for block in model.blocks[1:]}
    assert all("matrices" not in group for group in groups_of(model, None))


def test_matrices_move_at_their_rate_and_the_rest_as_by_adamw():
    weight, other = (torch.randn(shape, generator=RANDOM) for shape in ((5, 5, 3), (4, 2)))
    before, twin = weight.clone(), other.clone()
    for parameter in (weight, other, twin):
        parameter.requires_grad_()
    ours = Muon(
        [{"params": [weight], "matrices": True, "lr": 0.02, "weight_decay": 0.0}, {"params": [other]}], 0.01, 0.1
    )
    theirs = torch.optim.AdamW([twin], 0.01, weight_decay=0.1)
    for _ in range(3):
        for parameter in (weight, other, twin):
            parameter.grad = None
        (weight.sin().sum() + other.cos().sum()).backward()
        twin.cos().sum().backward()
        ours.step()
        theirs.step()
    torch.testing.assert_close(other, twin)
    moved = torch.linalg.matrix_norm((weight.detach() - before).permute(2, 0, 1), ord=2)
    assert 0.6 * 0.02 < float(moved.max()) < 3 * 1.3 * 0.02


def test_a_step_takes_a_closure_and_its_state_goes_on():
    weight = torch.randn(3, 3, 2, generator=RANDOM).requires_grad_()
    groups = [{"params": [weight], "matrices": True}]

    def closure() -> torch.Tensor:
        loss = (weight - 1).square().sum()
        loss.backward()
        return loss

    first = Muon(groups, 0.05, 0.0)
    losses = [first.step(closure).item() for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]
    again = Muon(groups, 0.05, 0.0)
    again.load_state_dict(first.state_dict())
    torch.testing.assert_close(again.state[weight]["exp_avg"], first.state[weight]["exp_avg"])
