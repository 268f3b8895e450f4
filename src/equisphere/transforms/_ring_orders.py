"""Samples of several spins on rings as the waves of each order, and back: two maps that are each other's inverse and adjoint.

Of a signal of spin s > 0 with real part R and imaginary part I, orders m >= 0 of f = R + iI and of its conjugate, of spin -s,
hold everything: R_m + i I_m and R_m - i I_m. Each wave is divided by its norm on the ring (times sqrt2 where s > 0), so that
the map is orthogonal. Channels come last, `(nlat, orders, 2 channels)`: real parts of all channels, then imaginary ones.
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
Waves = Float[Tensor, "nlat orders _"]


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


def _chunks(rows: int, nlat: int, orders: int) -> Iterator[slice]:
    """Rings that are worked on together, so that what lies between stays in the cache."""
    step = max(1, CHUNK // (2 * rows * orders))
    return (slice(i, min(i + step, nlat)) for i in range(0, nlat, step))


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


def to_orders(x: Float[Tensor, "rows nlat nlon"], parts: Parts, purpose: str) -> list[Waves]:
    """Waves of each signed spin of one signal, in workspaces of a purpose."""
    rows, nlat, nlon = x.shape
    norms = _norms(x, parts, nlon, False)
    orders = norms.shape[2]
    out = [workspace(f"waves {i}, {purpose}", x, nlat, orders, 2 * n) for i, n in enumerate(_groups(parts))]
    for rings in _chunks(rows, nlat, orders):
        spectrum = _room("spectrum", x, rows, rings, norms)
        torch.fft.rfft(x[:, rings], out=spectrum)
        torch.view_as_real(spectrum).mul_(norms)
        here, left = iter(spectrum.split(_groups(parts))), iter(out)
        for spin, channels in parts:
            R = next(here)
            if spin == 0:
                _transpose(R, next(left)[rings])
                continue
            I, f = next(here), _room("wave", x, channels, rings, norms)
            for sign in (1j, -1j):
                _transpose(torch.add(R, I, alpha=sign, out=f), next(left)[rings])
    return out


def from_orders(waves: Sequence[Waves], parts: Parts, out: Float[Tensor, "rows nlat nlon"]) -> None:
    """Samples of the waves of each signed spin, written to `out`."""
    rows, nlat, nlon = out.shape
    norms = _norms(out, parts, nlon, True)
    for rings in _chunks(rows, nlat, norms.shape[2]):
        spectrum = _room("spectrum", out, rows, rings, norms)
        here, left = iter(spectrum.split(_groups(parts))), iter(waves)
        for spin, channels in parts:
            R, f = next(here), next(left)[rings]
            if spin == 0:
                _transpose_back(f, R)
                continue
            I, g = next(here), _room("wave", out, channels, rings, norms)
            _transpose_back(f, I)
            _transpose_back(next(left)[rings], g)
            torch.add(I, g, out=R)
            torch.sub(g, I, out=I).mul_(1j)
        torch.view_as_real(spectrum).mul_(norms)
        out[:, rings] = torch.fft.irfft(spectrum, n=nlon, norm="forward")
