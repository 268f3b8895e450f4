"""Fields of your own: from winds on a latitude-longitude grid to a trained network that answers by a wind, audited and saved.

Task: of a height f and a wind v, give the wind v + x × ∇f / 4, what a flow does that runs along the lines of equal height. The
network is trained on maps in one frame and used in another. Run: python examples/own_fields.py
"""

import tempfile
from pathlib import Path

import torch

import equisphere as es

torch.manual_seed(0)

# 1. Maps: here random ones; yours come from a file. Rows from pole to pole, components southwards and eastwards: (-v, u).
grid = es.grids.ClenshawCurtis(nlat=19, nlon=36)  # 10 degrees, poles included
scalar, vector = es.SHT(grid, bandwidth=8), es.transforms.VectorSHT(grid, bandwidth=8)
degree = torch.from_numpy(es.harmonics.degrees_and_orders(8)[0])
height = torch.randn(240, 64) / (1 + degree)  # coefficients
wind = torch.randn(240, 2, 64) * (degree > 0) / (1 + degree)  # a field has no degree 0
inputs = torch.cat((scalar.inverse(height)[:, None], vector.inverse(wind)), dim=1)  # (batch, 3, 19, 36)
wanted = vector.inverse(wind + es.transforms.rotated_gradient(height) / 4)  # (batch, 2, 19, 36)

# 2. A network in coefficients, wrapped for samples: a scalar and a field to a field.
network = es.models.SphericalUNet(3, 2, channels=(16, 24), bandwidths=(8, 4))
model = es.models.OnGrid(network, grid, in_fields=1, out_fields=1)

# 3. A plain training loop; every node counts by the area that it stands for.
area = grid.weights.float() / (4 * torch.pi)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=30 * 8)
for _epoch in range(30):
    for batch in torch.randperm(200).split(25):
        loss = ((model(inputs[batch]) - wanted[batch]).square() * area).sum((-2, -1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
model.eval()

# 4. Error on new maps: in the frame of the training, and in another one, where all is turned.
held_out = slice(200, 240)
R = es.random_rotations(40)
with torch.no_grad():
    error = ((model(inputs[held_out]) - wanted[held_out]).square() * area).sum((1, 2, 3)).mean().sqrt()
    size = (wanted[held_out].square() * area).sum((1, 2, 3)).mean().sqrt()
    fields = torch.cat((height[held_out, None], wind[held_out]), dim=1)
    turned = es.rotate(fields, R[:, None])  # of scalars and of fields alike
    answer = vector.inverse(es.rotate(network(turned), R.mT[:, None]))  # and the answer turned back
    elsewhere = ((answer - wanted[held_out]).square() * area).sum((1, 2, 3)).mean().sqrt()
relative, relative_turned = float(error / size), float(elsewhere / size)
report = [f"relative error {relative:.3f}, in another frame {relative_turned:.3f}"]

# 5. How equivariant is it? Layer by layer, and as a whole.
audit = es.audit.audit(network, fields[:8], rotations=4)
report.append(str(audit))

# 6. Save the network, and load it again; the wrapper has nothing of its own to save.
with tempfile.TemporaryDirectory() as folder:
    path = es.models.save(network, Path(folder) / "winds.safetensors", {"data": "random winds"})
    again, notes = es.models.load(path)
    assert torch.equal(again(fields), network(fields))

if __name__ == "__main__":
    print("\n".join(report))
