"""Convolution on finite sets: all that commutes with a finite group."""

from math import sqrt

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from equisphere import _checks
from equisphere.groups import Group, action_table, check_action
from equisphere.groups._actions import Action


class GroupConv(nn.Module):
    r"""Group convolution with a learned kernel, on any finite set on which a finite group acts (docs/math.md, 2).

    (f * h)(x) = sum over g in G of f(g.eta) h(g^-1 x), summed over input channels: `groups.convolve` as a layer. A set that is
    not homogeneous, such as the pixels of an image under quarter turns, falls into orbits; each has a pole eta and a kernel of
    its own, and the convolutions are added.

    Written as a matrix, the layer has one entry for all pairs of points (y, x) that a group element takes to one another. Such
    a set of pairs is an orbital; what is learned is one number for each, and these are all linear maps that commute with the
    group. `filters` gives the kernels h. Compare `ZonalConv`, the same for the sphere under SO(3), where a degree stands for an
    orbital.

    Weights start so that the mean square of outputs is gain^2 = 2 times that of inputs, for every input (docs/math.md, 2): the
    power of signals keeps its size through a stack of convolutions and ReLU-like functions. With weights of one variance
    (He et al. 2015) it would grow from layer to layer, since a signal of one sign adds up over an orbital of many pairs.

    The matrix of all channels is made anew in each call by one gather, and applied by one product: made for sets of up to
    about a thousand points.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        group: a finite group (`group.exact`).
        action: from elements `(n, 1, *element)` and indices of points `(1, m)` to indices `(n, m)`: see `groups.check_action`.
        points: number of points of the set, |E|.
        bias: add a learned constant to each output channel, one for each orbit (only constants on orbits are invariant).

    Shape:
        `(batch, in_channels, |E|)` to `(batch, out_channels, |E|)`, real.

    Raises:
        ValueError: where a number is not a positive integer, the group is not finite, the action is no left action, or an input
            has another shape, dtype or device than the layer.

    >>> import torch, equisphere as es
    >>> G = es.groups.Dihedral(4)
    >>> layer = GroupConv(3, 8, G, es.groups.act_on_pixels(5), points=25)
    >>> image = torch.randn(2, 3, 5, 5)
    >>> layer(image.flatten(2)).shape, len(layer.poles)
    (torch.Size([2, 8, 25]), 6)
    >>> turned = es.groups.act_on_images(G.elements[3], image)
    >>> moved = es.groups.act_on_images(G.elements[3], layer(image.flatten(2)).unflatten(2, (5, 5)))
    >>> bool(torch.allclose(layer(turned.flatten(2)).unflatten(2, (5, 5)), moved, atol=1e-5))
    True
    """

    index: Int[Tensor, "points points"]
    poles: Int[Tensor, "orbits"]
    orbits: Int[Tensor, "points"]
    stabilisers: Int[Tensor, "orbits"]

    def __init__(
        self, in_channels: int, out_channels: int, group: Group, action: Action, points: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.in_channels = _checks.positive_int(in_channels, "in_channels")
        self.out_channels = _checks.positive_int(out_channels, "out_channels")
        self.points = _checks.positive_int(points, "points")
        if not isinstance(group, Group) or not group.exact:
            raise ValueError(
                f"the group must be finite, given by all of its elements, got {group!r}. On the sphere under SO(3), "
                "the layer is `ZonalConv`."
            )
        self.group = repr(group)
        table = action_table(group, action, self.points)
        check_action(group, action, torch.arange(self.points))
        index, poles, orbits, stabilisers = _orbitals(table)
        for name, value in (("index", index), ("poles", poles), ("orbits", orbits), ("stabilisers", stabilisers)):
            self.register_buffer(name, value, persistent=False)
        self.weight = nn.Parameter(torch.empty(self.out_channels, self.in_channels, int(index.max()) + 1))
        self.bias = nn.Parameter(torch.empty(self.out_channels, len(poles))) if bias else None
        self.reset_parameters()

    def reset_parameters(self, gain: float = sqrt(2)) -> None:
        """Draw new weights, so that the mean square of outputs is gain^2 times that of inputs; and no bias."""
        sizes, root, places = _even_power(self.index.cpu(), self.poles.cpu())
        noise = torch.randn(self.weight.shape, dtype=torch.float64) * gain / (sizes * self.in_channels).sqrt()
        with torch.no_grad():
            self.weight.copy_((root @ noise[..., self.index[:, self.poles].cpu()]).flatten(-2)[..., places])
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def filters(self) -> Float[Tensor, "out in poles points"]:
        """The kernels: the layer is the sum of `convolve(f, filters[:, :, i], group, action, poles[i])`, without its bias.

        As many elements as the stabiliser of a pole has take it to a point, each adding the same.
        """
        return self.weight[..., self.index[self.poles]] / self.stabilisers[:, None]

    def forward(self, f: Float[Tensor, "batch in points"]) -> Float[Tensor, "batch out points"]:
        """Convolve each signal of the batch."""
        _checks.real(f, "signals")
        if f.ndim != 3 or f.shape[1:] != (self.in_channels, self.points) or len(f) == 0:
            raise ValueError(
                f"signals must have shape (batch, {self.in_channels}, {self.points}), batch at least 1, got {tuple(f.shape)}. "
                "An image is a signal by `image.flatten(-2)`."
            )
        _checks.alike(f, self.weight)
        entries = self.weight.flatten(0, 1).index_select(1, self.index.flatten())
        matrix = entries.reshape(self.out_channels, self.in_channels, self.points, self.points)
        out = torch.einsum("biy,oiyx->box", f, matrix)
        return out if self.bias is None else out + self.bias[:, self.orbits]

    def extra_repr(self) -> str:
        """What the module is, for `print`."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.group}, points={self.points}, "
            f"orbitals={self.weight.shape[-1]}, bias={self.bias is not None}"
        )


def _orbitals(table: Int[Tensor, "elements points"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What an action does to pairs of points.

    Returns:
        Number of the orbital of each pair; first point of each orbit; orbit of each point; size of each pole's stabiliser.
    """
    size = table.shape[1]
    poles, orbits = table.amin(0).unique(return_inverse=True)  # the least point that each can be taken to
    index = torch.empty(size, size, dtype=torch.long)
    known, stabilisers = 0, []
    for pole in poles:
        stabiliser = table[table[:, pole] == pole]
        _, label = stabiliser.amin(0).unique(return_inverse=True)  # orbitals of (pole, x)
        here = (orbits == orbits[pole]).nonzero()[:, 0]
        taker = (table[:, pole] == here[:, None]).byte().argmax(1)  # an element that takes the pole to each point y
        index[here] = known + label[table[taker].argsort(1)]  # (y, x) = g.(pole, g^-1 x)
        known += int(label.max()) + 1
        stabilisers.append(len(stabiliser))
    return index, poles, orbits, torch.tensor(stabilisers)


def _even_power(
    index: Int[Tensor, "points points"], poles: Int[Tensor, "orbits"]
) -> tuple[Float64[Tensor, "orbitals"], Float64[Tensor, "points points"], Int[Tensor, "orbitals"]]:
    """How to make the mean of W W^T the identity for random matrices W that commute with the group.

    Independent normal numbers for the orbitals, over the root of their size, give a W that is isotropic among such matrices.
    Its S = mean of W W^T commutes with the group too, so that S^{-1/2} W does, and has the identity for it.

    Returns:
        Number of pairs in each orbital; S^{-1/2}; a pair (y, pole) of each orbital, as its place in the flat `index[:, poles]`.
    """
    sizes = index.flatten().bincount().double()
    columns = index[:, poles].flatten()
    places = torch.full_like(sizes, len(columns), dtype=torch.long)
    places = places.scatter_reduce(0, columns, torch.arange(len(columns)), "amin")
    # S(y, z) = sum over x of 1 / size, where (y, x) and (z, x) are of one orbital; S is known by its columns z at the poles
    S = torch.stack([((index == index[z]) / sizes[index]).sum(1) for z in poles], dim=1).flatten()[places][index]
    values, vectors = torch.linalg.eigh(S)
    return sizes, (vectors / values.sqrt()) @ vectors.mT, places
