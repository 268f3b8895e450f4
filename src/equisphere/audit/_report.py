"""What an audit hands back."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxtyping import Float64
from torch import Tensor

from equisphere.audit._rows import VERDICTS, LayerAudit

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {
    "exact": "green",
    "aliasing": "cyan",
    "approximate": "yellow",
    "about z alone": "bold magenta",
    "not equivariant": "bold red",
}


@dataclass(frozen=True)
class Report:
    """What `audit` found. `print(report)` shows it as text; `report["blocks.0"]` is the first call of one part.

    Attributes:
        model: class of the model.
        layers: its parts, in the order in which they run.
        total: the model as a whole.
        rotations: those that were tried.
        z_angles: angles of the others, about z, radians.
        takes: what the signals were taken for.
        signals: their shape.
        dtype: their dtype.
        training: whether the model was in training mode.
        seed: of the rotations.
        flips: how often, on average, the largest of the outputs is another one after a rotation; None where there is no choice.
        lie: error per radian of infinitesimal rotations about x, y, z (see `lie_error`); a string where it could not be
            had; None where it was not asked for.
        notes: what was guessed.
    """

    model: str
    layers: list[LayerAudit]
    total: LayerAudit
    rotations: Float64[Tensor, "n 3 3"]
    z_angles: Float64[Tensor, "nz"]
    takes: str
    signals: tuple[int, ...]
    dtype: str
    training: bool
    seed: int
    flips: float | None
    lie: Float64[Tensor, "3"] | str | None
    notes: tuple[str, ...]

    @property
    def worst(self) -> str:
        """Qualified name of the submodule that adds most error (median over rotations); empty for the model's own code."""
        return max(self.layers, key=lambda row: row.own.median).name if self.layers else ""

    @property
    def accused(self) -> list[str]:
        """Qualified names of the submodules whose error is neither rounding, nor aliasing, nor a matter of resolution."""
        return list(dict.fromkeys(row.name for row in self.layers if row.accused))

    @property
    def equivariant(self) -> bool:
        """Whether the output, and each part that is understood, follows every rotation that was tried to rounding.

        Aliasing counts: a ReLU on a grid is equivariant on functions, but not to the tolerance of its dtype.
        """
        return all(row.verdict == "exact" for row in [*self.layers, self.total])

    def __getitem__(self, name: str) -> LayerAudit:
        """The first call of a part, by its qualified name."""
        for row in self.layers:
            if row.name == name:
                return row
        raise KeyError(f"there is no {name!r} in the report; there are {', '.join(row.name for row in self.layers)}.")

    def _cells(self) -> list[tuple[str, ...]]:
        """Lines of the table: part, class, added (median, worst), about z, gathered, verdict."""
        lines: list[tuple[str, ...]] = []
        for row in [*self.layers, self.total]:
            whole = row is self.total
            z = row.own.about_z
            lines.append(
                (
                    "whole model" if whole else row.title,
                    row.kind + (f" (with {', '.join(row.includes)})" if row.includes else ""),
                    "" if whole else f"{row.own.median:.1e}",
                    "" if whole else f"{row.own.worst:.1e}",
                    f"{float(z.max()):.1e}" if len(z) else "",
                    f"{row.reaching.median:.1e}" if row.reaching else "",
                    row.verdict,
                )
            )
        return lines

    @property
    def _heads(self) -> tuple[str, ...]:
        return "part", "class", "adds (median)", "adds (worst)", "about z", "gathered", "verdict"

    def facts(self) -> list[str]:
        """What the table does not hold, a sentence each."""
        said = [
            f"Relative errors over {len(self.rotations)} rotations and {len(self.total.own.about_z)} about z, on signals "
            f"of shape {self.signals} ({self.takes}, {self.dtype}), in {'training' if self.training else 'evaluation'} mode."
        ]
        inexact = [row for row in self.layers if row.verdict != "exact"]
        if self.total.verdict != "exact":
            said.append(
                f"The output errs by {self.total.own.median:.1e} in the median, {self.total.own.worst:.1e} at the worst."
            )
        if inexact:
            said.append(f"Most error comes from {self.worst or 'the code of the model itself'}.")
        if self.accused:
            said.append(
                "Not equivariant: " + ", ".join(name or "the code of the model itself" for name in self.accused) + "."
            )
        said += [f"{verdict}: {VERDICTS[verdict]}." for verdict in dict.fromkeys(row.verdict for row in inexact)]
        if self.flips is not None:
            said.append(f"The largest output is another one after {100 * self.flips:.2f} % of the rotations.")
        if isinstance(self.lie, Tensor):
            x, y, z = self.lie.tolist()
            said.append(
                f"Infinitesimal rotations, error per radian: about x {x:.1e}, about y {y:.1e}, about z {z:.1e}."
            )
        return said + list(self.notes)

    def table(self) -> "Table":
        """The report as a table of the package `rich`.

        Raises:
            ImportError: where it is not installed.
        """
        try:
            from rich.box import SIMPLE_HEAD
            from rich.table import Table
        except ImportError as error:
            raise ImportError(
                "Report.table() needs rich: pip install 'equisphere[cli]'. `print(report)` needs nothing."
            ) from error
        table = Table(
            title=f"Equivariance of {self.model}",
            caption="\n".join(self.facts()),
            caption_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for k, head in enumerate(self._heads):
            numbers = 2 <= k <= 5
            table.add_column(
                head.replace(" (", "\n(") if numbers else head,
                justify="right" if numbers else "left",
                no_wrap=k > 1,
                overflow="fold",  # in a narrow window a long name goes on in the next line, and is not cut
            )
        lines = self._cells()
        for k, line in enumerate(lines):
            if k == len(lines) - 1:
                table.add_section()
            table.add_row(*line[:-1], f"[{COLOURS[line[-1]]}]{line[-1]}[/]")
        return table

    def __str__(self) -> str:
        lines = [self._heads, *self._cells()]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self._heads))]
        rows = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        ]
        return "\n".join([f"Equivariance of {self.model}", *rows, *self.facts()])

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain numbers and words (what JSON holds)."""
        return {
            "model": self.model,
            "equivariant": self.equivariant,
            "worst": self.worst,
            "accused": self.accused,
            "takes": self.takes,
            "signals": list(self.signals),
            "dtype": self.dtype,
            "training": self.training,
            "seed": self.seed,
            "flips": self.flips,
            "lie": self.lie.tolist() if isinstance(self.lie, Tensor) else self.lie,
            "notes": list(self.notes),
            "facts": self.facts(),
            "rotations": self.rotations.tolist(),
            "z_angles": self.z_angles.tolist(),
            "layers": [row.to_dict() for row in self.layers],
            "total": self.total.to_dict(),
        }

    def brief(self) -> dict[str, Any]:
        """What a card says of a model: on how many signals, under how many rotations, the error of the output, the verdict."""
        return {
            "signals": self.signals[0],
            "rotations": len(self.rotations),
            "dtype": self.dtype,
            "median": self.total.own.median,
            "worst": self.total.own.worst,
            "flips": self.flips,
            "verdict": self.total.verdict,
        }

    def save_html(self, path: str | Path) -> Path:
        """Write one page that holds its pictures and needs no network.

        Raises:
            ImportError: where the extra `plot` is not installed.
            OSError: where the file cannot be written.
        """
        from equisphere.plot import write_audit

        return write_audit(self.to_dict(), Path(path))
