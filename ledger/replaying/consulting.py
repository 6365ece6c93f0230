"""Tells which parameters of a policy the acts of a period ever consult, by asking what changes their plans."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger.policy import Policy
from ledger.policy_terms import INSUTYPES, MATERNITY_INSUTYPE, MED_TYPES
from ledger.policy_views import differences, values_of
from ledger.replaying.planning import CasePlans
from ledger.segments.shape import CASE_INTS, Ints

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.segments.reading import Segment


#: Cases compiled together before it is looked whether one of them tells.
_TOGETHER = 32


class Consulted(msgspec.Struct, frozen=True):
    """Is one key the policies differ in, its values, and whether any act's plan hangs on its parameter."""

    key: str
    old: str | None
    new: str | None
    consulted: bool


def changed_keys(
    segment: "Segment", book: "PolicyBook", plans: CasePlans, new: Policy, digest: bytes
) -> list[Consulted]:
    """Returns the keys in which the policy differs from those it stands in for, in order of the document.

    A key is consulted where its parameter, put back to what it was, gives some act of the segment another plan.
    """
    policy = segment.cases[:, CASE_INTS.index("policy")]
    found: dict[str, Consulted] = {}
    for number in np.unique(policy[plans.other]).tolist():
        replaced = book.policy_named(segment.policies[number])
        if replaced is None or segment.policies[number] == digest:
            continue
        rows = np.flatnonzero(plans.other & (policy == number))
        effects: dict[str, bool] = {}
        for key, before, now in differences(values_of(replaced), values_of(new)):
            path = next(p for p in (*new.parameters, *replaced.parameters) if key.startswith(f"{p}."))
            consulted = key in found and found[key].consulted
            if path not in effects and not consulted:
                effects[path] = _matters(book, plans, rows, segment, new, replaced, path)
            found[key] = Consulted(key, before, now, consulted or effects[path])
    return list(found.values())


def _matters(
    book: "PolicyBook", plans: CasePlans, rows: Ints, segment: "Segment", new: Policy, old: Policy, path: str
) -> bool:
    """Returns whether putting one parameter back changes the plan of a case, of ``rows``, that some act has."""
    parameters = {name: dated for name, dated in new.parameters.items() if name != path}
    if path in old.parameters:
        parameters[path] = old.parameters[path]
    variant = f"without {path}".encode()
    book.know({variant: Policy(new.header, parameters)})
    try:
        for some in _alike(segment.cases, rows):
            other = CasePlans(book, segment.cases[some], segment.policies, {0: variant})
            if any(not np.array_equal(other.on(day), plans.on(day)[some]) for day in plans.days):
                return True
    except (AttributeError, KeyError, TypeError, ValueError):
        # Put back alone it makes no policy that can be compiled: the plans need it as it is now.
        return True
    return False


def _alike(cases: Ints, rows: Ints) -> Iterator[Ints]:
    """Yields a few of the rows at a time, one of those that differ in their region alone: the first few mostly tell."""
    columns = [at for at, name in enumerate(CASE_INTS) if name != "region"]
    _, first = np.unique(cases[rows][:, columns], axis=0, return_index=True)
    pieces = max(1, len(first) // _TOGETHER)
    for piece in range(pieces):
        yield rows[first[piece::pieces]]


def never_consulted(cases: Ints, new: Policy) -> list[str]:
    """Returns the parameters about insurance types and kinds of treatment that no act of the cases has."""
    insutype, med_type = (cases[:, CASE_INTS.index(name)] for name in ("insutype", "med_type"))
    # A birth insured by the maternity fund of its time is an employee's.
    insutype = np.where(insutype == MATERNITY_INSUTYPE, INSUTYPES["employee"], insutype)
    met = set(zip(insutype.tolist(), med_type.tolist(), strict=True))
    insured: Mapping[str, int] = INSUTYPES
    found = []
    for path in new.parameters:
        section, _, rest = path.partition(".")
        name = rest.partition(".")[0]
        kinds = {(i, m) for i, m in met if insured.get(section, i) == i and MED_TYPES.get(name, m) == m}
        if not kinds:
            found.append(path)
    return found
