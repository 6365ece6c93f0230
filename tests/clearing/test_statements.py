"""Statements are gross, exact and mirrored: what one centre owes, the other is owed, over every leg between."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

import projections
from ledger.money import fen_from_text
from ledger.store import connect
from projections.clearing.issue import KINDS
from projections.clearing.lines import LINE, Lines, as_of
from projections.clearing.sheets import Sheet, StatementError
from projections.clearing.writing import as_csv, as_json
from projections.reader import Projections
from tests.clearing.worlds import PERIOD, SHANWEI, TAIAN, Row, book_of, gathered, region, write
from tests.ledger.worlds import claim, opened, refund, sign
from tests.ledger.worlds import write as write_claims

SETTLED = {"fund_pay_sumamt": "6000.00", "hifp_pay": "6000.00", "psn_part_amt": "4000.00", "psn_cash_pay": "4000.00"}


def rows(sheet: Sheet) -> list[dict[str, Any]]:
    """Returns a sheet's rows by column name."""
    return [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]


def total(sheet: Sheet, column: str) -> int:
    """Returns the total of a column."""
    found = sheet.totals[sheet.columns.index(column)]
    assert found is not None
    return found


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Row]]:
    """Gives a signed month of a centre that has every claim, and its rows."""
    folder = tmp_path_factory.mktemp("month")
    sound = gathered(folder / "claims.csv", source_percent=60)
    url = f"sqlite:///{folder / 'ledger.db'}"
    book_of(url, folder / "claims.csv").close_store()
    return url, sound


