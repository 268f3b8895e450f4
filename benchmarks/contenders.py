"""Who is measured: each offers analysis and synthesis of real float32 signals on a 2b x 2b grid, as its own users call it."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Contender:
    """A pair of transforms between signals `(n, 2b, 2b)` and coefficients in an order of its own, and where they are run."""

    analysis: Callable[[Tensor], Tensor]
    synthesis: Callable[[Tensor], Tensor]
    setting: Callable[[], AbstractContextManager[None]] = nullcontext


def equisphere(b: int) -> Contender:
    """This library."""
    import equisphere as es

    sht = es.SHT(es.grids.DriscollHealy(b))
    return Contender(sht, sht.inverse)


def compiled(b: int) -> Contender:
    """This library, accelerated by numba, in its backward pass too."""
    return replace(equisphere(b), setting=accelerated)


@contextmanager
def accelerated() -> Iterator[None]:
    """As a user's process is after `accelerate()`, and back."""
    import equisphere as es

    es.transforms.accelerate()
    try:
        yield
    finally:
        es.transforms.accelerate(False)


def torch_harmonics(b: int) -> Contender:
    """RealSHT and InverseRealSHT on their equiangular grid, tables in float32 as the signals are."""
    import torch_harmonics as th

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the band limit, which is b here
        there = th.RealSHT(2 * b, 2 * b, lmax=b, mmax=b, grid="equiangular").float()
        back = th.InverseRealSHT(2 * b, 2 * b, lmax=b, mmax=b, grid="equiangular").float()
    return Contender(there, back)


def e3nn(b: int) -> Contender:
    """FromS2Grid and ToS2Grid of degrees below b."""
    from e3nn import o3

    there = o3.FromS2Grid((2 * b, 2 * b), b - 1)
    back = o3.ToS2Grid(b - 1, (2 * b, 2 * b))
    return Contender(there, back)


def plain(b: int) -> Contender:
    """What the formula says: an FFT over each ring and one dense sum over (m, l, ring)."""
    import equisphere as es
    from equisphere.harmonics import associated_legendre

    grid = es.grids.DriscollHealy(b)
    table = np.zeros((b, b, 2 * b), dtype=np.float32)
    for m in range(b):
        table[m, m:] = associated_legendre(m, b, grid.colatitudes.numpy())
    P = torch.from_numpy(table).to(torch.complex64)
    weighted = P * grid.weights[:, 0].float()
    return Contender(
        lambda f: torch.einsum("njm,mlj->nml", torch.fft.rfft(f)[..., :b], weighted),
        lambda c: torch.fft.irfft(torch.einsum("nml,mlj->njm", c, P), n=2 * b, norm="forward"),
    )


#: contender, the largest band limit at which it is measured (past it, tables or times are out of proportion), its package
CONTENDERS = {
    "equisphere": (equisphere, 512, "equisphere"),
    "compiled": (compiled, 256, "numba"),
    "torch-harmonics": (torch_harmonics, 512, "torch_harmonics"),
    "e3nn": (e3nn, 32, "e3nn"),
    "plain": (plain, 128, "equisphere"),
}


def present(b: int) -> dict[str, Callable[[int], Contender]]:
    """Those that are installed and that take a band limit."""
    return {name: make for name, (make, largest, package) in CONTENDERS.items() if b <= largest and find_spec(package)}
