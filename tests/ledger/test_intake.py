"""Intake: what becomes of every row, once, on both stores, however the file is cut into batches."""

import csv
from pathlib import Path

import pytest

from ledger import intake
from ledger.events import JobBatch
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write
from tests.samples import shared


def some_rows() -> list[dict[str, str]]:
    """Returns a file that meets most of what can happen: refunds, repeats and rows that cannot be booked."""
    first, second = claim(1), claim(2, psn_no="P000001", setl_time="2024-01-05 09:00:00")
    gone = refund(first, 3)
    return [
        first,
        second,
        gone,
        refund(first, 4),  # refunded twice
        dict(first),  # the same again
        claim(1, medfee_sumamt="10001.00", inscp_scp_amt="10001.00"),  # the key with other content
        claim(7, medins_setl_id=first["medins_setl_id"]),  # another claim with a known message id
        claim(8, begndate="soon"),
        claim(9, medfee_sumamt="1.00"),  # I1
        claim(8),  # mended within the file: the damaged row did not take the key
        refund(claim(99), 10),  # refunds what is not there
        claim(11, mdtrtarea_admvs="470101", psn_no="P000001", setl_time="2023-12-31 23:59:59"),
        claim(12, insu_admdvs="990101"),
    ]


OUTCOMES = {4: "refund_twice", 6: "setl_id_conflict", 7: "msgid_conflict", 8: "bad_date", 9: "identity_I1"}
DECIDED = ("claim-settled/1", "claim-reversed/1")
OUTCOMES |= {11: "refund_unknown", 13: "no_policy"}


def outcomes(book: Ledger, job: int) -> dict[int, str]:
    """Returns the outcome of every row that was not booked, from the job's own events."""
    found: dict[int, str] = {}
    for _, _, _, topic, state in events_of(book):
        if topic == JobBatch.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, JobBatch)
            if event.cause == job:
                found |= {row: Refusal(reason).code for row, reason, _ in event.quarantined}
                found |= {row: "duplicate" for row, _ in event.duplicates}
    return found


def test_every_row_has_one_outcome(store_url: str, tmp_path: Path) -> None:
    """Rows are booked, duplicate or quarantined with their reason; the sums of the three are the file."""
    with opened(store_url) as book:
        report = book.intake(write(tmp_path / "claims.csv", some_rows()), reason="January")
        assert (report.rows, report.booked, report.duplicate, report.quarantined) == (13, 5, 1, 7)
        assert outcomes(book, report.job) == OUTCOMES | {5: "duplicate"}
        assert report.periods == (202312, 202401)
        with Path(report.quarantine_path or "").open(encoding="utf-8", newline="") as file:
            quarantined = list(csv.DictReader(file))
        assert {int(row["row"]): row["reason"] for row in quarantined} == OUTCOMES


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
def test_batches_of_any_size_book_the_same(store_url: str, tmp_path: Path, batch_rows: int) -> None:
    """Outcomes, accumulators and accounts do not depend on where a file is cut into transactions."""
    path = write(tmp_path / "claims.csv", some_rows())
    with opened(store_url) as book:
        report = run(book, path, batch_rows)
        assert outcomes(book, report.job) == OUTCOMES | {5: "duplicate"}
        state = rows_of(book, "person_year", "key"), rows_of(book, "account", "token")
        assert [len(table) for table in state] == [3, 0]
        decided = [(e[1], e[2], e[3]) for e in events_of(book) if e[3] in DECIDED]
    with opened(f"sqlite:///{tmp_path / 'whole.db'}") as book:
        run(book, path, 100)
        assert state == (rows_of(book, "person_year", "key"), rows_of(book, "account", "token"))
        assert sorted(decided) == sorted((e[1], e[2], e[3]) for e in events_of(book) if e[3] in DECIDED)


def run(book: Ledger, path: Path, batch_rows: int, progress: intake.Progress | None = None) -> intake.IntakeReport:
    from ledger.profile import load_profile

    return intake.run_intake(
        book,
        path,
        load_profile(),
        reason="",
        retry=False,
        dry_run=False,
        progress=progress,
        quarantine=None,
        batch_rows=batch_rows,
    )


def test_the_same_file_twice_books_once(store_url: str, tmp_path: Path) -> None:
    """A second run of a file books nothing: every booked row is now a duplicate of itself."""
    path = write(tmp_path / "claims.csv", some_rows())
    with opened(store_url) as book:
        first = book.intake(path)
        before = rows_of(book, "person_year", "key")
        second = book.intake(path)
        assert (second.booked, second.duplicate) == (0, first.booked + first.duplicate)
        assert second.quarantined == first.quarantined
        assert rows_of(book, "person_year", "key") == before


