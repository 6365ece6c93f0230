"""Finds trace codes (追溯码) that were settled before: one code is settled once, and a refund releases it.

Split packs and exempt kinds of catalogue repeat legitimately: their codes are neither held nor found. The table
``trace_code`` says which claim holds a code; one that was reversed since holds nothing.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.line_cells import LINE
from core_ext.text import text_at

if TYPE_CHECKING:
    from ledger.line_booking import Claims
    from ledger.line_source import LineColumns
    from ledger.profile import Profile
    from ledger.store import Transaction

Int64s = NDArray[np.int64]

#: Between the codes of a line that has several packs.
SEPARATOR = ";"
#: The holder of a code that was given back.
NOBODY = 0

REPLACE_CODE = "ON CONFLICT (code) DO UPDATE SET claim = excluded.claim"


@dataclass(slots=True)
class CodeBook:
    """Is what a batch does to trace codes: new holders, and (run, row, claim that has it, code) of each repeat."""

    holders: dict[str, int] = field(default_factory=dict)
    repeated: list[tuple[int, int, int, str]] = field(default_factory=list)

    def save(self, tx: "Transaction") -> None:
        """Writes the new holders."""
        if self.holders:
            claims = np.array(list(self.holders.values()), np.int64)
            tx.put("trace_code", ("code", "claim"), (list(self.holders), claims), REPLACE_CODE)


def codes_in(cell: str) -> list[str]:
    """Returns the trace codes of a line's cell."""
    return [code for part in cell.split(SEPARATOR) if (code := part.strip())]


def find_codes(
    tx: "Transaction", columns: "LineColumns", rows: Int64s, of: Int64s, claims: "Claims", profile: "Profile"
) -> CodeBook:
    """Returns what booked rows do to trace codes, line by line; ``of`` is the run of each row.

    The lines of a refund do nothing: that its claim is reversed has released them. A negative line of another claim
    gives back a code that the claim holds.
    """
    book = CodeBook()
    texts, table = columns.texts["drug_trac_codg"], columns.table
    traced = (np.diff(texts.offsets)[rows] > 0) & (table[rows, LINE["trdn_flag"]] != 1) & (claims.original[of] == 0)
    traced &= ~np.isin(table[rows, LINE["list_type"]], np.array(profile.untraced_list_types, np.int64))
    at = np.flatnonzero(traced)
    if not len(at):
        return book
    reversed_ = tx.reversals(np.unique(claims.position[of[at]]))
    listed = [
        (int(of[i]), int(rows[i]), code)
        for i in at.tolist()
        if int(claims.position[of[i]]) not in reversed_
        for code in codes_in(text_at(texts, int(rows[i])))
    ]
    held = _holders(tx, list(dict.fromkeys(code for _, _, code in listed)))
    back = (table[:, LINE["pric"]] < 0) != (table[:, LINE["cnt"]] < 0)
    for run, row, code in listed:
        claim = int(claims.position[run])
        holder = held.get(code, NOBODY)
        if back[row]:
            if holder == claim:
                held[code] = book.holders[code] = NOBODY
        elif holder != NOBODY:
            book.repeated.append((run, row, holder, code))
        else:
            held[code] = book.holders[code] = claim
    return book


def _holders(tx: "Transaction", codes: list[str]) -> dict[str, int]:
    """Returns the claims that hold codes, without those that were reversed."""
    found = {codes[at]: int(claim) for at, claim in tx.lookup("trace_code", "code", "claim", codes)} if codes else {}
    reversed_ = tx.reversals(sorted(set(found.values()))) if found else {}
    return {code: claim for code, claim in found.items() if claim not in reversed_}
