"""Pointwise nonlinearities of fields with spin: by magnitude, by gates, and as functions of rotations."""

from collections.abc import Callable
from math import ceil, pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.nn._field import Field
from equisphere.nn._on_grid import FieldNonlinearity
from equisphere.nn._so3_fields import function_order

Features = Float[Tensor, "batch _ coefficients"]
#: added to |f|^2 under the root, so that phases have a derivative where f vanishes
EPSILON = 1e-6


def magnitude(f: Float[Tensor, "2 *shape"]) -> Float[Tensor, "*shape"]:
    """|f| = sqrt(|f|^2 + 1e-6) of real and imaginary part."""
    return (f.square().sum(0) + EPSILON).sqrt()


class MagnitudeActivation(FieldNonlinearity):
    r"""A function of the magnitude at every point, the phase kept: f -> sigma(|f| + b) f / |f|; of scalars, f -> sigma(f).

    Turning the local axes multiplies f by a phase, with which this commutes (Esteves et al. 2020; Worrall et al. 2017).
    |f| is no polynomial: the equivariance error is aliasing, which falls with `oversampling` (see `Activation`). |f| is
    taken as sqrt(|f|^2 + 1e-6).

    Args:
        function: sigma, acts on each number alone, for example `torch.relu`.
        field: of input and output.
        oversampling: grid band limit over L, at least 1.
        scalar_function: another function for the scalars; sigma by default.
        bias: learn b for each channel of spin s > 0; it begins at 0.

    Shape:
        `(batch, field.rows, L*L)` to the same.

    Raises:
        ValueError: where the function cannot be called, the oversampling is below 1, or an input is no such feature.

    >>> import torch, equisphere as es
    >>> field = es.nn.Field(8, spins=(0, 1), channels=3)
    >>> MagnitudeActivation(torch.relu, field)(torch.randn(2, *field.shape)).shape
    torch.Size([2, 9, 64])
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        field: Field,
        oversampling: float = 1.5,
        scalar_function: Callable[[Tensor], Tensor] | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__(field, field, oversampling)
        self.function = _callable(function)
        self.scalar_function = self.function if scalar_function is None else _callable(scalar_function)
        spins = {s: n for s, n in zip(field.spins, field.channels, strict=True) if s}
        self.bias = nn.ParameterDict({str(s): nn.Parameter(torch.zeros(n)) for s, n in spins.items() if bias})

    def forward(self, c: Features) -> Features:
        """Apply the function to each feature."""
        return self.on_grid(c)

    def values(self, *samples: Tensor) -> list[Tensor]:
        """The function of the samples of each spin."""
        return [self._of(s, f) for s, f in zip(self.source.spins, samples, strict=True)]

    def _of(self, spin: int, f: Tensor) -> Tensor:
        if spin == 0:
            return self.scalar_function(f)
        size = magnitude(f)
        shifted = size
        if str(spin) in self.bias:
            shifted = size + self.bias[str(spin)].to(f.dtype)[:, None, None]
        return f * (self.function(shifted) / size)


class GatedActivation(FieldNonlinearity):
    r"""Spins times gates: f -> f sigmoid(g) at every point, g a scalar for each channel of spin s > 0; of scalars, sigma(f).

    Scalars commute with turns of the local axes (Weiler et al. 2018). The gates are the last channels of spin 0 of the input.
    The error is aliasing, as in `Activation`.

    Args:
        function: sigma, acts on each number of the other scalars alone.
        field: of the output; the input's (`source`) has as many scalars more as there are channels of spin s > 0.
        oversampling: grid band limit over L, at least 1.

    Shape:
        `(batch, source.rows, L*L)` to `(batch, field.rows, L*L)`.

    Raises:
        ValueError: where the function cannot be called, the field has no spin s > 0, the oversampling is below 1, or an input
            is no feature of the source.

    >>> import torch, equisphere as es
    >>> layer = GatedActivation(torch.relu, es.nn.Field(8, spins=(0, 1), channels=(3, 2)))
    >>> layer.source
    Field(bandwidth=8, spins=(0, 1), channels=(5, 2))
    >>> layer(torch.randn(2, *layer.source.shape)).shape
    torch.Size([2, 7, 64])
    """

    def __init__(self, function: Callable[[Tensor], Tensor], field: Field, oversampling: float = 1.5) -> None:
        turning = {s: n for s, n in zip(field.spins, field.channels, strict=True) if s}
        if not turning:
            raise ValueError(
                f"gates act on spins above 0, of which {field} has none. Take `nn.Activation` for scalars."
            )
        scalars = field.of(0) + sum(turning.values())
        source = Field(field.bandwidth, (0, *turning), (scalars, *turning.values()))
        super().__init__(source, field, oversampling)
        self.function = _callable(function)
        self._split = [field.of(0), *turning.values()]

    def forward(self, c: Features) -> Features:
        """Apply function and gates to each feature."""
        gates = sum(self._split[1:])
        self.source.check(c, f"features before gates (the field `activation.source`: {gates} scalars more, the gates)")
        return self.on_grid(c)

    def values(self, *samples: Tensor) -> list[Tensor]:
        """Function and gates on the samples of each spin."""
        scalars, *spins = samples
        single, *gates = scalars.split(self._split, dim=1)
        gated = [f * gate.sigmoid() for f, gate in zip(spins, gates, strict=True)]
        return [self.function(single), *gated] if self.target.of(0) else gated


class SO3Activation(FieldNonlinearity):
    r"""A pointwise function of a function on SO(3), projected back: samples at rotations, sigma, analysis (Cohen et al. 2018).

    A field of the spins 0 .. N is a function on SO(3) (`Field.on_so3`). It is sampled at the nodes of a grid on the sphere, in
    evenly spaced third angles at each, where sigma acts; any sigma commutes with rotations of functions. The error is
    aliasing, as in `Activation`, over the sphere and over the third angle: none but rounding for a polynomial of degree p from
    oversampling (p + 1) / 2 and more than (p + 1) N angles on. Angles are cheap, transforms are not: by default there are
    twice as many as the oversampling asks for, 4 N oversampling + 1.

    Args:
        function: sigma, acts on each number alone, for example `torch.relu`.
        field: of input and output: spins 0 .. N with the same number of channels each.
        oversampling: grid band limit over L, at least 1.
        angles: how many third angles, at least 2 N + 1.

    Shape:
        `(batch, field.rows, L*L)` to the same.

    Raises:
        ValueError: where the function cannot be called, the field is no `Field.on_so3`, the oversampling is below 1, the angles
            are too few, or an input is no such feature.

    >>> import torch, equisphere as es
    >>> field = es.nn.Field.on_so3(8, order=2, channels=3)
    >>> SO3Activation(torch.relu, field)(torch.randn(2, *field.shape)).shape
    torch.Size([2, 15, 64])
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        field: Field,
        oversampling: float = 1.5,
        angles: int | None = None,
    ) -> None:
        super().__init__(field, field, oversampling)
        self.function = _callable(function)
        order = function_order(field)
        self.angles = ceil(round(4 * order * oversampling, 6)) + 1
        if angles is not None:
            self.angles = _checks.positive_int(angles, "angles")
        if self.angles <= 2 * order:
            raise ValueError(
                f"modes up to {order} need at least {2 * order + 1} third angles to be told apart, got {self.angles}."
            )
        gamma = 2 * pi / self.angles * torch.arange(self.angles, dtype=torch.float64)
        turns = gamma[:, None] * torch.arange(1, order + 1)
        waves = sqrt(2) * torch.stack((turns.cos(), turns.sin()), dim=-1).flatten(1)
        #: of each third angle the factor of F_0, Re F_s and Im F_s `(angles, 2 N + 1)`, in float64 whatever the layer is
        self._waves = torch.cat((torch.ones(self.angles, 1, dtype=torch.float64), waves), dim=1)

    def forward(self, c: Features) -> Features:
        """Apply the function to each feature."""
        return self.on_grid(c)

    def values(self, *samples: Tensor) -> list[Tensor]:
        """The function at all third angles, back to the modes of each spin."""
        waves = self._waves.to(samples[0])
        stacked = torch.cat([samples[0][None], *samples[1:]])
        f = self.function((waves @ stacked.flatten(1)).unflatten(1, stacked.shape[1:]))
        back = ((waves.T / len(waves)) @ f.flatten(1)).unflatten(1, stacked.shape[1:])
        return [back[0], *back[1:].split(2)]

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{super().extra_repr()}, angles={self.angles}"


def _callable(function: object) -> Callable[[Tensor], Tensor]:
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"function must be callable, such as torch.relu or an instance nn.ReLU(), got {function!r}.")
    return function
