"""Are the commands on manual reimbursement: terms, and acts one by one or from a file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger.block import EventBlock
from ledger.verbs.base import Base
from ledger.verbs.casework import today

if TYPE_CHECKING:
    from ledger.manual.acts import Act


class ManualTaken(msgspec.Struct, frozen=True):
    """Is a run of acts written in one transaction: how many, the applications, the command's position."""

    acts: int
    applications: tuple[str, ...]
    position: int


class Manual(Base):
    """Takes applications for manual reimbursement (手工报销) from acceptance to payment, and recovers."""

    def enact_handling_terms(self, terms: str | Path, *, reason: str = "") -> str:
        """Puts a clock of manual reimbursement (a file, or the name of a shipped one) in force; returns its digest."""
        from ledger.manual.terms import enact

        return enact(self, terms, reason)

    def manual_act(self, act: "Act", *, reason: str = "") -> ManualTaken:
        """Takes one act on an application; a refused one writes nothing."""
        return self.manual_acts([act], reason=reason or act.reason)

    def manual_file(self, path: str | Path, *, reason: str = "") -> ManualTaken:
        """Takes the acts of a CSV file in turn, all of them or, where one is refused, none."""
        from ledger.manual.acts import read_acts_file

        acts, content = read_acts_file(Path(path))
        digest = hashlib.sha256(content).digest()[:16]
        return self.manual_acts(acts, reason=reason, source=Path(path).name, digest=digest)

    def manual_acts(
        self, acts: "Sequence[Act]", *, reason: str = "", source: str = "", digest: bytes = b""
    ) -> ManualTaken:
        """Takes acts in turn in one transaction, all of them or none."""
        from ledger.manual.desk import Desk
        from ledger.refusals import Refused

        named = tuple(dict.fromkeys(act.application for act in acts))
        if not acts:
            return ManualTaken(0, (), 0)
        with self.transaction() as tx:
            verb = "manual " + " ".join(sorted({act.act for act in acts}))
            arguments = {"applications": list(named[:20])}
            cause, command = self.command(tx, verb, reason, arguments, source, digest)
            tx.append(EventBlock.from_events([command]))
            desk = Desk(self, tx, cause, today(tx))
            for act in acts:
                try:
                    desk.take(act)
                except Refused as refused:
                    where = f"{source}, row {act.row}: " if source else ""
                    raise Refused(refused.refusal, f"{where}{refused}") from None
            self.knowledge.position = -1
            return ManualTaken(len(acts), named, cause)
