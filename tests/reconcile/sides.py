"""Makes two sides of one month: claims settled at their source, a store that books them, and what each side sends."""

from collections.abc import Iterable
from pathlib import Path

from ledger.service import Ledger
from tests.ledger.worlds import claim, opened, refund, write

INSURED, TREATMENT = 440100, 410100

Row = dict[str, str]


def settled(serial: int, *, fund: int = 700, account: int = 0, day: int = 5, month: int = 3, **cells: str) -> Row:
    """Returns a claim of 1,000.00 of a person of INSURED treated in TREATMENT, as its source settled it (yuan)."""
    person = 1000 - fund
    moment = f"2024-{month:02d}-{day:02d}"
    amounts = {
        "medfee_sumamt": "1000.00",
        "inscp_scp_amt": "1000.00",
        "hifp_pay": f"{fund}.00",
        "fund_pay_sumamt": f"{fund}.00",
        "psn_part_amt": f"{person}.00",
        "acct_pay": f"{account}.00",
        "psn_cash_pay": f"{person - account}.00",
        "act_pay_dedc": "0.00",
    }
    where = {
        "insu_admdvs": "440103",
        "mdtrtarea_admvs": "410102",
        "fixmedins_code": "H41010200001",
        "insutype": "310" if serial % 3 else "390",
        "psn_type": "11" if serial % 3 else "15",
        "begndate": moment,
        "enddate": moment,
        "setl_time": f"{moment} 08:00:00",
    }
    return claim(serial, **(amounts | where | cells))


def month(claims: int = 40) -> list[Row]:
    """Returns a month of claims over 20 days, with one refund at its end."""
    rows = [settled(serial, fund=500 + serial, account=serial % 7, day=1 + serial % 20) for serial in range(1, claims)]
    back = refund(rows[0], claims, setl_time="2024-03-21 08:00:00")
    return [*rows, back]


def booked(url: str, path: Path, rows: Iterable[Row]) -> Ledger:
    """Returns a store that took these claims in, all of them booked."""
    book = opened(url, (INSURED, 440200, TREATMENT))
    report = book.intake(write(path, rows))
    assert report.quarantined == 0, report
    return book
