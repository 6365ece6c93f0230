"""Commands on sealed periods: seal, export, replay, also under another policy."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

import ledger
import projections
from console import failures, output
from console.failures import UserError
from console.options import NO_OPTIONS, ClearingPeriod, Options, Period, Position, Regions, check_new
from console.output import Column, count
from core_ext.layout import AMOUNTS
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.replay import ReplayReport
    from ledger.replaying.repricing import Repriced
    from ledger.replaying.whatif import WhatIf


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (seal, export, replay):
        app.command(command)


def seal(*, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Seal a signed period: its acts as an Arrow segment, sorted by person, its digest and the log's root in the log.

    A sealed period whose files are gone gets them again, checked against the log.
    """
    with projections.open(options.store) as read:
        anchor = read.root()
    with (
        ledger.open(options.store, actor=options.who, segments=options.segments) as book,
        output.progress(f"seal {period}", None) as done,
    ):
        sealed = book.seal(period, anchor=anchor, reason=options.reason, progress=done)
    if options.json:
        output.print_json(sealed)
        return
    what = "sealed" if not sealed.already else "written again" if sealed.written else "already sealed"
    output.print_line(
        f"{what} {sealed.period}: {sealed.rows:,} acts, {sealed.refunds:,} of them refunds,"
        f" medfee_sumamt {yuan(sealed.medfee_fen)}"
    )
    output.print_fields(
        (
            ("segment", str(sealed.folder)),
            ("digest", sealed.digest),
            ("root", f"{sealed.root} over {sealed.tree_size:,} events"),
        )
    )


def export(parquet: Path, *, period: ClearingPeriod, options: Options = NO_OPTIONS) -> None:
    """Write a sealed period as Parquet, for DuckDB, Polars or Spark; amounts are integers of fen.

    Parameters
    ----------
    parquet
        The file to write; an existing file is never overwritten.
    """
    check_new(parquet, "the month's acts", "--parquet")
    with ledger.open(options.store, actor=options.who, segments=options.segments) as book:
        rows = book.export(period, parquet)
    output.answer(options, {"path": parquet, "rows": rows}, f"{parquet}: {rows:,} acts of {period}")


def replay(
    *,
    period: ClearingPeriod,
    from_log: bool = False,
    policy: str | None = None,
    to: Period | None = None,
    regions: Regions = (),
    diff: Path | None = None,
    register: Position = 0,
    commit: bool = False,
    reprice: bool = False,
    engine: Literal["local", "spark"] = "local",
    options: Options = NO_OPTIONS,
) -> int:
    """Settle every act of a period again, in commit order, and compare; exit status 1 if any differs.

    With --policy settle it under another policy instead and say who gains and loses; --commit books the differences.

    Parameters
    ----------
    from_log
        Read the log, also where the period is sealed.
    policy
        Another policy to settle by: a file, or the name of a shipped one.
    to
        With --policy: the last of several periods, yyyymm; accumulators are carried from one to the next.
    regions
        With --policy: whose policy it stands in for; those under a document of the same name by default.
    diff
        With --policy: the file that lists every changed claim, .parquet or .csv; an existing one is never overwritten.
    register
        The position of a register command (`settlement touched` shows it) told late: settle the claims it reaches back
        to by what registers say now.
    commit
        With --policy or --register: book each changed claim anew into the open period; needs --reason.
    reprice
        What if claims had come in the order of their service, without those refunded since; books nothing.
    engine
        spark: the acts of a sealed period are decided on a Spark cluster (optional extra spark, docs/scale.md).
    """
    asked = policy is not None or register
    if not asked and (to is not None or regions or diff is not None or commit):
        raise UserError("usage", "--to, --regions, --diff and --commit belong to --policy FILE or --register POSITION")
    if (policy is not None and register) or (reprice and (asked or from_log)):
        raise UserError("usage", "--policy, --register and --reprice each are a question of its own: give one of them")
    if engine == "spark" and (asked or reprice or from_log):
        raise UserError("usage", "--engine spark replays a sealed period: expected --period alone beside it")
    check_new(diff, "the changed claims", "--diff")
    with (
        ledger.open(options.store, actor=options.who, segments=options.segments) as book,
        output.progress(f"replay {period}", None) as done,
    ):
        if engine == "spark":
            return _replayed(book.replay_on_spark(period), options)
        if reprice:
            return _repriced(book.reprice(period), options)
        if not asked:
            return _replayed(book.replay(period, from_log=from_log, progress=done), options)
        if not commit:
            found = book.what_if(
                policy, period, to=to, regions=regions, diff=diff, from_log=from_log, register=register, progress=done
            )
            return _what_if(found, options)
        booked = book.correct(
            policy, period, options.why("replay --commit"), to=to, regions=regions, diff=diff, register=register
        )
    if options.json:
        output.print_json(booked)
        return failures.OK
    _show(booked.found)
    where = f" into {booked.period}" if booked.booked else ""
    output.print_line(
        f"booked anew (重新结算) {count(booked.booked)} claims{where}: funds {yuan(booked.fund_fen)},"
        f" accounts {yuan(booked.account_fen)}; {count(booked.already)} stood so already"
    )
    for number, why in (
        (booked.reversed, "refunded since"),
        (booked.recovered, "with money back by clawback"),
        (booked.refused, "for which the policy has no rule"),
    ):
        if number:
            output.print_line(f"left as they are: {count(number)} {why}")
    if booked.by_hand:
        output.print_line(
            f"{count(booked.by_hand)} of them reimbursed by hand (手工报销): persons are owed"
            f" {yuan(booked.more_fen)} more (manual pay), {yuan(booked.less_fen)} less (manual recover, then pay anew)"
        )
    return failures.OK