def test_what_one_owes_in_its_store_the_other_is_owed_in_its_own(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    """Two centres fed only their own side's claims state the same amounts from either side of the pair."""
    every = gathered(tmp_path / "all.csv", source_percent=100)
    refunded = {row["init_setl_id"] for row in every if row["init_setl_id"]}
    assert refunded
    sides = {
        "insured": [row for row in every if region(row["insu_admdvs"]) == SHANWEI],
        "treatment": [row for row in every if region(row["mdtrtarea_admvs"]) == TAIAN],
    }
    pair = [row for row in sides["insured"] if region(row["mdtrtarea_admvs"]) == TAIAN]
    assert len(pair) > 5
    for url, side in ((sqlite_url, "insured"), (postgres_url, "treatment")):
        book_of(url, write(tmp_path / f"{side}.csv", sides[side])).close_store()
    with projections.open(sqlite_url) as ours, projections.open(postgres_url) as theirs:
        payable = rows(ours.issue("payable", PERIOD, SHANWEI).sheets[0])
        receivable = rows(theirs.issue("receivable", PERIOD, TAIAN).sheets[0])
        (owes,) = [row for row in payable if row["counterpart"] == TAIAN]
        (owed,) = [row for row in receivable if row["counterpart"] == SHANWEI]
        assert owes["due_fen"] == owed["receivable_fen"] != 0
        same = ("person_times", "medfee_sumamt", "employee_fen", "resident_fen", "fund_pay_sumamt", "acct_pay")
        assert [owes[name] for name in same] == [owed[name] for name in same]
        by_type = [
            [row for row in rows(read.issue("pairs", PERIOD).sheets[0])
             if (row["insured_region"], row["treatment_region"]) == (SHANWEI, TAIAN)]
            for read in (ours, theirs)
        ]  # fmt: skip
        assert by_type[0] == by_type[1] and len({row["clr_type"] for row in by_type[0]}) > 1


def test_money_keeps_its_sum_over_every_leg(month: tuple[str, list[Row]]) -> None:
    """What cities send up, provinces pass across, provinces send down and cities pay out is the same money."""
    with projections.open(month[0]) as read:
        up, across, down, pay = read.issue("chain", PERIOD).sheets
        pairs = rows(read.issue("pairs", PERIOD).sheets[0])
        off_site = [row for row in pairs if row["insured_region"] != row["treatment_region"]]
        sent: Counter[int] = Counter()
        received: Counter[int] = Counter()
        for row in off_site:
            sent[row["insured_region"]] += row["due_fen"]
            received[row["treatment_region"]] += row["due_fen"]
        assert {int(row["payer"]): row["due_fen"] for row in rows(up)} == {
            city: fen for city, fen in sent.items() if city % 10_000
        }
        assert {int(row["payee"]): row["due_fen"] for row in rows(down)} == {
            city: fen for city, fen in received.items() if city % 10_000
        }
        for province in {int(row["payer"]) for row in rows(across)}:
            into = sum(row["due_fen"] for row in rows(up) if int(row["payee"]) == province)
            into += sum(row["due_fen"] for row in rows(across) if int(row["payee"]) == province)
            out = sum(row["due_fen"] for row in rows(down) if int(row["payer"]) == province)
            out += sum(row["due_fen"] for row in rows(across) if int(row["payer"]) == province)
            own = sent[province] - received[province]
            assert into + own == out, province
        assert total(pay, "due_fen") == sum(row["due_fen"] for row in pairs)
        institutions = read.issue("institutions", PERIOD).sheets[0]
        assert total(institutions, "due_fen") == total(pay, "due_fen")


def test_every_kind_agrees_with_the_books(month: tuple[str, list[Row]]) -> None:
    """Every kind sums to the pairs, and those to the balances and to the statement."""
    with projections.open(month[0]) as read:
        kinds = {kind: read.issue(kind, PERIOD, SHANWEI if kind in ("roles", "detail") else None) for kind in KINDS}
        pairs = rows(kinds["pairs"].sheets[0])
        statement = read.statement(PERIOD)
        assert total(kinds["pairs"].sheets[0], "fund_pay_sumamt") == statement.totals.fund_pay_sumamt
        assert total(kinds["provinces"].sheets[0], "due_fen") == statement.totals.due_fen
        accounts = read.balances().accounts
        owed: defaultdict[tuple[int, int], int] = defaultdict(int)
        for line in read.statement().lines:
            owed[line.insured_region, line.treatment_region] += line.due_fen
        for (insured, treatment), fen in owed.items():
            if insured != treatment:
                assert accounts.get(f"due:{insured:06d}:{treatment:06d}", 0) == -fen
        off_site = sum(row["due_fen"] for row in pairs if row["insured_region"] != row["treatment_region"])
        for kind, column in (("payable", "due_fen"), ("receivable", "receivable_fen"), ("notices", "amount_fen")):
            assert total(kinds[kind].sheets[0], column) == off_site
        net = rows(kinds["net"].sheets[0])
        assert sum(row["due_fen"] + row["receivable_fen"] for row in net) == off_site
        assert total(kinds["summary"].sheets[2], "net_fen") == 0
        details = [row for sheet in kinds["detail"].sheets for row in rows(sheet)]
        wanted = [row for row in pairs if (row["insured_region"] == SHANWEI) != (row["treatment_region"] == SHANWEI)]
        assert sum(row["due_fen"] for row in details) == sum(row["due_fen"] for row in wanted)
        assert len(details) == sum(row["settlements"] + row["refunds"] for row in wanted) > 300


def test_the_table_and_the_log_give_the_same_lines(month: tuple[str, list[Row]]) -> None:
    """Sums out of the read model are those of lines read from the log itself, whatever they are summed by."""
    with projections.open(month[0]) as read:
        read.catch_up()
    with connect(month[0]) as store, store.read() as reader:
        types = {28: 21, 14: 11}
        table, log = (Lines(reader, PERIOD, types, lines) for lines in (None, as_of(reader, PERIOD, 0, reader.size)))
        dimensions = (*LINE.key[1:], "clr_type", "insured_province", "treatment_province")
        for by in ((), ("clr_type",), ("insured_province", "insutype"), dimensions):
            for where in (None, TAIAN):
                assert table.sums(by, LINE.values, where) == log.sums(by, LINE.values, where)


def test_a_closed_period_is_stated_the_same_for_ever(store_url: str, tmp_path: Path) -> None:
    """Statements of every kind come out to the byte after more claims, periods, payments and a rebuild."""
    gathered(tmp_path / "claims.csv", 400, source_percent=80)
    with book_of(store_url, tmp_path / "claims.csv", closed=False) as book:
        with projections.open(store_url) as read:
            early = texts(read, None)
            head = read.issue("pairs", PERIOD).position
        for period in (each.period for each in book.periods()):
            book.close(period)
        sign(book, PERIOD)
        with projections.open(store_url) as read:
            before = texts(read, None)
            # An open period's statement is drawn up again as of its position, though the table has moved on.
            assert texts(read, head) == early
        late = [
            claim(at, setl_time="2024-03-31 23:00:00", mdtrtarea_admvs="370901", **SETTLED) for at in range(900, 905)
        ]
        book.intake(write_claims(tmp_path / "late.csv", late))
        book.pay(PERIOD, "regions")
        with projections.open(store_url) as read:
            assert texts(read, None) == before
            assert read.verify() == []
            read.rebuild()
            assert texts(read, None) == before


def texts(read: Projections, position: int | None) -> list[str]:
    """Returns every kind of statement as CSV and JSON."""
    issued = [
        read.issue(kind, PERIOD, TAIAN if kind in ("roles", "detail") else None, position=position) for kind in KINDS
    ]
    return [write(each, "zh") for each in issued for write in (as_csv, as_json)]


def test_refunds_may_make_a_month_negative(store_url: str, tmp_path: Path) -> None:
    """A claim refunded after its month was closed is owed back in the next: totals, legs and capitals are negative."""
    paid = claim(1, insu_admdvs="260101", mdtrtarea_admvs="470101", **SETTLED)
    with opened(store_url) as book:
        book.intake(write_claims(tmp_path / "a.csv", [paid]))
        book.close(202401)
        book.intake(write_claims(tmp_path / "b.csv", [refund(paid, 2)]))
        book.close(202402)
        sign(book, 202402)
        with projections.open(store_url) as read:
            (owes,) = rows(read.issue("payable", 202402).sheets[0])
            assert (owes["person_times"], owes["due_fen"]) == (-1, -600_000)
            (notice,) = rows(read.issue("notices", 202402).sheets[0])
            assert (notice["amount_fen"], notice["capitals"]) == (-600_000, "负陆仟元整")
            (late,) = rows(read.issue("late", 202402).sheets[0])
            assert (late["month"], late["late_acts"], late["allowed"]) == (202401, 1, "within")
            (roles,) = rows(read.issue("roles", 202402, 260100).sheets[0])
            assert (roles["direct_times"], roles["avoided_fen"]) == (-1, -600_000)
        assert [payment.amount_fen for payment in book.pay(202402, "regions")] == [-600_000]


def test_deductions_stand_apart_in_the_period_they_were_raised_in(sqlite_url: str, tmp_path: Path) -> None:
    """A clawback raised before the cut-off is listed on its original claim; what is due stays as it is."""
    with opened(sqlite_url) as book:
        book.intake(write_claims(tmp_path / "a.csv", [claim(1, mdtrtarea_admvs="470101", **SETTLED)]))
        book.clawback_raise("CASE-1", "260100/S000001", 120_000, "below the standard")
        book.close(202401)
        book.clawback_raise("CASE-2", "260100/S000001", 50_000, "found later")
        sign(book, 202401)
    with projections.open(sqlite_url) as read:
        (found,) = rows(read.issue("deductions", 202401).sheets[0])
        assert (found["case"], found["setl_id"], found["deducted_fen"]) == ("CASE-1", "S000001", 120_000)
        (owes,) = rows(read.issue("payable", 202401).sheets[0])
        assert (owes["due_fen"], owes["deducted_fen"], owes["after_deductions_fen"]) == (600_000, 120_000, 480_000)
        assert ("deducted", 1, 120_000) in read.issue("summary", 202401).remarks


def test_a_checker_is_shown_what_is_out_of_line(sqlite_url: str, tmp_path: Path) -> None:
    """Beyond both thresholds against the mean of the months before a counterpart, fund and institution are listed."""
    with opened(sqlite_url) as book:
        for month, count in ((1, 10), (2, 10), (3, 14)):
            serials = range(month * 100, month * 100 + count)
            when = f"2024-{month:02d}-05 08:00:00"
            many = [claim(at, mdtrtarea_admvs="470101", setl_time=when, **SETTLED) for at in serials]
            book.intake(write_claims(tmp_path / f"{month}.csv", many))
            book.close(202400 + month)
    with projections.open(sqlite_url) as read:
        listed = rows(read.issue("variance", 202403).sheets[0])
        assert {row["what"] for row in listed} == {"counterpart", "fund", "institution"}
        assert {(row["amount_fen"], row["mean_fen"], row["difference_ratio"]) for row in listed} == {
            (8_400_000, 6_000_000, 4_000)
        }
        assert rows(read.issue("variance", 202402).sheets[0]) == []


def test_an_advance_is_used_up_by_shares_of_last_years_quarter(sqlite_url: str, tmp_path: Path) -> None:
    """The quota is twice the fourth quarter's monthly mean; its use is what is owed and unpaid, the
    same in the notice as in `advance list`; a notice stays as it was issued."""
    with opened(sqlite_url) as book:
        for at, day in enumerate(("2023-10-05", "2023-11-05", "2023-12-05"), 1):
            paid = claim(at, mdtrtarea_admvs="470101", setl_time=f"{day} 08:00:00", **SETTLED)
            book.intake(write_claims(tmp_path / f"{at}.csv", [paid]))
        for period in (202310, 202311, 202312):
            book.close(period)
        many = [claim(at, mdtrtarea_admvs="470101", **SETTLED) for at in (11, 12)]
        many.append(claim(13, insu_admdvs="470101", mdtrtarea_admvs="260101", **SETTLED))
        book.intake(write_claims(tmp_path / "now.csv", many))
        book.advance_quotas(2024, 202401)
        book.close(202401)
        sign(book, 202401)
        with projections.open(sqlite_url) as read:
            (used,), working = (rows(sheet) for sheet in read.issue("advances", 202401).sheets)
            (listed,) = read.advances(202401)
            assert (used["quota_fen"], used["used_fen"], used["used_ratio"]) == (1_200_000, 3_000_000, 25_000)
            figures = (listed.quota_fen, listed.used_fen, listed.used_bp, listed.warning, listed.paid_fen)
            names = ("quota_fen", "used_fen", "used_ratio", "warning", "given_fen")
            assert figures == tuple(used[name] for name in names)
            assert (used["warning"], used["capitals"], working) == ("red", "壹万贰仟元整", [])
            issued = as_json(read.issue("advances", 202401), "zh")
            # What is paid later lowers the use, and leaves what was stated as it was.
            for each in book.pay(202401, "regions"):
                book.confirm(each.key, f"R-{each.key}")
            (later,) = read.advances(202401)
            assert later.used_fen == 1_800_000
            assert as_json(read.issue("advances", 202401), "zh") == issued


def test_an_edited_clearing_line_is_found(sqlite_url: str, tmp_path: Path) -> None:
    """A row of the read model that does not follow from the log is a finding by name."""
    import sqlite3

    with opened(sqlite_url) as book:
        book.intake(write_claims(tmp_path / "a.csv", [claim(1, **SETTLED)]))
    with projections.open(sqlite_url) as read:
        read.catch_up()
        with sqlite3.connect(tmp_path / "ledger.db") as raw:
            raw.execute("UPDATE clearing_line SET fund_pay_sumamt = fund_pay_sumamt + 1")
        (finding,) = read.verify()
        assert finding.kind == "edited-row" and finding.where.startswith("clearing_line period=202401 insured_region")
        assert (finding.expected, finding.got) == ("fund_pay_sumamt=600000", "fund_pay_sumamt=600001")


def test_what_cannot_be_stated_is_refused_by_name(month: tuple[str, list[Row]]) -> None:
    """A period without claims, a kind there is not, a missing region and a position beyond the log are errors."""
    with projections.open(month[0]) as read:
        for words, text in (
            (("payable", 209901), "expected a period with claims"),
            (("gross", PERIOD), "expected one of pairs"),
            (("roles", PERIOD), "expected --region"),
        ):
            with pytest.raises(StatementError, match=text):
                read.issue(*words)
        with pytest.raises(StatementError, match="the head of the log"):
            read.issue("pairs", PERIOD, position=10**9)


def test_source_settled_claims_sum_to_their_file(month: tuple[str, list[Row]]) -> None:
    """What the file says the funds paid at the counter, pair by pair, is what the lines of direct claims hold."""
    url, sound = month
    wanted: Counter[tuple[int, int]] = Counter()
    paid = {row["setl_id"]: row for row in sound}
    for row in sound:
        of = paid[row["init_setl_id"]] if row["init_setl_id"] else row
        if of["fund_pay_sumamt"] and row["setl_time"].startswith("2024-03"):
            fen = fen_from_text(of["fund_pay_sumamt"])
            wanted[region(row["insu_admdvs"]), region(row["mdtrtarea_admvs"])] += -fen if row["init_setl_id"] else fen
    with projections.open(url) as read:
        read.catch_up()
    with connect(url) as store, store.read() as reader:
        by = ("insured_region", "treatment_region", "basis")
        found = Lines(reader, PERIOD, {}, None).sums(by, ("fund_pay_sumamt",))
    assert {(a, b): fen for a, b, basis, fen in found if basis == 2 and fen} == {k: v for k, v in wanted.items() if v}
