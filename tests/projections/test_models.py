"""Read models are folds: live, in one go or rebuilt, page by page or all at once, they hold the same rows."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import projections
from core_ext.layout import AMOUNT, FACTS
from ledger import store
from ledger.acts import read_acts
from ledger.events import FLAG_ASSUMED, FLAG_LATE, ClaimFiled, ClaimReversed, ClawbackRaised, PaymentInstructed
from ledger.postings import Opened, postings
from ledger.refusals import StoreError
from projections import balances, pages, statement
from projections.act_postings import act_postings, checked_sum
from projections.catch_up import catch_up, ensure, positions
from projections.pages import read_page
from projections.reader import MODELS
from projections.rebuilding import rebuild
from projections.tables import Mode, Rows, read_table
from tests.projections.books import REGIONS, Book, full_book


def tables(url: str) -> dict[str, Rows]:
    with store.connect(url) as opened, opened.read() as reader:
        return {table.name: read_table(reader, table) for model in MODELS for table in model.tables}


def naive_balances(book: Book) -> dict[str, int]:
    sums: Counter[str] = Counter()
    touched: set[str] = set()
    first: dict[str, Opened] = {}
    filed: dict[int, ClaimFiled] = {}
    for position, (stream, version, event) in enumerate(book.log, 1):
        if isinstance(event, ClaimFiled):
            filed[position] = event
        opened = filed.get(getattr(event, "claim", 0)) or first.get(stream)
        if version == 1 and stream.startswith(("payment-", "clawback-")):
            assert isinstance(event, PaymentInstructed | ClawbackRaised)
            first[stream] = event
        for account, amount_fen in postings(event, opened):
            sums[account] += amount_fen
            touched.add(account)
    return {account: sums[account] for account in sorted(touched)}


def test_live_catching_up_equals_one_page_equals_a_rebuild(store_url: str, tmp_path: Path) -> None:
    """Following the log as it grows, in pages of two events, leaves the rows that folding it at once leaves."""
    book = full_book()
    whole, cut = book.log, len(book.log) * 2 // 3
    # A transaction holds whole acts: the first part ends in front of a claim, not behind one.
    while isinstance(whole[cut - 1][2], ClaimFiled):
        cut += 1
    book.log = whole[:cut]
    book.save(store_url)
    with store.connect(store_url) as live:
        ensure(live, MODELS)
        assert catch_up(live, MODELS, page_events=2) == cut
        book.log = whole
        book.save(store_url, after=cut)
        assert catch_up(live, MODELS[1:3], page_events=3) == len(whole)
        assert catch_up(live, MODELS, page_events=2) == len(whole)
        followed = tables(store_url)
        rebuild(live, MODELS)
        rebuilt = tables(store_url)
        with live.read() as reader:
            assert positions(reader, live.dialect) == {model.name: (len(whole), model.version) for model in MODELS}
    other = f"sqlite:///{tmp_path / 'other.db'}"
    book.save(other)
    with projections.open(other) as read:
        read.catch_up()
    assert followed == rebuilt == tables(other)


def test_balances_are_what_every_event_posts_one_by_one(store_url: str) -> None:
    """The vectorised fold gives, account for account, what posting event by event gives; books sum to zero."""
    book = full_book(seed=7)
    book.save(store_url)
    with projections.open(store_url) as read:
        found = read.balances()
    assert found.accounts == naive_balances(book)
    assert found.position == len(book.log)
    for region in REGIONS:
        assert sum(fen for account, fen in found.accounts.items() if account.split(":")[1] == f"{region:06d}") == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_page_of_acts_posts_what_each_act_posts(seed: int, sqlite_url: str) -> None:
    """Vectorised equals naive on claims alone, also where amounts cancel out."""
    book = Book(seed)
    book.job(60)
    book.save(sqlite_url)
    expected: dict[str, int] = {}
    for _, filed, decision in book.acts:
        for account, amount_fen in postings(decision, filed):
            expected[account] = expected.get(account, 0) + amount_fen
    with store.connect(sqlite_url) as opened, opened.read() as reader:
        (acts,) = read_acts(reader)
        assert act_postings(acts) == expected


def test_a_sum_beyond_64_bits_is_an_error() -> None:
    """No amount ever wraps around."""
    top = np.array([2**63 - 1], np.int64)
    with pytest.raises(OverflowError):
        checked_sum(top, np.array([1], np.int64))
    assert checked_sum(top, np.array([-1], np.int64)).tolist() == [2**63 - 2]


def test_a_table_refuses_a_sum_no_ledger_can_hold(store_url: str) -> None:
    """A balance never leaves the integers: SQLite would make it a float."""
    with store.create(store_url) as opened:
        ensure(opened, MODELS)
        with opened.write() as writer:
            writer.put("balance", ("account", "amount_fen"), [["bank:A"], [9 * 10**18]], balances.BALANCE.conflict)
        with pytest.raises(StoreError), opened.write() as writer:
            writer.put("balance", ("account", "amount_fen"), [["bank:A"], [10**18]], balances.BALANCE.conflict)


@pytest.mark.parametrize("page_events", [2, 3, 5, 7, 1_000])
def test_pages_of_acts_never_split_one(page_events: int, sqlite_url: str) -> None:
    """However the log is cut, every act comes once and whole, with its facts, amounts and keys."""
    book = full_book()
    book.save(sqlite_url)
    with store.connect(sqlite_url) as opened, opened.read() as reader:
        read = list(read_acts(reader, page_events=page_events))
        claims = [claim for acts in read for claim in acts.claim.tolist()]
        assert claims == [position for position, _, _ in book.acts]
        rows = [row for acts in read for row in acts.facts.tolist()]
        assert rows == [[getattr(filed, name) for name in FACTS] for _, filed, _ in book.acts]
        booked = [tuple(row) for acts in read for row in acts.booked.tolist()]
        assert booked == [decision.amounts for _, _, decision in book.acts]
        reversed_ = [bool(flag) for acts in read for flag in acts.reversed]
        assert reversed_ == [isinstance(decision, ClaimReversed) for _, _, decision in book.acts]
        assert {year for acts in read for year in acts.year.tolist()} == {2024}


@pytest.mark.parametrize("seldom", [0, pages.SELDOM, 1_000_000])
@pytest.mark.parametrize("page_events", [2, 7, 1_000])
def test_every_other_event_comes_with_its_place(
    page_events: int, seldom: int, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up or found passing over a page, an event beside acts stands in its own stream at its own version."""
    monkeypatch.setattr(pages, "SELDOM", seldom)
    book = full_book()
    book.save(store_url)
    found, after = [], 0
    with store.connect(store_url) as opened, opened.read() as reader:
        while after < reader.size:
            page = read_page(reader, after, reader.size, False, page_events)
            found += [(other.position, other.stream, other.version, other.event) for other in page.others]
            after = page.stop
    log = [(at, *row) for at, row in enumerate(book.log, 1)]
    assert found == [row for row in log if row[3].TOPIC not in pages.BULK_TOPICS] and len(found) > 10


