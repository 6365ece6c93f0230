"""Lists everything a rule can say: kinds and what each needs, scopes and their bits, cases that show a rule at work."""

from typing import Literal, NamedTuple

import msgspec

from ledger.policy_terms import MATERNITY as BIRTHS
from ledger.policy_terms import MED_TYPES

Kind = Literal[
    "over_scope", "over_standard", "duplicate", "missing_association", "substitution", "false", "split", "same_price",
    "wrong_institution", "over_time", "local_manual", "overlapping_stays", "after_death", "impossible_frequency",
]  # fmt: skip
Window = Literal["visit", "day", "month", "quarter", "year"]
Result = Literal["definite", "suspect"]

#: Stand for a visit as a whole, and for one with a bed, where a rule names items.
VISITS, STAYS = "#visit", "#stay"

#: The kinds of treatment (med_type) of births, which rules know as one setting; every setting's own kind.
MATERNITY = tuple(MED_TYPES[name] for name in BIRTHS)
SETTINGS = {name: code for name, code in MED_TYPES.items() if name not in BIRTHS} | {"maternity": MATERNITY[0]}

#: A charge has one bit of each group, or none where nothing is known; every other value of a group is its last name.
GROUPS: dict[str, tuple[str, ...]] = {
    "insurance": ("employee", "resident", "other"),
    "level": ("1", "2", "3", "unrated"),
    "setting": (*SETTINGS, "other"),
    "place": ("local", "province", "cross_province"),
    "sex": ("male", "female"),
    "channel": ("direct", "manual"),
    "institution": ("registered", "unknown"),
}
BITS: dict[tuple[str, str], int] = {
    pair: 1 << at for at, pair in enumerate((group, name) for group, names in GROUPS.items() for name in names)
}
#: The groups a rule may be limited to by its ``scope``.
SCOPED = ("insurance", "level", "setting", "place")


def mask_of(group: str, names: tuple[str, ...]) -> int:
    """Returns the bits of some names of a group."""
    return sum(BITS[group, name] for name in names)


class Need(NamedTuple):
    """Is what a kind of rule must say, by ``by`` where it has one: keys beside those of every rule."""

    keys: tuple[str, ...]
    windows: bool = False


#: Every kind, what ``by`` may be (empty: the kind has none), and what it then needs.
KINDS: dict[str, dict[str, Need]] = {
    "over_scope": {
        **dict.fromkeys(("insurance", "level", "setting", "place", "sex"), Need(("items", "allowed"))),
        "age": Need(("items", "ages")),
        "indication": Need(("items", "indications")),
    },
    "over_standard": {
        "dose": Need(("items", "limit")),
        **dict.fromkeys(("count", "frequency", "course", "amount"), Need(("items", "limit"), True)),
        "price": Need(("items", "limit")),
        "markup": Need(("items", "cost", "markup")),
    },
    "duplicate": {"": Need(("items", "others"), True)},
    "missing_association": {"": Need(("items", "others"), True)},
    "substitution": {"": Need(("items", "others"), True)},
    "false": {"outside_stay": Need(("items",)), "beyond_possible": Need(("items", "limit"), True)},
    "split": {"parts": Need(("items", "least"), True), "stay": Need(("days",))},
    "same_price": {"": Need(("items",), True)},
    "wrong_institution": {"": Need(())},
    "over_time": {"": Need(("days",))},
    "local_manual": {"": Need(())},
    "overlapping_stays": {"": Need(())},
    "after_death": {"": Need(())},
    "impossible_frequency": {"visits": Need(("limit",), True), "stays": Need(("limit",), True)},
}
#: Keys that only some kinds have.
OWN_KEYS = (
    "items", "allowed", "ages", "indications", "limit", "cost", "markup", "others", "least", "days", "together",
)  # fmt: skip
#: Kinds whose items may be counted together as one.
TOGETHER = {("over_standard", by) for by in ("count", "frequency", "course", "amount")} | {
    ("false", "beyond_possible"),
    ("same_price", ""),
}


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is what a rule speaks of, by group; empty for all."""

    insurance: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    setting: tuple[str, ...] = ()
    place: tuple[str, ...] = ()


class CaseVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is a visit of a case; what it leaves out is as in the case itself."""

    lines: tuple[str, ...] = ()
    begin: str | None = None
    end: str | None = None
    setting: str | None = None
    institution: str | None = None
    level: str | None = None


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is a person's charges in a case: ``lines`` read ``ITEM [xCOUNT] [@YYYY-MM-DD] [=PRICE]``, ``visits`` are further.

    Without an ``end`` a visit is of one day; charges without a day are of its first, without a count one piece, without
    a price 100.00 each. ``registered`` says whether the institution is in the register.
    """

    lines: tuple[str, ...] = ()
    visits: tuple[CaseVisit, ...] = ()
    begin: str = "2024-08-05"
    end: str = ""
    insurance: str = "employee"
    level: str = "2"
    setting: str = "outpatient"
    place: str = "local"
    institution: str = "H1"
    sex: str = ""
    birth: str = ""
    death: str = ""
    diagnosis: str = ""
    manual: bool = False
    applied: str = ""
    registered: bool | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is one rule of a pack: what it is about, its limit, its window and scope, and cases that show it."""

    code: str
    kind: Kind
    title: str
    result: Result
    by: str = ""
    window: Window | None = None
    items: tuple[str, ...] = ()
    together: bool = False
    others: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    ages: tuple[int, int] | None = None
    indications: tuple[str, ...] = ()
    limit: str = ""
    cost: str = ""
    markup: str = ""
    least: int = 0
    days: int = 0
    scope: Scope = Scope()
    hit: tuple[Case, ...] = ()
    miss: tuple[Case, ...] = ()


class PackHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is what a pack says of itself; ``begin`` is its first day of service, ``extends`` the pack whose rules go on.

    ``drops`` are codes of that pack that end; a rule of a code that it has takes its place. ``cases`` false says that
    its rules were made by a program and show no cases.
    """

    name: str
    title: str
    begin: str
    source: str
    extends: str = ""
    drops: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    cases: bool = True
