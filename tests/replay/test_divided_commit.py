"""Divided stays booked anew: every year, account, claim and sum is what a store filed under the policy has."""

import os
import sqlite3
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ledger
import projections
from core_ext.layout import ACCUMULATOR, AMOUNT
from ledger.event import Event
from ledger.intake import run_intake
from ledger.mapper import decode_event, encode_event
from ledger.profile import load_profile
from ledger.replaying.events import ClaimResettled
from ledger.service import Ledger
from ledger.stays.events import StayPartCounted
from ledger.touched import last_register
from projections.reader import Projections
from tests.axes.test_axes import under
from tests.ledger.registry import registered
from tests.ledger.registry import told as events_told
from tests.ledger.test_divided_stays import stay, turning
from tests.ledger.worlds import claim, refund, sign, write
from tests.replay.test_commit import resettled
from tests.replay.test_divided import (
    ADMITTED,
    CASES,
    COUNTED,
    LESS,
    MORE_DUE,
    PERIODS,
    SOURCE_SETTLED,
    SPLIT,
    files,
    policy,
    told,
)
from tests.replay.truth import sound, stands

TO = PERIODS[-1]
CEILING = ('2023-01-01 = "none"\n[resident.over', '2023-01-01 = "12000.00"\n[resident.over')


def afterwards(folder: Path) -> Path:
    """Returns claims of both years that rest on what stands by then, and one more stay over the turn."""
    rows = [
        stay(41, "2024-02-10", "2024-02-12"), stay(42, "2023-09-10", "2023-09-12", setl_time="2024-02-12 08:00:00"),
        turning(43, setl_time="2024-02-13 08:00:00"), stay(44, "2024-02-10", "2024-02-12", psn_no="P2"),
        stay(45, "2024-02-10", "2024-02-12", psn_no="P3"), stay(46, "2024-02-10", "2024-02-12", psn_no="P4"),
        stay(47, "2024-02-10", "2024-02-12", psn_no="P5"),
        stay(48, "2023-09-10", "2023-09-12", psn_no="P3", setl_time="2024-02-12 08:00:00"),
    ]  # fmt: skip
    return write(folder / "afterwards.csv", rows)


def fresh(folder: Path, document: Path, taken: list[Path], name: str) -> dict[str, object]:
    """Returns what stands in a store filed under one policy from the beginning."""
    url = f"sqlite:///{folder / name}.db"
    with told(url, document, taken) as book:
        return stands(book, url)


def corrected(book: Ledger, document: Path) -> int:
    """Enacts a policy, books the months anew under it, twice, and returns how many claims that booked."""
    book.enact(document, [260100])
    done = book.correct(document, PERIODS[0], "letter 12", to=TO)
    again = book.correct(document, PERIODS[0], "letter 12", to=TO)
    assert (again.booked, again.fund_fen) == (0, 0) and again.already >= done.booked
    return done.booked


def parts_of(book: Ledger) -> list[StayPartCounted]:
    """Returns the parts counted in other years."""
    return events_told(book, StayPartCounted)


@pytest.mark.parametrize("case", CASES)
def test_after_a_correction_all_stands_as_in_a_fresh_store(tmp_path: Path, case: str) -> None:
    """Years, accounts, claims, sums and books; and claims filed afterwards are decided as in the fresh store."""
    was, would_be = (policy(tmp_path, name, *each) for name, each in zip(("was", "then"), CASES[case], strict=True))
    taken, after = files(tmp_path), afterwards(tmp_path)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with told(url, was, taken) as book:
        assert corrected(book, would_be)
        assert stands(book, url) == fresh(tmp_path, would_be, taken, "fresh")
        sound(book, url)
        book.intake(after)
        assert stands(book, url) == fresh(tmp_path, would_be, [*taken, after], "later")
        assert book.correct(would_be, PERIODS[0], "letter 12", to=TO).booked == 0
        sound(book, url)


