"""Source profiles: what a sender means by its columns, signs and empty cells, brought to the national meaning."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACT
from ledger.acts import read_acts
from ledger.profile import Profile, ProfileError, parse_profile
from ledger.quarantine import write_quarantine
from ledger.refusals import Refusal, SourceError
from ledger.source import ClaimColumns, Source, open_source
from tests.ledger.registry import CLINIC, MEMBERS, SETTLED, registered, taken
from tests.ledger.worlds import claim, opened, refund, write
from tests.samples import shared


def file_of(tmp_path: Path, rows: list[dict[str, str]]) -> Path:
    """Writes rows as a claim file whose header is all their columns."""
    path = tmp_path / "claims.csv"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, **keys: Any) -> ClaimColumns:
    """Returns a file's claims as one batch, under a profile with some keys."""
    (batch,) = open_source(path, Profile(**keys)).batches()
    return batch


def given_of(batch: ClaimColumns, row: int = 0) -> dict[str, int]:
    """Returns the amounts that are there."""
    cells = zip(AMOUNTS, batch.given[row].tolist(), strict=True)
    return {name: fen for name, fen in cells if fen != ABSENT}


def reasons(batch: ClaimColumns) -> list[list[str]]:
    """Returns every row's faults by name."""
    return [[r.code for r in Refusal if r and bits >> r & 1] for bits in batch.faults.tolist()]


def test_the_account_leaves_the_fund_total(store_url: str, tmp_path: Path) -> None:
    """A total with the personal account inside is booked without it, and the personal part gets it back."""
    row = claim(1, fund_pay_sumamt="6500.00", hifp_pay="6000.00", acct_pay="500.00", psn_part_amt="3500.00",
                psn_cash_pay="3500.00")  # fmt: skip
    with opened(store_url) as book:
        assert taken(book, tmp_path, [row]) == {1: "identity_I3"}
        lines = ('fund_total = "with_account"', 'personal_part = "without_account"')
        assert taken(book, tmp_path, [row | {"mdtrt_id": "M2"}], *lines) == {1: "booked"}
        with book.store.read() as reader:
            (acts,) = read_acts(reader)
        booked = dict(zip(AMOUNTS, acts.booked[0].tolist(), strict=True))
        wanted = {"fund_pay_sumamt": 600_000, "psn_part_amt": 400_000, "acct_pay": 50_000, "psn_cash_pay": 350_000}
        assert {name: booked[name] for name in wanted} == wanted
        assert book.replay(202401).differences == ()


def test_fund_columns_add_to_the_amounts_they_mean(tmp_path: Path) -> None:
    """Two codes of one pool are one amount; without a total their sum is it, and the row is settled by its source."""
    rows = [
        claim(1) | {"f310100": "10.00", "f390100": "5.50", "f330100": "", "psn_part_amt": "9984.50"},
        claim(2) | {"f310100": "", "f390100": "", "f330100": "7.00"},
        claim(3) | {"f310100": "", "f390100": "", "f330100": ""},
        claim(4, hifp_pay="1.00", fund_pay_sumamt="3.00") | {"f310100": "2.00", "f390100": "", "f330100": "x"},
    ]
    funds = {"f310100": "hifp_pay", "f390100": "hifp_pay", "f330100": "hifob_pay"}
    batch = read(file_of(tmp_path, rows), funds=funds)
    assert given_of(batch, 0) == {"hifp_pay": 1550, "fund_pay_sumamt": 1550, "psn_part_amt": 998_450}
    assert given_of(batch, 1) == {"hifob_pay": 700, "fund_pay_sumamt": 700}
    assert given_of(batch, 2) == {}
    assert given_of(batch, 3) == {"hifp_pay": 300, "fund_pay_sumamt": 300}
    assert batch.settled.tolist() == [1, 1, 0, 1]
    assert reasons(batch) == [[], [], [], ["amount_text"]]
    columns = Source(tmp_path / "claims.csv", Profile(funds=funds)).columns
    assert columns[int(batch.field[3])] == "f330100"
    with pytest.raises(SourceError, match="expected the profile's fund columns f9, got only: setl_id"):
        read(tmp_path / "claims.csv", funds={"f9": "hifp_pay"})


