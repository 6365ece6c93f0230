"""Shows policies to a reader: the values in force on a day, and what differs between two documents or two days."""

from typing import NamedTuple

from ledger.policy import Policy
from ledger.policy_leaves import leaves, written


class InForce(NamedTuple):
    """Is one figure or word in force on a day: its key without the day, the day it starts (yyyymmdd), how it reads."""

    key: str
    since: int
    text: str


class Difference(NamedTuple):
    """Is one key that two readings give other values: None where the one has no such key."""

    key: str
    old: str | None
    new: str | None


def in_force(policy: Policy, day: int, section: str = "") -> list[InForce]:
    """Returns every figure and word in force on a day, in the order of the document; of one section where named."""
    found = []
    for path, dated in policy.parameters.items():
        if section and path.partition(".")[0] != section:
            continue
        starts = [start for start in dated.days if start <= day]
        if starts:
            found += [InForce(f"{path}{leaf.path}", starts[-1], leaf.text) for leaf in leaves(dated.at(day))]
    return found


def values_of(policy: Policy, day: int = 0) -> dict[str, str]:
    """Returns the values by key: those in force on a day, or without one those of every day, the day in the key."""
    if day:
        return {each.key: each.text for each in in_force(policy, day)}
    return {
        f"{path}.{iso(start)}{leaf.path}": leaf.text
        for path, dated in policy.parameters.items()
        for start, value in zip(dated.days, dated.values, strict=True)
        for leaf in leaves(value)
    }


def header_of(policy: Policy) -> dict[str, str]:
    """Returns what ``[policy]`` decides, by key: whom it is for, dates, years, stays, levels, the order of clawbacks.

    It holds on every day: it is part of the document, not dated in it.
    """
    header = policy.header
    found: dict[str, str] = {}
    for name in _DECIDING:
        value = getattr(header, name)
        if isinstance(value, dict):
            found |= {f"policy.{name}.{key}": str(each) for key, each in value.items()}
        else:
            found[f"policy.{name}"] = written(value)
    return found


_DECIDING = (
    *("regions", "prefixes", "policy_date", "benefit_year_date", "benefit_year_starts", "stay_across_years"),
    *("discharge_day_counts", "levels", "clawback_order"),
)


def differences(old: dict[str, str], new: dict[str, str]) -> list[Difference]:
    """Returns the keys whose values differ, in the order of the old reading and then of what only the new one has."""
    keys = dict.fromkeys((*old, *new))
    return [Difference(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]


def iso(day: int) -> str:
    """Returns yyyymmdd as the language writes a day.

    >>> iso(20240101)
    '2024-01-01'
    """
    return f"{day // 10_000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"
