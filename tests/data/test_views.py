"""Pictures on the sphere and back: where pixels lie, which way round, what is lost; panoramas and their files."""

from math import pi

import numpy as np
import pytest
import torch
from PIL import Image

import equisphere as es
from equisphere.data import (
    DataError,
    Equirectangular,
    Gnomonic,
    Stereographic,
    image_coefficients,
    panorama,
    panorama_coefficients,
    perspective,
    read_panorama,
    read_picture,
    render,
    view_signal,
    write_picture,
)

VIEWS = [
    Stereographic(1.2),
    Stereographic(2.5, (0.3, -1.0, 0.2), (1.0, 0.0, 0.0), inside=False),
    Gnomonic(0.9, (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    perspective(1.4, (1.0, 1.0, 1.0), aspect=1.5),
    Equirectangular(),
    Equirectangular(inside=True),
]


@pytest.mark.parametrize("view", VIEWS)
def test_pixels_and_directions_are_inverse(view):
    height, width = 8, 12
    points = view.directions(height, width)
    torch.testing.assert_close(points.norm(dim=-1), torch.ones(height, width, dtype=torch.float64))
    row, column, seen = view.pixels(points, height, width)
    assert seen.all()
    rows, columns = torch.meshgrid(torch.arange(8.0).double(), torch.arange(12.0).double(), indexing="ij")
    torch.testing.assert_close(row, rows, rtol=0, atol=1e-9)
    torch.testing.assert_close((column - columns + 6) % 12, torch.full_like(columns, 6), rtol=0, atol=1e-9)


@pytest.mark.parametrize("view", VIEWS[:4])
def test_up_is_up_and_handedness_is_right(view):
    points = view.directions(3, 3)
    middle, up = points[1, 1], torch.tensor(view.up).double()
    torch.testing.assert_close(middle, torch.nn.functional.normalize(torch.tensor(view.centre).double(), dim=0))
    assert points[0, 1] @ up > middle @ up
    right, above = points[1, 2] - points[1, 0], points[0, 1] - points[2, 1]
    turn = torch.linalg.det(torch.stack((right, above, middle)))
    assert (turn < 0) == view.inside  # from inside, right and up and forward make a left hand


@pytest.mark.parametrize(
    ("view", "radius"),
    [(Stereographic(1.0), lambda t: 2 * np.tan(t / 2)), (Gnomonic(1.0), np.tan), (perspective(2.0), np.tan)],
)
def test_the_projections_are_what_their_names_say(view, radius):
    angles = torch.arccos(view.directions(1, 101)[0] @ torch.tensor([1.0, 0, 0], dtype=torch.float64)).numpy()
    expected = np.abs(np.arange(101) - 50) * 2 / 101 * radius(1.0)
    np.testing.assert_allclose(radius(angles), expected, atol=1e-6)


def test_it_agrees_with_the_matrix_of_image_coefficients():
    image = torch.rand(1, 20, 20, dtype=torch.float64)
    grid = es.grids.GaussLegendre(12, nlat=96, nlon=192)
    view = Stereographic(pi / 2, (0.0, 0.0, -1.0), (0.0, 1.0, 0.0), inside=False)
    found = es.SHT(grid, 12)(view_signal(image, view, grid))
    expected = image_coefficients(image, 12)
    # the matrix fades out over the last pixel, a view is cut at its edge
    assert (found - expected).norm() < 0.1 * expected.norm()
    inner = torch.nn.functional.pad(image[:, 3:-3, 3:-3], (3, 3, 3, 3))
    torch.testing.assert_close(
        es.SHT(grid, 12)(view_signal(inner, view, grid)), image_coefficients(inner, 12), rtol=0, atol=2e-3
    )


@pytest.mark.parametrize("view", [Stereographic(1.0), perspective(1.2), Equirectangular(True)])
def test_a_picture_of_a_smooth_signal_comes_back(view):
    c = torch.randn(2, 36) / torch.arange(1.0, 7.0).repeat_interleave(2 * torch.arange(6) + 1) ** 2
    height, width = 60, 120 if isinstance(view, Equirectangular) else 60
    fine = es.grids.GaussLegendre(48)
    again = es.SHT(fine, 48)(view_signal(render(c, view, height, width), view, fine))
    inner = (slice(None), slice(20, 40), slice(20, 40))
    error = render(again, view, height, width)[inner] - render(c, view, height, width)[inner]
    assert error.abs().max() < 0.06 * render(c, view, height, width).abs().max()


def test_a_fine_picture_is_averaged_not_aliased():
    board = (torch.arange(800)[:, None] + torch.arange(800)) % 2.0
    f = view_signal(board[None], perspective(1.5), es.grids.DriscollHealy(16))
    shown = f[f > 0.3]
    assert len(shown) > 20
    torch.testing.assert_close(shown, torch.full_like(shown, 0.5), rtol=0, atol=0.02)


def test_panoramas_come_back_exactly():
    c = torch.randn(3, 100, dtype=torch.float64)
    for inside in (False, True):
        picture = panorama(c, 24, inside)
        torch.testing.assert_close(picture, render(c, Equirectangular(inside), 24, 48))
        torch.testing.assert_close(panorama_coefficients(picture, 10, inside), c)
    assert (panorama_coefficients(picture, 10, False) - c).norm() > 0.1


def test_a_camera_sees_the_middle_of_a_photograph():
    photograph = torch.zeros(1, 64, 128)
    photograph[0, 20:30, 70:90] = 1  # above the middle, to the right
    seen = render(panorama_coefficients(photograph, 32), perspective(2.0), 21, 21)[0]
    row, column = divmod(int(seen.argmax()), 21)
    assert row < 10
    assert column > 10


def test_files_come_back(tmp_path):
    linear = torch.rand(3, 16, 32) * torch.tensor([1e-3, 1.0, 1e4])[:, None, None]
    write_picture(linear, tmp_path / "a.hdr")
    again = read_panorama(tmp_path / "a.hdr")
    assert ((again - linear).abs() <= linear.amax(0) / 128).all()  # 8 bits beside one exponent
    write_picture(linear.clamp(max=1), tmp_path / "a.png")
    torch.testing.assert_close(read_picture(tmp_path / "a.png"), linear.clamp(max=1), rtol=0, atol=0.5001 / 255)
    Image.fromarray(np.full((4, 8), 65535, np.uint16)).save(tmp_path / "deep.png")
    torch.testing.assert_close(read_picture(tmp_path / "deep.png"), torch.ones(1, 4, 8))


def test_run_lengths_of_radiance_are_read(tmp_path):
    header = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 8\n"
    plane = bytes((128 + 5, 7, 3, 1, 2, 3))  # five sevens, then 1, 2, 3
    (tmp_path / "r.hdr").write_bytes(header + b"\x02\x02\x00\x08" + 3 * plane + bytes((128 + 8, 136)))
    found = read_picture(tmp_path / "r.hdr")
    assert found[0, 0].tolist() == [7, 7, 7, 7, 7, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"no picture", "cannot be read"),
        ("a.hdr", b"no picture", "no Radiance"),
        ("b.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 8\n\x02\x02\x00\x08\x01", "truncated"),
        ("c.hdr", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 99999999 +X 99999999\n", "truncated or corrupt"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        read_panorama(tmp_path / name)
    Image.fromarray(np.zeros((4, 9), np.uint8)).save(tmp_path / "narrow.png")
    with pytest.raises(DataError, match=r"narrow\.png is 9 x 4 pixels.*twice as wide"):
        read_panorama(tmp_path / "narrow.png")


@pytest.mark.usefixtures("as_user")
def test_bad_input_is_explained(tmp_path):
    with pytest.raises(ValueError, match="between 0 and"):
        Gnomonic(1.6)
    with pytest.raises(ValueError, match="along the centre"):
        Stereographic(1.0, (0.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="field of view"):
        perspective(4.0)
    with pytest.raises(ValueError, match="hold pixels"):
        view_signal(torch.ones(0, 3, 3), Gnomonic(1.0), es.grids.DriscollHealy(4))
    with pytest.raises(ValueError, match="1 or 3"):
        write_picture(torch.ones(2, 3, 3), tmp_path / "a.png")
