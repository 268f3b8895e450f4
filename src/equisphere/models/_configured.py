"""Networks that carry the configuration they were made from."""

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
    def from_pretrained(cls: type[Model], name: str) -> Model:
        """A network that comes trained with the package (extra `io`), in evaluation mode; `models.model_card` describes it.

        Raises:
            ValueError: where there is none of that name, or it is of another class.

        >>> from equisphere.models import SphericalClassifier
        >>> model = SphericalClassifier.from_pretrained("spherical-mnist")
        >>> model.bandwidth
        20
        """
        from equisphere.models._pretrained import pretrained

        model = pretrained(name)
        if not isinstance(model, cls):
            raise ValueError(f"{name!r} is a {type(model).__name__}, not a {cls.__name__}: ask that class for it.")
        return model

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
