"""Whoever edits the store behind the ledger's back is found: k edits give exactly k findings, each by its name."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import projections
from ledger import store
from ledger.events import (
    ClaimReversed,
    ClaimSettled,
    ClawbackCollected,
    ClawbackRaised,
    Event,
    JobAbandoned,
    JobBatch,
    JobCompleted,
    JobStarted,
    PaymentConfirmed,
    PaymentInstructed,
    PolicyEnacted,
)
from ledger.mapper import decode_event, encode_event
from ledger.store import Writer
from ledger.store.schema import GUARDS
from projections.findings import Finding
from projections.reader import MODELS
from projections.trace_tree import EventTrace, JobTrace
from tests.faults.whole import whole_ledger
from tests.ledger.worlds import claim, opened, refund, write
from tests.projections.books import Book, full_book

Edit = Callable[[Writer], None]


@contextmanager
def unguarded(url: str) -> Iterator[Writer]:
    """Gives a writer past the triggers that keep the log append-only; they are back when it is done."""
    with store.connect(url) as opened, opened.write() as writer:
        guards = GUARDS[opened.dialect]
        for name in guards:
            table = name[: name.index("_refuse")]
            writer.execute(f"DROP TRIGGER {name}{f' ON {table}' if opened.dialect == 'postgres' else ''}")
        yield writer
        for sql in guards.values():
            writer.execute(sql)


def run(sql: str, *params: object) -> Edit:
    """Returns an edit by one statement that must hit exactly one row."""

    def edit(writer: Writer) -> None:
        assert writer.execute(sql, params) == 1, sql

    return edit


def alter(position: int, **changes: Any) -> Edit:
    """Returns an edit of fields of the event at a position."""

    def edit(writer: Writer) -> None:
        _, _, topic, state = writer.events_at([position])[position]
        event = msgspec.structs.replace(decode_event(topic, state), **changes)
        writer.execute("UPDATE stored_events SET state = ? WHERE notification_id = ?", (encode_event(event), position))

    return edit


def delete(position: int) -> Edit:
    """Returns the deletion of the event at a position."""
    return run("DELETE FROM stored_events WHERE notification_id = ?", position)


def one_fen(book: Book, claim: int, at: int = 1) -> Edit:
    """Returns an edit of one amount of a decision by one fen."""
    decision = book.log[claim][2]
    assert isinstance(decision, ClaimSettled | ClaimReversed)
    amounts = list(decision.amounts)
    amounts[at] += 1
    return alter(claim + 1, amounts=tuple(amounts))


def found_after(book: Book, url: str, *edits: Edit) -> list[Finding]:
    """Returns what a verification finds once a clean, folded store was edited."""
    book.save(url)
    with projections.open(url) as read:
        read.catch_up()
        assert read.verify() == []
    with unguarded(url) as writer:
        for edit in edits:
            edit(writer)
    with projections.open(url) as read:
        return read.verify()


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def place(book: Book, kind: type[Event], nth: int = 0) -> int:
    """Returns the position of the nth event of a kind."""
    return [at for at, row in enumerate(book.log, 1) if isinstance(row[2], kind)][nth]


def test_a_store_nobody_touched_has_no_findings(store_url: str) -> None:
    """A whole log verifies clean before any model exists, and after; it is then anchored."""
    book = full_book()
    book.save(store_url)
    with projections.open(store_url) as read:
        assert read.verify() == []
        assert read.verify() == []
    with store.connect(store_url) as opened, opened.read() as reader:
        rows = reader.query("SELECT name, position FROM projection ORDER BY name")
        assert rows == [(model.name, len(book.log)) for model in sorted(MODELS, key=lambda model: model.name)]


def test_one_fen_in_a_settlement_names_that_event(store_url: str) -> None:
    """One fen more for one fund: the altered event, the identity it breaks, the rows it moved, and nothing else."""
    book = full_book()
    claim = book.acts[5][0]
    finding = only(found_after(book, store_url, one_fen(book, claim)))
    assert finding.kind == "altered-event"
    assert finding.where.startswith(f"position {claim + 1} (claim-")
    assert finding.expected.startswith("leaf ") and finding.expected != finding.got
    assert any(text.startswith("identity_I5: expected") for text in finding.also)
    assert any(text.startswith("moves balance account=expense:") for text in finding.also)


def test_three_different_edits_are_three_findings(store_url: str) -> None:
    """A swapped policy digest, a deleted claim and an edited balance stand side by side, each by its own name."""
    book = full_book()
    edits = (
        alter(book.acts[5][0] + 1, policy=b"x" * 16),
        delete(book.acts[8][0]),
        run("UPDATE balance SET amount_fen = amount_fen + 1 WHERE account = 'bank:260100'"),
    )
    swapped, gone, edited = found_after(book, store_url, *edits)
    assert swapped.kind == "altered-event" and any("unknown-policy" in text for text in swapped.also)
    assert gone.kind == "missing-event" and f"claim-{book.acts[8][1].insured_region}-" in gone.where
    assert (edited.kind, edited.where) == ("edited-row", "balance account=bank:260100")
    assert int(edited.got.removeprefix("amount_fen=")) == int(edited.expected.removeprefix("amount_fen=")) + 1


def single_edits(book: Book) -> dict[str, tuple[Edit, str]]:
    """Returns edits by name, each with the kind of the one finding it must give."""
    claim, filed, _ = book.acts[5]
    refund = next(act for act in book.acts if isinstance(act[2], ClaimReversed))
    raised = place(book, ClawbackRaised)
    clawback = book.log[raised - 1][2]
    assert isinstance(clawback, ClawbackRaised)
    head = len(book.log)
    set_topic = "UPDATE stored_events SET topic = ? WHERE notification_id = ?"
    altered = {
        "the total fee": alter(claim, medfee_sumamt=filed.medfee_sumamt + 1),
        "a swapped policy digest": alter(claim + 1, policy=b"x" * 16),
        "the decision's claim": alter(claim + 1, claim=claim - 2),
        "the original of a refund": alter(refund[2].original, medfee_sumamt=7),
        "a refund": one_fen(book, refund[0]),
        "an insurance type a clawback depends on": alter(clawback.claim, insutype=340),
        "a payment's amount": alter(place(book, PaymentInstructed), amount_fen=5),
        "a payment's payee": alter(place(book, PaymentInstructed), payee="470100"),
        "a confirmed amount": alter(place(book, PaymentConfirmed), amount_fen=5),
        "a clawback's institution": alter(raised, fixmedins_code="H9"),
        "a policy's digest": alter(place(book, PolicyEnacted), digest=b"y" * 16),
        "a job's batch": alter(place(book, JobBatch), rows=3),
        "a topic there is not": run(set_topic, "claim-settled/9", claim + 1),
        "another topic": run(set_topic, "settlement-differs/1", claim + 1),
        "a version": run("UPDATE stored_events SET originator_version = 99 WHERE notification_id = ?", claim + 1),
        "a stream": run("UPDATE stored_events SET originator_id = 'x' WHERE notification_id = ?", refund[0] + 1),
        "bytes that are no event": run("UPDATE stored_events SET state = ? WHERE notification_id = ?", b"\x93", claim),
        "an amount no sum can hold": alter(claim, medfee_sumamt=2**63 - 1),
    }
    missing = {
        "a claim": delete(claim),
        "a decision": delete(claim + 1),
        "the original's claim": delete(refund[2].original),
        "the original's decision": delete(refund[2].original + 1),
        "the policy": delete(place(book, PolicyEnacted)),
        "a command": delete(1),
        "a payment": delete(place(book, PaymentInstructed)),
        "a confirmation": delete(place(book, PaymentConfirmed)),
        "a clawback": delete(raised),
        "a collection": delete(place(book, ClawbackCollected)),
        "a claim clawed back": delete(clawback.claim),
        "a job's start": delete(place(book, JobStarted)),
        "a job's batch": delete(place(book, JobBatch)),
        "a job's end": delete(place(book, JobCompleted)),
        "the last event": delete(head),
    }
    edited = {
        "a balance deleted": run("DELETE FROM balance WHERE account = 'equity:260100'"),
        "a balance made up": run("INSERT INTO balance (account, amount_fen) VALUES ('x:y', 0)"),
        "a trace row deleted": run("DELETE FROM trace_act WHERE claim = ?", claim),
        "a trace row": run("UPDATE trace_act SET acct_pay = acct_pay + 1 WHERE claim = ?", claim),
        "a trace copy": run("UPDATE trace_event SET stream = 'x' WHERE position = ?", place(book, PaymentInstructed)),
        "a tile": run("UPDATE proof_tile SET hashes = ? WHERE number = 0", b"\0" * 32 * 182),
        "a tile's root": run("UPDATE proof_tile SET root = ? WHERE number = 0", b"\0" * 32),
        "a model's position": run("UPDATE projection SET position = position + 1000 WHERE name = 'trace'"),
        "the tree's position": run("UPDATE projection SET position = position - 3 WHERE name = 'proof'"),
        "the trace's position": run("UPDATE projection SET position = position - 3 WHERE name = 'trace'"),
    }
    named = {f"altered: {name}": (edit, "altered-event") for name, edit in altered.items()}
    named |= {f"missing: {name}": (edit, "missing-event") for name, edit in missing.items()}
    named |= {f"edited: {name}": (edit, "edited-row") for name, edit in edited.items()}
    return named | {
        "the head": (run("UPDATE log_head SET size = size + 5"), "log-head"),
        # More than any memory holds.
        "the tokens given": (run(f"UPDATE log_head SET tokens = tokens + {2**43}"), "log-head"),
    }


@pytest.mark.parametrize("name", single_edits(full_book()))
def test_one_edit_is_one_finding(name: str, sqlite_url: str) -> None:
    """Whatever else an edit upsets is told beside it: there is one finding, and it is of the right kind."""
    book = full_book()
    edit, kind = single_edits(book)[name]
    assert only(found_after(book, sqlite_url, edit)).kind == kind


@pytest.mark.parametrize("seed", range(6))
def test_many_edits_at_once_are_as_many_findings(seed: int, store_url: str) -> None:
    """Edits of neighbouring events, of rows they move and of tiles do not hide or double one another."""
    book, rng = full_book(seed=20 + seed, claims=60), random.Random(seed)
    acts = rng.sample(book.acts, 6)
    edits: dict[int | str, Edit] = {}
    for position, filed, _ in acts[:4]:
        at, choice = position + rng.randrange(2), rng.randrange(3)
        if choice == 0:
            edits[at] = delete(at)
        elif at == position:
            edits[at] = alter(at, treatment_region=filed.insured_region + 7)
        else:
            edits[at] = one_fen(book, position, rng.randrange(1, 9))
    edits["trace_act"] = run("UPDATE trace_act SET period = 0 WHERE claim = ?", acts[4][0])
    region = acts[5][1].insured_region
    edits["statement_line"] = run(
        "UPDATE statement_line SET medfee_sumamt = medfee_sumamt + 1 WHERE period = ? AND month = ? AND"
        " insured_region = ? AND treatment_region = ? AND insutype = ?",
        acts[5][2].period, acts[5][1].setl_time // 10**8, region, acts[5][1].treatment_region, acts[5][1].insutype,
    )  # fmt: skip
    edits["balance"] = run(
        "UPDATE balance SET amount_fen = amount_fen - 1 WHERE account = ?",
        f"payable:{acts[0][1].treatment_region:06d}:{acts[0][1].fixmedins_code}",
    )
    found = found_after(book, store_url, *edits.values())
    named = {finding.where.split(" ")[1 if finding.where.startswith("position") else 0] for finding in found}
    assert named == {str(key) for key in edits}
    assert len(found) == len(edits)


def test_an_unfinished_job_is_named(store_url: str) -> None:
    """A job that started and never completed is a finding until it is run again."""
    book = full_book()
    book.job(3, "third.csv", complete=False)
    book.save(store_url)
    with projections.open(store_url) as read:
        finding = only(read.verify())
    assert finding.kind == "unfinished-job" and finding.where.startswith("job-intake-")


def test_an_abandoned_job_is_no_finding(store_url: str, tmp_path: Path) -> None:
    """A job that was ended by name is at its end: nothing is found, its trace says so; without that end it is named."""

    def kill(done: int) -> None:
        raise KeyboardInterrupt

    with opened(store_url) as book:
        with pytest.raises(KeyboardInterrupt):
            book.intake(write(tmp_path / "lost.csv", [claim(1), claim(2)]), progress=kill)
        (job,) = book.jobs()
        book.abandon(job.job, "the file is lost")
        with projections.open(store_url) as read:
            assert read.verify() == []
            (traced,) = read.trace("lost.csv").found
            assert isinstance(traced, JobTrace) and not traced.completed
            (end,) = read.trace(traced.abandoned).found
            assert isinstance(end, EventTrace) and end.topic == JobAbandoned.TOPIC
            with unguarded(store_url) as writer:
                delete(traced.abandoned)(writer)
            (finding,) = read.verify()
    assert finding.kind == "missing-event" and any(each.startswith("unfinished-job") for each in finding.also)


def test_a_log_that_was_never_folded_is_still_checked(store_url: str) -> None:
    """Without a tree nothing is anchored, yet broken identities, unknown policies and holes are found."""
    book = full_book()
    book.save(store_url)
    with unguarded(store_url) as writer:
        one_fen(book, book.acts[5][0])(writer)
        alter(book.acts[7][0] + 1, policy=b"x" * 16)(writer)
        delete(book.acts[9][0])(writer)
    with projections.open(store_url) as read:
        kinds = [finding.kind for finding in read.verify()]
    assert kinds == ["identity_I5", "unknown-policy", "missing-event"]


def test_findings_do_not_depend_on_pages(sqlite_url: str) -> None:
    """However the log is cut for reading, the same is found."""
    from projections.reader import Projections

    book = full_book()
    edits = (one_fen(book, book.acts[5][0]), delete(book.acts[8][0]), delete(book.acts[9][0] + 1))
    expected = found_after(book, sqlite_url, *edits)
    for page_events in (2, 3, 64):
        with Projections(store.connect(sqlite_url), page_events) as read:
            assert read.verify() == expected


def found_of_members(url: str, folder: Path, statement: str) -> list[Finding]:
    """Returns what verification finds in a store of a few claims and a member once a statement has edited it."""
    with opened(url) as book:
        original = claim(1)
        book.register(members(folder))
        other = claim(3, psn_no="P9", insutype="310", psn_type="11", med_type="11")
        book.intake(write(folder / "claims.csv", [original, refund(original, 2), other]))
        with projections.open(url) as read:
            read.catch_up()
            assert read.verify() == []
        with book.store.write() as writer:
            assert writer.execute(statement) > 0
    with projections.open(url) as read:
        return read.verify()


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE account SET balance_fen = balance_fen + 1", "account token="),
        ("UPDATE account SET version = version + 1000000", "account token="),
        ("UPDATE person_year SET version = version + 1", "person_year key="),
        ("DELETE FROM person_year", "person_year key="),
        ("DELETE FROM message", "message msgid="),
        ("DELETE FROM reversal", "reversal claim="),
        ("UPDATE reversal SET by_position = by_position + 3", "reversal claim="),
    ],
)
def test_an_edited_row_of_the_write_side_is_named(store_url: str, tmp_path: Path, statement: str, where: str) -> None:
    """What the next settlement rests on follows from the log; a row that does not is named."""
    found = found_of_members(store_url, tmp_path, statement)
    assert found and all(finding.kind == "edited-row" and finding.where.startswith(where) for finding in found)


@pytest.mark.parametrize("folded", [True, False])
def test_an_erasure_whose_arguments_say_nothing_is_named(store_url: str, tmp_path: Path, folded: bool) -> None:
    """An altered command that erased somebody is a finding of that event, whether the tree has it or not."""
    with opened(store_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1), claim(2)]))
        erased = book.erase("P000001", retention_years=0, reason="by decree")
    with projections.open(store_url) as read:
        if folded:
            read.catch_up()
    with unguarded(store_url) as writer:
        alter(erased.position, arguments="{")(writer)
    with projections.open(store_url) as read:
        assert [each.where.split(" (")[0] for each in read.verify()] == [f"position {erased.position}"]


def members(folder: Path) -> Path:
    """Returns a register of one member with an account."""
    path = folder / "members.csv"
    header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance"
    path.write_text(f"{header}\nP9,某,260101,310,11,,500.00\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE member SET psn_type = psn_type + 1 WHERE begin = 0", "member token="),
        ("DELETE FROM filing", "filing token="),
        ("UPDATE entitlement SET to_ = 20991231", "entitlement token="),
        ("UPDATE visit SET begin = begin - 1", "visit token="),
        ("UPDATE institution SET status = 1 WHERE status <> 1", "institution code="),
        ("UPDATE enrolment_rule SET newborn_days = 900", "enrolment_rule region="),
        ("UPDATE price_cap SET cap = cap + 1", "price_cap position="),
        ("UPDATE drug_cap SET maximum_fen = maximum_fen + 1", "drug_cap position="),
        ("UPDATE drug_use SET used_fen = used_fen - 1", "drug_use token="),
        ("UPDATE trace_code SET claim = claim + 1", "trace_code code="),
    ],
)
def test_an_edited_row_of_a_register_is_named(store_url: str, tmp_path: Path, statement: str, where: str) -> None:
    """What a settlement looks up by its day, trace codes and uses of drugs follow from the log; an edit is named."""
    with whole_ledger(store_url, tmp_path / "files") as book, projections.open(store_url) as read:
        assert read.verify() == []
        with book.store.write() as writer:
            assert writer.execute(statement) > 0
        found = read.verify()
        assert found and all(finding.kind == "edited-row" and finding.where.startswith(where) for finding in found)


@pytest.mark.parametrize("name", ["stored_events_refuse", "log_head_refuse_back", "log_head_refuse_delete"])
def test_a_guard_taken_away_is_named(store_url: str, name: str) -> None:
    """A log whose triggers no longer refuse changes may have been changed: each that is gone is a finding."""
    full_book().save(store_url)
    with store.connect(store_url) as opened, opened.write() as writer:
        gone = [guard for guard in GUARDS[opened.dialect] if guard.startswith(name)]
        for guard in gone:
            table = guard[: guard.index("_refuse")]
            writer.execute(f"DROP TRIGGER {guard}{f' ON {table}' if opened.dialect == 'postgres' else ''}")
    with projections.open(store_url) as read:
        found = read.verify()
    assert sorted((finding.kind, finding.where) for finding in found) == [
        ("missing-guard", f"trigger {guard}") for guard in sorted(gone)
    ]
