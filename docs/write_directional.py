"""Measure alignment, SO(3), spin and layers of fields; write the tables of docs/alignment.md, spin.md, directional.md.

    EQUISPHERE_DATA=folder python docs/write_directional.py [names of tables]

The folder holds `earth_sky_fields.npz` and `shapes69_train_meshes.npz`; tables whose data or packages (e3nn, ducc0, s2fft) are
missing are left as they are. Times are processor milliseconds on one thread, medians. No number in the pages is typed by
hand: each table stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import re
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import equisphere as es
from equisphere import nn
from equisphere.data import read_coefficients
from equisphere.harmonics import degrees_and_orders
from equisphere.models import SphericalClassifier, SpinClassifier
from equisphere.nn import Field
from equisphere.train._recipes import DIRECTED
from equisphere.transforms import SO3Transform, SpinSHT
from equisphere.transforms._engine import ring_engine
from equisphere.transforms._so3_tables import wigner_tables
from equisphere.transforms._spin_rings import spin_ring_engine

DOCS = Path(__file__).parent
DATA = Path(os.environ.get("EQUISPHERE_DATA", "."))


def main() -> None:
    """Write every table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for page, name, table in (
        ("alignment", "relief", relief),
        ("alignment", "meshes", meshes),
        ("alignment", "so3", so3),
        ("spin", "accuracy", accuracy),
        ("spin", "time", spin_time),
        ("directional", "layers", layers),
        ("directional", "against e3nn", against_e3nn),
        ("directional", "step", training_step),
        ("directional", "published", published),
    ):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        try:
            text = table()
        except (FileNotFoundError, ImportError) as error:
            warnings.warn(f"{name} is left as it is: {error}", stacklevel=1)
            continue
        write(page, name, text)


def write(page: str, name: str, text: str) -> None:
    """Put a table in its place on a page."""
    path = DOCS / f"{page}.md"
    found = rf"<!-- begin {name} -->.*?<!-- end {name} -->"
    new = f"<!-- begin {name} -->\n{text}\n<!-- end {name} -->"
    path.write_text(re.sub(found, lambda _: new, path.read_text(), flags=re.DOTALL))


def angles(R: Tensor, S: Tensor) -> np.ndarray:
    """Between rotations, in degrees."""
    return np.degrees(2 * np.arcsin(np.minimum((R.double() - S.double()).flatten(-2).norm(dim=-1).numpy() / 8**0.5, 1)))


def clocked(function: Callable[[], object], repetitions: int = 5) -> float:
    """Processor milliseconds, the median after a first call."""
    function()
    times = []
    for _ in range(repetitions):
        began = time.process_time()
        function()
        times.append(1e3 * (time.process_time() - began))
    return statistics.median(times)


def relief(n: int = 50, L: int = 32) -> str:
    """The Earth's relief against itself turned at random, with noise of several strengths and two kinds."""
    with np.load(DATA / "earth_sky_fields.npz") as fields:
        heights = torch.from_numpy(fields["topo10m_m"].astype(np.float64))
    a = es.SHT(es.grids.ClenshawCurtis(nlat=heights.shape[0], nlon=heights.shape[1]), L)(heights)
    a[0] = 0
    R = es.random_rotations(n, torch.Generator().manual_seed(0), torch.float64)
    degree = torch.from_numpy(degrees_and_orders(L)[0])
    like = (es.power_spectrum(a) / (2 * torch.arange(L) + 1)).sqrt()[degree]
    rows = []
    for kind, strength, shape in (
        ("none", 0.0, torch.ones(L * L)),
        ("white", 1.0, torch.ones(L * L)),
        ("white", 2.0, torch.ones(L * L)),
        ("the relief's own spectrum", 1.0, like),
    ):
        noise = torch.randn(n, L * L, dtype=torch.float64) * shape * (degree > 0)
        b = es.rotate(a, R) + strength * a.norm() * noise / noise.norm(dim=1, keepdim=True)
        low, turned = a.float(), b.float()
        began = time.process_time()
        found = es.align.align(low, turned)
        spent = 1e3 * (time.process_time() - began) / n
        error, stated = angles(found.rotation, R), np.degrees(found.error.numpy())
        rms, said = np.sqrt((error**2).mean()), np.sqrt((stated**2).mean())
        rows.append(
            f"| {kind} | {strength:g} | {np.median(error):.2g} | {error.max():.2g} | {rms:.2g} | {said:.2g} "
            f"| {found.score.median():.3f} | {found.margin.median():.3f} | {spent:.0f} |"
        )
    head = "| noise | its norm, signal 1 | median error, degrees | worst | rms | rms as stated | score | margin | ms a pair |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *rows])


