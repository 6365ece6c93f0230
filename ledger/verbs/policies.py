"""Are the commands about policies and registers, and what is known of both."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.events import PolicyEnacted
from ledger.file_kinds import document_at
from ledger.keys import policy_stream
from ledger.knowledge import Knowledge
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.reports import Enacted, PolicyReport, Registered
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.erasing import Erased
    from ledger.expiring import ExpiringFiling
    from ledger.store import Transaction
    from ledger.touched import Touched

ANY_CLAIM_OF = "SELECT 1 FROM stored_events WHERE originator_id >= ? AND originator_id < ? LIMIT 1"


class Policies(Base):
    """Enacts policies, takes registers in, and says what is in force."""

    def enact(self, policy: str | Path, regions: Sequence[int], *, assumed: bool = False, reason: str = "") -> Enacted:
        """Enacts a policy document (a file, or the name of a shipped one) for pooling areas and returns it.

        ``assumed`` marks every settlement under it; it never replaces a region's own policy (refused). Enacting the
        same document for the same regions again changes nothing.
        """
        from ledger.policy import digest_of, read_policy

        document, where = read_document(policy)
        name, digest = read_policy(document, where).header.name, digest_of(document)
        listed = region_codes(regions)
        with self.transaction() as tx:
            stream = policy_stream(digest)
            have = [decode_event(topic, state) for _, _, topic, state in tx.stream(stream)]
            if listed and all(self.knowledge.policies.in_force(region) == (digest, assumed) for region in listed):
                return Enacted(0, name, digest.hex(), listed, assumed, True)
            cause, command = self.command(tx, "enact", reason, {"assumed": assumed, "regions": listed}, name, digest)
            enacted = PolicyEnacted(cause, 0, digest, name, document, listed, assumed)
            self.knowledge.policies.check(enacted)
            self._check_regions(tx, enacted)
            self.append(tx, [command, (stream, len(have) + 1, enacted)])
            return Enacted(cause + 1, name, digest.hex(), listed, assumed, False)

    def _check_regions(self, tx: "Transaction", enacted: PolicyEnacted) -> None:
        """Refuses prefixes that would take codes from a region whose claims are in the log under their old key."""
        for region in self.knowledge.policies.regions_giving_up(enacted):
            if tx.query(ANY_CLAIM_OF, (f"claim-{region:06d}-", f"claim-{region:06d}.")):
                raise Refused(
                    Refusal.NOT_ALLOWED,
                    f"{enacted.name}: its prefixes take codes from region {region:06d}, which has claims already:"
                    " a region's codes are declared before its first claim",
                )

    def register(self, path: str | Path, *, reason: str = "") -> Registered:
        """Registers members, filings, institutions … from a CSV; its header says which. Idempotent."""
        from ledger.registering import register_file

        return register_file(self, Path(path), reason)

    def erase(self, psn_no: str, *, retention_years: int = 30, reason: str = "") -> "Erased":
        """Removes a person's number and name and nothing else, once the retention period is over (refused before)."""
        from ledger.erasing import erase_person

        return erase_person(self, psn_no, retention_years, reason)

    def touched(self, position: int | None = None) -> "Touched":
        """Returns the settled claims that a register command (the last, or one's position) reaches back to."""
        from ledger.touched import last_register, touched

        with self.store.read() as reader:
            return touched(reader, last_register(reader) if position is None else position)

    def expiring_filings(self, days: int, on: int | None = None) -> "list[ExpiringFiling]":
        """Returns the filings that end within ``days`` days from ``on`` (yyyymmdd; the clock's day where None)."""
        from ledger.expiring import expiring
        from ledger.reversing import moment

        with self.store.read() as reader:
            return expiring(reader, days, moment(self.clock_us()) // 1_000_000 if on is None else on)

    def policies(self) -> list[PolicyReport]:
        """Returns every enactment in log order."""
        with self.store.read() as reader:
            return PolicyReport.read(reader)

    def policy(self, name_or_digest: str) -> str:
        """Returns the text of an enacted policy document, by name or the start of its digest (the latest wins)."""
        found = [p for p in self.policies() if p.name == name_or_digest or p.digest.startswith(name_or_digest)]
        if not found or not name_or_digest:
            raise Refused(
                Refusal.UNKNOWN_KEY, f"expected the name or digest of an enacted policy, got {name_or_digest!r}"
            )
        return found[-1].document

    def policy_in_force(self, region: int) -> str:
        """Returns the text of the policy document in force for a region; refused where there is none."""
        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            digest = known.policies.digest_in_force(region)
        if digest is None:
            raise Refused(
                Refusal.UNKNOWN_KEY,
                f"expected a region with a policy in force, got {region:06d}: see settlement policy list",
            )
        return self.policy(digest.hex())


def region_codes(regions: Sequence[int]) -> tuple[int, ...]:
    """Returns region codes in order, each once; raises Refused for what is no list of six-digit integers."""
    if isinstance(regions, str | int):
        raise Refused(Refusal.BAD_VALUE, f"regions: expected a list of codes such as [440100], got {regions!r}")
    for region in regions:
        if not isinstance(region, int) or not 10_000 <= region <= 999_999:
            raise Refused(Refusal.BAD_VALUE, f"regions: expected six-digit integers such as 440100, got {region!r}")
    return tuple(sorted(set(regions)))


def read_document(policy: str | Path) -> tuple[str, str]:
    """Returns (text, where it is from) of a policy file, or of a shipped policy by its name."""
    from ledger.policy import shipped

    path = Path(policy)
    if path.suffix or path.exists():
        return document_at(policy, Refusal.POLICY_INVALID), str(policy)
    return shipped(str(policy)), str(policy)
