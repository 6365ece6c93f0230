"""Commands of the machine review (机审): review, violations."""

from typing import TYPE_CHECKING

from cyclopts import App

import ledger
import projections
from console import output
from console.options import NO_OPTIONS, Options, PeriodReviewed
from console.output import Column
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from projections.supervision.violations import RuleTotal


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (review, violations):
        app.command(command)


def review(*, period: PeriodReviewed, options: Options = NO_OPTIONS) -> None:
    """Review every claim of a period by the rules of its day, and write what violates them as events.

    Again on the same log it writes nothing; what more has come is reviewed, what no longer holds is lifted.
    """
    with ledger.open(options.store, actor=options.who) as book:
        done = book.review_period(period, reason=options.reason)
    with projections.open(options.store) as read:
        totals = read.violations_by_rule(period)
    if options.json:
        output.print_json({"review": done, "rules": totals})
        return
    _print_totals(totals, done.amount_fen)
    looked = (
        "nothing had come since the last review" if done.already else f"{done.persons:,} persons, {done.lines:,} lines"
    )
    output.print_line(
        f"{looked}; {done.found:,} found, {done.lifted:,} lifted, {done.open:,} open, {done.rules:,} rules"
    )


def violations(*, period: PeriodReviewed, rule: str = "", options: Options = NO_OPTIONS) -> None:
    """List the violations that stand open in a period, line by line.

    Parameters
    ----------
    rule
        Only those of the rule of this code.
    """
    with projections.open(options.store) as read:
        found = read.violations(period, rule)
    if options.json:
        output.print_json(found)
        return
    columns = (
        Column("rule", "规则"),
        Column("result", "结果"),
        Column("claim", "结算单"),
        Column("institution", "机构"),
        Column("line", "明细"),
        Column("item", "项目"),
        Column("window", "时间窗"),
        Column("amount", "金额", yuan),
        Column("title", "名称"),
    )
    rows = [
        (
            *(each.rule, "definite" if each.definite else "suspect", charge.claim, charge.fixmedins_code),
            *(charge.feedetl_sn or "—", charge.med_list_codg or "—"),
            f"{each.window_kind} {each.window}" if each.window_kind != "visit" else "visit",
            *(charge.amount_fen, each.title),
        )
        for each in found
        for charge in each.charges
    ]
    output.print_table(columns, rows)
    output.print_line(f"{len(found):,} violations, {len(rows):,} lines, {yuan(sum(each.amount_fen for each in found))}")


def _print_totals(totals: "list[RuleTotal]", amount_fen: int) -> None:
    columns = (
        Column("rule", "规则"),
        Column("kind", "类型"),
        Column("result", "结果"),
        Column("violations", "违规", output.count),
        Column("persons", "人数", output.count),
        Column("lines", "明细", output.count),
        Column("amount", "金额", yuan),
        Column("title", "名称"),
    )
    rows = [
        (
            *(each.rule, each.kind, "definite" if each.definite else "suspect", each.violations),
            *(each.persons, each.charges, each.amount_fen, each.title),
        )
        for each in totals
    ]
    whole = ("", "", "", sum(row[3] for row in rows), None, sum(row[5] for row in rows), amount_fen, "")
    output.print_table(columns, rows, total=whole)
