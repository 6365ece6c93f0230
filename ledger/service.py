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

from core_ext.layout import FUND_PARTS
from ledger import clawbacks, explain, payments, periods, writing
from ledger.block import EventBlock
from ledger.events import (
    ClaimFiled,
    ClaimReversed,
    CommandRecorded,
    JobAbandoned,
    PeriodClosed,
    PolicyEnacted,
)
from ledger.keys import clawback_stream, command_stream, period_stream, policy_stream
from ledger.knowledge import Knowledge, unfinished_jobs
from ledger.lookup import find_claim
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
    from ledger.erasing import Erased
    from ledger.expiring import ExpiringFiling
    from ledger.explanation import Explanation
    from ledger.intake import IntakeReport, Progress
    from ledger.postings import Opened
    from ledger.replay import ReplayReport, Settle
    from ledger.store import Store, Transaction
    from ledger.touched import Touched


def wall_clock_us() -> int:
    """Returns the time in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


ANY_CLAIM_OF = "SELECT 1 FROM stored_events WHERE originator_id >= ? AND originator_id < ? LIMIT 1"


class Ledger:
    """Is an open ledger. Use it as a context manager; every method refuses with ``Refused`` and then wrote nothing."""

    def __init__(self, store: "Store", actor: str, clock_us: Callable[[], int]) -> None:
        if not actor.strip():
            raise Refused(Refusal.BAD_VALUE, "expected the name of who acts, got nothing")
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
            if listed and all(self.knowledge.policies.in_force(region) == (digest, assumed) for region in listed):
                return Enacted(0, name, digest.hex(), listed, assumed, True)
            cause, command = self.command(tx, "enact", reason, {"assumed": assumed, "regions": listed}, name, digest)
            enacted = PolicyEnacted(cause, 0, digest, name, document, listed, assumed)
            self.knowledge.policies.check(enacted)
            self._check_regions(tx, enacted)
            self.append(tx, [command, (stream, len(have) + 1, enacted)])
            return Enacted(cause + 1, name, digest.hex(), listed, assumed, False)

    def _check_regions(self, tx: "Transaction", enacted: PolicyEnacted) -> None:
        """Refuses prefixes that would take codes from a region whose claims are in the log under their old key."""
        for region in self.knowledge.policies.regions_giving_up(enacted):
            if tx.query(ANY_CLAIM_OF, (f"claim-{region:06d}-", f"claim-{region:06d}.")):
                raise Refused(
                    Refusal.NOT_ALLOWED,
                    f"{enacted.name}: its prefixes take codes from region {region:06d}, which has claims already:"
                    " a region's codes are declared before its first claim",
                )

    def register(self, path: str | Path, *, reason: str = "") -> Registered:
        """Registers members, filings, institutions … from a CSV; its header says which. Idempotent."""
        from ledger.registering import register_file

        return register_file(self, Path(path), reason)

    def erase(self, psn_no: str, *, retention_years: int = 30, reason: str = "") -> "Erased":
        """Removes a person's number and name and nothing else, once the retention period is over (refused before)."""
        from ledger.erasing import erase_person

        return erase_person(self, psn_no, retention_years, reason)

    def touched(self, position: int | None = None) -> "Touched":
        """Returns the settled claims that a register command (the last, or one's position) reaches back to."""
        from ledger.touched import last_register, touched

        with self.store.read() as reader:
            return touched(reader, last_register(reader) if position is None else position)

    def expiring_filings(self, days: int, on: int | None = None) -> "list[ExpiringFiling]":
        """Returns the filings that end within ``days`` days from ``on`` (yyyymmdd; the clock's day where None)."""
        from ledger.expiring import expiring
        from ledger.reversing import moment

        with self.store.read() as reader:
            return expiring(reader, days, moment(self.clock_us()) // 1_000_000 if on is None else on)

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

    def abandon(self, job: int, reason: str) -> JobReport:
        """Ends a job that can never complete (its file is lost, or was changed) and returns what stands of it.

        What it booked stays booked; ``job`` is the position of its JobStarted. A complete job is refused.
        """
        with self.transaction() as tx:
            streams = {position: stream for stream, position in unfinished_jobs(tx).items()}
            if job not in streams:
                raise Refused(Refusal.UNKNOWN_KEY, f"expected the position of an unfinished job, got {job}")
            _, command = self.command(tx, "abandon", reason, {"job": job})
            version = tx.stream_heads([streams[job]])[streams[job]]
            self.append(tx, [command, (streams[job], version + 1, JobAbandoned(job, tx.recorded_at, tx.size + 1))])
        return next(report for report in self.jobs() if report.job == job)

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

    def explain(self, claim: str) -> "Explanation":
        """Explains how a booked claim's amounts come about, step by step, under the policy it was decided by.

        ``claim`` is as for ``reverse``; what the policy gives stands beside what is booked.
        """
        from ledger.acts import read_acts
        from ledger.explanation import Explainer

        with self.store.read() as reader:
            position, _, _ = find_claim(reader, claim)
            known = Knowledge()
            known.refresh(reader)
            (acts,) = read_acts(reader, after=position, stop=position + 1)
            return Explainer(known.policies).explain(acts, 0)

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
            receipt = explain.key("receipt", receipt)
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
            recovered = self.knowledge.recovered.get(position, [0] * len(FUND_PARTS))
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
            receipt = explain.key("receipt", receipt)
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

    def policy_in_force(self, region: int) -> str:
        """Returns the text of the policy document in force for a region; refused where there is none."""
        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            digest = known.policies.digest_in_force(region)
        if digest is None:
            raise Refused(Refusal.UNKNOWN_KEY, f"expected a region with a policy in force, got {region:06d}")
        return self.policy(digest.hex())

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
