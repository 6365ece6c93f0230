"""A command that is refused leaves the store as it was, to the byte: every refusal a command can meet is met."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ledger
import ledger.store
from ledger.intake import run_intake
from ledger.profile import ProfileError, load_profile
from ledger.reconciling import running
from ledger.reconciling.breaks import break_states
from ledger.reconciling.reports import Break
from ledger.reconciling.scope import scope_of
from ledger.reconciling.sides import open_details
from ledger.refusals import LedgerError, Refusal, Refused, SourceError
from ledger.register_file import RegisterError
from ledger.segments.sealing import expected_folder
from ledger.service import Ledger
from ledger.store import Store
from projections.reader import Projections
from tests.faults.plan import report
from tests.faults.whole import INSTITUTIONS, whole_ledger
from tests.ledger.registry import filed, registered
from tests.ledger.worlds import claim, clock, sign, write

#: Refusals of commands that only a bug can meet: every event is checked to balance before it is written.
ONLY_A_BUG = {Refusal.POSTINGS_UNBALANCED, Refusal.POSTINGS_EMPTY}

#: Refusals that need a payment on its way back, a receipt or a file of the bank's: tests/paying meets each of them.
OF_THE_BANK = {
    *(Refusal.RECEIPT_EXHAUSTED, Refusal.RECEIPT_CONFLICT, Refusal.STALE_ATTEMPT, Refusal.NOT_IN_BATCH),
    *(Refusal.OVER_PAYABLE, Refusal.WRONG_PARTY),
}

#: Refusals of allowances and of what institutions are paid otherwise: tests/ledger meets each of them, in
#: test_allowance and test_institution_pay.
OF_ALLOWANCES = {
    *(Refusal.PAYMENT_INSTRUCTED, Refusal.ALLOWANCE_WITHOUT_RULE, Refusal.ALLOWANCE_NOT_ENTITLED),
    Refusal.ALLOWANCE_REVOKED,
}

#: Refusals that need a case under way, at one of its stages: tests/casework meets each of them.
OF_CASES = {
    *(
        Refusal.CASE_STAGE,
        Refusal.CASE_SAME_PERSON,
        Refusal.CASE_AMOUNT,
        Refusal.CASE_MIXED,
        Refusal.CASE_TERMS_MISSING,
    ),
    *(Refusal.CASE_NOT_CLOSED, Refusal.CASE_EVIDENCE, Refusal.CASE_LATE, Refusal.CASE_OWNER, Refusal.CASE_PANEL),
    *(Refusal.FINE_OUT_OF_RANGE, Refusal.INSTALMENTS_WRONG, Refusal.CASE_DAY, Refusal.REWARD_TOO_LARGE),
    Refusal.REVERSED_TOO_MUCH,
}

#: Refusals that need an application for manual reimbursement: tests/manual meets each of them.
OF_APPLICATIONS = {
    *(Refusal.MANUAL_STAGE, Refusal.MANUAL_SAME_PERSON, Refusal.MANUAL_EVIDENCE, Refusal.MANUAL_PERSON),
    *(Refusal.MANUAL_DAY, Refusal.MANUAL_TERMS, Refusal.MANUAL_SOURCE_SETTLED, Refusal.MANUAL_TRANSIT),
    *(Refusal.MANUAL_NOT_RECOVERED, Refusal.MANUAL_WAITING),
}

#: Refusals that need PostgreSQL's sealed months or Spark: tests/detach and tests/spark meet each of them.
OF_SEALED_MONTHS = {
    *(Refusal.SPARK_MISSING, Refusal.SPARK_FAILED),
    *(Refusal.DETACH_PLACE, Refusal.NOT_DETACHED, Refusal.ARCHIVE_DAMAGED),
}

#: From this number on a refusal is a command's; the smaller ones are a row's, which a job quarantines.
FIRST_OF_COMMANDS = Refusal.STREAM_EXISTS

#: Commands by name, each with what it is refused for.
Commands = dict[str, tuple[Refusal, Callable[[], object]]]

TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
}


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Returns every row of every table."""
    with store.read() as reader:
        names = sorted(str(name) for (name,) in reader.query(TABLES[store.dialect]))
        return {name: sorted(reader.query(f"SELECT * FROM {name}"), key=repr) for name in names}


