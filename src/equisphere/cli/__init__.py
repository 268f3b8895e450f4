"""The command `equisphere`."""

import sys


def main() -> None:
    """Run the command; where its extra is not installed, say so."""
    try:
        from equisphere.cli._app import app

        app()
    except ImportError as error:
        sys.exit(f"the command needs packages that are not installed ({error}): pip install 'equisphere[cli]'")
    except KeyboardInterrupt:
        sys.exit(130)


__all__ = ["main"]
