"""Commands that read policies: policy check, show, diff, test."""

from pathlib import Path
from typing import TYPE_CHECKING

import ledger
from console import failures, output
from console.casework import today
from console.failures import UserError
from console.options import NO_OPTIONS, NOT_ASKED, Asked, Day, Options, day_from_text
from console.output import Column
from console.terms import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.policy import Policy


def check(files: list[str], /, *, until: int = 0, options: Asked = NOT_ASKED) -> int:
    """Check policy files: every fault, by file, line and key, with what was expected and what came.

    Exit status 1 where something is wrong.

    Parameters
    ----------
    files
        Policy files (TOML), or names of shipped ones.
    until
        A further year up to which the working days a policy counts must be published.
    """
    from ledger.policy_faults import policy_faults
    from ledger.verbs.policies import read_document

    found = [fault for file in files for fault in policy_faults(*read_document(file), until=until)]
    return print_faults(options, found, counted(len(files), "document"))


def show(policy: str, /, *, on: Day = 0, insutype: str = "", options: Options = NO_OPTIONS) -> None:
    """Show the values of a policy in force on a day, each with its key and the day it started.

    Parameters
    ----------
    policy
        An insured region (参保地, six digits) as the log has it in force, a policy file, or a policy's name.
    on
        The day, as YYYY-MM-DD; today by default.
    insutype
        Only one insurance type (险种): employee or resident.
    """
    from ledger.policy_sections import SECTIONS
    from ledger.policy_views import header_of, in_force, iso

    if insutype and insutype not in SECTIONS:
        raise UserError("usage", f"--insutype: expected one of {', '.join(SECTIONS)}, got {insutype!r}")
    found = _policy(policy, options)
    day = on or today()
    values = in_force(found, day, insutype)
    if not values:
        raise UserError("unknown_key", f"expected a day on which {policy} has a value, got {iso(day)}")
    if options.json:
        listed = [{"key": each.key, "since": iso(each.since), "value": each.text} for each in values]
        header = header_of(found)
        output.print_json({"policy": found.header.name, "on": iso(day), "header": header, "values": listed})
        return
    output.print_fields(
        [
            ("policy 政策", f"{found.header.name}: {found.header.title}"),
            ("source 依据", found.header.source),
            ("assumptions 假设", f"{len(found.header.assumptions)}, as the document words them"),
            ("on 日期", iso(day)),
        ]
    )
    columns = (
        Column("parameter"),
        Column("", "参数"),
        Column("value", "值"),
        Column("since", "起始日"),
        Column("key", "键"),
    )
    groups: dict[str, list[tuple[str, ...]]] = {}
    for key, text in header_of(found).items():
        term = words_of(key.removeprefix("policy."))
        groups.setdefault("policy", []).append((term.english, term.chinese, text, "—", key))
    for each in values:
        group, rest = _group(each.key)
        term = words_of(rest)
        groups.setdefault(group, []).append((term.english, term.chinese, each.text, iso(each.since), each.key))
    for group, rows in groups.items():
        term = words_of(group)
        output.print_line("")
        output.print_table(columns, rows, title=f"{term.english} {term.chinese}")


def diff(a: str, b: str, /, *, on: Day = 0, options: Options = NO_OPTIONS) -> int:
    """Show what differs between two policies, or two days of one, by key: old and new value.

    Exit status 1 where they differ, 0 where they are equal, as diff does.

    Parameters
    ----------
    a
        A policy as `policy show` takes it; with @YYYY-MM-DD behind it, its values in force on that day.
    b
        The policy to compare it with, written the same way.
    on
        The day for both; without a day every value of every day is compared.
    """
    from ledger.policy_views import differences, header_of, values_of

    readings = []
    for text in (a, b):
        name, at, day = text.partition("@")
        try:
            start = day_from_text(day) if at else on
        except ValueError as error:
            raise UserError("usage", f"{text}: {error}") from None
        readings.append((_policy(name, options), start))
    if bool(readings[0][1]) != bool(readings[1][1]):
        raise UserError("usage", f"expected a day behind both policies or behind none, got {a} and {b}")
    found = differences(*(header_of(policy) | values_of(policy, day) for policy, day in readings))
    if options.json:
        output.print_json(found)
    elif found:
        columns = (Column("key", "键"), Column("old", "原值"), Column("new", "新值"))
        output.print_table(columns, [(each.key, each.old or "—", each.new or "—") for each in found])
    else:
        output.print_line("no difference")
    return failures.CHECK_FAILED if found else failures.OK


def test(files: list[Path], /, *, options: Asked = NOT_ASKED) -> int:
    """Run files of cases: policy, members, claims in order and what each is expected to settle to.

    Exit status 1 where an expectation is not met.

    Parameters
    ----------
    files
        Case files (TOML), as docs/policy.md describes them.
    """
    from ledger.cases import run_file

    results = [result for file in files for result in run_file(file)]
    missed = [each for result in results for each in result.missed]
    if options.json:
        output.print_json(results)
    else:
        for each in missed:
            output.print_line(str(each))
        claims = sum(result.claims for result in results)
        output.print_line(
            ", ".join(
                (
                    counted(len(results), "case"),
                    counted(claims, "claim"),
                    f"{counted(len(missed), 'expectation')} missed",
                )
            )
        )
    return failures.CHECK_FAILED if missed else failures.OK


def print_faults(options: Asked, found: "Sequence[object]", checked: str) -> int:
    """Prints the faults of what was checked, or that there are none, and returns the exit status."""
    if options.json:
        output.print_json(found)
    else:
        for fault in found:
            output.print_line(str(fault))
        if not found:
            output.print_line(f"{checked}, nothing is wrong")
    return failures.CHECK_FAILED if found else failures.OK


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _policy(name: str, options: Options) -> "Policy":
    """Returns the policy a reader names: by region in the log, as a file or shipped, or by name in the log."""
    from ledger.policy import read_policy, shipped_names
    from ledger.verbs.policies import read_document

    path = Path(name)
    if not (len(name) == 6 and name.isdecimal()) and (path.suffix or path.exists() or name in shipped_names()):
        return read_policy(*read_document(name))
    with ledger.open(options.store, actor=options.who) as book:
        if name.isdecimal() and len(name) == 6:
            document = book.policy_in_force(int(name))
        else:
            found = book.policies()
            if not any(name and (each.name == name or each.digest.startswith(name)) for each in found):
                enacted = ", ".join(sorted({each.name for each in found})) or "none"
                raise UserError(
                    "unknown_key",
                    f"expected a region (six digits), a policy file, one that ships ({', '.join(shipped_names())}),"
                    f" or the name or digest of an enacted one ({enacted}), got {name!r}",
                )
            document = book.policy(name)
    return read_policy(document, name)


def _group(key: str) -> tuple[str, str]:
    """Returns (section and kind of treatment, the rest) of a key."""
    from ledger.policy_terms import MED_TYPES

    section, _, rest = key.partition(".")
    name, _, inner = rest.partition(".")
    return (f"{section}.{name}", inner) if name in MED_TYPES else (section, rest)
