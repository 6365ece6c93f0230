"""The command statement (清算表): what each ordered pair of regions owes for a clearing period."""

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cyclopts import App

import projections
from console import clearing_statements, output
from console.axes import EnactedTo, ServedTo, UnderPolicy, asked
from console.failures import UserError
from console.options import NO_OPTIONS, AtLeastOne, Options, Period, Region
from console.output import Column, count
from console.places import regions
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from projections.clearing.quarantine import Quarantine
    from projections.statement import Statement, StatementLine, StatementTotals

SECTIONS = {"off_site": "off site 异地", "same_city": "same city 本市"}
INSUTYPES = {310: "310 职工", 340: "340 离休", 390: "390 居民", 510: "510 生育"}

#: Each fund of the statement: its national field, an English heading, the fund's Chinese name.
FUNDS = (
    ("hifp_pay", "pool", "统筹基金"),
    ("cvlserv_pay", "civil servant", "公务员补助"),
    ("hifes_pay", "supplementary", "企业补充"),
    ("hifmi_pay", "catastrophic", "居民大病"),
    ("hifob_pay", "large amount", "职工大额"),
    ("hifdm_pay", "disabled", "伤残军人"),
    ("maf_pay", "assistance", "医疗救助"),
    ("oth_pay", "other", "其他基金"),
)


Kind = Literal[
    "pairs", "provinces", "chain", "summary", "payable", "receivable", "net", "roles", "late", "detail", "deductions",
    "institutions", "notices", "advances", "variance",
]  # fmt: skip


class Cell(NamedTuple):
    """Is a column of the statement and how a line (or the totals) fills it."""

    column: Column
    of: Callable[[Any], Any]
    in_total: bool = True


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(statement)


def statement(
    *,
    period: Period | None = None,
    region: Region | None = None,
    counterpart: Region | None = None,
    kind: Kind | None = None,
    format: Literal["table", "json", "csv", "xlsx"] = "table",
    lang: Literal["zh", "en"] = "zh",
    out: Path | None = None,
    top: AtLeastOne | None = None,
    as_of: str | None = None,
    served_to: ServedTo = None,
    under_policy: UnderPolicy = None,
    enacted_to: EnactedTo = None,
    options: Options = NO_OPTIONS,
) -> None:
    """Print the clearing statement (清算表): per pair of regions and insurance type, what is due.

    With a kind (or as xlsx) it is drawn up as issued: as of where the period's clearing stands, with the log's root
    there, the same bytes whenever it is asked for again; `verify FILE` finds any edit.

    Parameters
    ----------
    period
        The clearing period, as yyyymm; every period by default.
    region
        Only the pairs of this region, insured (参保地) or treatment (就医地).
    counterpart
        Only its pairs with this one, in both directions.
    kind
        pairs and provinces (gross, by insurance and clearing type), chain (上解, 下拨), summary (汇总), payable (应付),
        receivable (应收), net, roles (双角色), late, detail (明细), deductions (审核扣款), institutions,
        notices (通知书, with capitals 大写), advances (预付金), variance.
    format
        A table for people, JSON, CSV in the national field names with amounts in yuan, or a workbook (with --out).
    lang
        The language of an issued statement: zh or en.
    out
        Write it there; an existing file is never overwritten.
    top
        Only the lines with the largest amounts due; totals are of all lines.
    as_of
        As it was recorded: a log position, or a moment with its time zone such as 2024-02-05T18:00:00+08:00. An issued
        statement has its own position.
    """
    if counterpart is not None and region is None:
        raise UserError("usage", "--counterpart: expected --region beside it: a pair has two regions")
    if kind is not None or format == "xlsx" or out is not None:
        for option, given in (
            ("--as-of", as_of), ("--served-to", served_to), ("--under-policy", under_policy),
            ("--enacted-to", enacted_to), ("--counterpart", counterpart),
        ):  # fmt: skip
            if given is not None:
                raise UserError(
                    "usage", f"{option}: expected no --kind, --out or xlsx: an issued statement has its own position"
                )
        if period is None:
            raise UserError("usage", "expected --period PERIOD: a statement is issued for one clearing period")
        with projections.open(options.store) as read:
            issued = read.issue(kind or "pairs", period, region)
        clearing_statements.give(issued, format, lang, out, options)
        return
    with (
        projections.open(options.store) as read,
        asked(read, options, as_of, served_to, under_policy, enacted_to) as axes,
    ):
        try:
            found = read.statement(period, region, **axes.arguments)
        except ValueError as error:
            raise UserError("usage", f"--as-of: {error}") from error
        whole = as_of is None and counterpart is None
        instead = read.institution_payments(period, region) if period and whole else None
        aside = read.quarantine(period, region) if period and whole else None
    if counterpart is not None:
        from projections.statement import of_pair

        found = of_pair(found, counterpart)
    if not found.lines:
        which = f" in {period}" if period else ""
        of = f" of region {region:06d}" if region else ""
        of += f" with {counterpart:06d}" if counterpart else ""
        held = 0 if aside is None else aside.of("intake")[0] + aside.unplaced
        but = f" and {held:,} rows in quarantine" if held else ""
        raise UserError(
            "unknown_key",
            f"expected booked claims{of}{which}, got none{but}: run settlement periods to see what there is",
        )
    if options.json or format == "json":
        of_institutions = {} if instead is None else {"institution_difference_fen": instead.difference_fen}
        in_quarantine = {} if aside is None else {"quarantine": output.plain(aside)}
        output.print_json(statement_object(found) | axes.said() | of_institutions | in_quarantine)
    elif format == "csv":
        from projections.statement import statement_csv

        sys.stdout.write(statement_csv(found.lines))
    else:
        print_statement(found, top)
        axes.remark()
        if aside is not None:
            print_quarantine(aside, region)
        if instead is not None and instead.lines:
            output.print_line(
                f"institutions are paid {yuan(instead.payable_fen)} for {yuan(instead.itemised_fen)} itemised,"
                f" difference account 差额 {yuan(instead.difference_fen)}:"
                f" settlement institutions show --period {period}"
            )


