"""Makes a store with something in every table, by ledger commands alone."""

from pathlib import Path

import ledger
from ledger.service import Ledger
from tests.ledger.registry import registered
from tests.ledger.worlds import claim, clock, refund, sign, write
from tests.lines.files import line, write_lines

DRUG = "XA10BAE074A001"
INSTITUTIONS = (
    "fixmedins_code,region,hosp_lv,from,status,bank_account",
    "H26010100001,260101,2,,,6222000000000001",
    "H47010100001,470101,3,2024-01-01,,",
    "H47010100002,470101,3,2024-01-01,suspended,",
)
REGISTERS = (
    ("psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class,account_balance", "P0,某,260101,310,11,,500.00",
     "P1,另,260101,310,12,1,", "P2,丙,260101,390,15,2,80.25"),
    INSTITUTIONS,
    ("psn_no,type,region,from,to", "P0,referral,470101,2024-01-01,2024-06-30", "P0,long_term,470101,2024-02-01,"),
    ("psn_no,disease,from,to", "P1,M01600,2024-01-01,2024-12-31"),
    ("psn_no,mdtrt_id,from", "P1,M000900,2024-01-02"),
    ("region,insutype,from,newborn_days,on_time_until,late_months,exempt_classes",
     "260101,390,2024-01-01,90,12-31,3,newborn veteran"),
    ("med_list_codg,pric_uplmt_amt,from,to", f"{DRUG},80,2023-01-01,2024-01-02", f"{DRUG},95,2024-01-03,"),
    ("med_list_codg,window,maximum,from,to", f"{DRUG},quarter,150,2024-01-01,2024-12-31"),
)  # fmt: skip


def claims() -> list[dict[str, str]]:
    """Returns claims of three persons at two places with a refund, one that is late and one that cannot be booked."""
    rows = [claim(i, psn_no=f"P{i % 3}", insutype=("310", "310", "390")[i % 3]) for i in range(12)]
    for i, row in enumerate(rows):
        row["psn_type"] = ("11", "12", "15")[i % 3]
    rows[4] |= {"mdtrtarea_admvs": "470101", "fixmedins_code": "H47010100001"}
    rows[7] |= {"fund_pay_sumamt": "100.00", "hifp_pay": "100.00"}
    rows[9] |= {"setl_time": "2024-02-05 08:00:00"}
    return [*rows, refund(rows[3], 90), claim(91, insu_admdvs="999999")]


def lines() -> list[dict[str, str]]:
    """Returns fee lines with trace codes, over a drug's maximum, one given back and one repeated."""
    rows = [line(1, 1, drug_trac_codg="81000000000001"), line(1, 2, drug_trac_codg="81000000000002;81000000000003")]
    rows += [line(2, 1, drug_trac_codg="81000000000001"), line(2, 2, cnt="2"), line(4, 1, med_list_codg="OTHER")]
    return [*rows, line(1, 3, cnt="-1", drug_trac_codg="81000000000002")]


def register(book: Ledger, folder: Path) -> None:
    """Registers everything there are registers for."""
    for rows in REGISTERS:
        registered(book, folder, *rows)


def whole_ledger(url: str, folder: Path) -> Ledger:
    """Returns a new ledger at ``url`` in which every table has rows and every family of commands was used."""
    folder.mkdir(exist_ok=True)
    book = ledger.create(url, actor="tester", clock_us=clock())
    book.enact("national-default", [260100, 470100], assumed=True)
    register(book, folder)
    book.intake(write(folder / "claims.csv", claims()))
    book.lines(write_lines(folder / "lines.csv", lines()))
    book.reverse("S000005", "filed twice")
    book.close(202401)
    sign(book, 202401)
    payments = book.pay(202401)
    book.confirm(payments[0].key, "R1")
    book.clawback_raise("case-1", "S000001", 1_000, "over standard")
    book.clawback_collect("case-1", 400, "R2")
    return book
