"""Networks that carry the configuration they were made from."""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import nn

Model = TypeVar("Model", bound="ConfiguredModule")


class ConfiguredModule(nn.Module):
    """A module whose `state_dict` says how to make the module.

    A subclass sets `self.config` to the arguments of its constructor (JSON types) and `self.bandwidth` to the band limit of
    its input; `from_state_dict` makes it anew.
    """

    config: dict[str, Any]
    bandwidth: int  # band limit of the input
    kinds: ClassVar[dict[str, type["ConfiguredModule"]]] = {}

    def __init_subclass__(cls) -> None:
        ConfiguredModule.kinds[cls.__name__] = cls

    def get_extra_state(self) -> dict[str, Any]:
        """What stands in the `state_dict` beside the tensors."""
        return {"kind": type(self).__name__, "config": self.config}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Check that a `state_dict` belongs to this module."""
        mine = self.get_extra_state()
        if state != mine:
            differing = {k: v for k, v in state.get("config", {}).items() if self.config.get(k, v) != v}
            raise ValueError(
                f"this state_dict is of a {state.get('kind')} with other settings ({differing}) than this {mine['kind']}. "
                f"`{state.get('kind')}.from_state_dict(state)` makes the right one."
            )

    @classmethod
    def from_pretrained(
        cls: type[Model], name: str | Path, revision: str | None = None, token: str | bool | None = None
    ) -> Model:
        """A trained network, in evaluation mode (extra `io`; `hub` for repositories).

        Args:
            name: a network that comes with the package (`models.model_card` describes it), a checkpoint or its folder, or
                OWNER/NAME, a repository of the Hugging Face Hub; see `models.checkpoint_path`.
            revision: branch, tag or commit of a repository.
            token: of a user of the Hub; by default what its library finds.

        Raises:
            ValueError: where there is none of that name, or it is of another class (`models.HubError` of a repository,
                `models.CheckpointError` of a file).
            FileNotFoundError: where there is no such file.
            ImportError: where it is a repository, and the library of the Hub is not installed.

        >>> from equisphere.models import SphericalClassifier
        >>> model = SphericalClassifier.from_pretrained("spherical-mnist")
        >>> model.bandwidth
        24
        """
        from equisphere.models._checkpoint import load
        from equisphere.models._pretrained import checkpoint_path

        model, _ = load(checkpoint_path(name, revision, token))
        if not isinstance(model, cls):
            raise ValueError(f"{str(name)!r} is a {type(model).__name__}, not a {cls.__name__}: ask that class for it.")
        return model

    def push_to_hub(
        self,
        repository: str,
        notes: dict[str, Any] | None = None,
        license: str | None = None,
        private: bool | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
    ) -> str:
        """Upload weights, configuration and a card made of the notes to the Hugging Face Hub (extra `hub`).

        Args:
            repository: OWNER/NAME; made where there is none.
            notes: as in `models.save`: data, protocol, figures.
            license: as the Hub spells it ("mit"); none is claimed by default.
            private: whether a new repository is hidden from others; by default as the owner's settings have it.
            revision: branch; by default the main one.
            token: of a user, one that may write; by default what the library of the Hub finds (`hf auth login`, HF_TOKEN).

        Returns:
            Address of the commit. `from_pretrained(repository)` has the network back.

        Raises:
            models.HubError: where the name is none, the token may not write there, or there is no connection.
            ImportError: where the library of the Hub is not installed.
        """
        from equisphere.models._hub import push

        return push(self, repository, notes, license, private, revision, token)

    @classmethod
    def from_state_dict(cls: type[Model], state: dict[str, Any]) -> Model:
        """Make the network that a `state_dict` is of, with its weights.

        Raises:
            ValueError: where the state carries no configuration, or that of another class.
        """
        extra = state.get("_extra_state")
        if not isinstance(extra, dict) or "config" not in extra:
            raise ValueError(
                "this state_dict carries no configuration (its key '_extra_state' is missing), so it was not made by an "
                "equisphere model, or its entries were renamed (a prefix such as 'model.'?)."
            )
        if extra["kind"] != cls.__name__:
            raise ValueError(f"this state_dict is of a {extra['kind']}, not of a {cls.__name__}.")
        model = cls(**extra["config"])
        model.load_state_dict(state)
        return model
