"""Samples of several spins on rings as the waves of each order, and back: two maps that are each other's inverse and adjoint.

Of a signal of spin s > 0 with real part R and imaginary part I, orders m >= 0 of f = R + iI and of its conjugate, of spin -s,
hold everything: R_m + i I_m and R_m - i I_m. Each wave is divided by its norm on the ring (times sqrt2 where s > 0), so that
the map is orthogonal. Channels come last, `(batch, nlat, orders, 2 channels)`: real parts of all channels, then imaginary ones.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from equisphere.transforms._workspace import workspace

#: numbers of waves that are worked on together
CHUNK = 2**18

#: spins and channels of samples, as in `nn.Field`
Parts = tuple[tuple[int, int], ...]
Waves = Float[Tensor, "batch nlat orders _"]


def signed(spins: Sequence[int]) -> tuple[int, ...]:
    """The spins of all waves: 0, and s and -s for each s > 0.

    >>> signed((0, 2))
    (0, 2, -2)
    """
    return tuple(sign * s for s in spins for sign in ((1, -1) if s else (1,)))


def _groups(parts: Parts) -> list[int]:
    """Channels of each group of rows: scalars, real parts, imaginary parts."""
    return [channels for spin, channels in parts for _ in signed((spin,))]


def _norms(x: Tensor, parts: Parts, nlon: int, to_grid: bool) -> Float[Tensor, "rows 1 orders 2"]:
    """What makes waves orthonormal: each order over its norm on the ring, R and I over sqrt2; where m is -m too, half."""
    norms = x.new_full((nlon // 2 + 1,), (0.5 if to_grid else 2) ** 0.5)
    norms[0] = 1
    if nlon % 2 == 0:
        norms[-1] = 1
    rows = torch.cat([x.new_full((n,), (0.5 if s else 1) ** 0.5) for s, n in parts for _ in signed((s,))])
    return (rows[:, None] * norms / nlon**0.5)[:, None, :, None].repeat(1, 1, 1, 2)  # for real and imaginary part


def _chunks(batch: int, rows: int, nlat: int, orders: int) -> Iterator[tuple[int, slice]]:
    """Signals, and rings of them that are worked on together, so that what lies between stays in the cache."""
    step = max(1, CHUNK // (2 * rows * orders))
    return ((b, slice(i, min(i + step, nlat))) for b in range(batch) for i in range(0, nlat, step))


def _room(purpose: str, like: Tensor, rows: int, rings: slice, norms: Tensor) -> Tensor:
    """Room for complex numbers `(rows, rings, orders)`."""
    shape = rows, rings.stop - rings.start, norms.shape[2], 2
    return torch.view_as_complex(workspace(f"ring orders, {purpose}", like, *shape))


def _transpose(f: Complex[Tensor, "channels rings orders"], to: Float[Tensor, "rings orders columns"]) -> None:
    """Channels last: a transposition of two dimensions."""
    to.view(-1, len(f)).copy_(torch.view_as_real(f).view(len(f), -1).T)


def _transpose_back(z: Float[Tensor, "rings orders columns"], to: Complex[Tensor, "channels rings orders"]) -> None:
    """Channels first."""
    torch.view_as_real(to).view(len(to), -1).copy_(z.reshape(-1, len(to)).T)


def to_orders(x: Float[Tensor, "batch rows nlat nlon"], parts: Parts) -> list[Waves]:
    """Waves of each signed spin."""
    batch, rows, nlat, nlon = x.shape
    norms = _norms(x, parts, nlon, False)
    out = [x.new_empty(batch, nlat, norms.shape[2], 2 * n) for n in _groups(parts)]
    for b, rings in _chunks(batch, rows, nlat, norms.shape[2]):
        spectrum = _room("spectrum", x, rows, rings, norms)
        torch.fft.rfft(x[b, :, rings], out=spectrum)
        torch.view_as_real(spectrum).mul_(norms)
        here, left = iter(spectrum.split(_groups(parts))), iter(out)
        for spin, channels in parts:
            R = next(here)
            if spin == 0:
                _transpose(R, next(left)[b, rings])
                continue
            I, f = next(here), _room("wave", x, channels, rings, norms)
            for sign in (1j, -1j):
                _transpose(torch.add(R, I, alpha=sign, out=f), next(left)[b, rings])
    return out


def from_orders(waves: Sequence[Waves], parts: Parts, nlon: int) -> Float[Tensor, "batch rows nlat nlon"]:
    """Samples of the waves of each signed spin."""
    norms = _norms(waves[0], parts, nlon, True)
    batch, nlat, orders, _ = waves[0].shape
    x = waves[0].new_empty(batch, len(norms), nlat, nlon)
    for b, rings in _chunks(batch, len(norms), nlat, orders):
        spectrum = _room("spectrum", x, len(norms), rings, norms)
        here, left = iter(spectrum.split(_groups(parts))), iter(waves)
        for spin, channels in parts:
            R, f = next(here), next(left)[b, rings]
            if spin == 0:
                _transpose_back(f, R)
                continue
            I, g = next(here), _room("wave", x, channels, rings, norms)
            _transpose_back(f, I)
            _transpose_back(next(left)[b, rings], g)
            torch.add(I, g, out=R)
            torch.sub(g, I, out=I).mul_(1j)
        torch.view_as_real(spectrum).mul_(norms)
        x[b, :, rings] = torch.fft.irfft(spectrum, n=nlon, norm="forward")
    return x
