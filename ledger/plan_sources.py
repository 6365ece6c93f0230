"""Tells which keys of a policy each figure of a plan comes from, by asking what changes it.

A plan is compiled from the values in force. Each of their leaves is changed in turn and the plan compiled again: a
column that comes out otherwise hangs on that leaf. So nothing has to be kept in step with the compiler.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import FACT
from core_ext.plan import PLAN
from ledger.plans import PolicyBook
from ledger.policy import Dated, Policy
from ledger.policy_leaves import leaves, variations
from ledger.policy_sections import SECTIONS
from ledger.policy_terms import INSUTYPES, MED_TYPES, TREATMENT_TYPES

Ints = NDArray[np.int64]


class Parameter(NamedTuple):
    """Is one value a plan hangs on: the document, the key without the day, the day it starts, and how it reads."""

    file: str
    key: str
    since: int
    text: str


def kind_of(path: str) -> object:
    """Returns the type of a parameter by its path; raises KeyError for one the language does not have."""
    section, _, rest = path.partition(".")
    name, _, parameter = rest.partition(".")
    return TREATMENT_TYPES[parameter] if parameter else SECTIONS[section][name]


def sources_of(policy: Policy, file: str, day: int, facts: Ints, how: Ints) -> Mapping[str, tuple[Parameter, ...]]:
    """Returns, by column of the plan of one claim, the values it hangs on; ``facts`` and ``how`` are its rows.

    A value that is only about another insurance type or kind of treatment than the claim's is not tried.
    """
    insutype, med_type = int(facts[FACT["insutype"]]), int(facts[FACT["med_type"]])
    book = PolicyBook()
    book.know({b"": policy})
    plan = _plan(book, facts, how, b"")
    found: dict[str, dict[Parameter, None]] = {}
    for path, dated in policy.parameters.items():
        value = dated.at(day)
        if value is None or _is_about_others(path, insutype, med_type):
            continue
        at = max(place for place, start in enumerate(dated.days) if start <= day)
        texts = {leaf.path: leaf.text for leaf in leaves(value)}
        for inner, changed in variations(value, kind_of(path)):
            book = PolicyBook()
            values = (*dated.values[:at], changed, *dated.values[at + 1 :])
            book.know({b"": Policy(policy.header, policy.parameters | {path: Dated(dated.days, values)})})
            try:
                other = _plan(book, facts, how, b"")
            except (AttributeError, KeyError, TypeError, ValueError):
                # One leaf changed alone need not leave a policy that can be compiled; then it shows nothing.
                continue
            if plan is None or other is None:
                continue
            parameter = Parameter(file, f"{path}{inner}", dated.days[at], texts.get(inner, ""))
            for column in np.flatnonzero(plan != other).tolist():
                found.setdefault(PLAN[column], {})[parameter] = None
    return {column: tuple(parameters) for column, parameters in found.items()}


def _plan(book: PolicyBook, facts: Ints, how: Ints, digest: bytes) -> Ints | None:
    (row,) = book.resolve_pinned(facts.reshape(1, -1), (np.zeros(1, np.int64), [digest]), how.reshape(1, -1))
    return book.plans[row] if row >= 0 else None


def _is_about_others(path: str, insutype: int, med_type: int) -> bool:
    """Returns whether a parameter is about one insurance type, or one kind of treatment, that is not the claim's."""
    section, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    return INSUTYPES.get(section, insutype) != insutype or MED_TYPES.get(name, med_type) != med_type
