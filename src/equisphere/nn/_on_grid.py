"""What nonlinearities of fields have in common: a grid, fine enough."""

from math import ceil, inf

from torch import Tensor, nn

from equisphere.grids import GaussLegendre
from equisphere.nn._field import Field, checked_field
from equisphere.transforms import pointwise_spins
from equisphere.transforms._spin_pointwise import joined


def fine_grid(bandwidth: int, oversampling: float) -> GaussLegendre:
    """The Gauss-Legendre grid that carries `oversampling` times the band limit, with an even number of rings.

    Raises:
        ValueError: where the oversampling is no number, below 1, or infinite.
    """
    if not isinstance(oversampling, (int, float)):
        raise ValueError(f"oversampling must be a number, got {oversampling!r}.")
    if not 1 <= oversampling < inf:
        raise ValueError(
            f"oversampling must be at least 1 (a grid that carries the band limit itself) and finite, got {oversampling}."
        )
    resolved = ceil(round(oversampling * bandwidth, 6))
    return GaussLegendre(bandwidth, nlat=max(2, resolved + resolved % 2), nlon=max(2, 2 * resolved))


class FieldNonlinearity(nn.Module):
    """A nonlinearity of the samples of a field, projected back to its band limit; see `Activation` for its aliasing."""

    is_one_layer = True  # an audit looks at the function together with its transforms

    def __init__(self, source: Field, target: Field, oversampling: float) -> None:
        super().__init__()
        self.source, self.target = checked_field(source), checked_field(target)
        self.bandwidth = source.bandwidth
        self.grid = fine_grid(self.bandwidth, oversampling)
        self.oversampling = float(oversampling)

    def values(self, *samples: Tensor) -> list[Tensor]:
        """The function of the samples of each spin of the source: samples of each spin of the target."""
        raise NotImplementedError

    def on_grid(self, *features: Tensor) -> Tensor:
        """Synthesis of all features, the function, analysis."""
        pairs = [part for field, c in zip(self.takes, features, strict=True) for part in field.parts(c).items()]
        spins = (*(spin for spin, _ in pairs), *self.target.spins)
        return joined(pointwise_spins(self.values, [c for _, c in pairs], spins, self.grid, self.bandwidth))

    @property
    def takes(self) -> tuple[Field, ...]:
        """Fields of the inputs."""
        return (self.source,)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.source}, oversampling={self.oversampling:g}"
