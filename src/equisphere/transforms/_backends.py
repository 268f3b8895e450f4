"""Who computes the Legendre step of large band limits on the CPU: torch, numba or ducc0."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec

#: name of each backend, and the extra of this package that installs what it needs
EXTRAS = {"torch": None, "numba": "fast", "ducc0": "ducc"}

_chosen: ContextVar[str] = ContextVar("large_backend", default="auto")


@contextmanager
def large_backend(name: str) -> Iterator[None]:
    """Choose who computes transforms of large band limits on the CPU, inside a `with` block.

    A transform whose tables would be too large computes Legendre functions on the fly. On a GPU that is always done in
    torch. On the CPU the default, `"auto"`, takes the first of these that is installed:

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
