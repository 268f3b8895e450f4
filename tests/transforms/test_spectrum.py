"""Power per degree, and the change between the real and the complex basis, as tensors."""

import pytest
import torch
from reference import randn

import equisphere as es
from equisphere.harmonics import real_from_complex
from equisphere.transforms import to_complex_basis, to_real_basis


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
@pytest.mark.parametrize("leading", [(), (2, 3)])
def test_power_is_the_sum_of_squares_of_each_degree(dtype, leading):
    """||f^l||^2 = sum_m |f_lm|^2, real, in the precision of the coefficients."""
    c = randn(*leading, 36, dtype=dtype)
    power = es.power_spectrum(c)
    assert power.dtype == c.real.dtype
    assert power.shape == (*leading, 6)
    for l in range(6):
        plain = c[..., l * l : (l + 1) ** 2].abs().square().sum(-1)
        assert torch.allclose(power[..., l], plain, rtol=1e-5 if power.dtype == torch.float32 else 1e-13)


def test_a_single_coefficient_has_its_power_at_its_degree():
    """Y_lm has power 1 at degree l and none elsewhere."""
    degree = torch.from_numpy(es.harmonics.degrees_and_orders(7)[0])
    assert torch.equal(es.power_spectrum(torch.eye(49)), torch.nn.functional.one_hot(degree, 7).float())


@pytest.mark.parametrize("complex_function", [False, True])
def test_bases_change_by_the_unitary_matrix_of_each_degree(complex_function):
    """Coefficients change by conj(U): a^real = conj(U) c^complex, since Y^real = U Y^complex; and back by U^T."""
    a = randn(3, 25, dtype=torch.complex128 if complex_function else torch.float64)
    c = to_complex_basis(a)
    assert c.dtype == torch.complex128
    for l in range(5):
        s = slice(l * l, (l + 1) ** 2)
        U = torch.from_numpy(real_from_complex(l))
        assert torch.allclose(c[:, s] @ U.conj().T, a[:, s].to(c.dtype), rtol=0, atol=1e-14)
    assert torch.allclose(to_real_basis(c), a.to(c.dtype), rtol=0, atol=1e-14)
    assert torch.allclose(es.power_spectrum(c), es.power_spectrum(a), rtol=1e-13)


def test_the_change_of_basis_keeps_single_precision():
    """float32 becomes complex64, and complex64 stays."""
    c = to_complex_basis(randn(16, dtype=torch.float32))
    assert c.dtype == to_real_basis(c).dtype == torch.complex64
