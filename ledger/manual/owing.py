"""Turns what a claim owes from the institution to the person who paid it, and back where the claim is refunded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from core_ext.layout import AMOUNT
from ledger.event import Event
from ledger.keys import manual_stream
from ledger.manual.events import ManualOwed
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.store import Reader

Header = tuple[str, int, Event]


def owed_to_persons(reader: "Reader", claims: Sequence[int]) -> dict[int, tuple[ManualOwed, int]]:
    """Returns what stands owed to the person of each claim that was reimbursed by hand, and its stream's version."""
    streams = {manual_stream(claim): claim for claim in claims}
    found: dict[int, tuple[ManualOwed, int]] = {}
    for stream, version in reader.stream_heads(list(streams)).items() if streams else ():
        for _, _, topic, state in reader.stream(stream):
            event = decode_event(topic, state)
            if isinstance(event, ManualOwed):
                claim = streams[stream]
                before = found[claim][0] if claim in found else None
                found[claim] = (_added(before, event), version)
    return found


def standing_fen(reader: "Reader", claim: int) -> int:
    """Returns what stands owed to the person of a claim that was reimbursed by hand."""
    owed, _ = owed_to_persons(reader, [claim])[claim]
    return owed.fund_fen + owed.account_fen


def _added(before: ManualOwed | None, event: ManualOwed) -> ManualOwed:
    if before is None:
        return event
    fund, account = before.fund_fen + event.fund_fen, before.account_fen + event.account_fen
    return msgspec.structs.replace(event, fund_fen=fund, account_fen=account)


def turned(reader: "Reader", cause: int, acts: Mapping[int, tuple[int, int, int, Sequence[int]]]) -> list[Header]:
    """Returns what acts on claims reimbursed by hand change for their persons; nothing for other claims.

    ``acts`` holds by claim (row, period, times, amounts that the act adds, in the order of AMOUNTS).
    """
    events: list[Header] = []
    for claim, (owed, version) in owed_to_persons(reader, sorted(acts)).items():
        row, period, times, amounts = acts[claim]
        event = msgspec.structs.replace(
            owed,
            cause=cause,
            row=row,
            period=period,
            times=times,
            fund_fen=amounts[AMOUNT["fund_pay_sumamt"]],
            account_fen=amounts[AMOUNT["acct_pay"]],
        )
        events.append((manual_stream(claim), version + 1, event))
    return events


def owed_events(reader: "Reader", stop: int | None = None) -> Iterable[ManualOwed]:
    """Yields every ManualOwed of the log up to a position (None: the head), in log order."""
    from ledger.knowledge import streams_with_prefix

    for position, _, _, topic, state in streams_with_prefix(reader, "manual"):
        if topic == ManualOwed.TOPIC and (stop is None or position <= stop):
            event = decode_event(topic, state)
            assert isinstance(event, ManualOwed)
            yield event
