"""Rays against triangles: plain intersection, known bodies, and meshes as bad as they come."""

import numpy as np
import pytest
import torch

import equisphere as es
from equisphere.data import DataError, Mesh, mesh_signal, read_mesh, star_mesh, write_mesh

pytest.importorskip("embreex")
trimesh = pytest.importorskip("trimesh")
GRID = es.grids.DriscollHealy(8)


def mesh_of(made):
    return Mesh(torch.from_numpy(np.array(made.vertices)), torch.from_numpy(np.array(made.faces, dtype=np.int64)))


BOX = mesh_of(trimesh.creation.box((1.0, 2.0, 3.0)))


def plainly(mesh, directions):
    """Distances at which each ray from the centre meets each triangle, by Moeller and Trumbore; NaN where it does not."""
    a, b, c = mesh.vertices[mesh.faces].unbind(1)
    e, f, d = (b - a)[None], (c - a)[None], directions[:, None]
    h = torch.linalg.cross(*torch.broadcast_tensors(d, f))
    k = (e * h).sum(-1)
    s = (-a)[None]
    u = (s * h).sum(-1) / k
    q = torch.linalg.cross(*torch.broadcast_tensors(s, e))
    v = (d * q).sum(-1) / k
    t = (f * q).sum(-1) / k
    normal = torch.nn.functional.normalize(torch.linalg.cross(e, f), dim=-1)
    met = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return torch.where(met, t, torch.nan), (normal * d).sum(-1).abs()


def test_every_branch_is_what_plain_intersection_finds():
    sphere = trimesh.creation.icosphere(2)
    torus = trimesh.creation.torus(1.0, 0.4)
    torus.apply_translation((0.2, -0.1, 0.3))
    mesh = mesh_of(trimesh.util.concatenate([torus, sphere.apply_scale(0.3)])).normalized()
    found = mesh_signal(mesh, GRID, ("outer", "inner")).reshape(6, -1).double()
    t, along = plainly(mesh, GRID.points.reshape(-1, 3))
    for first, pick in ((0, torch.argmax), (3, torch.argmin)):
        k = pick(torch.nan_to_num(t, nan=-1.0 if first == 0 else 9.0), 1)
        rows = torch.arange(len(k))
        met = torch.isfinite(t[rows, k])
        torch.testing.assert_close(found[first], torch.where(met, t[rows, k], 0), rtol=0, atol=1e-5)
        torch.testing.assert_close(found[first + 2], torch.where(met, along[rows, k], 0), rtol=0, atol=1e-4)
        torch.testing.assert_close(found[first + 1] ** 2 + found[first + 2] ** 2, met.double(), rtol=0, atol=1e-5)
    assert (found[0] > found[3] + 0.1).any()


def test_a_convex_body_is_its_own_hull_and_comes_back(tmp_path):
    f = mesh_signal(BOX, GRID)
    torch.testing.assert_close(f[:3], f[3:], rtol=0, atol=1e-5)
    write_mesh(star_mesh(f[0], GRID), tmp_path / "box.ply")
    again = mesh_signal(read_mesh(tmp_path / "box.ply"), GRID, ("outer",))
    # the copy has its corners cut off, so that centre and scale agree to a cell alone
    assert (again[0] / again[0].mean() - f[0] / f[0].mean()).abs().median() < 0.03


def test_place_scale_and_idle_vertices_do_not_matter():
    f = mesh_signal(BOX, GRID)
    for scale in (1e-30, 1.0, 1e30, 1e300):
        v = BOX.vertices * scale
        moved = v + scale * torch.tensor([100.0, -40.0, 7.0], dtype=torch.float64)
        idle = torch.cat((moved, torch.full((1, 3), torch.nan, dtype=torch.float64)))
        torch.testing.assert_close(mesh_signal(Mesh(idle, BOX.faces), GRID), f, rtol=0, atol=2e-5)


