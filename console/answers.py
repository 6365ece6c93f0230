"""Prints what one claim is on three axes, and why the answers differ."""

from typing import TYPE_CHECKING

from console import output
from console.output import Column, count
from ledger.local_time import local
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.axes.answering import Answers, Versioned


def print_answers(found: "Answers") -> None:
    """Prints a table an axis, and below each the events and parameters behind what differs."""
    output.print_line("")
    columns = (
        Column("from position", "位置", count), Column("what", "事项"), Column("recorded", "记账时间"),
        Column("fund", "基金", yuan), Column("personal", "个人负担", yuan), Column("by", "经办"),
    )  # fmt: skip
    rows = [
        (
            each.position, each.what, moment(each.recorded_at), each.fund_fen, each.personal_fen,
            f"{each.verb} {each.command:,} by {each.actor}{f': {each.reason}' if each.reason else ''}",
        )
        for each in found.recorded
    ]  # fmt: skip
    output.print_table(columns, rows, title="By recorded time 记账时间: what stood from when on")
    if found.served is None:
        output.print_line("what its source settled, and a refund, no policy and no order of service changes")
        return
    _print_served(found)
    _print_versions(found)


def _print_served(found: "Answers") -> None:
    from ledger.policy_views import iso

    served = found.served
    assert served is not None
    output.print_line("")
    output.print_line(
        f"By date of service 就医日期: it counts from {iso(served.since)} on;"
        f" in the order of service funds would pay {yuan(served.fund_fen)}, {yuan(served.fund_fen - found.fund_fen)}"
        " against what was booked"
    )
    for each in served.overtaken:
        output.print_line(
            f"  {each.setl_id}, served from {iso(each.served)}, was taken in the other order: {each.position:,}"
        )


def _print_versions(found: "Answers") -> None:
    output.print_line("")
    columns = (
        Column("policy", "政策"), Column("enacted at", "位置", count), Column("fund", "基金", yuan),
        Column("personal", "个人负担", yuan), Column("against booked", "差额", yuan), Column("", ""),
    )  # fmt: skip
    rows = [
        (
            f"{each.policy} {each.digest[:12]}", each.enacted, each.fund_fen, each.personal_fen,
            each.fund_fen - found.fund_fen, _said_of(each),
        )
        for each in found.versions
    ]  # fmt: skip
    output.print_table(columns, rows, title="By policy version 政策版本: with the person's earlier claims under it too")
    for each in found.versions:
        _print_because(each, found.fund_fen)


def _said_of(each: "Versioned") -> str:
    if each.stands:
        return "decided by it"
    return "" if each.priced else "has no rule for it"


def _print_because(each: "Versioned", booked_fen: int) -> None:
    if each.stands:
        return
    alone = each.alone_fund_fen - booked_fen
    if alone:
        output.print_line(
            f"under {each.digest[:12]} funds pay {yuan(alone)} against booked for what the policy says;"
            " put back to what it was, each of these alone would change:"
        )
    for parameter in each.because:
        words = f"{parameter.old or 'nothing'} → {parameter.new or 'nothing'}"
        output.print_line(f"  {parameter.key}: {words}: {yuan(parameter.fund_fen)}")
    through = each.fund_fen - each.alone_fund_fen
    if through:
        output.print_line(f"  {yuan(through)} through the person's earlier claims, which the policy prices otherwise:")
    for earlier in each.through:
        output.print_line(f"    {earlier.setl_id} at {earlier.position:,}: {yuan(earlier.fund_fen)}")


def moment(recorded_at: int) -> str:
    """Returns recorded time, microseconds since 1970 UTC, as a clock in China shows it.

    >>> moment(0)
    '1970-01-01 08:00:00'
    """
    return local(recorded_at).strftime("%Y-%m-%d %H:%M:%S")
