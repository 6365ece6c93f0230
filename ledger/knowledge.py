"""Keeps what every command must know of the log: policies in force, periods, and the tokens seen so far.

It is read from the log's own streams inside the writing transaction and refreshed when another writer has
appended since; nothing here comes from a projection.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from core_ext.layout import FUND_PARTS
from ledger import periods
from ledger.accounts import Accounts
from ledger.casework.events import RecoveryRaised, RecoveryReversed
from ledger.event import Event
from ledger.events import ClawbackRaised, CommandRecorded, JobAbandoned, JobCompleted, JobStarted, PolicyEnacted
from ledger.known import Ints, KnownTexts
from ledger.known_messages import KnownMessages
from ledger.mapper import decode_event
from ledger.person_years import PersonYears
from ledger.plans import PolicyBook
from ledger.upcasting import topics_of

if TYPE_CHECKING:
    from core_ext.text import Texts
    from ledger.store import Reader

# A range over stream names: '.' is the character behind '-', so this is every stream with the prefix.
STREAMS_OF = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE originator_id >= ? AND originator_id < ? ORDER BY notification_id"
)

ANY_REGISTERED = "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {name})" for name in ("institution", "member", "filing"))

#: Past this many persons the token cache starts anew: memory stays bounded on a nationwide file.
CACHED_PERSONS = 2_000_000

#: Past as many events of others tokens are asked for anew, which is cheaper than to look through these for an erasure.
LOOKED_THROUGH = 1_024


def streams_with_prefix(reader: "Reader", prefix: str) -> list[tuple[int, str, int, str, bytes]]:
    """Returns every event (position, stream, version, topic, state) of streams named ``prefix-…``, in log order."""
    return [
        (int(row[0]), str(row[1]), int(row[2]), str(row[3]), bytes(row[4]))
        for row in reader.query(STREAMS_OF, (f"{prefix}-", f"{prefix}."))
    ]


def caused_by(reader: "Reader", position: int) -> Iterator[Event]:
    """Yields the events a command wrote: those behind it that name it as their cause."""
    for page in reader.pages(after=position):
        for _, _, _, topic, state in page:
            event = decode_event(topic, state)
            if getattr(event, "cause", 0) != position:
                return
            yield event


class Knowledge:
    """Is the write side's memory of one store; ``refresh`` brings it up to a transaction's head.

    ``institutions``, ``members`` and ``filings`` say whether any is registered: where none is, no batch asks for one.
    """

    def __init__(self) -> None:
        self.position = -1
        self.policies = PolicyBook()
        self.periods = periods.Periods()
        self.institutions = self.members = self.filings = False
        self.tokens = KnownTexts()
        self.person_years = PersonYears()
        self.accounts = Accounts()
        self.messages = KnownMessages()
        self.recovered: dict[int, list[int]] = {}
        self._policies_seen = 0
        # Up to where nobody was erased whose token is known.
        self._persons_at = 0

    def refresh(self, reader: "Reader") -> None:
        """Reads policies and periods again if the log has grown past what is known."""
        if reader.size == self.position:
            return
        self.person_years, self.accounts, self.messages = PersonYears(), Accounts(), KnownMessages()
        self._drop_erased(reader)
        for position, _, _, topic, state in streams_with_prefix(reader, "policy"):
            if position > self._policies_seen:
                event = decode_event(topic, state)
                assert isinstance(event, PolicyEnacted)
                self.policies.enact(event)
                self._policies_seen = position
        self.periods = periods.Periods()
        for position, _, _, topic, state in streams_with_prefix(reader, "period"):
            periods.evolve(self.periods, position, decode_event(topic, state))
        self.recovered = recovered_by_claim(reader)
        if not (self.institutions and self.members and self.filings):
            self.institutions, self.members, self.filings = map(bool, reader.query(ANY_REGISTERED)[0])
        self.position = reader.size

    def appended(self, position: int, opened: Sequence[tuple[int, int]] = ()) -> None:
        """Notes that this writer's own transaction moved the head; ``opened`` are (period, position) it opened."""
        self.position = self._persons_at = position
        for period, at in opened:
            self.periods.opened[period] = at

    def remember(self, numbers: "Texts", tokens: Ints) -> None:
        """Keeps tokens of persons not known so far; a token never changes, and goes only where its person is erased."""
        if len(self.tokens) + len(tokens) > CACHED_PERSONS:
            self.tokens.clear()
        self.tokens.add(numbers, tokens)

    def _drop_erased(self, reader: "Reader") -> None:
        """Drops the tokens where somebody was erased since: whoever comes back with that number is somebody new."""
        if reader.size - self._persons_at > LOOKED_THROUGH:
            self.tokens.clear()
        elif len(self.tokens):
            for page in reader.pages(self._persons_at, topics=topics_of(CommandRecorded)):
                commands = [decode_event(topic, state) for _, _, _, topic, state in page]
                if any(isinstance(each, CommandRecorded) and each.verb == "erase" for each in commands):
                    self.tokens.clear()
                    break
        self._persons_at = reader.size

    def expect(self, claims: int) -> None:
        """Takes the memory that a job over so many claims may come to need, within the bounds there are.

        So it is there or not there at the job's beginning, and nothing is copied to a larger place on the way.
        """
        self.tokens.reserve(min(claims, CACHED_PERSONS))
        self.person_years.reserve(claims)
        self.accounts.reserve(claims)


