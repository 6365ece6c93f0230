"""Edges of reconciliation: keys that are not enough, a day's own breaks, two runs at once."""

from pathlib import Path

import pytest

from ledger.profile import load_profile
from ledger.reconciling import running
from ledger.reconciling.scope import scope_of
from ledger.reconciling.sides import open_details
from ledger.refusals import Refusal, Refused
from tests.ledger.worlds import write
from tests.reconcile.sides import TREATMENT, booked, month, settled


def short(path: Path, rows: list[dict[str, str]]) -> Path:
    names = ("setl_id", "medfee_sumamt", "fund_pay_sumamt")
    lines = [",".join(row[name] for name in names) for row in rows]
    path.write_text("\n".join([",".join(names), *lines]) + "\n", encoding="utf-8")
    return path


def test_a_number_that_two_regions_use_needs_its_region(sqlite_url: str, tmp_path: Path) -> None:
    """A file without regions is refused where two claims here share a number, rather than joined by chance."""
    rows = [settled(1), settled(2), settled(1, insu_admdvs="440203", medins_setl_id="", mdtrt_id="M-2")]
    with booked(sqlite_url, tmp_path / "ours.csv", rows) as book:
        with pytest.raises(Refused, match="S000001 stands here in two insured regions: expected a column insu_admdvs"):
            book.reconcile(short(tmp_path / "s.csv", rows), str(TREATMENT), period=202403)
        # One own region at a time, its numbers are enough.
        report = book.reconcile(short(tmp_path / "s.csv", rows[:2]), str(TREATMENT), period=202403, own=440100)
        assert report.agrees and report.outcomes["matched"] == 2


def test_a_day_ends_only_its_own_breaks_and_the_month_sees_the_same_ones(store_url: str, tmp_path: Path) -> None:
    """What a daily run found is the month's break as well; a run over another day leaves it alone."""
    rows = month()
    days = {day: [row for row in rows if row["setl_time"].startswith(f"2024-03-{day:02d}")] for day in (5, 6)}
    with booked(store_url, tmp_path / "ours.csv", rows) as book:
        lacking = write(tmp_path / "5.csv", days[5][1:])
        daily = book.reconcile(lacking, str(TREATMENT), day=20240305)
        assert [(each.kind, each.period) for each in daily.breaks] == [("missing_there", 202403)]
        other = book.reconcile(write(tmp_path / "6.csv", days[6]), str(TREATMENT), day=20240306)
        assert other.agrees and other.resolved == 0
        gone = days[5][0]["setl_id"]
        monthly = book.reconcile(
            write(tmp_path / "m.csv", [row for row in rows if row["setl_id"] != gone]), str(TREATMENT), period=202403
        )
        assert (len(monthly.breaks), monthly.found) == (1, 0)
        assert monthly.breaks[0].key == daily.breaks[0].key
        mended = book.reconcile(write(tmp_path / "5b.csv", days[5]), str(TREATMENT), day=20240305)
        assert mended.agrees and mended.resolved == 1


def test_a_claim_of_another_day_differs_by_its_day(sqlite_url: str, tmp_path: Path) -> None:
    """In a daily file a claim booked alike on another day differs by its setl_time, not by its counterpart."""
    rows = [settled(1, day=5), settled(2, day=6)]
    with booked(sqlite_url, tmp_path / "ours.csv", rows) as book:
        daily = book.reconcile(short(tmp_path / "both.csv", rows), str(TREATMENT), day=20240305)
        (found,) = daily.breaks
        assert (found.kind, found.fields) == ("differs", (("setl_time", "20240306", "20240305"),))
        stranger = book.reconcile(short(tmp_path / "both.csv", rows), "499900", period=202403)
        assert {each.fields for each in stranger.breaks} == {(("counterpart", "", "499900"),)}


def test_of_two_runs_at_once_the_second_is_refused(store_url: str, tmp_path: Path) -> None:
    """A run that compared before another was recorded does not decide on what it saw then; nothing is written."""
    rows = month()
    with booked(store_url, tmp_path / "ours.csv", rows) as book:
        file, scope = write(tmp_path / "t.csv", rows[1:]), scope_of(202403, None, "410100", 0, 0, True)
        profile = load_profile()
        source = open_details(file, profile)
        with book.store.read() as reader:
            early = running._look(reader, scope, source, None)
        run = running._run_of(early, True, source.digest, profile)
        book.reconcile(file, "410100", period=202403)
        with book.store.read() as reader:
            size = reader.size
        with pytest.raises(Refused) as refused:
            running._append(book, early, run, file, "")
        assert refused.value.refusal == Refusal.RUN_OUTDATED
        with book.store.read() as reader:
            assert reader.size == size