def test_a_second_correction_rests_on_the_first(store_url: str, tmp_path: Path) -> None:
    """Divided, then whole, then divided by other days, then as at first: each stands as in a store of its own."""
    documents = [
        policy(tmp_path, name, *each)
        for name, each in (
            ("first", (SPLIT, CEILING)), ("whole", (MORE_DUE, CEILING)), ("counted", (COUNTED, LESS, CEILING)),
        )
    ]  # fmt: skip
    taken, after = files(tmp_path), afterwards(tmp_path)
    with told(store_url, documents[0], taken) as book:
        assert corrected(book, documents[1])
        book.intake(after)
        for number, document in enumerate((documents[2], documents[1], documents[0])):
            assert corrected(book, document)
            assert stands(book, store_url) == fresh(tmp_path, document, [*taken, after], f"fresh{number}")
            sound(book, store_url)
        links = {event.original: event for event in resettled(book)}
        chain = [event for event in resettled(book) if event.setl_id == "S000016"]
        assert len(chain) == 4 and chain[0].original == chain[0].claim + 1
        with book.store.read() as reader:
            for before, event in pairwise(chain):
                _, _, topic, state = reader.events_at([event.original])[event.original]
                assert decode_event(topic, state) == before and links[event.original] == event
        # Figures under a version fall back to its own prices, whatever was booked since.
        assert (
            under(store_url, book, str(documents[1]))[1]
            == fresh(tmp_path, documents[1], [*taken, after], "under")["books"]
        )


@pytest.mark.parametrize(("before", "counted"), [((LESS,), 4 + 3), ((SPLIT, LESS), 4 + 4 + 3)])
def test_a_refund_gives_each_year_back_what_stands(
    store_url: str, tmp_path: Path, before: tuple[tuple[str, str], ...], counted: int
) -> None:
    """After a correction a refund, by file or by command, takes off each year what the stay counts in it by then,
    not what the correction changed."""
    was, would_be = policy(tmp_path, "was", *before), policy(tmp_path, "then", SPLIT, MORE_DUE)
    rows = [turning(1), turning(2, psn_no="P2"), turning(3, psn_no="P3", **SOURCE_SETTLED), turning(4, psn_no="P4")]
    own = [stay(11, "2024-01-10", "2024-01-12"), stay(12, "2023-06-01", "2023-06-03", setl_time="2024-01-12 08:00:00")]
    with told(store_url, was, [write(tmp_path / "claims.csv", [*rows, *own])]) as book:
        assert corrected(book, would_be)
        book.intake(write(tmp_path / "back.csv", [refund(rows[0], 22), refund(rows[2], 21)]))
        book.reverse("S000002", "billed twice")
        found = stands(book, store_url)
        assert {name for name, amounts in found["claims"].items() if any(amounts)} == {"S000004", "S000011", "S000012"}
        assert len([part for part in parts_of(book) if part.days]) == counted
        # The fourth counts in both years still, the first person's own stays in one.
        assert len(found["years"]) == 3
        wrong = book.intake(write(tmp_path / "twice.csv", [refund(rows[0], 23)]))
        assert wrong.reasons == {"refund_twice": 1}
        book.intake(write(tmp_path / "again.csv", [turning(31), stay(32, "2024-01-20", "2024-01-22")]))
        assert book.correct(would_be, PERIODS[0], "letter 12", to=TO).booked == 0
        sound(book, store_url)
    with projections.open(store_url) as read:
        assert read.trace("260100/S000001").found


def test_what_was_refunded_or_clawed_back_stays(sqlite_url: str, tmp_path: Path) -> None:
    """A stay refunded since, or with money back, is counted and left, all of its years with it."""
    was, would_be = policy(tmp_path, "was", SPLIT), policy(tmp_path, "then", SPLIT, LESS)
    rows = [turning(1), turning(2, psn_no="P2"), turning(3, psn_no="P3")]
    with told(sqlite_url, was, [write(tmp_path / "claims.csv", rows)]) as book:
        book.reverse("S000001", "billed twice")
        book.clawback_raise("C1", "260100/S000002", 100, "found")
        book.enact(would_be, [260100])
        before = len(parts_of(book))
        done = book.correct(would_be, 202401, "letter 12")
        assert (done.booked, done.reversed, done.recovered) == (1, 1, 1)
        assert len(parts_of(book)) == before + 1
        sound(book, sqlite_url)


