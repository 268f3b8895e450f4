"""Where data files are, and what is said when they are not there or not whole."""

import os
from pathlib import Path


class DataError(ValueError):
    """A data file is missing, corrupt, or not what it should be."""


def kept(*names: str) -> Path | None:
    """The first of these files or folders that the folder named by the environment variable EQUISPHERE_DATA holds.

    Raises:
        DataError: where the variable names no folder.
    """
    folder = os.environ.get("EQUISPHERE_DATA")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise DataError(f"EQUISPHERE_DATA names {folder}, where there is no folder. Mend or unset it.")
    return next((Path(folder) / name for name in names if (Path(folder) / name).exists()), None)
