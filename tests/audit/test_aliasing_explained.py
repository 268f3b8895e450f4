"""The predicted equivariance error is the measured one, and is zero where theory says so."""

import pytest
import torch
from torch import nn

import equisphere as es
from equisphere import audit


@pytest.mark.parametrize("poles", [True, False])
def test_the_error_of_sampling_is_predicted(poles):
    sht = es.SHT(es.grids.DriscollHealy(6, poles=poles))
    found = audit.aliasing(sht, torch.randn(3, 100), rotations=3)
    torch.testing.assert_close(found.predicted, found.measured, rtol=1e-8, atol=0)
    assert float(found.predicted.min()) > 0.01
    kept = audit.aliasing(sht, torch.nn.functional.pad(torch.randn(3, 36), (0, 64)), rotations=2)
    assert float(kept.predicted.max()) < 1e-12  # nothing beyond the band limit


@pytest.mark.parametrize(
    ("function", "oversampling"), [(torch.square, 1.0), (lambda x: x**3 - x, 1.0), (lambda x: x**3 - x, 1.25)]
)
def test_the_error_of_a_polynomial_is_predicted(function, oversampling):
    layer = es.nn.Activation(function, 6, oversampling)
    found = audit.aliasing(layer, torch.randn(3, 36), rotations=3, bandwidth=16)
    torch.testing.assert_close(found.predicted, found.measured, rtol=1e-8, atol=0)
    assert float(found.predicted.min()) > 1e-3


@pytest.mark.parametrize(("function", "H"), [(torch.tanh, 48), (nn.functional.gelu, 32)])
def test_the_error_of_a_smooth_function_is_predicted_to_one_percent(function, H):
    found = audit.aliasing(es.nn.Activation(function, 6, 1.5), 0.5 * torch.randn(3, 36), rotations=3, bandwidth=H)
    torch.testing.assert_close(found.predicted, found.measured, rtol=0.01, atol=0)


def test_a_grid_fine_enough_for_a_polynomial_aliases_nothing():
    layer = es.nn.PolynomialActivation((0.1, 1.0, 0.5, 0.2), 6)
    found = audit.aliasing(layer, torch.randn(3, 36), rotations=2, bandwidth=16)
    assert float(found.alias.norm() / found.inside.norm()) < 1e-12
    assert float(found.beyond.norm()) > 1


def test_it_says_which_degrees_become_which():
    sht = es.SHT(es.grids.DriscollHealy(6))
    c = torch.zeros(1, 100)
    c[0, 9 * 9 : 10 * 10] = 1.0
    found = audit.aliasing(sht, c, rotations=1)
    assert found.degrees_from.nonzero().flatten().tolist() == [9]
    torch.testing.assert_close(found.degrees_to.sum(), found.alias.square().sum())
    by_degree = torch.stack([found.alias[0, l * l : (l + 1) ** 2].square().sum() for l in range(6)])
    torch.testing.assert_close(found.degrees_to, by_degree)


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained():
    with pytest.raises(ValueError, match="nothing aliases"):
        audit.aliasing(es.SHT(es.grids.DriscollHealy(6)), torch.randn(2, 36))
    with pytest.raises(ValueError, match="aliasing needs"):
        audit.aliasing(es.nn.ZonalConv(1, 1, 6), torch.randn(2, 36))
    with pytest.raises(ValueError, match="take a finer grid"):
        audit.aliasing(nn.ReLU(), torch.randn(2, 64), grid=es.grids.DriscollHealy(4))
