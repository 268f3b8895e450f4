"""Tables of Legendre functions for the fast transform: blocks of orders, even and odd apart, no zeros to speak of."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from equisphere.transforms import _recurrence as recurrence


@dataclass(frozen=True)
class Block:
    """Orders m = first .. last-1 that share one batched matrix product of each parity.

    Of order m and parity p the degrees are l = m + p + 2i, i < terms[p]; those past the band limit, which the higher
    orders of the block have, are zeros of the table.
    """

    first: int
    last: int
    terms: tuple[int, int]

    @property
    def orders(self) -> int:
        """Number of orders in the block."""
        return self.last - self.first


def blocks(bandwidth: int) -> list[Block]:
    """Cut the orders 0 .. L-1 into blocks: long enough to fill a batched product, short enough to waste few zeros.

    >>> [(b.first, b.last, b.terms) for b in blocks(12)]
    [(0, 4, (6, 6)), (4, 8, (4, 4)), (8, 12, (2, 2))]
    """
    width = max(4, bandwidth // 8)
    cuts = [*range(0, bandwidth, width), bandwidth]
    return [Block(a, b, ((bandwidth - a + 1) // 2, (bandwidth - a) // 2)) for a, b in pairwise(cuts)]


def legendre_table(bandwidth: int, block: Block, parity: int, colatitudes: np.ndarray) -> np.ndarray:
    """P_lm(cos theta_j) of one block and parity as an array (orders, rings, terms)."""
    order = np.arange(block.first, block.last)[:, None]
    table = np.zeros((block.orders, block.terms[parity], len(colatitudes)))  # so that a term is written in one piece
    before, x = np.zeros((block.orders, len(colatitudes))), np.cos(colatitudes)
    for n, chain in zip(range(block.terms[parity]), _chain(bandwidth, block, colatitudes), strict=False):
        l = order + parity + 2 * n
        rows = int(np.sum(l < bandwidth))  # the orders that have this degree
        values = table[:rows, n]
        if parity:
            np.multiply(chain[:rows], x, out=values)
        else:
            np.multiply(chain[:rows], recurrence.epsilon(l + 1, order)[:rows], out=values)
            before *= recurrence.epsilon(l, order)
            values += before[:rows]
        before = chain
    return table.swapaxes(1, 2)


def _chain(bandwidth: int, block: Block, colatitudes: np.ndarray) -> Iterator[np.ndarray]:
    """u_n = P_{m+2n+1} / x of a block's orders `(orders, rings)`, for n = 0, 1, ..

    sin^m underflows to 0 only where every degree below some thousands, which are not tabulated, is negligible.
    """
    order, sine = np.arange(block.first, block.last)[:, None], np.sin(colatitudes)
    polar = sine**2 < recurrence.POLAR
    argument = np.where(polar, -(sine**2), np.cos(colatitudes) ** 2)
    mantissa, exponent = (part[block.first : block.last] for part in recurrence.starts(block.last, colatitudes))
    before, value = np.zeros_like(mantissa), np.ldexp(mantissa, recurrence.UNIT * exponent)
    kappa = recurrence.scales(bandwidth)[:, block.first : block.last, None]
    for n in range(len(kappa)):
        yield kappa[n] * value
        centre, polar_centre = recurrence.centres(order + 2 * n + 1, order)
        made = np.where(polar, polar_centre, -centre)
        made += argument
        made *= kappa[n] ** 2 / recurrence.Q * (1 - 2 * (n % 2))
        made *= value
        made += before
        before, value = value, made


def gather_index(bandwidth: int) -> tuple[np.ndarray, np.ndarray]:
    """Which flat coefficient stands in each row of the blocks, and in which row each flat coefficient stands.

    Rows run over (cos or sin, block, parity, order, term); (l, m) is the coefficient of the cosine, (l, -m) of the
    sine. Rows without a coefficient (past the band limit, or sin 0 phi) name coefficient 0 and are met by a zero.
    """
    rows: list[int] = []
    back = np.zeros(bandwidth**2, dtype=np.int64)
    for sine in (False, True):
        for block in blocks(bandwidth):
            for parity in (0, 1):
                for m in range(block.first, block.last):
                    for i in range(block.terms[parity]):
                        l = m + parity + 2 * i
                        holds = l < bandwidth and not (sine and m == 0)
                        flat = l * l + l + (-m if sine else m) if holds else 0
                        if holds:
                            back[flat] = len(rows)
                        rows.append(flat)
    return np.array(rows), back
