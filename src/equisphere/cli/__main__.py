"""`python -m equisphere.cli` is `equisphere`."""

from equisphere.cli import main

main()
