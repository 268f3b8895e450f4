"""Images in orientations of their own, reproducibly."""

import torch

import equisphere as es
from equisphere.data import (
    Batch,
    Batches,
    DataSet,
    Digits,
    LabelledImages,
    Part,
    SphericalImages,
    image_coefficients,
    loader,
)

SOURCE = LabelledImages(
    torch.randint(0, 256, (40, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    torch.arange(40) % 10,
)


def test_every_image_has_a_rotation_of_its_own_whenever_it_is_asked_for():
    data = SphericalImages(SOURCE, 8, rotated=True, seed=3)
    c, labels = data[Batch(torch.tensor([7, 2]), epoch=0)]
    again, _ = data[Batch(torch.tensor([2]), epoch=5)]
    torch.testing.assert_close(c[1], again[0])
    assert labels.tolist() == [7, 2]
    upright = image_coefficients(SOURCE.images[7].float() / 255, 8)
    torch.testing.assert_close(c[0, 0], es.rotate(upright, data.rotations[7]))
    assert len({tuple(R.flatten().tolist()) for R in data.rotations}) == 40


def test_a_rotation_may_be_shared_by_images_in_a_row():
    data = SphericalImages(SOURCE, 8, rotated=True, seed=3, shared=16)
    _, counts = data.rotations.flatten(1).unique(dim=0, return_counts=True)
    assert counts.sort()[0].tolist() == [8, 16, 16]
    assert torch.equal(data.rotations[16], data.rotations[31])
    assert not torch.equal(data.rotations[15], data.rotations[16])


def test_fresh_rotations_depend_on_seed_epoch_and_image_alone():
    data = SphericalImages(SOURCE, 8, rotated=True, seed=3, fresh=True)
    batches = [Batch(torch.tensor([4, 5]), epoch) for epoch in (0, 1, 0)]
    first, other, again = (data[batch][0] for batch in batches)
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other, atol=0.1)
    torch.testing.assert_close(first[1], data[Batch(torch.tensor([5]), 0)][0][0])


def test_digits_come_in_parts_with_rotations_of_their_own():
    digits = Digits("random", SOURCE, SOURCE, SOURCE, jitter=0.1)
    assert isinstance(digits, DataSet)
    parts = [digits.part(name, 8, rotated=True) for name in ("train", "validation", "test")]
    assert all(isinstance(part, Part) for part in parts)
    assert not torch.allclose(parts[0].rotations, parts[2].rotations)
    assert digits.part("train", 8, augmented=True).jitter == 0.1
    assert digits.part("train", 8).jitter == 0


def test_jitter_depends_on_seed_epoch_and_image_alone():
    data = SphericalImages(SOURCE, 8, rotated=False, seed=3, jitter=0.1)
    one = data[Batch(torch.tensor([4, 5]), epoch=1)][0]
    torch.testing.assert_close(one[1], data[Batch(torch.tensor([5]), epoch=1)][0][0])
    assert not torch.allclose(one[1], data[Batch(torch.tensor([5]), epoch=2)][0][0])
    plain = SphericalImages(SOURCE, 8, rotated=False, seed=3)[Batch(torch.tensor([4, 5]), epoch=1)][0]
    assert 0.01 < float((one - plain).norm() / plain.norm()) < 1


def test_a_shuffled_epoch_is_a_permutation_of_its_own():
    batches = Batches(40, 8, shuffle=True, seed=0)
    orders = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        orders.append(torch.cat([batch.index for batch in batches]).tolist())
    assert sorted(orders[0]) == list(range(40))
    assert orders[0] == orders[2] != orders[1]


def test_replicas_share_an_epoch_evenly():
    parts = [Batches(43, 8, shuffle=True, seed=0, replicas=2, rank=rank) for rank in (0, 1)]
    seen = [torch.cat([batch.index for batch in part]).tolist() for part in parts]
    assert len(parts[0]) == len(parts[1]) == 2
    assert not set(seen[0]) & set(seen[1])


def test_an_ordered_pass_sees_every_image_once():
    data = SphericalImages(SOURCE, 8, rotated=False, seed=0)
    assert torch.cat([labels for _, labels in loader(data, 7)]).tolist() == SOURCE.labels.tolist()
