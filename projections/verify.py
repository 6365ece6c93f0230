"""Verifies a store: the log against itself and its tree, every model's rows against the log folded again, and the
write side's own tables against the log once that is whole.

Nothing is caught up first: what the models hold was folded earlier, and that is what tells an altered event from
one that always was so. Events behind the tree's position are checked for consistency but not anchored.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledger.events import BASIS_RESETTLED, PolicyEnacted
from ledger.mapper import decode_event
from ledger.refusals import StoreError
from projections import proof, trace
from projections.act_checks import Policies, check_acts
from projections.catch_up import positions
from projections.database_checks import check_database, unreadable
from projections.event_checks import EventChecks
from projections.findings import Finding, Findings
from projections.log_scan import SELECT_LAST, ReadPage, scan
from projections.person_checks import check_kept, check_numbers, check_persons, check_recorded_at
from projections.proof import SIZE, WIDTH
from projections.register_checks import check_registers
from projections.row_checks import RowChecks
from projections.segment_checks import check_segments
from projections.state_checks import check_state
from projections.state_sums import StateSums
from projections.tables import ReadModel
from projections.tree_checks import TreeChecks

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.store import Reader, Store
    from projections.checkpoint import Checkpoint

# A stream with a hole has fewer events than its last version says, or does not begin with 1.
SELECT_BROKEN = (
    "SELECT originator_id FROM stored_events GROUP BY originator_id"
    " HAVING MIN(originator_version) <> 1 OR MAX(originator_version) <> COUNT(*) ORDER BY originator_id"
)
SELECT_LAST_TILE = (
    "SELECT number, hashes, (SELECT COUNT(*) FROM proof_tile WHERE level = 0) FROM proof_tile WHERE level = 0"
    " ORDER BY number DESC LIMIT 1"
)
SELECT_TRACED = (
    "SELECT COALESCE(MAX(position), 0) FROM trace_event UNION ALL SELECT * FROM (SELECT claim + CASE WHEN basis ="
    f" {BASIS_RESETTLED} THEN 0 ELSE 1 END FROM trace_act ORDER BY claim DESC LIMIT 1) AS last_act"
)
SELECT_POLICIES = "SELECT position, state FROM trace_event WHERE topic = ? ORDER BY position"


def verify(
    store: "Store",
    models: Sequence[ReadModel],
    page_events: int,
    segments: "Path | None" = None,
    now_us: int | None = None,
) -> list[Finding]:
    """Returns what is wrong with a store, one finding an event or row; an empty list where nothing is.

    ``segments`` is the folder of the sealed periods' files; None: they are not looked at, only made anew and compared.
    ``now_us``: what was recorded more than a day after it is named; None: no time is asked.
    """
    found = Findings()
    with store.read() as reader:
        check_database(reader, store.dialect, models, found)
        if unreadable(found.listed()):
            return found.listed()
        held = positions(reader, store.dialect)
        at = _positions(reader, {model.name: held[model.name][0] for model in models}, found)
        told = _check_log(reader, at, found, page_events, now_us)
        # A job that is not at its end has left whole batches, and what follows from them.
        if all(finding.kind == "unfinished-job" for finding in found.listed()):
            check_state(reader, told.sums, found)
            check_registers(reader, found)
            taken = check_persons(reader, frozenset(told.erased), found)
            check_numbers(reader, taken, found)
            check_recorded_at(reader, told.recorded_at, found)
        # What it holds of persons is not needed beside a segment.
        del told
        if not found.listed():
            check_segments(reader, segments, at[proof.MODEL.name], found)
    return found.listed()


class _Told(NamedTuple):
    """Is what the log says of what stands beside it: sums of its acts, tokens erased, its last recorded time."""

    sums: StateSums
    erased: set[int]
    recorded_at: int


def _check_log(reader: "Reader", at: dict[str, int], found: Findings, page_events: int, now_us: int | None) -> _Told:
    """Reads the whole log once: checks it, its tree and the models' rows, and returns what else it says."""
    traced = at[trace.MODEL.name] > 0
    policies = Policies(_traced_policies(reader) if traced else {})
    tree = TreeChecks(reader, at[proof.MODEL.name], found)
    events = EventChecks(reader, found, policies, traced, now_us)
    rows, sums = RowChecks(reader, at, found), StateSums()
    stops = sorted(set(at.values()))
    for after, stop, page_rows in scan(reader, stops, max(at.values()), found, page_events):
        tree.check_leaves(page_rows)
        page = ReadPage(reader, after, stop, page_rows, found)
        posted = events.check(page.others)
        check_acts(reader, page.acts, policies, found)
        rows.check(page, posted)
        sums.add(page.acts)
    _check_versions(reader, found)
    tree.finish()
    rows.finish()
    events.finish()
    return _Told(sums, events.erased, events.recorded_at)


