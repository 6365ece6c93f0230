"""Builds months to replay: claims of few persons with refunds, late claims and a year's history, and another policy."""

from collections.abc import Sequence
from pathlib import Path

from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.mapper import decode_event
from ledger.policy import shipped
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, refund, write

REGIONS = (260100, 470100)


def other_policy(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """Returns the default policy with texts replaced, as a file of the same name."""
    text = shipped("national-default")
    for old, new in changes:
        assert old in text, f"the default policy says {old}"
        text = text.replace(old, new)
    path = tmp_path / "changed.toml"
    path.write_text(text, encoding="utf-8")
    return path


def january(tmp_path: Path, n: int = 60, name: str = "january.csv") -> Path:
    """Returns a file of stays and visits of twelve persons at home and away, some refunded."""
    rows: list[dict[str, str]] = []
    for i in range(1, n + 1):
        money = f"{400 + 137 * i}.05"
        away = {"mdtrtarea_admvs": "470101", "fixmedins_code": "H47010100001"} if i % 3 == 0 else {}
        rows.append(
            claim(
                i,
                psn_no=f"P{i % 12:06d}",
                med_type="21" if i % 4 else "11",
                insutype="310" if i % 2 else "390",
                psn_type="11" if i % 2 else "15",
                medfee_sumamt=money,
                inscp_scp_amt=money,
                **away,
            )
        )
    backs = [refund(rows[at], 500 + at) for at in (3, 9, 20) if at < n]
    return write(tmp_path / name, [*rows, *backs])


def february(tmp_path: Path) -> Path:
    """Returns claims of the month after by the same persons, late ones of January and refunds of January between."""
    rows = []
    for i in range(201, 241):
        late = i % 5 == 0
        when = "2024-01-28" if late else f"2024-02-{1 + i % 20:02d}"
        money = f"{900 + 61 * (i - 200)}.35"
        rows.append(
            claim(
                i,
                psn_no=f"P{i % 12:06d}",
                insutype="310" if i % 2 else "390",
                psn_type="11" if i % 2 else "15",
                begndate=when,
                enddate=when,
                setl_time=f"{when} 09:00:00",
                medfee_sumamt=money,
                inscp_scp_amt=money,
            )
        )
    return write(tmp_path / "february.csv", rows)


def booked(book: Ledger, periods: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Returns what each claim of periods is booked with, by its setl_id."""
    found: dict[str, tuple[int, ...]] = {}
    filed = None
    for _, _, _, topic, state in events_of(book):
        event = decode_event(topic, state)
        if isinstance(event, ClaimFiled):
            filed = event
        elif isinstance(event, ClaimSettled | ClaimReversed) and event.period in periods:
            assert filed is not None
            found[filed.setl_id] = event.amounts
    return found
