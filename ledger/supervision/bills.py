"""Reviews claims before they are settled and runs the cases of a pack: bills as values, the same rules and kernel."""

import msgspec
import numpy as np

from core_ext.rule_tables import WINDOWS, Int64s
from ledger.policy_terms import INSUTYPES
from ledger.supervision.book import Book
from ledger.supervision.charges import VISIT_COLUMNS, WHOLE, Bill, Hits, Visits, find_hits
from ledger.supervision.packs import Pack, case_line, day_number
from ledger.supervision.terms import SETTINGS, Case, CaseVisit, Rule

_DEFINITE = {"definite": True, "suspect": False}
_SEX = {"": 0, "male": 1, "female": 2}
_PLACES = {"local": (440100, 440100), "province": (440100, 440200), "cross_province": (440100, 110000)}
_INSUTYPE = {**INSUTYPES, "other": 999}
_MED_TYPE = {**SETTINGS, "other": 99}


class BilledLine(msgspec.Struct, frozen=True):
    """Is a line of a claim: code of the item, day yyyymmdd, count in 1e-4, price in 1e-6 yuan, amount in fen."""

    med_list_codg: str
    day: int
    cnt: int
    pric: int
    amount_fen: int


class BilledClaim(msgspec.Struct, frozen=True):
    """Is a claim as the rules see it, by the codes of the national interface; days yyyymmdd, 0 where unknown.

    ``registered`` is None where no register of institutions is kept; ``applied`` is the day a manual claim was applied
    for.
    """

    lines: tuple[BilledLine, ...]
    insutype: int
    med_type: int
    hosp_lv: int
    begndate: int
    enddate: int
    insured_region: int
    treatment_region: int
    fixmedins_code: str
    medfee_fen: int = 0
    gend: int = 0
    brdy: int = 0
    die_date: int = 0
    dise_codg: str = ""
    manual: bool = False
    applied: int = 0
    registered: bool | None = None


class Breach(msgspec.Struct, frozen=True):
    """Is a line that violates a rule: its place in the claim (-1 the claim as a whole), and by how many fen."""

    rule: str
    title: str
    definite: bool
    window: str
    line: int
    fen: int


def breaches(book: Book, claim: BilledClaim, history: tuple[BilledClaim, ...] = ()) -> tuple[Breach, ...]:
    """Returns what violates a rule in a claim; ``history`` is the person's earlier claims, for windows that reach back.

    Windows see what they are given: without a history those of a month, quarter or year count this claim alone.
    """
    # Of two charges of a day the later one goes above a limit.
    hits = _hits(book, (*history, claim))
    found = []
    own = hits.visit == len(history)
    before = sum(len(each.lines) for each in history)
    for rule, kind, line, fen in zip(
        *(column[own].tolist() for column in (hits.rule, hits.kind, hits.line, hits.fen)), strict=True
    ):
        held = book.held[rule].rule
        at = line - before if line != WHOLE else WHOLE
        found.append(Breach(held.code, held.title, _DEFINITE[held.result], WINDOWS[kind], at, fen))
    return tuple(found)


def _hits(book: Book, claims: tuple[BilledClaim, ...]) -> Hits:
    codes: dict[str, int] = {}
    visits = np.array(
        [
            (
                *(1, at, each.begndate, each.enddate, each.insutype, each.hosp_lv, each.med_type),
                *(each.insured_region, each.treatment_region, each.medfee_fen),
                codes.setdefault(each.fixmedins_code, len(codes)),
                -1 if each.registered is None else int(each.registered),
                *(int(each.manual), each.applied, each.gend, each.brdy, each.die_date),
            )
            for at, each in enumerate(claims)
        ],
        np.int64,
    ).T
    lines: Int64s = np.array(
        [(at, line.day, line.cnt, line.pric, line.amount_fen) for at, each in enumerate(claims) for line in each.lines],
        np.int64,
    ).reshape(-1, 5)
    items = [line.med_list_codg for each in claims for line in each.lines]
    bill = Bill(lines[:, 0], items, lines[:, 1], lines[:, 2], lines[:, 3], lines[:, 4])
    columns = dict(zip(VISIT_COLUMNS, visits, strict=True))
    return find_hits(book, Visits(**columns, diagnosis=[each.dise_codg for each in claims]), bill)


class Missed(msgspec.Struct, frozen=True):
    """Is a case that did not come out: the rule, which case from 1, and what it should have shown."""

    pack: str
    rule: str
    case: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Returns it as one line."""
        return f"{self.pack}: {self.rule} {self.case}: expected {self.expected}, got {self.got}"


def run_cases(pack: Pack, book: Book) -> tuple[int, list[Missed]]:
    """Returns how many cases a pack's own rules have, and those that did not come out.

    A hit finds its rule in the case; a near miss does not, on the same days and by the same book.
    """
    count, missed = 0, []
    for rule in pack.rules:
        for kind, cases in (("hit", rule.hit), ("miss", rule.miss)):
            for at, case in enumerate(cases, 1):
                count += 1
                found = _finds(book, rule, case)
                if found != (kind == "hit"):
                    sides = ("a violation", "none") if kind == "hit" else ("none", "a violation")
                    missed.append(Missed(pack.header.name, rule.code, f"{kind} {at}", *sides))
    return count, missed


def _finds(book: Book, rule: Rule, case: Case) -> bool:
    hits = _hits(book, claims_of(case))
    return any(book.held[at].rule.code == rule.code for at in hits.rule.tolist())


def claims_of(case: Case) -> tuple[BilledClaim, ...]:
    """Returns the claims of a case, its own first."""
    return tuple(_claim(case, visit) for visit in (None, *case.visits))


def _claim(case: Case, visit: CaseVisit | None) -> BilledClaim:
    def said(name: str) -> str:
        own = None if visit is None else getattr(visit, name)
        return str(getattr(case, name)) if own is None else str(own)

    begin = day_number(said("begin"))
    end = begin if visit is not None and visit.begin and not visit.end else day_number(said("end")) or begin
    lines = []
    for text in case.lines if visit is None else visit.lines:
        item, count, day, price = case_line(text)
        lines.append(BilledLine(item, day or begin, count, price, count * price // 10**8))
    insured, treatment = _PLACES[case.place]
    level = said("level")
    return BilledClaim(
        lines=tuple(lines),
        insutype=_INSUTYPE[case.insurance],
        med_type=_MED_TYPE[said("setting")],
        hosp_lv=9 if level == "unrated" else int(level),
        begndate=begin,
        enddate=end,
        insured_region=insured,
        treatment_region=treatment,
        fixmedins_code=said("institution"),
        medfee_fen=sum(line.amount_fen for line in lines),
        gend=_SEX[case.sex],
        brdy=day_number(case.birth) if case.birth else 0,
        die_date=day_number(case.death) if case.death else 0,
        dise_codg=case.diagnosis,
        manual=case.manual,
        applied=day_number(case.applied) if case.applied else 0,
        registered=case.registered,
    )
