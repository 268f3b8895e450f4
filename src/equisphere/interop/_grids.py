"""The names that other packages give to grids."""

from collections.abc import Callable

from equisphere import _checks
from equisphere.grids import ClenshawCurtis, DriscollHealy, GaussLegendre, RingGrid


def _with_poles(nlat: int, nlon: int) -> RingGrid:
    return DriscollHealy(nlat=nlat, nlon=nlon, poles=True)


def _midpoints(nlat: int, nlon: int) -> RingGrid:
    return DriscollHealy(nlat=nlat, nlon=nlon)


def _both_poles(nlat: int, nlon: int) -> RingGrid:
    return ClenshawCurtis(nlat=nlat, nlon=nlon)


def _gauss(nlat: int, nlon: int) -> RingGrid:
    return GaussLegendre(nlat=nlat, nlon=nlon)


_NAMES: dict[str, dict[str, Callable[[int, int], RingGrid]]] = {
    "torch-harmonics": {"equiangular": _both_poles, "legendre-gauss": _gauss},
    "ducc0": {"CC": _both_poles, "F1": _midpoints, "DH": _with_poles, "GL": _gauss},
    "s2fft": {"dh": _midpoints, "gl": _gauss, "mwss": _both_poles},
    "pyshtools": {"DH": _with_poles, "GLQ": _gauss},
}


def grid_named(package: str, name: str, nlat: int, nlon: int) -> RingGrid:
    """The grid here whose nodes are those that another package calls by a name.

    Known are torch-harmonics' "equiangular" and "legendre-gauss", ducc0's "CC", "F1", "DH" and "GL", s2fft's "dh", "gl" and
    "mwss", and pyshtools' "DH" (not extended) and "GLQ" (not extended). The quadrature is the grid's own: s2fft's
    sampling theorem on "mwss" holds to twice the band limit that the weights here carry.

    Args:
        package: the name of the package.
        name: the name of the grid.
        nlat: number of rings.
        nlon: number of nodes on a ring.

    Raises:
        ValueError: where the package or the name is not among these.

    >>> grid_named("ducc0", "F1", 8, 16)
    DriscollHealy(bandwidth=4, nlat=8, nlon=16, poles=False)
    """
    if name not in _NAMES.get(package, {}):
        known = "; ".join(f"{p}: {', '.join(names)}" for p, names in _NAMES.items())
        raise ValueError(f"no grid here has the nodes of {name!r} of {package!r}. Known are {known}.")
    return _NAMES[package][name](_checks.positive_int(nlat, "nlat"), _checks.positive_int(nlon, "nlon"))
