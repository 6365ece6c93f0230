"""Checks the events beside acts: jobs end, policies are what their digest says, payments and clawbacks balance."""

from typing import TYPE_CHECKING

import msgspec

from ledger.events import (
    ClawbackRaised,
    CommandRecorded,
    JobAbandoned,
    JobBatch,
    JobCompleted,
    JobStarted,
    PolicyEnacted,
)
from ledger.policy import digest_of
from ledger.postings import Opened, Posting, checked_postings
from ledger.refusals import Refused, StoreError
from projections.act_checks import Policies, blame
from projections.balances import with_opened
from projections.findings import Findings
from projections.pages import Placed

if TYPE_CHECKING:
    from ledger.store import Reader

#: How far a clock may be ahead of the verifier's before what it recorded is named, microseconds.
DAY_US = 24 * 60 * 60 * 1_000_000

SELECT_FIRST = "SELECT position FROM trace_event WHERE stream = ? AND version = 1"
SELECT_END = "SELECT position FROM trace_event WHERE stream = ? AND topic IN (?, ?) ORDER BY position DESC LIMIT 1"


class EventChecks:
    """Is the checks of one verification, page after page; ``traced`` says whether the trace model has rows."""

    def __init__(
        self, reader: "Reader", found: Findings, policies: Policies, traced: bool, now_us: int | None = None
    ) -> None:
        self._latest = None if now_us is None else now_us + DAY_US
        self._reader = reader
        self._found = found
        self._policies = policies
        self._traced = traced
        self._open_jobs: dict[str, int] = {}
        #: The recorded time of the last event that has one, and the tokens that were erased.
        self.recorded_at = 0
        self.erased: set[int] = set()

    def check(self, events: list[Placed]) -> list[Posting]:
        """Checks a page's events and returns what those that balance post."""
        for placed in events:
            event = placed.event
            if isinstance(event, CommandRecorded | JobStarted | JobBatch | JobCompleted | JobAbandoned):
                self._check_time(placed.position, event.recorded_at)
            if isinstance(event, CommandRecorded) and event.verb == "erase":
                self._erase(placed.position, event)
            if isinstance(event, PolicyEnacted):
                self._policies.known.add(event.digest)
                digest = digest_of(event.document)
                if digest != event.digest:
                    self._found.event(placed.position, "policy-digest", event.digest.hex(), digest.hex())
            elif isinstance(event, JobStarted):
                self._open_jobs[placed.stream] = placed.position
            elif isinstance(event, JobCompleted | JobAbandoned):
                self._open_jobs.pop(placed.stream, None)
        try:
            opened = with_opened(self._reader, events)
        except StoreError:
            # One of them has nothing behind it: find which.
            opened = [pair for placed in events for pair in self._opened(placed)]
        return [posting for placed, opener in opened for posting in self._postings(placed, opener)]

    def _check_time(self, position: int, recorded_at: int) -> None:
        """Names an event recorded before the one in front of it: time in the log never goes back."""
        if recorded_at < self.recorded_at and not self._found.has(position):
            self._found.event(position, "recorded-earlier", f"{self.recorded_at} or later", str(recorded_at))
        self.recorded_at = max(self.recorded_at, recorded_at)
        if self._latest is not None and recorded_at > self._latest:
            # All that follow it are late too: time never goes back.
            self._found.event(
                position, "recorded-later", f"{self._latest} or earlier, a day from now", str(recorded_at)
            )
            self._latest = None

    def _erase(self, position: int, command: CommandRecorded) -> None:
        try:
            arguments = msgspec.json.decode(command.arguments)
        except msgspec.DecodeError as error:
            self._found.event(position, "undecodable-event", "arguments in JSON", str(error))
            return
        token = arguments.get("token") if isinstance(arguments, dict) else None
        if isinstance(token, int):
            self.erased.add(token)

    def finish(self) -> None:
        """Names the jobs that started and never ended; where their end is missing from the log, it is that finding."""
        for stream, position in self._open_jobs.items():
            if self._found.has(position):
                self._found.attach(position, f"unfinished-job: {stream}")
                continue
            ends = (stream, JobCompleted.TOPIC, JobAbandoned.TOPIC)
            ended = self._reader.query(SELECT_END, ends) if self._traced else []
            end = int(ended[0][0]) if ended else 0
            if end > position and self._found.has(end):
                self._found.attach(end, f"unfinished-job: {stream}")
            else:
                self._found.other("unfinished-job", stream, "a job-completed/1: run it again", "none")

    def _opened(self, placed: Placed) -> list[tuple[Placed, Opened | None]]:
        try:
            return with_opened(self._reader, [placed])
        except StoreError as error:
            self._blame(placed, "unopened", "what it confirms, collects or is raised on", str(error))
            return []

    def _postings(self, placed: Placed, opened: Opened | None) -> list[Posting]:
        try:
            return checked_postings(placed.event, opened)
        except Refused as refused:
            self._blame(placed, "unbalanced-postings", "postings that sum to zero", str(refused))
            return []

    def _blame(self, placed: Placed, kind: str, expected: str, got: str) -> None:
        opener = 0
        if isinstance(placed.event, ClawbackRaised):
            opener = placed.event.claim
        elif self._traced:
            first = self._reader.query(SELECT_FIRST, (placed.stream,))
            opener = int(first[0][0]) if first else 0
        blame(self._found, placed.position, (opener,), kind, expected, got)
