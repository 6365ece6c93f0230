"""One claim on three axes: each answer is what a store of its own would book, and why they differ is named."""

from pathlib import Path

import pytest

import ledger
import projections
from console.main import main
from core_ext.layout import AMOUNT
from ledger.axes.answering import Answers
from ledger.service import Ledger
from tests.ledger.worlds import claim, clock, opened, refund, write
from tests.replay.stories import REGIONS, booked, other_policy

#: What hospitals of level 2 deduct and are paid, and what funds pay an employee in a year at most.
CHANGES = (
    ('"500.00"', '"700.00"'),
    ('2 = "0.87"', '2 = "0.84"'),
    ('ceiling_yearly_payment]\n2000-01-01 = "300000.00"', 'ceiling_yearly_payment]\n2000-01-01 = "20000.00"'),
)
FUND = AMOUNT["fund_pay_sumamt"]


def stays(tmp_path: Path) -> Path:
    """Returns two stays of one employee, the earlier of which comes in last, and a visit of another person."""
    person = {"psn_no": "P1", "insutype": "310", "psn_type": "11"}
    dates = (("2024-01-02", "2024-01-05"), ("2024-01-10", "2024-01-14"), ("2023-12-28", "2024-01-01"))
    rows = [
        claim(
            at, **person, begndate=begin, enddate=end, setl_time=f"2024-01-{14 + at:02d} 08:00:00",
            medfee_sumamt=f"{at}0000.00", inscp_scp_amt=f"{at}0000.00",
        )
        for at, (begin, end) in enumerate(dates, 1)
    ]  # fmt: skip
    return write(tmp_path / "stays.csv", [*rows, claim(8, psn_no="P2")])


def asked(book: Ledger, url: str, name: str) -> Answers:
    """Returns the answers for a claim by its number."""
    with projections.open(url) as read:
        position = book.explain(f"260100/{name}").position
        return book.answers(position, read.acts_of_person(position))


def test_a_claim_under_every_policy_is_what_a_store_filed_under_it_books(store_url: str, tmp_path: Path) -> None:
    """Each version's amount is its own store's; its parameters and the person's earlier claims say why it differs."""
    policy, file = other_policy(tmp_path, *CHANGES), stays(tmp_path)
    with opened(store_url) as book:
        book.intake(file)
        book.enact(policy, list(REGIONS), assumed=True)
        before = booked(book, [202401])
        found = {name: asked(book, store_url, name) for name in before}
    with ledger.create(f"sqlite:///{tmp_path / 'fresh.db'}", actor="tester", clock_us=clock()) as other:
        other.enact(policy, list(REGIONS), assumed=True)
        other.intake(file)
        after = booked(other, [202401])
    for name, answers in found.items():
        first, second = answers.versions
        assert first.stands and not second.stands
        assert (first.fund_fen, first.personal_fen) == (answers.fund_fen, answers.personal_fen)
        assert not first.because and not first.through
        assert second.fund_fen == after[name][FUND]
        assert second.personal_fen - answers.personal_fen == before[name][FUND] - after[name][FUND]
        assert bool(second.because) == (second.alone_fund_fen != answers.fund_fen)
        assert bool(second.through) == (second.alone_fund_fen != second.fund_fen)
    first = found["S000001"].versions[1]
    assert {each.key.split(".")[2] for each in first.because} == {"deductible", "segments"}
    assert all(each.old and each.new and each.fund_fen < 0 for each in first.because)
    assert [each.setl_id for each in found["S000002"].versions[1].through] == ["S000001"]


def test_a_claim_by_date_of_service_names_what_was_taken_in_the_other_order(tmp_path: Path) -> None:
    """A stay served first and taken last would have been paid otherwise; the stays that overtook it are named."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(stays(tmp_path))
        repriced = {each.setl_id: each for each in book.reprice(202401).claims}
        assert repriced
        for name in ("S000001", "S000002", "S000003"):
            answers = asked(book, url, name)
            served = answers.served
            assert served is not None
            expected = repriced[name].fund_new_fen if name in repriced else answers.fund_fen
            assert served.fund_fen == expected
            late = ["S000003"] if name != "S000003" else ["S000001", "S000002"]
            assert [each.setl_id for each in served.overtaken] == late
        assert asked(book, url, "S000002").served.since == 20240114
        assert asked(book, url, "S000008").served.overtaken == ()


def test_a_claim_by_recorded_time_lists_what_stood_and_which_command_made_it_so(tmp_path: Path) -> None:
    """Settled, booked anew, refunded: each with its position, its command and reason, down to nothing."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    policy = other_policy(tmp_path, *CHANGES)
    with opened(url) as book:
        book.intake(stays(tmp_path), reason="file of January")
        book.enact(policy, list(REGIONS), assumed=True)
        book.correct(policy, 202401, "resolution 7")
        book.reverse("260100/S000001", "cancelled")
        answers = asked(book, url, "S000001")
        assert [(each.what, each.verb, each.reason) for each in answers.recorded] == [
            ("settled", "intake", "file of January"),
            ("booked anew", "replay --commit", "resolution 7"),
            ("refunded", "reverse", "cancelled"),
        ]
        first, second, last = answers.recorded
        assert first.fund_fen == answers.fund_fen > second.fund_fen > last.fund_fen == last.personal_fen == 0
        assert first.position < second.position < last.position
        assert second.fund_fen == answers.versions[1].fund_fen
        refunded = asked(book, url, "S000001-R")
        assert [each.what for each in refunded.recorded] == ["refund"]
        assert refunded.served is None and refunded.versions == ()


def test_explain_prints_every_axis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command shows what stood when, the order of service, every policy and the parameters behind."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with opened(url) as book:
        book.intake(stays(tmp_path))
        book.enact(other_policy(tmp_path, *CHANGES), list(REGIONS), assumed=True)
        book.intake(write(tmp_path / "back.csv", [refund(claim(8, psn_no="P2"), 9)]))
    for name, texts in (
        ("S000003", ("By recorded time", "By date of service", "S000001, served from 2024-01-02", "decided by it")),
        ("S000002", ("By policy version", "300,000.00 yuan → 20,000.00 yuan", "through the person's earlier claims")),
        ("S000001", ("500.00 yuan → 700.00 yuan: -168.00", "87 % → 84 %")),
    ):
        assert main(["explain", name, "--store", url]) == 0
        shown = capsys.readouterr().out
        for text in texts:
            assert text in shown, (name, text)
    assert main(["explain", "S000009", "--store", url]) == 0
    assert "no policy and no order of service changes" in capsys.readouterr().out
