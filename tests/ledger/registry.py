"""Registers CSVs and takes claims in for the tests of registers, and tells what the log then holds."""

from pathlib import Path
from typing import TypeVar

from ledger.acts import read_acts
from ledger.event import Event
from ledger.events import JobBatch
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.reports import Registered
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, write

SETTLED = {"fund_pay_sumamt": "6000.00", "hifp_pay": "6000.00", "psn_part_amt": "4000.00", "psn_cash_pay": "4000.00"}
MEMBERS = "psn_no,psn_name,insu_admdvs,insutype,psn_type,assist_class"
CLINIC = "H26010100001"

Told = TypeVar("Told", bound=Event)


def registered(book: Ledger, tmp_path: Path, *lines: str) -> Registered:
    """Registers a CSV of the given lines, the header first."""
    path = tmp_path / "register.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return book.register(path)


def profile(tmp_path: Path, *lines: str) -> Path:
    """Writes a profile of the given lines."""
    path = tmp_path / "profile.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def told(book: Ledger, *kinds: type[Told]) -> list[Told]:
    """Returns the log's events of some kinds, in order."""
    found = [decode_event(topic, state) for _, _, _, topic, state in events_of(book)]
    return [event for event in found if isinstance(event, kinds)]


def on(day: str, serial: int, **cells: str) -> dict[str, str]:
    """Returns a claim whose stay begins, ends and is settled on a day."""
    return claim(serial, begndate=day, enddate=day, setl_time=f"{day} 08:00:00", **cells)


def taken(book: Ledger, tmp_path: Path, rows: list[dict[str, str]], *lines: str) -> dict[int, str]:
    """Takes claims in under a profile; returns every row's outcome."""
    report = book.intake(write(tmp_path / "claims.csv", rows), profile(tmp_path, *lines))
    found: dict[int, str] = {}
    with book.store.read() as reader:
        for acts in read_acts(reader):
            found |= dict.fromkeys(acts.row[acts.cause == report.job].tolist(), "booked")
    for event in told(book, JobBatch):
        if isinstance(event, JobBatch) and event.cause == report.job:
            found |= {row: Refusal(reason).code for row, reason, _ in event.quarantined}
            found |= dict.fromkeys((row for row, _ in event.duplicates), "duplicate")
    return found


def filed(book: Ledger, tmp_path: Path, *lines: str) -> Registered:
    """Registers filings."""
    return registered(book, tmp_path, "psn_no,type,region,from,to", *lines)