def test_a_dry_run_says_what_the_real_run_does_and_writes_nothing(store_url: str, tmp_path: Path) -> None:
    """A dry run reports what intake will report and leaves the log as it was."""
    path = write(tmp_path / "claims.csv", some_rows())
    with opened(store_url) as book:
        before = events_of(book)
        dry = book.intake(path, dry_run=True)
        assert events_of(book) == before
        real = book.intake(path)
        assert (dry.rows, dry.booked, dry.duplicate, dry.reasons) == (
            real.rows,
            real.booked,
            real.duplicate,
            real.reasons,
        )


def test_a_killed_intake_is_refused_by_name_and_completes_when_run_again(store_url: str, tmp_path: Path) -> None:
    """A kill between two batches leaves a job that close refuses by name; run again it ends as if never killed."""
    path = write(tmp_path / "claims.csv", some_rows())
    with opened(store_url) as book:

        class KilledError(Exception):
            pass

        def kill(done: int) -> None:
            if done >= 6:
                raise KilledError

        from ledger.profile import load_profile

        with pytest.raises(KilledError):
            intake.run_intake(
                book, path, load_profile(), reason="", retry=False, dry_run=False, progress=kill, quarantine=None,
                batch_rows=3,
            )  # fmt: skip
        with pytest.raises(Refused, match="job-intake-") as refused:
            book.close(202401)
        assert refused.value.refusal is Refusal.JOB_UNFINISHED
        again = run(book, path, 3)
        assert (again.rows, again.booked, again.duplicate, again.quarantined) == (13, 5, 1, 7)
        resumed = events_of(book)
    with opened(f"sqlite:///{tmp_path / 'whole.db'}") as book:
        run(book, path, 3)
        whole = events_of(book)
    assert [event[:4] for event in resumed] == [event[:4] for event in whole]


def test_mended_rows_are_taken_with_retry(store_url: str, tmp_path: Path) -> None:
    """A quarantine file whose cells were mended books its rows; as an ordinary file it is refused."""
    with opened(store_url) as book:
        report = book.intake(write(tmp_path / "claims.csv", some_rows()))
        quarantine = Path(report.quarantine_path or "")
        text = quarantine.read_text(encoding="utf-8")
        mended = tmp_path / "mended.csv"
        lines = [
            line for line in text.splitlines(keepends=True) if not line.startswith(("4,", "6,", "7,", "11,", "13,"))
        ]
        fixed = "".join(lines).replace(",1.00,", ",10000.00,").replace(",S000008,", ",S000018,")
        mended.write_text(
            fixed.replace("soon,2024-01-05", "2024-01-02,2024-01-05").replace(
                "H2601010000120240105080008", "H2601010000120240105080018"
            ),
            encoding="utf-8",
        )
        with pytest.raises(Refused, match="--retry"):
            book.intake(mended)
        retried = book.intake(mended, retry=True)
        assert (retried.rows, retried.booked, retried.quarantined) == (2, 2, 0)
        with pytest.raises(Refused, match="quarantine file"):
            book.intake(tmp_path / "claims.csv", retry=True)


@pytest.mark.samples
def test_the_public_medicare_sample_books_but_for_its_negative_rows(tmp_path: Path) -> None:
    """Of 17,560 rows of the public sample the three negative ones without a refund are quarantined, the rest booked."""
    path = shared("desynpuf", "claims-2008.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    regions = sorted({int(row["insu_admdvs"]) // 100 * 100 for row in rows})
    regions = sorted(
        {
            110000
            if r // 10000 == 11
            else 310000
            if r // 10000 == 31
            else 500000
            if r // 10000 == 50
            else 120000
            if r // 10000 == 12
            else r
            for r in regions
        }
    )
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}", regions) as book:
        report = book.intake(path, quarantine=tmp_path / "quarantine.csv")
        assert (report.rows, report.booked, report.reasons) == (17_560, 17_557, {"negative_without_init": 3})
        total = sum(round(100 * float(row["medfee_sumamt"])) for row in rows)  # two decimals: exact
        refused = [row for row in rows if row["medfee_sumamt"].startswith("-")]
        assert report.medfee_fen == total - sum(round(100 * float(row["medfee_sumamt"])) for row in refused)
        assert book.replay(200802).differences == ()