def test_triangles_without_area_turned_sides_and_repeats_do_not_matter():
    point = torch.tensor([[0, 0, 0], [1, 1, 2]])
    worse = Mesh(BOX.vertices, torch.cat((BOX.faces[:5].flip(1), BOX.faces[5:], point)))
    torch.testing.assert_close(mesh_signal(worse, GRID), mesh_signal(BOX, GRID), rtol=0, atol=1e-6)


def test_an_open_mesh_lets_rays_through_but_its_hull_does_not():
    half = Mesh(BOX.vertices, BOX.faces[:6])
    f = mesh_signal(half, GRID)
    assert ((f[0] == 0) & (f[2] == 0)).any()
    assert (f[0] > 0).any()
    assert (f[3] > 0).all()


@pytest.mark.parametrize("corners", [3, 4])
def test_flat_meshes_are_no_error(corners):
    square = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])[:corners]
    f = mesh_signal(Mesh(square, torch.tensor([[0, 1, 2], [1, 3, 2]])[: corners - 2]), GRID)
    assert torch.isfinite(f).all()


def test_no_ray_slips_between_triangles():
    """Many rays through corners and edges of a closed mesh."""
    ball = trimesh.creation.icosphere(3)
    edges = ball.vertices[ball.edges_unique].mean(axis=1)
    points = torch.nn.functional.normalize(torch.from_numpy(np.concatenate((ball.vertices, edges))), dim=-1)
    f = mesh_signal(mesh_of(ball), es.grids.Scattered(points), ("outer", "inner"))
    assert f[[0, 3]].min() > 0.98


def test_real_shapes_turn_with_their_signal(real_data):
    """Casting rays aliases edges; half as fine a signal moves by a few percent, not more."""
    with np.load(real_data / "shapes69_train_meshes.npz") as file:
        ends, faces_to = file["vertex_offset"][:4], file["face_offset"][:4]
        V, F = file["vertices"][: ends[3]] / 32767.0, file["faces"][: faces_to[3]].astype(np.int64)
    sht, R = es.SHT(es.grids.DriscollHealy(32), 8), es.random_rotations(1, dtype=torch.float64)[0]
    for i in range(3):
        v, f = torch.from_numpy(V[ends[i] : ends[i + 1]]), torch.from_numpy(F[faces_to[i] : faces_to[i + 1]])
        before = sht(mesh_signal(Mesh(v, f), sht.grid))
        after = sht(mesh_signal(Mesh(v @ R.mT, f), sht.grid))
        assert (after - es.rotate(before, R.float())).norm() < 0.1 * after.norm()


def test_off_files_with_a_joined_header_are_read(tmp_path):
    (tmp_path / "joined.off").write_text("OFF4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n")
    assert len(read_mesh(tmp_path / "joined.off").faces) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.off", "OFF\n0 0 0\n", ""),
        ("cut.off", "OFF\n4 4 0\n0 0 0\n1 0", ""),
        ("nan.off", "OFF\n3 1 0\nnan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "NaN or infinite"),
        ("astray.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", ""),
        ("cloud.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n"
         "end_header\n0 0 0\n", ""),
        ("noise.stl", "\x01\x02\x03", ""),
        ("noise.glb", "glTF\x00", ""),
    ],
)  # fmt: skip
def test_a_bad_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        read_mesh(tmp_path / name)
    with pytest.raises(DataError, match="there is no mesh"):
        read_mesh(tmp_path / "gone.off")


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained(tmp_path):
    with pytest.raises(DataError, match="empty"):
        Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int64))
    with pytest.raises(DataError, match="name vertices 0 to 2"):
        Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 3]]))
    with pytest.raises(DataError, match="one point"):
        mesh_signal(Mesh(torch.ones(3, 3), torch.tensor([[0, 1, 2]])), GRID)
    with pytest.raises(ValueError, match="branches must be some of"):
        mesh_signal(BOX, GRID, ("middle",))
    with pytest.raises(ValueError, match="the grid's shape"):
        star_mesh(torch.ones(3, 3), GRID)
    with pytest.raises(ValueError, match="written as"):
        write_mesh(BOX, tmp_path / "box.doc")
