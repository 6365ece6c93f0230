"""Makes bills as values out of the workload of the rules, as a service hands them in before it settles."""

from dataclasses import replace

import numpy as np

from bench.rules import Workload
from ledger.supervision.bills import BilledClaim, BilledLine
from ledger.supervision.charges import WHOLE, Bill, find_hits


def billed_claims(made: Workload, count: int) -> list[BilledClaim]:
    """Returns the first claims of a workload with their lines, each as a value."""
    visits, bill = made.visits, made.bill
    stop = np.searchsorted(bill.visit, np.arange(count + 1))
    columns = (bill.day, bill.cnt, bill.pric, bill.amount)
    found = []
    for at in range(count):
        own = range(int(stop[at]), int(stop[at + 1]))
        claim = BilledClaim(
            lines=tuple(BilledLine(bill.items[row], *(int(column[row]) for column in columns)) for row in own),
            insutype=int(visits.insutype[at]),
            med_type=int(visits.med_type[at]),
            hosp_lv=int(visits.hosp_lv[at]),
            begndate=int(visits.begin[at]),
            enddate=int(visits.end[at]),
            insured_region=int(visits.insured_region[at]),
            treatment_region=int(visits.treatment_region[at]),
            fixmedins_code=f"H{int(visits.institution[at]):011d}",
            gend=int(visits.sex[at]),
            brdy=int(visits.birth[at]),
            registered=True,
        )
        found.append(claim)
    return found


def violations_at_once(made: Workload, count: int) -> set[tuple[int, str, int, int]]:
    """Returns (claim, rule, line in it, fen) of the first claims, reviewed as columns, each as of a person alone."""
    stop = np.searchsorted(made.bill.visit, np.arange(count + 1))
    rows = int(stop[-1])
    bill = made.bill
    columns = (column[:rows] for column in (bill.day, bill.cnt, bill.pric, bill.amount))
    alone = replace(made.visits, token=np.arange(1, len(made.visits) + 1))
    hits = find_hits(made.book, alone, Bill(bill.visit[:rows], bill.items[:rows], *columns))
    columns_of = (hits.rule.tolist(), hits.visit.tolist(), hits.line.tolist(), hits.fen.tolist())
    return {
        (visit, made.book.held[rule].rule.code, WHOLE if line == WHOLE else line - int(stop[visit]), fen)
        for rule, visit, line, fen in zip(*columns_of, strict=True)
        if visit < count
    }