class _CutOff(Exception):
    """Is what stops an intake in its middle."""


def cut_off(book: Ledger, path: Path) -> None:
    """Begins an intake that does not end."""

    def stop(row: int) -> None:
        raise _CutOff

    with pytest.raises(_CutOff):
        run_intake(
            book, path, load_profile(), reason="", retry=False, dry_run=False, progress=stop, quarantine=None,
            batch_rows=1,
        )  # fmt: skip


def prepared(book: Ledger, folder: Path) -> Callable[[], object]:
    """Adds to the whole world what some refusals need: later months, a policy of its own, breaks, a run in the way.

    Returns the end of a reconciliation that compared before another was recorded.
    """
    month = [claim(i, psn_no="P1", insutype="310", psn_type="12", setl_time=f"2024-0{i % 10}-07 08:00:00")
             for i in (203, 204)]  # fmt: skip
    book.intake(write(folder / "months.csv", month))
    march = {"insutype": "310", "psn_type": "11", "setl_time": "2024-03-08 08:00:00", "psn_no": "Q1"}
    away = {"mdtrtarea_admvs": "470101", "fixmedins_code": "H47010100001"}
    other = {"insu_admdvs": "470101", "psn_no": "Q2", "medins_setl_id": "", "mdtrt_id": "M-2"}
    pair = [claim(205, **march, **away), claim(205, **(march | other))]
    report = book.intake(write(folder / "pair.csv", pair))
    assert report.quarantined == 0, report
    book.enact("qingyuan", [441800])
    file, scope = write(folder / "sent.csv", [claim(4, **away)]), scope_of(202401, None, "470100", 0, 0, True)
    profile = load_profile()
    source = open_details(file, profile)
    with book.store.read() as reader:
        early = running._look(reader, scope, source, None)
    run = running._run_of(early, True, source.digest, profile)
    # What they state as 10,000.00 stands here as settled by the kernel, so the run finds a break.
    found = book.reconcile(file, "470100", period=202401)
    book.reconcile(write(folder / "sent-2.csv", [claim(206, **away)]), "470100", period=202401)
    ended = [each.key for each in book_breaks(book)]
    assert found.breaks and len(ended) == 2, ended
    book.break_write_off(ended[0], "small")
    return lambda: running._append(book, early, run, file, "")


def book_breaks(book: Ledger) -> list[Break]:
    """Returns every break, in order."""
    with book.store.read() as reader:
        return [Break.of(state) for state in break_states(reader)]


