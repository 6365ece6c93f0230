"""Writes a decided batch: one block of events in person order, then the write-side state, in the same transaction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from core_ext.codec_fields import Array, Choice, Const, Encoded, Ints, Source, Text
from core_ext.kernels import load
from core_ext.layout import AMOUNT, FACT, FACTS
from core_ext.text import texts_taken
from ledger.block import EventBlock
from ledger.booking import COMPUTE, REFUND, UNCHECKED, Batch, differing_rows
from ledger.columnar import encode_columns
from ledger.disease_limits import limits_used
from ledger.events import (
    BASIS_KERNEL,
    BASIS_REFUND,
    BASIS_SOURCE,
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    Event,
    PeriodOpened,
    SettlementDiffers,
)
from ledger.keys import YEARS, finding_stream, period_stream
from ledger.manual.owing import turned
from ledger.refusals import Refusal
from ledger.register_events import ClaimFlagged
from ledger.sameness import TEXTS
from ledger.stays.booking import write_parts
from ledger.store.pending import Pending
from ledger.store.runs import RUN_ROWS, Packed, distinct, packed_run
from ledger.store.seals import Persons
from ledger.store.text_runs import TextRows, text_rows

if TYPE_CHECKING:
    from ledger.knowledge import Knowledge
    from ledger.store import Reader, Transaction

Column = npt.NDArray[np.int64]
Header = tuple[str, int, Event]

_TOPICS = (ClaimFiled.TOPIC, ClaimSettled.TOPIC, ClaimReversed.TOPIC, SettlementDiffers.TOPIC)
_FILED, _SETTLED, _REVERSED, _DIFFERS = range(4)


@dataclass(slots=True)
class Order:
    """Is where a batch's events stand: booked rows in person order and the position of each row's ClaimFiled."""

    rows: Column
    filed_at: Column
    differs: npt.NDArray[np.bool_]


def arrange(batch: Batch, first: int) -> Order:
    """Returns the order of a batch's events from position ``first``: person by person, each in source order.

    A person's claims stay in source order (commit order), so accumulators and accounts advance as in the file.
    """
    rows = batch.booked_rows()
    # Rows ascend, so a person's stay in their order: one number sorts faster than a stable order is found.
    rows = np.sort(batch.person[rows] << 32 | rows) & (1 << 32) - 1
    differs = np.zeros(batch.n, np.bool_)
    differs[differing_rows(batch, rows)] = True
    size = 2 + differs[rows].astype(np.int64)
    filed_at = np.zeros(batch.n, np.int64)
    filed_at[rows] = first + np.cumsum(size) - size
    return Order(rows, filed_at, differs)


@dataclass(slots=True)
class Draft:
    """Is a decided batch as it goes into the log and its tables; made from it alone and written nowhere yet.

    ``opened`` are the (period, position) pairs it opens; ``persons`` are new. The first of ``blocks`` are its claims,
    made ready for the database; ``later`` headers go before them.
    """

    batch: Batch
    order: Order
    cause: int
    opened: list[tuple[int, int]]
    later: int
    persons: Persons
    blocks: list[EventBlock]
    ready: object
    years: tuple[Column, Column, Column]
    packed_years: Packed | None
    accounts: tuple[Column, Column]
    messages: TextRows
    reversals: list[tuple[int, int]]


def write(
    tx: "Transaction", batch: Batch, knowledge: "Knowledge", cause: int, headers: list[Header]
) -> tuple[Order, list[tuple[int, int]]]:
    """Appends headers, newly opened periods and all events of a batch, and saves the state they leave behind.

    Returns the order of the events and the (period, position) pairs that opened. ``headers`` go first. Raises Conflict
    or KeyTaken where the log has a key of a row that books: the batch was decided without looking.
    """
    drafted = draft(tx, batch, knowledge, cause, headers)
    pending = adopt(tx, drafted, [])
    remember(drafted, pending.size, knowledge)
    put(tx, drafted, pending, knowledge)
    return drafted.order, drafted.opened


def draft(
    reader: "Reader", batch: Batch, knowledge: "Knowledge", cause: int, headers: list[Header], later: int = 0
) -> Draft:
    """Returns a batch with its new persons named and its events encoded behind headers; ``later`` more go before."""
    rows = batch.booked_rows()
    persons = _name_new_persons(reader, batch, rows)
    opening = sorted(set(batch.period[rows].tolist()) - knowledge.periods.opened.keys())
    begin = reader.size + 1 + later
    first = begin + len(headers)
    opened = [(period, first + at) for at, period in enumerate(opening)]
    order = arrange(batch, first + len(opening))
    batch.duplicate_of |= {
        row: int(order.filed_at[batch.repeats[row][0]]) for row, at in batch.duplicate_of.items() if not at
    }
    heads: list[Header] = [
        (period_stream(period), 1, PeriodOpened(cause, _first_row(batch, rows, period), period)) for period in opening
    ]
    years, messages = _years(batch, order), _messages(batch, order)
    if not batch.looked_up:
        knowledge.messages.check(reader, messages)
    block = _block(batch, order, _states(batch, order, cause, knowledge), EventBlock.from_events([*headers, *heads]))
    behind = (
        _flags(batch, order, cause),
        limits_used(batch, order.filed_at, cause),
        _turned(reader, batch, order, cause),
    )
    return Draft(
        batch=batch,
        order=order,
        cause=cause,
        opened=opened,
        later=later,
        persons=persons,
        blocks=[block, *[EventBlock.from_events(events) for events in behind if events]],
        # Who has its headers at hand appends at once, and packs while the database takes in.
        ready=reader.made_ready(block, begin) if later else None,
        years=years,
        packed_years=packed_run(*years) if len(years[0]) >= RUN_ROWS else None,
        accounts=_accounts(batch, order),
        messages=messages,
        reversals=_reversals(batch, order),
    )


def adopt(tx: "Transaction", drafted: Draft, headers: list[Header]) -> Pending:
    """Returns what a transaction is to write of a draft; ``headers`` are those that it has room for."""
    assert len(headers) == drafted.later
    front = [EventBlock.from_events(headers)] if headers else []
    return Pending(
        first=tx.size + 1,
        blocks=[*front, *drafted.blocks],
        tokens=drafted.persons.last,
        persons=[drafted.persons],
        years=drafted.years,
        accounts=drafted.accounts,
        messages=drafted.messages,
        reversals=drafted.reversals,
    )


def remember(drafted: Draft, size: int, knowledge: "Knowledge") -> None:
    """Makes the persons and what is theirs known that a draft leaves; ``size`` is the position it comes to."""
    if len(drafted.persons):
        knowledge.remember(drafted.persons.numbers, drafted.persons.tokens)
        knowledge.accounts.begin(size, drafted.persons.tokens)
    knowledge.messages.remember(drafted.messages)
    knowledge.person_years.remember(size, *drafted.years)
    knowledge.accounts.remember(size, *drafted.accounts)


def put(tx: "Transaction", drafted: Draft, pending: Pending, knowledge: "Knowledge") -> None:
    """Appends a draft's events and saves the state they leave behind; raises Conflict or KeyTaken as ``write``."""
    tx.put_persons(drafted.persons)
    for block in pending.blocks:
        tx.append(block, drafted.ready if block is drafted.blocks[0] else None)
    if len(drafted.order.rows):
        tx.save_later(*drafted.years, drafted.packed_years)
        tx.save_accounts_later(*pending.accounts)
        tx.save_messages(pending.messages)
        tx.add_reversals(pending.reversals)
    write_parts(tx, drafted.batch, int(drafted.order.filed_at[0]), drafted.cause, knowledge)


