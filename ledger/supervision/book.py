"""Resolves packs into what the rules kernel reads: rules by item with the days they hold on, and codes as items.

A rule holds from its pack's first day until the day before a later pack that drops or replaces it, so a service meets
the rules of its own day, whenever it is reviewed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext import rule_tables as t
from core_ext.kernels import load
from core_ext.layout import ABSENT
from core_ext.rule_tables import CHARGE, RULES, WINDOWS, Int64s
from ledger.refusals import Refusal, Refused
from ledger.supervision.days import ordinal
from ledger.supervision.packs import Pack, limit_of, scaled, version_of
from ledger.supervision.terms import BITS, GROUPS, SCOPED, STAYS, VISITS, Rule, mask_of

_NEVER = 4_000_000
_MEASURE = {"count": t.COUNT, "beyond_possible": t.COUNT, "amount": t.AMOUNT, "frequency": t.TIMES, "course": t.DAYS}
#: Stands for "the visit's diagnosis is not known" beside the diagnoses of a rule.
_NO_DIAGNOSIS = ""


class Held(NamedTuple):
    """Is a rule with the pack that brought it and the days of service it holds on, as ordinals."""

    rule: Rule
    version: bytes
    pack: bytes
    begin: int
    until: int


class Book:
    """Is the packs in force, resolved: the kernel's tables, and which items a code is.

    ``held`` has the rules, ``source`` which of them each row of ``rules`` is of; ``digest`` names all of it. Items are
    numbered by code, by set of codes, and by set of diagnoses.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.held = tuple(_held(packs))
        self.digest = self.digest_of([pack.digest for pack in packs])
        self._codes: dict[str, int] = {}
        self._sets: dict[frozenset[str], int] = {}
        self._diagnoses: dict[frozenset[str], int] = {}
        self._items = 0
        self._known: dict[str, int] = {}
        self._lists: list[tuple[int, ...]] = []
        self._flat = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._known_diagnoses: dict[str, tuple[int, ...]] = {}
        rows: list[tuple[tuple[int, ...], tuple[int, ...], int]] = []
        for at, held in enumerate(self.held):
            rows += [(row, others, at) for row, others in self._rows(held)]
        self.visits = self._code(VISITS)
        self.stays = self._code(STAYS)
        # By what they do within an item: the kernel's next step is then mostly the one before.
        rows.sort(key=lambda each: each[0][:2])
        self.others = np.array([item for _, others, _ in rows for item in others], np.int64)
        counts = np.array([len(others) for _, others, _ in rows], np.int64)
        starts = np.cumsum(counts) - counts
        table = np.array([row for row, _, _ in rows], np.int64).reshape(-1, len(RULES) - 2)
        self.rules = np.ascontiguousarray(np.column_stack([table, starts, counts]))
        self.source = np.array([at for _, _, at in rows], np.int64)
        self.first = np.searchsorted(self.rules[:, 0], np.arange(self._items + 1)).astype(np.int64)
        self.diagnosed = bool(self._diagnoses)
        self.kernel = load("rules").Rules(self.rules, self.first, self.others)
        self._starts = _by_length(self._sets)
        self._diagnosis_starts = _by_length(self._diagnoses)

    @staticmethod
    def digest_of(packs: Sequence[bytes]) -> bytes:
        """Returns the 16 bytes that name packs, by their digests in their order."""
        return hashlib.sha256(b"".join(packs)).digest()[:16]

    def items_of(self, code: str) -> tuple[int, ...]:
        """Returns the items that a charge of a code is: its own, and every set that has it; none where no rule asks."""
        own = (self._codes[code],) if code in self._codes else ()
        return own + _matching(self._starts, code)

    def expand(self, codes: Sequence[str], wanted: "NDArray[np.bool_]") -> tuple[Int64s, Int64s]:
        """Returns (row, item) of the rows ``wanted``: one a row for each item that its code is."""
        for code in set(codes) - self._known.keys():
            self._known[code] = len(self._lists)
            self._lists.append(self.items_of(code))
        if len(self._flat[0]) != len(self._lists):
            counts = np.fromiter(map(len, self._lists), np.int64, len(self._lists))
            flat = np.array([item for each in self._lists for item in each], np.int64)
            self._flat = (counts, np.cumsum(counts) - counts, flat)
        counts, starts, flat = self._flat
        known = np.fromiter(map(self._known.__getitem__, codes), np.int64, len(codes))
        many = np.where(wanted, counts[known], 0) if len(codes) else known
        rows = np.repeat(np.arange(len(codes)), many)
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(many) - many, many)
        return rows, flat[starts[known[rows]] + nth]

    def diagnoses_of(self, code: str) -> tuple[int, ...]:
        """Returns the sets of diagnoses that one is in; an unknown one, the empty text, is in all of them."""
        known = self._known_diagnoses.get(code)
        if known is None:
            every = tuple(self._diagnoses.values())
            known = every if code == _NO_DIAGNOSIS else _matching(self._diagnosis_starts, code)
            self._known_diagnoses[code] = known
        return known

    def _code(self, code: str) -> int:
        return self._number(self._codes, code)

    def _number(self, numbers: dict[Any, int], key: str | frozenset[str]) -> int:
        if key not in numbers:
            numbers[key] = self._items
            self._items += 1
        return numbers[key]

    def _item(self, codes: tuple[str, ...]) -> int:
        if len(codes) == 1 and not codes[0].endswith("*"):
            return self._code(codes[0])
        return self._number(self._sets, frozenset(codes))

    def _rows(self, held: Held) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Returns the kernel's rows of a rule, one an item, each with its others."""
        rule = held.rule
        op, field, low, high = _limits(rule)
        outside = _outside(rule)
        window = WINDOWS.index(rule.window or "visit")
        if rule.kind == "split" and rule.by == "parts":
            parts = [self._item((code,)) for code in rule.items]
            pairs = [(part, tuple(other for other in parts if other != part)) for part in parts]
        else:
            items = [self._item(codes) for codes in _together(rule)]
            others: tuple[int, ...] = ()
            if rule.others:
                others = (self._item(rule.others),)
            elif rule.indications:
                others = (self._number(self._diagnoses, frozenset(rule.indications)),)
            pairs = [(item, others) for item in items]
        return [
            ((item, op, outside, window, field, low, high, held.begin, held.until), others) for item, others in pairs
        ]


