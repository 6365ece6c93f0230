"""Are the commands about what institutions are paid instead of itemised fund parts."""

from typing import TYPE_CHECKING

from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.institution_pay.setting import InstitutionsSet


class Institutions(Base):
    """Sets what agencies pay by fixed amount, DRG, DIP and package."""

    def set_institutions(self, period: int, *, reason: str = "") -> "InstitutionsSet":
        """Sets what each region's agency pays its institutions for a closed period, by its policy and the groupings.

        Doing it again books what has changed since; a change behind an instructed payment is refused, and so is one
        behind a clearing that is drawn up: withdraw that first.
        """
        from ledger import explain
        from ledger.acts import read_acts
        from ledger.clearing.states import decide_draft, read_clearing
        from ledger.institution_pay.setting import set_institutions

        with self.transaction() as tx:
            state = self.knowledge.periods
            if period not in state.closed:
                raise Refused(Refusal.PERIOD_NOT_CLOSED, f"expected a closed period, got {period}: close it first")
            cause, command = self.command(tx, "institutions set", reason, {"period": period})
            pages = read_acts(tx, after=state.opened[period], stop=state.closed[period])
            events, report = set_institutions(tx, pages, self.knowledge.policies, period, cause)
            if events:
                clearing = read_clearing(tx, period)
                if refusal := decide_draft(clearing):
                    raise Refused(refusal, explain.clearing(refusal, clearing, 0))
                self.append(tx, [command, *events])
            return report
