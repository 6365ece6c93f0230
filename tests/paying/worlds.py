"""Makes a small signed month: residents treated in another city, at home, and refunded, in two regions."""

import json
from pathlib import Path
from typing import Any

import pytest

from console.main import main
from ledger.service import Ledger
from tests.ledger.worlds import claim, opened, refund, sign, write

PERIOD = 202401
HOME, HOST = 260100, 470100
AWAY = f"payment-1-{PERIOD}-{HOME}-{HOST}"
HOSPITAL = "H47010100001"
LOCAL = "H26010100001"
THERE = f"payment-2-{PERIOD}-{HOST}-{HOSPITAL}"
HERE = f"payment-2-{PERIOD}-{HOME}-{LOCAL}"


def settled(serial: int, fund: int, **cells: str) -> dict[str, str]:
    """Returns a claim of 10,000 yuan that its source settled: ``fund`` yuan of it from the pool."""
    paid = {"hifp_pay": f"{fund}.00", "fund_pay_sumamt": f"{fund}.00", "psn_part_amt": f"{10_000 - fund}.00"}
    zero = dict.fromkeys(("hifob_pay", "hifmi_pay", "maf_pay", "acct_pay", "act_pay_dedc"), "0.00")
    return claim(serial, **paid, **zero, psn_cash_pay=f"{10_000 - fund}.00", **cells)


def month(path: Path) -> Path:
    """Writes claims: away 7,000 + 5,000 in HOST, at home 6,000, and 1,000 at home that is refunded."""
    away = {"mdtrtarea_admvs": "470101", "fixmedins_code": HOSPITAL}
    rows = [settled(1, 7_000, **away), settled(2, 5_000, **away), settled(3, 6_000), settled(4, 1_000)]
    return write(path, [*rows, refund(rows[3], 5)])


def signed(url: str, folder: Path, terms: str = "") -> Ledger:
    """Returns a ledger whose month is signed; ``terms`` is TOML that clears it."""
    book = opened(url)
    book.intake(month(folder / "claims.csv"))
    if terms:
        (folder / "terms.toml").write_text(f'name = "of the test"\n{terms}', encoding="utf-8")
        book.set_terms(folder / "terms.toml", begin_period=PERIOD)
    book.close(PERIOD)
    sign(book, PERIOD)
    return book


def accounts(book: Ledger) -> dict[str, int]:
    """Returns every account that is not zero, once all of them are known to sum to zero in each book."""
    import projections
    from ledger.postings import book_of

    with projections.open(book.store.url) as read:
        held = {name: fen for name, fen in read.balances().accounts.items() if fen}
        sums: dict[str, int] = {}
        for name, fen in held.items():
            sums[book_of(name)] = sums.get(book_of(name), 0) + fen
        assert not any(sums.values()), sums
        assert read.verify() == []
    return held


class Centre:
    """Is a clearing centre at its command line."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0) -> str:
        """Runs a command and returns what it printed."""
        got = main([*words, "--store", self.url])
        said = self._capsys.readouterr()
        assert got == status, said
        return said.out + said.err

    def json(self, *words: str, status: int = 0) -> Any:
        """Returns what a command printed as JSON."""
        return json.loads(self(*words, "--json", status=status))
