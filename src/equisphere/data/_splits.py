"""Splits of data that have none of their own: seeded, class by class."""

import torch
from jaxtyping import Int64
from torch import Tensor


def stratified_split(
    labels: Int64[Tensor, "n"], seed: int, test: float = 1 / 5, validation: float = 1 / 20
) -> dict[str, Int64[Tensor, "_"]]:
    """Indices of a training, a validation and a test part, each with the same share of every class, in ascending order.

    Of a class, the test part takes its share, rounded, the validation part likewise (but one at least, where the class has
    three items), and training the rest. Follows from (labels, seed) alone.

    Args:
        labels: class of each item.
        seed: of the draw.
        test: share of the test part; 0 for none.
        validation: share of the validation part.

    >>> parts = stratified_split(torch.tensor([0] * 20 + [1] * 40), seed=0)
    >>> {name: len(part) for name, part in parts.items()}
    {'train': 45, 'validation': 3, 'test': 12}
    """
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[Tensor]] = {"train": [], "validation": [], "test": []}
    for label in labels.unique().tolist():
        (members,) = torch.where(labels == label)
        members = members[torch.randperm(len(members), generator=generator)]
        first = round(test * len(members))
        second = first + max(round(validation * len(members)), int(len(members) >= 3))
        for name, part in zip(("test", "validation", "train"), members.tensor_split((first, second)), strict=True):
            found[name].append(part)
    return {name: torch.cat(parts).sort()[0] for name, parts in found.items()}