def refused_commands(book: Ledger, folder: Path, outdated: Callable[[], object]) -> Commands:
    """Returns commands by name with what each is refused for."""
    lists = write(folder / "more.csv", [claim(301, psn_no="P2")])
    policy = folder / "policy.toml"
    policy.write_text("name = 3\n", encoding="utf-8")
    grid = folder / "grid.toml"
    grid.write_text("[grid]\n", encoding="utf-8")
    with book.store.read() as reader:
        streams = reader.query("SELECT originator_id FROM stored_events WHERE topic LIKE 'payment-instructed%'")
        paid = reader.query("SELECT originator_id FROM stored_events WHERE topic LIKE 'payment-confirmed%'")
    ended, still = (each.key for each in sorted(book_breaks(book), key=lambda each: each.is_open))
    short = folder / "short.csv"
    short.write_text("setl_id,medfee_sumamt,fund_pay_sumamt\nS000205,10000.00,0.00\n", encoding="utf-8")
    unpaid = next(str(stream) for (stream,) in streams if (stream,) not in paid)
    return {
        "a case twice": (Refusal.STREAM_EXISTS, lambda: book.clawback_raise("case-1", "S000002", 10, "again")),
        "no such claim": (Refusal.UNKNOWN_KEY, lambda: book.reverse("S999999", "none")),
        "no such job": (Refusal.UNKNOWN_KEY, lambda: book.abandon(1, "none")),
        "pay nobody": (Refusal.UNKNOWN_KEY, lambda: book.pay(202401, "nobody")),
        "close twice": (Refusal.PERIOD_CLOSED, lambda: book.close(202401)),
        "pay an open month": (Refusal.PERIOD_NOT_CLOSED, lambda: book.pay(202402)),
        "close out of order": (Refusal.PERIOD_OUT_OF_ORDER, lambda: book.close(202404)),
        "close nothing": (Refusal.PERIOD_EMPTY, lambda: book.close(203001)),
        "draft twice": (Refusal.CLEARING_STANDS, lambda: book.draft(202401)),
        "withdraw what is paid": (Refusal.CLEARING_PAID, lambda: book.withdraw(202401)),
        "check an open month": (Refusal.CLEARING_NOT_DRAFTED, lambda: book.check(202402)),
        "sign an open month": (Refusal.CLEARING_NOT_CHECKED, lambda: book.sign(202402)),
        "terms that are none": (Refusal.TERMS_INVALID, lambda: book.set_terms(policy, begin_period=202401)),
        "terms of cases that are none": (Refusal.CASE_TERMS_INVALID, lambda: book.enact_case_terms(policy)),
        "sweep over a grid that is none": (Refusal.SWEEP_INVALID, lambda: book.sweep(grid, 202401)),
        "send an empty file": (Refusal.NOT_IN_TRANSIT, lambda: book.pay_file(203001)),
        "send to no account": (Refusal.NO_ACCOUNT, lambda: book.pay_file(202401)),
        "no such bank": (Refusal.BANK_PROFILE_INVALID, lambda: book.pay_file(202401, "none")),
        "resend what did not fail": (Refusal.NOTHING_TO_RESEND, lambda: book.resend(unpaid)),
        "the same quota": (
            Refusal.QUOTA_UNCHANGED, lambda: book.advance_adjust(260000, "470000", 202402, quota_fen=0)
        ),
        "no guarantee": (
            Refusal.GUARANTEE_EXCEEDED,
            lambda: book.pay_supplier(260100, "H1", "S1", 1, period=202402, invoice="I1", on=20240401),
        ),
        "nothing retained": (
            Refusal.NOTHING_RETAINED, lambda: book.release_retention(260100, "H1", 2023, 202402, 1, 310100)
        ),
        "pay twice": (Refusal.ALREADY_PAID, lambda: book.pay(202401)),
        "confirm nothing": (Refusal.NOT_INSTRUCTED, lambda: book.confirm("payment-none", "R7")),
        "confirm another amount": (Refusal.WRONG_AMOUNT, lambda: book.confirm(unpaid, "R8", amount_fen=1)),
        "claw back too much": (
            Refusal.CLAWBACK_TOO_LARGE, lambda: book.clawback_raise("case-2", "S000002", 10**12, "much")
        ),
        "collect too much": (Refusal.OVER_COLLECTED, lambda: book.clawback_collect("case-1", 601, "R9")),
        "reverse twice": (Refusal.ALREADY_REVERSED, lambda: book.reverse("S000005", "again")),
        "reverse what is clawed back": (Refusal.REFUND_CLAWED_BACK, lambda: book.reverse("S000001", "too late")),
        "assumed over real": (
            Refusal.POLICY_ASSUMED_OVER_REAL, lambda: book.enact("national-default", [441800], assumed=True)
        ),
        "no policy": (Refusal.POLICY_INVALID, lambda: book.enact(policy, [260100])),
        "copy onto a store": (Refusal.STORE_NOT_EMPTY, lambda: ledger.store.copy(book.store, book.store.url)),
        "retry what is no quarantine": (Refusal.NOT_ALLOWED, lambda: book.intake(lists, retry=True)),
        "nobody acts": (Refusal.BAD_VALUE, lambda: Ledger(book.store, " ", clock())),
        "no such break": (Refusal.BREAK_UNKNOWN, lambda: book.break_explain("break-none", "why")),
        "explain what has ended": (Refusal.BREAK_ENDED, lambda: book.break_explain(ended, "why")),
        "carry too far": (Refusal.BREAK_CARRIED_OUT, lambda: book.break_carry(still, "later", most=0)),
        "reconcile with nobody": (Refusal.COUNTERPART_BAD, lambda: book.reconcile(lists, "no-body", period=202401)),
        "a number of two regions": (Refusal.KEYS_AMBIGUOUS, lambda: book.reconcile(short, "470100", period=202403)),
        "compared before another run": (Refusal.RUN_OUTDATED, outdated),
        "seal nowhere": (Refusal.SEGMENTS_PLACE, lambda: expected_folder("postgresql:///ledger", None)),
        "export what is not sealed": (Refusal.PERIOD_NOT_SEALED, lambda: book.export(202401, folder / "acts.parquet")),
        "no such rules": (Refusal.RULES_INVALID, lambda: book.enact_rules("nothing")),
        "review without rules": (Refusal.RULES_NOT_ENACTED, lambda: book.review_period(202401)),
        "rules before those they extend": (
            Refusal.RULES_OUT_OF_ORDER, lambda: book.enact_rules("national-2024-07")
        ),
        "erase too early": (Refusal.RETENTION, lambda: book.erase("P0", reason="wish")),
    }  # fmt: skip