def test_acts_can_be_read_from_the_middle(sqlite_url: str) -> None:
    """An act belongs behind a position when its decision stands behind it, and up to one when that stands before it."""
    book = full_book()
    book.save(sqlite_url)
    decisions = [position + 1 for position, _, _ in book.acts]
    with store.connect(sqlite_url) as opened, opened.read() as reader:
        for cut in range(reader.size + 1):
            behind = [at for acts in read_acts(reader, after=cut) for at in acts.position.tolist()]
            before = [at for acts in read_acts(reader, stop=cut) for at in acts.position.tolist()]
            assert behind == [at for at in decisions if at > cut]
            assert before == [at for at in decisions if at <= cut]


def test_a_statement_counts_and_sums_every_act_once(store_url: str) -> None:
    """Lines add up to the acts booked into the period, with late claims and assumed policies shown beside them."""
    book = full_book(seed=3, claims=60)
    book.save(store_url)
    with projections.open(store_url) as read:
        found = read.statement(202401)
        everything = read.statement()
        near = read.statement(202401, region=REGIONS[0])
    acts = [(filed, decision) for _, filed, decision in book.acts if decision.period == 202401]
    refunds = [act for act in acts if isinstance(act[1], ClaimReversed)]
    totals = found.totals
    assert (totals.settlements, totals.refunds) == (len(acts) - len(refunds), len(refunds))
    assert totals.person_times == len(acts) - 2 * len(refunds)
    assert totals.medfee_sumamt == sum(filed.medfee_sumamt for filed, _ in acts)
    for name in ("hifp_pay", "maf_pay", "fund_pay_sumamt", "acct_pay"):
        assert getattr(totals, name) == sum(decision.amounts[AMOUNT[name]] for _, decision in acts)
    assert totals.due_fen == totals.fund_pay_sumamt + totals.acct_pay
    late = [filed for _, filed, decision in book.acts if decision.flags & FLAG_LATE]
    assert everything.totals.late_acts == len(late)
    assert everything.totals.late_medfee_fen == sum(filed.medfee_sumamt for filed in late)
    assumed = [act for act in acts if act[1].flags & FLAG_ASSUMED]
    assert totals.assumed_claims == sum(-1 if isinstance(d, ClaimReversed) else 1 for _, d in assumed)
    assert totals.assumed_medfee_fen == sum(filed.medfee_sumamt for filed, _ in assumed)
    assert near.lines == tuple(
        line for line in found.lines if REGIONS[0] in (line.insured_region, line.treatment_region)
    )
    sections = [line.section for line in found.lines]
    assert sections == sorted(sections) and set(sections) == {"off_site", "same_city"}


