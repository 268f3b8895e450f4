"""Shapes as clouds of points, in parts, lifted to the sphere on the fly."""

from dataclasses import dataclass
from functools import cached_property
from math import pi
from typing import Any, ClassVar

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import Dataset

from equisphere import _checks
from equisphere.data._clouds import cloud_coefficients, normalize_points
from equisphere.data._parts import Batch, briefly, part_seed
from equisphere.groups import random_rotations, rotation_about


@dataclass(frozen=True)
class LabelledClouds:
    """Clouds of as many points each, z up, and their classes."""

    points: Float32[Tensor, "n points 3"]
    labels: Int64[Tensor, "n"]

    __repr__ = briefly

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.labels)

    def take(self, index: Int64[Tensor, "k"]) -> "LabelledClouds":
        """Some of them."""
        return LabelledClouds(self.points[index], self.labels[index])


@dataclass(frozen=True)
class Distortion:
    """How clouds are distorted while a network trains, anew for each cloud in each epoch.

    Attributes:
        affine: standard deviation of the entries of a linear map near the identity.
        noise: standard deviation of each coordinate of each point, of a cloud within the unit ball.
        keep: share of the points that are kept.
    """

    affine: float = 0.1
    noise: float = 0.01
    keep: float = 0.75

    def __call__(self, points: Float32[Tensor, "points 3"], seed: int) -> Float32[Tensor, "kept 3"]:
        """The cloud that follows from a seed."""
        generator = torch.Generator().manual_seed(seed)
        kept = torch.randperm(len(points), generator=generator)[: max(1, round(self.keep * len(points)))]
        linear = torch.eye(3) + self.affine * torch.randn(3, 3, generator=generator)
        return points[kept] @ linear + self.noise * torch.randn(len(kept), 3, generator=generator)


class SphericalClouds(Dataset):
    """Clouds of points lifted to the sphere; item `Batch` is `(coefficients (n, shells, L*L), labels (n,))`.

    Each cloud is centred and scaled (`normalize_points`), turned, and lifted (`cloud_coefficients`). Its rotation is about the
    z axis, or any (Haar), drawn by (seed, i); with a distortion by (seed, epoch, i), as the distortion is.

    Args:
        source: the clouds.
        bandwidth: band limit L of the signals.
        shells: number of radial functions.
        rotated: turn clouds in any way, not about the vertical alone.
        seed: of rotations and distortions.
        distortion: for training; None for clouds as they are.
    """

    def __init__(
        self,
        source: LabelledClouds,
        bandwidth: int,
        shells: int,
        rotated: bool,
        seed: int,
        distortion: Distortion | None = None,
    ) -> None:
        self.source, self.bandwidth, self.shells, self.seed = source, bandwidth, shells, seed
        self.rotated, self.distortion = rotated, distortion
        self.rotations, self._epoch = self._drawn(0), 0

    def __len__(self) -> int:
        """Number of clouds."""
        return len(self.source)

    def __getitem__(self, batch: Batch) -> tuple[Float32[Tensor, "n shells coefficients"], Int64[Tensor, "n"]]:
        """Coefficients and labels of some clouds."""
        points = self.source.points[batch.index]
        if self.distortion is not None:
            if batch.epoch != self._epoch:
                self.rotations, self._epoch = self._drawn(batch.epoch), batch.epoch
            seeds = (self.seed + 1_000_003 * (batch.epoch + 1) + 7_919 * batch.index).tolist()
            points = torch.stack([self.distortion(p, s) for p, s in zip(points, seeds, strict=True)])
        turned = normalize_points(points) @ self.rotations[batch.index].mT
        return cloud_coefficients(turned, self.bandwidth, self.shells), self.source.labels[batch.index]

    def _drawn(self, epoch: int) -> Float32[Tensor, "n 3 3"]:
        generator = torch.Generator().manual_seed(self.seed + 2_000_003 * epoch)
        if self.rotated:
            return random_rotations(len(self.source), generator, torch.float32)
        return rotation_about((0.0, 0.0, 1.0), 2 * pi * torch.rand(len(self.source), generator=generator))


@dataclass(frozen=True)
class Shapes:
    """Labelled shapes to train on, to choose by, and to look at once, at the end, as clouds of points.

    The two protocols of ModelNet (Esteves et al. 2018): each shape turned about the vertical (z), or in any way (SO3).

    Attributes:
        classes: their names.
        shells: number of radial functions.
        distortion: of clouds while training.
        seed: of rotations and distortions.
    """

    name: str
    train: LabelledClouds
    validation: LabelledClouds
    test: LabelledClouds
    classes: tuple[str, ...]
    shells: int = 8
    distortion: Distortion = Distortion()
    seed: int = 0

    __repr__ = briefly

    orientations: ClassVar[dict[str, str]] = {"z": "turned about the vertical", "SO3": "randomly rotated"}

    def __post_init__(self) -> None:
        _checks.positive_int(self.shells, "shells")

    @cached_property
    def model_settings(self) -> dict[str, Any]:
        """Classes, and a channel for each shell."""
        return {"classes": len(self.classes), "in_channels": self.shells}

    def part(self, name: str, bandwidth: int, rotated: bool = False, augmented: bool = False) -> SphericalClouds:
        """A part ("train", "validation" or "test") as signals; see `DataSet`."""
        seed = part_seed(name, self.seed)
        distortion = self.distortion if augmented else None
        return SphericalClouds(getattr(self, name), bandwidth, self.shells, rotated, seed, distortion)
