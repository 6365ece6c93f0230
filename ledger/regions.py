"""Tells which pooling area owns an ``admdvs`` code and how two areas relate (DOMAIN section 1).

A region is a rule over codes, never a stored fact: the first four digits name the city, unless the code lies in a
municipality, or an enacted policy says that its area owns further prefixes.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

RELATIONS = ("same_city", "same_province", "cross_province")

#: Municipalities: one pooling area for every code below these two digits.
MUNICIPALITIES = {"11": 110000, "12": 120000, "31": 310000, "50": 500000}


class Regions:
    """Is the table from the first four digits of a code to the region that owns it."""

    def __init__(self) -> None:
        self._owner = np.arange(10_000, dtype=np.int64) * 100
        self._owner[0] = 0
        for prefix, region in MUNICIPALITIES.items():
            self.declare((prefix,), region)

    def declare(self, prefixes: Iterable[str], region: int) -> None:
        """Gives ``region`` the codes that begin with these prefixes of one to four digits."""
        for prefix in prefixes:
            width = 10 ** (4 - len(prefix))
            first = int(prefix) * width
            self._owner[first : first + width] = region

    def owners(self, prefixes: Iterable[str], besides: Iterable[int]) -> list[int]:
        """Returns the regions that own codes under these prefixes now, other than ``besides``."""
        found: set[int] = set()
        for prefix in prefixes:
            width = 10 ** (4 - len(prefix))
            first = int(prefix) * width
            found.update(self._owner[first : first + width].tolist())
        return sorted(found - set(besides))

    def region_of(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the owning region of each six-digit code; 0 where there is no such code."""
        known = (codes >= 0) & (codes < 1_000_000)
        prefixes = np.where(known, codes, 0) // 100
        return np.take(self._owner, prefixes)


def relation(
    insured: NDArray[np.int64],
    treatment: NDArray[np.int64],
    insured_region: NDArray[np.int64],
    treatment_region: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Returns per claim the index in RELATIONS: one region, else the codes' first two digits, else cross province."""
    apart = np.where(insured // 10_000 == treatment // 10_000, 1, 2)
    return np.where(insured_region == treatment_region, 0, apart)
