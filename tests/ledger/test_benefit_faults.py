"""Planted faults: one altered fen of an institution's payment, an allowance or a hospital's share is found by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ledger
import projections
from core_ext.layout import HOW
from ledger.benefit_events import AllowanceGranted, AllowancePaid, InstitutionPaymentSet
from ledger.event import Event
from ledger.events import ClaimSettled
from ledger.mapper import decode_event
from projections.findings import Finding
from tests.ledger.test_allowance import opened
from tests.ledger.test_benefit_year import enacted
from tests.ledger.test_institution_pay import booked, grouped, world
from tests.ledger.test_persons_and_limits import BIRTHS, RULES_OF_EMPLOYEES
from tests.ledger.worlds import claim, events_of
from tests.projections.test_verify import alter, unguarded


def paid_institution(url: str, folder: Path) -> None:
    """Leaves a store with a DRG amount set."""
    with world(url, folder) as book:
        booked(book, folder, claim(1))
        grouped(book, folder, "260100,S000001,FM19,")
        book.set_institutions(202401)


def paid_allowance(url: str, folder: Path) -> None:
    """Leaves a store with an allowance granted and paid."""
    with opened(url, folder) as book:
        granted = book.grant_allowance("E1", 260100, leave="birth", begin=20240301, wage_fen=810_000)
        book.pay_allowance(granted.key, "B1")


def shared(url: str, folder: Path) -> None:
    """Leaves a store with a claim of which the hospital bears a share, and an employee's birth."""
    more = '[resident.hospital_share]\n2023-01-01 = { ratio = "0.05", of = ["in_scope"] }\n'
    anchor = "[resident.account_pays]"
    with enacted(url, folder, (anchor, RULES_OF_EMPLOYEES.format("employee_pool") + BIRTHS + more + anchor)) as book:
        booked(book, folder, claim(1), claim(2, insutype="510", psn_type="11", med_type="52"))


def positions(url: str, kind: type[Event]) -> list[int]:
    """Returns where events of a kind stand."""
    with ledger.open(url, actor="tester") as book:
        events = [(position, decode_event(topic, state)) for position, _, _, topic, state in events_of(book)]
    return [position for position, event in events if isinstance(event, kind)]


def found(url: str, kind: type[Event], nth: int, change: Callable[[Event], dict[str, object]]) -> list[Finding]:
    """Returns what a verification finds once one event of a folded store was altered."""
    at = positions(url, kind)[nth]
    with projections.open(url) as views:
        views.catch_up()
        assert views.verify() == []
    with unguarded(url) as writer:
        ((state, topic),) = writer.query("SELECT state, topic FROM stored_events WHERE notification_id = ?", (at,))
        alter(at, **change(decode_event(str(topic), bytes(state))))(writer)
    with projections.open(url) as views:
        return [each for each in views.verify() if f"position {at} " in f"{each.where} "]


@pytest.mark.parametrize(
    ("build", "kind", "nth", "field"),
    [
        (paid_institution, InstitutionPaymentSet, 0, "change_fen"),
        (paid_institution, InstitutionPaymentSet, 0, "payable_fen"),
        (paid_allowance, AllowanceGranted, 0, "amount_fen"),
        (paid_allowance, AllowancePaid, 0, "amount_fen"),
    ],
)
def test_one_altered_fen_is_found(
    sqlite_url: str, tmp_path: Path, build: Callable[[str, Path], None], kind: type[Event], nth: int, field: str
) -> None:
    """The altered event is named, once, with the balances it moves."""
    build(sqlite_url, tmp_path)
    (finding,) = found(sqlite_url, kind, nth, lambda event: {field: getattr(event, field) + 1})
    assert finding.kind == "altered-event"


@pytest.mark.parametrize(("nth", "name"), [(0, "hosp_part_amt"), (1, "pool")])
def test_an_altered_explanation_is_found(sqlite_url: str, tmp_path: Path, nth: int, name: str) -> None:
    """A hospital's share that does not close the fee, or another pool than paid, names its decision."""
    shared(sqlite_url, tmp_path)

    def change(event: Event) -> dict[str, object]:
        assert isinstance(event, ClaimSettled)
        at = HOW.index(name)
        return {"how": (*event.how[:at], event.how[at] + 1, *event.how[at + 1 :])}

    (finding,) = found(sqlite_url, ClaimSettled, nth, change)
    assert finding.kind == "altered-event"
    if name == "hosp_part_amt":
        assert any("identity_I2" in text for text in finding.also)
