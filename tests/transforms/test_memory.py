"""An accelerated process keeps what it has freed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from equisphere._memory import keep_freed_memory

RESIDENT_AFTER_FREEING = """
import numpy, torch, equisphere as es
{first}
pages = lambda: int(open("/proc/self/statm").read().split()[1])
before = pages()
large = torch.ones(64 * 2**20, dtype=torch.uint8)
held = pages() - before
del large
print((pages() - before) / held)
"""


def share_kept(first: str, **environment: str) -> float:
    """What a process of its own keeps of a tensor of 64 MiB that it has freed, after some first lines."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT_AFTER_FREEING.format(first=first)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the resident memory is read from /proc")
def test_an_accelerated_process_keeps_what_it_has_freed():
    pytest.importorskip("numba")
    if not keep_freed_memory():
        pytest.skip("the C library has no mallopt")
    assert share_kept("", EQUISPHERE_ACCELERATE="0") < 0.1
    assert share_kept("es.transforms.accelerate()") > 0.9
    assert share_kept("", EQUISPHERE_ACCELERATE="1") > 0.9
