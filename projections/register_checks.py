"""Holds the registers, trace codes and uses of drugs that the write side keeps against the events they follow from.

Like ``state_checks``: no query reads them, but the next settlement does. Which trace codes are held depends on the
job's source profile, of which the log has the digest: under a shipped profile every code that is traced must have its
row, under a file of somebody's own a row may be missing; of either, the holder, or nobody, must have had such a line.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import FACT
from core_ext.line_cells import PARTS
from ledger.acts import build_acts
from ledger.caps import FOR_EVER
from ledger.events import Event, FilingRegistered, JobStarted, MemberEnrolled
from ledger.line_columns import NUMBER, lines_of
from ledger.line_events import DrugCapSet, LinesFiled, PriceCapSet
from ledger.mapper import decode_event
from ledger.profile import load_profile, shipped_profiles
from ledger.register_events import (
    STATUS_ACTIVE,
    STATUS_ENDED,
    STATUS_SUSPENDED,
    EnrolmentRuleSet,
    EntitlementRegistered,
    FilingEnded,
    InstitutionChanged,
    InstitutionRegistered,
    InstitutionSuspended,
    InstitutionTerminated,
    MemberChanged,
    VisitOpened,
)
from ledger.trace_codes import NOBODY, codes_in
from projections.findings import Findings, unlike

if TYPE_CHECKING:
    from ledger.store import Reader

Key = tuple[Any, ...]
Int64s = NDArray[np.int64]

#: Each register's table: its columns, those of its key first, and how many those are.
REGISTERS: dict[str, tuple[str, int]] = {
    "member": ("token, begin, insu_admdvs, insutype, psn_type, assist_class, covered_from, status", 2),
    "filing": ("token, filing, region, begin, to_", 5),
    "entitlement": ("token, disease, begin, to_", 3),
    "visit": ("token, mdtrt_id, begin", 2),
    "institution": ("code, begin, status, name, region, hosp_lv, grade, med_types, bank_account", 2),
    "enrolment_rule": ("region, insutype, begin, newborn_days, on_time_until, late_months, exempt", 3),
    "price_cap": ("position, med_list_codg, begin, to_, cap", 1),
    "drug_cap": ("position, med_list_codg, window_, begin, to_, maximum_fen", 1),
    "drug_use": ("token, med_list_codg, day, claim, used_fen", 5),
}
SELECT_CODES = "SELECT code, claim FROM trace_code ORDER BY code"

_EVENTS = (
    MemberEnrolled,
    MemberChanged,
    EnrolmentRuleSet,
    EntitlementRegistered,
    VisitOpened,
    InstitutionRegistered,
    InstitutionChanged,
    InstitutionSuspended,
    InstitutionTerminated,
    FilingRegistered,
    FilingEnded,
    PriceCapSet,
    DrugCapSet,
    LinesFiled,
)
_PRESELF, _INSCP = len(PARTS) - 2, len(PARTS) - 1


class _Registers:
    """Is what the log says the tables hold: key to values; tables without a key count their equal rows."""

    def __init__(self, reader: "Reader") -> None:
        self.rows: dict[str, dict[Key, Key]] = {table: {} for table in REGISTERS}
        self.filings: dict[int, tuple[Key, tuple[tuple[int, int], ...]]] = {}
        self.uses: Counter[Key] = Counter()
        self.coded: dict[str, set[int]] = {}
        self.given_back: set[str] = set()
        self.held: set[str] = set()
        self._untraced = {each.digest: each.untraced_list_types for each in map(load_profile, shipped_profiles())}
        self._jobs: dict[int, tuple[int, ...] | None] = {}
        self._maxima: dict[str, list[tuple[int, int]]] = {}
        self._claims: dict[int, tuple[int, int]] = {}
        self._reader = reader
        for page in reader.pages(topics=[event.TOPIC for event in _EVENTS]):
            events = [(int(position), decode_event(topic, state)) for position, _, _, topic, state in page]
            self._claims = _claims_of(reader, {event.claim for _, event in events if isinstance(event, LinesFiled)})
            for position, event in events:
                self._take(position, event)
        self.rows["filing"] = _counted(
            Counter((*of, begin, to) for of, held in self.filings.values() for begin, to in held)
        )
        self.rows["drug_use"] = _counted(self.uses)

    def _take(self, position: int, event: Event) -> None:
        rows = self.rows
        if isinstance(event, MemberEnrolled | MemberChanged):
            values = (event.insu_admdvs, event.insutype, event.psn_type, event.assist_class)
            rows["member"][event.token, event.begin] = (*values, event.covered_from, event.status)
        elif isinstance(event, EnrolmentRuleSet):
            days = (event.newborn_days, event.on_time_until, event.late_months, " ".join(event.exempt))
            rows["enrolment_rule"][event.region, event.insutype, event.begin] = days
        elif isinstance(event, EntitlementRegistered):
            rows["entitlement"][event.token, event.disease, event.begin] = (event.to,)
        elif isinstance(event, VisitOpened):
            rows["visit"][event.token, event.mdtrt_id] = (event.begin,)
        elif isinstance(event, FilingRegistered):
            self.filings[position] = ((event.token, event.filing, event.region), ((event.begin, event.to),))
        elif isinstance(event, FilingEnded):
            if event.filing in self.filings:
                self.filings[event.filing] = (self.filings[event.filing][0], event.kept)
        elif isinstance(event, PriceCapSet):
            rows["price_cap"][(position,)] = (event.med_list_codg, event.begin, event.to, event.cap)
        elif isinstance(event, DrugCapSet):
            maximum = (event.begin, event.to, event.maximum_fen)
            rows["drug_cap"][(position,)] = (event.med_list_codg, event.window, *maximum)
            self._maxima.setdefault(event.med_list_codg, []).append((event.begin, event.to or FOR_EVER))
        elif isinstance(event, LinesFiled):
            self._lines(position, event)
        else:
            self._institution(event)

    def _institution(self, event: Event) -> None:
        rows = self.rows["institution"]
        if isinstance(event, InstitutionRegistered | InstitutionChanged):
            place = (event.name, event.region, event.hosp_lv, event.grade)
            med_types = " ".join(map(str, event.med_types))
            rows[event.code, event.begin] = (STATUS_ACTIVE, *place, med_types, event.bank_account)
        elif isinstance(event, InstitutionSuspended | InstitutionTerminated):
            status = STATUS_SUSPENDED if isinstance(event, InstitutionSuspended) else STATUS_ENDED
            days = [begin for code, begin in rows if code == event.code and begin <= event.begin]
            if days:
                rows[event.code, event.begin] = (status, *rows[event.code, max(days)][1:])

    def _lines(self, position: int, event: LinesFiled) -> None:
        token, original = self._claims.get(event.claim, (0, 0))
        lines = lines_of(event)
        days = lines.table[:, NUMBER["fee_ocur_time"]].tolist()
        back = ((lines.table[:, NUMBER["pric"]] < 0) != (lines.table[:, NUMBER["cnt"]] < 0)).tolist()
        used = (lines.split[:, _PRESELF] + lines.split[:, _INSCP]).tolist()
        traced = self._traced(position, event, lines.table) if not original and any(lines.codes) else None
        for at, item in enumerate(lines.items):
            if traced is not None and traced[at] and not back[at]:
                self.held.update(codes_in(lines.codes[at]))
            for code in codes_in(lines.codes[at]):
                self.coded.setdefault(code, set()).add(event.claim)
                if back[at]:
                    self.given_back.add(code)
            day = days[at]
            if used[at] and not original and any(begin <= day <= to for begin, to in self._maxima.get(item, ())):
                self.uses[token, item, day, event.claim, used[at]] += 1

    def _traced(self, position: int, event: LinesFiled, table: Int64s) -> list[bool] | None:
        """Returns which lines' codes were to be held; None where nobody can tell, or the claim was refunded before."""
        if event.cause not in self._jobs:
            found = self._reader.events_at([event.cause]).get(event.cause)
            job = decode_event(found[2], found[3]) if found is not None else None
            self._jobs[event.cause] = self._untraced.get(job.profile) if isinstance(job, JobStarted) else None
        untraced = self._jobs[event.cause]
        if untraced is None or 0 < self._reader.reversals([event.claim]).get(event.claim, 0) < position:
            return None
        split_pack, list_type = table[:, NUMBER["trdn_flag"]], table[:, NUMBER["list_type"]]
        traced: list[bool] = ((split_pack != 1) & ~np.isin(list_type, np.array(untraced, np.int64))).tolist()
        return traced


