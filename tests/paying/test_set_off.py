"""What an institution owes comes off what it is paid next, whoever decided it; what nobody can place goes back."""

from collections.abc import Callable
from pathlib import Path

import pytest

import projections
from console.main import main
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from projections.trace_tree import ClawbackTrace
from tests.ledger.worlds import opened, refund, sign, write
from tests.paying.worlds import AWAY, HERE, HOME, HOSPITAL, HOST, LOCAL, PERIOD, Centre, accounts, settled, signed


def refused(command: Callable[..., object], *arguments: object, **named: object) -> Refusal:
    """Returns why a command is refused."""
    with pytest.raises(Refused) as told:
        command(*arguments, **named)
    return told.value.refusal


def cleared(book: Ledger, folder: Path, month: int, *rows: dict[str, str]) -> int:
    """Takes a month's claims in, closes and signs it, and returns the period."""
    assert book.intake(write(folder / f"{month}.csv", rows)).quarantined == 0
    book.close(month)
    sign(book, month)
    return month


def in_month(month: int, row: dict[str, str]) -> dict[str, str]:
    """Returns a claim as one of a month of 2024."""
    day = f"2024-{month:02d}-05"
    return row | {"begndate": day, "enddate": day, "setl_time": f"{day} 08:00:00"}


def test_a_month_below_zero_is_set_off_against_the_next_payments(store_url: str, tmp_path: Path) -> None:
    """What refunds leave an institution owing is taken off the next two payments, not a fen more, and books close."""
    book = opened(store_url)
    first = settled(1, 6_000)
    book.pay(cleared(book, tmp_path, 202401, first))
    book.confirm(HERE, "R1")
    (owing,) = book.pay(cleared(book, tmp_path, 202402, refund(first, 2, setl_time="2024-02-06 08:00:00")))
    assert (owing.amount_fen, owing.state) == (-600_000, "instructed")
    (march,) = book.pay(cleared(book, tmp_path, 202403, in_month(3, settled(3, 4_000))))
    assert (march.amount_fen, march.offset_fen, march.state) == (0, 400_000, "withheld")
    (left,) = book.payments(202402)
    assert (left.transit_fen, left.set_off_fen, left.state) == (-200_000, -400_000, "instructed")
    assert accounts(book)[f"transit:{HOME}:{LOCAL}"] == 200_000
    (april,) = book.pay(cleared(book, tmp_path, 202404, in_month(4, settled(4, 5_000))))
    assert (april.amount_fen, april.offset_fen) == (300_000, 200_000)
    (done,) = book.payments(202402)
    assert (done.transit_fen, done.set_off_fen, done.state) == (0, -600_000, "set_off")
    assert refused(book.confirm, done.key, "R2") is Refusal.ALREADY_PAID
    book.confirm(april.key, "R4")
    held = accounts(book)
    assert not [name for name in held if name.startswith(("transit:", "payable:", "offset:"))]
    assert held[f"bank:{HOME}"] == -900_000
    assert {step.step: step.status for step in book.calendar(202402, 20240401)}["record"] == "done"
    with projections.open(store_url) as read:
        assert read.trace(april.key) is not None


