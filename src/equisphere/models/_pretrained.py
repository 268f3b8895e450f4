"""Trained networks by name: those of the package, checkpoints here, repositories of the Hugging Face Hub."""

from pathlib import Path

from equisphere.models._hub import REPOSITORY, WEIGHTS, fetch

#: a checkpoint `NAME.safetensors` and its card `NAME.md` for each network
FOLDER = Path(__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """Names of the networks that come with the package.

    >>> "spherical-mnist" in pretrained_names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def checkpoint_path(name: str | Path, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The checkpoint that a name stands for; `load` reads it.

    Args:
        name: a network that comes with the package (`pretrained_names`); or a checkpoint, or a folder with
            `model.safetensors` in it; or OWNER/NAME, a repository of the Hugging Face Hub (extra `hub`), which is downloaded
            once and kept in the cache of its library.
        revision: branch, tag or commit of a repository; by default the main branch.
        token: of a user of the Hub; by default what its library finds (`hf auth login`, or the variable HF_TOKEN).

    Raises:
        FileNotFoundError: where the name is that of a file, and there is none.
        HubError: where there is no such repository, no weights in it, or no connection.
        ImportError: where it is a repository, and the library of the Hub is not installed.
        ValueError: where the name is nothing of these.

    >>> checkpoint_path("spherical-mnist").name
    'spherical-mnist.safetensors'
    """
    path, name = Path(name), str(name)
    found = None
    if name in pretrained_names():
        found = FOLDER / f"{name}.safetensors"
    elif path.exists() or path.suffix == ".safetensors":
        found = path / WEIGHTS if path.is_dir() else path
    if found is None:
        if not REPOSITORY.fullmatch(name):
            raise ValueError(
                f"there is no pretrained network {name!r}; there are: {', '.join(pretrained_names())}. Or give the path of a "
                "checkpoint, or OWNER/NAME of a repository of the Hugging Face Hub."
            )
        return fetch(name, revision, token)
    if revision is not None:
        raise ValueError(f"{name} is a file here, and has no revision {revision!r}: repositories of the Hub have.")
    if path.is_dir() and not found.is_file():
        raise FileNotFoundError(f"{path} is a folder, and holds no {WEIGHTS}: give the checkpoint itself.")
    if not found.is_file():
        raise FileNotFoundError(f"there is no checkpoint {found}.")
    return found


def model_card(name: str) -> str:
    """What a network that comes with the package is: data, protocol, figures, measured equivariance, as Markdown.

    Raises:
        ValueError: where there is none of that name.

    >>> print(model_card("spherical-mnist").splitlines()[0])
    # spherical-mnist
    """
    if name not in pretrained_names():
        raise ValueError(f"there is no pretrained network {name!r}; there are: {', '.join(pretrained_names())}.")
    return (FOLDER / f"{name}.md").read_text()
