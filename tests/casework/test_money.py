"""The money of a case: six kinds apart, split over claims and funds exactly, and never more than was raised."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import projections
from ledger.casework.acts import Act
from ledger.casework.events import FINE, KINDS, RecoveryRaised
from ledger.casework.recoveries import (
    RecoveryState,
    decide_collect,
    decide_instal,
    decide_offset,
    decide_raise,
    decide_reverse,
    decide_write_off,
    evolve,
)
from ledger.event import Event
from ledger.postings import book_of, checked_postings
from ledger.refusals import Refusal, Refused
from projections.trace_tree import PaymentTrace
from tests.casework.worlds import act, closed, key, month, refused
from tests.ledger.worlds import sign

FAR = 470100


def balances(url: str) -> dict[str, int]:
    """Returns every account; the books balance and verification finds nothing."""
    with projections.open(url) as read:
        accounts = read.balances().accounts
        assert read.verify() == []
    for book in {book_of(name) for name in accounts}:
        assert sum(fen for name, fen in accounts.items() if book_of(name) == book) == 0
    return accounts


def expense(accounts: dict[str, int], region: int) -> int:
    """Returns what the funds of a region have spent."""
    return sum(fen for name, fen in accounts.items() if name.startswith(f"expense:{region}:"))


def money(verb: str, fen: int = 0, kind: str = "clawed_back", case: str = "C1", **values: object) -> Act:
    """Returns an act on money."""
    return act(verb, case, kind=kind, amount_fen=fen, **values)


def test_each_kind_of_money_is_kept_apart(store_url: str, tmp_path: Path) -> None:
    """A clawback, a deduction, a penalty and a fine of one case: only the first two touch the funds."""
    with month(store_url, tmp_path) as book:
        spent = expense(balances(store_url), 260100)
        closed(book, "C1", (key(1), 100_000), (key(2), 50_000))
        book.case_act(act("raise", kind="clawed_back", claims=((key(1), -1),)))
        book.case_act(act("raise", kind="deducted"))
        refused(book, act("raise", kind="voluntary", claims=((key(1), 1),)), Refusal.CLAWBACK_TOO_LARGE)
        book.case_act(money("raise", 70_000, "penalty"))
        refused(book, act("raise", kind="fine", multiple=25_000), Refusal.FINE_OUT_OF_RANGE)
        book.case_act(act("raise", kind="fine", multiple=25_000, fraud=True))
        book.case_act(money("collect", 375_000, "fine", receipt="F-1"))
        refused(book, money("offset", 1, "penalty"), Refusal.CASE_MIXED)
    accounts = balances(store_url)
    assert expense(accounts, 260100) == spent - 150_000
    assert accounts["clawback:260100:H26010100001"] == 100_000
    assert accounts["penalty:260100:H26010100001"] == 70_000
    assert accounts["bank:treasury-260100"] == 375_000
    assert "bank:260100" not in accounts
    with projections.open(store_url) as read:
        found = read.recoveries(20240401)
        assert [(line.kind, line.raised_fen, line.outstanding_fen) for line in found.principal] == [
            ("deducted", 50_000, 0),
            ("clawed_back", 100_000, 100_000),
        ]
        assert [(line.kind, line.raised_fen, line.outstanding_fen) for line in found.apart] == [
            ("penalty", 70_000, 70_000),
            ("fine", 375_000, 0),
        ]
        assert {line.kind for line in read.recoveries(20240401, "debtors").apart} == {"penalty", "fine"}


def test_deductions_and_offsets_come_off_the_next_payment(store_url: str, tmp_path: Path) -> None:
    """The institution is paid less by both, once; what is more than a payment stays for the next one."""
    with month(store_url, tmp_path) as book:
        due = -balances(store_url)["payable:260100:H26010100001"]
        closed(book, "C1", (key(1), 100_000), (key(2), 50_000))
        book.case_act(act("raise", kind="deducted", claims=((key(1), 60_000),)))
        book.case_act(act("raise", kind="clawed_back"))
        book.case_act(money("offset", 40_000))
        refused(book, money("offset", 50_001), Refusal.OVER_COLLECTED)
        book.close(202401)
        sign(book, 202401)
        (paid,) = book.pay(202401, "institutions")
        assert (paid.amount_fen, paid.withheld_fen) == (due - 100_000, 100_000)
        book.confirm(paid.key, "B-1")
    accounts = balances(store_url)
    assert accounts["payable:260100:H26010100001"] == 0
    assert accounts["clawback:260100:H26010100001"] == 50_000
    with projections.open(store_url) as read:
        (trace,) = read.trace(paid.key).found
        assert isinstance(trace, PaymentTrace)
        assert trace.agrees is True


def test_off_site_principal_returns_to_the_insured_place_in_its_next_clearing(store_url: str, tmp_path: Path) -> None:
    """What is collected at the place of treatment lowers what the insured place owes it; the fine stays local."""
    with month(store_url, tmp_path) as book:
        start = balances(store_url)
        spent, due = expense(start, FAR), -start[f"due:{FAR}:260100"]
        closed(book, "C1", (key(4, FAR), 100_000))
        book.case_acts([act("raise", kind="clawed_back"), act("raise", kind="fine", multiple=10_000)])
        book.case_acts([money("collect", 30_000, receipt="R-1"), money("offset", 20_000)])
        book.case_act(money("collect", 100_000, "fine", receipt="F-1"))
        book.close(202401)
        sign(book, 202401)
        (paid,) = book.pay(202401, "regions")
        assert (paid.amount_fen, paid.returned_fen) == (due - 50_000, 50_000)
    accounts = balances(store_url)
    assert expense(accounts, FAR) == spent - 100_000
    assert accounts[f"due:{FAR}:260100"] == accounts[f"receivable:260100:{FAR}"] - (due - 50_000) == 0
    assert accounts[f"owed:260100:{FAR}"] == -50_000 == -accounts[f"recoverable:{FAR}:260100"]
    assert accounts["bank:treasury-260100"] == 100_000


def test_an_off_site_deduction_lowers_both_payments(store_url: str, tmp_path: Path) -> None:
    """The insured place pays the place of treatment less, and that pays the institution less; nothing stays open."""
    with month(store_url, tmp_path) as book:
        closed(book, "C1", (key(4, FAR), 100_000))
        book.case_act(act("raise", kind="deducted"))
        book.close(202401)
        sign(book, 202401)
        paid = book.pay(202401)
        assert [each.withheld_fen for each in paid] == [100_000, 100_000]
        for at, each in enumerate(paid):
            book.confirm(each.key, f"B-{at}")
    accounts = balances(store_url)
    for name in (f"due:{FAR}:260100", f"receivable:260100:{FAR}", "payable:260100:H26010100001"):
        assert accounts[name] == 0
    assert accounts[f"bank:{FAR}"] == -expense(accounts, FAR) - accounts.get(f"account:{FAR}:310200", 0)


def test_a_won_appeal_gives_back_what_came_in(store_url: str, tmp_path: Path) -> None:
    """What was outstanding is cancelled, what came in is paid with the next payment; the claim can be raised anew."""
    with month(store_url, tmp_path) as book:
        start = balances(store_url)
        closed(book, "C1", (key(1), 100_000))
        book.case_acts([act("raise", kind="clawed_back"), money("collect", 30_000, receipt="R-1")])
        refused(book, money("reverse", 100_001, reason="won"), Refusal.REVERSED_TOO_MUCH)
        refused(book, money("reverse", 1, reason=""), Refusal.BAD_VALUE)
        book.case_act(money("reverse", 100_000, reason="won in court"))
        refused(book, money("collect", 1, receipt="R-2"), Refusal.OVER_COLLECTED)
        accounts = balances(store_url)
        assert expense(accounts, 260100) == expense(start, 260100)
        book.close(202401)
        sign(book, 202401)
        (paid,) = book.pay(202401, "institutions")
        assert paid.withheld_fen == -30_000
        closed(book, "C2", (key(1), -1))
    assert balances(store_url)["clawback:260100:H26010100001"] == 0


def test_instalments_are_late_by_what_has_not_come_in(store_url: str, tmp_path: Path) -> None:
    """A plan covers all that is outstanding; a collection fills it in order; a write-off needs its reason."""
    plan = ((20240501, 60_000), (20240601, 40_000))
    with month(store_url, tmp_path) as book:
        closed(book, "C1", (key(1), 100_000))
        book.case_act(act("raise", kind="clawed_back"))
        refused(book, money("instal", instalments=plan[:1]), Refusal.INSTALMENTS_WRONG)
        refused(book, money("instal", instalments=plan[::-1]), Refusal.INSTALMENTS_WRONG)
        book.case_acts([money("instal", instalments=plan), money("collect", 25_000, receipt="R-1")])
        refused(book, money("collect", 25_000, receipt="R-1"), Refusal.STREAM_EXISTS)
        refused(book, money("write_off", 10, reason=" "), Refusal.BAD_VALUE)
        with projections.open(store_url) as read:
            missed = [read.recoveries(on).principal[0].missed_fen for on in (20240501, 20240502, 20240602)]
        assert missed == [0, 35_000, 75_000]
        book.case_act(money("write_off", 75_000, reason="insolvent"))
    with projections.open(store_url) as read:
        (line,) = read.recoveries(20240701).principal
        assert (line.written_off_fen, line.outstanding_fen, line.missed_fen) == (75_000, 0, 0)


def test_a_person_owes_the_insured_place(store_url: str, tmp_path: Path) -> None:
    """A person's debt is collected where it is insured, wherever it was treated, and never off a payment."""
    with month(store_url, tmp_path) as book:
        closed(book, "C1", (key(4, FAR), 50_000), person=True)
        refused(book, act("raise", kind="deducted"), Refusal.CASE_MIXED)
        book.case_act(act("raise", kind="clawed_back"))
        refused(book, money("offset", 1), Refusal.CASE_MIXED)
        book.case_act(money("collect", 50_000, receipt="R-1"))
    accounts = balances(store_url)
    assert accounts[f"bank:{FAR}"] == 50_000
    assert not any(name.startswith("owed:") for name in accounts)
    with projections.open(store_url) as read:
        assert [line.key for line in read.recoveries(20240401, "debtors").principal] == ["person"]


