"""`python -m equisphere.cli` is `equisphere`."""

from equisphere.cli import main

if __name__ == "__main__":
    main()
