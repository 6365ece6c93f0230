"""Are the commands that settle claims given as values, alone or many at a time."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ledger.grouping import Group
from ledger.refusals import Refusal, Refused
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.claim import Claim, Settled
    from ledger.profile import Profile
    from ledger.store import Store

#: Claims a transaction: a single command behind one waits a fraction of a second.
MOST = 2_048


class _Asked(NamedTuple):
    records: list[list[str]]
    profile: "Profile"
    reason: str


class Settling(Base):
    """Settles claims as a service hands them in."""

    def __init__(self, store: "Store", actor: str, clock_us: Callable[[], int]) -> None:
        super().__init__(store, actor, clock_us)
        self._profiles: dict[str | Path, Profile] = {}
        self._settling: Group[_Asked, list[Settled]] = Group(
            self._settle_together, lambda asked: (asked.profile.digest, asked.reason), 256
        )

    def settle(
        self, claims: "Iterable[Claim]", profile: "str | Path" = "national", *, reason: str = ""
    ) -> "list[Settled]":
        """Settles claims and returns one result each, in order, once they are durable; booked as a file's would be.

        A claim the log has already is a duplicate and says what was booked then, so a repeated call does no harm.
        Claims of other threads may share the transaction: each is decided over the state the one before it left.
        Many claims are booked 2,048 a transaction; an error leaves those before it booked.
        """
        from ledger.claim import Claim
        from ledger.profile import load_profile
        from ledger.settling import cells_of, check_profile

        if isinstance(claims, Claim):
            raise Refused(Refusal.BAD_VALUE, "expected claims in a list, got one claim: settle([claim])")
        loaded = self._profiles.get(profile)
        if loaded is None:
            loaded = load_profile(profile)
            check_profile(loaded)
            if isinstance(profile, str) and profile.isidentifier():
                # One that is shipped; a file may be another one tomorrow.
                self._profiles[profile] = loaded
        records = (cells_of(claim, number) for number, claim in enumerate(claims, 1))
        settled: list[Settled] = []
        while asked := list(islice(records, MOST)):
            settled += self._settling.submit(_Asked(asked, loaded, reason))
        return settled

    def _settle_together(self, group: Sequence[_Asked]) -> "list[list[Settled]]":
        from ledger.settling import settle_in

        with self.transaction() as tx:
            records = [record for asked in group for record in asked.records]
            settled = settle_in(tx, self, records, group[0].profile, group[0].reason)
        answers = iter(settled)
        return [list(islice(answers, len(asked.records))) for asked in group]