def _flags(batch: Batch, order: Order, cause: int) -> list[Header]:
    """Returns, as events behind the batch, what registers have against claims that their source had paid."""
    rows = order.rows[batch.flagged[order.rows] != 0]
    found: list[Header] = []
    for row in np.sort(rows).tolist():
        reasons = [reason for reason in Refusal if int(batch.flagged[row]) >> reason & 1]
        claim = int(order.filed_at[row])
        found += [
            (finding_stream(claim), version, ClaimFlagged(cause, batch.columns.first_row + row, claim, int(reason)))
            for version, reason in enumerate(reasons, 1)
        ]
    return found


def _turned(reader: "Reader", batch: Batch, order: Order, cause: int) -> list[Header]:
    """Returns, as events behind the batch, what refunds of claims reimbursed by hand change: the person, not the
    institution, owes it."""
    assert batch.originals is not None
    positions = batch.originals.positions
    acts = {}
    for row in order.rows[batch.kind[order.rows] == REFUND].tolist() if positions else ():
        ref = int(batch.originals.ref[row]) - batch.n
        if ref >= 0:
            amounts = batch.booked[row].tolist()
            acts[positions[ref]] = (batch.columns.first_row + row, int(batch.period[row]), -1, amounts)
    return turned(reader, cause, acts)


