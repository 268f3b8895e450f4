"""Points on the surface of a mesh."""

import torch
from jaxtyping import Float64
from torch import Tensor

from equisphere import _checks
from equisphere.data._meshes import Mesh


def sample_surface(mesh: Mesh, points: int, seed: int = 0) -> Float64[Tensor, "points 3"]:
    """Points drawn evenly by area on the surface of a mesh, of the mesh normalised (`Mesh.normalized`), in random order.

    Systematic sampling: with the triangles in a row, each as long as its area, points lie at equal distances from a random
    first one, so that each triangle has its share to within one point; in a triangle they are uniform (Osada et al. 2002, 4.1:
    (1 - sqrt r) A + sqrt r (1 - s) B + sqrt r s C). A mesh without area has its points on its edges.

    Args:
        mesh: any triangles.
        points: how many.
        seed: of the draw.

    Raises:
        DataError: where all corners are one point.

    >>> square = Mesh(torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2], [0, 2, 3]]))
    >>> sample_surface(square, 1000).shape
    torch.Size([1000, 3])
    """
    n = _checks.positive_int(points, "points")
    generator = torch.Generator().manual_seed(seed)
    normal = mesh.normalized()
    a, b, c = normal.vertices[normal.faces].unbind(1)
    size = torch.linalg.cross(b - a, c - a).norm(dim=-1)
    if float(size.sum()) == 0:
        size = (b - a).norm(dim=-1) + (c - a).norm(dim=-1)
    ends = size.cumsum(0)
    start = torch.rand(1, generator=generator, dtype=torch.float64)
    place = (torch.arange(n, dtype=torch.float64) + start) / n * ends[-1]
    which = torch.searchsorted(ends, place, right=True).clamp(max=len(ends) - 1)
    which = which[torch.randperm(n, generator=generator)]
    r, s = torch.rand(2, n, 1, generator=generator, dtype=torch.float64)
    r = r.sqrt()
    return (1 - r) * a[which] + r * (1 - s) * b[which] + r * s * c[which]
