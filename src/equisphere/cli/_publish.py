"""`equisphere publish`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from equisphere.cli._audit import audited
from equisphere.cli._common import Checkpoint, answer, console, print_json, teaching
from equisphere.cli._train import Data, Json


@teaching
def publish(
    checkpoint: Checkpoint,
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub; made where there is none.")],
    license: Annotated[
        str | None, typer.Option(help="As the Hub spells it (mit, cc-by-4.0, ...). Default: none is claimed.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Hide a new repository from others.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch. Default: the main one.")] = None,
    data: Data = None,
    output: Annotated[
        Path | None, typer.Option(help="Write what would be uploaded into this folder, and upload nothing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Upload a trained network to the Hugging Face Hub, with a card that says what it is.

    The card is made of the checkpoint's notes (data, protocol, figures) and of an audit that is measured now, on test items
    where the data are at hand and on random signals otherwise. Log in before by `hf auth login`. Others then write
    SphericalClassifier.from_pretrained("OWNER/NAME"), or `equisphere predict OWNER/NAME photo.png`.

    Mind the terms of the data: they may forbid it to share what was trained on them.

    Example: equisphere publish runs/digits-seed0 me/digits --license mit --output look-first/
    """
    from equisphere import models
    from equisphere.models import card_folder

    path = models.checkpoint_path(checkpoint)
    model, notes = models.load(path)
    measured = _audit(str(path), data, "recipe" in notes)
    if measured is not None:
        notes["audit"] = measured
    if output is not None:
        card_folder(model, output, repository, notes, license)
        where = str(output)
    else:
        where = model.push_to_hub(repository, notes, license, private or None, revision)
    if as_json:
        print_json({"repository": repository, "written": where, "audit": measured})
    else:
        answer.print(f"{'written to' if output is not None else 'uploaded:'} {where}", markup=False, highlight=False)


def _audit(path: str, data: str | None, trained_here: bool) -> dict[str, Any] | None:
    """What the card says of equivariance; None where no signals can be had that an audit can rotate.

    Test items are those of the recipe in the notes; without one there are none.
    """
    for random in (False, True) if trained_here else (True,):
        try:
            report = audited(path, random, data)
        except ValueError as error:
            console.print(
                f"[yellow]no audit on {'random signals' if random else 'test items'}:[/] {error}", highlight=False
            )
            continue
        return {**report.brief(), "on": "random signals" if random else "test items"}
    return None
