"""Names the columns of a segment and takes their digest: the meaning of a segment, whatever wrote its files.

A segment is a folder of four Arrow IPC files. ``acts.arrow`` has a row an act, sorted by person, then by log position,
in record batches that never cut a person in two; ``years.arrow`` has as many batches, a row for each person-year of
the batch with the accumulators and the account it started from. ``cases.arrow`` and ``lines.arrow`` are what the
columns ``case`` and ``line`` number: the circumstances that choose a plan, and the lines of the statement.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core_ext.layout import ACCUMULATORS, AMOUNTS, FACTS, HOW
from core_ext.text import Texts
from ledger.acts import ACT_TEXTS

Ints = npt.NDArray[np.int64]

#: The version of the columns below; a reader refuses another.
LAYOUT = 2

DELTAS = tuple(f"delta_{name}" for name in ACCUMULATORS)
HOWS = tuple(f"how_{name}" for name in HOW)
BEFORES = tuple(f"before_{name}" for name in ACCUMULATORS)
GIVENS = tuple(f"given_{name}" for name in AMOUNTS)

#: What an act is besides its tables. ``original`` is the position of the claim a refund refunds.
HEAD = ("claim", "position", "reversed", "cause", "row", "original", "basis", "period", "flags", "year", "balc")

#: What is worked out from the others when the segment is written. ``carried``: 1 an original of another period, kept
#: for a refund; ``present``: a bit for each amount its source gave, -1 where it settled nothing; ``filed``: a mask of
#: the filing types that counted; ``ref``: how many rows above a refund its original stands (0: it is not here);
#: ``slot``: the row of the act's person-year in its batch, ``holder`` that of its person; ``gap``: 1 where other acts
#: of the person lie between this one and the one above it.
WORKED_OUT = ("carried", "present", "filed", "policy", "ref", "slot", "holder", "case", "line", "gap")

ACT_INTS = (*HEAD, *FACTS, *AMOUNTS, *DELTAS, *HOWS, *WORKED_OUT)
YEAR_INTS = ("token", "benefit_year", "account", *ACCUMULATORS)
CASE_INTS = (
    "policy", "insutype", "psn_type", "med_type", "hosp_lv", "relation", "filing", "assist_class", "age", "region"
)  # fmt: skip
LINE_INTS = ("month", "insured_region", "treatment_region", "insutype")

#: What has no column of its own because it is nearly always what other columns say (msgpack; empty where it is):
#: [accumulators before or nil, amounts given or nil].
ODD = "odd"


@dataclass(slots=True)
class Digest:
    """Takes the digest of a table of named integer and byte columns, a batch of rows at a time."""

    names: Sequence[str]
    rows: int = 0
    _hashes: "dict[str, hashlib._Hash]" = field(default_factory=dict)

    def add(self, columns: Mapping[str, Ints | Texts]) -> None:
        """Adds rows: integers as 64 bits little-endian, texts as their lengths and, apart, their bytes."""
        for name in self.names:
            values = columns[name]
            if isinstance(values, Texts):
                self._hash(f"{name}.length").update(np.ascontiguousarray(np.diff(values.offsets), "<i8").data)
                self._hash(f"{name}.bytes").update(
                    np.ascontiguousarray(values.data[values.offsets[0] : values.offsets[-1]]).data
                )
                self.rows += len(values.offsets) - 1 if name == self.names[0] else 0
            else:
                self._hash(name).update(np.ascontiguousarray(values, "<i8").data)
                self.rows += len(values) if name == self.names[0] else 0

    def _hash(self, name: str) -> "hashlib._Hash":
        found = self._hashes.get(name)
        if found is None:
            found = self._hashes[name] = hashlib.sha256()
        return found

    def value(self) -> bytes:
        """Returns SHA-256 over the number of rows and each column's name and digest, in order of the names."""
        whole = hashlib.sha256(str(self.rows).encode())
        for name, each in sorted(self._hashes.items()):
            whole.update(f"\n{name} {each.hexdigest()}".encode())
        return whole.digest()


def digests() -> dict[str, Digest]:
    """Returns fresh digests of the four tables of a segment."""
    return {
        "acts": Digest((*ACT_INTS, *ACT_TEXTS, ODD)),
        "years": Digest(YEAR_INTS),
        "cases": Digest(CASE_INTS),
        "lines": Digest(LINE_INTS),
    }


def together(period: int, policies: Iterable[bytes], tables: Mapping[str, Digest]) -> bytes:
    """Returns the digest of a segment: layout, period, the policies it numbers and its four tables."""
    whole = hashlib.sha256(f"{LAYOUT} {period}".encode())
    for digest in policies:
        whole.update(b"\npolicy " + digest.hex().encode())
    for name in ("acts", "years", "cases", "lines"):
        whole.update(f"\n{name} {tables[name].value().hex()}".encode())
    return whole.digest()


def narrowest(low: int, high: int) -> "npt.DTypeLike":
    """Returns the narrowest integer type that holds a range."""
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return kind
    return np.int64
