"""Sums up the quarantine of a period: rows that no book holds, by file and reason, with what they amount to."""

from typing import TYPE_CHECKING, NamedTuple

from ledger.events import JobBatch, JobStarted
from ledger.mapper import decode_event
from ledger.refusals import Refusal
from ledger.upcasting import topics_of

if TYPE_CHECKING:
    from ledger.store import Reader

SELECT_TOPICS = (
    "SELECT position, state FROM trace_event WHERE topic IN ({}) AND position > ? AND position <= ? ORDER BY position"
)
#: What a job takes in: claims or fee lines.
CLAIMS, LINES = "intake", "lines"


class Refused(NamedTuple):
    """Is the rows of one file that were quarantined for one reason; fen without their sign, ``unread`` unknown."""

    content: str
    source: str
    reason: str
    rows: int
    amount_fen: int
    unread: int


class Quarantine(NamedTuple):
    """Is what was quarantined between two positions, and what came back mended and was booked (rows, fen)."""

    refused: tuple[Refused, ...]
    mended: int
    mended_fen: int

    def of(self, content: str) -> tuple[int, int]:
        """Returns (rows, fen) quarantined of claims or of fee lines."""
        found = [each for each in self.refused if each.content == content]
        return sum(each.rows for each in found), sum(each.amount_fen for each in found)

    @property
    def unread(self) -> int:
        """Returns how many of the rows have an amount that cannot be read."""
        return sum(each.unread for each in self.refused)


def read_quarantine(reader: "Reader", after: int, stop: int) -> Quarantine:
    """Returns the quarantine behind a position up to another; a mended row that is refused again is in it once.

    A batch of a past version states no amounts: its rows count as unread.
    """
    topics = topics_of(JobBatch)
    rows = reader.query(SELECT_TOPICS.format(", ".join("?" * len(topics))), (*topics, after, stop))
    batches = [event for _, state in rows if isinstance(event := decode_event(JobBatch.TOPIC, bytes(state)), JobBatch)]
    jobs = _jobs(reader, {batch.cause for batch in batches})
    sums: dict[tuple[str, str, str], list[int]] = {}
    mended = mended_fen = 0
    for batch in batches:
        job = jobs[batch.cause]
        if job.retry:
            mended += batch.booked + len(batch.duplicates)
            mended_fen += batch.medfee_fen
            continue
        unread = set(batch.unread)
        fees = batch.quarantined_fen or (0,) * len(batch.quarantined)
        for (row, reason, _), fee in zip(batch.quarantined, fees, strict=True):
            line = sums.setdefault((job.verb, job.source, Refusal(reason).code), [0, 0, 0])
            line[0] += 1
            line[1] += abs(fee)
            line[2] += row in unread or not batch.quarantined_fen
    return Quarantine(tuple(Refused(*key, *line) for key, line in sorted(sums.items())), mended, mended_fen)


def _jobs(reader: "Reader", positions: set[int]) -> dict[int, JobStarted]:
    found = {}
    for position, (_, _, topic, state) in reader.events_at(sorted(positions)).items() if positions else ():
        job = decode_event(topic, state)
        assert isinstance(job, JobStarted)
        found[position] = job
    return found
