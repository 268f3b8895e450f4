"""Bad input to HEALPix, scattered points, masks and resampling: a ValueError that says what came and what to do."""

import pytest
import torch
from reference import unit_points

import equisphere as es
from equisphere.grids import DriscollHealy, HEALPix, Scattered, from_nested, to_nested
from equisphere.transforms import (
    accumulate,
    condition_number,
    evaluate,
    fit,
    masked_fit,
    masked_quadrature,
    resample,
)

pytestmark = pytest.mark.usefixtures("as_user")

NAN = float("nan")
GRID, X, C = HEALPix(4), unit_points(60).float(), torch.ones(16)
F, MASK = torch.ones(192), torch.ones(192, dtype=torch.bool)
POINTS = Scattered(X)
ONE_KNOWN = torch.arange(192) == 7


def spoiled(x, place=5):
    """`x` with a NaN."""
    y = x.clone()
    y.view(-1)[place] = NAN
    return y


CASES = {
    "nside 0": (lambda: HEALPix(0), "nside must be at least 1"),
    "nside float": (lambda: HEALPix(4.0), "nside must be a positive integer, got 4.0"),
    "band limit past 3 nside": (lambda: es.SHT(GRID, 13), "13 is too large.*192 pixels.*3 nside = 12.*finer grid"),
    "tolerance 0": (lambda: es.SHT(GRID, tolerance=0.0), "tolerance must be a number between 0 and 1.*got 0.0"),
    "tolerance text": (lambda: es.SHT(GRID, tolerance="low"), "tolerance must be a number.*'low'"),
    "pixels of another nside": (lambda: es.SHT(GRID)(torch.ones(768)), r"\(\.\.\., 192\).*\(768,\)"),
    "pixels with NaN": (lambda: es.SHT(GRID)(spoiled(F)), "must be finite"),
    "coefficients with NaN": (lambda: es.SHT(GRID, 4).inverse(spoiled(C)), "must be finite"),
    "no signals": (lambda: es.SHT(GRID)(torch.ones(0, 192)), "at least one signal"),
    "nested, not 12 nside^2": (lambda: from_nested(torch.ones(100)), r"12 nside\^2.*\(100,\)"),
    "nested, nside 3": (lambda: to_nested(torch.ones(108)), "power of two"),
    "points in NumPy": (lambda: Scattered(X.numpy()), "must be a torch tensor"),
    "points of 2": (lambda: Scattered(X[:, :2]), r"shape \(\.\.\., 3\), got \(60, 2\)"),
    "points in a block": (lambda: Scattered(X[None]), r"shape \(n, 3\).*\(1, 60, 3\)"),
    "no points": (lambda: Scattered(X[:0]), r"at least one point.*\(0, 3\)"),
    "points inside": (lambda: Scattered(0.5 * X), r"unit vectors.*differs from 1 by 0\.5.*normalize"),
    "points with NaN": (lambda: Scattered(spoiled(X)), "points must be finite"),
    "points of integers": (lambda: Scattered(torch.eye(3).long()), "floating point"),
    "points with a gradient": (lambda: Scattered(X.clone().requires_grad_()), "transforms.evaluate"),
    "weights of another size": (lambda: Scattered(X, torch.ones(9)), r"\(60,\).*\(9,\)"),
    "weights negative": (lambda: Scattered(X, -torch.ones(60)), "positive and finite"),
    "weights with NaN": (lambda: Scattered(X, spoiled(torch.ones(60))), "positive and finite"),
    "too few points": (lambda: es.SHT(POINTS, 8), r"L\*L unknown.*60 points.*L = 7 \(comfortably 3\)"),
    "values of another size": (lambda: es.SHT(POINTS)(torch.ones(61)), r"\(\.\.\., 60\).*\(61,\)"),
    "values with NaN": (lambda: es.SHT(POINTS)(spoiled(torch.ones(60))), "must be finite"),
    "steps of the scattered": (lambda: es.SHT(POINTS).refinement_steps, "depends on the signal"),
    "evaluate inside": (lambda: evaluate(C, 2 * X), "unit vectors"),
    "evaluate 15 coefficients": (lambda: evaluate(C[:15], X), r"L\*L numbers"),
    "evaluate points of 4": (lambda: evaluate(C, torch.ones(5, 4)), r"\(\.\.\., 3\)"),
    "accumulate another size": (lambda: accumulate(torch.ones(9), X, 4), r"\(\.\.\., 60\).*\(9,\)"),
    "accumulate integers": (lambda: accumulate(torch.ones(60).long(), X, 4), "floating point"),
    "accumulate NaN": (lambda: accumulate(spoiled(torch.ones(60)), X, 4), "must be finite"),
    "accumulate to no degree": (lambda: accumulate(torch.ones(60), X, 0), "bandwidth must be at least 1"),
    "fit of too few": (
        lambda: fit(torch.ones(60), X, 8),
        r"60 points in 60 places cannot determine the L\*L = 64.*to 7.*regular",
    ),
    "fit of too few places": (
        lambda: fit(torch.ones(90), X[:30].repeat(3, 1), 6),
        r"90 points in 30 places .*to 5.*regular",
    ),
    "fit, regularization < 0": (lambda: fit(torch.ones(60), X, 4, regularization=-1.0), "not negative"),
    "fit, regularization size": (lambda: fit(torch.ones(60), X, 4, regularization=torch.ones(3)), "4 of them"),
    "fit, weights size": (lambda: fit(torch.ones(60), X, 4, weights=torch.ones(3)), "60 numbers"),
    "fit, tolerance": (lambda: fit(torch.ones(60), X, 4, tolerance=2.0), "between 0 and 1"),
    "mask of numbers": (lambda: masked_fit(F, GRID, F, 4), "tensor of bool.*float32.*mask > 0.5"),
    "mask of another size": (lambda: masked_fit(F, GRID, MASK[:100], 4), r"\(192,\).*\(100,\)"),
    "mask in NumPy": (lambda: masked_fit(F, GRID, MASK.numpy(), 4), "must be a torch tensor"),
    "mask empty": (lambda: masked_quadrature(F, GRID, ~MASK, 4), "True somewhere"),
    "mask leaves too few": (lambda: masked_fit(F, GRID, ONE_KNOWN, 4), r"leaves 1 samples.*L\*L = 16.*regularization"),
    "masked: NaN that is known": (lambda: masked_fit(spoiled(F), GRID, MASK, 4), "must be finite"),
    "masked: NaN that is known, quadrature": (lambda: masked_quadrature(spoiled(F), GRID, MASK, 4), "must be finite"),
    "masked: signal of another size": (lambda: masked_fit(F[:100], GRID, MASK, 4), r"\(\.\.\., 192\).*\(100,\)"),
    "masked: no grid": (lambda: masked_fit(F, 4, MASK, 4), "must be a grid"),
    "condition: mask empty": (lambda: condition_number(GRID, 4, ~MASK), "True somewhere"),
    "resample: no grid": (lambda: resample(F, GRID, "map"), "target must be a grid.*'map'"),
    "resample: band limit": (lambda: resample(F, GRID, DriscollHealy(4), 8), "8 is too large for DriscollHealy"),
    "resample: shape": (lambda: resample(F[:100], GRID, DriscollHealy(4)), r"\(\.\.\., 192\)"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused(case):
    """A ValueError whose message has the words: what came, what is wanted, what to do."""
    call, words = CASES[case]
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("grid", [GRID, POINTS], ids=str)
@pytest.mark.parametrize("place", [0, 3, 31, 59])
def test_a_single_bad_value_is_seen_anywhere(grid, place):
    """Whichever node it stands at, and whichever signal of a batch has it."""
    f = torch.ones(2, *grid.shape)
    for value in (NAN, float("inf")):
        f[1, place] = value
        with pytest.raises(ValueError, match="must be finite"):
            es.SHT(grid)(f)
