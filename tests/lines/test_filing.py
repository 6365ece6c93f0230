"""Fee lines under their claims, on both stores: every row once, sums against splits, however the file is cut."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core_ext.line_cells import PARTS
from ledger import line_intake
from ledger.intake import IntakeReport, Progress
from ledger.line_columns import NUMBER
from ledger.line_events import LinesDiffer, LinesFiled
from ledger.money import round_half_up, yuan_text
from ledger.profile import Profile, load_profile
from ledger.refusals import Refused, SourceError
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write
from tests.lines.files import differences, filed, found, line, line_outcomes, write_lines

SPLIT_300 = {
    "medfee_sumamt": "300.00",
    "fulamt_ownpay_amt": "100.00",
    "preselfpay_amt": "20.00",
    "inscp_scp_amt": "180.00",
}

SPLITS = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")


def booked(url: str, tmp_path: Path, *claims: dict[str, str]) -> Ledger:
    """Returns a ledger with claims booked."""
    book = opened(url)
    report = book.intake(write(tmp_path / "claims.csv", claims))
    assert report.booked == len(claims)
    return book


def run(
    book: Ledger, path: Path, batch_rows: int, profile: Profile | None = None, progress: Progress | None = None
) -> IntakeReport:
    """Takes lines in with batches of a size."""
    return line_intake.run_lines(
        book,
        path,
        profile or load_profile(),
        reason="",
        retry=False,
        dry_run=False,
        progress=progress,
        quarantine=None,
        batch_rows=batch_rows,
    )


def told(book: Ledger) -> list[tuple[type, int, int, object]]:
    """Returns what was filed, then what differed: (class, claim, row, sums)."""
    events: list[LinesFiled | LinesDiffer] = [*found(book, LinesFiled), *differences(book)]
    return [(type(event), event.claim, event.row, event.sums) for event in events]


def some_lines() -> list[dict[str, str]]:
    """Returns lines that meet most of what can happen to them; claims 1 to 3 are of 300.00."""
    return [
        line(1, 1),
        line(1, 2),
        line(1, 3, chrgitm_lv="03"),
        line(2, 1),
        line(2, 2, pric="soon"),
        line(2, 3, chrgitm_lv="03"),
        line(2, 1),  # the same again
        line(2, 3),  # the number with other content
        line(9, 1),  # no such claim
        line(3, 1, cnt="2", drug_trac_codg="81000000000000000001"),
        line(3, 2, selfpay_prop="1.5"),
        line(3, 3, chrgitm_lv="03", fee_ocur_time="2024-01-03"),
        line(1, 3, chrgitm_lv="03"),  # once more, apart from its run
        line(1, 4, pric="0.05", cnt="0.5"),
        line(4, 1, setl_id=""),
        line(4, 1, chrgitm_lv="04"),
        line(4, 1, fee_ocur_time="2024-02-30"),
        line(4, 1, feedetl_sn=""),
        line(4, 1, pric="1.1234567"),
        line(4, 1, pric="1000000000", cnt="1000000000"),
        line(4, 1, pric_uplmt_amt="-1"),
    ]


OUTCOMES = {5: "amount_text", 7: "duplicate", 8: "line_conflict", 9: "line_claim_unknown", 11: "bad_ratio"}
OUTCOMES |= {13: "duplicate", 15: "bad_key", 16: "bad_code", 17: "bad_date", 18: "bad_key", 19: "amount_precision"}
OUTCOMES |= {20: "amount_range", 21: "amount_range"}


def world(url: str, tmp_path: Path) -> Ledger:
    return booked(url, tmp_path, *(claim(serial, **SPLIT_300) for serial in (1, 2, 3, 4)))


def test_every_line_has_one_outcome(store_url: str, tmp_path: Path) -> None:
    """Lines are filed, duplicate or quarantined with a reason; the sums of the three are the file."""
    with world(store_url, tmp_path) as book:
        report = book.lines(write_lines(tmp_path / "lines.csv", some_lines()), reason="January")
        assert (report.rows, report.booked, report.duplicate, report.quarantined) == (21, 8, 2, 11)
        assert line_outcomes(book, report.job) == OUTCOMES
        with Path(report.quarantine_path or "").open(encoding="utf-8", newline="") as file:
            rows = {int(row["row"]): row for row in csv.DictReader(file)}
        assert {row: rows[row]["reason"] for row in rows} == {
            row: reason for row, reason in OUTCOMES.items() if reason != "duplicate"
        }
        assert (rows[19]["field"], rows[19]["expected"]) == ("pric", "at most six digits after the point")
        assert (rows[9]["field"], rows[9]["got"]) == ("setl_id", "S000009")
        assert rows[20]["field"] == "pric"
        first = filed(book)[0]
        assert first.serials == ["F1-1", "F1-2", "F1-3"]
        assert first.table[:, NUMBER["row"]].tolist() == [1, 2, 3]
        assert first.split.tolist() == [[10000, 0, 0, 1000, 9000]] * 2 + [[10000, 10000, 0, 0, 0]]


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 5])
def test_batches_of_any_size_file_the_same(store_url: str, tmp_path: Path, batch_rows: int) -> None:
    """What is filed and found does not depend on where a file is cut into transactions."""
    path = write_lines(tmp_path / "lines.csv", some_lines())
    with world(store_url, tmp_path) as book:
        report = run(book, path, batch_rows)
        assert line_outcomes(book, report.job) == OUTCOMES
        state = rows_of(book, "trace_code", "code"), [e[1:3] for e in events_of(book) if e[1].startswith("claim-")]
        events = told(book)
    with world(f"sqlite:///{tmp_path / 'whole.db'}", tmp_path) as book:
        run(book, path, 100)
        assert state == (
            rows_of(book, "trace_code", "code"),
            [e[1:3] for e in events_of(book) if e[1].startswith("claim-")],
        )
        assert events == told(book)


def test_line_sums_that_are_not_the_claims_splits_are_a_finding_by_field(store_url: str, tmp_path: Path) -> None:
    """I9: a claim whose lines agree has no finding; of the others each field says what the lines sum to."""
    with world(store_url, tmp_path) as book:
        book.lines(write_lines(tmp_path / "a.csv", [line(1, 1), line(1, 2), line(1, 3, chrgitm_lv="03")]))
        assert differences(book) == []
        before = rows_of(book, "person_year", "key")
        book.lines(write_lines(tmp_path / "b.csv", [line(2, 1), line(2, 2), line(3, 1, pric="300")]))
        second, third = differences(book)
        assert second.sums == second.split == (20000, 0, 0, 2000, 18000)
        assert second.claimed == (30000, 10000, 0, 2000, 18000)
        assert (second.lines, second.differing, third.sums) == (2, 0, (30000, 0, 0, 3000, 27000))
        assert rows_of(book, "person_year", "key") == before
        # The missing line comes later and settles it.
        book.lines(write_lines(tmp_path / "c.csv", [line(2, 3, chrgitm_lv="03")]))
        assert len(differences(book)) == 2
        assert [lines.serials for lines in filed(book)][-1] == ["F2-3"]


def test_amounts_given_on_a_line_are_its_own_and_compared_within_the_tolerance(store_url: str, tmp_path: Path) -> None:
    """A source's split of a line stands; further from price x count than the profile tolerates, it is a finding."""
    stated = dict(zip(PARTS, ("100.00", "0", "0", "10.01", "89.99"), strict=True))
    rows = [line(1, 1, **stated), line(1, 2), line(1, 3, chrgitm_lv="03")]
    claimed = SPLIT_300 | {"preselfpay_amt": "20.01", "inscp_scp_amt": "179.99"}
    for tolerance, expected in ((0, [(1, (30000, 10000, 0, 2001, 17999))]), (1, [])):
        url = store_url if tolerance else f"sqlite:///{tmp_path / 'strict.db'}"
        with booked(url, tmp_path, claim(1, **claimed)) as book:
            run(book, write_lines(tmp_path / "lines.csv", rows), 100, Profile(line_tolerance_fen=tolerance))
            assert [(each.differing, each.sums) for each in differences(book)] == expected


