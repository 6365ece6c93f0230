"""Are the commands on cases: terms, acts one by one or from a file, cases out of a review or a sample, expiry."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger.block import EventBlock
from ledger.local_time import local
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.casework.acts import Act
    from ledger.casework.desk import Desk
    from ledger.store import Transaction


class ActsTaken(msgspec.Struct, frozen=True):
    """Is a run of acts written in one transaction: how many, the events, the cases, the command's position."""

    acts: int
    events: int
    cases: tuple[str, ...]
    position: int


class Casework(Base):
    """Opens cases, takes them from stage to stage, and raises and collects what they bring."""

    def enact_case_terms(self, terms: str | Path, *, reason: str = "") -> str:
        """Puts a document of limits (a file, or the name of a shipped one) in force and returns its digest."""
        from ledger.casework.terms import enact

        return enact(self, terms, reason)

    def case_act(self, act: "Act", *, reason: str = "") -> ActsTaken:
        """Takes one act on a case or its money; refused acts write nothing."""
        return self.case_acts([act], reason=reason or act.reason)

    def case_file(self, path: str | Path, *, reason: str = "") -> ActsTaken:
        """Takes the acts of a CSV file in turn, all of them or, where one is refused, none."""
        from ledger.casework.acts import read_acts_file

        acts, content = read_acts_file(Path(path))
        return self.case_acts(acts, reason=reason, source=Path(path).name, digest=hashlib.sha256(content).digest()[:16])

    def case_acts(self, acts: "Sequence[Act]", *, reason: str = "", source: str = "", digest: bytes = b"") -> ActsTaken:
        """Takes acts in turn in one transaction, all of them or none."""
        with self.transaction() as tx:
            return self._take(tx, acts, reason, source, digest)

    def _take(
        self, tx: "Transaction", acts: "Sequence[Act]", reason: str, source: str = "", digest: bytes = b""
    ) -> ActsTaken:
        from ledger.refusals import Refused

        desk = self._desk(tx)
        for act in acts:
            try:
                desk.take(act)
            except Refused as refused:
                where = f"{source}, row {act.row}: " if source else ""
                raise Refused(refused.refusal, f"{where}{refused}") from None
        verbs = sorted({act.act for act in acts})
        return self._write(tx, desk, "case " + " ".join(verbs), reason, [act.case for act in acts], source, digest)

    def _desk(self, tx: "Transaction") -> "Desk":
        from ledger.casework.desk import Desk

        return Desk(tx, self.knowledge, tx.size + 1, self.actor, today(tx))

    def _write(
        self,
        tx: "Transaction",
        desk: "Desk",
        verb: str,
        reason: str,
        cases: Sequence[str],
        source: str = "",
        digest: bytes = b"",
    ) -> ActsTaken:
        named = tuple(dict.fromkeys(cases))
        if not desk.headers:
            return ActsTaken(len(cases), 0, named, 0)
        position, command = self.command(tx, verb, reason, {"cases": list(named[:20])}, source, digest)
        tx.append(EventBlock.from_events([command, *desk.headers]))
        self.knowledge.position = -1
        return ActsTaken(len(cases), len(desk.headers), named, position)

    def expire_cases(self, on: int = 0, *, reason: str = "") -> ActsTaken:
        """Does to every case past its limit on a day (0: today) what the terms say; again it does nothing."""
        from ledger.casework.docket import case_states

        with self.transaction() as tx:
            day = on or today(tx)
            late = [case for case, state in case_states(tx).items() if state.due and state.due < day]
            desk = self._desk(tx)
            for case in late:
                desk.expire(case, day)
            return self._write(tx, desk, "case expire", reason, late)

    def cases_from_review(self, period: int, owner: str, *, on: int = 0, rule: str = "", reason: str = "") -> ActsTaken:
        """Opens one case an institution out of what a review found in a period; numbers are REVIEW-<period>-<code>.

        A line that several rules meet counts once; no claim counts for more than its funds can get back. Cases that
        are open already are left as they are.
        """
        from ledger.casework.opening import acts_from_review

        with self.transaction() as tx:
            acts = acts_from_review(tx, self.knowledge.recovered, period, owner, on, rule)
            return self._take(tx, acts, reason)

    def sample_cases(
        self, period: int, count: int, seed: int, owner: str, *, on: int = 0, reason: str = ""
    ) -> ActsTaken:
        """Opens a case for each of ``count`` claims drawn from a period; the same seed draws the same claims."""
        from ledger.casework.opening import acts_from_sample

        with self.transaction() as tx:
            return self._take(tx, acts_from_sample(tx, period, count, seed, owner, on), reason)


def today(tx: "Transaction") -> int:
    """Returns the day in China on which a transaction is recorded, yyyymmdd."""
    return int(local(tx.recorded_at).strftime("%Y%m%d"))
