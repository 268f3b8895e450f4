"""Checkpoints that carry their configuration."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from equisphere._files import replacing
from equisphere.models._configured import ConfiguredModule

FORMAT = "equisphere-1"


class CheckpointError(ValueError):
    """A file is no checkpoint of this library, or not a whole one."""


def save(model: ConfiguredModule, path: str | Path, notes: dict[str, Any] | None = None) -> Path:
    """Write weights and configuration to one safetensors file, which is whole or not there.

    Args:
        model: a network of `equisphere.models`.
        path: where to, `.safetensors` by custom.
        notes: anything that JSON holds and a reader of the file should know: data, protocol, figures.

    Raises:
        ValueError: where the network carries no configuration, or the notes are no dict that JSON can hold.
        OSError: where the place cannot be written, or is full.
        ImportError: where safetensors is not installed.

    >>> import tempfile
    >>> from equisphere.models import SphericalClassifier, load
    >>> model = SphericalClassifier(channels=(4,), bandwidths=(6,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(model, f"{folder}/model.safetensors", {"data": "none yet"})
    ...     again, notes = load(path)
    >>> again.config == model.config, notes
    (True, {'data': 'none yet'})
    """
    safetensors = _library()
    path = Path(path)
    if not isinstance(model, ConfiguredModule):
        raise ValueError(
            f"a checkpoint carries the configuration of its network, which a {type(model).__name__} does not know. Make the "
            "network a subclass of equisphere.models.ConfiguredModule that sets `self.config` to the arguments of its "
            "constructor, or write its weights by `torch.save(model.state_dict(), path)`."
        )
    if notes is not None and not isinstance(notes, dict):
        raise ValueError(f"notes must be a dict of what JSON holds, got {type(notes).__name__}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the name of a file, such as {path / 'model.safetensors'}.")
    state = model.state_dict()
    extra = state.pop("_extra_state")
    try:
        written = json.dumps(notes or {}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"notes must be what JSON holds (text, finite numbers, lists, dicts), but {error}. Take numbers out of tensors and "
            "arrays by `.tolist()`."
        ) from None
    header = {"format": FORMAT, "model": json.dumps(extra), "notes": written}
    # copies: weights that two layers share are written for each
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()
    }
    with replacing(path) as part:
        try:
            safetensors.torch.save_file(tensors, part, metadata=header)
        except safetensors.SafetensorError as error:
            raise OSError(f"{path} cannot be written ({error}).") from error
    return path


def _library() -> ModuleType:
    try:
        import safetensors.torch
    except ImportError:
        raise ImportError("checkpoints are safetensors files, which need: pip install 'equisphere[io]'.") from None
    return safetensors


def load(path: str | Path) -> tuple[ConfiguredModule, dict[str, Any]]:
    """Read a checkpoint that `save` wrote: the network, in evaluation mode on the CPU in its own dtype, and the notes.

    A network of a class of your own needs its module imported first.

    Raises:
        FileNotFoundError: where there is no such file.
        CheckpointError: where the file is truncated, damaged, of another library, or does not fit its own configuration.
        ImportError: where safetensors is not installed.
    """
    safetensors = _library()
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: give the file in it, such as {path / 'model.safetensors'}.")
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a safetensors file ({error}): it is truncated or of another kind. "
            "Checkpoints are written by `equisphere train` and `equisphere.models.save`."
        ) from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is a safetensors file of another library or version: its header says format="
            f"{header.get('format')!r}, where {FORMAT!r} is expected."
        )
    try:
        extra, notes = json.loads(header["model"]), json.loads(header["notes"])
        kind, settings = extra["kind"], extra["config"]
        if kind not in ConfiguredModule.kinds:
            raise CheckpointError(
                f"{path} holds a network of the class {kind}: import the module that defines it first."
            )
        dtypes = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
        model = ConfiguredModule.kinds[kind](**settings).to(dtypes.pop() if len(dtypes) == 1 else torch.float32)
        model.load_state_dict({**state, "_extra_state": extra})
        kinds = {name: tensor.dtype for name, tensor in model.state_dict().items() if name != "_extra_state"}
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} does not fit the configuration that it carries ({type(error).__name__}: {error})."
        ) from error
    for name, tensor in state.items():
        if tensor.dtype != kinds[name] or not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path}: {name} must hold finite numbers of {kinds[name]}; the file is damaged.")
    if not isinstance(notes, dict):
        raise CheckpointError(f"{path} has notes that are no dict but {notes!r}.")
    return model.eval(), notes
