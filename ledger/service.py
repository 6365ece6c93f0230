"""Is the ledger as a host service uses it: one short method a command, each one transaction, or a job of many.

A ``Ledger`` may be shared by threads: commands take the log in turn. It must not be carried across a fork: open the
store again in the child. Nothing is read from the environment; the clock is the one it was opened with.
"""

import time

from ledger.verbs.advances import Advances
from ledger.verbs.allowances import Allowances
from ledger.verbs.axes import Axes
from ledger.verbs.banking import Banking
from ledger.verbs.casework import Casework
from ledger.verbs.claims import Claims
from ledger.verbs.clearing import Clearings
from ledger.verbs.detaching import Detaching
from ledger.verbs.funds import Funds
from ledger.verbs.institutions import Institutions
from ledger.verbs.manual import Manual
from ledger.verbs.money import Money
from ledger.verbs.paying import Paying
from ledger.verbs.periods import Periods
from ledger.verbs.policies import Policies
from ledger.verbs.reconciling import Reconciling
from ledger.verbs.replays import Replays
from ledger.verbs.settling import Settling
from ledger.verbs.supervision import Supervision


def wall_clock_us() -> int:
    """Returns the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Ledger(
    Policies,
    Claims,
    Settling,
    Periods,
    Clearings,
    Money,
    Paying,
    Banking,
    Advances,
    Funds,
    Institutions,
    Allowances,
    Reconciling,
    Supervision,
    Casework,
    Manual,
    Replays,
    Axes,
    Detaching,
):
    """Is an open ledger. Use it as a context manager; every method refuses with ``Refused`` and then wrote nothing."""

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_store()