def test_a_region_below_zero_is_carried_into_its_next_payments(store_url: str, tmp_path: Path) -> None:
    """A month of refunds leaves the treatment region owing: it comes off the next payments of the same ordered pair.

    Payables stay gross per pair (DOMAIN section 1): what the regions owe each other the other way is not touched.
    """
    book = opened(store_url)
    away = {"mdtrtarea_admvs": "470101", "fixmedins_code": HOSPITAL}
    back = {"insu_admdvs": "470101"}
    first = settled(1, 6_000, **away)
    book.pay(cleared(book, tmp_path, 202401, first), "regions")
    book.confirm(AWAY, "R1")
    other = in_month(2, settled(9, 7_000, **back))
    paid = book.pay(
        cleared(book, tmp_path, 202402, refund(first, 2, setl_time="2024-02-06 08:00:00"), other), "regions"
    )
    owing, reverse = sorted(paid, key=lambda each: each.amount_fen)
    assert (owing.payer, owing.amount_fen, reverse.amount_fen) == (HOME, -600_000, 700_000)
    (march,) = book.pay(cleared(book, tmp_path, 202403, in_month(3, settled(3, 4_000, **away))), "regions")
    assert (march.amount_fen, march.offset_fen, march.state) == (0, 400_000, "withheld")
    book.receive(owing.key, "BACK-1", -50_000)
    (april,) = book.pay(cleared(book, tmp_path, 202404, in_month(4, settled(4, 5_000, **away))), "regions")
    assert (april.amount_fen, april.offset_fen) == (350_000, 150_000)
    done = next(each for each in book.payments(202402) if each.key == owing.key)
    assert (done.transit_fen, done.received_fen, done.set_off_fen) == (0, -50_000, -550_000)
    book.confirm(april.key, "R4")
    book.confirm(reverse.key, "R5")
    held = accounts(book)
    kept = ("transit:", "due:", "offset:", "receivable:")
    assert not [name for name in held if name.startswith(kept)]
    assert held[f"bank:{HOME}"] == -900_000 + 700_000
    with projections.open(store_url) as read:
        (found,) = read.trace(april.key).found
        assert found.agrees
        # What was set off is received neither twice nor left to age.
        assert read.receivables(202404) == []


def test_what_was_paid_back_is_not_set_off_again(sqlite_url: str, tmp_path: Path) -> None:
    """A part that an institution pays back by receipt lowers what the next payment is less by."""
    book = opened(sqlite_url)
    first = settled(1, 6_000)
    book.pay(cleared(book, tmp_path, 202401, first))
    (owing,) = book.pay(cleared(book, tmp_path, 202402, refund(first, 2, setl_time="2024-02-06 08:00:00")))
    book.receive(owing.key, "BACK-1", -500_000)
    (march,) = book.pay(cleared(book, tmp_path, 202403, in_month(3, settled(3, 4_000))))
    assert (march.amount_fen, march.offset_fen) == (300_000, 100_000)
    (done,) = book.payments(202402)
    assert (done.transit_fen, done.received_fen, done.set_off_fen) == (0, -500_000, -100_000)
    accounts(book)


