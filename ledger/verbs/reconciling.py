"""Are the commands of reconciliation (对账): a run over a counterpart's file, and what becomes of each break."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.reconciling.events import CORRECTED, NOBODY, ROLES, WRITTEN_OFF
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.event import Event
    from ledger.reconciling.reports import Break, Reconciled
    from ledger.reconciling.states import BreakState


class Reconciling(Base):
    """Compares what stands here with a counterpart's file, and follows breaks up."""

    def reconcile(
        self,
        path: str | Path,
        counterpart: str,
        *,
        period: int | None = None,
        day: int | None = None,
        totals: str | Path | None = None,
        own: int = 0,
        role: str = "both",
        refunds: bool = True,
        profile: str | Path = "national",
        mismatches: str | Path | None = None,
        reason: str = "",
    ) -> "Reconciled":
        """Reconciles a counterpart's file of one clearing period, or of the claims settled on one day.

        ``counterpart`` is a region or an institution, ``role`` in which it stands in the claims (both, insured,
        treatment), ``own`` the region on the other side (0: any). ``refunds`` False leaves them out, as
        REFD_SETL_FLAG 0 does. The same file again finds nothing new; a break it no longer shows is corrected.
        """
        from ledger.profile import load_profile
        from ledger.reconciling.running import run_reconcile
        from ledger.reconciling.scope import scope_of

        if role not in ROLES:
            raise Refused(Refusal.BAD_VALUE, f"expected a role of {', '.join(ROLES)}, got {role!r}")
        return run_reconcile(
            self,
            Path(path),
            scope_of(period, day, counterpart, own, ROLES.index(role), refunds),
            load_profile(profile),
            totals=Path(totals) if totals is not None else None,
            mismatches=Path(mismatches) if mismatches is not None else None,
            reason=reason,
        )

    def break_assign(self, key: str, owner: str, reason: str) -> "Break":
        """Gives an open break an owner."""
        from ledger.reconciling.states import decide_assign

        return self._followed(key, "break assign", reason, {"owner": owner}, decide_assign, owner, reason)

    def break_explain(self, key: str, reason: str) -> "Break":
        """Says why a break is there; it stays open."""
        from ledger.reconciling.states import decide_explain

        return self._followed(key, "break explain", reason, {}, decide_explain, reason)

    def break_carry(self, key: str, reason: str, *, most: int = 2) -> "Break":
        """Carries an open break into the next period, at most ``most`` periods on."""
        from ledger.reconciling.states import decide_carry

        return self._followed(key, "break carry", reason, {"most": most}, decide_carry, reason, most)

    def break_correct(self, key: str, reason: str) -> "Break":
        """Ends a break as corrected; another file that still shows it opens it again."""
        from ledger.reconciling.states import decide_resolve

        return self._followed(key, "break correct", reason, {}, decide_resolve, CORRECTED, NOBODY, reason)

    def break_write_off(self, key: str, reason: str) -> "Break":
        """Ends a break that nobody pursues; what is booked stays booked, and no money moves."""
        from ledger.reconciling.states import decide_resolve

        return self._followed(key, "break write-off", reason, {}, decide_resolve, WRITTEN_OFF, NOBODY, reason)

    def _followed(
        self,
        key: str,
        verb: str,
        reason: str,
        arguments: dict[str, object],
        decide: "Callable[..., Event | Refusal]",
        *values: object,
    ) -> "Break":
        from ledger.reconciling.breaks import named_break
        from ledger.reconciling.reports import Break
        from ledger.reconciling.states import evolve

        if not reason.strip():
            raise Refused(Refusal.BAD_VALUE, f"{verb}: expected a reason, got nothing: the log records why")
        with self.transaction() as tx:
            state = named_break(tx, key)
            cause, command = self.command(tx, verb, reason, {"break": state.stream, **arguments})
            decided = decide(state, cause, *values)
            if isinstance(decided, Refusal):
                raise Refused(decided, _refusal_text(decided, state))
            self.append(tx, [command, (state.stream, state.version + 1, decided)])
            return Break.of(evolve(state, cause + 1, decided))


def _refusal_text(refusal: Refusal, state: "BreakState") -> str:
    """Returns why a break is not followed up as asked."""
    if refusal == Refusal.BREAK_ENDED:
        return f"{state.stream} is {state.status.value.replace('_', ' ')} already: only an open break is followed up"
    if refusal == Refusal.BREAK_CARRIED_OUT:
        return (
            f"{state.stream} is carried {state.carried} periods already, into {state.standing}:"
            " correct it or write it off"
        )
    return "expected the name of an owner, got nothing"