def _first_row(batch: Batch, rows: Column, period: int) -> int:
    return batch.columns.first_row + int(rows[batch.period[rows] == period][0])


def _name_new_persons(reader: "Reader", batch: Batch, rows: Column) -> Persons:
    """Gives tokens, in source order, to persons whose first claim books now, and returns them."""
    first = rows[batch.person_tokens[batch.person[rows]] == 0]
    _, at = np.unique(batch.person[first], return_index=True)
    first = first[np.sort(at)]
    numbers = texts_taken(batch.columns.texts["psn_no"], first)
    tokens = reader.tokens_given + 1 + np.arange(len(first), dtype=np.int64)
    if len(first):
        batch.person_tokens[batch.person[first]] = tokens
        batch.facts[:, FACT["token"]] = batch.person_tokens[batch.person]
        batch.slot_keys = batch.person_tokens[batch.slot_person] * YEARS + batch.slot_keys % YEARS
    return reader.new_persons(numbers, texts_taken(batch.columns.texts["psn_name"], first))


def _states(batch: Batch, order: Order, cause: int, knowledge: "Knowledge") -> tuple[Encoded, Encoded, Encoded]:
    """Returns the claims' events encoded: filed, decided and, where they differ, found."""
    differing = order.rows[order.differs[order.rows]]
    filed, decided, differs = _columns(batch, order, cause, knowledge)
    return (
        encode_columns(ClaimFiled, filed, order.rows),
        encode_columns(ClaimSettled, decided, order.rows),
        encode_columns(SettlementDiffers, differs, differing),
    )


def _block(batch: Batch, order: Order, encoded: tuple[Encoded, Encoded, Encoded], head: EventBlock) -> EventBlock:
    """Returns headers and the claims' events as columns: filed, decided and, where they differ, found, row by row."""
    h = len(head)
    program, record, at = _sequence(order)
    kernel = load("gather")
    part = np.concatenate([np.zeros(h, np.int64), program + 1])
    index = np.concatenate([np.arange(h, dtype=np.int64), at])
    states = Encoded(*kernel.gather((head.states, *encoded), part, index))
    streams = kernel.gather(
        (head.streams, batch.stream_texts),
        np.concatenate([np.zeros(h, np.int64), np.ones(len(record), np.int64)]),
        np.concatenate([np.arange(h, dtype=np.int64), record]),
    )
    refund = batch.kind[record] == REFUND
    topics = np.where(program == 0, _FILED, np.where(program == 2, _DIFFERS, np.where(refund, _REVERSED, _SETTLED)))
    return EventBlock(
        streams,
        np.concatenate([head.versions, program + 1]),
        np.concatenate([head.topics + len(_TOPICS), topics]),
        _TOPICS + head.topic_names,
        states,
    )


def _sequence(order: Order) -> tuple[Column, Column, Column]:
    """Returns (program, row, index in its program) of every event: 0 filed, 1 decided, 2 differs."""
    extra = order.differs[order.rows].astype(np.int64)
    of_row = np.repeat(np.arange(len(order.rows)), 2 + extra)
    start = np.cumsum(2 + extra) - (2 + extra)
    program = np.arange(len(of_row)) - start[of_row]
    found = np.cumsum(extra) - extra
    return program, order.rows[of_row], np.where(program == 2, found[of_row], of_row)


Columns = dict[str, Source]


