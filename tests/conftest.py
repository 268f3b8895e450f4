"""What every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch


@pytest.fixture(autouse=True)
def _reproducible() -> None:
    torch.manual_seed(0)


@pytest.fixture
def as_user() -> Iterator[None]:
    """Shape annotations are not checked, as in a user's session: what is raised is the library's own error."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets, named by the environment variable EQUISPHERE_DATA."""
    folder = os.environ.get("EQUISPHERE_DATA")
    if not folder:
        pytest.skip("EQUISPHERE_DATA is not set: no folder of real data")
    return Path(folder)