@pytest.mark.parametrize("dated", [(), (ADMITTED,)])
def test_a_dry_run_is_the_real_one_and_a_sealed_month_comes_out_again(
    store_url: str, tmp_path: Path, dated: tuple[tuple[str, str], ...]
) -> None:
    """To the byte; the month booked into is sealed with its corrections and comes out of segment and log alike."""
    was, would_be = policy(tmp_path, "was", *dated), policy(tmp_path, "then", *dated, SPLIT, LESS)
    taken = files(tmp_path)
    with told(store_url, was, taken) as book:
        book.segments = tmp_path / "segments"
        book.enact(would_be, [260100])
        for period in PERIODS[:2]:
            book.close(period)
            sign(book, period)
        book.seal(202401)
        dry = book.what_if(would_be, 202401, diff=tmp_path / "dry.parquet")
        done = book.correct(would_be, 202401, "letter 12", diff=tmp_path / "real.parquet")
        assert (tmp_path / "dry.parquet").read_bytes() == (tmp_path / "real.parquet").read_bytes()
        assert done.found == dry and done.booked and done.period == 202402
        assert book.what_if(would_be, 202401) == book.what_if(would_be, 202401, from_log=True)
        book.reverse("S000016", "billed twice")
        book.intake(afterwards(tmp_path))
        book.close(202402)
        sign(book, 202402)
        book.seal(202402)
        report, from_log = book.replay(202402), book.replay(202402, from_log=True)
        assert (report.read, report.differences, from_log.differences) == ("segment", (), ())
        assert report.acts == from_log.acts
        assert book.correct(would_be, 202401, "letter 12").booked == 0
    with projections.open(store_url, segments=tmp_path / "segments") as read:
        assert read.verify() == []


def test_every_view_says_the_same_after_a_correction(sqlite_url: str, tmp_path: Path) -> None:
    """What-if and sweep ask from the first decisions, whatever was booked since; a claim says what stood when and what
    it is under each version; the person's history has every part."""
    was, would_be = policy(tmp_path, "was", CEILING), policy(tmp_path, "then", SPLIT, LESS, CEILING)
    taken, after = files(tmp_path), afterwards(tmp_path)
    with told(sqlite_url, was, taken) as book:
        before = book.what_if(would_be, PERIODS[0], to=TO)
        assert corrected(book, would_be)
        again = book.what_if(would_be, PERIODS[0], to=TO)
        assert (again.totals, again.totals_new, again.changed) == (before.totals, before.totals_new, before.changed)
        book.intake(after)
        expected = fresh(tmp_path, would_be, [*taken, after], "fresh")
        found = book.what_if(would_be, PERIODS[0], to=TO)
        swept = book.sweep(would_be, PERIODS[0], to=TO).variants[0]
        assert found.totals_new == swept.totals and found.changed == swept.changed
        assert found.totals_new[AMOUNT["fund_pay_sumamt"]] == expected["fund"]
        fund = AMOUNT["fund_pay_sumamt"]
        for name in ("S000012", "S000016"):
            position = book.explain(f"260100/{name}").position
            with projections.open(sqlite_url) as read:
                person = read.acts_of_person(position)
            said = book.answers(position, person)
            stood, now = said.recorded
            assert (stood.what, now.what, now.fund_fen) == ("settled", "booked anew", expected["claims"][name][fund])
            assert [each.fund_fen for each in said.versions] == [stood.fund_fen, now.fund_fen]
    with projections.open(sqlite_url) as read:
        read.catch_up()
        trace = read.trace("P2", events=True)
        assert {"stay-part-counted", "claim-resettled"} <= {step.what for step in trace.steps}


