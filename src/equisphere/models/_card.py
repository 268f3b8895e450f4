"""The card of a network: what it is, as Markdown, from the notes of its checkpoint."""

import json
from typing import Any

from equisphere.models._configured import ConfiguredModule


def card(model: ConfiguredModule, name: str, notes: dict[str, Any]) -> str:
    """What a network is: how to load it, data, protocol, figures, equivariance, as far as the notes know.

    Args:
        model: the network.
        name: what `from_pretrained` takes.
        notes: of a checkpoint; read are `data`, `recipe`, `figures` (as `equisphere train` writes them), and `audit` (an
            audit's `Report.brief()`, and what it was measured "on"); what is written otherwise is printed as it is.

    >>> from equisphere.models import SphericalClassifier
    >>> text = card(SphericalClassifier(channels=(4,), bandwidths=(6,)), "me/net", {"data": "none"})
    >>> print(text.splitlines()[0], text.splitlines()[-3], sep="; ")
    # me/net; **Data.** none
    """
    kind, home = type(model).__name__, type(model).__module__
    ours = home.startswith("equisphere.models.")
    code = (
        f"import equisphere as es\n    model = es.models.{kind}"
        if ours
        else f"from {home} import {kind}\n    model = {kind}"
    )
    parameters = sum(p.numel() for p in model.parameters())
    parts = [
        f"# {name}",
        f"    {code}.from_pretrained({name!r})",
        f"{parameters:,} parameters, band limit {model.bandwidth}; a network of equisphere, rotation-equivariant deep learning "
        "on the sphere in PyTorch.",
    ]
    if "data" in notes:
        parts.append(f"**Data.** {notes['data']}{_sizes(notes.get('figures'))}")
    if isinstance(notes.get("classes"), list):
        parts.append(f"**Classes.** {', '.join(map(str, notes['classes']))}")
    for title, told in (("recipe", _protocol), ("figures", _table), ("audit", _audit)):
        given = notes.get(title)
        if given is None:
            continue
        try:
            parts.append(told(given))
        except (KeyError, TypeError, ValueError, AttributeError):  # of a form of somebody's own
            shown = {k: v for k, v in given.items() if k != "history"} if isinstance(given, dict) else given
            parts.append(f"**{title.capitalize()}.** `{json.dumps(shown)}`")
    parts.append("**Settings.** " + ", ".join(f"`{key}={value!r}`" for key, value in model.config.items()))
    return "\n\n".join(parts) + "\n"


def _sizes(figures: Any) -> str:
    sizes = figures.get("samples") if isinstance(figures, dict) else None
    if not isinstance(sizes, dict) or not all(isinstance(sizes.get(k), int) for k in ("train", "validation", "test")):
        return ""
    return (
        f": {sizes['train']:,} items to train on, {sizes['validation']:,} to choose the epoch, {sizes['test']:,} to test on, "
        "looked at once."
    )


def _protocol(recipe: dict[str, Any]) -> str:
    how = "in random orientations" if recipe["rotated"] else "as they come"
    options = ", ".join(f"`{key}={value!r}`" for key, value in recipe["options"].items())
    return (
        f"**Protocol.** Recipe `{recipe['name']}` ({recipe['task']}), trained on items {how}, {recipe['epochs']} epochs, seed "
        f"{recipe['seed']}{f'; data brought onto the sphere with {options}' if options else ''}."
    )


def _table(figures: dict[str, Any]) -> str:
    names = [key for key, value in figures.items() if key.startswith("test_") and isinstance(value, dict)]
    if not names or not figures[names[0]]:
        raise ValueError("no figures of test items by their orientation")
    lines = [["test items", *(name.removeprefix("test_") for name in names)], ["---"] * (1 + len(names))]
    words = figures.get("orientations", {})
    for orientation in figures[names[0]]:
        lines.append(
            [
                f"{words[orientation]} ({orientation})" if orientation in words else orientation,
                *(f"{figures[name][orientation]:.4g}" for name in names),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _audit(audit: dict[str, Any]) -> str:
    flips = audit.get("flips")
    changed = "" if flips is None else f"; {100 * flips:.2f} % of the answers change"
    return (
        f"**Equivariance, measured** on {audit['signals']} {audit['on']} under {audit['rotations']} random rotations "
        f"({audit['dtype']}): the output is off by {audit['median']:.1e} in the median and {audit['worst']:.1e} at worst "
        f"(relative){changed}. Verdict: {audit['verdict']}."
    )
