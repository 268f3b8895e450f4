"""Write the figures of docs/data.md: no number there is typed by hand.

    EQUISPHERE_DATA=... python docs/write_data.py

The table stands between `<!-- begin figures -->` and `<!-- end figures -->`. Without EQUISPHERE_DATA the row
on real shapes is left out.
"""

import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import trimesh

import equisphere as es
from equisphere.data import (
    Mesh,
    Projection,
    cloud_coefficients,
    find_files,
    mesh_signal,
    molecule_coefficients,
    normalize_points,
    panorama_coefficients,
    project_files,
    write_mesh,
)

PAGE = Path(__file__).parent / "data.md"


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Medians of seven runs after a first one: wall time and processor time, milliseconds."""
    function()
    wall, processor = [], []
    for _ in range(7):
        began, busy = time.perf_counter(), time.process_time()
        function()
        wall.append(1e3 * (time.perf_counter() - began))
        processor.append(1e3 * (time.process_time() - busy))
    return median(wall), median(processor)


def bumpy_ball() -> Mesh:
    """A closed surface of 20,480 triangles that is not convex."""
    ball = trimesh.creation.icosphere(5)
    v = torch.from_numpy(np.array(ball.vertices))
    r = 1 + 0.3 * torch.sin(5 * v[:, :1]) * v[:, 1:2]
    return Mesh(r * v, torch.from_numpy(np.array(ball.faces, dtype=np.int64)))


def turned_error(lift: Callable[[torch.Tensor], torch.Tensor], points: torch.Tensor) -> float:
    """Worst relative difference between lifting what is turned and turning what is lifted, over 8 rotations."""
    c = lift(points)
    worst = 0.0
    for R in es.random_rotations(8, dtype=points.dtype):
        expected = es.rotate(c, R)
        worst = max(worst, float((lift(points @ R.mT) - expected).norm() / expected.norm()))
    return worst


def figures() -> list[str]:
    """Rows of the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []

    def row(what: str, wall: float, processor: float) -> None:
        rows.append(f"| {what} | {wall:.3g} ms | {processor:.3g} ms |")

    cloud = normalize_points(torch.randn(64, 1024, 3))
    wall, busy = timed(lambda: cloud_coefficients(cloud, 12))
    row("a cloud of 1,024 points, 6 shells, L = 12 (of a batch of 64)", wall / 64, busy / 64)
    leaf = cloud.clone().requires_grad_()
    wall, busy = timed(lambda: cloud_coefficients(leaf, 12).square().sum().backward())
    row("the same with its gradient in the points", wall / 64, busy / 64)
    grid, mesh = es.grids.DriscollHealy(32), bumpy_ball()
    row("a mesh of 20,480 triangles on 64 x 64 rays, outer branch", *timed(lambda: mesh_signal(mesh, grid, ("outer",))))
    row("the same with its convex hull", *timed(lambda: mesh_signal(mesh, grid)))
    z, p = torch.tensor(8 * [6] + 15 * [1]), 3 * torch.randn(23, 3)
    row("a molecule of 23 atoms, 5 elements, L = 8", *timed(lambda: molecule_coefficients(z, p, 8)))
    picture = torch.rand(3, 256, 512)
    row("a panorama of 512 x 256 pixels, RGB, L = 64", *timed(lambda: panorama_coefficients(picture, 64)))
    folder = os.environ.get("EQUISPHERE_DATA")
    if folder:
        rows.append(real_shapes(Path(folder) / "shapes69_train_meshes.npz"))
    errors = {
        "cloud, float32": turned_error(lambda x: cloud_coefficients(x, 12), cloud[0]),
        "cloud, float64": turned_error(lambda x: cloud_coefficients(x, 12), cloud[0].double()),
        "molecule, float64": turned_error(lambda x: molecule_coefficients(z, x, 8), p.double()),
    }
    sht = es.SHT(grid, 16)
    errors["mesh, 64 x 64 rays, L = 16"] = turned_error(
        lambda v: sht(mesh_signal(Mesh(v, mesh.faces), grid)), mesh.vertices.float()
    )
    rows += ["", "| equivariance error | worst of 8 rotations |", "| --- | --- |"]
    rows += [f"| {name} | {error:.1e} |" for name, error in errors.items()]
    return rows


def real_shapes(path: Path) -> str:
    """Time for 2,000 real meshes, from files to files, by two processes."""
    with np.load(path) as file, tempfile.TemporaryDirectory() as name:
        V, F, v, f = (file[n] for n in ("vertices", "faces", "vertex_offset", "face_offset"))
        for i in range(2000):
            faces = torch.from_numpy(F[f[i] : f[i + 1]].astype(np.int64))
            write_mesh(Mesh(torch.from_numpy(V[v[i] : v[i + 1]] / 32767.0), faces), Path(name) / "in" / f"{i}.off")
        files = find_files([Path(name) / "in"])
        began = time.perf_counter()
        outcomes = project_files(files, Path(name) / "out", Projection(32), workers=2)
        seconds = time.perf_counter() - began
    bad = sum(o.error is not None for o in outcomes)
    what = f"2,000 meshes of real objects, 6 channels, 64 x 64 rays, 2 processes, file to file ({bad} failed)"
    return f"| {what} | {seconds:.0f} s | |"


def main() -> None:
    """Measure, and put the table into the page."""
    load = os.getloadavg()[0]
    table = [
        "| what | wall time | processor time |",
        "| --- | --- | --- |",
        *figures(),
        "",
        f"Medians of 7 runs, one thread, torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores; "
        f"{load:.1f} processes were waiting for them when this began, which wall times suffer from and processor times do not.",
    ]
    part = "<!-- begin figures -->\n" + "\n".join(table) + "\n<!-- end figures -->"
    text = PAGE.read_text()
    PAGE.write_text(re.sub(r"<!-- begin figures -->.*?<!-- end figures -->", lambda _: part, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
