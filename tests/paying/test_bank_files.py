"""A bank file is in the log before it is written, comes out again byte for byte, and its answer counts once."""

import csv
import io
import multiprocessing
import os
from pathlib import Path

import pytest

import ledger
from console import banking
from ledger.keys import batch_stream
from ledger.paying.bank_file import profile_document, read_profile
from ledger.refusals import Refusal, Refused
from ledger.service import Ledger
from tests.ledger.worlds import events_of
from tests.paying.worlds import AWAY, HERE, HOSPITAL, HOST, LOCAL, PERIOD, THERE, Centre, accounts, signed

HEADER = ["凭证号", "金额", "处理结果", "银行流水号", "失败原因"]
ROWS = dict(zip((AWAY, HERE, THERE), (1, 2, 3), strict=True))


@pytest.fixture
def book(store_url: str, tmp_path: Path) -> Ledger:
    """Gives a signed month on each database, all of it instructed, every payee with an account."""
    book = signed(store_url, tmp_path)
    for payee in (f"{HOST}", HOSPITAL, LOCAL):
        book.payee_account(payee, f"62{payee.strip('H')}", name=f"{payee} 账户", bank="一家银行")
    book.pay(PERIOD)
    return book


def answer(path: Path, *rows: tuple[str, str, str, str, str], number: int = 1) -> Path:
    """Writes a return file: (payment, amount, status, receipt, reason) as rows of a batch."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for payment, *cells in rows:
            writer.writerow([f"{number:06d}{ROWS.get(payment, 9):06d}", *cells])
    return path


def test_the_file_has_a_row_a_payment_and_is_issued_once(book: Ledger) -> None:
    """References, accounts and amounts to the cent; asked again it is the same file, and the log has it once."""
    batch = book.pay_file(PERIOD)
    rows = list(csv.DictReader(io.StringIO(batch.content.decode())))
    assert [(row["凭证号"], row["收款人编码"], row["金额"]) for row in rows] == [
        ("000001000001", f"{HOST}", "12000.00"),
        ("000001000002", LOCAL, "6000.00"),
        ("000001000003", HOSPITAL, "12000.00"),
    ]
    assert rows[0]["收款账号"] == f"62{HOST}"
    book.payee_account(f"{HOST}", "999", name="another")
    again = book.pay_file(PERIOD)
    assert (again.content, again.number, again.again) == (batch.content, 1, True)
    assert len([each for each in events_of(book) if each[1].startswith("bank-batch")]) == 1


def test_a_payee_without_an_account_stops_the_file(store_url: str, tmp_path: Path) -> None:
    """Nothing is issued and nothing recorded; the refusal names the payee and what to do."""
    book = signed(store_url, tmp_path)
    book.pay(PERIOD)
    before = len(events_of(book))
    with pytest.raises(Refused, match=f"payee {HOST}: expected a bank account") as caught:
        book.pay_file(PERIOD)
    assert caught.value.refusal is Refusal.NO_ACCOUNT
    assert len(events_of(book)) == before


def test_the_answer_counts_once_however_often_it_comes(book: Ledger, tmp_path: Path) -> None:
    """Accepted, failed and returned rows each do their part; the file again, or a part of it, does nothing."""
    book.pay_file(PERIOD)
    file = answer(
        tmp_path / "back.csv",
        (AWAY, "12000.00", "成功", "R1", ""),
        (HERE, "6000.00", "失败", "", "账号不存在"),
        (THERE, "5000.00", "成功", "R3", ""),
    )
    done = book.bank_return(file)
    assert (done.accepted, done.failed, done.returned, done.duplicate, done.refused) == (2, 1, 0, 0, ())
    states = {each.key: each.state for each in book.payments(PERIOD)}
    assert states == {AWAY: "confirmed", HERE: "failed", THERE: "part"}
    size = len(events_of(book))
    again = book.bank_return(file)
    assert (again.accepted, again.failed, again.duplicate, again.refused) == (0, 0, 3, ())
    assert len(events_of(book)) == size
    back = answer(tmp_path / "later.csv", (AWAY, "12000.00", "退票", "B1", "销户"))
    assert book.bank_return(back).returned == 1
    assert book.bank_return(back).duplicate == 1
    with pytest.raises(Refused, match="the bank has had that file"):
        book.pay_file(PERIOD)
    book.resend(AWAY)
    second = book.pay_file(PERIOD)
    assert (second.number, second.rows, second.total_fen) == (2, 1, 1_200_000)
    late = book.bank_return(answer(tmp_path / "late.csv", (AWAY, "12000.00", "成功", "R7", "")))
    assert [row.reason for row in late.refused] == ["stale_attempt"]
    accounts(book)


def test_rows_that_make_no_sense_are_listed_and_stop_no_other(book: Ledger, tmp_path: Path) -> None:
    """An unknown reference, an unknown word, too much money and one receipt twice are refused, each by its reason."""
    book.pay_file(PERIOD)
    file = answer(
        tmp_path / "back.csv",
        ("nobody", "1.00", "成功", "R0", ""),
        (HERE, "6000.00", "大概", "R1", ""),
        (HERE, "6000.01", "成功", "R2", ""),
        (HERE, "x", "成功", "R3", ""),
        (HERE, "5.00", "失败", "", ""),
        (THERE, "12000.00", "成功", "R4", ""),
    )
    done = book.bank_return(file)
    assert done.accepted == 1
    assert [(row.row, row.reason) for row in done.refused] == [
        *((1, "not_in_batch"), (2, "bad_value"), (3, "wrong_amount"), (4, "bad_value"), (5, "wrong_amount")),
    ]


def _write_and_die(url: str, out: str, at: str) -> None:
    """Writes a bank file in a process that ends at once: before the file is there, or behind that."""
    whole = banking.write_whole

    def dying(path: Path, content: bytes) -> None:
        if at == "behind":
            whole(path, content)
        os._exit(9)

    banking.write_whole = dying
    from console.main import main

    main(["pay-file", "--period", str(PERIOD), "--out", out, "--store", url])


@pytest.mark.parametrize("at", ["before", "behind"])
def test_a_crash_around_writing_the_file_pays_nobody_twice(
    at: str, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file recorded and lost, or written and not reported: the next run gives the same bytes of the same batch."""
    with signed(store_url, tmp_path) as book:
        for payee in (f"{HOST}", HOSPITAL, LOCAL):
            book.payee_account(payee, "62", name=payee)
        book.pay(PERIOD)
    out = tmp_path / "bank.csv"
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(store_url, str(out), at))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert out.exists() == (at == "behind")
    centre = Centre(store_url, capsys)
    assert "batch 1" in centre("pay-file", "--period", str(PERIOD), "--out", str(out))
    assert "the same bytes" in centre("pay-file", "--period", str(PERIOD), "--out", str(out))
    with ledger.open(store_url, actor="tester") as book:
        (batch,) = book.batches()
        assert out.read_bytes() == batch.content
        with book.store.read() as reader:
            assert reader.stream(batch_stream(2)) == []
    out.write_text("something else", encoding="utf-8")
    assert "not there yet" in centre("pay-file", "--period", str(PERIOD), "--out", str(out), status=2)


