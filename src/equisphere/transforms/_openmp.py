"""Work for the threads of PyTorch that is not PyTorch's.

After an operator the OpenMP threads of PyTorch wait busily for the next one, some milliseconds long: threads of somebody else
find the cores taken. So compiled transforms are done by the same threads, through the call that compilers make of
`#pragma omp parallel` (GOMP_parallel of the GNU libgomp manual, "Implementing PARALLEL construct"). Where PyTorch is built on
another OpenMP, as on macOS and Windows, `openmp` is None.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch


@cache
def openmp() -> ctypes.CDLL | None:
    """PyTorch's own library, through which the functions of the OpenMP that it runs on are found, where that is GNU's."""
    if not hasattr(os, "RTLD_NOLOAD"):
        return None
    try:
        path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
        library = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        library.GOMP_parallel.restype = None
        for name in ("omp_get_thread_num", "omp_get_num_threads"):
            getattr(library, name).argtypes, getattr(library, name).restype = [], ctypes.c_int
    except (OSError, AttributeError):  # not there, or built on another OpenMP
        return None
    return library


def in_threads(library: ctypes.CDLL, function: int, numbers: Sequence[int], threads: int) -> None:
    """Call a C function, given by its address, in each of so many threads, with the address of 64-bit integers."""
    given = np.array(numbers, dtype=np.int64)
    library.GOMP_parallel(function, given.ctypes.data, threads, 0)
