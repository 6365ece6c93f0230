"""The platform's three months: every row's outcome and, under its own policies, every amount, on both stores."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core_ext.layout import AMOUNTS, FACTS, HOW
from ledger import create
from ledger.acts import read_acts
from ledger.events import FLAG_ASSUMED, FLAG_NOT_CHECKED, JobBatch, SettlementDiffers
from ledger.mapper import decode_event
from ledger.money import fen_from_text, yuan_text
from ledger.refusals import Refusal
from ledger.registers import FILING_CLASSES
from ledger.service import Ledger
from tests.ledger.worlds import claim, clock, events_of, opened, write
from tests.samples import shared
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
@pytest.mark.samples
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


@pytest.mark.samples
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


def fee_by_pair(rows: list[dict[str, str]]) -> Counter[tuple[str, str, str]]:
    """Returns the total fee in fen by month, insured and treatment code, over rows whose fee is an amount."""
    totals: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        try:
            fen = fen_from_text(row["medfee_sumamt"])
        except ValueError:
            continue
        totals[row["setl_time"][:7], row["insu_admdvs"], row["mdtrtarea_admvs"]] += fen
    return totals


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Returns a file's records; bytes that are not UTF-8 become surrogates."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.samples
def test_no_fen_is_lost_between_file_and_books(sqlite_url: str, tmp_path: Path) -> None:
    """The file's fees are the booked, the quarantined and the duplicate ones, by month and region pair, to the fen."""
    book, job = taken_in(sqlite_url, tmp_path, True)
    with book:
        booked: Counter[tuple[str, str, str]] = Counter()
        with book.store.read() as reader:
            for acts in read_acts(reader):
                for facts in acts.facts.tolist():
                    fact = dict(zip(FACTS, facts, strict=True))
                    moment = str(fact["setl_time"])
                    key = (
                        f"{moment[:4]}-{moment[4:6]}",
                        f"{fact['insu_admdvs']:06d}",
                        f"{fact['mdtrtarea_admvs']:06d}",
                    )
                    booked[key] += fact["medfee_sumamt"]
        file = csv_rows(shared("platform", "claims.csv"))
        twice = [file[row - 1] for row, outcome in outcomes(book, job).items() if outcome == "duplicate"]
        booked.update(fee_by_pair(csv_rows(tmp_path / "quarantine.csv")))
        booked.update(fee_by_pair(twice))
        assert booked == fee_by_pair(file)


def test_rows_without_a_policy_are_booked_unchecked_where_a_profile_says_so(store_url: str, tmp_path: Path) -> None:
    """A source-settled row without a policy is booked as given and marked, an unsettled one is quarantined."""
    settled = {
        "fund_pay_sumamt": "6000.00",
        "hifp_pay": "6000.00",
        "psn_part_amt": "4000.00",
        "psn_cash_pay": "4000.00",
    }
    rows = [claim(1, insu_admdvs="990101", **settled), claim(2, insu_admdvs="990101"), claim(3)]
    profile = tmp_path / "profile.toml"
    profile.write_text('no_policy = "book_unchecked"\n', encoding="utf-8")
    with opened(store_url) as book:
        report = book.intake(write(tmp_path / "claims.csv", rows), profile)
        assert (report.booked, report.reasons) == (2, {"no_policy": 1})
        with book.store.read() as reader:
            (acts,) = read_acts(reader)
            assert (acts.flags & FLAG_NOT_CHECKED != 0).tolist() == [True, False]
            assert acts.booked[0, AMOUNTS.index("hifp_pay")] == 600_000
        assert book.replay(202401).differences == ()
