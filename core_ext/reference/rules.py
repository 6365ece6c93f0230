"""Specifies the rules kernel: which charges violate which rules, and by how many fen."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core_ext import rule_tables as t
from core_ext.layout import ABSENT
from core_ext.rule_tables import CHARGE, CHARGES, RULE

Int64s = NDArray[np.int64]

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Charge:
    at: int
    values: tuple[int, ...]

    def __getitem__(self, name: str) -> int:
        return self.values[CHARGE[name]]


@dataclass(frozen=True, slots=True)
class _Rule:
    at: int
    values: tuple[int, ...]
    others: tuple[int, ...]

    def __getitem__(self, name: str) -> int:
        return self.values[RULE[name]]


class Rules:
    """Holds rules, checked once: each is of one item, ``first`` says where those of an item begin."""

    def __init__(self, rules: Int64s, first: Int64s, others: Int64s) -> None:
        t.check(rules, first, others)
        self._named = [
            _Rule(at, tuple(row), tuple(others[row[RULE["others"]] :][: row[RULE["count"]]].tolist()))
            for at, row in enumerate(rules.tolist())
        ]
        self._first = first.tolist()

    def find(self, charges: Int64s) -> Int64s:
        """Returns every violation, int64[k, HITS]: person by person, item by item, rule by rule, then in charge order.

        Each charge meets the rules of its own item, those whose days it falls on and whose ``outside`` bits it has
        none of. Raises ValueError for charges out of order or negative, OverflowError where a total leaves 64 bits.
        """
        t.check_charges(charges, len(self._first) - 1)
        listed = [_Charge(at, tuple(column)) for at, column in enumerate(charges.T.tolist())]
        for before, after in pairwise(listed):
            if after.values[: CHARGE["day"] + 1] < before.values[: CHARGE["day"] + 1]:
                raise t.unsorted(after.at)
        runs: dict[int, dict[int, list[_Charge]]] = defaultdict(dict)
        for charge in listed:
            runs[charge["person"]].setdefault(charge["item"], []).append(charge)
        found: list[tuple[int, int, int]] = []
        for of_person in runs.values():
            for item, run in of_person.items():
                for rule in self._named[self._first[item] : self._first[item + 1]]:
                    met = [charge for charge in run if _applies(rule, charge)]
                    found += [(rule.at, charge.at, fen) for charge, fen in _violations(rule, met, of_person)]
        return np.array(found, np.int64).reshape(-1, len(t.HITS))


def _applies(rule: _Rule, charge: _Charge) -> bool:
    return not charge["scope"] & rule["outside"] and rule["begin"] <= charge["day"] <= rule["until"]


def window_of(window: int, charge: _Charge) -> int:
    """Returns which window of its kind a charge is in."""
    match window:
        case t.VISIT:
            return charge["visit"]
        case t.DAY:
            return charge["day"]
    return charge["month"] // {t.MONTH: 1, t.QUARTER: 3, t.YEAR: 12}[window]


def _violations(rule: _Rule, met: list[_Charge], of_person: dict[int, list[_Charge]]) -> list[tuple[_Charge, int]]:
    match rule["op"]:
        case t.FORBIDDEN:
            return [(charge, charge["amount"]) for charge in met if charge["scope"] & rule["high"]]
        case t.BETWEEN:
            return _between(rule, met)
        case t.OUTSIDE:
            out = (charge for charge in met if not charge["begin"] <= charge["day"] <= charge["end"])
            return [(charge, charge["amount"]) for charge in out]
        case t.TOTAL:
            return _total(rule, met)
        case t.DEARER:
            return _dearer(rule, met)
        case t.OVERLAP | t.RETURN:
            return _stays(rule, met)
    return _together(rule, met, of_person)


def part_of(amount: int, part: int, whole: int) -> int:
    """Returns the share of an amount that a part of a whole has, halves up."""
    return (2 * amount * part + whole) // (2 * whole)


def _between(rule: _Rule, met: list[_Charge]) -> list[tuple[_Charge, int]]:
    found = []
    for charge in met:
        value = charge.values[rule["field"]]
        if value == ABSENT or rule["low"] <= value <= rule["high"]:
            continue
        fen = charge["amount"]
        if value > max(rule["high"], 0) and rule["field"] in (CHARGE["cnt"], CHARGE["pric"]):
            fen = part_of(fen, value - max(rule["high"], 0), value)
        found.append((charge, fen))
    return found


def _total(rule: _Rule, met: list[_Charge]) -> list[tuple[_Charge, int]]:
    totals: dict[int, int] = {}
    days: dict[int, int] = {}
    found = []
    for charge in met:
        window = window_of(rule["window"], charge)
        total = totals.setdefault(window, 0)
        match rule["field"]:
            case t.COUNT:
                added = charge["cnt"]
            case t.AMOUNT:
                added = charge["amount"]
            case t.TIMES:
                added = 1
            case _:
                added = int(days.get(window) != charge["day"])
        days[window] = charge["day"]
        totals[window] = total = total + added
        if total > _LARGEST:
            raise t.too_large(charge.at)
        if total <= rule["high"]:
            continue
        over, fen = min(added, total - rule["high"]), charge["amount"]
        if rule["field"] == t.AMOUNT:
            fen = over
        elif rule["field"] == t.COUNT and added:
            fen = part_of(fen, over, added)
        if over or rule["field"] == t.DAYS:
            found.append((charge, fen))
    return found


def _dearer(rule: _Rule, met: list[_Charge]) -> list[tuple[_Charge, int]]:
    lowest: dict[int, int] = {}
    found = []
    for charge in met:
        window, price = window_of(rule["window"], charge), charge["pric"]
        least = lowest.get(window, price)
        if price > least:
            found.append((charge, part_of(charge["amount"], price - least, price)))
        lowest[window] = min(least, price)
    return found


def _stays(rule: _Rule, met: list[_Charge]) -> list[tuple[_Charge, int]]:
    found = []
    latest = before = None
    for charge in met:
        if rule["op"] == t.OVERLAP:
            hit = latest is not None and charge["begin"] < latest
        else:
            hit = (
                before is not None
                and charge["institution"] == before["institution"]
                and 0 <= charge["begin"] - before["end"] <= rule["high"]
            )
        if hit:
            found.append((charge, charge["amount"]))
        latest = charge["end"] if latest is None else max(latest, charge["end"])
        before = charge
    return found


def _together(rule: _Rule, met: list[_Charge], of_person: dict[int, list[_Charge]]) -> list[tuple[_Charge, int]]:
    there = [{window_of(rule["window"], charge) for charge in of_person.get(item, ())} for item in rule.others]
    found = []
    for charge in met:
        others = sum(window_of(rule["window"], charge) in windows for windows in there)
        holds = {t.PRESENT: others > 0, t.MISSING: others == 0, t.PARTS: others + 1 >= rule["high"]}
        if holds[rule["op"]]:
            found.append((charge, charge["amount"]))
    return found


__all__ = ["CHARGES", "Rules", "part_of", "window_of"]
