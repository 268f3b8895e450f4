"""The command `equisphere`."""

import sys


def main() -> None:
    """Run the command; where its extra is not installed, say so."""
    try:
        from equisphere.cli._app import app
    except ImportError as error:
        sys.exit(f"the command needs packages that are not installed ({error}): pip install 'equisphere[cli]'")
    app()


__all__ = ["main"]
