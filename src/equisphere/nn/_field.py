"""What a feature is: which spins, in how many channels, to which band limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from jaxtyping import Float
from torch import Tensor

from equisphere import _checks


@dataclass(frozen=True, init=False)
class Field:
    r"""The type of a feature: its spins, the channels of each, its band limit; and where everything stands in a tensor of it.

    A signal of spin s > 0 is one complex number at each point, against the local axes. It is the sum of two real signals
    without the degrees l < s, E and B (`transforms.e_b_modes`), which turn under rotations as any scalar signals do. So a
    feature is real coefficients `(batch, rows, L*L)`, whatever its spins, and every row is rotated by the same `es.rotate`:

        spin after spin, from the lowest: at spin 0 a row for each channel; at spin s > 0 the E of all channels, then all B.

    Coefficients of degrees l < s are zero; linear layers and transforms ignore what stands there, and give zeros. Spin -s is
    the conjugate of spin s, and held by it: spins are not negative here. A complex scalar is two channels.

    In: a scalar by its coefficients, as they are; a spin signal by `e_b_modes(SpinSHT(grid, L, s)(f))`, as two rows. Out: the
    same, backwards (`parts` takes a tensor apart). A function on SO(3) is a field of the spins 0 .. N, its Fourier modes in
    the third angle (see `on_so3`).

    Args:
        bandwidth: band limit L.
        spins: distinct, from 0 on, below L.
        channels: of each spin, or one number for all.

    Raises:
        ValueError: where the numbers do not fit together.

    >>> field = Field(16, spins=(0, 1, 2), channels=(8, 4, 4))
    >>> field.rows  # 8 + 2 * 4 + 2 * 4
    24
    >>> Field(16, spins=(2, 0), channels=5)
    Field(bandwidth=16, spins=(0, 2), channels=(5, 5))
    """

    bandwidth: int
    spins: tuple[int, ...] = (0,)
    channels: tuple[int, ...] = (1,)

    def __init__(self, bandwidth: int, spins: Sequence[int] = (0,), channels: int | Sequence[int] = 1) -> None:
        L = _checks.positive_int(bandwidth, "bandwidth")
        if not isinstance(spins, Sequence) or not spins:
            raise ValueError(f"spins must be a sequence of integers, such as (0, 1), got {spins!r}.")
        if getattr(channels, "ndim", 0):
            raise ValueError(
                f"channels must be an integer, or a sequence of one for each spin, no array, got {channels!r}."
            )
        numbers = [channels] * len(spins) if not isinstance(channels, Sequence) else list(channels)
        if len(numbers) != len(spins):
            raise ValueError(
                f"channels need one number for each spin, or one for all: {len(spins)} spins, {len(numbers)} numbers."
            )
        for s in spins:
            if isinstance(s, bool) or not isinstance(s, int):
                raise ValueError(f"spins must be integers, got {s!r}.")
            if s < 0:
                raise ValueError(
                    f"spins must not be negative, got {s}: a signal of spin {s} is the conjugate of one of spin {-s}, whose "
                    f"two rows hold both. Give {-s}."
                )
            if s >= L:
                raise ValueError(f"spin {s} has degrees l >= {s} alone: none below the band limit {L}.")
        if len(set(spins)) != len(spins):
            raise ValueError(f"spins must be distinct, got {tuple(spins)}. Give one spin more channels instead.")
        pairs = sorted((s, _checks.positive_int(n, "channels")) for s, n in zip(spins, numbers, strict=True))
        object.__setattr__(self, "bandwidth", L)
        object.__setattr__(self, "spins", tuple(s for s, _ in pairs))
        object.__setattr__(self, "channels", tuple(n for _, n in pairs))

    @classmethod
    def on_so3(cls, bandwidth: int, order: int, channels: int) -> "Field":
        """Real functions on SO(3) with Fourier modes up to `order` in the third angle: spins 0 .. order, alike in channels.

        f(R_z(alpha) R_y(beta) R_z(gamma)) = F_0(x) + sqrt2 Re sum_s F_s(x) e^{-is gamma} at x = (beta, alpha): the mean of f^2
        over gamma is the sum of |F_s|^2.

        >>> Field.on_so3(8, order=2, channels=3)
        Field(bandwidth=8, spins=(0, 1, 2), channels=(3, 3, 3))
        """
        return cls(bandwidth, range(order + 1), channels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of rows of each spin."""
        return tuple(n * (2 if s else 1) for s, n in zip(self.spins, self.channels, strict=True))

    @property
    def rows(self) -> int:
        """Number of rows of a feature: tensors are `(batch, rows, L*L)`."""
        return sum(self.sizes)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of a feature, without the batch."""
        return self.rows, self.bandwidth**2

    def rows_in_words(self, pair: str) -> str:
        """What the rows are, for messages; `pair` names the two of a channel with spin.

        >>> Field(4, spins=(0, 2), channels=5).rows_in_words("E and B")
        '5 of spin 0, 10 of E and B of spin 2'
        """
        words = (f"{pair} of spin {s}" if s else "spin 0" for s in self.spins)
        return ", ".join(f"{n} of {what}" for n, what in zip(self.sizes, words, strict=True))

    def of(self, spin: int) -> int:
        """Number of channels of a spin; 0 where there are none."""
        return dict(zip(self.spins, self.channels, strict=True)).get(spin, 0)

    def rows_at(self, degree: int) -> int:
        """How many rows have this degree: the first ones, those of the spins up to it.

        >>> [Field(4, spins=(0, 2), channels=5).rows_at(l) for l in range(4)]
        [5, 5, 15, 15]
        """
        return sum(n for s, n in zip(self.spins, self.sizes, strict=True) if s <= degree)

    def parts(self, c: Float[Tensor, "batch rows coefficients"]) -> dict[int, Float[Tensor, "batch some coefficients"]]:
        """The rows of each spin: views.

        >>> import torch
        >>> {s: c.shape for s, c in Field(4, spins=(0, 1), channels=3).parts(torch.zeros(2, 9, 16)).items()}
        {0: torch.Size([2, 3, 16]), 1: torch.Size([2, 6, 16])}
        """
        self.check(c)
        stops = list(accumulate(self.sizes))
        return {s: c[:, b - n : b] for s, n, b in zip(self.spins, self.sizes, stops, strict=True)}

    def at(self, bandwidth: int) -> "Field":
        """The same at another band limit: after a `SpectralPool`, say."""
        return Field(bandwidth, self.spins, self.channels)

    def check(self, c: Tensor, name: str = "features") -> None:
        """Check that a tensor is a feature of this type.

        Raises:
            ValueError: where it is not real, of another shape, or an empty batch.
        """
        _checks.real(c, name)
        if c.ndim != 3 or tuple(c.shape[1:]) != self.shape:
            rows = self.rows_in_words("E and B")
            raise ValueError(
                f"{name} must have shape (batch, {self.rows}, {self.bandwidth**2}): {self.rows} rows ({rows}) of band limit "
                f"{self.bandwidth}, got {tuple(c.shape)}. A lower band limit is `c[..., : L * L]` (`nn.SpectralPool(L)`); a "
                "complex spin signal gives two rows by `transforms.e_b_modes`."
            )
        _checks.some(c, name)


def checked_field(field: object, name: str = "field") -> Field:
    """What a layer was given as the type of its features.

    Raises:
        ValueError: where it is no `Field`.
    """
    if not isinstance(field, Field):
        raise ValueError(f"{name} must be an nn.Field, such as Field(16, spins=(0, 1), channels=8), got {field!r}.")
    return field