def test_null_texts_and_empty_zeros_are_no_amounts(tmp_path: Path) -> None:
    """A null text reads as an empty cell whatever its column, and a zero that says nothing is derived, not booked."""
    row = claim(1, **SETTLED, acct_pay="NULL", hifob_pay="\\N", init_setl_id="NULL") | {"psn_cash_pay": "0.00"}
    assert "amount_text" in reasons(read(file_of(tmp_path, [row])))[0]
    batch = read(file_of(tmp_path, [row]), nulls=("NULL", "\\N"), zero_means_absent=("psn_cash_pay",))
    assert (reasons(batch), batch.refund.tolist()) == ([[]], [0])
    assert given_of(batch) == {"hifp_pay": 600_000, "fund_pay_sumamt": 600_000, "psn_part_amt": 400_000}


def test_refunds_with_positive_amounts_are_negated(store_url: str, tmp_path: Path) -> None:
    """A refund row with positive amounts and a flag books the exact negative of its original."""
    paid = claim(1, **SETTLED)
    back = refund(paid, 2) | {name: paid[name] for name in paid if name.endswith(("amt", "pay")) or "selfpay" in name}
    lines = ('refund_amounts = "positive"',)
    with opened(store_url) as book:
        assert taken(book, tmp_path, [paid, back], *lines) == {1: "booked", 2: "booked"}
        with book.store.read() as reader:
            (acts,) = read_acts(reader)
        assert acts.reversed.tolist() == [False, True]
        assert (acts.booked.sum(axis=0) == 0).all() and (acts.facts[:, FACT["medfee_sumamt"]].sum() == 0)
        assert book.replay(202401).differences == ()


def test_the_refund_flag_agrees_with_the_original(tmp_path: Path) -> None:
    """Where the flag is checked it is 1 on refunds and 0 or empty elsewhere; what else it says names its cell."""
    rows = [claim(1), claim(2, refd_setl_flag=""), claim(3, refd_setl_flag="1"), claim(4, refd_setl_flag="yes")]
    rows += [refund(claim(1), 5), refund(claim(2), 6, refd_setl_flag="0")]
    path = write(tmp_path / "claims.csv", rows)
    assert [bool(each) for each in reasons(read(path))] == [False] * 6
    source = Source(path, Profile(refd_setl_flag="checked"))
    (batch,) = source.batches()
    assert reasons(batch) == [[], [], ["refund_flag"], ["bad_code"], [], ["refund_flag"]]
    assert {source.columns[at] for at in batch.field[[2, 3, 5]].tolist()} == {"refd_setl_flag"}
    write_quarantine(tmp_path / "bad.csv", source, [(3, Refusal.REFUND_FLAG, -1)])
    assert "3,refund_flag,refd_setl_flag,1 on a refund" in (tmp_path / "bad.csv").read_text().replace('"', "")
    assert reasons(read(path, refund_amounts="positive"))[2] == ["refund_flag"], "it would book as a claim"


def test_a_split_within_tolerance_gets_its_residual_anew(tmp_path: Path) -> None:
    """A split that is a fen off keeps the parts that are rounded on their own; one further off stays refused."""
    rows = [
        claim(1, fulamt_ownpay_amt="10.00", inscp_scp_amt="9990.01"),
        claim(2, inscp_scp_amt="9999.99"),
        claim(3, inscp_scp_amt="9999.98"),
        claim(4, inscp_scp_amt="9999.99", psn_no=""),
    ]
    path = write(tmp_path / "claims.csv", rows)
    assert [each[-1:] for each in reasons(read(path))] == [["identity_I1"]] * 4
    batch = read(path, split_tolerance="0.01")
    assert reasons(batch) == [[], [], ["identity_I1"], ["missing_psn_no"]]
    assert batch.facts[:3, FACT["inscp_scp_amt"]].tolist() == [999_000, 1_000_000, 999_998]
    assert (batch.field[:2] == -1).all()


