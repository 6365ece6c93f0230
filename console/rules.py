"""Commands on packs of supervision rules (监管规则): rules check, show, test, enact, generate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App

import ledger
from console import failures, output
from console.failures import UserError
from console.options import NO_OPTIONS, NOT_ASKED, Asked, Day, Options, check_new, whole
from console.output import Column
from console.policies import counted, print_faults

if TYPE_CHECKING:
    from ledger.supervision.book import Held
    from ledger.supervision.packs import Pack
    from ledger.supervision.terms import Rule


def register(app: App) -> None:
    """Adds this family to the command line."""
    rules = App(name="rules", help="Check, show, test and enact packs of supervision rules (监管规则).")
    for command in (check, show, test, enact, generate):
        rules.command(command)
    app.command(rules)


def check(files: list[str], /, *, options: Asked = NOT_ASKED) -> int:
    """Check packs of rules: every fault, by file, line and key, with what was expected and what came.

    Exit status 1 where something is wrong.

    Parameters
    ----------
    files
        Packs (TOML), or names of shipped ones.
    """
    from ledger.supervision.packs import pack_faults, read_document

    found = [fault for file in files for fault in pack_faults(*read_document(file))]
    return print_faults(options, found, counted(len(files), "pack"))


def show(pack: str = "", /, *, on: Day = 0, rule: str = "", options: Options = NO_OPTIONS) -> None:
    """Show the rules of a pack with those it goes on with, or those in force in a ledger on a day.

    Parameters
    ----------
    pack
        A pack's file or the name of a shipped one; without one, what the ledger has enacted.
    on
        Only rules that hold for services of this day (YYYY-MM-DD).
    rule
        Only the rule of this code, with everything it says.
    """
    held = _held(pack, options)
    if on:
        from ledger.supervision.days import ordinal

        held = [each for each in held if each.begin <= ordinal(on) <= each.until]
    if rule:
        held = [each for each in held if each.rule.code == rule]
        if not held:
            raise UserError("unknown_key", f"expected the code of a rule, got {rule!r}")
    listed = [(each.rule, each.version.hex()) for each in held]
    if options.json:
        output.print_json([{"version": version, **_said(each)} for each, version in listed])
        return
    if rule:
        for each, version in listed:
            output.print_fields([("version 版本", version), *((key, str(value)) for key, value in _said(each).items())])
        return
    columns = (
        Column("rule", "规则"),
        Column("kind", "类型"),
        Column("by", "依据"),
        Column("window", "时间窗"),
        Column("limit", "限额"),
        Column("result", "结果"),
        Column("title", "名称"),
    )
    rows = [
        (each.code, each.kind, each.by, each.window or "", _limit(each), each.result, each.title) for each, _ in listed
    ]
    output.print_table(columns, rows)
    output.print_line(counted(len(rows), "rule"))


def test(files: list[str], /, *, options: Asked = NOT_ASKED) -> int:
    """Run the cases of packs: each hit must find its rule, each near miss must not.

    Exit status 1 where a case does not come out.

    Parameters
    ----------
    files
        Packs (TOML), or names of shipped ones.
    """
    from ledger.supervision.bills import run_cases
    from ledger.supervision.book import Book

    count, rules, missed = 0, 0, []
    for file in files:
        packs = _chain(file)
        cases, found = run_cases(packs[-1], Book(packs))
        count += cases
        rules += len(packs[-1].rules)
        missed += found
    if options.json:
        output.print_json({"rules": rules, "cases": count, "missed": missed})
    else:
        for each in missed:
            output.print_line(str(each))
        output.print_line(f"{counted(rules, 'rule')}, {counted(count, 'case')}, {len(missed):,} missed")
    return failures.CHECK_FAILED if missed else failures.OK


def enact(pack: str, /, *, options: Options = NO_OPTIONS) -> None:
    """Put a pack of rules in force from its first day on; a service meets the rules of its own day.

    Parameters
    ----------
    pack
        A pack's file (TOML), or the name of a shipped one.
    """
    with ledger.open(options.store, actor=options.who) as book:
        enacted = book.enact_rules(pack, reason=options.reason)
    if options.json:
        output.print_json(enacted)
        return
    output.print_fields(
        [
            ("pack 规则包", f"{enacted.name} {enacted.digest}"),
            ("from 起始日", output.day_text(enacted.begin)),
            ("rules 规则", f"{enacted.rules:,}, {enacted.in_force:,} in force with those that go on"),
            ("position 位置", "in force already" if enacted.already else f"{enacted.position:,}"),
        ]
    )


def generate(
    file: Path,
    /,
    *,
    rules: Annotated[int, whole(1, 1_000_000)] = 7_566,
    items: Annotated[int, whole(10, 1_000_000)] = 2_000,
    options: Asked = NOT_ASKED,
) -> None:
    """Write a pack of made-up instances of the national kinds, for volume; the same numbers give the same pack.

    Parameters
    ----------
    file
        Where the pack goes; an existing file is never overwritten.
    rules
        How many rules.
    items
        How many codes of items they speak of.
    """
    from ledger.supervision.volume import generated_pack

    check_new(file, "the pack", "rules generate")
    document = generated_pack(rules, items)
    file.write_text(document, encoding="utf-8")
    output.answer(options, {"file": str(file), "rules": rules}, f"{counted(rules, 'rule')} written to {file}")


def _chain(file: str) -> "list[Pack]":
    """Returns a pack with those it extends before it, found beside its file or among the shipped ones."""
    from ledger.supervision.packs import chain_of, read_document, read_pack

    def find(name: str) -> "Pack":
        beside = Path(file).with_name(f"{name}.toml")
        return read_pack(*read_document(beside if beside.exists() else name))

    return list(chain_of(read_pack(*read_document(file)), find))


def _held(pack: str, options: Options) -> "list[Held]":
    from ledger.supervision.book import Book

    if pack:
        return list(Book(_chain(pack)).held)
    with ledger.open(options.store, actor=options.who) as book:
        return list(book.rule_book().held)


def _said(rule: "Rule") -> dict[str, object]:
    """Returns what a rule says beyond what every rule has, cases left out."""
    plain = output.plain(rule)
    return {key: value for key, value in plain.items() if value and key not in ("hit", "miss")}


def _limit(rule: "Rule") -> str:
    """Returns what a rule allows, in few words."""
    if rule.allowed:
        return " ".join(rule.allowed)
    if rule.ages is not None:
        return f"{rule.ages[0]}–{rule.ages[1]}"
    if rule.indications:
        return " ".join(rule.indications)
    if rule.cost:
        return f"{rule.cost} + {rule.markup}"
    return rule.limit or str(rule.least or rule.days or "")