@pytest.mark.parametrize("at_payment", [False, True], ids=["on the case", "with the payment"])
def test_an_offset_is_one_thing_whoever_decides_it(
    store_url: str, tmp_path: Path, at_payment: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Decided on the case or for all with the payment: the same accounts and trace; off-site principal goes home."""
    book = signed(store_url, tmp_path)
    book.clawback_raise("FAR", "260100/S000001", 50_000, "not justified")
    book.clawback_raise("NEAR", "260100/S000003", 20_000, "not justified")
    if not at_payment:
        assert book.clawback_offset("FAR").outstanding_fen == 0
        assert book.clawback_offset("NEAR", 20_000).outstanding_fen == 0
    paid = {each.payee: each for each in book.pay(PERIOD, "institutions", offset=at_payment)}
    assert {name: (each.amount_fen, each.withheld_fen) for name, each in paid.items()} == {
        HOSPITAL: (1_150_000, 50_000), LOCAL: (580_000, 20_000),
    }  # fmt: skip
    assert refused(book.clawback_offset, "FAR", 1) is Refusal.OVER_COLLECTED
    (home,) = book.pay(PERIOD, "regions")
    assert (home.key, home.amount_fen, home.returned_fen) == (AWAY, 1_150_000, 50_000)
    book.confirm(home.key, "R1")
    with projections.open(store_url) as read:
        assert read.receivables(PERIOD) == []
        (far,) = read.trace("FAR").found
        assert isinstance(far, ClawbackTrace) and far.clawback.outstanding_fen == 0
        with_payment = paid[HOSPITAL].key if at_payment else ""
        assert [(part.receipt, part.payment) for part in far.clawback.collected] == [("", with_payment)]
    assert main(["trace", "FAR", "--store", store_url]) == 0
    assert f"500.00 against {with_payment or 'the next payments'}" in capsys.readouterr().out
    held = accounts(book)
    kept = ("receivable:", "payable:", "offset:", "clawback:", "due:", "owed:", "recoverable:")
    assert not [name for name in held if name.startswith(kept)]


def test_an_offset_waits_where_the_payment_is_too_small(sqlite_url: str, tmp_path: Path) -> None:
    """An offset beyond what is due stays for the next payment; with the payment no more is set off than is due."""
    book = opened(sqlite_url)
    book.pay(cleared(book, tmp_path, 202401, settled(1, 6_000)))
    book.clawback_raise("BIG", "260100/S000001", 500_000, "not justified")
    book.clawback_raise("TOO", "260100/S000001", 100_000, "not justified")
    book.clawback_offset("BIG")
    (march,) = book.pay(cleared(book, tmp_path, 202402, in_month(2, settled(2, 4_000))), offset=True)
    assert (march.amount_fen, march.withheld_fen) == (0, 400_000)
    assert refused(book.clawback_offset, "TOO", 100_001) is Refusal.OVER_COLLECTED
    (april,) = book.pay(cleared(book, tmp_path, 202403, in_month(3, settled(3, 4_000))), offset=True)
    assert (april.amount_fen, april.withheld_fen) == (200_000, 200_000)
    accounts(book)


def test_a_receipt_nobody_can_place_goes_back_to_its_sender(
    sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a payment like all others: in the bank file, sent again when it fails, and never twice."""
    book = signed(sqlite_url, tmp_path)
    centre = Centre(sqlite_url, capsys)
    centre("pay", "suspend", "--region", str(HOST), "--receipt", "R7", "--amount", "700", "--sender", "LI-HUA")
    back = ("pay", "give-back", "R7", "--region", str(HOST), "--period", "202404")
    part = centre.json(*back, "--amount", "200")
    assert (part["kind"], part["payee"], part["amount_fen"]) == ("sent_back", "LI-HUA", 20_000)
    rest = centre.json(*back, "--to", "WANG")
    assert (rest["payee"], rest["amount_fen"]) == ("WANG", 50_000)
    assert "expected an amount above zero" in centre(*back, status=2)
    assert "expected at most 0.00" in centre(*back, "--amount", "1", status=2)
    (listed,) = centre.json("pay", "suspend")
    assert (listed["matched_fen"], listed["sent_back_fen"], listed["left_fen"]) == (0, 70_000, 0)
    file = tmp_path / "back.csv"
    for payee in ("LI-HUA", "WANG"):
        centre("pay", "account", payee, "--account", f"62{payee}", "--name", payee)
    centre("pay-file", "--period", "202404", "--out", str(file))
    assert "200.00" in file.read_text(encoding="utf-8") and "500.00" in file.read_text(encoding="utf-8")
    centre("pay", "fail", rest["key"], "--reason", "no such account")
    centre("pay", "resend", rest["key"])
    for key, receipt in ((part["key"], "B1"), (rest["key"], "B2")):
        centre("pay", "confirm", key, "--receipt", receipt)
    held = accounts(book)
    assert not [name for name in held if name.startswith(("suspense:", "sent_back:", f"transit:{HOST}:LI"))]
    assert held.get(f"bank:{HOST}", 0) == 0
    assert "expected a receipt in suspense" in centre(*("pay", "give-back", "R8", *back[3:]), status=2)


def test_a_receipt_without_a_sender_needs_one(sqlite_url: str, tmp_path: Path) -> None:
    """Money whose sender the bank does not name goes back only to somebody who is named."""
    book = signed(sqlite_url, tmp_path)
    book.suspend(HOST, "R7", 70_000)
    with pytest.raises(Refused, match=r"receipt R7: expected who gets it \(--to\), as no sender is known"):
        book.give_back(HOST, "R7", period=202404)
    assert book.give_back(HOST, "R7", period=202404, payee="LI").amount_fen == 70_000
