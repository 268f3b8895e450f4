"""What the tests of fields share: features of a type, their rotation, and how functions on SO(3) are read off."""

import numpy as np
import torch
from reference import SPECIAL_ROTATIONS, randn, relative_error

import equisphere as es
from equisphere.nn import to_wigner

N = 5
#: a rotation for each sample of a batch, and some that turn all alike
ROTATIONS = {
    "random": es.random_rotations(N, torch.Generator().manual_seed(5), torch.float64)[:, None],
    **{name: SPECIAL_ROTATIONS[name] for name in ("about_z", "poles_swapped", "poles_swapped_and_turned", "identity")},
}


def feature(field, n=N, dtype=torch.float64):
    """Normal coefficients, zero below the spin."""
    c = randn(n, *field.shape, dtype=dtype)
    for spin, part in field.parts(c).items():
        part[..., : spin**2] = 0
    return c


@torch.no_grad()
def equivariance_error(layer, R, *features):
    """||T(R.f, ..) - R.T(f, ..)|| / ||R.T(f, ..)||."""
    turned = layer(*(es.rotate(c, R) for c in features))
    return relative_error(turned, es.rotate(layer(*features), R))


@torch.no_grad()
def invariance_error(layer, R, c):
    """||T(R.f) - T f|| / ||T f||."""
    return relative_error(layer(es.rotate(c, R)), layer(c))


def values_at(field, c, R):
    """f(R) of the functions on SO(3) `(batch, channels)`, a rotation for each sample: (R^-1.f)(1) by Wigner's formula."""
    f = to_wigner(field, es.rotate(c, R.mT[:, None]))
    l, m, n = es.harmonics.so3_degrees_and_orders(field.bandwidth)
    at_identity = torch.from_numpy(np.where(m == n, np.sqrt((2 * l + 1) / (8 * np.pi**2)), 0.0))
    return (f * at_identity).sum(-1).real
