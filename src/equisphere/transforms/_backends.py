"""Who computes on the CPU: the Legendre step of large band limits torch, numba or ducc0; other transforms torch or numba."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec

from equisphere._memory import keep_freed_memory

#: name of each backend, and the extra of this package that installs what it needs
EXTRAS = {"torch": None, "numba": "fast", "ducc0": "ducc"}

_chosen: ContextVar[str] = ContextVar("large_backend", default="auto")


@contextmanager
def large_backend(name: str) -> Iterator[None]:
    """Choose who computes transforms of large band limits on the CPU, inside a `with` block.

    A transform whose tables would be too large, or large for few signals, computes Legendre functions on the fly
    (docs/large.md). On a GPU that is always done in torch. On the CPU the default, `"auto"`, takes the first of these that is
    installed:

    - `"ducc0"` (extra `ducc`): the C++ library, with its own adjoint as the gradient. It is licensed under the GPL.
    - `"numba"` (extra `fast`): as fast, and compiled on first use, which takes some seconds a process; set the environment
      variable NUMBA_CACHE_DIR to a folder to pay once.
    - `"torch"`: always there, the slowest, and the one that costs least to start.

    The three agree to rounding, not to the bit: a result that must be the same bit for bit on machines with other packages
    needs a name here. What is chosen when a transform is applied holds for its backward pass too.

    Raises:
        ValueError: where there is no backend of that name.
        ImportError: where the package that it needs is not installed.

    >>> import torch, equisphere as es
    >>> sht = es.SHT(es.grids.GaussLegendre(nlat=4, nlon=8))
    >>> with large_backend("torch"):
    ...     sht(torch.ones(4, 8)).shape
    torch.Size([16])
    """
    if name != "auto" and name not in EXTRAS:
        raise ValueError(f"a backend is one of 'auto', {', '.join(map(repr, EXTRAS))}, got {name!r}.")
    if name not in ("auto", "torch") and not _installed(name):
        raise ImportError(f"the backend {name!r} needs {name}: pip install 'equisphere[{EXTRAS[name]}]'.")
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_backend() -> str:
    """The backend that holds here: for `"auto"` the first that is installed."""
    name = _chosen.get()
    return next(b for b in ("ducc0", "numba", "torch") if _installed(b)) if name == "auto" else name


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


class _Acceleration:
    on = os.environ.get("EQUISPHERE_ACCELERATE", "0") not in ("", "0")


if _Acceleration.on:
    keep_freed_memory()


def accelerate(on: bool = True) -> None:
    """Compile the transforms between coefficients and grids of rings by numba (extra `fast`), in this process from here on.

    So are the products of `nn.DirectionalActivation`. Transforms then take a half to a third of the time on a CPU
    (docs/benchmarks.md). What is transformed on other devices, in batches too small to fill the lanes of vector registers,
    or on rings whose number of nodes has other prime factors than 2, 3, 5 and 7, is transformed as before. Results agree with
    those of torch to rounding, not to the bit. Compilation takes some seconds at first use in a process; set the
    environment variable NUMBA_CACHE_DIR to a folder to pay once (numba looks at each source file alone: empty the folder when
    you edit this library). EQUISPHERE_ACCELERATE=1 in the environment does the same
    as a call, for commands and processes that they start.

    With glibc the process also keeps the memory that it frees, for its next tensors, which is a fifth of a training step; it
    does so to its end, whatever `on` is later.

    Args:
        on: or back to torch.

    Raises:
        ImportError: where numba is not installed.

    >>> import torch, equisphere as es
    >>> es.transforms.accelerate()
    >>> sht = es.SHT(es.grids.DriscollHealy(8))
    >>> c = torch.randn(64, 64)
    >>> bool(torch.allclose(sht(sht.inverse(c)), c, atol=1e-5))
    True
    >>> es.transforms.accelerate(False)
    """
    _Acceleration.on = bool(on)
    try:
        if accelerated():
            keep_freed_memory()
    except ImportError:
        _Acceleration.on = False
        raise


def accelerated() -> bool:
    """Whether it was asked for."""
    if _Acceleration.on and not _installed("numba"):
        raise ImportError(f"acceleration needs numba: pip install 'equisphere[{EXTRAS['numba']}]'.")
    return _Acceleration.on
