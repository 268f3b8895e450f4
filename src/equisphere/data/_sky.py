"""The microwave sky with the galaxy masked: what lies behind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.utils.data import Dataset

from equisphere.data._dense import DenseSignals, Readout
from equisphere.data._parts import Batch, Part, briefly, part_seed
from equisphere.data._source import DataError
from equisphere.data._winds import read_fields
from equisphere.grids import HEALPix
from equisphere.groups import random_rotations
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms import SHT, masked_quadrature, power_spectrum, rotate

#: what the maps are in: 0.1 mK, about the size of the signal
UNIT_MK = 0.1
#: simulated skies to train on in an epoch, and to validate on
SKIES = {"train": 512, "validation": 128}
#: orientations of a second mask over the observed sky
SECOND_MASKS = 64


@dataclass(frozen=True)
class MaskedSky:
    """One observed sky, the galaxy masked, and as many simulated ones as one likes; inpaint what is hidden.

    The task: a second mask, the galaxy's own turned at random, hides more of the sky. The network sees what neither mask hides
    (zero elsewhere) and where that is, and gives the whole sky. It is judged on what the second mask alone hides, for there
    the observed sky is known. Training and validation skies are Gaussian, drawn from the power spectrum that the observed sky
    shows where the galaxy is not, and white noise of the variance that is left. The observed sky is the test, and no more.

    Attributes:
        name: what it is.
        sky: in units of 0.1 mK, RING order, `(pixels,)`.
        mask: True where the galaxy does not hide the sky.
        seed: of skies, masks and rotations.
    """

    name: str
    sky: Float32[Tensor, "pixels"]
    mask: Bool[Tensor, "pixels"]
    seed: int = 0

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"upright": "as it was observed", "rotated": "randomly rotated"}
    model_settings: ClassVar[dict[str, Any]] = {"in_channels": 2, "out_channels": 1}

    @property
    def grid(self) -> HEALPix:
        """The pixels."""
        return HEALPix(round((len(self.sky) / 12) ** 0.5))

    @cached_property
    def coupling(self) -> Float[Tensor, "degrees degrees"]:
        """Power that the masked sky shows in each degree (row) for power 1 in each coefficient of one degree (column) alone.

        Measured on skies of one degree, drawn at random (the matrix of Hivon et al. 2002, equation 14, pixels included).
        """
        L = 2 * self.grid.nside
        draw, degree = torch.Generator().manual_seed(0), torch.from_numpy(degrees_and_orders(L)[0])
        sht, found = SHT(self.grid, L), []
        for l in range(L):
            single = sht.inverse(torch.randn(16, L * L, generator=draw) * (degree == l))
            found.append(power_spectrum(masked_quadrature(single, self.grid, self.mask, L)).mean(0))
        return torch.stack(found, dim=1)

    @cached_property
    def spectrum(self) -> Float[Tensor, "degrees"]:
        """C_l of the observed sky behind the mask; see `spectrum_of`."""
        return self.spectrum_of(self.sky)

    def spectrum_of(self, sky: Float[Tensor, "pixels"]) -> Float[Tensor, "degrees"]:
        """C_l of a sky behind the mask, 2 <= l < 2 nside, by least squares on the coupling of the mask (Hivon et al. 2002).

        One sky has 2l + 1 coefficients in each degree and no more, so l (l + 1) C_l is taken for a sum of a few hats over
        log l, none negative. Noise and what lies beyond 2 nside count as sky; degrees 0 and 1, which the mean and the Earth's
        motion spoil, are left out.
        """
        from scipy.optimize import nnls

        L = 2 * self.grid.nside
        power = power_spectrum(masked_quadrature(sky - sky[self.mask].mean(), self.grid, self.mask, L)).double()[2:]
        l = torch.arange(2, L, dtype=torch.float64)
        places = torch.linspace(0, float(np.log(L)), 12, dtype=torch.float64)
        hats = (1 - (l.log()[:, None] - places).abs() / places[1]).clamp(min=0) / (l * (l + 1))[:, None]
        mixed, fitted = self.coupling.double()[2:, 2:] @ hats, power
        for _ in range(
            5
        ):  # weights by the fitted power: by the observed one, what is low by chance would count for more
            weights = (2 * l + 1).sqrt() / fitted
            heights = torch.from_numpy(nnls((weights[:, None] * mixed).numpy(), (weights * power).numpy())[0])
            fitted = (mixed @ heights).clamp(min=1e-3 * float(power.max()))
        return torch.cat((torch.zeros(2), (hats @ heights).float()))

    @property
    def unresolved(self) -> float:
        """Variance of the observed sky behind the mask that degrees below 2 nside leave: finer structure, and noise."""
        power = (2 * torch.arange(len(self.spectrum)) + 1) * self.spectrum
        return max(0.0, float(self.sky[self.mask].var() - power.sum() / (4 * torch.pi)))

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> Part:
        """A part ("train", "validation" or "test") as signals; see `DataSet`."""
        seed = part_seed(name, self.seed)
        if name != "test":
            return SimulatedSkies(self, SKIES[name], bandwidth, seed, rotated, fresh=augmented)
        second = self.second_masks(SECOND_MASKS, torch.Generator().manual_seed(seed))
        skies = (self.sky - self.sky[self.mask].mean()).expand(len(second), -1)
        inputs = self.inputs(skies, second & self.mask, bandwidth)
        weights = self.grid.weights.float() * (self.mask & ~second)
        return DenseSignals(inputs, Readout(skies[:, None], weights, self.grid), seed, rotated)

    def second_masks(self, n: int, draw: torch.Generator) -> Bool[Tensor, "n pixels"]:
        """The mask in random orientations; each pixel has the value of the one nearest to where it comes from."""
        from scipy.spatial import cKDTree

        points = self.grid.points
        R = random_rotations(n, draw, torch.float64)
        _, nearest = cKDTree(points.numpy()).query((points @ R[:, None]).squeeze(1).numpy())  # R^-1 x, as rows
        return self.mask[torch.from_numpy(nearest)]

    def inputs(
        self, skies: Float[Tensor, "n pixels"], seen: Bool[Tensor, "n pixels"], bandwidth: int
    ) -> Float[Tensor, "n 2 coefficients"]:
        """Coefficients of what is seen of skies, and of where it is seen."""
        return masked_inputs(skies, seen, self.grid, bandwidth)


@torch.no_grad()
def fill_sky(
    network: Callable[[Tensor], Tensor], sky: Float[Tensor, "pixels"], bandwidth: int
) -> Float[Tensor, "pixels"]:
    """A map of the sky, NaN where it was not seen, with what a network of `MaskedSky` puts there.

    Args:
        network: takes coefficients `(1, 2, L*L)`, gives `(1, 1, L*L)`.
        sky: in mK, RING order.
        bandwidth: its band limit L.

    Raises:
        ValueError: where nothing of the sky was seen.
    """
    grid, seen = HEALPix(round((len(sky) / 12) ** 0.5)), ~torch.isnan(sky)
    if not bool(seen.any()):
        raise ValueError("a sky must be seen somewhere, got NaN at every pixel.")
    mean = sky[seen].mean()
    inside = torch.where(seen, (sky - mean) / UNIT_MK, 0).float()
    found = network(masked_inputs(inside[None], seen[None], grid, bandwidth))
    guess = UNIT_MK * SHT(grid, bandwidth).inverse(found)[0, 0] + mean
    return torch.where(seen, sky, guess.to(sky.dtype))


def masked_inputs(
    skies: Float[Tensor, "n pixels"], seen: Bool[Tensor, "n pixels"], grid: HEALPix, bandwidth: int
) -> Float[Tensor, "n 2 coefficients"]:
    """Coefficients of what is seen of skies, and of where it is seen."""
    both = torch.stack((skies * seen, seen.float()), dim=1)
    return SHT(grid, bandwidth).inverse_adjoint(both * grid.weights.float())


class SimulatedSkies(Dataset):
    """Gaussian skies, each behind two masks; what comes for a `Batch` is `(coefficients (n, 2, L*L), Readout)`.

    Args:
        source: spectrum and mask.
        skies: how many.
        bandwidth: band limit L of the inputs.
        seed: of skies, masks and rotations.
        rotated: turn each.
        fresh: others in each epoch.
    """

    def __init__(
        self, source: MaskedSky, skies: int, bandwidth: int, seed: int, rotated: bool = False, fresh: bool = False
    ) -> None:
        self.source, self.skies, self.bandwidth = source, skies, bandwidth
        self.seed, self.rotated, self.fresh = seed, rotated, fresh
        self.masks = source.second_masks(SECOND_MASKS, torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        """Number of skies."""
        return self.skies

    def __getitem__(self, batch: Batch) -> tuple[Float[Tensor, "n 2 coefficients"], Readout]:
        """Some of them."""
        source = self.source
        L = len(source.spectrum)
        root = source.spectrum.sqrt()[torch.from_numpy(degrees_and_orders(L)[0])]
        noise, grain, second, turns = [], [], [], []
        for index in batch.index.tolist():
            draw = torch.Generator().manual_seed(
                self.seed + 1_000_003 * (batch.epoch * self.fresh) + 7919 * (index + 1)
            )
            noise.append(torch.randn(L * L, generator=draw))
            grain.append(torch.randn(len(source.sky), generator=draw))
            second.append(int(torch.randint(len(self.masks), (), generator=draw)))
            turns.append(random_rotations(1, draw, torch.float32))
        skies = SHT(source.grid, L).inverse(torch.stack(noise) * root) + source.unresolved**0.5 * torch.stack(grain)
        seen = self.masks[second] & source.mask
        skies = skies - (skies * seen).sum(1, keepdim=True) / seen.sum(1, keepdim=True)
        c = source.inputs(skies, seen, self.bandwidth)
        weights = source.grid.weights.float() * (source.mask & ~self.masks[second])
        target = Readout(skies[:, None], weights, source.grid)
        if not self.rotated:
            return c, target
        R = torch.cat(turns)
        return rotate(c, R[:, None]), replace(target, rotations=R)


def load_sky(source: str | Path | None = None, seed: int = 0) -> MaskedSky:
    """Load a map of the microwave sky and the mask of the galaxy.

    Args:
        source: an npz file with `wmap_W_iqu_mK (3, 12 nside^2)`, whose first row is the temperature in mK, and `wmap_mask`, 0
            where the galaxy is. By default `earth_sky_fields.npz` of the folder that EQUISPHERE_DATA names.
        seed: of simulated skies, masks and rotations.

    Raises:
        DataError: where the file is missing, or an array is not what it should be; the message names it.
    """
    maps, mask = read_fields(source, ("wmap_W_iqu_mK", "wmap_mask"), "maps of the sky")
    pixels = maps.shape[-1] if maps.ndim == 2 else 0
    nside = round((pixels / 12) ** 0.5)
    if pixels == 0 or 12 * nside**2 != pixels or mask.shape != (pixels,) or not np.isfinite(maps[0]).all():
        raise DataError(
            f"a map of the sky must be finite, (fields, 12 nside^2), and its mask alike, got {maps.shape}, {mask.shape}."
        )
    if not 0 < (mask > 0).sum() < pixels:
        raise DataError("the mask must hide some of the sky, and not all of it.")
    sky = torch.from_numpy(maps[0].astype(np.float32) / UNIT_MK)
    return MaskedSky(f"WMAP W band, nside {nside}", sky, torch.from_numpy(mask > 0), seed=seed)
