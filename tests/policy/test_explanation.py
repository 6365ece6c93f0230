"""Explaining a settlement: the steps are the kernel's, to the fen, and close from the total fee to the cash."""

from pathlib import Path

import numpy as np
import pytest

import ledger
from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, FACTS
from core_ext.plan import PLAN
from core_ext.reference import settle as reference
from core_ext.reference.tracing import Evaluation
from core_ext.settling import COMPUTE, SOURCE
from ledger.acts import read_acts
from ledger.explanation import STEP_OF, Explainer
from ledger.knowledge import Knowledge
from ledger.money import fen_from_text
from ledger.refusals import Refusal, Refused
from tests.console.documents import ROOT
from tests.samples import shared
from tests.settle.platform import load, policy_book, policy_documents, settle_all

#: What an explained price has beside a plain one.
EXPLAINED = ("basis", "steps", "policy_gives")
EXAMPLE = ROOT / "docs" / "example"


@pytest.mark.samples
def test_the_working_of_every_platform_row_is_the_kernels() -> None:
    """On every row of the platform the amounts written step by step are those the kernel computes, and they close."""
    book = policy_book()
    given = load(book)
    out = settle_all(reference.settle, book, given)
    rows = np.flatnonzero((out.code == 0) & np.isin(given.kind, (COMPUTE, SOURCE))).tolist()
    assert len(rows) > 8_000
    evaluation = Evaluation()
    for row in rows:
        plan = dict(zip(PLAN, book.plans[given.plan[row]].tolist(), strict=True))
        facts = dict(zip(FACTS, given.facts[row].tolist(), strict=True))
        year = dict(zip(ACCUMULATORS, out.before[row].tolist(), strict=True))
        balance = int(out.balc[row] + out.booked[row, AMOUNT["acct_pay"]])
        gives, written = evaluation.benefit(plan, facts, year, balance)
        computed = dict(zip(AMOUNTS, out.computed[row].tolist(), strict=True)) | {"acct_mulaid_pay": 0}
        assert gives.amounts == computed, row
        sums = dict.fromkeys(AMOUNTS, 0)
        for each in written:
            sums[each.field] += each.amount
        assert sums == computed, row
        funds = [fen for name, fen in sums.items() if name not in ("act_pay_dedc", "fund_pay_sumamt", "psn_part_amt")]
        assert sum(funds) + facts["hosp_part_amt"] == facts["medfee_sumamt"], row


def test_every_amount_has_its_step() -> None:
    """Each amount of a settlement belongs to a step of DOMAIN section 4."""
    assert set(STEP_OF) == {*AMOUNTS, "medfee_sumamt", "hosp_part_amt"}


@pytest.mark.samples
def test_a_booked_month_is_explained_from_the_log(tmp_path: Path) -> None:
    """On a booked month every settlement the kernel decided is explained as booked; steps close and go in order."""
    folder = shared("platform")
    with ledger.create(f"sqlite:///{tmp_path / 'book.db'}", actor="test") as book:
        for region, text in policy_documents().items():
            path = tmp_path / f"{region}.toml"
            path.write_text(text, encoding="utf-8")
            book.enact(path, [region])
        book.register(folder / "members.csv")
        book.register(folder / "filings.csv")
        book.intake(folder / "claims.csv", quarantine=tmp_path / "bad.csv")
        with book.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            explainer = Explainer(known.policies)
            acts = next(read_acts(reader))
            found = [explainer.explain(acts, at) for at in range(250)]
        (claim,) = {each.claim for each in found[:1]}
        assert book.explain(claim) == found[0]
    assert {each.basis for each in found} >= {"kernel", "source"}
    for each in found:
        if each.original:
            assert each.steps == ()
            continue
        assert each.steps[0].field == "medfee_sumamt"
        assert each.sum_fen() == each.steps[0].amount_fen
        assert [step.step for step in each.steps] == sorted(step.step for step in each.steps)
        if each.basis == "kernel":
            assert each.amounts == each.booked
        named = [parameter for step in each.steps for rule in step.rules for parameter in rule.parameters]
        assert any("deductible" in parameter.key for parameter in named), each.claim
        assert all(parameter.since <= each.day and parameter.file for parameter in named)


