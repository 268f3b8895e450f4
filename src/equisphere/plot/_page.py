"""One page of HTML that holds all it shows."""

from base64 import b64encode
from collections.abc import Mapping
from importlib.resources import files
from io import BytesIO
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from matplotlib.figure import Figure

from equisphere.plot import _words
from equisphere.plot._style import style


def page(template: str, pictures: Mapping[str, bytes], **what: Any) -> str:
    """Fill a template of this folder; pictures are written into the page itself."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: files("equisphere.plot").joinpath(name).read_text(encoding="utf-8")),
    )
    environment.filters.update(
        percent=_words.percent,
        whole=_words.whole,
        small=_words.small,
        duration=_words.duration,
    )
    image = {name: "data:image/png;base64," + b64encode(png).decode() for name, png in pictures.items()}
    return environment.get_template(template).render(image=image, **what)


@style()
def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
