"""Where each coefficient stands in the Legendre step, and the tables of that step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """Orders that share one batched product, of one parity of l - m or of both.

    Attributes:
        orders: where they stand among all orders.
        rows: where their terms stand, order after order, `terms` to each.
        terms: number of degrees of the first order; of higher ones, the last terms are zeros of the table.
        parity: which half of the samples it meets.
    """

    orders: slice
    rows: slice
    terms: int
    parity: int


class Layout:
    """Rows of the Legendre step: a row for each (order, degree) that a block holds, hardly any of them empty.

    The empty triangle l < m is left out by letting blocks of few orders have the length of their first order.

    Args:
        bandwidth: band limit L.
        groups: orders as they follow one another, as in `Fourier`.
        parities: 2 where even and odd l - m are apart, 1 where they are not.
    """

    def __init__(self, bandwidth: int, groups: Sequence[np.ndarray], parities: int) -> None:
        self.bandwidth = L = bandwidth
        self.blocks: list[Block] = []
        self.row_of = np.zeros((L, L), dtype=np.int64)  # [degree, order]
        width, at, start = max(8, L // 8), 0, 0
        for group in groups:
            for i in range(0, len(group), width):
                orders = group[i : i + width]
                for parity in range(parities):
                    terms = max(1, len(range(int(orders[0]) + parity, L, parities)))  # order L-1 has no odd degree
                    degrees = orders[:, None] + parity + parities * np.arange(terms)
                    rows = start + np.arange(degrees.size).reshape(degrees.shape)
                    holds = degrees < L
                    self.row_of[degrees[holds], np.broadcast_to(orders[:, None], degrees.shape)[holds]] = rows[holds]
                    place = slice(at + i, at + i + len(orders))
                    self.blocks.append(Block(place, slice(start, start + degrees.size), terms, parity))
                    start += degrees.size
            at += len(group)
        self.rows = start

    def gather_index(self) -> tuple[np.ndarray, np.ndarray]:
        """Flat coefficient of each (row, cosine or sine), and where each flat coefficient stands among those.

        What has no coefficient (past the band limit, or sin 0 phi) names coefficient 0: it is met by a zero later.
        """
        degree, order = np.tril_indices(self.bandwidth)
        flat = np.zeros((self.rows, 2), dtype=np.int64)
        flat[self.row_of[degree, order]] = (degree * (degree + 1))[:, None] + order[:, None] * [1, -1]
        flat[self.row_of[degree, order], 1] *= order > 0
        back = np.zeros(self.bandwidth**2, dtype=np.int64)
        for sine, sign in enumerate((1, -1)):
            holds = order >= sine
            l, m = degree[holds], order[holds]
            back[l * l + l + sign * m] = 2 * self.row_of[l, m] + sine
        return flat.ravel(), back

    def legendre(self, colatitudes: np.ndarray, pitch: int, dtype: type) -> np.ndarray:
        """P_lm(cos theta_j) as (rows, pitch), zero in empty rows and past the last ring.

        The recurrences of `harmonics.associated_legendre`, all orders at a time, in double precision.
        """
        L, x, s = self.bandwidth, np.cos(colatitudes), np.sin(colatitudes)
        table: np.ndarray = np.zeros((self.rows, pitch), dtype=dtype)
        before = np.zeros((L, len(x)))  # degree l - 1, each order a row
        last = np.zeros((L, len(x)))  # degree l - 2
        top = np.full(len(x), 0.5 / np.sqrt(np.pi))  # P_mm
        for l in range(L):
            m = np.arange(l)[:, None]
            a = np.sqrt((4 * l**2 - 1) / (l**2 - m**2))
            b = np.sqrt(((l - 1) ** 2 - m**2).clip(min=0) / max(4 * (l - 1) ** 2 - 1, 1))
            here = last  # its numbers are not needed after this
            here[:l] = a * (x * before[:l] - b * last[:l])
            if l:
                top = top * (np.sqrt((2 * l + 1) / (2 * l)) * s)
            here[l] = top
            table[self.row_of[l, : l + 1], : len(x)] = here[: l + 1]
            before, last = here, before
        return table
