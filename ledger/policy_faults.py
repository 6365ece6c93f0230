"""Finds everything wrong with a policy document, each fault with its key path and line."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.policy import Policy, read_policy
from ledger.policy_errors import Fault, collecting, resting
from ledger.policy_sections import WorkingDays
from ledger.policy_views import iso
from ledger.toml_lines import key_lines, line_of
from ledger.working_days import published_years, unpublished

_AT_LINE = re.compile(r"(.*?) ?\(at (?:line (\d+), column \d+|end of document)\)")


class PolicyFault(NamedTuple):
    """Is one thing wrong with a policy document: file, line from 1, key path, what was expected and what came."""

    file: str
    line: int
    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        """Returns the fault as one line, as a compiler would print it."""
        got = f", got {self.got}" if self.got else ""
        return f"{self.file}:{self.line}: {self.path}: expected {self.expected}{got}"


def policy_faults(document: str, where: str, *, until: int = 0) -> list[PolicyFault]:
    """Returns everything wrong with a document, by line; ``where`` is its file.

    ``until`` is a further year up to which its working days must be known. Text that is no TOML is one fault: what
    stands behind it cannot be told.
    """
    try:
        tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        return [no_toml(document, where, error)]
    with collecting() as faults, resting():
        policy = read_policy(document, where)
        faults += _calendar_faults(policy, until)
    return located(document, where, faults)


def no_toml(document: str, where: str, error: tomllib.TOMLDecodeError) -> PolicyFault:
    """Returns why a document's text is no TOML, at the line that says so."""
    found = _AT_LINE.fullmatch(str(error))
    last = document.count("\n") + 1
    text, line = (found[1], int(found[2] or last)) if found else (str(error), 1)
    return PolicyFault(where, line, "the document", "TOML", text)


def located(document: str, where: str, faults: Iterable[Fault]) -> list[PolicyFault]:
    """Returns faults with the lines of their keys, by line, each once."""
    lines = key_lines(document)
    found = [PolicyFault(where, line_of(lines, each.path), *each) for each in faults]
    return sorted(dict.fromkeys(found), key=lambda each: each.line)


def _calendar_faults(policy: Policy, until: int) -> Iterator[Fault]:
    """Yields a fault for each year in which the policy counts working days and no calendar is published.

    Those are the years in which such a value starts, and all from there to the last day the document knows.
    """
    last = max(policy.days, default=0) // 10_000
    for path, dated in policy.parameters.items():
        pairs = zip(dated.days, dated.values, strict=True)
        starts = [day // 10_000 for day, value in pairs if isinstance(value, WorkingDays)]
        if not starts:
            continue
        for year in range(min(starts), max(last, until, *starts) + 1):
            if year not in published_years():
                text = unpublished(year)
                expected, _, got = text.removeprefix("expected ").rpartition(", got ")
                in_force = max(day for day in dated.days if day // 10_000 <= year)
                yield Fault(f"{path}.{iso(in_force)}", expected, got)