def _replayed(report: "ReplayReport", options: Options) -> int:
    if options.json:
        output.print_json(report)
    else:
        if report.differences:
            columns = (
                Column("claim", "结算单"),
                Column("decided at", "位置", count),
                Column("step", "步骤"),
                Column("expected", "应为（分）", count),
                Column("got", "实为（分）", count),
            )
            rows = [(each.setl_id, each.position, each.step, each.expected, each.got) for each in report.differences]
            output.print_table(columns, rows)
        differing = len({each.claim for each in report.differences})
        output.print_line(f"{count(differing)} of {count(report.acts)} differ")
    return failures.CHECK_FAILED if report.differences else failures.OK


def _repriced(report: "Repriced", options: Options) -> int:
    if options.json:
        output.print_json(report)
        return failures.OK
    columns = (
        Column("claim", "结算单"),
        Column("booked fund", "基金支付", yuan),
        Column("in service order", "按就医顺序", yuan),
        Column("difference", "差额", yuan),
    )
    rows = [
        (each.setl_id, each.fund_fen, each.fund_new_fen, each.fund_new_fen - each.fund_fen) for each in report.claims
    ]
    if rows:
        output.print_table(columns, rows)
    output.print_line(
        f"{count(report.changed)} of {count(report.acts)} settlements would differ in service order, funds by"
        f" {yuan(report.fund_new_fen - report.fund_fen)}; nothing is booked"
    )
    if report.divided:
        output.print_line(
            f"LEFT AS BOOKED: {count(report.divided)} settlements of persons with a stay DIVIDED BETWEEN BENEFIT YEARS"
            " (跨年度分割), whose order of service is that of two years"
        )
    return failures.OK


def _what_if(found: "WhatIf", options: Options) -> int:
    if options.json:
        output.print_json(found)
    else:
        _show(found)
    return failures.OK


def _show(found: "WhatIf") -> None:
    amounts = (
        Column("fund", "基金"), Column("booked", "已结算", yuan), Column("then", "新政策", yuan),
        Column("difference", "差额", yuan),
    )  # fmt: skip
    totals = zip(AMOUNTS, found.totals, found.totals_new, strict=True)
    rows = [(name, old, new, new - old) for name, old, new in totals if old or new]
    output.print_table(amounts, rows, title=f"periods {', '.join(map(str, found.periods))} under {found.policy[:16]}")
    groups = (
        Column("by"), Column("code", "代码"), Column("acts", "笔数", count), Column("changed", "变动", count),
        Column("fund change", "基金差额", yuan), Column("personal change", "个人差额", yuan),
    )  # fmt: skip
    cells = [
        (each.by, each.code, each.acts, each.changed, each.fund_new_fen - each.fund_fen,
         each.personal_new_fen - each.personal_fen)
        for each in found.groups
        if each.changed
    ]  # fmt: skip
    if cells:
        output.print_table(groups, cells)
    if found.largest:
        columns = (
            Column("claim", "结算单"), Column("personal", "个人负担", yuan), Column("then", "新政策", yuan),
            Column("fund then", "基金", yuan),
        )  # fmt: skip
        largest = [
            (f"{each.region:06d}/{each.setl_id}", each.personal_fen, each.personal_new_fen, each.fund_new_fen)
            for each in found.largest
        ]
        output.print_table(columns, largest, title="largest changes")
    for key in found.keys:
        effect = "" if key.consulted else "  — no act consults it"
        output.print_line(f"{key.key}: {key.old or 'nothing'} → {key.new or 'nothing'}{effect}")
    if found.never_consulted:
        output.print_line(f"never consulted: {', '.join(found.never_consulted)}")
    if found.by_source:
        output.print_line(f"{count(found.by_source)} acts were settled by their source: no policy changes those")
    if found.refused:
        output.print_line(f"{count(found.refused)} acts have no rule under the policy")
    output.print_line(
        f"persons: {count(found.persons_gaining)} gain {yuan(found.gained_fen)},"
        f" {count(found.persons_losing)} lose {yuan(found.lost_fen)}"
    )
    loud = "0 CLAIMS CHANGED" if not found.changed else f"{count(found.changed)} claims changed"
    output.print_line(f"{loud}, of {count(found.acts)} acts")
    output.print_line(f"replay {found.digest}")
