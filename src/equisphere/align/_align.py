"""The rotation that takes one signal to another."""

from dataclasses import dataclass
from math import ceil, pi

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from equisphere import _checks
from equisphere.align._correlation import sampled
from equisphere.align._features import Features, paired
from equisphere.align._newton import FLAT, Climb, Rotations, turned, uphill
from equisphere.transforms import SO3Transform, rotate, rotation_generators

#: nodes of the grid that Newton's method starts from, at the least
STARTS = 32
#: the grid of the search has this many times the band limit of the signals
FINER = 1.5
#: degrees beyond these are left to Newton's method
SEARCHED = 64
#: orders of derivatives that results have
DERIVATIVES = 2
#: samples of the correlation that are held at one time
HELD = 2**24


@dataclass(frozen=True)
class Alignment:
    """What `align` found.

    Attributes:
        rotation: R `(..., 3, 3)` with b = R.a as nearly as rotations allow.
        score: correlation of R.a and b, means removed, in [0, 1]: 1 where b is R.a up to a positive factor and a constant,
            0 where nothing is alike. Its square is the part of the power of b that R.a explains.
        margin: how much lower the score of the second best maximum is. Near 0 the choice between the two is open: the object
            is symmetric, or noise decides.
        error: estimated standard error of the rotation, radians: what noise that explains 1 - score^2, spread evenly over
            all coefficients, does to the maximum. Infinite where a turn changes nothing (of a zonal signal, about its axis).
        rotations: the best maxima `(..., peaks, 3, 3)`, best first, all distinct; `rotation` again where there are no more.
        scores: their scores `(..., peaks)`; 0 where there are no more.

    >>> import torch, equisphere as es
    >>> cube = torch.nn.functional.pad(torch.tensor([0.0, 0, 0, 0, 7**0.5, 0, 0, 0, 5**0.5]), (16, 0))  # degree 4
    >>> found = es.align.align(cube, cube, peaks=30)
    >>> int(found.count())  # the rotations of a cube
    24
    """

    rotation: Float[Tensor, "*batch 3 3"]
    score: Float[Tensor, "*batch"]
    margin: Float[Tensor, "*batch"]
    error: Float[Tensor, "*batch"]
    rotations: Float[Tensor, "*batch peaks 3 3"]
    scores: Float[Tensor, "*batch peaks"]

    def count(self, tolerance: float = 0.01) -> Int[Tensor, "*batch"]:
        """How many maxima score within `tolerance` of the best: of a symmetric object, the number of its symmetries.

        At most the `peaks` that were asked for; they are the first of `rotations`.
        """
        return ((self.scores > 0) & (self.scores >= self.score[..., None] - tolerance)).sum(-1)


def align(
    a: Shaped[Tensor, "*a_batch coefficients"],
    b: Shaped[Tensor, "*b_batch coefficients"],
    *,
    channels: bool = False,
    peaks: int = 2,
    weights: Float[Tensor, "degrees"] | None = None,
) -> Alignment:
    """The rotation R with b = R.a: the highest maximum of the correlation over all of SO(3), found below the step of any grid.

    The correlation <R.a, b> is sampled over all rotations at once (`correlation`), its highest nodes are climbed by Newton's
    method with the exact derivatives of the rotated signal, and the distinct maxima kept. Degree 0 (the mean) does not see
    rotations and is left out; a positive factor between the signals does not matter. A mirror image is not found.

    Differentiable twice in `a` and `b`: scores and rotations have the first and second derivatives of the maxima (implicit
    function theorem); `error` has none.
    Past band limit 64 the search uses the degrees below 64, the climb all.

    Args:
        a: coefficients `(..., L*L)` of one signal or more, real or complex; not samples (they go through `es.SHT` first).
        b: coefficients of the same band limit; leading dimensions broadcast against those of `a`.
        channels: the last dimension but one holds channels, which turn together.
        peaks: how many maxima to give, at the most; raise it for symmetric objects, which have one for each symmetry.
        weights: one number for each degree, which multiplies its part of the correlation (1 by default, right for noise that
            is equally strong in every coefficient; noise of power n_l in the coefficients of degree l asks for 1 / n_l).

    Returns:
        An `Alignment`, in the precision of the signals.

    Raises:
        ValueError: where the signals are no coefficients, differ in band limit, channels, device or kind, hold NaN, are
            constant, or have leading dimensions that do not go together.

    >>> import torch, equisphere as es
    >>> a, R = torch.randn(16 * 16), es.random_rotations(1)[0]
    >>> found = es.align.align(a, es.rotate(a, R))
    >>> bool(torch.allclose(found.rotation, R, atol=1e-4)), round(float(found.score), 4)
    (True, 1.0)
    """
    peaks = _checks.positive_int(peaks, "peaks")
    x, y, leading = paired(a, b, channels, weights)
    x, y = x.double(), y.double()
    climb = Climb(x, y)
    with torch.no_grad():
        found, valid = _maxima(climb, y, max(peaks, 2))
    value, slope, curvature = climb(found)
    if torch.is_grad_enabled() and (x.requires_grad or y.requires_grad):
        # further steps of Newton's method, which move nothing: each has the derivatives of the maximum of one order more
        for _ in range(DERIVATIVES):
            found = turned(found, uphill(slope, curvature))
            value, slope, curvature = climb(found)
    scores = torch.where(valid, value.clamp(0, 1), 0.0)
    result = {
        "rotation": found[:, 0],
        "score": scores[:, 0],
        "margin": scores[:, 0] - scores[:, 1],
        "error": _standard_error(climb, found[:, 0], value[:, 0], curvature[:, 0]),
        "rotations": torch.where(valid[..., None, None], found, found[:, :1])[:, :peaks],
        "scores": scores[:, :peaks],
    }
    dtype = torch.promote_types(a.dtype, b.dtype).to_real()
    parts = {name: part.reshape((*leading, *part.shape[1:])).to(dtype) for name, part in result.items()}
    return Alignment(**parts)


