"""Is the ledger as a host service uses it: one short method a command, each one transaction, or a job of many.

A ``Ledger`` may be shared by threads: commands take the log in turn. It must not be carried across a fork: open the
store again in the child. Nothing is read from the environment; the clock is the one it was opened with.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ledger import clawbacks, explain, payments, periods, writing
from ledger.block import EventBlock
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    CommandRecorded,
    PeriodClosed,
    PolicyEnacted,
)
from ledger.keys import claim_stream, clawback_stream, command_stream, period_stream, policy_stream
from ledger.knowledge import Knowledge, streams_with_prefix, unfinished_jobs
from ledger.mapper import decode_event
from ledger.postings import checked_postings
from ledger.refusals import Refusal, Refused
from ledger.reports import (
    Clawback,
    Closed,
    Enacted,
    JobReport,
    Payment,
    PeriodReport,
    PolicyReport,
    Registered,
    Reversed,
)

if TYPE_CHECKING:
    from ledger.intake import IntakeReport, Progress
    from ledger.postings import Opened
    from ledger.replay import ReplayReport, Settle
    from ledger.store import Reader, Store, Transaction


def wall_clock_us() -> int:
    """Returns the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Ledger:
    """Is an open ledger. Use it as a context manager; every method refuses with ``Refused`` and then wrote nothing."""

    def __init__(self, store: "Store", actor: str, clock_us: Callable[[], int]) -> None:
        self.store = store
        self.actor = actor
        self.clock_us = clock_us
        self.knowledge = Knowledge()
        self._lock = threading.RLock()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_store()

    def close_store(self) -> None:
        """Closes the store's connections."""
        self.store.close()

    @property
    def kernel(self) -> bytes:
        """Returns the digest of the kernel sources every decision of this process is made with."""
        from core_ext.kernels import digest

        return digest()

    # ------------------------------------------------------------------ transactions

    @contextmanager
    def transaction(self) -> "Iterator[Transaction]":
        """Yields a transaction that holds the log, with what must be known of it brought up to its head."""
        with self._lock:
            try:
                with self.store.begin(self.clock_us) as tx:
                    self.knowledge.refresh(tx)
                    yield tx
            except BaseException:
                self.forget()
                raise

    def forget(self) -> None:
        """Drops what was known of the log: after a rollback it may never have been."""
        self.knowledge = Knowledge()

    def command(
        self, tx: "Transaction", verb: str, reason: str, arguments: object, source: str = "", digest: bytes = b""
    ) -> tuple[int, writing.Header]:
        """Returns a command's position and its CommandRecorded, the first event it appends."""
        position = tx.size + 1
        text = msgspec.json.encode(arguments, order="sorted").decode()
        event = CommandRecorded(tx.recorded_at, verb, self.actor, reason, source, digest, self.kernel, text)
        return position, (command_stream(position), 1, event)

    def append(self, tx: "Transaction", events: Sequence[writing.Header], opened: "Opened | None" = None) -> None:
        """Appends a command's events once what moves money is known to balance; ``opened`` as ``postings`` takes it."""
        for _, _, event in events:
            checked_postings(event, opened)
        tx.append(EventBlock.from_events(events))
        self.knowledge.position = -1

    # ------------------------------------------------------------------ policies and registers

    def enact(self, policy: str | Path, regions: Sequence[int], *, assumed: bool = False, reason: str = "") -> Enacted:
        """Enacts a policy document (a file, or the name of a shipped one) for pooling areas and returns it.

        ``assumed`` marks every settlement under it; it never replaces a region's own policy (refused). Enacting the
        same document for the same regions again changes nothing.
        """
        from ledger.policy import digest_of, read_policy

        document, where = read_document(policy)
        name, digest = read_policy(document, where).header.name, digest_of(document)
        listed = tuple(sorted(set(regions)))
        with self.transaction() as tx:
            stream = policy_stream(digest)
            have = [decode_event(topic, state) for _, _, topic, state in tx.stream(stream)]
            for event in have:
                if isinstance(event, PolicyEnacted) and event.assumed == assumed and set(listed) <= set(event.regions):
                    return Enacted(0, name, digest.hex(), listed, assumed, True)
            cause, command = self.command(tx, "enact", reason, {"assumed": assumed, "regions": listed}, name, digest)
            enacted = PolicyEnacted(cause, 0, digest, name, document, listed, assumed)
            self.knowledge.policies.check(enacted)
            self.append(tx, [command, (stream, len(have) + 1, enacted)])
            return Enacted(cause + 1, name, digest.hex(), listed, assumed, False)

    def register(self, path: str | Path, *, reason: str = "") -> Registered:
        """Registers members, off-site filings or opening balances from a CSV; its header says which. Idempotent."""
        from ledger.registering import register_file

        return register_file(self, Path(path), reason)

    # ------------------------------------------------------------------ claims

    def intake(
        self,
        path: str | Path,
        profile: str | Path = "national",
        *,
        retry: bool = False,
        dry_run: bool = False,
        reason: str = "",
        progress: "Progress | None" = None,
        quarantine: str | Path | None = None,
    ) -> "IntakeReport":
        """Takes a file of claims in, books what can be booked and writes the rest to a quarantine file.

        Rows are unique on (insured region, setl_id) and on medins_setl_id: the same file again books nothing.
        ``retry`` says the file is a mended quarantine file. A killed intake goes on where it stopped.
        """
        from ledger.intake import run_intake
        from ledger.profile import load_profile

        return run_intake(
            self,
            path,
            load_profile(profile),
            reason=reason,
            retry=retry,
            dry_run=dry_run,
            progress=progress,
            quarantine=Path(quarantine) if quarantine is not None else None,
        )

    def lines(
        self,
        path: str | Path,
        profile: str | Path = "national",
        *,
        retry: bool = False,
        dry_run: bool = False,
        reason: str = "",
        progress: "Progress | None" = None,
        quarantine: str | Path | None = None,
    ) -> "IntakeReport":
        """Takes a file of fee lines in, files them under their booked claims; what does not agree is a finding.

        A line is unique on its claim and feedetl_sn: the same file again files nothing. Otherwise as ``intake``.
        """
        from ledger.line_intake import run_lines
        from ledger.profile import load_profile

        return run_lines(
            self,
            path,
            load_profile(profile),
            reason=reason,
            retry=retry,
            dry_run=dry_run,
            progress=progress,
            quarantine=Path(quarantine) if quarantine is not None else None,
        )

    def reverse(self, claim: str, reason: str, *, setl_id: str | None = None) -> Reversed:
        """Cancels a settlement in full by filing its exact negative (I7); nobody is priced again.

        ``claim`` is a setl_id or ``region/setl_id``; the refund gets ``setl_id`` or the claim's own with ``-R``.
        """
        from ledger.reversing import reverse_claim

        return reverse_claim(self, claim, reason, setl_id)

    # ------------------------------------------------------------------ periods

    def close(self, period: int, *, reason: str = "") -> Closed:
        """Closes a clearing period and freezes its statement; later claims of its months book into the next one."""
        from ledger.acts import read_acts
        from ledger.clearing import fold_period

        with self.transaction() as tx:
            state, unfinished = self.knowledge.periods, unfinished_jobs(tx)
            refusal = periods.decide_close(state, period, unfinished)
            if refusal:
                raise Refused(refusal, explain.period(refusal, period, state, unfinished))
            figures = fold_period(read_acts(tx, after=state.opened[period]), period)
            cause, command = self.command(tx, "close", reason, {"period": period})
            totals = figures.totals
            event = PeriodClosed(
                cause, 0, period, figures.acts, figures.person_times, totals[2], tuple(totals[3:]),
                figures.late_acts, figures.late_medfee_fen, figures.digest(),
            )  # fmt: skip
            self.append(tx, [command, (period_stream(period), 2, event)])
            return Closed.of(event)

    def periods(self) -> list[PeriodReport]:
        """Returns every clearing period with the positions at which it opened and closed."""
        with self.store.read() as reader:
            return PeriodReport.read(reader)

    def replay(
        self, period: int, *, progress: "Progress | None" = None, settle: "Settle | None" = None
    ) -> "ReplayReport":
        """Recomputes every settlement of a period from the log and returns what does not come out again.

        ``settle`` decides with another kernel than the chosen one, to see what it would change.
        """
        from ledger import replay
        from ledger.acts import read_acts

        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            if unfinished := unfinished_jobs(reader):
                raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))
            if period not in known.periods.opened:
                raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, period, known.periods, {}))
            openings = replay.read_openings(reader)
            pages = read_acts(reader)
            return replay.replay(
                reader, pages, known.policies, period, openings=openings, progress=progress, settle=settle
            )

    # ------------------------------------------------------------------ money

    def pay(self, period: int, to: str = "all", *, reason: str = "") -> list[Payment]:
        """Instructs what a closed period owes: region to region, and treatment region to institution.

        ``to`` is ``regions``, ``institutions`` or ``all``. A payee is paid once a period: asking again is refused.
        """
        from ledger.acts import read_acts
        from ledger.clearing import fold_period

        kinds = payments.KINDS.get(to)
        if kinds is None:
            raise Refused(Refusal.UNKNOWN_KEY, f"expected one of {', '.join(payments.KINDS)} to pay, got {to!r}")
        with self.transaction() as tx:
            state = self.knowledge.periods
            closed = period in state.closed
            dues: dict[str, payments.Due] = {}
            if closed:
                pages = read_acts(tx, after=state.opened[period], stop=state.closed[period])
                figures = fold_period(pages, period)
                dues = {payments.due_stream(period, due): due for due in figures.dues(kinds)}
            cause, command = self.command(tx, "pay", reason, {"period": period, "to": to})
            decided = payments.decide_instruct(period, closed, dues, tx.stream_heads(list(dues)), cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.payment(decided, period))
            self.append(tx, [command, *decided])
            return [Payment.of(stream, payments.evolve(payments.PaymentState(), event)) for stream, _, event in decided]

    def confirm(self, payment: str, receipt: str, *, amount_fen: int | None = None, reason: str = "") -> Payment:
        """Confirms a payment in full by the bank's receipt; ``amount_fen`` must be its amount where given."""
        with self.transaction() as tx:
            state = payments.PaymentState()
            events = tx.stream(payment)
            for _, _, topic, stored in events:
                state = payments.evolve(state, decode_event(topic, stored))
            cause, command = self.command(tx, "confirm", reason, {"payment": payment, "receipt": receipt})
            amount = state.instructed.amount_fen if amount_fen is None and state.instructed else amount_fen or 0
            decided = payments.decide_confirm(state, amount, receipt, cause)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.confirmation(decided, payment, state, amount))
            self.append(tx, [command, (payment, len(events) + 1, decided)], state.instructed)
            return Payment.of(payment, payments.evolve(state, decided))

    def clawback_raise(self, case: str, claim: str, amount_fen: int, reason: str) -> Clawback:
        """Raises a clawback on a claim's funds under a case number; together never more than the funds paid."""
        with self.transaction() as tx:
            stream = clawback_stream(explain.key("case", case))
            position, filed, decision = find_claim(tx, claim)
            state = self._clawback(tx, stream)
            recovered = recovered_of(tx, position)
            cause, command = self.command(
                tx, "clawback raise", reason, {"amount_fen": amount_fen, "case": case, "claim": claim}
            )
            decided = clawbacks.decide_raise(
                state,
                cause=cause,
                claim=position,
                regions=(filed.insured_region, filed.treatment_region),
                institution=filed.fixmedins_code,
                amount_fen=amount_fen,
                amounts=decision.amounts,
                recovered=recovered,
                reversed_=isinstance(decision, ClaimReversed) or bool(tx.reversals([position])),
                order=self._fund_order(decision.policy),
            )
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.clawback(decided, case, claim, amount_fen, decision.amounts, recovered))
            self.append(tx, [command, (stream, 1, decided)], filed)
            return Clawback.of(case, filed.setl_id, clawbacks.evolve(state, decided))

    def clawback_collect(self, case: str, amount_fen: int, receipt: str, *, reason: str = "") -> Clawback:
        """Collects a part of a clawback by a receipt; never more than is outstanding, a receipt counts once."""
        with self.transaction() as tx:
            stream = clawback_stream(explain.key("case", case))
            state = self._clawback(tx, stream)
            cause, command = self.command(
                tx, "clawback collect", reason, {"amount_fen": amount_fen, "case": case, "receipt": receipt}
            )
            decided = clawbacks.decide_collect(state, cause=cause, amount_fen=amount_fen, receipt=receipt)
            if isinstance(decided, Refusal):
                raise Refused(decided, explain.collection(decided, case, amount_fen, receipt, state))
            version = tx.stream_heads([stream])[stream]
            self.append(tx, [command, (stream, version + 1, decided)], state.raised)
            assert state.raised is not None
            filed = decode_event(ClaimFiled.TOPIC, tx.events_at([state.raised.claim])[state.raised.claim][3])
            assert isinstance(filed, ClaimFiled)
            return Clawback.of(case, filed.setl_id, clawbacks.evolve(state, decided))

    def _fund_order(self, digest: bytes) -> Sequence[str]:
        """Returns the order in which a policy's funds get money back, the default where it names none."""
        policy = self.knowledge.policies.policy_named(digest)
        return (policy.header.clawback_order if policy else ()) or clawbacks.DEFAULT_FUND_ORDER

    def _clawback(self, tx: "Transaction", stream: str) -> clawbacks.ClawbackState:
        state = clawbacks.ClawbackState()
        for _, _, topic, stored in tx.stream(stream):
            state = clawbacks.evolve(state, decode_event(topic, stored))
        return state

    # ------------------------------------------------------------------ what there is

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

    def jobs(self) -> list[JobReport]:
        """Returns every job over a file with its totals; an unfinished one has no completion."""
        with self.store.read() as reader:
            return JobReport.read(reader)