def _together(rule: Rule) -> list[tuple[str, ...]]:
    """Returns the codes a rule speaks of, those it counts as one beside each other."""
    match rule.kind:
        case "wrong_institution" | "over_time" | "local_manual" | "after_death":
            return [(VISITS,)]
        case "overlapping_stays":
            return [(STAYS,)]
        case "impossible_frequency":
            return [(VISITS if rule.by == "visits" else STAYS,)]
        case "split":
            return [(STAYS,)]
    if rule.together or any(item.endswith("*") for item in rule.items):
        return [rule.items]
    return [(item,) for item in dict.fromkeys(rule.items)]


def _limits(rule: Rule) -> tuple[int, int, int, int]:
    """Returns (op, field, low, high) of a rule."""
    match rule.kind, rule.by:
        case "over_scope", "age":
            assert rule.ages is not None
            return t.BETWEEN, CHARGE["age"], *rule.ages
        case "over_scope", "indication":
            return t.MISSING, 0, 0, 0
        case "over_scope", group:
            other = tuple(name for name in GROUPS[group] if name not in rule.allowed)
            return t.FORBIDDEN, 0, 0, mask_of(group, other)
        case "over_standard", "dose":
            return t.BETWEEN, CHARGE["cnt"], 0, limit_of(rule)
        case "over_standard", "price":
            return t.BETWEEN, CHARGE["pric"], 0, limit_of(rule)
        case "over_standard", "markup":
            cost, markup = scaled(rule.cost, 6), scaled(rule.markup, 4)
            assert cost is not None and markup is not None
            return t.BETWEEN, CHARGE["pric"], 0, cost + cost * markup // 10_000
        case "over_standard" | "false", by if by in _MEASURE:
            return t.TOTAL, _MEASURE[by], 0, limit_of(rule)
        case "false", _:
            return t.OUTSIDE, 0, 0, 0
        case "duplicate" | "substitution", _:
            return t.PRESENT, 0, 0, 0
        case "missing_association", _:
            return t.MISSING, 0, 0, 0
        case "split", "parts":
            return t.PARTS, 0, 0, rule.least
        case "split", _:
            return t.RETURN, 0, 0, rule.days
        case "same_price", _:
            return t.DEARER, 0, 0, 0
        case "wrong_institution", _:
            return t.FORBIDDEN, 0, 0, BITS["institution", "unknown"]
        case "local_manual", _:
            return t.FORBIDDEN, 0, 0, BITS["place", "local"]
        case "over_time", _:
            return t.BETWEEN, CHARGE["late"], ABSENT + 1, rule.days
        case "after_death", _:
            return t.BETWEEN, CHARGE["after_death"], ABSENT + 1, 0
        case "overlapping_stays", _:
            return t.OVERLAP, 0, 0, 0
    assert rule.kind == "impossible_frequency"
    return t.TOTAL, t.TIMES, 0, limit_of(rule)