def test_a_late_birth_corrects_each_year_under_what_stands(sqlite_url: str, tmp_path: Path) -> None:
    """A day of birth told late is booked under the policy that each claim stands under by then, corrected or not."""
    aged = ('2 = "0.84" } }', '2 = "0.84" } }, exceptions = [{ age_from = 70, ratio = { 2 = "0.90" } }]')
    was, would_be = policy(tmp_path, "was", aged), policy(tmp_path, "then", SPLIT, aged, MORE_DUE)
    rows = [turning(1), stay(2, "2024-01-10", "2024-01-12"), stay(3, "2024-01-10", "2024-01-12", psn_no="P2")]
    taken = [write(tmp_path / "claims.csv", rows)]
    fresh_url = f"sqlite:///{tmp_path / 'fresh.db'}"
    with told(fresh_url, would_be, []) as other:
        registered(other, tmp_path, "psn_no,gend,brdy", "P1,1,1954-01-02")
        other.intake(taken[0])
        expected = stands(other, fresh_url)
    with told(sqlite_url, was, taken) as book:
        assert corrected(book, would_be) == 3
        registered(book, tmp_path, "psn_no,gend,brdy", "P1,1,1954-01-02")
        with book.store.read() as reader:
            position = last_register(reader)
        done = book.correct(None, 202401, "told late", register=position)
        assert done.booked == 2
        found = stands(book, sqlite_url)
        # The register may have numbered the person before the claims did: the years are told apart by what they hold.
        assert sorted(found.pop("years").values()) == sorted(expected.pop("years").values())
        assert found == expected
        assert book.correct(None, 202401, "told late", register=position).booked == 0
        sound(book, sqlite_url)


def test_a_person_erased_since_is_booked_anew_as_well(sqlite_url: str, tmp_path: Path) -> None:
    """Only the person's number is gone; the years are corrected under the token."""
    was, would_be = policy(tmp_path, "was", SPLIT), policy(tmp_path, "then", LESS)
    taken = [write(tmp_path / "claims.csv", [turning(1), stay(2, "2024-01-10", "2024-01-12")])]
    with told(sqlite_url, was, taken) as book:
        book.erase("P1", retention_years=0)
        assert corrected(book, would_be) == 2
        assert stands(book, sqlite_url) == fresh(tmp_path, would_be, taken, "fresh")
        sound(book, sqlite_url)


def test_parts_booked_anew_are_checked(sqlite_url: str, tmp_path: Path) -> None:
    """A part that is altered is a difference of replay, named by year and amount; a lost one is found by verify."""
    was, would_be = policy(tmp_path, "was"), policy(tmp_path, "then", SPLIT, LESS)
    with told(sqlite_url, was, [write(tmp_path / "claims.csv", [turning(1)])]) as book:
        assert corrected(book, would_be) == 1
        (part,), (event,) = parts_of(book), resettled(book)
    assert (part.year, part.days, part.contribution, event.year) == (2023, 4, part.delta, 2024)
    path = Path(sqlite_url.removeprefix("sqlite:///"))

    def altered(topic: str, change: Callable[[Event], Event] | None) -> Path:
        copy = tmp_path / f"{topic.split('/')[0]}-{change is None}.db"
        with sqlite3.connect(path) as own, sqlite3.connect(copy) as other:
            own.backup(other)
            for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                other.execute(f"DROP TRIGGER {name}")
            ((state,),) = other.execute("SELECT state FROM stored_events WHERE topic = ?", (topic,))
            if change is None:
                other.execute("DELETE FROM stored_events WHERE topic = ?", (topic,))
            else:
                now = encode_event(change(decode_event(topic, state)))
                other.execute("UPDATE stored_events SET state = ? WHERE topic = ?", (now, topic))
        return copy

    def more(name: str, at: int) -> Callable[[Event], Event]:
        def change(event: Event) -> Event:
            values = list(getattr(event, name))
            values[at] += 1
            return msgspec.structs.replace(event, **{name: tuple(values)})

        return change

    hifp = ACCUMULATOR["hifp_pay"]
    for topic, name, at, step in (
        (StayPartCounted.TOPIC, "amounts", AMOUNT["hifp_pay"], "2023.hifp_pay"),
        (StayPartCounted.TOPIC, "delta", hifp, "2023.delta.hifp_pay"),
        (StayPartCounted.TOPIC, "contribution", hifp, "2023.contribution.hifp_pay"),
        (ClaimResettled.TOPIC, "delta", hifp, "delta.hifp_pay"),
        (ClaimResettled.TOPIC, "amounts", AMOUNT["hifp_pay"], "hifp_pay"),
    ):
        copy = altered(topic, more(name, at))
        with ledger.open(f"sqlite:///{copy}", actor="auditor") as book:
            steps = {each.step: each.got - each.expected for each in book.replay(202401).differences}
            assert steps.get(step) == 1
        with projections.open(f"sqlite:///{copy}") as read:
            assert read.verify() != []
        copy.unlink()
    lost = altered(StayPartCounted.TOPIC, None)
    with projections.open(f"sqlite:///{lost}") as read:
        assert read.verify() != []