def _maxima(climb: Climb, b: Features, peaks: int) -> tuple[Rotations, Bool[Tensor, "n peaks"]]:
    """The highest distinct maxima, and which of them are any."""
    L = climb.bandwidth
    searched = min(L, SEARCHED)
    low = climb
    if searched < L:
        low = Climb(climb.a[..., : searched**2], b[..., : searched**2])
    found = low.ascend(_starts(low.a, b[..., : searched**2], max(STARTS, 4 * peaks)), iterations=4)
    # what lies nearer to one another than maxima can is on its way to the same one
    found, _ = _distinct(climb, climb.ascend(found, iterations=2), 2 * peaks)
    return _distinct(climb, climb.ascend(found), peaks)


def _distinct(climb: Climb, R: Rotations, number: int) -> tuple[Float[Tensor, "n best 3 3"], Bool[Tensor, "n best"]]:
    """The best rotations of each pair that are not near to a better one, and which of them are any."""
    value, order = climb(R)[0].sort(dim=1, descending=True)
    R = R.gather(1, order[..., None, None].expand_as(R))
    # |R - S|^2 = 8 sin^2(angle / 2)
    angle = 2 * torch.asin((torch.cdist(R.flatten(2), R.flatten(2)) / 8**0.5).clamp(max=1))
    again = (angle < pi / (4 * climb.bandwidth)).tril(diagonal=-1).any(dim=-1)
    first = again.to(torch.int8).argsort(dim=1, stable=True)[:, :number]
    valid = ~again.gather(1, first) & (value.gather(1, first) > 0)
    return R.gather(1, first[..., None, None].expand(-1, -1, 3, 3)), valid


def _starts(a: Features, b: Features, number: int) -> Rotations:
    """The highest local maxima among the samples of the correlation, in chunks of pairs that fit the memory."""
    so3 = SO3Transform(ceil(FINER * _checks.bandwidth_of(a)))
    nodes = so3.rotations.flatten(0, 2).to(a.device)
    chunk = max(1, HELD // len(nodes))
    best = []
    for x, y in zip(a.split(chunk), b.split(chunk), strict=True):
        C = sampled(x.float(), y.float(), so3.bandwidth)
        highest = C
        for angle in (1, 3):  # alpha and gamma go round
            highest = highest.maximum(highest.roll(1, angle)).maximum(highest.roll(-1, angle))
        beside = torch.cat((highest[:, :, :1], highest, highest[:, :, -1:]), dim=2)
        highest = highest.maximum(beside[:, :, :-2]).maximum(beside[:, :, 2:])
        best.append(torch.where(highest > C, -2.0, C).flatten(1).topk(min(number, len(nodes)), dim=1).indices)
    return nodes[torch.cat(best)]


@torch.no_grad()
def _standard_error(climb: Climb, R: Tensor, value: Tensor, curvature: Tensor) -> Float[Tensor, "n"]:
    """Root of the trace of H^-1 S H^-1, with H the curvature at the maximum and S the variance of the slope there.

    With b = C R.a + e, e of variance (1 - C^2) / n in each of n coefficients, slope_i = <L_i (R.a), e>.
    """
    moved = rotation_generators(rotate(climb.a, R[:, None])).transpose(1, 2).flatten(2)
    coefficients = (climb.jets[:, 0] != 0).sum(-1)
    variance = (1 - value.square()).clamp(min=0) / (coefficients - 4).clamp(min=1)
    bends, axes = torch.linalg.eigh(curvature)
    flat = bends > -FLAT * bends.abs().amax(dim=-1, keepdim=True)
    spread = (axes.mT @ (moved @ moved.mT) @ axes).diagonal(dim1=-2, dim2=-1) * variance[:, None]
    return torch.where(flat, torch.inf, spread / bends.square()).sum(-1).sqrt()