def _outside(rule: Rule) -> int:
    """Returns the scope bits a rule does not speak of."""
    outside = 0
    for group in SCOPED:
        names = getattr(rule.scope, group)
        if names:
            outside |= mask_of(group, tuple(name for name in GROUPS[group] if name not in names))
    if rule.kind in ("wrong_institution", "over_time", "local_manual"):
        outside |= BITS["channel", "direct"]
    return outside


def in_force(packs: Sequence[Pack]) -> list[dict[str, tuple[Rule, bytes]]]:
    """Returns what holds from each pack on: rules by code, with the digest of the pack that brought each.

    Raises Refused where a pack does not begin behind the one before it, extends another, or drops what is not there.
    """
    states: list[dict[str, tuple[Rule, bytes]]] = []
    for before, pack in zip((None, *packs), packs, strict=False):
        header = pack.header
        if before is not None and pack.begin <= before.begin:
            raise Refused(
                Refusal.RULES_OUT_OF_ORDER,
                f"{header.name}: expected a pack that begins behind {before.header.begin}, when {before.header.name}"
                f" begins, got {header.begin}",
            )
        if header.extends and (before is None or header.extends != before.header.name):
            last = "none" if before is None else before.header.name
            raise Refused(
                Refusal.RULES_OUT_OF_ORDER,
                f"{header.name}: expected to extend the pack before it, {last}, got {header.extends}: enact that first",
            )
        state = dict(states[-1]) if header.extends else {}
        for code in header.drops:
            if code not in state:
                raise Refused(Refusal.RULES_INVALID, f"{header.name}: expected to drop a rule there is, got {code}")
            del state[code]
        state |= {rule.code: (rule, pack.digest) for rule in pack.rules}
        states.append(state)
    return states


def _held(packs: Sequence[Pack]) -> Iterable[Held]:
    """Yields each version of each rule with the days it holds on; one that goes on through packs is one."""
    going: dict[str, Held] = {}
    begins = [ordinal(pack.begin) for pack in packs]
    for begin, state in zip(begins, in_force(packs), strict=True):
        for code in list(going):
            held = going[code]
            if code not in state or version_of(state[code][0]) != held.version:
                yield going.pop(code)._replace(until=begin - 1)
        for code, (rule, digest) in state.items():
            if code not in going:
                going[code] = Held(rule, version_of(rule), digest, begin, _NEVER)
    yield from going.values()


def _by_length(sets: dict[frozenset[str], int]) -> dict[int, dict[str, tuple[int, ...]]]:
    """Returns sets by how their codes begin: {length: {beginning: items}}; whole codes under length 0."""
    found: dict[int, dict[str, tuple[int, ...]]] = {}
    for codes, item in sets.items():
        for code in codes:
            whole = not code.endswith("*")
            text = code if whole else code[:-1]
            at = found.setdefault(0 if whole else len(text), {})
            at[text] = (*at.get(text, ()), item)
    return found


def _matching(starts: dict[int, dict[str, tuple[int, ...]]], code: str) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for length, texts in starts.items():
        for item in texts.get(code[:length] if length else code, ()):
            found[item] = None
    return tuple(found)


__all__ = ["Book", "Held", "in_force"]
