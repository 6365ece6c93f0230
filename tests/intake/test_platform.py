"""The shared claim files are read exactly: every row-local reason, and none where there is none."""

import csv
import io
import json

import numpy as np
import pytest

from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACT
from core_ext.text import to_list
from ledger.money import fen_from_text
from ledger.profile import Profile
from ledger.refusals import Refusal
from ledger.source import open_source
from tests.intake.claim_files import use_twins
from tests.intake.test_source import same
from tests.samples import shared

#: Every one of them reads it.
pytestmark = pytest.mark.samples

#: The reasons that a row alone can show.
LOCAL = {
    "not_utf8",
    "unsafe_text",
    "missing_psn_no",
    "bad_date",
    "end_before_begin",
    "unknown_insutype",
    "amount_text",
    "amount_precision",
    "amount_range",
    "negative_without_init",
    "identity_I1",
}


def test_every_damaged_row_of_the_platform_has_its_reason(national: Profile, kernel: str) -> None:
    """Rows quarantined for what they are carry that reason as their lowest fault; booked rows carry none."""
    expected = [json.loads(line) for line in shared("platform", "expected.jsonl").open(encoding="utf-8")]
    source = open_source(shared("platform", "claims.csv"), national)
    row = 0
    for batch in source.batches():
        assert batch.first_row == row + 1
        setl_ids = to_list(batch.texts["setl_id"])
        for i, bits in enumerate(batch.faults.tolist()):
            line = expected[row]
            reason = line.get("reason", "")
            lowest = Refusal((bits & -bits).bit_length() - 1).code if bits else ""
            assert lowest == (reason if reason in LOCAL else ""), f"row {row + 1}"
            assert (batch.field[i] >= 0) == bool(bits)
            assert setl_ids[i] == line["setl_id"]
            row += 1
    assert row == len(expected) == 8468


def test_every_amount_of_the_platform_is_read_to_the_fen(national: Profile) -> None:
    """Every cell of every sound row is the number that stands there."""
    path = shared("platform", "claims.csv")
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    at = 0
    for batch in open_source(path, national).batches():
        for i in range(batch.n):
            row = rows[at]
            at += 1
            if batch.faults[i]:
                continue
            for name in ("medfee_sumamt", "inscp_scp_amt", "hosp_part_amt"):
                assert batch.facts[i, FACT[name]] == fen_from_text(row[name])
            for name in AMOUNTS:
                cell = row.get(name) or ""
                assert batch.given[i, AMOUNT[name]] == (fen_from_text(cell) if cell else ABSENT)
            assert batch.facts[i, FACT["setl_time"]] == int("".join(c for c in row["setl_time"] if c.isdigit()))
            assert batch.settled[i] == bool(row["fund_pay_sumamt"])
            assert batch.refund[i] == bool(row["init_setl_id"])


def test_the_platform_reads_the_same_in_batches_of_two(national: Profile) -> None:
    """Batches of two are one batch."""
    source = open_source(shared("platform", "claims.csv"), national)
    (one,) = source.batches(10_000)
    for part in source.batches(2):
        same(one.slice(part.first_row - 1, part.first_row - 1 + part.n), part)


def test_the_platform_reads_the_same_in_both_twins(national: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled kernel and its specification agree on every row of the platform."""
    source = open_source(shared("platform", "claims.csv"), national)
    batches = []
    for twins in ("compiled", "reference"):
        use_twins(monkeypatch, twins)
        batches.append(next(source.batches(10_000)))
    same(*batches)


def test_desynpuf_has_only_its_negative_rows_at_fault(national: Profile) -> None:
    """All 17,560 real-shaped claims are read; only the negative ones, which name no refunded settlement, fail."""
    source = open_source(shared("desynpuf", "claims-2008.csv"), national)
    batches = list(source.batches())
    assert sum(batch.n for batch in batches) == 17_560
    faulty = 0
    for batch in batches:
        negative = (batch.facts[:, FACT["medfee_sumamt"] :] < 0).any(axis=1)
        np.testing.assert_array_equal(
            batch.faults, np.where(negative, 1 << Refusal.NEGATIVE_WITHOUT_INIT, 0).astype(np.int64)
        )
        assert (batch.given == ABSENT).all()
        faulty += int(negative.sum())
    assert faulty > 0