def _claims_of(reader: "Reader", claims: set[int]) -> dict[int, tuple[int, int]]:
    """Returns (token, claim refunded or 0) of claims."""
    if not claims:
        return {}
    events = reader.events_at(sorted(at for claim in claims for at in (claim, claim + 1)))
    whole = [claim for claim in sorted(claims) if {claim, claim + 1} <= events.keys()]
    if not whole:
        return {}
    filed, decided = ([events[claim + at][3] for claim in whole] for at in (0, 1))
    acts = build_acts(np.array(whole, np.int64), filed, decided, np.zeros(len(whole), np.bool_))
    facts = zip(acts.facts[:, FACT["token"]].tolist(), acts.original.tolist(), strict=True)
    return dict(zip(whole, facts, strict=True))


def _counted(rows: Counter[Key]) -> dict[Key, Key]:
    return {key: (count,) for key, count in rows.items()}


def check_registers(reader: "Reader", found: Findings) -> None:
    """Names every row of a register, every use of a drug and every trace code that does not follow from the log."""
    told = _Registers(reader)
    for table, (columns, width) in REGISTERS.items():
        rows: Sequence[Key] = reader.query(f"SELECT {columns} FROM {table}")
        whole = width == len(columns.split(", "))
        held = _counted(Counter(map(tuple, rows))) if whole else {row[:width]: row[width:] for row in rows}
        _compare(found, table, columns, told.rows[table], held)
    codes: dict[str, int] = dict(reader.query(SELECT_CODES))
    for code in sorted(codes.keys() | told.coded.keys()):
        claims = told.coded.get(code, set())
        claim = codes.get(code)
        if (
            (claim is None and code not in told.held)
            or claim in claims
            or (claim == NOBODY and code in told.given_back)
        ):
            continue
        expected = f"one of the claims {', '.join(map(str, sorted(claims)[:5]))}" if claims else "no row"
        found.other("edited-row", f"trace_code code={code}", expected, "no row" if claim is None else f"claim={claim}")


def _compare(found: Findings, table: str, columns: str, expected: dict[Key, Key], got: dict[Key, Key]) -> None:
    names = columns.split(", ")
    for key, *sides in unlike(expected, got):
        ours, theirs = ("no row" if side is None else str(side) for side in sides)
        where = " ".join(f"{name}={value}" for name, value in zip(names, key, strict=False))
        found.other("edited-row", f"{table} {where}", ours, theirs)
