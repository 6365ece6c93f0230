"""Writes and checks self-contained proofs: events as they stand in the log, their audit paths, and a checkpoint.

A proof needs no store to be checked: the bytes of each event hash to a leaf, the leaf and its path to the root, and
the root is the checkpoint's. Whether the checkpoint is to be believed is for a pinned public key, or for whoever
kept it, to say.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ledger.events import ClaimFiled, Event, SettlementDiffers
from ledger.keys import clawback_stream
from ledger.mapper import decode_event
from ledger.refusals import StoreError
from projections.checkpoint import Checkpoint, check_signatures, parse
from projections.history import history
from projections.proof import SIZE, Tree, leaf_hash, verify_inclusion
from projections.signing import ProofError, PublicKey
from projections.trace_tree import (
    CaseTrace,
    ClaimsTrace,
    ClaimTrace,
    ClawbackTrace,
    CodeTrace,
    EventTrace,
    ManualTrace,
    PaymentTrace,
    Trace,
    ViolationTrace,
)

if TYPE_CHECKING:
    from ledger.store import Reader

FORMAT = "settlement-proof/1"


class ProvenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is one event as it stands in the log, and the audit path of its leaf; ``index`` is its position less one."""

    index: int
    stream: str
    version: int
    topic: str
    state: bytes
    path: tuple[bytes, ...]

    @property
    def position(self) -> int:
        """Returns the log position."""
        return self.index + 1

    @property
    def event(self) -> Event:
        """Returns what the bytes say; raises StoreError for a topic this version does not know."""
        return decode_event(self.topic, self.state)


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is a proof as its file holds it (JSON, bytes in base64): ``key`` is what was asked for, and proves nothing."""

    format: str
    key: str
    size: int
    checkpoint: str
    events: tuple[ProvenEvent, ...]


def positions_of(reader: "Reader", trace: Trace) -> list[int]:
    """Returns the positions of the events a key names: a claim's facts, decision and difference, or those of a
    payment or a clawback, or the one at a position; raises ProofError for a key of anything else."""
    key = trace.key
    at: set[int] = set()
    for found in trace.found:
        match found:
            case ClaimTrace(claim=claim):
                at |= {claim.claim, claim.decision}
                beside = reader.events_at([claim.decision + 1]).get(claim.decision + 1)
                if beside is not None and beside[2] == SettlementDiffers.TOPIC:
                    at.add(claim.decision + 1)
            case PaymentTrace(payment=payment):
                at |= {position for position, _, _, _ in reader.stream(payment.stream)}
            case ClawbackTrace(clawback=clawback):
                at |= {position for position, _, _, _ in reader.stream(clawback_stream(clawback.case))}
            case CaseTrace(steps=steps):
                at |= {step.position for step in steps}
            case EventTrace(position=position):
                at.add(position)
            case ViolationTrace() | ManualTrace() | CodeTrace() | ClaimsTrace():
                at |= {step.position for step in history(reader, [found])}
            case _:
                raise ProofError(
                    f"expected the key of a claim, a payment, a clawback or a log position, got {key!r}: trace it first"
                )
    if not at:
        raise ProofError(f"expected a key of the log, got {key!r}: nothing there has it")
    if key.isascii() and key.isdecimal() and int(key) in at and not _names_claim(reader, key, at):
        return [int(key)]
    return sorted(at)


def _names_claim(reader: "Reader", key: str, at: set[int]) -> bool:
    """Returns whether a bare number is the settlement number or message id of one of the claims, not a position."""
    for _, _, topic, state in reader.events_at(sorted(at)).values():
        event = decode_event(topic, state) if topic == ClaimFiled.TOPIC else None
        if isinstance(event, ClaimFiled) and key in (event.setl_id, event.medins_setl_id):
            return True
    return False


def prove(reader: "Reader", tree: Tree, key: str, positions: Sequence[int], checkpoint: Checkpoint) -> Proof:
    """Returns the proof of events in the log a checkpoint states; raises ProofError where it does not reach them."""
    if checkpoint.size > tree.size or tree.root(checkpoint.size) != checkpoint.root:
        raise ProofError(
            f"expected a checkpoint of this log, got one of size {checkpoint.size} with another root: run verify"
        )
    if late := [position for position in positions if position > checkpoint.size]:
        raise ProofError(
            f"expected events within the checkpoint's {checkpoint.size}, got position {late[0]}, not yet anchored:"
            " make a new checkpoint"
        )
    events = reader.events_at(positions)
    proven = tuple(
        ProvenEvent(at - 1, *events[at], path=tuple(tree.inclusion(at, checkpoint.size))) for at in positions
    )
    return Proof(FORMAT, key, checkpoint.size, checkpoint.note, proven)


def write_proof(proof: Proof) -> str:
    """Returns a proof as JSON text."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2).decode() + "\n"


def read_proof(text: str | bytes) -> Proof:
    """Returns the proof of a JSON text, not yet verified; raises ProofError for any other text."""
    try:
        proof = msgspec.json.decode(text, type=Proof)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProofError(f"expected a proof as `settlement proof` writes it, got: {error}") from None
    if proof.format != FORMAT:
        raise ProofError(f"expected a proof of format {FORMAT}, got {proof.format!r}: use the version that wrote it")
    return proof


def check_proof(proof: Proof, checkpoints: Sequence[Checkpoint] = (), pinned: PublicKey | None = None) -> list[str]:
    """Returns what is wrong with a proof, nothing where it holds; raises ProofError for a checkpoint that is none.

    ``checkpoints`` are others the reader kept: one of the same size must state the same root. Under a ``pinned`` key
    every signature counts, and an announced change of key is followed.
    """
    stated = parse(proof.checkpoint)
    wrong: list[str] = []
    if proof.size != stated.size:
        wrong.append(f"expected the checkpoint's size {stated.size}, got {proof.size}")
    if not proof.events:
        wrong.append("expected at least one event, got none")
    if len({event.index for event in proof.events}) != len(proof.events):
        wrong.append("expected every event once, got one twice")
    for event in proof.events:
        if wrong_event := _wrong_event(event, stated):
            wrong.append(wrong_event)
    for other in checkpoints:
        if other.size == stated.size and other.root != stated.root:
            wrong.append(f"expected root {other.root.hex()} at size {other.size}, as in your checkpoint, got another")
    if pinned is not None:
        wrong += check_signatures([*checkpoints, stated], pinned)
    return wrong


def _wrong_event(event: ProvenEvent, stated: Checkpoint) -> str:
    where = f"position {event.position} ({event.stream} version {event.version})"
    if not (0 <= event.index < 2**63 - 1 and 0 <= event.version < 2**63):
        return f"{where}: expected a place in a log"
    if any(len(each) != SIZE for each in event.path):
        return f"{where}: expected hashes of {SIZE} bytes in its path"
    try:
        leaf = leaf_hash(event.position, event.stream, event.version, event.topic, event.state)
    except ValueError as error:
        return f"{where}: {error}"
    if not verify_inclusion(leaf, event.position, stated.size, event.path, stated.root):
        return f"{where}: expected a path to root {stated.root.hex()} of size {stated.size}, got another"
    try:
        decode_event(event.topic, event.state)
    except StoreError as error:
        return f"{where}: {error}"
    return ""