def test_cases_and_clawbacks_never_take_more_than_the_funds_paid(store_url: str, tmp_path: Path) -> None:
    """A clawback on the claim of a case leaves the case only what is left, and the other way round."""
    with month(store_url, tmp_path) as book:
        whole = expense(balances(store_url), 260100) // 3
        closed(book, "C1", (key(1), -1))
        book.clawback_raise("K1", key(1), 1_000, "first")
        refused(book, act("raise", kind="clawed_back"), Refusal.CLAWBACK_TOO_LARGE)
        book.case_act(act("raise", kind="clawed_back", claims=((key(1), whole - 1_000),)))
        with pytest.raises(Refused) as caught:
            book.clawback_raise("K2", key(1), 1, "again")
        assert caught.value.refusal == Refusal.CLAWBACK_TOO_LARGE
    balances(store_url)


PARTS = ((1, 260100, 1, 310100, 70_000), (1, 260100, 4, 330100, 20_001), (9, 470100, 1, 390100, 9_999))
TOUCHED = {
    *("payable", "expense", "due", "receivable", "owed", "recoverable", "clawback", "bank"),
    *("penalty", "penalty_income", "fine", "fine_income"),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(("collect", "offset", "instal", "write_off", "reverse")), st.integers(-5, 120_000)),
    max_size=12,
)


