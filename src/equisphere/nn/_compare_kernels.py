"""The products of two tangent fields and their gradient, compiled by numba: one pass over the memory each."""
# mypy: allow-untyped-defs

from collections.abc import Callable
from functools import cache
from inspect import unwrap
from typing import Any

import numba
import numpy as np
import torch
from jaxtyping import Float
from numba import carray  # type: ignore[attr-defined]
from torch import Tensor

from equisphere.transforms._lane_code import for_threads, pointer
from equisphere.transforms._openmp import in_threads, openmp

#: points that are worked on at once: ten rows of them stay in the first-level cache
BLOCK = 512


def products(fields: Float[Tensor, "4 points"], out: Float[Tensor, "2 points"]) -> None:
    """Write dot and cross product of the fields (a, b) and (c, d), given as a, c, b, d."""
    _run(_products, fields, fields, out)


def gradient(
    fields: Float[Tensor, "4 points"], given: Float[Tensor, "2 points"], out: Float[Tensor, "4 points"]
) -> None:
    """Write the gradient by the fields, from that by the products."""
    _run(_gradient, fields, given, out)


def _run(kernel: Callable[..., None], fields: Tensor, given: Tensor, out: Tensor) -> None:
    """The points in as many parts as torch has threads, in these threads where they can be had."""
    arrays = [tensor.detach().contiguous().numpy() for tensor in (fields, given, out)]  # out is so already
    n, threads = fields.shape[1], torch.get_num_threads()
    library = openmp() if threads > 1 else None
    if library is None:
        kernel(*arrays, 0, n)
        return
    numbers = [n, *(array.ctypes.data for array in arrays), *map(len, arrays[1:])]
    in_threads(library, _task(kernel, arrays[0].dtype, library).address, numbers, threads)


def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    made: Any = numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
    return made(unwrap(function))


@_compiled
def _scales(a, c, b, d, scale):
    one = scale.dtype.type(1)
    for i in range(len(scale)):
        scale[i] = one / np.sqrt(one + a[i] * a[i] + b[i] * b[i] + c[i] * c[i] + d[i] * d[i])


@_compiled
def _dots(a, c, b, d, scale, out):
    for i in range(len(out)):
        out[i] = (a[i] * c[i] + b[i] * d[i]) * scale[i]


@_compiled
def _crosses(a, c, b, d, scale, out):
    for i in range(len(out)):
        out[i] = (a[i] * d[i] - b[i] * c[i]) * scale[i]


@_compiled
def _sums(p, x, q, y, shrink, z, sign, out):
    for i in range(len(out)):
        out[i] = p[i] * x[i] + sign * q[i] * y[i] - shrink[i] * z[i]


@_compiled
def _products(fields, _, out, first, last):
    """Block by block, each loop over few arrays: such loops the compiler turns into vector instructions."""
    room = np.empty(BLOCK, fields.dtype)
    for start in range(first, last, BLOCK):
        here = slice(start, min(start + BLOCK, last))
        a, c, b, d = fields[0, here], fields[1, here], fields[2, here], fields[3, here]
        scale = room[: len(a)]
        _scales(a, c, b, d, scale)
        _dots(a, c, b, d, scale, out[0, here])
        _crosses(a, c, b, d, scale, out[1, here])


@_compiled
def _gradient(fields, given, out, first, last):
    """With s the scale and P the products: dP = s d(dot, cross) - P s^2 (a da + b db + c dc + d dd)."""
    room, one = np.empty((6, BLOCK), fields.dtype), fields.dtype.type(1)
    for start in range(first, last, BLOCK):
        here = slice(start, min(start + BLOCK, last))
        n = here.stop - here.start
        a, c, b, d = fields[0, here], fields[1, here], fields[2, here], fields[3, here]
        scale, p, q, shrink = room[0, :n], room[1, :n], room[2, :n], room[3, :n]
        dot, cross = room[4, :n], room[5, :n]
        _scales(a, c, b, d, scale)
        _dots(a, c, b, d, scale, dot)
        _crosses(a, c, b, d, scale, cross)
        _scaled(given[0, here], scale, p)
        _scaled(given[1, here], scale, q)
        for i in range(n):
            shrink[i] = (p[i] * dot[i] + q[i] * cross[i]) * scale[i]
        _sums(p, c, q, d, shrink, a, one, out[0, here])
        _sums(p, a, q, b, shrink, c, -one, out[1, here])
        _sums(p, d, q, c, shrink, b, -one, out[2, here])
        _sums(p, b, q, a, shrink, d, one, out[3, here])


@_compiled
def _scaled(x, scale, out):
    for i in range(len(out)):
        out[i] = x[i] * scale[i]


@cache
def _task(kernel, dtype, library):
    """A function of C that runs a kernel in each thread of an OpenMP library that calls it; it is given `_run`'s integers."""
    number, threads, kind = library.omp_get_thread_num, library.omp_get_num_threads, numba.from_dtype(dtype)

    def run(given):
        a = carray(given, 6, np.int64)
        n = a[0]
        fields = carray(pointer(a[1]), (4, n), kind)
        other, out = carray(pointer(a[2]), (a[4], n), kind), carray(pointer(a[3]), (a[5], n), kind)
        share = (n + threads() - 1) // threads()
        first = min(number() * share, n)
        kernel(fields, other, out, first, min(first + share, n))

    return for_threads(run)