def test_a_profile_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """The shipped one reads; a column of nothing known, a missing reference and a word twice are named."""
    document = profile_document("bank")
    assert read_profile(document, "bank").outcomes["退票"] == "returned"
    faults = {
        document.replace('"reference"', '"nothing"', 1): "expected one of reference",
        document.replace('"凭证号" = "reference"\n', ""): "expected a column of reference",
        document.replace('"退票"', '"成功"'): "each word under one outcome",
        document.replace('amount = "yuan" ', 'amount = "jiao" '): "jiao",
    }
    for text, expected in faults.items():
        with pytest.raises(Refused, match=expected):
            read_profile(text, "mine")
    with pytest.raises(Refused, match="no-such-bank"):
        profile_document("no-such-bank")


def test_the_bank_at_the_command_line(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Instructed, sent, answered, resent and listed by commands; a refused row is exit status 1."""
    signed(sqlite_url, tmp_path).close_store()
    centre = Centre(sqlite_url, capsys)
    centre("pay", "--period", str(PERIOD))
    for payee in (f"{HOST}", HOSPITAL, LOCAL):
        centre("pay", "account", payee, "--account", "62", "--name", payee)
    centre("pay-file", "--period", str(PERIOD), "--out", str(tmp_path / "bank.csv"))
    file = answer(
        tmp_path / "back.csv", (HERE, "6000.00", "失败", "", "账号不存在"), ("nobody", "1.00", "成功", "R", "")
    )
    text = centre("bank-return", str(file), status=1)
    assert "账号不存在" in text and "not_in_batch" in text and "1 failed" in text
    (failed,) = [each for each in centre.json("pay", "list", "--period", str(PERIOD)) if each["state"] == "failed"]
    assert centre.json("pay", "resend", HERE, "--of", str(failed["failure"]))["attempt"] == 2
    assert "resent" in centre("pay", "list", "--period", str(PERIOD))
    assert "part" in centre("pay", "receive", HERE, "--receipt", "R1", "--amount", "10.00")
    centre("pay", "suspend", "--region", "470100", "--receipt", "S1", "--amount", "9", "--sender", "某人")
    assert "9.00" in centre("pay", "suspend")
    assert "9.00" in centre("pay", "match", "S1", "--region", "470100", "--to", AWAY)
    centre("verify")