def recovered_by_claim(reader: "Reader") -> dict[int, list[int]]:
    """Returns what was taken back from each fund of a claim (AMOUNTS[1:9] order, fen), by its position."""
    recovered: dict[int, list[int]] = {}
    for _, _, _, topic, state in streams_with_prefix(reader, "clawback"):
        if topic == ClawbackRaised.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, ClawbackRaised)
            before = recovered.get(event.claim, [0] * len(event.funds))
            recovered[event.claim] = [a + b for a, b in zip(before, event.funds, strict=True)]
    for claim, funds in recovered_by_cases(reader).items():
        before = recovered.get(claim, [0] * len(funds))
        recovered[claim] = [a + b for a, b in zip(before, funds, strict=True)]
    return recovered


def recovered_by_cases(reader: "Reader") -> dict[int, list[int]]:
    """Returns what cases took back from each fund of a claim, less what was reversed, by its position."""
    raised: dict[str, RecoveryRaised] = {}
    recovered: dict[int, list[int]] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "recovery"):
        if topic not in (RecoveryRaised.TOPIC, RecoveryReversed.TOPIC):
            continue
        event = decode_event(topic, state)
        if isinstance(event, RecoveryRaised):
            raised[stream] = event
            shares = [part[4] for part in event.parts]
        else:
            assert isinstance(event, RecoveryReversed)
            shares = [-(a + b) for a, b in zip(event.cancelled, event.repaid, strict=True)]
        for (claim, _, fund, _, _), fen in zip(raised[stream].parts, shares, strict=bool(raised[stream].parts)):
            recovered.setdefault(claim, [0] * len(FUND_PARTS))[fund] += fen
    return recovered


JOB_ENDS = (
    "SELECT notification_id, originator_id, topic FROM stored_events"
    " WHERE originator_id >= 'job-' AND originator_id < 'job.' AND topic IN ({}) AND notification_id <= ?"
    " ORDER BY notification_id"
)


def unfinished_jobs(reader: "Reader", stop: int | None = None) -> dict[str, int]:
    """Returns the job streams whose last start has no end, with the position of that start; as of a position."""
    unfinished: dict[str, int] = {}
    starts = topics_of(JobStarted)
    ends = [*starts, *topics_of(JobCompleted), *topics_of(JobAbandoned)]
    sql = JOB_ENDS.format(", ".join("?" * len(ends)))
    for position, stream, topic in reader.query(sql, (*ends, reader.size if stop is None else stop)):
        if topic in starts:
            unfinished[str(stream)] = int(position)
        else:
            unfinished.pop(str(stream), None)
    return unfinished
