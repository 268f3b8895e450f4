"""Checkpoints that carry their configuration."""

import json
from pathlib import Path
from typing import Any

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
        OSError: where the place cannot be written.

    >>> import tempfile
    >>> from equisphere.models import SphericalClassifier, load
    >>> model = SphericalClassifier(channels=(4,), bandwidths=(6,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(model, f"{folder}/model.safetensors", {"data": "none yet"})
    ...     again, notes = load(path)
    >>> again.config == model.config, notes
    (True, {'data': 'none yet'})
    """
    from safetensors.torch import save_file

    path = Path(path)
    state = model.state_dict()
    extra = state.pop("_extra_state")
    header = {"format": FORMAT, "model": json.dumps(extra), "notes": json.dumps(notes or {})}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with replacing(path) as part:
        save_file(tensors, part, metadata=header)
    return path


def load(path: str | Path) -> tuple[ConfiguredModule, dict[str, Any]]:
    """Read a checkpoint that `save` wrote: the network, in evaluation mode on the CPU, and the notes.

    Raises:
        FileNotFoundError: where there is no such file.
        CheckpointError: where the file is truncated, of another library, or does not fit its own configuration.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
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
        extra = json.loads(header["model"])
        model = ConfiguredModule.kinds[extra["kind"]].from_state_dict({**state, "_extra_state": extra})
        notes = json.loads(header["notes"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not fit the configuration that it carries: {error}") from error
    return model.eval(), notes
