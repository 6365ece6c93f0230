"""Filings, and every register's rows: overlaps, refusals, expiry, what a late change touches, and rows that are bad."""

from pathlib import Path

import pytest

from core_ext.layout import HOW
from ledger.acts import read_acts
from ledger.refusals import Refused
from ledger.register_events import (
    FilingEnded,
)
from ledger.register_file import RegisterError
from ledger.registers import FILING_CLASSES
from ledger.reports import Registered
from ledger.service import Ledger
from tests.ledger.registry import MEMBERS, filed, on, registered, taken, told
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of


def held(book: Ledger) -> list[tuple[object, ...]]:
    """Returns the days filings hold: (type, region, from, to)."""
    return [row[1:] for row in rows_of(book, "filing", "region, begin")]


def test_overlapping_filings_keep_one(store_url: str, tmp_path: Path) -> None:
    """A day has one filing in a region, the better one; the other is ended on those days, by name, and says why."""
    with opened(store_url) as book:
        registered(book, tmp_path, MEMBERS, "P1,某,260101,390,15,")
        filed(book, tmp_path, "P1,temporary,470100,2024-01-01,2024-12-31", "P1,temporary,990100,2024-01-01,")
        report = filed(book, tmp_path, "P1,referral,470100,2024-03-01,2024-03-31")
        assert held(book) == [
            (4, 470100, 20240101, 20240229),
            (2, 470100, 20240301, 20240331),
            (4, 470100, 20240401, 20241231),
            (4, 990100, 20240101, 0),
        ]
        (ended,) = told(book, FilingEnded)
        assert isinstance(ended, FilingEnded)
        assert ended.kept == ((20240101, 20240229), (20240401, 20241231))
        assert (ended.by, ended.reason) == (report.position + 1, "another filing holds these days")
        assert filed(book, tmp_path, "P1,referral,470100,2024-03-01,2024-03-31") == Registered("filings", 1, 0, 0)
        filed(book, tmp_path, "P1,long_term,470100,2023-01-01,", "P1,emergency,470100,2024-02-01,2024-02-02")
        assert held(book) == [(1, 470100, 20230101, 0), (4, 990100, 20240101, 0)]
        assert [event.kept for event in told(book, FilingEnded)[1:]] == [(), (), ()]


def test_a_late_filing_before_discharge_counts(store_url: str, tmp_path: Path) -> None:
    """A filing made during the stay counts for it, one from the day after discharge does not."""
    with opened(store_url) as book:
        registered(book, tmp_path, MEMBERS, "P1,某,260101,390,15,", "P2,某,260101,390,15,")
        filed(book, tmp_path, "P1,referral,470100,2024-01-05,", "P2,referral,470100,2024-01-06,")
        rows = [claim(1, psn_no="P1", mdtrtarea_admvs="470101"), claim(2, psn_no="P2", mdtrtarea_admvs="470101")]
        assert set(taken(book, tmp_path, rows).values()) == {"booked"}
        with book.store.read() as reader:
            (acts,) = read_acts(reader)
            classes = [FILING_CLASSES[at] for at in acts.how[:, HOW.index("filing")].tolist()]
        assert classes[0] == "referral" and classes[1] != "referral"


def test_a_filing_is_refused_with_its_reason(store_url: str, tmp_path: Path) -> None:
    """While benefits are suspended or an older visit is unsettled a filing is refused; the others of its file stand."""
    with opened(store_url) as book:
        registered(
            book,
            tmp_path,
            f"{MEMBERS},from,status",
            "P1,某,260101,390,15,,,",
            "P1,某,260101,390,15,,2024-03-01,suspended",
            "P2,某,260101,390,15,,,",
            "P3,某,260101,390,15,,,",
        )
        registered(book, tmp_path, "psn_no,mdtrt_id,from", "P2,M000002,2024-01-02", "P3,M000003,2024-01-02")
        lines = (
            "P1,referral,470100,2024-03-05,",
            "P1,referral,470100,2024-02-05,",
            "P2,referral,470100,2024-01-20,",
            "P3,referral,470100,2024-01-02,",
        )
        report = filed(book, tmp_path, *lines)
        assert (report.new, [(row.row, row.reason) for row in report.refused]) == (
            2,
            [(1, "filing_suspended"), (3, "filing_unsettled")],
        )
        assert "M000002" in report.refused[1].text
        head = len(events_of(book))
        assert filed(book, tmp_path, lines[2]).position == 0
        assert len(events_of(book)) == head, "a refusal writes nothing"
        assert taken(book, tmp_path, [claim(2, psn_no="P2")]) == {1: "booked"}
        assert filed(book, tmp_path, lines[2]).new == 1, "the visit is settled now"


def test_filings_that_expire_are_listed(store_url: str, tmp_path: Path) -> None:
    """The list has what ends within the days, first things first, and leaves out what another filing goes on with."""
    with opened(store_url) as book:
        registered(book, tmp_path, MEMBERS, "P1,某,260101,390,15,", "P2,某,260101,390,15,")
        filed(
            book,
            tmp_path,
            "P1,referral,470100,2024-01-01,2024-03-31",
            "P2,referral,470100,2024-01-01,2024-03-10",
            "P2,temporary,470100,2024-03-11,2024-12-31",
            "P2,emergency,990100,2024-01-01,2024-03-20",
            "P2,emergency,990200,2024-01-01,2024-02-28",
        )
        found = book.expiring_filings(30, 20240301)
        assert [(each.psn_no, each.region, each.to, each.days_left) for each in found] == [
            ("P2", 990100, 20240320, 19),
            ("P1", 470100, 20240331, 30),
        ]
        assert book.expiring_filings(29, 20240301) == found[:1]


