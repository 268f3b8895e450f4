"""Audits of other packages' layers beside our own, one line each: which follow every rotation, which know an axis, which not.

Layers of torch-harmonics and e3nn are measured where the packages are installed. Run: python examples/audit_foreign.py
"""

import torch
from torch import nn

import equisphere as es

torch.manual_seed(0)
L = 16
grid = es.grids.ClenshawCurtis(nlat=2 * L + 1, nlon=4 * L)  # torch-harmonics calls it "equiangular"
degree = torch.from_numpy(es.harmonics.degrees_and_orders(L)[0])
c = torch.randn(4, 2, L * L) / (1.0 + degree)
maps = es.SHT(grid, L).inverse(c)


def contestants():
    """Name, model, signals, further options of the audit."""
    try:
        import torch_harmonics as th

        shapes = {"in_shape": grid.shape, "out_shape": grid.shape}
        spectral = th.SpectralConvS2(in_channels=2, out_channels=2, **shapes)
        real = th.SpectralConvS2(in_channels=2, out_channels=2, **shapes)
        with torch.no_grad():
            for parameter in real.parameters():
                if parameter.is_complex():
                    parameter.imag.zero_()
        yield "torch-harmonics SpectralConvS2", spectral, maps, {"grid": grid}
        yield "the same, its weights made real", real, maps, {"grid": grid}
        disco = th.DiscreteContinuousConvS2(
            2, 2, **shapes, kernel_shape=(3, 3), theta_cutoff=0.4, optimized_kernel=False
        )
        yield "torch-harmonics DISCO, anisotropic", disco, maps, {"grid": grid}
        round_kernel = th.DiscreteContinuousConvS2(
            2, 2, **shapes, kernel_shape=3, theta_cutoff=0.4, optimized_kernel=False
        )
        yield "torch-harmonics DISCO, isotropic", round_kernel, maps, {"grid": grid}
    except ImportError as error:
        print(f"(without torch-harmonics: {error})")
    try:
        from e3nn import nn as e3
        from e3nn import o3

        for resolution in (2 * L, 4 * L):
            act = e3.S2Activation(o3.Irreps.spherical_harmonics(L - 1), torch.tanh, resolution)
            yield f"e3nn S2Activation, tanh, {resolution} rings", act, c[:, 0], {}
    except ImportError as error:
        print(f"(without e3nn: {error})")
    planar = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1))
    yield "planar CNN on the equirectangular map", planar, maps, {"grid": grid}
    for oversampling in (1.0, 2.0, 4.0):
        network = es.models.SphericalClassifier(
            in_channels=2, channels=(8, 8), bandwidths=(L, L // 2), activation="gelu", oversampling=oversampling
        )
        yield f"our network, GELU, oversampling {oversampling:g}", network, c, {}
    exact = nn.Sequential(es.nn.ZonalConv(2, 8, L), es.nn.PolynomialActivation((0, 1, 0.5), L), es.nn.PowerSpectrum())
    yield "our layers, polynomial activation", exact, c, {}


reports = {}
for name, model, signals, options in contestants():
    reports[name] = es.audit.audit(model, signals, rotations=8, lie=False, **options)

lines = [f"{'model':40} {'any axis':>9} {'about z':>9}  verdict, and the part that adds most"]
for name, report in reports.items():
    total = report.total.own
    worst = next((row for row in report.layers if row.name == report.worst), None)
    where = "" if report.equivariant or worst is None else f": {report.worst or 'the layer itself'} ({worst.kind})"
    lines.append(f"{name:40} {total.median:9.1e} {float(total.about_z.max()):9.1e}  {report.total.verdict}{where}")

if __name__ == "__main__":
    print("\n".join(lines))
