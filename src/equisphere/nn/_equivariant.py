"""Everything linear that commutes with rotations: a real matrix per degree between the rows of two fields."""

from math import ceil, pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from equisphere import _checks
from equisphere.nn._field import Field, checked_field


class RowMaps(nn.Module):
    """A matrix per degree between the rows of two fields, however it is learned."""

    is_one_layer = True  # its list of weights is no layer of its own

    def __init__(self, source: Field, target: Field, bias: bool) -> None:
        super().__init__()
        source, target = checked_field(source, "source"), checked_field(target, "target")
        if source.bandwidth != target.bandwidth:
            raise ValueError(
                f"source and target must have one band limit, got {source.bandwidth} and {target.bandwidth}: rotations do not "
                "mix degrees, so no layer makes new ones. Cut the source before (`nn.SpectralPool`), or the output after."
            )
        self.source, self.target = source, target
        self.bandwidth = source.bandwidth
        scalars = target.of(0)
        self.bias = nn.Parameter(torch.zeros(scalars)) if bias and scalars else None

    @property
    def matrices(self) -> list[Float[Tensor, "in out"]]:
        """The transposed matrix of each degree, between the rows that have it."""
        raise NotImplementedError

    def forward(self, c: Float[Tensor, "batch in coefficients"]) -> Float[Tensor, "batch out coefficients"]:
        """Map each feature of the batch."""
        self.source.check(c)
        matrices = self.matrices
        _checks.alike(c, matrices[0])
        parts = []
        degrees = c.permute(2, 0, 1).split([2 * l + 1 for l in range(self.bandwidth)])
        for x, matrix in zip(degrees, matrices, strict=True):
            y = x.flatten(0, 1)[:, : len(matrix)] @ matrix
            missing = self.target.rows - y.shape[1]
            parts.append(nn.functional.pad(y, (0, missing)) if missing else y)
        if self.bias is not None:
            shift = nn.functional.pad(sqrt(4 * pi) * self.bias, (0, self.target.rows - len(self.bias)))
            parts[0] = parts[0] + shift
        return torch.cat(parts).unflatten(0, (-1, len(c))).permute(1, 2, 0)

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return f"{self.source}, {self.target}, bias={self.bias is not None}"


class EquivariantLinear(RowMaps):
    r"""A matrix per degree between the rows of two fields: every linear map between them that commutes with rotations.

    Rows of a `Field` are real coefficients, and a rotation acts on each degree of each row by the same real Wigner matrix. By
    Schur's lemma (that representation is irreducible over the reals, of odd dimension) the maps that commute with it are

        out_lm[i] = sum_j W^l[i, j] in_lm[j],   W^l real; rows of spin s take part from l = s on.

    In it lie the zonal convolution (spin 0 to 0), gradients (0 to 1), the lift from S2 to SO(3) (0 to 0 .. N), the
    correlation on SO(3) and the spin-weighted convolution: `SpinConv`, `LiftToSO3` and `SO3Conv` are this layer under the
    names of the papers.

    In complex numbers, with f_s = -(E + iB) the coefficients of spin s and f_-s those of its conjugate: a complex weight w
    from s to s' is the 2 x 2 block [[Re w, -Im w], [Im w, Re w]], and [[Re v, Im v], [Im v, -Re v]] is a weight v from -s to
    s'; from a real scalar, w is a column (Re w, Im w). Any real matrix is such a sum, so nothing is left out and every
    output is what a field says it is: a real signal stays real.

    Weights start at variance gain^2 / (rows that have the degree): the power of every degree keeps its size through a stack
    with ReLU-like functions, degrees below the highest spin included.

    Args:
        source: field of the input.
        target: field of the output, of the same band limit.
        anchors: learn the matrices of this many degrees, evenly spaced from 0 to L-1, and interpolate linearly between them
            (Esteves et al. 2018): filters local in space. All L degrees by default.
        bias: add a learned constant to the output channels of spin 0.

    Shape:
        `(batch, source.rows, L*L)` to `(batch, target.rows, L*L)`, real.

    Raises:
        ValueError: where the fields differ in band limit, anchors are fewer than 2 or more than L, or an input is no feature
            of the source, or of another dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> layer = es.nn.EquivariantLinear(es.nn.Field(8), es.nn.Field(8, spins=(0, 1), channels=4))
    >>> layer(torch.randn(3, 1, 64)).shape
    torch.Size([3, 12, 64])
    """

    def __init__(self, source: Field, target: Field, anchors: int | None = None, bias: bool = True) -> None:
        super().__init__(source, target, bias)
        L = self.bandwidth
        self.anchors = None if anchors is None else _checks.positive_int(anchors, "anchors")
        if self.anchors is not None and not 2 <= self.anchors <= L:
            raise ValueError(
                f"anchors must lie between 2 and the bandwidth {L}, got {anchors}. Leave it out to learn every degree."
            )
        step = 1 if self.anchors is None else (L - 1) / (self.anchors - 1)
        last = [min(L - 1, ceil(round((j + 1) * step, 6)) - 1) for j in range(self.anchors or L)]
        #: of each anchor the matrix (in, out), between the rows that any degree interpolated from it has
        self.weights = nn.ParameterList(torch.empty(source.rows_at(l), target.rows_at(l)) for l in last)
        self.reset_parameters()

    def reset_parameters(self, gain: float = sqrt(2)) -> None:
        """Draw new weights of variance gain^2 / (rows that have the degree), and no bias."""
        with torch.no_grad():
            for weight in self.weights:
                weight.normal_(std=gain / sqrt(max(1, len(weight))))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def matrices(self) -> list[Float[Tensor, "in out"]]:
        """The transposed matrix of each degree, between the rows that have it."""
        if self.anchors is None:
            return list(self.weights)
        found = []
        for l in range(self.bandwidth):
            place = l * (self.anchors - 1) / (self.bandwidth - 1)
            j = min(int(place + 1e-9), self.anchors - 2)
            here = slice(self.source.rows_at(l)), slice(self.target.rows_at(l))
            t = place - j
            ends = [self.weights[k][here] * share for k, share in ((j, 1 - t), (j + 1, t)) if share > 1e-9]
            found.append(ends[0] if len(ends) == 1 else ends[0] + ends[1])
        return found

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        anchors = "" if self.anchors is None else f", anchors={self.anchors}"
        return f"{super().extra_repr()}{anchors}"
