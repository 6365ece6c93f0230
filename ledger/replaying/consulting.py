"""Tells which parameters of a policy the acts of a period ever consult, by asking what changes their plans."""

from collections.abc import Mapping
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
    mine = np.flatnonzero(plans.other)
    cases = segment.cases[mine]
    old = [segment.policies[at] for at in np.unique(cases[:, CASE_INTS.index("policy")]).tolist()]
    found: dict[str, Consulted] = {}
    for each in old:
        replaced = book.policy_named(each)
        if replaced is None or each == digest:
            continue
        effects: dict[str, bool] = {}
        for key, before, now in differences(values_of(replaced), values_of(new)):
            path = next(p for p in (*new.parameters, *replaced.parameters) if key.startswith(f"{p}."))
            if path not in effects:
                effects[path] = _matters(book, plans, cases, segment, new, replaced, path)
            have = found.get(key)
            found[key] = Consulted(key, before, now, effects[path] or (have is not None and have.consulted))
    return list(found.values())


def _matters(
    book: "PolicyBook", plans: CasePlans, cases: Ints, segment: "Segment", new: Policy, old: Policy, path: str
) -> bool:
    """Returns whether putting one parameter back changes the plan of a case that some act has."""
    parameters = {name: dated for name, dated in new.parameters.items() if name != path}
    if path in old.parameters:
        parameters[path] = old.parameters[path]
    variant = f"without {path}".encode()
    book.know({variant: Policy(new.header, parameters)})
    regions = dict.fromkeys(np.unique(cases[:, CASE_INTS.index("region")]).tolist(), variant)
    try:
        other = CasePlans(book, cases, segment.policies, regions)
        own = np.flatnonzero(plans.other)
        return any(not np.array_equal(other.on(day), plans.on(day)[own]) for day in plans.days)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Put back alone it makes no policy that can be compiled: the plans need it as it is now.
        return True


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
