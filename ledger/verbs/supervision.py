"""Are the commands of supervision: packs of rules, the review of a period, and of a claim before it is settled."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger.knowledge import Knowledge
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.supervision.bills import BilledClaim, Breach
    from ledger.supervision.book import Book
    from ledger.supervision.reviewing import Reviewed


class RulesEnacted(msgspec.Struct, frozen=True):
    """Is a pack of rules in force from a day of service on; ``already`` where the log had it before (position 0).

    ``rules`` are the pack's own, ``in_force`` all that hold from its first day.
    """

    position: int
    name: str
    digest: str
    begin: int
    rules: int
    in_force: int
    already: bool


class Supervision(Base):
    """Enacts packs of rules and reviews claims by them."""

    _book: "tuple[int, Book] | None" = None

    def enact_rules(self, pack: str | Path, *, reason: str = "") -> RulesEnacted:
        """Enacts a pack (a file, or the name of a shipped one); a service meets the rules of its own day.

        A pack begins behind the one before it and may extend that one; otherwise it is refused (rules_out_of_order).
        """
        from ledger.keys import rule_pack_stream
        from ledger.supervision.book import in_force
        from ledger.supervision.events import RulePackEnacted
        from ledger.supervision.packs import read_document, read_pack
        from ledger.supervision.reviewing import packs_of

        document, where = read_document(pack)
        read = read_pack(document, where)
        header = read.header
        with self.transaction() as tx:
            packs = packs_of(tx)
            already = any(each.digest == read.digest for each in packs)
            held = in_force(packs if already else [*packs, read])[-1]
            said = (header.name, read.digest.hex(), read.begin, len(read.rules), len(held))
            if already:
                return RulesEnacted(0, *said, True)
            cause, command = self.command(tx, "rules enact", reason, {"begin": read.begin}, header.name, read.digest)
            event = RulePackEnacted(cause, 0, read.digest, header.name, read.begin, document)
            self.append(tx, [command, (rule_pack_stream(read.digest), 1, event)])
            return RulesEnacted(cause + 1, *said, False)

    def rule_book(self) -> "Book":
        """Returns the packs in force, resolved; kept until the log grows by another pack."""
        from ledger.supervision.book import Book
        from ledger.supervision.reviewing import digests_of, packs_of

        with self.store.read() as reader:
            known = self._book
            if known is None or known[0] != reader.size:
                same = known is not None and known[1].digest == Book.digest_of(digests_of(reader))
                known = (reader.size, known[1] if known is not None and same else Book(packs_of(reader)))
                self._book = known
        return known[1]

    def review_period(self, period: int, *, reason: str = "") -> "Reviewed":
        """Reviews every claim booked in a period by the rules of its day and writes what violates (机审).

        Again on the same log it writes nothing; after more has come it looks at the persons concerned. Refused where
        the log has no pack (rules_not_enacted) or no claim of the period.
        """
        from ledger.supervision.reviewing import review

        # What the ledger knows is not brought up here: another thread may be deciding with it.
        known = Knowledge()
        with self.store.read() as reader:
            known.refresh(reader)
        if period not in known.periods.opened:
            raise Refused(Refusal.PERIOD_EMPTY, f"expected a period with claims, got {period}: intake comes first")
        return review(self, self.rule_book(), period, reason)

    def review(self, claim: "BilledClaim", history: "tuple[BilledClaim, ...]" = ()) -> "tuple[Breach, ...]":
        """Returns what a claim that is not settled yet violates, by the packs of the log; nothing is written.

        ``history`` are the person's earlier claims: windows longer than the visit see what they are given. Refused
        where the log has no pack.
        """
        from ledger.supervision.bills import breaches

        book = self.rule_book()
        if not book.held:
            raise Refused(
                Refusal.RULES_NOT_ENACTED, "expected a pack of rules in force, got none: `settlement rules enact`"
            )
        return breaches(book, claim, history)
