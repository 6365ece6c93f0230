"""Lists the off-site filings (备案) that end soon, so that a person can be warned in time (DOMAIN section 10)."""

import datetime
from typing import TYPE_CHECKING

import msgspec

from ledger.register_file import date_of, day_after, number_of
from ledger.registers import FILINGS

if TYPE_CHECKING:
    from ledger.store import Reader

ENDING = "SELECT token, filing, region, begin, to_ FROM filing WHERE to_ >= ? AND to_ <= ? ORDER BY to_, token, region"
#: The filing that follows another without a day between.
FOLLOWING = "SELECT token, region, begin FROM filing WHERE begin > ? AND begin <= ?"


class ExpiringFiling(msgspec.Struct, frozen=True):
    """Is a filing that ends within the days asked for; ``psn_no`` is empty where the person is erased."""

    psn_no: str
    type: str
    region: int
    begin: int
    to: int
    days_left: int


def expiring(reader: "Reader", days: int, on: int) -> list[ExpiringFiling]:
    """Returns the filings in force that end from ``on`` (yyyymmdd) to ``days`` days later, the first to end first.

    One that another filing for the same region follows on the very next day is not listed: nothing lapses.
    """
    left = (datetime.date.max - date_of(on)).days - 1  # the day after the last one must be a day, too
    last = number_of(date_of(on) + datetime.timedelta(days=min(days, left)))
    followed = {tuple(map(int, row)) for row in reader.query(FOLLOWING, (on, day_after(last)))}
    names = {value: name for name, value in FILINGS.items()}
    ending = [
        (int(token), names[int(filing)], int(region), int(begin), int(to))
        for token, filing, region, begin, to in reader.query(ENDING, (on, last))
        if begin <= on and (int(token), int(region), day_after(int(to))) not in followed
    ]
    persons = reader.persons([token for token, *_ in ending])
    return [
        ExpiringFiling(persons.get(token, ("", ""))[0], filing, region, begin, to, (date_of(to) - date_of(on)).days)
        for token, filing, region, begin, to in ending
    ]