@pytest.mark.samples
def test_a_profile_without_another_meaning_reads_the_platform_alike() -> None:
    """Bringing to the national meaning what is national changes no table of the platform's 8,468 records."""
    path = shared("platform", "claims.csv")
    plain = list(open_source(path, Profile()).batches())
    keys: dict[str, Any] = {"nulls": ("\\N",), "split_tolerance": "0.00", "refund_amounts": "negative"}
    for one, other in zip(plain, open_source(path, Profile(**keys)).batches(), strict=True):
        for name in ("facts", "given", "settled", "refund", "faults", "field"):
            assert (getattr(one, name) == getattr(other, name)).all(), name


AMOUNT_TEXT = st.sampled_from(["", "", "0.00", "12.34", "-5.00", "7.005", "x", "99999999999999.00"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(AMOUNT_TEXT, AMOUNT_TEXT), min_size=1, max_size=6))
def test_a_fund_column_reads_like_the_amount_it_means(tmp_path: Path, cells: list[tuple[str, str]]) -> None:
    """One file column for each amount says exactly what the national column would, every fault included."""
    national = [claim(i, hifp_pay=a, maf_pay=b) for i, (a, b) in enumerate(cells)]
    mapped = [claim(i) | {"hifp_pay": "", "maf_pay": "", "fa": a, "fb": b} for i, (a, b) in enumerate(cells)]
    one = read(file_of(tmp_path, national))
    other = read(file_of(tmp_path, mapped), funds={"fa": "hifp_pay", "fb": "maf_pay"})
    at = [AMOUNT["hifp_pay"], AMOUNT["maf_pay"]]
    assert (one.given[:, at] == other.given[:, at]).all()
    assert one.faults.tolist() == other.faults.tolist()
    assert ((one.field >= 0) == (other.field >= 0)).all()
    assert np.array_equal(other.settled == 1, (other.given[:, at] != ABSENT).any(axis=1))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('funds = {f1 = "medfee_sumamt"}', "funds.f1: expected one of hifp_pay"),
        ('funds = {f1 = "hifp_pay"}\ncolumns = {f1 = "setl_id"}', "funds.f1: expected a column that columns"),
        ('zero_means_absent = ["fund_pay_sumamt"]', "zero_means_absent: expected some of act_pay_dedc"),
        ('nulls = [""]', "nulls: expected texts of 1 to 16 characters, got ''"),
        ('split_tolerance = "2.00"', 'split_tolerance: expected yuan as text from "0.00" to "1.00", got \'2.00\''),
        ('split_tolerance = "a"', "split_tolerance: expected yuan"),
        ('refund_amounts = "either"', "refund_amounts"),
        ('institutions = "some"', "institutions"),
    ],
)
def test_a_profile_that_means_nothing_is_refused(line: str, says: str) -> None:
    """A key with a value it cannot have is an error naming file, key, expected and got."""
    with pytest.raises(ProfileError) as error:
        parse_profile(line.encode(), "own")
    assert says in str(error.value) and "own" in str(error.value)


def test_the_shipped_profile_refuses_who_is_not_registered(store_url: str, tmp_path: Path) -> None:
    """Under the shipped profile ``registered`` persons, institutions and entitlements must be in the registers."""
    chronic = {"psn_no": "P000001", "med_type": "14"}
    with opened(store_url) as book:
        report = book.intake(write(tmp_path / "claims.csv", [claim(1)]), "registered")
        assert report.reasons == {"unknown_psn_no": 1}
        registered(book, tmp_path, MEMBERS, "P000001,某,260101,390,15,")
        report = book.intake(write(tmp_path / "again.csv", [claim(1), claim(2, **chronic)]), "registered")
        assert report.reasons == {"institution_unknown": 2}
        registered(book, tmp_path, "fixmedins_code,region,hosp_lv", f"{CLINIC},260101,2")
        report = book.intake(write(tmp_path / "third.csv", [claim(1), claim(2, **chronic)]), "registered")
        assert (report.booked, report.reasons) == (1, {"entitlement_missing": 1})
        registered(book, tmp_path, "psn_no,disease,from,to", "P000001,M1,2024-01-01,")
        assert book.intake(write(tmp_path / "fourth.csv", [claim(2, **chronic)]), "registered").booked == 1
