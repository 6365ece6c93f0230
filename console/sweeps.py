"""The command sweep: a period under many policies at once, as a table and as a CSV to chart."""

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

import ledger
from console import output
from console.failures import UserError
from console.options import NO_OPTIONS, ClearingPeriod, Options, Period, Regions, check_new
from console.output import Column, count
from core_ext.layout import AMOUNT, AMOUNTS
from ledger.money import yuan_display as yuan
from ledger.money import yuan_text

if TYPE_CHECKING:
    from ledger.replaying.sweeping import Sweep

_FUND, _PART = AMOUNT["fund_pay_sumamt"], AMOUNT["psn_part_amt"]
_COUNTS = ("acts", "changed", "refused", "persons_gaining", "persons_losing")


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(sweep)


def sweep(
    *,
    policies: str,
    period: ClearingPeriod,
    to: Period | None = None,
    regions: Regions = (),
    from_log: bool = False,
    out: Path | None = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Settle a period under many policies in one pass and say what each would have paid; books nothing.

    Parameters
    ----------
    policies
        A folder of policy files, or a file: `policy = "NAME or FILE"` and under `[grid]` a list of values for each key,
        as `policy diff` writes keys; every combination is a variant.
    to
        The last of several periods, yyyymm; accumulators are carried from one to the next.
    regions
        Whose policy the variants stand in for; those under a document of the same name by default.
    from_log
        Read the log, also where the period is sealed.
    out
        Write a CSV there: a line a variant, the grid's values in columns of their own, amounts in yuan. A file
        that is there is never overwritten.
    """
    if out is not None and out.suffix != ".csv":
        raise UserError("usage", f"expected a file that ends in .csv for --out, got {out.name!r}")
    check_new(out, "the variants", "--out")
    with (
        ledger.open(options.store, actor=options.who, segments=options.segments) as book,
        output.progress(f"sweep {period}", None) as done,
    ):
        found = book.sweep(policies, period, to=to, regions=regions, from_log=from_log, progress=done)
    if out is not None:
        write_csv(found, out)
    if options.json:
        output.print_json(found)
    else:
        _show(found)


def write_csv(found: "Sweep", path: Path) -> None:
    """Writes a line as booked and one a variant, there whole or not at all; what may not change is as booked."""
    making = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with making.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["variant", *found.keys, *_COUNTS, "gained", "lost", *AMOUNTS, "fund_change"])
            writer.writerows(_lines(found))
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)


def _lines(found: "Sweep") -> list[list[Any]]:
    nobody, fund = yuan_text(0), found.totals[_FUND]
    lines: list[list[Any]] = [
        ["booked", *("" for _ in found.keys), found.acts, 0, 0, 0, 0, nobody, nobody, *map(yuan_text, found.totals),
         nobody]
    ]  # fmt: skip
    for each in found.variants:
        counts = (found.acts, each.changed, each.refused, each.persons_gaining, each.persons_losing)
        amounts = (each.gained_fen, each.lost_fen, *each.totals, each.totals[_FUND] - fund)
        lines.append([each.name, *(each.settings or ("",) * len(found.keys)), *counts, *map(yuan_text, amounts)])
    return lines


def _show(found: "Sweep") -> None:
    columns = (
        Column("variant"), *(Column(key.rpartition(".")[2]) for key in found.keys), Column("changed", "变动", count),
        Column("fund", "基金", yuan), Column("change", "差额", yuan), Column("personal", "个人负担", yuan),
        Column("gaining", "受益人数", count), Column("losing", "受损人数", count),
    )  # fmt: skip
    fund = found.totals[_FUND]
    rows: list[tuple[Any, ...]] = [
        ("booked", *("" for _ in found.keys), 0, fund, 0, found.totals[_PART], 0, 0)
    ]  # fmt: skip
    for each in found.variants:
        new = each.totals[_FUND]
        rows.append(
            (each.name, *(each.settings or ("",) * len(found.keys)), each.changed, new, new - fund, each.totals[_PART],
             each.persons_gaining, each.persons_losing)
        )  # fmt: skip
    for key in found.keys:
        output.print_line(f"grid {key}")
    periods = ", ".join(map(str, found.periods))
    output.print_table(columns, rows, title=f"periods {periods}: {count(found.acts)} acts under each policy")
    if found.by_source:
        output.print_line(f"{count(found.by_source)} acts were settled by their source: no policy changes those")
    for each in found.variants:
        if each.refused:
            output.print_line(f"{each.name}: {count(each.refused)} acts have no rule under it")
    unmoved = sum(not each.changed for each in found.variants)
    loud = f"0 CLAIMS CHANGED under {count(unmoved)} of {count(len(found.variants))} policies"
    output.print_line(loud if unmoved else f"every one of {count(len(found.variants))} policies changes claims")
    output.print_line(f"sweep {found.digest}")
