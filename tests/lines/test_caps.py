"""Price caps and drug maxima by day, and trace codes: what is taken, and what a refund gives back, on both stores."""

from pathlib import Path

import pytest

from ledger.profile import Profile
from ledger.registering import RegisterError
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write
from tests.lines.files import differences, filed, line, repeats, write_lines, write_register
from tests.lines.test_filing import booked, run

DRUG = "XA10BAE074A001"
CODE = "81000000000000000001"


def taken(serial: int, *amounts: str) -> list[dict[str, str]]:
    """Returns lines of one claim for a capped drug, without self-pay."""
    return [line(serial, at, pric=amount, selfpay_prop="") for at, amount in enumerate(amounts, 1)]


def test_a_price_cap_holds_from_its_day(store_url: str, tmp_path: Path) -> None:
    """A line is split at the cap in force on its day; the cap set later rules, one that ended does not."""
    register = write_register(
        tmp_path / "caps.csv",
        "med_list_codg,pric_uplmt_amt,from,to",
        f"{DRUG},80,2023-01-01,2024-01-02",
        f"{DRUG},90.5,2024-01-03,",
        "OTHER,1,2023-01-01,",
    )
    rows = [
        line(1, 1, fee_ocur_time="2024-01-02"),
        line(1, 2),
        line(1, 3, fee_ocur_time="2022-12-31"),
        line(1, 4, pric_uplmt_amt="95", fee_ocur_time="2022-12-31"),
    ]
    with booked(store_url, tmp_path, claim(1)) as book:
        assert book.register(register).new == 3
        assert book.register(register).new == 0
        book.lines(write_lines(tmp_path / "lines.csv", rows))
        (lines,) = filed(book)
        assert lines.split[:, 2].tolist() == [2000, 950, 0, 500]
        corrected = write_register(
            tmp_path / "more.csv", "med_list_codg,pric_uplmt_amt,from,to", f"{DRUG},70,2024-01-03,"
        )
        book.register(corrected)
        book.lines(write_lines(tmp_path / "again.csv", [line(1, 5)]))
        assert filed(book)[1].split[0, 2] == 3000
        assert filed(book)[0].split.tolist() == lines.split.tolist()


@pytest.mark.parametrize(
    ("header", "row", "text"),
    [
        ("med_list_codg,pric_uplmt_amt,from,to", "X,dear,2024-01-01,", "row 1, pric_uplmt_amt: expected a price"),
        ("med_list_codg,pric_uplmt_amt,from,to", ",1,2024-01-01,", "row 1, med_list_codg: expected an item's code"),
        ("med_list_codg,window,maximum,from,to", "X,month,1,2024-01-01,", "row 1, window: expected quarter or year"),
        ("med_list_codg,window,maximum,from,to", "X,year,-1,2024-01-01,", "row 1, maximum: expected an amount"),
        ("med_list_codg,window,maximum,from,to", "X,year,1,soon,", "row 1, from: expected a day"),
    ],
)
def test_a_register_that_cannot_be_read_is_refused_whole(
    sqlite_url: str, tmp_path: Path, header: str, row: str, text: str
) -> None:
    """A register's mistake names file, row, column, expected and got, and nothing is set."""
    with opened(sqlite_url) as book:
        before = events_of(book)
        with pytest.raises(RegisterError, match=text):
            book.register(write_register(tmp_path / "caps.csv", header, row))
        assert events_of(book) == before


def test_a_drug_maximum_counts_over_claims_and_a_refund_gives_back_its_own(store_url: str, tmp_path: Path) -> None:
    """Of 150.00 a quarter a person has 100, then 50 of 100; a refund frees its own, another quarter is free."""
    register = write_register(
        tmp_path / "caps.csv",
        "med_list_codg,window,maximum,from,to",
        f"{DRUG},quarter,150,2024-01-01,2024-12-31",
        f"{DRUG},year,1000,2024-01-01,2024-12-31",
    )
    first = claim(1, psn_no="P1")
    claims = [first, *(claim(serial, psn_no="P1") for serial in (2, 3, 5)), claim(4, psn_no="P2")]
    with booked(store_url, tmp_path, *claims) as book:
        book.register(register)

        def excess(name: str, *rows: dict[str, str]) -> list[int]:
            book.lines(write_lines(tmp_path / f"{name}.csv", rows))
            return [int(fen) for fen in filed(book)[-1].split[:, 1]]

        assert excess("a", *taken(1, "60", "40")) == [0, 0]
        assert excess("b", *taken(2, "30", "70", "10")) == [0, 5000, 1000]
        assert excess("c", *taken(4, "150")) == [0]
        # The first claim is refunded: its 100.00 are free again, the second claim's 50.00 are not.
        book.intake(write(tmp_path / "refund.csv", [refund(first, 9)]))
        assert excess("d", *taken(3, "120")) == [2000]
        assert excess("e", line(5, 1, pric="150", fee_ocur_time="2024-04-01")) == [0]
        # The refund's own lines mirror what the refunded ones were.
        back = [{**each, "setl_id": "S000009", "cnt": "-1"} for each in taken(1, "60", "40")]
        assert excess("f", *back) == [0, 0]


def test_a_refunds_lines_give_back_what_was_taken_over_a_maximum(store_url: str, tmp_path: Path) -> None:
    """The lines of a refund have the excess of the lines they refund, negated."""
    register = write_register(
        tmp_path / "caps.csv", "med_list_codg,window,maximum,from,to", f"{DRUG},year,100,2024-01-01,"
    )
    splits = {"medfee_sumamt": "120.00", "fulamt_ownpay_amt": "20.00", "inscp_scp_amt": "100.00"}
    first = claim(1, **splits)
    with booked(store_url, tmp_path, first) as book:
        book.register(register)
        book.lines(write_lines(tmp_path / "lines.csv", taken(1, "80", "40")))
        book.reverse("260100/S000001", "mistaken")
        back = [{**each, "setl_id": "S000001-R", "cnt": "-1"} for each in taken(1, "80", "40")]
        book.lines(write_lines(tmp_path / "back.csv", back))
        assert (filed(book)[0].split == -filed(book)[1].split).all()
        assert differences(book) == []


@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_maxima_do_not_depend_on_where_a_file_is_cut(store_url: str, tmp_path: Path, batch_rows: int) -> None:
    """A refunded claim's lines, its refund's and a later claim's in one file: each takes only what is its own."""
    register = write_register(
        tmp_path / "caps.csv", "med_list_codg,window,maximum,from,to", f"{DRUG},year,100,2024-01-01,"
    )
    first = claim(1, psn_no="P1")
    with booked(store_url, tmp_path, first, claim(2, psn_no="P1"), claim(3, psn_no="P1"), refund(first, 9)) as book:
        book.register(register)
        rows = taken(1, "80", "40") + taken(2, "70")
        rows += [{**each, "setl_id": "S000009", "cnt": "-1"} for each in taken(1, "80", "40")]
        rows += taken(3, "40")
        run(book, write_lines(tmp_path / "lines.csv", rows), batch_rows)
        assert [lines.split[:, 1].tolist() for lines in filed(book)] == [[0, 2000], [0], [0, -2000], [1000]]


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_code_is_settled_once_and_a_refund_releases_it(store_url: str, tmp_path: Path, batch_rows: int) -> None:
    """A second settlement of a trace code is a finding that names both claims; after a refund it is none."""
    first = claim(1)
    with booked(store_url, tmp_path, first, *(claim(serial) for serial in (2, 3, 4))) as book:
        rows = [
            line(1, 1, drug_trac_codg=f"{CODE}; 2"),
            line(2, 1, drug_trac_codg=CODE),
            line(2, 2, drug_trac_codg="3"),
        ]
        run(book, write_lines(tmp_path / "a.csv", rows), batch_rows)
        (found,) = repeats(book)
        positions = {event[1]: event[0] for event in events_of(book) if event[1].startswith("claim-") and event[2] == 1}
        assert (found.claim, found.first, found.row, found.code) == (
            positions["claim-260100-S000002"],
            positions["claim-260100-S000001"],
            2,
            CODE,
        )
        book.intake(write(tmp_path / "refund.csv", [refund(first, 9)]))
        run(book, write_lines(tmp_path / "b.csv", [line(3, 1, drug_trac_codg=CODE)]), batch_rows)
        assert len(repeats(book)) == 1
        run(book, write_lines(tmp_path / "c.csv", [line(4, 1, drug_trac_codg=CODE)]), batch_rows)
        assert [each.first for each in repeats(book)][1:] == [positions["claim-260100-S000003"]]
        # A line taken back within its claim gives its code back.
        run(book, write_lines(tmp_path / "d.csv", [line(2, 3, cnt="-1", drug_trac_codg="3")]), batch_rows)
        run(book, write_lines(tmp_path / "e.csv", [line(4, 2, drug_trac_codg="3")]), batch_rows)
        assert len(repeats(book)) == 2


def test_split_packs_and_exempt_classes_repeat_legitimately(store_url: str, tmp_path: Path) -> None:
    """Codes of split packs, 饮片 and 院内制剂 are neither held nor found; a profile may exempt further kinds."""
    rows = [
        line(serial, at, drug_trac_codg=f"{CODE}{at}", **cells)
        for serial in (1, 2)
        for at, cells in enumerate(
            ({"trdn_flag": "1"}, {"list_type": "102"}, {"list_type": "103"}, {"list_type": "106"})
        )
    ]
    with booked(store_url, tmp_path, claim(1), claim(2)) as book:
        run(book, write_lines(tmp_path / "lines.csv", rows), 100, Profile(untraced_list_types=(102, 103, 106)))
        assert repeats(book) == []
        assert rows_of(book, "trace_code", "code") == []
    with booked(f"sqlite:///{tmp_path / 'national.db'}", tmp_path, claim(1), claim(2)) as book:
        book.lines(tmp_path / "lines.csv")
        assert [each.code for each in repeats(book)] == [f"{CODE}3"]
