"""Are the commands that replay: periods again, under the same policies or another one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import explain
from ledger.knowledge import Knowledge
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.intake import Progress
    from ledger.replaying.committing import Booked
    from ledger.replaying.repricing import Repriced
    from ledger.replaying.whatif import WhatIf


class Replays(Base):
    """Asks what periods would be under another policy."""

    def what_if(
        self,
        policy: str | Path | None,
        period: int,
        *,
        to: int | None = None,
        regions: Sequence[int] = (),
        diff: str | Path | None = None,
        from_log: bool = False,
        register: int = 0,
        progress: "Progress | None" = None,
    ) -> "WhatIf":
        """Returns what a period, or all up to ``to``, would be under another policy; nothing is booked.

        ``regions`` are whose policy it stands in for: those of a document of its name unless given. ``diff`` is the
        file (.parquet or .csv) that lists every changed claim. Without a policy ``register`` is the position of a
        register command: the claims it reaches back to are decided by what registers say now.
        """
        from ledger.replaying.asking import Asked, ask

        asked = Asked(policy, period, period if to is None else to, tuple(regions), from_log, register)
        found, _, _ = ask(self, asked, Path(diff) if diff is not None else None, progress=progress)
        return found

    def correct(
        self,
        policy: str | Path | None,
        period: int,
        reason: str,
        *,
        to: int | None = None,
        regions: Sequence[int] = (),
        diff: str | Path | None = None,
        register: int = 0,
    ) -> "Booked":
        """Books what ``what_if`` finds into the open period: each claim in full anew, the difference on the statement.

        The policy must be enacted; ``register`` as in ``what_if``. Booked again it books nothing more, and refunded
        claims stay as they are.
        """
        from ledger.replaying.asking import Asked
        from ledger.replaying.committing import commit

        asked = Asked(policy, period, period if to is None else to, tuple(regions), False, register)
        return commit(self, asked, reason, Path(diff) if diff is not None else None)

    def reprice(self, period: int, *, progress: "Progress | None" = None) -> "Repriced":
        """Returns what a period would be in the order of service, without the claims refunded since; books nothing."""
        from ledger.replaying.asking import acts_of_periods
        from ledger.replaying.repricing import reprice

        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            if period not in known.periods.opened:
                raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, period, known.periods, {}))
            with acts_of_periods(self, reader, known, [period], False, progress) as folder:
                return reprice(folder, known.policies, progress=progress)
