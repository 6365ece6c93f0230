"""Reckons with days: yyyymmdd as ordinals (days since 1 March of year 0), months and ages, one or a whole column."""

from typing import TypeVar

import numpy as np

from core_ext.layout import ABSENT
from core_ext.rule_tables import Int64s

Days = TypeVar("Days", int, Int64s)


def ordinal(day: Days) -> Days:
    """Returns the ordinal of yyyymmdd; two days are as far apart as their ordinals."""
    year, month, of_month = day // 10_000, day // 100 % 100, day % 100
    # A year that begins in March ends with its leap day.
    since, march = (month + 9) % 12, year - (month < 3)
    return march * 365 + march // 4 - march // 100 + march // 400 + (since * 306 + 5) // 10 + of_month - 1


def month_number(day: Days) -> Days:
    """Returns year * 12 + month - 1 of yyyymmdd."""
    return day // 10_000 * 12 + day // 100 % 100 - 1


def ages(births: Int64s, days: Int64s) -> Int64s:
    """Returns ages in full years on days; ABSENT where a birth is 0 or later."""
    years = days // 10_000 - births // 10_000 - (days % 10_000 < births % 10_000)
    return np.where((births == 0) | (years < 0), ABSENT, years)


def apart(later: Int64s, earlier: Int64s) -> Int64s:
    """Returns the days from ``earlier`` to ``later``, ABSENT where either is 0."""
    return np.where((later == 0) | (earlier == 0), ABSENT, ordinal(later) - ordinal(earlier))