def cleared(book: Ledger, folder: Path) -> None:
    """Clears February to the seal, whose files are lost, March to the check, and April to a draft with late claims."""
    book.segments = folder / "segments"
    terms = folder / "strict.toml"
    terms.write_text('name = "strict"\n[late]\nperiods = 0\n', encoding="utf-8")
    book.set_terms(terms, begin_period=202404)
    for period in (202402, 202403):
        book.close(period)
    sign(book, 202402)
    shutil.rmtree(book.seal(202402).folder)
    book.draft(202403)
    book.check(202403)
    assert book.intake(write(folder / "late.csv", [claim(207, psn_no="Q1")])).booked == 1
    book.close(202404)
    book.draft(202404)


def refused_when_cleared(book: Ledger) -> Commands:
    """Returns commands by name with what each is refused for once three more months are on their way."""
    return {
        "replay a lost segment": (Refusal.SEGMENT_DAMAGED, lambda: book.replay(202402)),
        "withdraw what is sealed": (Refusal.CLEARING_SEALED, lambda: book.withdraw(202402)),
        "pay what is not signed": (Refusal.CLEARING_NOT_SIGNED, lambda: book.pay(202403)),
        "seal what is not signed": (Refusal.CLEARING_NOT_SIGNED, lambda: book.seal(202403)),
        "sign what one has checked": (Refusal.SAME_PERSON, lambda: book.sign(202403)),
        "check what came too late": (Refusal.CARRIED_TOO_LONG, lambda: book.check(202404)),
        "withdraw another confirmation": (Refusal.CLEARING_REFERENCE, lambda: book.withdraw(202404, of=1)),
    }


def met(command: Callable[[], object]) -> Refusal | None:
    """Returns what a command is refused for; None where it is not."""
    try:
        command()
    except Refused as refused:
        return refused.refusal
    return None


def all_refused(book: Ledger, commands: Commands) -> set[Refusal]:
    """Tries each command, each refused for its own reason and none changing a byte; returns the reasons."""
    before = content(book.store)
    for name, (refusal, command) in commands.items():
        assert met(command) == refusal, name
        assert content(book.store) == before, name
    return {refusal for refusal, _ in commands.values()}


