"""Memory that the process has freed, kept for what it allocates next."""

import ctypes
from functools import cache

# of mallopt(3), glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep freed memory for this process, in place of giving it back at once; whether it can.

    By default glibc asks the kernel anew for each large tensor, and the kernel clears its pages one by one when they are first
    written: in a training step on the CPU, where every operator makes such a tensor, that is a fifth of the time. Costs
    nothing but that the memory of the process stays at its highest mark. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
