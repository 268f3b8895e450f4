"""Networks on the Hugging Face Hub, by its own library (extra `hub`)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from equisphere._files import replacing
from equisphere.models._card import card
from equisphere.models._checkpoint import save
from equisphere.models._configured import ConfiguredModule

#: name of the weights in a repository, or in the folder of a training
WEIGHTS = "model.safetensors"
#: OWNER/NAME; the library checks the rest
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


#: the head that the Hugging Face Hub reads
HEAD = """---
library_name: equisphere
{license}tags:
- equisphere
- rotation-equivariant
- spherical-harmonics
---

"""


class HubError(ValueError):
    """A repository of the Hugging Face Hub cannot be read or written."""


def fetch(repository: str, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The checkpoint in a repository: from the library's cache where it is the newest, or downloaded.

    Args:
        repository: OWNER/NAME.
        revision: branch, tag or commit; by default the main branch.
        token: of a user; by default what the library finds (`hf auth login`, or the variable HF_TOKEN).

    Raises:
        HubError: where there is no such repository or revision, no weights in it, or no connection.
        ImportError: where the library is not installed.
    """
    hub = _library()
    with _explained(hub, repository, revision, fetching=True):
        return Path(hub.hf_hub_download(repository, WEIGHTS, revision=revision, token=token, **_ourselves()))


def card_folder(
    model: ConfiguredModule,
    folder: str | Path,
    name: str,
    notes: dict[str, Any] | None = None,
    license: str | None = None,
) -> Path:
    """Write what a repository holds: the weights, and a card made of the notes, as `README.md`.

    Args:
        model: the network.
        folder: made if need be.
        name: of the repository, OWNER/NAME.
        notes: as in `save`; a card tells of data, classes, recipe, figures and audit.
        license: as the Hub spells it; none is claimed by default.
    """
    folder = Path(folder)
    save(model, folder / WEIGHTS, notes)
    with replacing(folder / "README.md") as part:
        head = HEAD.format(license=f"license: {license}\n" if license else "")
        part.write_text(head + card(model, name, notes or {}))
    return folder


def push(
    model: ConfiguredModule,
    repository: str,
    notes: dict[str, Any] | None = None,
    license: str | None = None,
    private: bool | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
) -> str:
    """Upload a network with its card, as one commit; the repository is made where there is none. The address of the commit.

    Args:
        model: the network.
        repository: OWNER/NAME.
        notes: as in `models.save`; the card is made of them.
        license: as the Hub spells it ("mit"); none is claimed by default.
        private: whether a new repository is hidden from others; by default as the owner's settings have it.
        revision: branch; by default the main one.
        token: as in `fetch`; it must be allowed to write.

    Raises:
        HubError: where the name is none, the token may not write there, or there is no connection.
        ImportError: where the library is not installed.
    """
    hub = _library()
    if not REPOSITORY.fullmatch(repository):
        raise HubError(f"a repository of the Hub is named OWNER/NAME, got {repository!r}.")
    with TemporaryDirectory() as place:
        folder = card_folder(model, place, repository, notes, license)
        with _explained(hub, repository, revision, fetching=False):
            api = hub.HfApi(token=token, **_ourselves())
            api.create_repo(repository, private=private, exist_ok=True)
            if revision is not None:
                api.create_branch(repository, branch=revision, exist_ok=True)
            done = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                revision=revision,
                commit_message=f"{type(model).__name__} of equisphere",
            )
    return str(done.commit_url)


def _ourselves() -> dict[str, str]:
    """What the library tells the Hub about its caller."""
    from equisphere import __version__

    return {"library_name": "equisphere", "library_version": __version__}


def _library() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError:
        raise ImportError(
            "repositories of the Hugging Face Hub need its library: pip install 'equisphere[hub]'. Without it, download "
            f"{WEIGHTS} by hand and give its path."
        ) from None
    return huggingface_hub


@contextmanager
def _explained(hub: ModuleType, repository: str, revision: str | None, fetching: bool) -> Iterator[None]:
    """Turn the library's errors into ones that say what to do."""
    errors = hub.errors
    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(
            f"{repository} is open to people whom its owner has let in: ask for it at {hub.constants.ENDPOINT}/{repository}, "
            "then log in by `hf auth login`."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"there is no file or folder {repository} here, and no repository of that name on the Hugging Face Hub that you "
            "may see. Mind the spelling (OWNER/NAME); a private one needs `hf auth login`, or `token`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{repository} has no branch, tag or commit {revision!r}.") from error
    except errors.RemoteEntryNotFoundError as error:
        raise HubError(
            f"the repository {repository} holds no {WEIGHTS}, so it is no network of this library: "
            "`push_to_hub` and `equisphere publish` write one."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise HubError(
            f"there is no file or folder {repository} here. Nor is it in the cache of the Hugging Face Hub, which cannot be "
            "reached (no network, or HF_HUB_OFFLINE is set): connect once, or give the path of a checkpoint."
            if fetching
            else f"{repository}: the Hugging Face Hub cannot be reached (no network, or HF_HUB_OFFLINE is set)."
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        why = "Log in by `hf auth login` with a token that may write, or give `token`." if status in (401, 403) else ""
        raise HubError(f"the Hugging Face Hub refused {repository}: {error} {why}".rstrip()) from error
    except (errors.LocalTokenNotFoundError, errors.HFValidationError) as error:
        raise HubError(f"{repository}: {error}") from error
    except (OSError, errors.HTTPError) as error:
        raise HubError(f"{repository}: the Hugging Face Hub cannot be reached ({error}).") from error