def statement_object(found: "Statement") -> dict[str, Any]:
    """Returns a statement as JSON values, sections, person-times and dues beside what it holds."""
    return {
        "period": found.period,
        "region": found.region,
        "position": found.position,
        "lines": [{"section": line.section, **_derived(line), **output.plain(line)} for line in found.lines],
        "totals": {**_derived(found.totals), **output.plain(found.totals)},
    }


def print_statement(found: "Statement", top: int | None = None) -> None:
    """Prints a statement section by section with totals and remarks; all of its lines or the ``top`` ones."""
    screen_width = shutil.get_terminal_size().columns if sys.stdout.isatty() else output.WIDTH
    cells = statement_cells(found, screen_width)
    for section, title in SECTIONS.items():
        lines = [line for line in found.lines if line.section == section]
        if not lines:
            continue
        shown = lines if top is None else sorted(lines, key=lambda line: -line.due_fen)[:top]
        left_out = "" if len(shown) == len(lines) else f", the {len(shown)} largest of {len(lines):,} lines"
        heading = f"Clearing statement 清算表 {found.period or 'of all periods'}: {title}{left_out}"
        print_lines(cells, shown, lines, heading)
        output.print_line("")
    print_remarks(found)


def print_lines(
    cells: Sequence[Cell], shown: Sequence["StatementLine"], lines: Sequence["StatementLine"], title: str
) -> None:
    """Prints lines as a table below a title, with the total over ``lines``."""
    from projections.statement import totals_of

    totals = totals_of(lines)
    total = ["total 合计", *(cell.of(totals) if cell.in_total else None for cell in cells[1:])]
    output.print_table(
        [cell.column for cell in cells], [[cell.of(line) for cell in cells] for line in shown], title=title, total=total
    )


