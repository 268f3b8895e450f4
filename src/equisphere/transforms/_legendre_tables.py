"""Tables of Legendre functions for the fast transform: blocks of orders, even and odd apart, no zeros to speak of."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from equisphere.harmonics import associated_legendre


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
    table = np.zeros((block.orders, len(colatitudes), block.terms[parity]))
    for k in range(block.orders):
        values = associated_legendre(block.first + k, bandwidth, colatitudes)[parity::2]
        table[k, :, : len(values)] = values.T
    return table


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
