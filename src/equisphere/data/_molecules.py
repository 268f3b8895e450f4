"""Molecules: a sphere around each atom, with the Coulomb potential of the others (Cohen et al. 2018, 5.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, Integer
from torch import Tensor

from equisphere import _checks
from equisphere._files import replacing
from equisphere.data._source import DataError
from equisphere.harmonics import degrees_and_orders
from equisphere.transforms import accumulate_each

_TABLE = (
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc "
    "Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po "
    "At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
#: chemical symbols in the order of their nuclear charge; the first stands for nothing
SYMBOLS = _TABLE.split()

#: hydrogen, carbon, nitrogen, oxygen, sulphur: what QM7 is made of
ORGANIC = (1, 6, 7, 8, 16)


@dataclass(frozen=True)
class Molecule:
    """Atoms: nuclear charges and places in Angstrom; `comment` is the second line of an xyz file."""

    charges: Int64[Tensor, "atoms"]
    positions: Float64[Tensor, "atoms 3"]
    comment: str = ""


def molecule_coefficients(
    charges: Integer[Tensor, "*batch atoms"],
    positions: Float[Tensor, "*batch atoms 3"],
    bandwidth: int,
    elements: Sequence[int] = ORGANIC,
    radius: float = 0.5,
) -> Float[Tensor, "*batch atoms elements coefficients"]:
    r"""A sphere around each atom, and on it the Coulomb potential of the other atoms, one channel an element.

    U_{i,e}(x) = sum_{j != i, z_j = e} z_i z_j / |x - p_j| for x on the sphere of a radius about p_i (Cohen et al. 2018, 5.3).
    The potential of a point charge in harmonics is the multipole expansion (Jackson, Classical Electrodynamics, eq. 3.70),
        1 / |x - p| = sum_lm 4 pi / (2l+1) r_<^l / r_>^(l+1) Y_lm(x / |x|) Y_lm(p / |p|),
    r_< and r_> the smaller and the larger of |x| and |p|; so the coefficients are exact, and turn exactly with the
    molecule; of samples on a grid neither would hold. Differentiable in the positions, to any order (for forces).

    Args:
        charges: nuclear charges `(..., atoms)`; 0 for padding, which neither has a potential nor makes one.
        positions: `(..., atoms, 3)`, Angstrom.
        bandwidth: band limit L.
        elements: nuclear charges with a channel of their own.
        radius: of the spheres, Angstrom; half the shortest bond keeps them apart (0.5 for organic molecules).

    Returns:
        `(..., atoms, elements, L*L)`, in units of e^2 / Angstrom, in the dtype of the positions.

    Raises:
        ValueError: where charges and positions do not go together, are negative or not finite, or name an element
            without a channel.

    >>> water = torch.tensor([8, 1, 1])
    >>> places = torch.tensor([[0.0, 0.0, 0.117], [0.0, 0.757, -0.469], [0.0, -0.757, -0.469]])
    >>> c = molecule_coefficients(water, places, bandwidth=6, elements=(1, 8))
    >>> c.shape
    torch.Size([3, 2, 36])
    >>> float(c[0, 0, 0] / (4 * pi) ** 0.5)  # mean over the sphere of oxygen: 8 (1 + 1) / 0.957
    16.71...
    """
    L = _checks.positive_int(bandwidth, "bandwidth")
    known = checked_molecules(charges, positions, elements)
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius must be a positive number of Angstrom, got {radius}.")
    leading, n = charges.shape[:-1], charges.shape[-1]
    z = charges.reshape(-1, n)
    p = positions.reshape(-1, n, 3)
    others = ~torch.eye(n, dtype=torch.bool, device=z.device)
    product = (z[:, :, None] * z[:, None, :] * others).to(p.dtype)
    apart = p[:, None, :, :] - p[:, :, None, :]  # [set, i, j]: from i to j
    squared = (apart * apart).sum(-1)
    outside = squared > radius**2
    larger = torch.where(outside, torch.where(outside, squared, 1).sqrt(), radius)
    # r_< / r_> along the direction of j: solid harmonics there hold the powers of it
    inverted = apart * torch.where(outside, radius / torch.where(outside, squared, 1), 1 / radius)[..., None]
    channel = (z[:, None, :] == known[:, None]).to(p.dtype)
    values = (product / larger)[:, :, None, :] * channel[:, None]
    c = accumulate_each(values.reshape(-1, len(known), n), inverted.reshape(-1, n, 3), L)
    degree = torch.from_numpy(degrees_and_orders(L)[0]).to(c.device)
    return (c * (4 * pi / (2 * degree + 1)).to(c.dtype)).reshape(*leading, n, len(known), L * L)


def checked_molecules(charges: Tensor, positions: Tensor, elements: Sequence[int]) -> Int64[Tensor, "elements"]:
    """Check that charges and positions go together and that each element has a channel; the elements as a tensor."""
    _checks.real(positions, "positions")
    if positions.ndim < 2 or positions.shape != (*charges.shape, 3) or charges.numel() == 0:
        raise ValueError(
            f"charges (..., atoms) and positions (..., atoms, 3) must go together and hold an atom, got {tuple(charges.shape)} "
            f"and {tuple(positions.shape)}."
        )
    _checks.finite(positions, "positions")
    known = torch.tensor(elements, device=charges.device)
    strange = charges[(charges != 0) & ~torch.isin(charges, known)].unique().tolist()
    if strange:
        raise ValueError(
            f"no channel for the nuclear charges {strange}, elements are {tuple(elements)}. "
            "Add them by `elements=`; 0 is padding."
        )
    return known


def read_xyz(path: str | Path) -> list[Molecule]:
    """The molecules of an xyz file: a number of atoms, a comment, a line `symbol x y z` for each atom (Angstrom); and again.

    Raises:
        DataError: where the file is missing or no xyz file; the message names it and the line.
    """
    path = Path(path)
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as an xyz file ({error}).") from error
    found, at = [], 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        found.append(_molecule_at(lines, at, path))
        at += 2 + len(found[-1].charges)
    if not found:
        raise DataError(f"{path} holds no molecule.")
    return found


def _molecule_at(lines: list[str], at: int, path: Path) -> Molecule:
    try:
        n = int(lines[at])
    except ValueError:
        raise DataError(f"{path}, line {at + 1}: a number of atoms must stand here, got {lines[at]!r}.") from None
    if n < 1 or at + 2 + n > len(lines):
        raise DataError(f"{path}, line {at + 1}: {n} atoms are promised, {max(len(lines) - at - 2, 0)} lines follow.")
    charges, places = [], []
    for number, line in enumerate(lines[at + 2 : at + 2 + n], at + 3):
        parts = line.split()
        try:
            charges.append(int(parts[0]) if parts[0].isdigit() else SYMBOLS.index(parts[0].capitalize()))
            places.append([float(x.replace("*^", "e")) for x in parts[1:4]])
        except (ValueError, IndexError):
            raise DataError(f"{path}, line {number}: `symbol x y z` must stand here, got {line!r}.") from None
        if len(places[-1]) != 3 or not np.isfinite(places[-1]).all() or not 0 < charges[-1] < len(SYMBOLS):
            raise DataError(
                f"{path}, line {number}: an element and three finite numbers must stand here, got {line!r}."
            )
    return Molecule(torch.tensor(charges), torch.tensor(places, dtype=torch.float64), lines[at + 1].strip())


def write_xyz(molecules: Sequence[Molecule], path: str | Path) -> None:
    """Write molecules to an xyz file, whole or not at all."""
    rows = []
    for molecule in molecules:
        rows += [str(len(molecule.charges)), molecule.comment]
        for z, place in zip(molecule.charges.tolist(), molecule.positions.tolist(), strict=True):
            rows.append(" ".join((SYMBOLS[z], *(f"{x:.10g}" for x in place))))
    with replacing(Path(path)) as part:
        part.write_text("\n".join(rows) + "\n")
