"""All commands together."""

import warnings
from typing import Annotated

import typer

from equisphere import __version__
from equisphere.cli._align import align
from equisphere.cli._audit import audit
from equisphere.cli._common import answer
from equisphere.cli._demo import demo
from equisphere.cli._predict import info, predict
from equisphere.cli._project import project
from equisphere.cli._publish import publish
from equisphere.cli._search import search
from equisphere.cli._train import evaluate, train

# a library's notes to its own developers
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=FutureWarning)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Rotation-equivariant deep learning on the sphere. Begin with `equisphere demo`. "
    "Exit codes: 0 well, 1 an error that is explained, 2 a call that cannot be understood, 130 interrupted.",
)
for command in (demo, train, evaluate, predict, project, search, audit, align, publish, info):
    app.command()(command)


def _version(wanted: bool) -> bool:
    if wanted:
        answer.print(f"equisphere {__version__}", highlight=False)
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass
