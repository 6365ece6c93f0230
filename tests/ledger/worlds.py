"""Builds small worlds for scenario tests: claim files in the national field names, stores with policies enacted."""

import csv
import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import ledger
from core_ext.layout import AMOUNTS
from ledger.service import Ledger

REPOSITORY = Path(__file__).resolve().parents[2]

HEADER = [
    "setl_id",
    "mdtrt_id",
    "medins_setl_id",
    "init_setl_id",
    "refd_setl_flag",
    "psn_no",
    "psn_name",
    "insutype",
    "psn_type",
    "insu_admdvs",
    "mdtrtarea_admvs",
    "fixmedins_code",
    "hosp_lv",
    "med_type",
    "begndate",
    "enddate",
    "setl_time",
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "hosp_part_amt",
    "act_pay_dedc",
    "hifp_pay",
    "hifob_pay",
    "hifmi_pay",
    "maf_pay",
    "fund_pay_sumamt",
    "psn_part_amt",
    "acct_pay",
    "psn_cash_pay",
]


def clock() -> Callable[[], int]:
    """Returns a clock that ticks one second a call from 2024-04-01 00:00 UTC."""
    ticks = itertools.count(1_711_929_600_000_000, 1_000_000)
    return lambda: next(ticks)


def claim(serial: int, **cells: str) -> dict[str, str]:
    """Returns a plain outpatient claim of its own person and institution; ``cells`` say what is otherwise."""
    row = dict.fromkeys(HEADER, "")
    row |= {
        "setl_id": f"S{serial:06d}",
        "mdtrt_id": f"M{serial:06d}",
        "medins_setl_id": f"H26010100001{20240105080000 + serial:014d}{serial % 10000:04d}",
        "refd_setl_flag": "0",
        "psn_no": f"P{serial:06d}",
        "psn_name": "某人",
        "insutype": "390",
        "psn_type": "15",
        "insu_admdvs": "260101",
        "mdtrtarea_admvs": "260101",
        "fixmedins_code": "H26010100001",
        "hosp_lv": "2",
        "med_type": "21",
        "begndate": "2024-01-02",
        "enddate": "2024-01-05",
        "setl_time": "2024-01-05 08:00:00",
        "medfee_sumamt": "10000.00",
        "fulamt_ownpay_amt": "0.00",
        "overlmt_selfpay": "0.00",
        "preselfpay_amt": "0.00",
        "inscp_scp_amt": "10000.00",
        "hosp_part_amt": "0.00",
    }
    return row | cells


MONEY = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt", "hosp_part_amt")


def refund(of: dict[str, str], serial: int, **cells: str) -> dict[str, str]:
    """Returns the exact negative of a claim, its settled amounts included, settled a day later."""
    row = dict(of)
    amounts = (*MONEY, *AMOUNTS)
    row |= {name: of[name] if of[name].strip("0.") == "" else f"-{of[name]}" for name in amounts if name in of}
    row |= {
        "setl_id": f"S{serial:06d}",
        "medins_setl_id": f"H26010100001{20240106080000 + serial:014d}{serial % 10000:04d}",
        "init_setl_id": of["setl_id"],
        "refd_setl_flag": "1",
        "setl_time": "2024-01-06 08:00:00",
    }
    return row | cells


def write(path: Path, rows: Iterable[dict[str, str]], header: Sequence[str] = HEADER) -> Path:
    """Writes claims, or rows under another header, as a CSV file and returns its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)
    return path


def opened(url: str, regions: Iterable[int] = (260100, 470100), policy: str = "national-default") -> Ledger:
    """Returns a fresh ledger with an assumed policy for regions."""
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact(policy, list(regions), assumed=policy == "national-default")
    return book


def sign(book: Ledger, period: int) -> None:
    """Draws up and checks the clearing of a closed period, and signs it as another person."""
    book.draft(period)
    book.check(period, reason="looked at")
    Ledger(book.store, f"{book.actor}'s director", book.clock_us).sign(period)


def rows_of(book: Ledger, table: str, order: str) -> list[tuple[object, ...]]:
    """Returns every row of a table of the store.

    Of a person who it is, for the salt beside is of no two stores, be it a row or in a block; of an account what stands
    in it.
    """
    columns = {"account": "token, balance_fen"}.get(table, "*")
    with book.store.read() as reader:
        if table == "person":
            found = reader.persons(range(1, reader.tokens_given + 1))
            return [(token, *who) for token, who in sorted(found.items())]
        return [tuple(row) for row in reader.query(f"SELECT {columns} FROM {table} ORDER BY {order}")]


def events_of(book: Ledger) -> list[tuple[int, str, int, str, bytes]]:
    """Returns every event of the log."""
    with book.store.read() as reader:
        return [event for page in reader.pages() for event in page]
