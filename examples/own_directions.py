"""A network of your own whose features have directions: from maps to a trained network, saved, loaded and audited.

Task: of three spots of heights 1, 2 and 3, tell whether they follow one another to the left or to the right, which no power
spectrum sees. Run: python examples/own_directions.py
"""

import tempfile
from pathlib import Path

import torch
from torch import nn

import equisphere as es

torch.manual_seed(0)

# 1. Maps: three spots at the corners of a triangle, in any orientation; the label says which way round.
L, grid = 8, es.grids.GaussLegendre(8)
corners = torch.nn.functional.normalize(torch.eye(3)[None] + 0.2 * torch.randn(2100, 3, 3), dim=-1)
corners = corners @ es.random_rotations(2100).mT
labels = torch.arange(2100) % 2
corners[labels == 1] = corners[labels == 1].flip(1)
points = grid.points.float().reshape(*grid.shape, 3)
near = torch.exp(8 * (torch.einsum("ijx,bkx->bkij", points, corners) - 1))
maps = torch.einsum("k,bkij->bij", torch.tensor([1.0, 2.0, 3.0]), near)[:, None]  # (batch, 1, nlat, nlon)
signals = es.SHT(grid, L)(maps)  # (batch, 1, L*L): a scalar, which is a feature of spin 0 as it is


# 2. A network: linear layers to fields of scalars and vectors, gates, and invariants at the end.
class Directions(es.models.ConfiguredModule):
    """`config` holds the arguments of the constructor: what a checkpoint needs to make the network again."""

    def __init__(self, channels: int = 8, bandwidth: int = 8, classes: int = 2) -> None:
        super().__init__()
        self.config = {"channels": channels, "bandwidth": bandwidth, "classes": classes}
        self.bandwidth = bandwidth
        source = es.nn.Field(bandwidth)  # one scalar
        field = es.nn.Field(bandwidth, spins=(0, 1), channels=channels)
        self.steps = nn.Sequential()
        for before in (source, field):
            gated = es.nn.GatedActivation(nn.SiLU(), field, oversampling=2)
            # the gates are scalars beside those of `field`: what goes in is `gated.source`
            self.steps.append(es.nn.EquivariantLinear(before, gated.source, bias=False))
            self.steps.append(es.nn.SpinBatchNorm(gated.source))
            self.steps.append(gated)
        self.invariants = es.nn.CrossSpectrum(
            field.rows, mixtures=4
        )  # (batch, 4, L): exact, and E times B tells mirror images
        self.head = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4 * bandwidth), nn.Linear(4 * bandwidth, classes))

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Coefficients `(batch, 1, L*L)` to logits `(batch, classes)`."""
        return self.head(self.invariants(self.steps(c)))


model = Directions()

# 3. Eighty steps of training on 1,900 maps; the others are for the test.
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
losses = []
for _step in range(80):
    batch = torch.randint(1900, (128,))
    loss = nn.functional.cross_entropy(model(signals[batch]), labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(float(loss.detach()))
model.eval()
accuracy = float((model(signals[1900:]).argmax(1) == labels[1900:]).float().mean())

# 4. Save the network, and load it again: the class must be imported where it is loaded.
with tempfile.TemporaryDirectory() as folder:
    path = es.models.save(model, Path(folder) / "directions.safetensors", {"data": "three spots"})
    again, notes = es.models.load(path)
assert torch.equal(again(signals), model(signals))

# 5. How equivariant is it?
audit = es.audit.audit(again, signals[:8], rotations=4)

if __name__ == "__main__":
    print(f"loss {losses[0]:.2f} to {losses[-1]:.2f}, accuracy on other maps {accuracy:.2f}")
    print(audit)