KINDS = ("over", "over", "over", "old", "new", "visit", "source", "back")
DRAWN = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 2), st.integers(0, 8)), min_size=3, max_size=8)
VARIANTS = ((), (SPLIT,), (SPLIT, LESS), (COUNTED, MORE_DUE), (LESS, CEILING), (SPLIT, CEILING))


def drawn(acts: list[tuple[str, int, int]], first: int) -> list[dict[str, str]]:
    """Returns rows of two persons: stays over the turn and within either year, visits, refunds of what came before."""
    rows: list[dict[str, str]] = []
    for serial, (kind, person, number) in enumerate(acts, first):
        money = f"{1000 + 1377 * number}.0{number}"
        own = {"psn_no": f"P{person}", "medfee_sumamt": money, "inscp_scp_amt": money}
        own["setl_time"] = f"2024-01-{10 + serial % 10:02d} 08:00:00"
        match kind:
            case "over":
                rows.append(stay(serial, f"2023-12-{22 + number}", f"2024-01-{1 + number:02d}", **own))
            case "old" | "new":
                year = 2023 if kind == "old" else 2024
                rows.append(stay(serial, f"{year}-01-0{1 + number % 3}", f"{year}-01-07", **own))
            case "visit":
                rows.append(claim(serial, **own))
            case "source":
                rows.append(turning(serial, **SOURCE_SETTLED, psn_no=f"P{person}"))
            case "back":
                open_ = [row for row in rows if "init_setl_id" not in row and "hifp_pay" not in row]
                gone = {row["init_setl_id"] for row in rows if "init_setl_id" in row}
                open_ = [row for row in open_ if row["setl_id"] not in gone]
                if open_:
                    of = open_[number % len(open_)]
                    rows.append(refund(of, serial) | {"setl_time": own["setl_time"]})
    return rows


@settings(
    max_examples=int(os.environ.get("LEDGER_SEQUENCES", "8")),
    derandomize=True,
    phases=(Phase.generate,),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(before=DRAWN, after=DRAWN, was=st.sampled_from(VARIANTS), then=st.sampled_from(VARIANTS), admitted=st.booleans())
def test_drawn_histories_are_corrected_to_what_a_fresh_store_has(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
    was: tuple[tuple[str, str], ...],
    then: tuple[tuple[str, str], ...],
    admitted: bool,
) -> None:
    """Whatever came before and after two corrections, in batches of two: what stands is the fresh store's."""
    folder = tmp_path_factory.mktemp("drawn")
    dated = (ADMITTED,) if admitted else ()
    texts = {"was": was, "then": then, "third": (SPLIT, LESS)}
    documents = [policy(folder, name, *dated, *changes) for name, changes in texts.items()]
    taken = [write(folder / "one.csv", drawn(before, 1)), write(folder / "two.csv", drawn(after, 101))]
    url = f"sqlite:///{folder / 'ledger.db'}"
    with told(url, documents[0], []) as book:
        in_twos(book, taken[0])
        for number, document in enumerate(documents[1:]):
            book.enact(document, [260100])
            book.correct(document, 202401, "letter 12", to=202402)
            if not number:
                in_twos(book, taken[1])
                book.correct(document, 202401, "letter 12", to=202402)
            assert stands(book, url) == fresh(folder, document, taken, f"fresh{number}")
            assert book.correct(document, 202401, "letter 12", to=202402).booked == 0
        for period in book.periods():
            assert book.replay(period.period, from_log=True).differences == ()
        assert Projections(book.store, page_events=2).verify() == []


def in_twos(book: Ledger, path: Path) -> None:
    """Files claims in batches of two."""
    run_intake(
        book, path, load_profile("national"), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
        batch_rows=2,
    )  # fmt: skip
