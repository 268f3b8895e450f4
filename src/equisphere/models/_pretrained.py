"""Networks that come trained with the package."""

from pathlib import Path

from equisphere.models._checkpoint import load
from equisphere.models._configured import ConfiguredModule

#: a checkpoint `NAME.safetensors` and its card `NAME.md` for each network
FOLDER = Path(__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """Names that `from_pretrained` takes.

    >>> "spherical-mnist" in pretrained_names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def pretrained(name: str) -> ConfiguredModule:
    """The network of that name, in evaluation mode.

    Raises:
        ValueError: where there is none.
    """
    if name not in pretrained_names():
        raise ValueError(
            f"there is no pretrained network {name!r}; there are: {', '.join(pretrained_names())}. "
            "A checkpoint of your own: `equisphere.models.load(path)`."
        )
    return load(FOLDER / f"{name}.safetensors")[0]


def model_card(name: str) -> str:
    """What a pretrained network is: data, protocol, figures, measured equivariance, as Markdown.

    Raises:
        ValueError: where there is none of that name.

    >>> print(model_card("spherical-mnist").splitlines()[0])
    # spherical-mnist
    """
    pretrained(name)
    return (FOLDER / f"{name}.md").read_text()