def statement_cells(found: "Statement", width: int) -> list[Cell]:
    """Returns the columns worth showing that fit ``width``: funds that paid, months that differ.

    A narrow screen first loses the single funds, then the names of places and the total fee.
    """
    codes = [
        Cell(Column("insured", "参保地"), lambda line: f"{line.insured_region:06d}", False),
        Cell(Column("treatment", "就医地"), lambda line: f"{line.treatment_region:06d}", False),
    ]
    places = [
        Cell(Column("insured", "参保地"), lambda line: place_text(line.insured_region), False),
        Cell(Column("treatment", "就医地"), lambda line: place_text(line.treatment_region), False),
    ]
    keys = [Cell(Column("insutype", "险种"), lambda line: INSUTYPES.get(line.insutype, str(line.insutype)), False)]
    if found.period is None:
        keys.append(Cell(Column("period", "清算期"), lambda line: str(line.period), False))
    if any(line.month != line.period for line in found.lines):
        keys.append(Cell(Column("month", "业务月"), lambda line: str(line.month), False))
    times = Cell(Column("times", "人次", count), lambda line: line.person_times)
    medfee = Cell(Column("medfee", "医疗费总额", yuan), lambda line: line.medfee_sumamt)
    funds = [
        Cell(Column(heading, term, yuan), attrgetter(name))
        for name, heading, term in FUNDS
        if any(getattr(line, name) for line in found.lines)
    ]
    dues = [
        Cell(Column("fund", "基金合计", yuan), lambda line: line.fund_pay_sumamt),
        Cell(Column("account", "个人账户", yuan), lambda line: line.acct_pay),
        Cell(Column("due", "应付", yuan), lambda line: line.due_fen),
    ]
    layouts = (
        [*places, *keys, times, medfee, *funds, *dues],
        [*places, *keys, times, medfee, *dues],
        [*codes, *keys, times, *dues],
    )
    return next((layout for layout in layouts if _width(layout, found) <= width), layouts[-1])


def print_remarks(found: "Statement") -> None:
    """Prints what a reader must know beside the figures: position, late claims, assumed and unchecked policy."""
    totals = found.totals
    output.print_line(f"as of position {found.position:,}")
    for number, amount, what in (
        (totals.late_acts, totals.late_medfee_fen, "late 迟到: booked after their own month was closed"),
        (totals.assumed_claims, totals.assumed_medfee_fen, "under an assumed policy 假定政策"),
        (
            totals.unchecked_claims,
            totals.unchecked_medfee_fen,
            "not checked 未核: no policy of their region is enacted",
        ),
    ):
        if number or amount:
            output.print_line(f"{number:,} claims, medfee {yuan(amount)}: {what}")


def print_quarantine(found: "Quarantine", region: int | None) -> None:
    """Prints how many rows stand in quarantine, in no book, and what they amount to."""
    of = "" if region is None else f" of {region:06d}"
    for (number, amount), what in (
        (found.of("intake"), f"rows of claims{of} quarantined 隔离 while the period was open, in no book"),
        (found.of("lines"), "fee lines quarantined 隔离, in no book"),
        ((found.unplaced, found.unplaced_fen), "quarantined rows that no region can be read of, fee lines among them"),
        ((found.mended, found.mended_fen), f"rows{of} mended and booked since 更正入账"),
    ):
        if number:
            output.print_line(f"{number:,} rows, {yuan(amount)}: {what}")


def place_text(region: int) -> str:
    """Returns a region's code, with its name where it is one of the places known here."""
    return f"{region:06d} {_names().get(region, '')}".rstrip()


@cache
def _names() -> dict[int, str]:
    return {place.code: place.name_zh for place in regions()}


def _width(cells: Sequence[Cell], found: "Statement") -> int:
    from rich.cells import cell_len

    def widest(cell: Cell) -> int:
        of = [found.totals] if cell.in_total else found.lines
        texts = {cell.column.write(cell.of(each)) for each in of}
        return max(map(cell_len, (cell.column.heading, cell.column.term, *texts)))

    return sum(widest(cell) + 2 for cell in cells)


def _derived(line: "StatementTotals") -> dict[str, int]:
    return {"person_times": line.person_times, "due_fen": line.due_fen}