def read_document(policy: str | Path) -> tuple[str, str]:
    """Returns (text, where it is from) of a policy file, or of a shipped policy by its name."""
    from ledger.policy import shipped

    path = Path(policy)
    if path.suffix or path.exists():
        try:
            return path.read_text(encoding="utf-8"), str(policy)
        except UnicodeDecodeError as error:
            raise Refused(Refusal.POLICY_INVALID, f"{policy}: expected UTF-8 text, got {error.reason}") from None
    return shipped(str(policy)), str(policy)


def find_claim(reader: "Reader", claim: str) -> tuple[int, ClaimFiled, ClaimSettled | ClaimReversed]:
    """Returns (position, filed, decision) of a claim by ``region/setl_id`` or, where only one region has it, setl_id.

    Raises Refused for an unknown claim, and for a setl_id several regions use.
    """
    region, slash, setl_id = claim.partition("/")
    if slash:
        if not region.isdecimal():
            raise Refused(Refusal.UNKNOWN_KEY, f"expected region/setl_id with a six-digit region, got {claim!r}")
        found = reader.first_events([claim_stream(int(region), setl_id)])
    else:
        regions = {row[0] for row in reader.query(CLAIM_REGIONS)} if claim else set()
        found = reader.first_events([f"claim-{region}-{claim}" for region in sorted(regions)])
    if not found:
        raise Refused(Refusal.UNKNOWN_KEY, f"expected the setl_id of a booked claim (or region/setl_id), got {claim!r}")
    if len(found) > 1:
        named = ", ".join(sorted(stream.split("-")[1] for stream in found))
        raise Refused(Refusal.UNKNOWN_KEY, f"claim {claim!r} exists in regions {named}: write region/setl_id")
    ((position, state),) = found.values()
    filed = decode_event(ClaimFiled.TOPIC, state)
    _, _, topic, decided = reader.events_at([position + 1])[position + 1]
    decision = decode_event(topic, decided)
    assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled | ClaimReversed)
    return position, filed, decision


def recovered_of(reader: "Reader", claim: int) -> list[int]:
    """Returns what clawbacks already took back from each fund of a claim (AMOUNTS[1:9] order, fen)."""
    from ledger.events import ClawbackRaised

    recovered = [0] * 8
    for _, _, _, topic, state in streams_with_prefix(reader, "clawback"):
        if topic == ClawbackRaised.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, ClawbackRaised)
            if event.claim == claim:
                recovered = [a + b for a, b in zip(recovered, event.funds, strict=True)]
    return recovered


CLAIM_REGIONS = """
WITH RECURSIVE regions(stream) AS (
    SELECT MIN(originator_id) FROM stored_events WHERE originator_id >= 'claim-' AND originator_id < 'claim.'
    UNION ALL
    SELECT (SELECT MIN(originator_id) FROM stored_events
            WHERE originator_id >= SUBSTR(stream, 1, 12) || '.' AND originator_id < 'claim.')
    FROM regions WHERE stream IS NOT NULL)
SELECT SUBSTR(stream, 7, 6) FROM regions WHERE stream IS NOT NULL"""
