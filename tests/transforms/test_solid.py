"""Solid harmonics against SciPy's harmonics, their derivatives, and batched sums against plain ones."""

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from equisphere.transforms import _solid, accumulate, accumulate_each, solid_harmonics


def by_scipy(points, bandwidth):
    """r^l Y_lm over the real harmonics, from SciPy's complex ones."""
    x, y, z = points.double().numpy().T
    r = np.sqrt(x * x + y * y + z * z)
    theta, phi = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    rows = []
    for l in range(bandwidth):
        for m in range(-l, l + 1):
            Y = sph_harm_y(l, abs(m), theta, phi) * (-1.0) ** m * (np.sqrt(2) if m else 1)
            rows.append(r**l * (Y.imag if m < 0 else Y.real))
    return torch.from_numpy(np.array(rows))


@pytest.mark.parametrize(("dtype", "unit"), [(torch.float64, 2**-53), (torch.float32, 2**-24)])
def test_they_are_scipys(dtype, unit):
    points = torch.randn(60, 3, dtype=dtype)
    points[:4] = torch.tensor([[0, 0, 1.0], [0, 0, -1.0], [1e-12, 0, 1.0], [0.0, 0.0, 0.0]], dtype=dtype)
    points[4:] /= points[4:].norm(dim=1, keepdim=True) * torch.linspace(1, 3, 56, dtype=dtype)[:, None]
    found = solid_harmonics(points, 24).double()
    assert found.shape == (576, 60)
    # |Y_lm| <= sqrt((2l+1) / 4 pi), and each of l steps of the recurrence rounds a few times
    torch.testing.assert_close(found, by_scipy(points, 24), rtol=0, atol=24 * 4 * unit * (49 / 12) ** 0.5)


def test_derivatives_hold_at_the_origin_and_on_the_axis():
    points = torch.tensor(
        [[0.0, 0, 0], [0, 0, 1], [0, 0, -1], [0.3, -0.5, 0.7]], dtype=torch.float64, requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda p: solid_harmonics(p, 5), points)
    values = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    sets = points.detach().reshape(2, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda v, p: accumulate_each(v, p, 4), (values, sets))
    assert torch.autograd.gradgradcheck(lambda v, p: accumulate_each(v, p, 4), (values, sets))


@pytest.mark.parametrize("numbers", [1, 3000, 2**20])
def test_sums_are_those_of_accumulate_however_they_are_cut(numbers, monkeypatch):
    monkeypatch.setattr(_solid, "CHUNK_NUMBERS", numbers)
    points = torch.nn.functional.normalize(torch.randn(3, 17, 3, dtype=torch.float64), dim=-1)
    values = torch.randn(3, 2, 17, dtype=torch.float64)
    expected = torch.stack([accumulate(v, p, 9) for v, p in zip(values, points, strict=True)])
    torch.testing.assert_close(accumulate_each(values, points, 9), expected)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("values", "points", "message"),
    [
        (torch.ones(2, 1, 4), torch.ones(2, 5, 3), "go together"),
        (torch.ones(0, 1, 4), torch.ones(0, 4, 3), "go together"),
        (torch.ones(2, 1, 4, dtype=torch.int64), torch.ones(2, 4, 3), "floating point"),
    ],
)
def test_bad_input_is_explained(values, points, message):
    with pytest.raises(ValueError, match=message):
        accumulate_each(values, points, 4)
    with pytest.raises(ValueError, match=r"\(x, y, z\)"):
        solid_harmonics(torch.ones(3, 2), 4)