@settings(max_examples=150)
@given(kind=st.sampled_from(sorted(KINDS)), person=st.booleans(), steps=STEPS)
def test_any_sequence_conserves_money_per_fund(kind: str, person: bool, steps: list[tuple[str, int]]) -> None:
    """Raised = came in + written off + cancelled + outstanding for every part; never below zero; all books balance."""
    state = RecoveryState()
    debtor = "person-000000001" if person else "H1"
    number = KINDS[kind]
    parts: Any = PARTS if number < 5 else ()
    raised = decide_raise(
        *(state,),
        cause=0,
        kind=number,
        case="C",
        debtor=debtor,
        region=260100,
        on=20240101,
        amount_fen=100_000,
        parts=parts,
        base_fen=50_000,
        multiple=20_000,
        allowed=(10_000, 20_000),
    )
    if isinstance(raised, Refusal):
        assert person and number < 3
        return
    assert isinstance(raised, RecoveryRaised)
    sums: dict[str, int] = {}
    post(sums, raised, None)
    evolve(state, raised)
    for at, (verb, fen) in enumerate(steps):
        decided = {
            "collect": lambda fen=fen, at=at: decide_collect(state, 0, 20240102, fen, f"R{at}"),
            "offset": lambda fen=fen: decide_offset(state, 0, 20240102, fen),
            "instal": lambda: decide_instal(state, 0, 20240102, ((20240201, sum(state.outstanding)),)),
            "write_off": lambda fen=fen: decide_write_off(state, 0, 20240102, fen, "gone"),
            "reverse": lambda fen=fen: decide_reverse(state, 0, 20240102, fen, "won"),
        }[verb]()
        if isinstance(decided, Refusal):
            continue
        post(sums, decided, raised)
        evolve(state, decided)
        columns = zip(state.due, state.came_in, state.written_off, state.cancelled, state.outstanding, strict=True)
        for due, came, off, gone, left in columns:
            assert due == came + off + gone + left
            assert min(came, off, gone, left) >= 0
        assert all(0 <= back <= came for back, came in zip(state.repaid, state.came_in, strict=True))
        assert sum(state.came_in) <= raised.amount_fen
    for name, fen in sums.items():
        if name.startswith("expense:"):
            fund = int(name.rpartition(":")[2])
            own = [at for at, part in enumerate(PARTS) if part[3] == fund]
            back = sum(state.due[i] - state.written_off[i] - state.cancelled[i] - state.repaid[i] for i in own)
            assert fen == -back
    # What is refused never moves to the patient: no account of a person is touched.
    assert {name.partition(":")[0] for name in sums} <= TOUCHED
    if number == FINE:
        assert all("treasury-" in name for name in sums)


def post(sums: dict[str, int], event: Event, raised: RecoveryRaised | None) -> None:
    """Adds what an event posts, which balances in every book or is refused."""
    for account, fen in checked_postings(event, raised):
        sums[account] = sums.get(account, 0) + fen