def test_a_change_from_a_past_day_lists_what_it_touches(store_url: str, tmp_path: Path) -> None:
    """Every kind of change lists the standing claims it reaches back to, and the log holds no new price."""
    rows = [
        on("2024-01-05", 1, psn_no="P1"),
        on("2024-02-05", 2, psn_no="P1", mdtrtarea_admvs="470101", med_type="14"),
        on("2024-03-05", 3, psn_no="P1"),
        on("2024-02-05", 4, psn_no="P2", fixmedins_code="X2", mdtrtarea_admvs="470101"),
        on("2024-02-05", 5, psn_no="P1"),
    ]
    with opened(store_url) as book:
        registered(book, tmp_path, f"{MEMBERS},from", "P1,某,260101,390,15,,", "P1,某,260101,390,15,,2024-03-01",
                   "P2,某,260101,390,15,,")  # fmt: skip
        taken(book, tmp_path, [*rows, refund(rows[4], 15, setl_time="2024-02-06 08:00:00")])
        before = [event for event in events_of(book) if event[3].startswith("claim-")]

        def keys(report: Registered) -> list[tuple[str, str]]:
            found = book.touched(report.position)
            return [(each.key.removeprefix("260100/S00000"), each.by) for each in found.claims]

        member = registered(book, tmp_path, f"{MEMBERS},from", "P1,某,260101,390,15,2,2024-02-01")
        assert keys(member) == [("2", "member")], "not the one before, behind the next value, or refunded"
        assert keys(filed(book, tmp_path, "P1,referral,470100,2024-01-01,")) == [("2", "filing")]
        assert keys(filed(book, tmp_path, "P1,long_term,990100,2024-01-01,")) == []
        entitled = registered(book, tmp_path, "psn_no,disease,from,to", "P1,M1,2024-01-01,")
        assert keys(entitled) == [("2", "entitlement")]
        clinic = registered(
            book, tmp_path, "fixmedins_code,region,hosp_lv,from", "X2,470101,2,", "X2,470101,3,2024-02-01"
        )
        assert keys(clinic) == [("4", "institution")]
        assert [event for event in events_of(book) if event[3].startswith("claim-")] == before
        assert book.replay(202401).differences == () == book.replay(202402).differences
        assert book.touched() == book.touched(clinic.position)
        with pytest.raises(Refused, match="expected the position of a register command, got 1"):
            book.touched(1)


BAD = [
    ("institution", ("fixmedins_code,region,hosp_lv", "X1,2601,2"), r"row 1, region: expected a six-digit .* '2601'"),
    ("first", ("fixmedins_code,status", "X1,suspended"), r"row 1, region: expected a six-digit code, got ''"),
    ("capability", ("fixmedins_code,region,hosp_lv,capabilities", "X1,260101,2,11 x"), r"row 1, capabilities: "),
    ("status", ("fixmedins_code,region,hosp_lv,status", "X1,260101,2,closed"), r"status: expected one of in_network"),
    ("twice", ("fixmedins_code,region,hosp_lv", "X1,260101,2", "X1,260101,3"), r"row 2, from: expected one row"),
    ("column", ("fixmedins_code,region,hosp_lv,levle", "X1,260101,2,"), r"columns of institutions .* got levle"),
    ("member", (f"{MEMBERS},from", "P1,某,260101,390,15,,2024-02-30"), r"row 1, from: expected a day .* '2024-02-30'"),
    ("members", (MEMBERS, "P1,某,260101,390,15,", "P1,某,260101,390,16,"), r"row 2, from: expected one row a person"),
    ("birth", (f"{MEMBERS},enrolled,birth", "P1,某,260101,390,15,,2024-01-01,2024-01-02"), r"row 1, birth: expected"),
    ("nobody", ("psn_no,type,region,from,to", "P9,referral,470100,2024-01-01,"), r"row 1, psn_no: expected an enr"),
    ("order", ("psn_no,type,region,from,to", "P0,referral,470100,2024-02-01,2024-01-31"), r"row 1, to: expected 2024"),
    ("type", ("psn_no,type,region,from,to", "P0,holiday,470100,2024-02-01,"), r"row 1, type: expected one of long"),
    ("disease", ("psn_no,disease,from,to", "P0,,2024-02-01,"), r"row 1, disease: expected 1 to 64 printable"),
    ("visit", ("psn_no,mdtrt_id,from", "P0,M1,2024-02-01", "P0,M1,2024-02-02"), r"row 2, from: expected the day"),
    ("rule", ("region,insutype,from,newborn_days,on_time_until,late_months,exempt_classes",
              "260100,390,2024-01-01,90,02-30,1,"), r"on_time_until: expected a day of the year as MM-DD, got '02-30'"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "says"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_a_bad_row_names_itself_and_writes_nothing(
    sqlite_url: str, tmp_path: Path, lines: tuple[str, ...], says: str
) -> None:
    """A register that cannot be read is refused whole, naming row, column, what was expected and what came."""
    with opened(sqlite_url) as book:
        registered(book, tmp_path, MEMBERS, "P0,某,260101,390,15,")
        head = len(events_of(book))
        with pytest.raises(RegisterError, match=says):
            registered(book, tmp_path, *lines)
        assert len(events_of(book)) == head
        assert rows_of(book, "institution", "code") == []
