"""Settles the narrower formula with Numba: the loop a programmer writes over columns, compiled."""

from typing import Any

import numba
import numpy as np

from bench.peers.narrow import HALF, HELD, ONE, RESULTS, SEGMENTS, TERMS, Columns
from core_ext.settling import Table

FIRST_RATIO, DUE, LESS, FLOOR, CEILING, TO_DATE, ACCOUNT, EDGES = (
    list(TERMS).index(name)
    for name in ("first_ratio", "due", "less", "floor", "ceiling", "to_date", "account_pays", "edge_0")
)
STAYS, PLACED, HIFP, BALANCE = range(len(HELD))


class Loop:
    """Is the loop with tables of its own, which are in memory from the start."""

    def __init__(self, columns: Columns) -> None:
        self.results = {name: np.full(len(columns), -7, np.int64) for name in RESULTS}
        self._columns = columns
        self._years = np.zeros((len(columns.balances), len(HELD)), np.int64)

    def begin(self) -> None:
        """Makes every year what it was."""
        self._years[:, :BALANCE] = 0
        self._years[:, BALANCE] = self._columns.balances

    def run(self) -> None:
        """Settles the claims once; ``begin`` goes before."""
        claims, given = self._columns, self._columns.given
        _settle(
            claims.term_rows, claims.plan, claims.refund, claims.ref, claims.person, given["medfee"], given["preself"],
            given["inscp"], given["hosp"], self._years, *self.results.values(),
        )  # fmt: skip


def settle(columns: Columns) -> dict[str, Table]:
    """Returns the columns of RESULTS."""
    loop = Loop(columns)
    loop.begin()
    loop.run()
    return loop.results


@numba.njit(cache=False, nogil=True)
def _settle(
    terms: Any, plan: Any, refund: Any, ref: Any, person: Any, medfee: Any, preself: Any, inscp: Any, hosp: Any,
    years: Any, out_dedc: Any, out_pays: Any, out_part: Any, out_acct: Any, out_cash: Any,
) -> None:  # fmt: skip
    for row in range(len(plan)):
        year = years[person[row]]
        if refund[row]:
            of = ref[row]
            base = inscp[of] - (inscp[of] * terms[plan[of], FIRST_RATIO] + HALF) // ONE
            year[STAYS] -= 1
            year[PLACED] -= base - out_dedc[of]
            year[HIFP] -= out_pays[of]
            year[BALANCE] += out_acct[of]
            out_dedc[row], out_pays[row], out_part[row] = -out_dedc[of], -out_pays[of], -out_part[of]
            out_acct[row], out_cash[row] = -out_acct[of], -out_cash[of]
            continue
        term = terms[plan[row]]
        base = inscp[row] - (inscp[row] * term[FIRST_RATIO] + HALF) // ONE
        room = max(0, term[CEILING] - year[HIFP])
        dedc = 0
        if room > 0:
            dedc = min(max(term[FLOOR], term[DUE] - term[LESS] * year[STAYS]), base)
        start = year[PLACED] if term[TO_DATE] else 0
        stop = start + base - dedc
        above, paid = 0, 0
        for at in range(SEGMENTS):
            edge = term[EDGES + 2 * at]
            inside = max(0, min(stop, edge) - max(start, above))
            if inside:
                paid += (inside * term[EDGES + 2 * at + 1] + HALF) // ONE
            above = edge
        pays = min(paid, room)
        part = medfee[row] - pays - hosp[row]
        acct = 0
        if term[ACCOUNT]:
            acct = max(0, min(year[BALANCE], min(inscp[row] - pays + preself[row], part)))
        out_dedc[row], out_pays[row], out_part[row] = dedc, pays, part
        out_acct[row], out_cash[row] = acct, part - acct
        year[STAYS] += 1
        year[PLACED] += base - dedc
        year[HIFP] += pays
        year[BALANCE] -= acct
