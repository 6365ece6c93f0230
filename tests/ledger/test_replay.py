"""Replay: nothing differs unless something was altered, and then exactly what was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core_ext.kernels import load
from core_ext.layout import AMOUNT
from ledger import open as open_ledger
from ledger.events import ClaimSettled
from ledger.mapper import decode_event, encode_event
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened, refund, write


def month(tmp_path: Path) -> Path:
    """Returns a file of forty claims of ten persons, two of them refunded."""
    rows = [
        claim(i, psn_no=f"P{i % 10:06d}", medfee_sumamt=f"{900 + 37 * i}.05", inscp_scp_amt=f"{900 + 37 * i}.05")
        for i in range(1, 41)
    ]
    return write(tmp_path / "month.csv", [*rows, refund(rows[3], 51), refund(rows[17], 52)])


def alter(book: Ledger, path: Path, change: Callable[[ClaimSettled], ClaimSettled], picks: list[int]) -> list[int]:
    """Alters settlements in the SQLite file behind the ledger's back; returns their positions."""
    import sqlite3

    settled = [(position, state) for position, _, _, topic, state in events_of(book) if topic == ClaimSettled.TOPIC]
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    positions = []
    for pick in picks:
        position, state = settled[pick]
        event = decode_event(ClaimSettled.TOPIC, state)
        assert isinstance(event, ClaimSettled)
        connection.execute(
            "UPDATE stored_events SET state = ? WHERE notification_id = ?", (encode_event(change(event)), position)
        )
        positions.append(position)
    connection.commit()
    connection.close()
    return positions


def with_amount(event: ClaimSettled, name: str, by: int) -> ClaimSettled:
    """Returns the settlement with one amount moved."""
    amounts = list(event.amounts)
    amounts[AMOUNT[name]] += by
    return msgspec.structs.replace(event, amounts=tuple(amounts))


def with_before(event: ClaimSettled) -> ClaimSettled:
    """Returns the settlement with one more stay before it."""
    return msgspec.structs.replace(event, before=(event.before[0] + 1, *event.before[1:]))


def test_nothing_differs_where_nothing_was_altered(store_url: str, tmp_path: Path) -> None:
    """A month replays with no difference, its refunds included, on both stores."""
    with opened(store_url) as book:
        book.intake(month(tmp_path))
        report = book.replay(202401)
        assert (report.acts, report.differences) == (42, ())


@pytest.mark.parametrize("name", ["hifp_pay", "psn_cash_pay", "act_pay_dedc"])
def test_three_altered_settlements_are_listed_exactly(tmp_path: Path, name: str) -> None:
    """Three settlements altered by a fen are three differences, each by claim, step and fen."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        positions = alter(book, tmp_path / "ledger.db", lambda event: with_amount(event, name, 1), [4, 11, 29])
    with open_ledger(url, actor="auditor") as book:
        report = book.replay(202401)
        assert [(d.position, d.step, d.got - d.expected) for d in report.differences] == [
            (p, name, 1) for p in positions
        ]


def test_altered_accumulators_are_listed_once(tmp_path: Path) -> None:
    """A settlement whose recorded start is not what its predecessor left is named, and nobody after it."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(month(tmp_path))
        positions = alter(book, tmp_path / "ledger.db", with_before, [7, 9])
    with open_ledger(url, actor="auditor") as book:
        assert [d.position for d in book.replay(202401).differences] == positions


def rounds_down(*tables: Any) -> None:
    """Settles like the kernel, but rounds a fund that ends in four fen down by one."""
    load("settle").settle(*tables)
    booked, kind = tables[13], tables[4]
    wrong = np.flatnonzero((kind == 1) & (booked[: len(kind), AMOUNT["hifp_pay"]] % 100 == 4))
    for name, by in (("hifp_pay", -1), ("fund_pay_sumamt", -1), ("psn_part_amt", 1), ("psn_cash_pay", 1)):
        booked[wrong, AMOUNT[name]] += by


def test_a_kernel_with_one_wrong_rounding_is_listed_claim_by_claim(tmp_path: Path) -> None:
    """A month booked by a kernel that rounds one claim's fund down differs in exactly the claims it touched."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"

    with opened(url) as book:
        book.intake(month(tmp_path))
        right = {
            position
            for position, _, _, topic, state in events_of(book)
            if topic == ClaimSettled.TOPIC
            for event in (decode_event(topic, state),)
            if isinstance(event, ClaimSettled) and event.amounts[AMOUNT["hifp_pay"]] % 100 == 4
        }
        assert right, "the sample must hold a claim whose rounding the wrong kernel changes"
        report = book.replay(202401, settle=rounds_down)
        assert {difference.position for difference in report.differences} == right


def test_a_replay_of_a_copied_file_is_the_same(tmp_path: Path) -> None:
    """The log alone says what was decided: a copy of the file replays like the original."""
    with opened(f"sqlite:///{tmp_path / 'ledger.db'}") as book:
        book.intake(month(tmp_path))
        with book.store.read() as reader:
            reader.query("SELECT 1")
    import sqlite3

    source, target = sqlite3.connect(tmp_path / "ledger.db"), sqlite3.connect(tmp_path / "copy.db")
    source.backup(target)
    source.close()
    target.close()
    with open_ledger(f"sqlite:///{tmp_path / 'copy.db'}", actor="auditor") as book:
        assert book.replay(202401).differences == ()