def test_a_price_is_explained_with_key_and_day() -> None:
    """The ratio a price hangs on is named with its document, key, first day and value; what is paid is its product."""
    priced = list(ledger.price("qingyuan", EXAMPLE / "claims.csv", register=EXAMPLE / "members.csv", explain=True))
    plain = list(ledger.price("qingyuan", EXAMPLE / "claims.csv", register=EXAMPLE / "members.csv"))
    assert [{name: part for name, part in each.items() if name not in EXPLAINED} for each in priced] == plain
    steps = {step["field"]: step for step in priced[1]["steps"]}
    (segments,) = [rule for rule in steps["hifp_pay"]["rules"] if rule["step"] == 4]
    assert segments["products"] == [{"amount": "10000.00", "ratio": "50 %", "paid": "5000.00"}]
    assert {
        "file": "qingyuan",
        "key": "resident.inpatient.segments[0].ratio.resident.3",
        "since": "2020-01-01",
        "text": "60 %",
    } in segments["parameters"]
    for each in priced:
        for step in each.get("steps", []):
            if step["field"] in each and step["field"] not in each["policy_gives"]:
                assert fen_from_text(step["amount"]) == fen_from_text(each[step["field"]])


def test_a_refund_is_explained_by_what_it_refunds(tmp_path: Path) -> None:
    """A refund names the claim it negates; an unknown claim is refused."""
    with ledger.create(f"sqlite:///{tmp_path / 'book.db'}", actor="test") as book:
        book.enact("qingyuan", [441800])
        book.register(EXAMPLE / "members.csv")
        book.intake(EXAMPLE / "claims.csv", quarantine=tmp_path / "bad.csv")
        original, refund = book.explain("441800/S0004"), book.explain("441800/S0005")
        assert (refund.basis, refund.original, refund.steps) == ("refund", original.position, ())
        assert refund.booked == {name: -fen for name, fen in original.booked.items()}
        with pytest.raises(Refused) as refused:
            book.explain("441800/NONE")
    assert refused.value.refusal is Refusal.UNKNOWN_KEY


def test_what_a_source_settled_otherwise_stands_beside_what_the_policy_gives(tmp_path: Path) -> None:
    """A source's amounts are booked; the explanation has the policy's, and names each that differs."""
    header = "fixmedins_code,psn_no,setl_id,insutype,psn_type,insu_admdvs,mdtrtarea_admvs,hosp_lv,med_type"
    header += ",begndate,enddate,setl_time"
    money = "medfee_sumamt,fulamt_ownpay_amt,overlmt_selfpay,preselfpay_amt,inscp_scp_amt"
    own = "H44180200001,P,S,390,15,441802,441802,3,21,2024-01-01,2024-01-02,2024-01-02 08:00:00"
    own += ",10000.00,0.00,0.00,0.00,10000.00"
    path = tmp_path / "claims.csv"
    path.write_text(f"{header},{money},hifp_pay,fund_pay_sumamt\n{own},5900.00,5900.00\n", encoding="utf-8")
    (priced,) = ledger.price("qingyuan", path, explain=True)
    assert (priced["basis"], priced["hifp_pay"]) == ("source", "5900.00")
    assert priced["policy_gives"] == {
        "hifp_pay": "6000.00",
        "fund_pay_sumamt": "6000.00",
        "psn_part_amt": "4000.00",
        "psn_cash_pay": "4000.00",
    }
    steps = {step["field"]: step["amount"] for step in priced["steps"]}
    assert (steps["hifp_pay"], steps["psn_cash_pay"]) == ("6000.00", "4000.00")
