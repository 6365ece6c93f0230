"""Commands on bank files: pay-file, bank-return."""

import os
import tempfile
from pathlib import Path

from cyclopts import App

import ledger
from console import failures, output
from console.failures import UserError
from console.options import NO_OPTIONS, Options, Period, Region
from console.output import Column
from ledger.money import yuan_display as yuan
from ledger.quarantine import check_place


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(pay_file, name="pay-file")
    app.command(bank_return, name="bank-return")


def pay_file(
    *,
    period: Period,
    out: Path,
    profile: str = "bank",
    payer: Region | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Write the bank batch file of a period's payments that no file holds yet; the log has it first.

    Asked again it writes the same bytes, after a crash too, until the bank answers a row of it. A payment is in one
    file an attempt, so it is not paid twice.

    Parameters
    ----------
    period
        The period of the payments, as yyyymm.
    out
        The file to write; one that is there already stays, unless it is the very file.
    profile
        A shipped profile (bank), or the path of a bank's own.
    payer
        Only payments of this region.
    """
    with ledger.open(options.store, actor=options.who) as book:
        if out.exists():
            content = out.read_bytes()
            held = next((each for each in book.batches(period) if each.content == content), None)
            if held is None:
                raise UserError("usage", f"{out}: expected a file that is not there yet, got one of something else")
            batch = held
        else:
            check_place(out, "the bank file", "--out")
            batch = book.pay_file(period, profile, payer=payer, reason=options.reason)
            write_whole(out, batch.content)
    if options.json:
        output.print_json({name: getattr(batch, name) for name in batch.__struct_fields__ if name != "content"})
        return
    again = ", issued before: the same bytes" if batch.again else ""
    output.print_line(f"{out}: batch {batch.number:,}, {batch.rows:,} payments, {yuan(batch.total_fen)}{again}")
    if batch.persons:
        output.print_line(
            f"NOT IN THE FILE: {batch.persons:,} payments to persons, {yuan(batch.persons_fen)}: the log has no account"
            " of theirs; transfer them apart, then pay confirm"
        )
    if batch.waiting:
        output.print_line(f"{batch.waiting:,} more wait for the next file: ask again with another --out")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all; durable once this returns."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def bank_return(file: Path, /, *, profile: str = "bank", options: Options = NO_OPTIONS) -> int:
    """Take in a bank's return file (回盘): accepted, failed and returned rows; exit status 1 if any is refused.

    A row counts once however often it comes; what is wrong with one stops no other.

    Parameters
    ----------
    file
        The return file.
    profile
        A shipped profile (bank), or the path of a bank's own.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.bank_return(file, profile, reason=options.reason)
    status = failures.CHECK_FAILED if done.refused else failures.OK
    if options.json:
        output.print_json(done)
        return status
    columns = (
        Column("row", "行"), Column("payment", "付款"), Column("outcome", "结果"), Column("amount", "金额", yuan),
        Column("reason", "原因"),
    )  # fmt: skip
    rows = [
        (str(each.row), each.payment, each.outcome, each.amount_fen, each.text)
        for each in done.done
        if each.outcome != "accepted"
    ]
    rows += [(str(each.row), each.payment, "refused", each.amount_fen, each.reason) for each in done.refused]
    if rows:
        output.print_table(columns, sorted(rows, key=lambda row: int(row[0])), title="Not paid 未付成")
    for each in done.refused:
        output.print_line(f"row {each.row}: {each.reason}: {each.text}")
    output.print_line(
        f"{done.rows:,} rows: {done.accepted:,} accepted, {done.failed:,} failed, {done.returned:,} returned,"
        f" {done.duplicate:,} done before, {len(done.refused):,} refused"
    )
    return status
