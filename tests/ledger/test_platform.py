"""The platform's three months: every row's outcome and, under its own policies, every amount, on both stores."""

import json
from pathlib import Path
from typing import Any

import pytest

from core_ext.layout import AMOUNTS, HOW
from ledger import create
from ledger.acts import read_acts
from ledger.events import FLAG_ASSUMED, JobBatch, SettlementDiffers
from ledger.mapper import decode_event
from ledger.money import fen_from_text, yuan_text
from ledger.refusals import Refusal
from ledger.registers import FILING_CLASSES
from ledger.service import Ledger
from tests.ledger.worlds import clock, events_of, shared
from tests.settle.platform import policy_documents

PROFILE = 'persons = "registered"\ninsutypes = [310, 390]\n'
AREAS = (260100, 260200, 260300, 470100, 470200, 850000)


def expected() -> list[dict[str, Any]]:
    """Returns the expected outcome of every row."""
    with shared("platform", "expected.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def taken_in(url: str, tmp_path: Path, own_policies: bool) -> tuple[Ledger, int]:
    """Returns a ledger that has taken the platform's file in, and the job."""
    book = create(url, actor="tester", clock_us=clock())
    if own_policies:
        for region, text in policy_documents().items():
            document = tmp_path / f"{region}.toml"
            document.write_text(text, encoding="utf-8")
            book.enact(document, [region])
    else:
        municipality = (tmp_path / "default.toml", "850000")
        from ledger.policy import shipped

        text = shipped("national-default")
        book.enact("national-default", [r for r in AREAS if r != 850000], assumed=True)
        municipality[0].write_text(
            text.replace("[policy]\n", '[policy]\nregions = ["850000"]\nprefixes = ["8501", "8502"]\n'),
            encoding="utf-8",
        )
        book.enact(municipality[0], [850000], assumed=True)
    book.register(shared("platform", "members.csv"))
    book.register(shared("platform", "filings.csv"))
    profile = tmp_path / "profile.toml"
    profile.write_text(PROFILE, encoding="utf-8")
    report = book.intake(shared("platform", "claims.csv"), profile, quarantine=tmp_path / "quarantine.csv")
    return book, report.job


def outcomes(book: Ledger, job: int) -> dict[int, str]:
    """Returns every row's outcome: booked, duplicate, or the reason it is quarantined for."""
    found: dict[int, str] = {}
    with book.store.read() as reader:
        for acts in read_acts(reader):
            found |= dict.fromkeys(acts.row.tolist(), "booked")
    for _, _, _, topic, state in events_of(book):
        if topic == JobBatch.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, JobBatch) and event.cause == job
            found |= {row: Refusal(reason).code for row, reason, _ in event.quarantined}
            found |= dict.fromkeys((row for row, _ in event.duplicates), "duplicate")
    return found


@pytest.mark.parametrize("own_policies", [True, False], ids=["own policies", "assumed policy"])
def test_every_row_has_its_expected_outcome(store_url: str, tmp_path: Path, own_policies: bool) -> None:
    """Each of 8,468 rows is booked, duplicate or quarantined for the expected reason; source amounts stand as given."""
    book, job = taken_in(store_url, tmp_path, own_policies)
    with book:
        lines = expected()
        assert outcomes(book, job) == {e["row"]: e.get("reason", e["outcome"]) for e in lines}
        sources = {e["row"]: e for e in lines if e.get("basis") == "source"}
        seen = assumed = 0
        with book.store.read() as reader:
            for acts in read_acts(reader):
                for at, row in enumerate(acts.row.tolist()):
                    assumed += int(acts.flags[at] & FLAG_ASSUMED != 0)
                    if row in sources:
                        seen += 1
                        for name, fen in zip(AMOUNTS, acts.booked[at].tolist(), strict=True):
                            assert fen == fen_from_text(sources[row].get(name, "0.00")), (row, name)
        assert seen == len(sources) == 1256
        assert assumed == (0 if own_policies else 8278)


def test_every_amount_under_the_platforms_own_policies(store_url: str, tmp_path: Path) -> None:
    """Every booked amount, balance, difference and explanation equals the independent computation, to the fen."""
    book, _ = taken_in(store_url, tmp_path, True)
    with book:
        lines = {e["row"]: e for e in expected() if e["outcome"] == "booked"}
        differs: dict[int, dict[str, int]] = {}
        for _, _, _, topic, state in events_of(book):
            if topic == SettlementDiffers.TOPIC:
                event = decode_event(topic, state)
                assert isinstance(event, SettlementDiffers)
                differs[event.row] = dict(zip(AMOUNTS, event.computed, strict=True))
        with book.store.read() as reader:
            for acts in read_acts(reader):
                for at, row in enumerate(acts.row.tolist()):
                    check(lines.pop(row), acts, at, differs.get(row))
        assert not lines
        for period in (202312, 202401, 202402, 202403):
            assert book.replay(period).differences == ()


def check(line: dict[str, Any], acts: Any, at: int, differs: dict[str, int] | None) -> None:
    """Compares one act with its expected line."""
    booked = dict(zip(AMOUNTS, acts.booked[at].tolist(), strict=True))
    for name, fen in booked.items():
        assert yuan_text(fen) == line.get(name, "0.00"), (line["row"], name)
    assert yuan_text(int(acts.balc[at])) == line["balc"]
    if "how" in line:
        how = dict(zip(HOW, acts.how[at].tolist(), strict=True))
        assert ("same_city", "same_province", "cross_province")[how["relation"]] == line["how"]["relation"]
        assert FILING_CLASSES[how["filing"]] == line["how"]["filing"]
        assert yuan_text(how["first_selfpay"]) == line["how"]["first_selfpay"]
        assert yuan_text(how["over_ceiling"]) == line["how"]["over_ceiling"]
    if line["basis"] == "source":
        found = {
            name: yuan_text(booked[name] - fen) for name, fen in (differs or booked).items() if fen != booked[name]
        }
        assert found == line["differs"]