def test_a_statement_exports_in_the_national_columns(sqlite_url: str) -> None:
    """The CSV has one line a pair and insurance type, business months of one period added up, amounts in yuan."""
    book = full_book()
    book.save(sqlite_url)
    with projections.open(sqlite_url) as read:
        found = read.statement()
    lines = statement.statement_csv(found.lines).splitlines()
    assert lines[0] == (
        "period,section,insured_region,treatment_region,insutype,person_times,settlements,refunds,"
        "medfee_sumamt,hifp_pay,cvlserv_pay,hifes_pay,hifmi_pay,hifob_pay,hifdm_pay,maf_pay,oth_pay,fund_pay_sumamt,"
        "acct_pay,due,late_acts,late_medfee,assumed_claims,assumed_medfee,unchecked_claims,unchecked_medfee"
    )
    keys = [tuple(line.split(",")[:5]) for line in lines[1:]]
    assert keys == sorted(set(keys))
    assert sum(round(100 * float(line.split(",")[8])) for line in lines[1:]) == found.totals.medfee_sumamt


def test_balances_can_be_asked_as_of_a_position_and_a_moment(store_url: str) -> None:
    """Earlier balances are those of the log cut there; a moment stands for the last position recorded by then."""
    from datetime import UTC, datetime, timedelta

    from tests.projections.books import START_US

    book = full_book()
    book.save(store_url)
    cut = next(position for position, _, event in ((at, *row[1:]) for at, row in enumerate(book.log, 1))
               if event.TOPIC == "job-completed/1")  # fmt: skip
    earlier = Book()
    earlier.log = book.log[:cut]
    with projections.open(store_url) as read:
        found = read.balances(as_of=cut)
        assert (found.position, found.accounts) == (cut, naive_balances(earlier))
        assert read.balances(as_of=0).accounts == {}
        assert read.balances(as_of=len(book.log)).accounts == read.balances().accounts
        moment = datetime.fromtimestamp(START_US // 10**6, UTC) + timedelta(seconds=cut - 1)
        assert read.balances(as_of=moment).position == cut
        assert read.balances(as_of=moment - timedelta(microseconds=1)).position < cut
        with pytest.raises(ValueError, match="expected a position from 0 to"):
            read.balances(as_of=len(book.log) + 1)
        with pytest.raises(ValueError, match="time zone"):
            read.balances(as_of=datetime(2024, 1, 1))


def test_a_hole_in_the_log_stops_catching_up(sqlite_url: str) -> None:
    """A position without an event is an error that names it, never a gap folded over."""
    book = full_book()
    book.save(sqlite_url)
    with store.connect(sqlite_url) as opened:
        with opened.write() as writer:
            writer.execute("DROP TRIGGER stored_events_refuse_delete")
            writer.execute("DELETE FROM stored_events WHERE notification_id = 20")
        with opened.read() as reader, pytest.raises(StoreError, match="position 20: expected an event, got none"):
            read_page(reader, 0, reader.size, wide=True)


def test_a_model_of_an_older_version_is_built_anew(sqlite_url: str) -> None:
    """Rows of another version of a model are never mixed with those of this one."""
    book = full_book()
    book.save(sqlite_url)
    with projections.open(sqlite_url) as read:
        read.catch_up()
        before = read.balances()
    with store.connect(sqlite_url) as opened, opened.write() as writer:
        writer.execute("UPDATE projection SET version = 0 WHERE name = 'balances'")
        writer.execute("UPDATE balance SET amount_fen = 1")
    with projections.open(sqlite_url) as read:
        assert read.balances() == before


def test_two_followers_at_once_fold_every_event_once(store_url: str) -> None:
    """Whoever comes second throws its page away; no event is added twice."""
    from concurrent.futures import ThreadPoolExecutor

    book = full_book()
    book.save(store_url)
    with store.connect(store_url) as opened:
        ensure(opened, MODELS)
        with ThreadPoolExecutor(3) as pool:
            reached = list(pool.map(lambda _: catch_up(opened, MODELS, page_events=7), range(3)))
        assert reached == [len(book.log)] * 3
    with projections.open(store_url) as read:
        assert read.balances().accounts == naive_balances(book)
        assert read.verify() == []


def test_events_can_be_followed_from_a_position(store_url: str) -> None:
    """A host's own follower gets every event behind its position, typed, in log order."""
    book = full_book()
    book.save(store_url)
    with projections.open(store_url) as read:
        events = list(read.events(after=10))
    assert [event.position for event in events] == list(range(11, len(book.log) + 1))
    assert [(event.stream, event.version, event.event) for event in events] == book.log[10:]


def test_small_tables_name_their_modes() -> None:
    """Sums add up, tiles and breaks are replaced, index rows are appended."""
    modes = {table.name: table.mode for model in MODELS for table in model.tables}
    assert modes == {
        "balance": Mode.ADD,
        "balance_run": Mode.RUN,
        "statement_line": Mode.ADD,
        "clearing_line": Mode.ADD,
        "other_pool": Mode.ADD,
        "proof_tile": Mode.REPLACE,
        "trace_act": Mode.APPEND,
        "trace_event": Mode.APPEND,
        "filed_lines": Mode.APPEND,
        "settled_code": Mode.APPEND,
        "finding": Mode.APPEND,
        "reconciliation_break": Mode.REPLACE,
    }