def test_a_refunds_lines_mirror(store_url: str, tmp_path: Path) -> None:
    """The negative lines of a refund sum to its negative split."""
    first = claim(1, **SPLIT_300)
    with booked(store_url, tmp_path, first, refund(first, 2)) as book:
        lines = [line(1, 1), line(1, 2), line(1, 3, chrgitm_lv="03")]
        back = [{**each, "setl_id": "S000002", "cnt": "-1"} for each in lines]
        assert book.lines(write_lines(tmp_path / "lines.csv", [*lines, *back])).booked == 6
        assert differences(book) == []
        assert (filed(book)[0].split == -filed(book)[1].split).all()


def test_the_same_file_twice_files_once(store_url: str, tmp_path: Path) -> None:
    """A second run of a file files nothing: every line is now a duplicate of itself."""
    path = write_lines(tmp_path / "lines.csv", some_lines())
    with world(store_url, tmp_path) as book:
        first = book.lines(path)
        before = [event for event in events_of(book) if event[1].startswith("claim-")]
        second = book.lines(path)
        assert (second.booked, second.duplicate) == (0, first.booked + first.duplicate)
        assert second.reasons == first.reasons
        assert [event for event in events_of(book) if event[1].startswith("claim-")] == before


def test_a_dry_run_of_lines_writes_nothing(store_url: str, tmp_path: Path) -> None:
    """A dry run reports what the real run will report and leaves the log as it was."""
    path = write_lines(tmp_path / "lines.csv", some_lines())
    with world(store_url, tmp_path) as book:
        before = events_of(book)
        dry = book.lines(path, dry_run=True)
        assert events_of(book) == before
        real = book.lines(path)
        assert (dry.rows, dry.booked, dry.reasons) == (real.rows, real.booked, real.reasons)