def _columns(batch: Batch, order: Order, cause: int, knowledge: "Knowledge") -> tuple[Columns, Columns, Columns]:
    """Returns the fields of ClaimFiled, of the decisions and of SettlementDiffers as codec sources."""
    n, columns = batch.n, batch.columns
    assert batch.originals is not None
    ref = batch.originals.ref
    refund = (batch.kind == REFUND) & (ref >= 0)
    inside, outside = refund & (ref < n), np.flatnonzero(refund & (ref >= n))
    original = np.zeros(n, np.int64)
    original[inside] = order.filed_at[ref[inside]]
    original[outside] = np.array(batch.originals.positions, np.int64)[ref[outside] - n]
    basis = np.where(batch.kind == REFUND, BASIS_REFUND, np.where(batch.kind == COMPUTE, BASIS_KERNEL, BASIS_SOURCE))
    digests, choice = _policy_choice(batch, knowledge, inside, outside)
    said: Columns = {
        "cause": Const(msgspec.msgpack.encode(cause)),
        "row": Ints(columns.first_row + np.arange(n, dtype=np.int64)),
    }
    filed = said | {name: Ints(batch.facts[:, at]) for at, name in enumerate(FACTS)}
    filed |= {name: Text(*columns.texts[name]) for name in TEXTS}
    filed["given"] = Array(columns.given, columns.settled.astype(np.int64))
    decided = said | {
        "claim": Ints(order.filed_at),
        "original": Ints(original),
        "basis": Ints(basis.astype(np.int64)),
        "period": Ints(batch.period),
        "policy": Choice(choice, digests),
        "flags": Ints(batch.flags),
        "amounts": Array(batch.booked[:n]),
        "balc": Ints(batch.balc),
        "before": Array(batch.before),
        "delta": Array(batch.delta[:n]),
        "how": Array(batch.how),
        "year": Ints(batch.slot_keys[batch.slot] % YEARS),
    }
    return filed, decided, said | {"claim": Ints(order.filed_at), "computed": Array(batch.computed)}


def _policy_choice(
    batch: Batch, knowledge: "Knowledge", inside: npt.NDArray[np.bool_], outside: Column
) -> tuple[list[bytes], Column]:
    """Returns encoded policy digests and each row's choice; a refund carries its original's."""
    assert batch.originals is not None
    raws = [msgspec.msgpack.encode(bytes(digest)) for digest in knowledge.policies.digests]
    nothing = len(raws)
    raws.append(msgspec.msgpack.encode(b""))
    base = len(raws)
    raws += [msgspec.msgpack.encode(policy) for policy in batch.originals.policies]
    choice = np.where((batch.policy >= 0) & (batch.kind != UNCHECKED), batch.policy, nothing).astype(np.int64)
    ref = batch.originals.ref
    choice[inside] = choice[ref[inside]]
    choice[outside] = base + ref[outside] - batch.n
    return raws, choice


def _years(batch: Batch, order: Order) -> tuple[Column, Column, Column]:
    """Returns keys, versions and accumulators of the person-years that the batch moved."""
    slots, counts = np.unique(batch.slot[order.rows], return_counts=True)
    return batch.slot_keys[slots], batch.versions[slots] + counts, batch.state[slots]


def _accounts(batch: Batch, order: Order) -> tuple[Column, Column]:
    """Returns tokens and balances (fen) of the accounts that the batch moved."""
    rows = order.rows
    moved = distinct(batch.person[rows[batch.booked[rows, AMOUNT["acct_pay"]] != 0]])
    return batch.person_tokens[moved], batch.accounts[moved]


def _messages(batch: Batch, order: Order) -> TextRows:
    """Returns the keys of the message ids that book, and the positions of their claims."""
    rows, offsets = order.rows, batch.columns.texts["medins_setl_id"].offsets
    named = rows[offsets[rows + 1] > offsets[rows]]
    return text_rows(texts_taken(batch.message_texts, named), order.filed_at[named])


def _reversals(batch: Batch, order: Order) -> list[tuple[int, int]]:
    """Returns (position of the claim, position of its refund) of every refund that books."""
    refunds = order.rows[batch.kind[order.rows] == REFUND]
    assert batch.originals is not None
    ref = batch.originals.ref[refunds]
    positions = np.array([*batch.originals.positions, 0], np.int64)
    claims = np.where(
        ref < batch.n, order.filed_at[np.minimum(ref, batch.n - 1)], positions[np.clip(ref - batch.n, 0, None)]
    )
    return list(zip(claims.tolist(), order.filed_at[refunds].tolist(), strict=True))
