r"""How much of an equivariance error is rounding: a derivation.

Let u = eps/2. Rounding a number adds a relative error of variance at most u^2/3, and errors are independent. In units of
u^2/3, relative to the norm of a vector of random coefficients:
- a product with an orthogonal n x n matrix: 1 for its rounded entries, 1 for the products, and n/2 for the sums, whose
  k-th partial sum has k/n of the final variance;  PRODUCT(n) = 2 + n/2;
- a turn of planes by rounded cosines and sines: 3;
- `rotate`: two products of 2l+1 terms and three turns, 2 PRODUCT(2L-1) + 9. Its tables come from double precision,
  with angles m alpha wrong by up to pi L u_64 in each of three turns, + 9 (pi L)^2 (u_64 / u)^2: that is one wrong
  matrix for each degree, which commutes with a layer that treats orders alike, and counts for the others alone;
- a convolution: sums over C channels, PRODUCT(C);
- synthesis: sums over at most L degrees and 2L - 1 waves, PRODUCT(L) + PRODUCT(2L); analysis: the same over rings and
  longitudes. Legendre functions are wrong by up to L u_64 (their recurrence), so + 3 L^2 (u_64 / u)^2 in each;
- a polynomial of degree p makes relative errors before it up to p times larger (the projection after it drops as much of
  the error as of the signal); those of the analysis count against all of sigma(f), of which the projection keeps
  four fifths of the norm at the least, for the signals here.
Both sides of T(R.f) = R.(T f) err. The bound is three standard deviations of the sum.
"""

from math import pi, sqrt

import torch

#: no derived bound may be looser than these
CONTRACT = {torch.float32: 1e-5, torch.float64: 1e-12}


def unit(dtype):
    return torch.finfo(dtype).eps / 2


def product(n):
    return 2 + n / 2


def tables(dtype):
    """(u_64 / u)^2: how much an error of the tables, in double precision, counts."""
    return (unit(torch.float64) / unit(dtype)) ** 2


def rotation(bandwidth, dtype=None):
    """The variance of a rotation, that of its tables included where a dtype is given."""
    angles = 0 if dtype is None else 9 * (pi * bandwidth) ** 2 * tables(dtype)
    return 2 * product(2 * bandwidth - 1) + 9 + angles


def transform(rings, waves, bandwidth, dtype):
    return product(rings) + product(waves) + 3 * bandwidth**2 * tables(dtype)


def bound(variance, dtype):
    """Three standard deviations, from a variance in units of u^2/3; at least as strict as the contract."""
    found = 3 * unit(dtype) * sqrt(variance / 3)
    assert found <= CONTRACT[dtype]
    return found


def pointwise_variance(degree, oversampling, bandwidth, dtype):
    """Both sides of T(R.f) = R.(T f) for T a polynomial of a degree."""
    before = transform(bandwidth, 2 * bandwidth, bandwidth, dtype)
    after = transform(oversampling * bandwidth, 2 * oversampling * bandwidth, bandwidth, dtype)
    turn = rotation(bandwidth, dtype)
    return (2 * before + turn) * degree**2 + 2 * after * 1.25**2 + turn