def test_killed_lines_complete_when_run_again(store_url: str, tmp_path: Path) -> None:
    """A kill between two batches leaves a job that close refuses by name; run again it ends as if never killed."""
    path = write_lines(tmp_path / "lines.csv", some_lines())

    class KilledError(Exception):
        pass

    def kill(done: int) -> None:
        if done >= 6:
            raise KilledError

    with world(store_url, tmp_path) as book:
        with pytest.raises(KilledError):
            run(book, path, 2, progress=kill)
        with pytest.raises(Refused, match="job-lines-"):
            book.close(202401)
        again = run(book, path, 2)
        assert (again.rows, again.booked, again.duplicate, again.quarantined) == (21, 8, 2, 11)
        resumed = [event[:4] for event in events_of(book)]
    with world(f"sqlite:///{tmp_path / 'whole.db'}", tmp_path) as book:
        run(book, path, 2)
        assert resumed == [event[:4] for event in events_of(book)]


def test_mended_lines_are_taken_with_retry(store_url: str, tmp_path: Path) -> None:
    """Quarantined lines whose cells were mended come in with --retry and settle the finding they left."""
    rows = [line(1, 1), line(1, 2, pric="soon"), line(1, 3, chrgitm_lv="03")]
    with world(store_url, tmp_path) as book:
        report = book.lines(write_lines(tmp_path / "lines.csv", rows))
        assert len(differences(book)) == 1
        quarantine = Path(report.quarantine_path or "")
        mended = tmp_path / "mended.csv"
        mended.write_text(
            quarantine.read_text(encoding="utf-8").replace(
                "02,101,,,,2024-01-03 10:00:00,soon", "02,101,,,,2024-01-03 10:00:00,100"
            ),
            encoding="utf-8",
        )
        with pytest.raises(Refused, match="--retry"):
            book.lines(mended)
        assert book.lines(mended, retry=True).booked == 1
        assert len(differences(book)) == 1
        assert [lines.serials for lines in filed(book)] == [["F1-1", "F1-3"], ["F1-2"]]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=st.lists(
        st.lists(
            st.tuples(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10_000), st.integers(1, 3)),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    ),
    batch_rows=st.integers(1, 9),
)
def test_lines_that_sum_to_their_claims_are_no_finding(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[list[tuple[int, int, int, int]]], batch_rows: int
) -> None:
    """I9 conserves: claims whose split is the sum of any lines agree with them; one fen more and they do not."""
    folder = tmp_path_factory.mktemp("lines")
    claims, rows = [], []
    for serial, lines in enumerate(drawn, 1):
        sums = [0] * len(PARTS)
        for at, (price, count, ratio, level) in enumerate(lines):
            amount = round_half_up(price * count, 10**8)
            preself = 0 if level == 3 else round_half_up(amount * ratio, 10_000)
            split = [amount, amount if level == 3 else 0, 0, preself, 0 if level == 3 else amount - preself]
            sums = [a + b for a, b in zip(sums, split, strict=True)]
            price_text, count_text = (f"{Decimal(n).scaleb(-d):f}" for n, d in ((price, 6), (count, 4)))
            ratio_text = f"{Decimal(ratio).scaleb(-4):f}"
            cells = {"pric": price_text, "cnt": count_text, "selfpay_prop": ratio_text, "chrgitm_lv": f"0{level}"}
            rows.append(line(serial, at, **cells))
        if serial == len(drawn):
            sums[0], sums[4] = sums[0] + 1, sums[4] + 1
        claims.append(claim(serial, **dict(zip(SPLITS, map(yuan_text, sums), strict=True))))
    with booked(f"sqlite:///{folder / 'ledger.db'}", folder, *claims) as book:
        assert run(book, write_lines(folder / "lines.csv", rows), batch_rows).booked == len(rows)
        (found,) = differences(book)
        apart = [b - a for a, b in zip(found.sums, found.claimed, strict=True)]
        assert (apart, found.split) == ([1, 0, 0, 0, 1], found.sums)
        assert sum(found.sums[1:]) == found.sums[0]


def test_a_file_of_claims_is_no_file_of_lines(sqlite_url: str, tmp_path: Path) -> None:
    """A file without the columns of lines is refused as a whole, naming them."""
    with world(sqlite_url, tmp_path) as book, pytest.raises(SourceError, match=r"feedetl_sn.*pric"):
        book.lines(tmp_path / "claims.csv")


def test_what_a_profile_says_of_claims_leaves_their_lines_alone(store_url: str, tmp_path: Path) -> None:
    """Lines come under their source's profile: its null texts are empty cells, its fund columns are those of claims."""
    profile = tmp_path / "source.toml"
    profile.write_text('nulls = ["-"]\n[funds]\nf310100 = "hifp_pay"\n', encoding="utf-8")
    with booked(store_url, tmp_path, claim(1, **SPLIT_300)) as book:
        lines = [
            line(1, 1, pric_uplmt_amt="-"),
            line(1, 2, hosp_appr_flag="-"),
            line(1, 3, chrgitm_lv="03", selfpay_prop="-"),
        ]
        report = run(book, write_lines(tmp_path / "lines.csv", lines), 2, load_profile(profile))
        assert (report.booked, report.quarantined) == (3, 0)
        assert not differences(book)