def meshes(n: int = 40, L: int = 32) -> str:
    """Triangle meshes against themselves, turned at random and written to files."""
    import trimesh

    with np.load(DATA / "shapes69_train_meshes.npz") as shapes:
        vertices, faces = shapes["vertices"], shapes["faces"]
        first_vertex, first_face = shapes["vertex_offset"], shapes["face_offset"]
    R = es.random_rotations(n, torch.Generator().manual_seed(0), torch.float64)
    folder = Path(tempfile.mkdtemp())
    error, margin = [], []
    for k, i in enumerate(np.random.default_rng(0).choice(len(first_vertex) - 1, n, replace=False)):
        V = vertices[first_vertex[i] : first_vertex[i + 1]] / 32767.0
        F = faces[first_face[i] : first_face[i + 1]].astype(int)
        for name, points in (("a", V), ("b", V @ R[k].numpy().T)):
            trimesh.Trimesh(points, F, process=False).export(folder / f"{name}.ply")
        a, b = (read_coefficients(folder / f"{name}.ply", L) for name in "ab")
        found = es.align.align(a, b, channels=True)
        error.append(float(angles(found.rotation, R[k])))
        margin.append(float(found.margin))
    error = np.array(error)
    clear = np.array(margin) > 1e-4
    return (
        "| meshes | with a margin above 0.0001 | median error of these, degrees | worst |\n|---|---|---|---|\n"
        f"| {n} | {clear.sum()} | {np.median(error[clear]):.2g} | {error[clear].max():.2g} |"
    )


