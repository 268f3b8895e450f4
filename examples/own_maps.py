"""Your own maps: from samples on a latitude-longitude grid to a trained, audited, saved network.

Task: maps of 36 x 72 cells are of one of two kinds, rough or smooth, in any orientation. The network is trained on maps of one
orientation and read out on rotated ones. Run: python examples/own_maps.py
"""

import tempfile
from pathlib import Path

import torch

import equisphere as es

torch.manual_seed(0)

# 1. Maps: here random ones, more or less rough; yours come from a file, row 0 north, column 0 longitude 0.
grid = es.grids.DriscollHealy(nlat=36, nlon=72)  # cell-centred latitudes, 5 degrees
sht = es.SHT(grid, bandwidth=12)  # the features that matter are larger than 180 / 12 degrees
labels = torch.arange(200) % 2
degree = torch.from_numpy(es.harmonics.degrees_and_orders(12)[0])
roughness = torch.where(labels == 0, 1.0, 1.5)[:, None]
maps = sht.inverse(torch.randn(200, 144) / (1.0 + degree) ** roughness)[:, None]  # (batch, channel, 36, 72)

# 2. Samples to coefficients, once.
c = sht(maps)  # (200, 1, 144)

# 3. A network, and a plain training loop.
model = es.models.SphericalClassifier(classes=2, channels=(8, 8), bandwidths=(12, 8), activation="silu", hidden=16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for _epoch in range(10):
    for batch in torch.randperm(150).split(25):
        loss = torch.nn.functional.cross_entropy(model(c[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()

# 4. Accuracy on new maps, upright and each turned its own way.
held_out = slice(150, 200)
turned = es.rotate_signal(maps[held_out], es.random_rotations(50)[:, None], grid)
with torch.no_grad():
    upright = (model(c[held_out]).argmax(1) == labels[held_out]).float().mean()
    rotated = (model(sht(turned)).argmax(1) == labels[held_out]).float().mean()
report = [f"accuracy upright {upright:.2f}, rotated {rotated:.2f}"]

# 5. How equivariant is it? Layer by layer, and the answer as a whole.
audit = es.audit.audit(model, c[:16], rotations=4)
report.append(str(audit))

# 6. Save, and load again.
with tempfile.TemporaryDirectory() as folder:
    path = es.models.save(model, Path(folder) / "maps.safetensors", {"data": "random maps"})
    again, notes = es.models.load(path)
    assert torch.equal(again(c[:4]), model(c[:4]))

if __name__ == "__main__":
    print("\n".join(report))
