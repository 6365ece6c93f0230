"""Says when each step of clearing a month is due, and which are done or overdue (DOMAIN section 2)."""

import calendar
import datetime
from typing import TYPE_CHECKING

import msgspec

from ledger.clearing.states import State
from ledger.events import PAYMENT_INSTITUTION, PAYMENT_REGION
from ledger.keys import following_month
from ledger.payments import read_payments
from ledger.working_days import add_working_days

if TYPE_CHECKING:
    from ledger.clearing.states import Clearing
    from ledger.clearing.terms import Terms
    from ledger.store import Reader


class Step(msgspec.Struct, frozen=True):
    """Is one step: its stable name, the day it is due (yyyymmdd), and done, due or overdue on the day asked about."""

    step: str
    due: int
    status: str


def due_days(period: int, terms: "Terms") -> dict[str, datetime.date]:
    """Returns the day each step of a month's clearing is due.

    Raises CalendarUnpublishedError where working days fall in a year whose calendar is not published.
    """
    set_ = terms.calendar
    after = following_month(period)
    notices = _day(after, set_.notice_day)
    submitted = add_working_days(notices, set_.submit_working_days)
    transferred = add_working_days(submitted, set_.transfer_working_days)
    last = period
    for _ in range(terms.late.periods):
        last = following_month(last)
    return {
        "reconcile": _day(period, 31) + datetime.timedelta(days=set_.reconciled_days),
        "cut_off": _day(after, set_.cut_off_day),
        "draft": _day(after, set_.draft_day),
        "check": _day(after, set_.check_day),
        "sign": _day(after, set_.sign_day),
        "notices": notices,
        "submit": submitted,
        "transfer": transferred,
        "record": add_working_days(transferred, set_.record_working_days),
        "late_claims": _day(last, 31),
        "year_end": _day((period // 100 + 1) * 100 + terms.late.year_end_month, 31),
    }


def steps(reader: "Reader", state: "Clearing", terms: "Terms", on: int) -> list[Step]:
    """Returns every step with its status on a day (yyyymmdd), in the order they are due.

    The log knows of cut-off, draft, check, signature, notices (payments instructed) and record (all of them
    confirmed); of the others it says ``due`` until the day and ``passed`` behind it.
    """
    instructed, confirmed = _payments(reader, state.period)
    done = {
        "cut_off": state.state >= State.CUT_OFF,
        "draft": state.state >= State.DRAFTED,
        "check": state.state >= State.CHECKED,
        "sign": state.state >= State.SIGNED,
        "notices": instructed > 0,
        "record": 0 < instructed == confirmed,
    }

    def status(name: str, due: int) -> str:
        if done.get(name):
            return "done"
        late = on > due
        return ("overdue" if late else "due") if name in done else ("passed" if late else "due")

    found = []
    for name, day in due_days(state.period, terms).items():
        due = day.year * 10_000 + day.month * 100 + day.day
        found.append(Step(name, due, status(name, due)))
    return sorted(found, key=lambda step: step.due)


def _payments(reader: "Reader", period: int) -> tuple[int, int]:
    """Returns how many payments of a period are instructed, and how many of them are done at the bank."""
    found = read_payments(reader, period, (PAYMENT_REGION, PAYMENT_INSTITUTION))
    return len(found), sum(each.code in ("confirmed", "withheld", "set_off") for each in found.values())


def _day(month: int, day: int) -> datetime.date:
    """Returns a day of a month (yyyymm), the month's last where it is shorter."""
    year, number = divmod(month, 100)
    return datetime.date(year, number, min(day, calendar.monthrange(year, number)[1]))