def so3() -> str:
    """Time, memory and error of the transform on SO(3), and e3nn's dense grid where it fits."""
    from e3nn import o3

    rows = []
    for L in (4, 8, 16, 32, 64):
        transform = SO3Transform(L)
        c = torch.randn(transform.size, dtype=torch.complex64)
        f = transform.inverse(c, real=True)
        c = transform(f)
        error = float((transform(transform.inverse(c, real=True)) - c).norm() / c.norm())
        size = sum(t.numel() * t.element_size() for t in wigner_tables(L, torch.float32, torch.device("cpu"))) / 1e6
        ours = clocked(lambda t=transform, f=f: t.inverse(t(f), real=True))
        theirs, their_size = "", ""
        if L <= 8:
            grid = o3.SO3Grid(L - 1, 2 * L)
            flat = torch.randn(1, transform.size)
            theirs = f"{clocked(lambda g=grid, x=flat: g.from_grid(g.to_grid(x))):.2f}"
            their_size = f"{sum(b.numel() * b.element_size() for b in grid.buffers()) / 1e6:.1f}"
        rows.append(f"| {L} | {ours:.2f} | {size:.2g} | {error:.1g} | {theirs} | {their_size} |")
    head = "| band limit | there and back, ms | tables, MB | error | e3nn `SO3Grid`, ms | its tables, MB |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def accuracy(L: int = 64) -> str:
    """Largest error of a coefficient after a round trip at several spins, and s2fft's and ducc0's."""
    import ducc0
    import s2fft

    rows = []
    for spin in (0, 2, 5, 8, 20):
        c = torch.randn(L * L, dtype=torch.complex128)
        c[: spin**2] = 0
        errors = []
        for dtype in (torch.complex128, torch.complex64):
            sht = SpinSHT(es.grids.GaussLegendre(L, nlat=L), L, spin)
            errors.append(float((sht(sht.inverse(c.to(dtype))) - c).abs().max()))
        cells = [f"{e:.1e}" for e in errors]
        with np.errstate(all="ignore"):
            square = s2fft.sampling.s2_samples.flm_1d_to_2d(c.numpy(), L)
            try:
                samples = s2fft.inverse(square, L, spin=spin, sampling="mw", method="numpy")
                again = s2fft.forward(samples, L, spin=spin, sampling="mw", method="numpy")
                cells.append(f"{np.abs(again - square).max():.1e}")
            except Warning:  # so it refuses high spins
                cells.append("refused")
        alm = np.random.default_rng(0).normal(size=(1 + (spin > 0), L * (L + 1) // 2)) + 0j
        degree = np.concatenate([np.arange(m, L) for m in range(L)])
        alm[:, degree < spin] = 0
        options = {"spin": spin, "lmax": L - 1, "geometry": "GL"}
        maps = ducc0.sht.synthesis_2d(alm=alm, ntheta=L, nphi=2 * L, **options)
        cells.append(f"{np.abs(ducc0.sht.analysis_2d(map=maps, **options) - alm).max():.1e}")
        rows.append(f"| {spin} | " + " | ".join(cells) + " |")
    head = "| spin | here, float64 | here, float32 | s2fft 64-bit | ducc0 |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def spin_time() -> str:
    """Milliseconds a map of a synthesis and analysis, one map and 32 together."""
    rows = []
    for L in (32, 64, 128, 256):
        sht = SpinSHT(es.grids.GaussLegendre(L, nlat=L), L, 2)
        cells = []
        for n in (1, 32):
            c = torch.randn(n, L * L, dtype=torch.complex64)
            cells.append(f"{clocked(lambda s=sht, c=c: s(s.inverse(c))) / n:.2f}")
        rows.append(f"| {L} | " + " | ".join(cells) + " |")
    return "\n".join(["| band limit | one map | of 32 maps, each |", "|---|---|---|", *rows])


def feature(field: Field, n: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal coefficients, zero below the spin."""
    c = torch.randn(n, *field.shape, dtype=dtype)
    for spin, part in field.parts(c).items():
        part[..., : spin**2] = 0
    return c


def layers(L: int = 16, n: int = 8) -> str:
    """Equivariance error of every layer of fields, ||T(R.f) - R.T(f)|| / ||R.T(f)||, the largest over random rotations."""
    mixed, so3 = Field(L, (0, 1, 2), 4), Field.on_so3(L, 2, 4)
    silu = torch.nn.SiLU()
    made: list[tuple[torch.nn.Module, tuple[Field, ...]]] = [
        (nn.EquivariantLinear(mixed, mixed), (mixed,)),
        (nn.LiftToSO3(4, 4, L, order=L - 1), (Field(L, channels=4),)),
        (nn.SO3Conv(4, 4, L, order=2), (so3,)),
        (nn.SpinConv(4, 4, L), (Field(L, (0, 1), 4),)),
        (nn.Gradient(mixed), (mixed,)),
        (nn.SpinBatchNorm(mixed), (mixed,)),
        (nn.TensorProduct(4, L // 2), (Field(L // 2, channels=4),) * 2),
        (nn.SpinProduct(mixed, mixed), (mixed, mixed)),
        (nn.SO3Activation(torch.square, so3), (so3,)),
        (nn.CrossSpectrum(mixed.rows, 8), (mixed,)),
        (nn.Bispectrum(mixed.rows, 8, bandwidth=4), (mixed,)),
    ]
    for s in (1.5, 2, 4):
        made += [(nn.GatedActivation(silu, mixed, s), (nn.GatedActivation(silu, mixed).source,))]
        made += [(nn.MagnitudeActivation(torch.relu, mixed, s), (mixed,)), (nn.SO3Activation(silu, so3, s), (so3,))]
        made += [(nn.SO3Activation(torch.relu, so3, s), (so3,))]
    R = es.random_rotations(n, torch.Generator().manual_seed(0), torch.float64)[:, None]
    rows = []
    for layer, fields in made:
        cells = []
        for dtype in (torch.float32, torch.float64):
            layer.to(dtype)
            c = [feature(field, n, dtype) for field in fields]
            with torch.no_grad():
                turned, y = layer(*(es.rotate(x, R) for x in c)), layer(*c)
            wanted = y if getattr(layer, "gives_invariants", False) else es.rotate(y, R)
            error = (turned - wanted).flatten(1).norm(dim=1) / wanted.flatten(1).norm(dim=1)
            cells.append(f"{error.max():.1e}")
        name = type(layer).__name__
        if isinstance(layer, nn.GatedActivation | nn.MagnitudeActivation | nn.SO3Activation):
            function = getattr(layer.function, "__name__", type(layer.function).__name__)
            name += f", {function}, oversampling {layer.oversampling:g}"
        rows.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(["| layer | error, float32 | error, float64 |", "|---|---|---|", *rows])


def against_e3nn(channels: int = 8, batch: int = 16) -> str:
    """A correlation on SO(3) and a pointwise function of as many samples, forth and back, here and by e3nn's dense grid."""
    from e3nn import o3
    from e3nn.nn import SO3Activation as TheirActivation

    rows = []
    for L in (4, 6, 8):
        field = Field.on_so3(L, L - 1, channels)
        ours = torch.nn.Sequential(
            nn.SO3Conv(channels, channels, L, L - 1, bias=False), nn.SO3Activation(torch.tanh, field, 1.5, angles=3 * L)
        )
        irreps = o3.Irreps([(2 * l + 1, (l, 1)) for l in range(L)])
        rings = ours[1].grid.nlat
        theirs = torch.nn.Sequential(
            o3.Linear(irreps, irreps, f_in=channels, f_out=channels),
            TheirActivation(L - 1, L - 1, torch.tanh, rings // 2),
        )
        inputs = feature(field, batch), torch.randn(batch, channels, irreps.dim)
        cells = []
        for net, c in zip((ours, theirs), inputs, strict=True):
            cells.append(f"{clocked(lambda net=net, c=c: net(c).square().sum().backward()):.1f}")
        engines = [spin_ring_engine(ours[1].grid, L, s) for s in range(1, L)]
        tables = [t for e in engines for key, ts in e._tables.items() for t in ts]
        tables += [t for ts in ring_engine(ours[1].grid, L)._tables.values() for t in ts]
        sizes = [sum(t.numel() * t.element_size() for t in ts) / 1e6 for ts in (tables, list(theirs.buffers()))]
        rows.append(f"| {L} | {cells[0]} | {cells[1]} | {sizes[0]:.2f} | {sizes[1]:.1f} |")
    head = "| band limit | here, ms | e3nn, ms | tables here, MB | e3nn's, MB |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def training_step(batch: int = 64) -> str:
    """A step of AdamW of classifiers of about 58,000 parameters."""
    shared = {"anchors": 8, "hidden": 24, "triples": 24}
    made = {
        f"`SphericalClassifier`, {DIRECTED['pairs']} pairs (recipe spherical-mnist)": SphericalClassifier(**DIRECTED),
        "`SpinClassifier`, spins 0, 1, SiLU on SO(3)": SpinClassifier(spins=(0, 1), **shared),
        "`SpinClassifier`, spins 0, 1, 2, SiLU on SO(3)": SpinClassifier(spins=(0, 1, 2), channels=(8,) * 5, **shared),
        "`SpinClassifier`, spins 0, 1, gates": SpinClassifier(spins=(0, 1), channels=(11,) * 5, kind="gated", **shared),
        "`SpinClassifier`, spins 0, 1, magnitudes": SpinClassifier(spins=(0, 1), kind="magnitude", **shared),
    }
    rows = []
    for name, model in made.items():
        optimizer = torch.optim.AdamW(model.parameters())
        c, labels = torch.randn(batch, 1, model.bandwidth**2), torch.arange(batch) % 10

        def step(model=model, optimizer=optimizer, c=c, labels=labels) -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(c), labels).backward()
            optimizer.step()

        size = sum(p.numel() for p in model.parameters())
        rows.append(f"| {name} | {size:,} | {clocked(step):.0f} |")
    return "\n".join(["| network | parameters | ms a step of 64 signals |", "|---|---|---|", *rows])


def published() -> str:
    """Parameters of the networks of the papers, beside the number that each paper gives."""
    rows = []
    for model, paper, theirs, differs in (
        (es.models.Esteves2018(), "1711.06721", "0.5 M", "pooling spectral, no second loss"),
        (es.models.Cohen2018(), "1801.10130", "58k", "features stay in coefficients"),
        (es.models.Esteves2020(), "2006.10731", "58k", "all linear maps between rows, more than the paper's"),
        (
            es.models.Cobb2021(),
            "2010.11661",
            "58k",
            "in the style of the paper only: its channels and sets of degrees are not",
        ),
    ):
        size = sum(p.numel() for p in model.parameters())
        rows.append(f"| `{type(model).__name__}` | arXiv {paper} | {size:,} | {theirs} | {differs} |")
    return "\n".join(
        ["| network | paper | parameters here | published | what differs |", "|---|---|---|---|---|", *rows]
    )


if __name__ == "__main__":
    main()
