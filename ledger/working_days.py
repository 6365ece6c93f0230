"""Knows the working days of China, as the State Council publishes them a year ahead.

The calendar is that of the maintained ``holidays`` library: weekends, public holidays and the weekend days worked in
their stead. A year whose arrangement is not published has no working days here, rather than guessed ones.
"""

import datetime
from functools import cache
from typing import TYPE_CHECKING

from ledger.refusals import LedgerError

if TYPE_CHECKING:
    from holidays import HolidayBase


class CalendarUnpublishedError(LedgerError):
    """Is a year whose working-day calendar is not published: expected, got."""


@cache
def published_years() -> frozenset[int]:
    """Returns the years whose arrangement of holidays is published."""
    from holidays.countries.china import ChinaStaticHolidays

    return frozenset(ChinaStaticHolidays.special_public_holidays)


def is_working_day(day: datetime.date) -> bool:
    """Returns whether a day is worked; raises CalendarUnpublishedError for a year without a published calendar."""
    return _calendar(day.year).is_working_day(day)


def add_working_days(day: datetime.date, count: int) -> datetime.date:
    """Returns the ``count``-th working day behind ``day``.

    Raises CalendarUnpublishedError where it lies in a year without a published calendar.
    """
    while count > 0:
        day += datetime.timedelta(days=1)
        count -= is_working_day(day)
    return day


def working_days_between(after: datetime.date, to: datetime.date) -> int:
    """Returns how many working days lie behind ``after`` up to and with ``to``; raises CalendarUnpublishedError."""
    days = (after + datetime.timedelta(days=at) for at in range(1, (to - after).days + 1))
    return sum(is_working_day(day) for day in days)


@cache
def _calendar(year: int) -> "HolidayBase":
    from holidays.utils import country_holidays

    if year not in published_years():
        raise CalendarUnpublishedError(unpublished(year))
    return country_holidays("CN", years=year)


def unpublished(year: int) -> str:
    """Returns what is wrong with a year that has no published calendar."""
    years = published_years()
    return f"expected a year with a published working-day calendar ({min(years)} to {max(years)}), got {year}"
