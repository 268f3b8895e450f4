"""Files that are whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path` to write to; `path` is replaced in one step when the block ends well.

    A reader sees the old file or the new one, never a part; after an error or a kill the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def check_folder(path: Path, name: str) -> None:
    """Check that a path is a folder, or can become one: no file is in its place or in that of a folder above it.

    Raises:
        ValueError: where one is.
    """
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise ValueError(
                f"{name} must be a folder, got {path}: {place} is a file. Name another folder, or move the file."
            )
