"""An invariant that tells a signal from its mirror image."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks


class TripleProduct(nn.Module):
    """Volumes spanned by the degree-1 vectors of learned mixtures of channels: det(u, v, w).

    The three coefficients of degree 1 are a vector in space, which turns with the signal; the determinant of three such vectors
    is the same for every rotation, and changes sign under reflections. Means and norms do not see handedness: with zonal
    filters they give a signal and its mirror image the same answer.

    Args:
        channels: number of channels.
        triples: number of determinants.

    Shape:
        `(batch, channels, L*L)`, L at least 2, to `(batch, triples)`.

    Raises:
        ValueError: where a number is not a positive integer, or an input has another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> layer = es.nn.TripleProduct(8, triples=4)
    >>> c = torch.randn(2, 8, 16)
    >>> bool(torch.allclose(layer(es.rotate(c, es.random_rotations(1))), layer(c), atol=1e-4))
    True
    """

    gives_invariants = True

    def __init__(self, channels: int, triples: int) -> None:
        super().__init__()
        self.channels = _checks.positive_int(channels, "channels")
        self.triples = _checks.positive_int(triples, "triples")
        self.weight = nn.Parameter(torch.randn(3 * self.triples, self.channels) / sqrt(self.channels))

    def forward(self, c: Float[Tensor, "batch channels coefficients"]) -> Float[Tensor, "batch triples"]:
        """Determinants of each signal."""
        _checks.features_of(c, self.channels)
        _checks.alike(c, self.weight)
        if _checks.bandwidth_of(c) < 2:
            raise ValueError("a triple product needs vectors, so a band limit of at least 2, got 1.")
        vectors = torch.einsum("kc,bcm->bkm", self.weight, c[..., 1:4])
        u, v, w = vectors.unflatten(1, (self.triples, 3)).unbind(2)
        return (u * torch.linalg.cross(v, w)).sum(-1)  # smooth where the vectors vanish too

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.channels}, triples={self.triples}"