def test_every_refused_command_leaves_the_store_as_it_was(store_url: str, tmp_path: Path) -> None:
    """Every reason for which a command can be refused is met once, and no table has changed by a byte."""
    with whole_ledger(store_url, tmp_path / "files") as book:
        outdated = prepared(book, tmp_path)
        Projections(book.store).catch_up()
        before, seen = content(book.store), set[Refusal]()
        seen |= all_refused(book, refused_commands(book, tmp_path, outdated))
        # A filing is refused row by row; where it was the only one, nothing is written either.
        for refusal, lines in {
            Refusal.FILING_UNSETTLED: ("P1,referral,470101,2024-03-01,",),
            Refusal.FILING_SUSPENDED: ("P9,referral,470101,2024-03-01,",),
        }.items():
            if refusal is Refusal.FILING_SUSPENDED:
                header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,status"
                registered(book, tmp_path, header, "P9,丁,260101,310,11,,suspended")
                before = content(book.store)
            assert [row.reason for row in filed(book, tmp_path, *lines).refused] == [refusal.code]
            assert content(book.store) == before, refusal
            seen.add(refusal)
        cleared(book, tmp_path)
        seen |= all_refused(book, refused_when_cleared(book))
        cut_off(book, write(tmp_path / "cut.csv", [claim(i, psn_no="P2") for i in (401, 402)]))
        read = Projections(book.store)
        read.catch_up()
        before = content(book.store)
        for name, command in {
            "close": lambda: book.close(202405),
            "replay": lambda: book.replay(202403),
            "statement": lambda: read.statement(202405),
            "statement of all": read.statement,
            "clearing statement": lambda: read.issue("summary", 202405),
        }.items():
            assert met(command) == Refusal.JOB_UNFINISHED, name
        assert content(book.store) == before
        # What is closed is stated all the same: it cannot change any more.
        assert read.statement(202401).lines and read.issue("summary", 202401).sheets
        before = content(book.store)
        seen.add(Refusal.JOB_UNFINISHED)
        # The canary: a command that is not refused does change the store.
        assert met(lambda: book.clawback_collect("case-1", 1, "R10")) is None
        assert content(book.store) != before
    elsewhere = ONLY_A_BUG | OF_THE_BANK | OF_CASES | OF_ALLOWANCES | OF_APPLICATIONS | OF_SEALED_MONTHS
    missed = {refusal for refusal in Refusal if refusal >= FIRST_OF_COMMANDS} - elsewhere - seen
    assert missed == set()
    report("refused commands", refusals=len(seen), stores_changed=0)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("register", RegisterError),
        ("members", RegisterError),
        ("source", SourceError),
        ("profile", ProfileError),
        ("dry run", None),
    ],
)
def test_a_file_that_is_refused_leaves_the_store_as_it_was(
    name: str, error: type[LedgerError] | None, store_url: str, tmp_path: Path
) -> None:
    """A file refused in its last row, one that is not there, a profile that cannot be read, and a dry run: nothing is
    written, not even the persons that the rows before it name."""
    profile = tmp_path / "bad.toml"
    profile.write_text("no = such", encoding="utf-8")
    with whole_ledger(store_url, tmp_path / "files") as book:
        before = content(book.store)
        header = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class"
        commands: dict[str, Callable[[], object]] = {
            "register": lambda: registered(book, tmp_path, *INSTITUTIONS[:1], "H1,260101,2,,,", "H2,26,2,,,"),
            "members": lambda: registered(book, tmp_path, header, "N1,新,260101,310,11,", "N2,新,260101,310,11,9"),
            "source": lambda: book.intake(tmp_path / "none.csv"),
            "profile": lambda: book.intake(write(tmp_path / "new.csv", [claim(500)]), profile),
            "dry run": lambda: book.intake(write(tmp_path / "new.csv", [claim(500, psn_no="N3")]), dry_run=True),
        }
        if error is None:
            commands[name]()
        else:
            with pytest.raises(error):
                commands[name]()
        assert content(book.store) == before
