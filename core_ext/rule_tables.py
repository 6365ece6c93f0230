"""Names what the rules kernel takes in: columns of charges, columns of rules, what a rule does and over which window.

A charge is one line of a bill, or one visit as a whole, under an item's number. A rule speaks of one item; what a
rule's *others* are is a list of further items. Counts are 1e-4, prices 1e-6 yuan, amounts fen, days ordinals.
"""

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ABSENT

Int64s = NDArray[np.int64]

#: int64[len(CHARGES), n], one row a name, sorted by person, item, day. Nothing is negative but what may be ABSENT.
CHARGES = (
    "person",
    "item",
    "day",
    "month",  # year * 12 + month - 1
    "visit",
    "scope",  # one bit a fact: insurance, level, setting …
    "cnt",
    "amount",
    "pric",
    "begin",  # the visit's first and last day
    "end",
    "institution",
    "age",  # years; this and the next two ABSENT where nothing is known
    "late",  # days from service to the application
    "after_death",  # days from death to service
)
CHARGE = {name: at for at, name in enumerate(CHARGES)}

#: int64[r, len(RULES)], sorted by item.
RULES = (
    "item",
    "op",
    "outside",  # scope bits the rule does not speak of
    "window",
    "field",  # BETWEEN: a column of CHARGES; TOTAL: one of MEASURES; FORBIDDEN: unused
    "low",
    "high",  # the limit; FORBIDDEN: scope bits that are a violation
    "begin",  # the days of service on which the rule holds, both included
    "until",
    "others",  # where its items begin in ``others``, and how many there are
    "count",
)
RULE = {name: at for at, name in enumerate(RULES)}

#: What a rule does.
(
    FORBIDDEN,  # a charge with one of the bits ``high``
    BETWEEN,  # a charge whose ``field`` is known and not from ``low`` to ``high``
    OUTSIDE,  # a charge on a day outside its visit
    TOTAL,  # a charge with which the window's measure goes above ``high``
    PRESENT,  # a charge while one of the others is in the window
    MISSING,  # a charge while none of the others is in the window
    PARTS,  # a charge while it and the others in the window are at least ``high`` different items
    DEARER,  # a charge above the lowest price before it in the window
    OVERLAP,  # a charge whose visit begins before an earlier one has ended
    RETURN,  # a charge whose visit begins up to ``high`` days after the one before it ended, at one institution
) = range(10)
OPS = 10

VISIT, DAY, MONTH, QUARTER, YEAR = range(5)
WINDOWS = ("visit", "day", "month", "quarter", "year")

#: What a TOTAL adds up; COUNT and AMOUNT are also what an excess is cut to.
COUNT, AMOUNT, TIMES, DAYS = range(4)
MEASURES = ("count", "amount", "times", "days")

#: No day is as late as this.
LATEST = 2**31

#: A column of hits: the rule's row, the charge's column, and the fen that violate it.
HITS = ("rule", "charge", "fen")


def check(rules: Int64s, first: Int64s, others: Int64s) -> None:
    """Checks rules; raises ValueError for shapes and numbers that do not fit.

    ``first`` int64[items + 1]: the rules of item i are rows ``first[i]`` up to ``first[i + 1]``.
    """
    items = len(first) - 1
    if rules.shape[1:] != (len(RULES),) or items < 0:
        raise ValueError(f"expected rules of {len(RULES)} columns and an index of items, got {rules.shape[1:]}")
    if int(first[0]) != 0 or int(first[-1]) != len(rules) or bool((np.diff(first) < 0).any()):
        raise ValueError(f"expected an index that ends at {len(rules)} rules, got {first[0]} to {first[-1]}")
    if len(rules):
        column = rules[:, RULE["item"]]
        if not np.array_equal(np.repeat(np.arange(items), np.diff(first)), column):
            raise ValueError("expected rules in the order of their items, got another")
        begins, counts = rules[:, RULE["others"]], rules[:, RULE["count"]]
        if int(min(begins.min(), counts.min())) < 0 or int((begins + counts).max()) > len(others):
            raise ValueError(f"expected others within {len(others)} items, got some beyond")
        _within(rules[:, RULE["op"]], OPS, "ops")
        _within(rules[:, [RULE["begin"], RULE["until"]]], LATEST, "days")
        _within(rules[:, RULE["window"]], len(WINDOWS), "windows")
        _within(rules[rules[:, RULE["op"]] == TOTAL, RULE["field"]], len(MEASURES), "measures")
        _within(rules[:, RULE["field"]], len(CHARGES), "fields")
    _within(others, items, "others")


def check_charges(charges: Int64s, items: int) -> None:
    """Checks charges: items within the index and no negative count, price, amount or month; raises ValueError."""
    if charges.shape[0] != len(CHARGES):
        raise ValueError(f"expected {len(CHARGES)} contiguous columns of charges, got {charges.shape[0]}")
    _within(charges[CHARGE["item"]], items, "items of charges")
    for name in ("cnt", "amount", "pric", "month", "day"):
        if charges.shape[1] and int(charges[CHARGE[name]].min()) < 0:
            raise ValueError(f"expected no charge with a negative {name}, got {charges[CHARGE[name]].min()}")


def _within(values: Int64s, stop: int, what: str) -> None:
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < stop:
        raise ValueError(f"expected {what} from 0 to {stop - 1}, got {values.min()} to {values.max()}")


def unsorted(row: int) -> ValueError:
    """Returns the error for charges that are not in the order of person, item, day."""
    return ValueError(f"charge {row}: expected charges sorted by person, item and day, got an earlier one")


def too_large(row: int) -> OverflowError:
    """Returns the error for a window whose total leaves 64 bits."""
    return OverflowError(f"charge {row}: expected a total within 64 bits, got a larger one")


__all__ = ["ABSENT", "CHARGE", "CHARGES", "HITS", "MEASURES", "RULE", "RULES", "WINDOWS"]