def verify_checkpoints(store: "Store", checkpoints: "Sequence[Checkpoint]") -> list[Finding]:
    """Returns a finding for every checkpoint that the log does not begin with: it was rewritten, or cut.

    Only the roots, and the digests of persons' seals, are compared: whoever holds the signing key could rewrite the
    log and sign it anew, but not take back a checkpoint that somebody else kept.
    """
    found = Findings()
    with store.read() as reader:
        held = positions(reader, store.dialect).get(proof.MODEL.name, (0, 0))[0]
        tree = proof.tree_of(reader, held)
        for checkpoint in checkpoints:
            where = f"checkpoint of size {checkpoint.size}"
            if checkpoint.size > reader.size:
                found.other("shortened-log", where, f"{checkpoint.size} events or more", f"{reader.size} events")
            elif checkpoint.size > held:
                found.other("not-compared", where, f"a tree of {checkpoint.size} events", f"one of {held}")
            else:
                try:
                    root = tree.root(checkpoint.size).hex()
                except StoreError as error:
                    root = str(error)
                if root != checkpoint.root.hex():
                    found.other("rewritten-log", where, f"root {checkpoint.root.hex()}", f"root {root}")
        check_kept(reader, checkpoints, found)
    return found.listed()


def _positions(reader: "Reader", stated: dict[str, int], found: Findings) -> dict[str, int]:
    """Returns where each model stands: the tree by its leaves, the trace by its rows, none beyond log and tree."""
    tiles = reader.query(SELECT_LAST_TILE)
    # A tile's number may be anything; there are no more full ones below the last than there are rows.
    leaves = 0
    for number, hashes, count in tiles:
        leaves = max(0, min(int(number), int(count) - 1)) * WIDTH + min(len(hashes) // SIZE, WIDTH)
    limit = max(leaves, reader.size, int(reader.query(SELECT_LAST)[0][0]))
    at = {name: min(position, limit) for name, position in stated.items()}
    at[proof.MODEL.name] = leaves
    at[trace.MODEL.name] = max(at[trace.MODEL.name], *(int(row[0]) for row in reader.query(SELECT_TRACED)))
    for name, position in sorted(stated.items()):
        if position != at[name]:
            found.other("edited-row", f"projection name={name}", f"position={at[name]}", f"position={position}")
    return at


def _traced_policies(reader: "Reader") -> dict[bytes, int]:
    digests: dict[bytes, int] = {}
    for position, state in reader.query(SELECT_POLICIES, (PolicyEnacted.TOPIC,)):
        event = decode_event(PolicyEnacted.TOPIC, state)
        assert isinstance(event, PolicyEnacted)
        digests.setdefault(event.digest, int(position))
    return digests


def _check_versions(reader: "Reader", found: Findings) -> None:
    """Names streams whose versions are not 1, 2, 3, …; where an event found already explains it, beside that one."""
    for (stream,) in reader.query(SELECT_BROKEN):
        events = [(version, position) for position, version, _, _ in reader.stream(stream)]
        culprit = next((position for _, position in events if found.has(position)), 0)
        last_version, last_position = 0, 0
        for version, position in events:
            if version != last_version + 1 and not culprit:
                culprit = next((at for at in found.positions() if last_position < at < position), 0)
            last_version, last_position = version, position
        text = f"versions {', '.join(str(version) for version, _ in events[:20])}"
        if culprit:
            found.attach(culprit, f"stream {stream}: expected versions without gaps, got {text}")
        else:
            found.other("version-gap", f"stream {stream}", f"versions 1 to {len(events)}", text)
