"""Finite groups and sets to test on, made as a user would: by subclasses of `Group` and plain functions."""

import torch

from equisphere.groups import Dihedral, Group


class Plane(Group):
    """All that moves the pixels of an n x n torus onto one another rigidly: (i, j, k, s) is the symmetry (k, s) of the square,
    then a shift by (i, j).
    """

    def __init__(self, n):
        self.n, self.square = n, Dihedral(4)
        super().__init__(torch.cartesian_prod(*(torch.arange(k) for k in (n, n, 4, 2))))

    def turned(self, g, shift):
        return (self.square.matrices(g[..., 2:]).round().long() * shift[..., None, :]).sum(-1) % self.n

    def compose(self, a, b):
        a, b = torch.broadcast_tensors(a, b)
        shift = (a[..., :2] + self.turned(a, b[..., :2])) % self.n
        return torch.cat((shift, self.square.compose(a[..., 2:], b[..., 2:])), -1)

    def inverse(self, a):
        back = torch.cat((a[..., :2], self.square.inverse(a[..., 2:])), -1)
        return torch.cat((-self.turned(back, a[..., :2]) % self.n, back[..., 2:]), -1)

    def on_pixels(self, g, x):
        place = (g[..., :2] + self.turned(g, torch.stack((x // self.n, x % self.n), -1))) % self.n
        return place[..., 0] * self.n + place[..., 1]


class Generated(Group):
    """The permutations that a few permutations generate."""

    def __init__(self, generators):
        n = len(generators[0])
        found, newest = {tuple(range(n)): None}, [tuple(range(n))]
        while newest:
            products = [tuple(p[i] for i in q) for p in generators for q in newest]
            newest = list(dict.fromkeys(product for product in products if product not in found))
            found |= dict.fromkeys(newest)
        self.number = {p: i for i, p in enumerate(found)}
        super().__init__(torch.tensor(list(found)))

    def compose(self, a, b):
        a, b = torch.broadcast_tensors(a, b)
        return a.gather(-1, b)

    def inverse(self, a):
        return a.argsort(-1)

    def numbers(self, a):
        """The places of elements in the list of all."""
        return torch.tensor([self.number[tuple(p)] for p in a.reshape(-1, a.shape[-1]).tolist()]).reshape(a.shape[:-1])


def cosets(group, subgroup):
    """The homogeneous space G/H: the action on its points, the cosets xH, and how many there are."""
    G = group.elements
    least = group.numbers(group.compose(G[:, None], subgroup.elements[None])).amin(1)  # the first element of each coset
    firsts, coset_of = least.unique(return_inverse=True)

    def action(g, x):
        return coset_of[group.numbers(group.compose(g, G[firsts][x]))]

    return action, len(firsts)


def union(*spaces):
    """Sets side by side, of which each element keeps each: (action, size) of a set that is not homogeneous."""
    sizes = [size for _, size in spaces]

    def action(g, x):
        images = torch.full(torch.broadcast_shapes((len(g), 1), x.shape), -1)
        start = 0
        for act, size in spaces:
            here = (x >= start) & (x < start + size)
            images = torch.where(here, act(g, (x - start).clamp(0, size - 1)) + start, images)
            start += size
        return images

    return action, sum(sizes)


def on_faces(g, x):
    """Rotations on the faces of the cube, numbered +x, -x, +y, -y, +z, -z."""
    normals = torch.eye(3, dtype=torch.float64).repeat_interleave(2, 0) * torch.tensor([1.0, -1.0] * 3)[:, None]
    normals = normals.to(g)
    return (torch.einsum("...ij,...j->...i", g, normals[x]) @ normals.T).argmax(-1)
