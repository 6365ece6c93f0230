"""Sums up the quarantine of a period: rows that no book holds, by file and reason, with what they amount to."""

from collections import Counter
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
SELECT_MENDED = (
    "SELECT COUNT(*), CAST(SUM(medfee_sumamt) AS BIGINT) FROM trace_act"
    " WHERE cause = ? AND claim > ? AND claim <= ? AND ? IN (insured_region, treatment_region)"
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
    """Is what was quarantined between two positions, and what came back mended and was booked (rows, fen).

    Of one region ``refused`` are the claims of its residents and those treated there; ``unplaced`` rows
    may be its too: claims whose regions cannot both be read and name another one at most, and every fee line.
    """

    refused: tuple[Refused, ...]
    mended: int
    mended_fen: int
    unplaced: int = 0
    unplaced_fen: int = 0

    def of(self, content: str) -> tuple[int, int]:
        """Returns (rows, fen) quarantined of claims or of fee lines."""
        found = [each for each in self.refused if each.content == content]
        return sum(each.rows for each in found), sum(each.amount_fen for each in found)

    @property
    def unread(self) -> int:
        """Returns how many of the rows have an amount that cannot be read."""
        return sum(each.unread for each in self.refused)


def read_quarantine(reader: "Reader", after: int, stop: int, region: int | None = None) -> Quarantine:
    """Returns the quarantine behind a position up to another; a mended row that is refused again is in it once.

    So is a row of a file that was taken in more than once meanwhile.

    With a ``region`` the claims in which it is insured or treatment region.

    A batch of a past version states no amounts: its rows count as unread.
    """
    topics = topics_of(JobBatch)
    rows = reader.query(SELECT_TOPICS.format(", ".join("?" * len(topics))), (*topics, after, stop))
    batches = [event for _, state in rows if isinstance(event := decode_event(JobBatch.TOPIC, bytes(state)), JobBatch)]
    jobs = _jobs(reader, {batch.cause for batch in batches})
    sums: dict[tuple[str, str, str], list[int]] = {}
    mended = mended_fen = 0
    unplaced = unplaced_fen = 0
    sources = Counter(job.digest for job in jobs.values())
    known: set[tuple[bytes, int]] = set()
    for batch in batches:
        job = jobs[batch.cause]
        if job.retry:
            mended += batch.booked
            mended_fen += batch.medfee_fen
            continue
        unread = set(batch.unread)
        fees = batch.quarantined_fen or (0,) * len(batch.quarantined)
        places = batch.quarantined_regions or ((0, 0),) * len(batch.quarantined)
        for (row, reason, _), fee, place in zip(batch.quarantined, fees, places, strict=True):
            if sources[job.digest] > 1:
                if (job.digest, row) in known:
                    continue
                known.add((job.digest, row))
            if region is not None and region not in place:
                if 0 in place:
                    unplaced += 1
                    unplaced_fen += abs(fee)
                continue
            line = sums.setdefault((job.verb, job.source, Refusal(reason).code), [0, 0, 0])
            line[0] += 1
            line[1] += abs(fee)
            line[2] += row in unread or not batch.quarantined_fen
    if region is not None:
        retries = sorted(at for at, job in jobs.items() if job.retry)
        mended, mended_fen = _mended(reader, retries, after, stop, region)
    refused = tuple(Refused(*key, *line) for key, line in sorted(sums.items()))
    return Quarantine(refused, mended, mended_fen, unplaced, unplaced_fen)


def _mended(reader: "Reader", retries: list[int], after: int, stop: int, region: int) -> tuple[int, int]:
    """Returns (claims, total fee) of a region that jobs over mended rows booked."""
    found = [reader.query(SELECT_MENDED, (job, after, stop, region))[0] for job in retries]
    return sum(int(row[0]) for row in found), sum(int(row[1] or 0) for row in found)


def _jobs(reader: "Reader", positions: set[int]) -> dict[int, JobStarted]:
    found = {}
    for position, (_, _, topic, state) in reader.events_at(sorted(positions)).items() if positions else ():
        job = decode_event(topic, state)
        assert isinstance(job, JobStarted)
        found[position] = job
    return found
