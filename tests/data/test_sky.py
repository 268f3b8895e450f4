"""The masked sky: what is hidden is not seen, and what is simulated has the spectrum of what is observed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import equisphere as es
from equisphere.data import Batch, DataError, DataSet, MaskedSky, Part, fill_sky, load_sky

NSIDE = 8
GRID = es.grids.HEALPix(NSIDE)
L = 2 * NSIDE


@pytest.fixture
def data():
    """A Gaussian sky of known spectrum, a belt about the equator hidden."""
    torch.manual_seed(2)
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    sky = es.SHT(GRID, L).inverse(torch.randn(L * L) * spectrum()[degree].sqrt())
    return MaskedSky("test", sky, GRID.points[:, 2].abs() > 0.2)


def spectrum():
    degree = torch.arange(L)
    return torch.where(degree < 2, 0.0, 1 / (degree * (degree + 1)).clamp(min=1))


def test_gaps_are_filled_by_what_a_network_sees_while_it_trains(data):
    """It is given the inputs of the data set, and its answer stands in the gaps, in the unit and about the mean of the map."""
    given = []
    answer = torch.randn(1, 1, 36)

    def network(c):
        given.append(c)
        return answer

    sky = torch.where(data.mask, 0.1 * data.sky.double() + 2.7, torch.nan)  # mK
    filled = fill_sky(network, sky, 6)
    assert torch.equal(filled[data.mask], sky[data.mask])
    centred = data.sky - data.sky[data.mask].mean()
    torch.testing.assert_close(given[0], data.inputs(centred[None], data.mask[None], 6), rtol=1e-4, atol=1e-4)
    wanted = 0.1 * es.SHT(GRID, 6).inverse(answer)[0, 0].double() + sky[data.mask].mean()
    torch.testing.assert_close(filled[~data.mask], wanted[~data.mask], rtol=1e-6, atol=1e-6)
    with pytest.raises(ValueError, match="seen somewhere"):
        fill_sky(network, torch.full((768,), torch.nan), 6)


def test_the_spectrum_is_that_behind_the_mask(data):
    """Of forty skies in the mean, in bands of degrees, to three standard deviations and what the mean takes with it."""
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
    skies = es.SHT(GRID, L).inverse(torch.randn(40, L * L) * spectrum()[degree].sqrt())
    found = torch.stack([data.spectrum_of(sky) for sky in skies]).mean(0)
    for band in (slice(3, 7), slice(7, 11), slice(11, 15)):
        ratio = float(found[band].sum() / spectrum()[band].sum())
        assert 0.83 < ratio < 1.15


def test_the_second_mask_is_the_first_in_other_orientations():
    """Of a polar cap: a cap of the same size about R z, but for pixels at its edge."""
    cap = MaskedSky("cap", GRID.points[:, 0].float(), GRID.points[:, 2] < 0.6)
    masks = cap.second_masks(5, torch.Generator().manual_seed(4))
    R = es.random_rotations(5, torch.Generator().manual_seed(4), torch.float64)
    height = GRID.points @ R[:, :, 2].T
    clear = (height - 0.6).abs() > 0.12
    assert torch.equal(masks.T[clear], (height < 0.6)[clear])


def test_what_is_hidden_is_not_seen(data):
    """Other values behind both masks of a test item: the same input. Only the second mask's are judged."""
    assert isinstance(data, DataSet)
    part = data.part("test", 8)
    c, target = part[Batch(torch.tensor([3]), 0)]
    second = data.second_masks(64, torch.Generator().manual_seed(10 * data.seed + 3))[3]
    hidden = ~(second & data.mask)
    other = torch.where(hidden, 100 * torch.randn(len(data.sky)), data.sky)
    skies = (other - data.sky[data.mask].mean())[None]
    torch.testing.assert_close(data.inputs(skies, ~hidden[None], 8), c)
    assert torch.equal(target.weights[0] > 0, data.mask & ~second)
    torch.testing.assert_close(target.values[0, 0], data.sky - data.sky[data.mask].mean())
    behind = es.SHT(GRID, 8).inverse_adjoint((~hidden).float() * GRID.weights.float())
    torch.testing.assert_close(c[0, 1], behind)


def test_simulated_skies_have_the_variance_of_the_observed_one(data):
    grainy = replace(data, sky=data.sky + 0.5 * torch.randn(len(data.sky)))
    part = grainy.part("train", 8)
    _, target = part[Batch(torch.arange(200), 0)]
    assert float(target.values.var()) == pytest.approx(float(grainy.sky[grainy.mask].var()), rel=0.15)
    assert 0.1 < grainy.unresolved < 0.3  # of the noise, what lies beyond degree 2 nside


@pytest.mark.parametrize("rotated", [False, True])
def test_simulated_skies_belong_to_seed_epoch_and_index(data, rotated):
    part = data.part("train", 8, rotated, augmented=True)
    assert isinstance(part, Part)
    both, one = part[Batch(torch.tensor([4, 1]), 2)], part[Batch(torch.tensor([1]), 2)]
    torch.testing.assert_close(both[0][1:], one[0])
    torch.testing.assert_close(both[1].values[1:], one[1].values)
    assert not torch.allclose(part[Batch(torch.tensor([1]), 3)][0], one[0], atol=1e-3)
    assert (one[1].rotations is not None) == rotated
    held = data.part("validation", 8)
    torch.testing.assert_close(held[Batch(torch.tensor([1]), 0)][0], held[Batch(torch.tensor([1]), 5)][0])
    if rotated:
        plain = data.part("train", 8, augmented=True)[Batch(torch.tensor([1]), 2)][0]
        torch.testing.assert_close(es.rotate(one[0], one[1].rotations.mT[:, None]), plain, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("sky", "mask", "message"),
    [
        (np.ones((3, 100)), np.ones(100), "12 nside"),
        (np.ones((3, 12)), np.ones(48), "12 nside"),
        (np.full((3, 12), np.nan), np.ones(12), "finite"),
        (np.ones((3, 12)), np.ones(12), "hide some of the sky"),
        (np.ones((3, 12)), np.zeros(12), "not all of it"),
    ],
)
def test_bad_maps_are_named(tmp_path, sky, mask, message):
    np.savez(tmp_path / "sky.npz", wmap_W_iqu_mK=sky, wmap_mask=mask)
    with pytest.raises(DataError, match=message):
        load_sky(tmp_path / "sky.npz")


def test_the_real_sky_has_the_power_it_is_known_for(real_data):
    """The plateau of Sachs and Wolfe: l (l + 1) C_l / 2 pi near 1000 square microkelvin for 10 < l < 30."""
    data = load_sky(real_data / "earth_sky_fields.npz")
    degree = torch.arange(10, 30)
    power = 1e4 * (data.spectrum[10:30] * degree * (degree + 1)).mean() / (2 * torch.pi)
    assert 700 < float(power) < 1500
