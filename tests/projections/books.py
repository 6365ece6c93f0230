"""Builds small, whole logs straight from events: claims, refunds, payments, clawbacks, jobs with rejected rows."""

import hashlib
import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core_ext.layout import ACCUMULATORS, AMOUNT, AMOUNTS, HOW
from ledger import keys, store
from ledger.block import EventBlock
from ledger.events import (
    BASIS_REFUND,
    BASIS_SOURCE,
    FLAG_ASSUMED,
    FLAG_LATE,
    PAYMENT_INSTITUTION,
    PAYMENT_REGION,
    ClaimFiled,
    ClaimReversed,
    ClaimSettled,
    ClawbackCollected,
    ClawbackRaised,
    CommandRecorded,
    Event,
    JobBatch,
    JobCompleted,
    JobStarted,
    OpeningAccount,
    OpeningBalance,
    PaymentConfirmed,
    PaymentInstructed,
    PeriodClosed,
    PeriodOpened,
    PolicyEnacted,
    SettlementDiffers,
)
from ledger.refusals import Refusal
from projections.catch_up import catch_up
from projections.tables import ReadModel

REGIONS = (260100, 260200, 470100)
DOCUMENT = "name = 'made up for a test'\n"
DIGEST = hashlib.sha256(DOCUMENT.encode()).digest()[:16]
SOURCE = b"\x11" * 32
START_US = 1_700_000_000_000_000

#: A log in order: stream, version, event; position = index + 1.
Log = list[tuple[str, int, Event]]


@dataclass
class Book:
    """Is a log in the making; ``acts`` are (position, filed, decision) of what was booked."""

    seed: int = 1
    log: Log = field(default_factory=list)
    acts: list[tuple[int, ClaimFiled, ClaimSettled | ClaimReversed]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.serial = itertools.count(1)
        self.heads: dict[str, int] = {}
        self.reversed: set[int] = set()

    def add(self, stream: str, event: Event) -> int:
        """Appends an event to a stream and returns its position."""
        self.heads[stream] = self.heads.get(stream, 0) + 1
        self.log.append((stream, self.heads[stream], event))
        return len(self.log)

    def now(self) -> int:
        """Returns a recorded time, one second an event."""
        return START_US + len(self.log) * 1_000_000

    def command(self, verb: str) -> int:
        """Records a command and returns its position."""
        position = len(self.log) + 1
        event = CommandRecorded(self.now(), verb, "tester", "", "", b"", b"", "{}")
        return self.add(keys.command_stream(position), event)

    def job(self, claims: int, source: str = "claims.csv", complete: bool = True) -> int:
        """Takes in a file: row 1 is quarantined, ``claims`` are booked, the last is a duplicate where it can be."""
        digest = hashlib.sha256(source.encode()).digest()
        stream = keys.job_stream("intake", digest)
        started = JobStarted(self.now(), "intake", "tester", "", source, digest, b"", b"")
        job = self.add(stream, started)
        last = claims + 2
        duplicates = ((last, self.acts[0][0]),) if self.acts else ()
        batch = JobBatch(
            cause=job,
            recorded_at=self.now(),
            first_row=1,
            rows=last,
            booked=claims,
            medfee_fen=0,
            late=0,
            periods=(),
            duplicates=duplicates,
            quarantined=((1, int(Refusal.BAD_DATE), 16),),
        )
        self.add(stream, batch)
        for row in range(2, claims + 2):
            self.claim(job, row)
        if complete:
            self.add(stream, JobCompleted(job, self.now(), last, claims, len(duplicates), 1, 0))
        return job

    def claim(self, cause: int, row: int) -> int:
        """Books one claim, now and then a refund of an earlier one or one with a difference found."""
        open_ = [act for act in self.acts if isinstance(act[2], ClaimSettled) and act[0] not in self.reversed]
        if open_ and self.random.random() < 0.15:
            return self.refund(cause, row, *self.random.choice(open_))
        serial, r = next(self.serial), self.random
        insured, treatment = r.choice(REGIONS), r.choice(REGIONS)
        parts = [r.choice((0, 0, r.randrange(1, 200_000))) for _ in range(8)]
        fund, acct, cash = sum(parts), r.choice((0, r.randrange(5_000))), r.randrange(20_000)
        medfee = fund + acct + cash
        amounts = (0, *parts, fund, acct + cash, acct, 0, cash)
        insutype, token, month = r.choice((310, 390)), r.randrange(1, 9), r.choice((202401, 202402))
        facts = (token, insured + 1, treatment + 2, insured, treatment, 2, insutype, 11, 21, 20240101, 20240105)
        money = (medfee, 0, 0, 0, medfee, 0)
        texts = (f"S{serial:06d}", f"M{serial:06d}", f"H{serial:029d}", r.choice(("H1", "H26020000002")), "")
        filed = ClaimFiled(cause, row, *facts, month * 10**8 + 3_080_000, *money, *texts, amounts)
        period = max(month, r.choice((202401, 202402)))
        flags = (FLAG_LATE if period != month else 0) | r.choice((0, FLAG_ASSUMED))
        return self.book(filed, amounts, 0, BASIS_SOURCE, period, flags)

    def refund(self, cause: int, row: int, original: int, filed: ClaimFiled, settled: ClaimSettled) -> int:
        """Books the exact negative of a settlement."""
        serial = next(self.serial)
        self.reversed.add(original)
        values = {name: getattr(filed, name) for name in filed.__struct_fields__}
        for name in MONEY:
            values[name] = -values[name]
        values |= {"cause": cause, "row": row, "setl_id": f"S{serial:06d}", "init_setl_id": filed.setl_id}
        values |= {"medins_setl_id": f"H{serial:029d}", "given": None}
        negative = tuple(-amount for amount in settled.amounts)
        return self.book(ClaimFiled(**values), negative, original, BASIS_REFUND, settled.period, settled.flags)

    def book(
        self, filed: ClaimFiled, amounts: tuple[int, ...], original: int, basis: int, period: int, flags: int
    ) -> int:
        """Appends a ClaimFiled and its decision, and now and then a difference."""
        if keys.period_stream(period) not in self.heads:
            self.add(keys.period_stream(period), PeriodOpened(filed.cause, filed.row, period))
        stream = keys.claim_stream(filed.insured_region, filed.setl_id)
        claim = self.add(stream, filed)
        zeros = (0,) * len(ACCUMULATORS)
        cls = ClaimReversed if original else ClaimSettled
        decision = cls(
            filed.cause, filed.row, claim, original, basis, period, DIGEST, flags,
            amounts, 0, zeros, zeros, (0,) * len(HOW), 2024,
        )  # fmt: skip
        self.add(stream, decision)
        if not original and self.random.random() < 0.2:
            self.add(stream, SettlementDiffers(filed.cause, filed.row, claim, amounts))
        self.acts.append((claim, filed, decision))
        return claim

    def close_and_pay(self, period: int, confirm: bool = True) -> list[str]:
        """Closes a period and instructs every payment of it, confirming all where asked; returns their streams."""
        dues: dict[tuple[int, int, str], list[int]] = {}
        for _, filed, decision in self.acts:
            if decision.period != period:
                continue
            parts = (1, decision.amounts[AMOUNT["fund_pay_sumamt"]], decision.amounts[AMOUNT["acct_pay"]])
            payees = [(PAYMENT_INSTITUTION, filed.treatment_region, filed.fixmedins_code)]
            if filed.insured_region != filed.treatment_region:
                payees.append((PAYMENT_REGION, filed.insured_region, f"{filed.treatment_region:06d}"))
            for key in payees:
                dues[key] = [a + b for a, b in zip(dues.get(key, (0, 0, 0)), parts, strict=True)]
        cause = self.command("close")
        closed = PeriodClosed(cause, 0, period, len(self.acts), 0, 0, (0,) * len(AMOUNTS), 0, 0, b"")
        self.add(keys.period_stream(period), closed)
        cause, streams = self.command("pay"), []
        for (kind, payer, payee), (acts, fund, account) in sorted(dues.items()):
            if fund + account == 0:
                continue
            stream = keys.payment_stream(kind, period, payer, payee)
            amounts = (acts, fund, account, fund + account)
            self.add(stream, PaymentInstructed(cause, 0, period, kind, payer, payee, *amounts))
            streams.append(stream)
        for stream in streams if confirm else ():
            instructed = self.log[next(i for i, at in enumerate(self.log) if at[0] == stream)][2]
            assert isinstance(instructed, PaymentInstructed)
            self.add(stream, PaymentConfirmed(self.command("confirm"), 0, instructed.amount_fen, f"R{len(self.log)}"))
        return streams

    def claw_back(self, case: str, claim: int, collected: Sequence[int]) -> str:
        """Raises a clawback of a claim's whole fund payment and collects parts of it."""
        _, filed, decision = next(act for act in self.acts if act[0] == claim)
        stream, parts = keys.clawback_stream(case), decision.amounts[1:9]
        regions = (filed.insured_region, filed.treatment_region, filed.fixmedins_code)
        self.add(stream, ClawbackRaised(self.command("clawback"), 0, claim, *regions, sum(parts), parts))
        for amount_fen in collected:
            self.add(stream, ClawbackCollected(self.command("collect"), 0, amount_fen, f"R{len(self.log)}"))
        return stream

    def save(self, url: str, after: int = 0) -> None:
        """Appends the log behind position ``after`` to the store at ``url``, created if need be."""
        recorded_at = max(getattr(event, "recorded_at", 0) for _, _, event in self.log)
        with store.create(url) as opened, opened.begin(lambda: recorded_at) as tx:
            assert tx.size == after
            tx.append(EventBlock.from_events(self.log[after:]))
            filed = [(event, at) for at, (_, _, event) in enumerate(self.log, 1) if at > after]
            claims = [(event.medins_setl_id, at) for event, at in filed if isinstance(event, ClaimFiled)]
            tx.add_messages([keys.message_key(message) for message, _ in claims], [at for _, at in claims])
            self._save_state(tx, after)
            if after == 0:
                tx.add_persons([(f"P{token:03d}", "某人") for token in range(1, 9)])

    def _save_state(self, tx: store.Transaction, after: int) -> None:
        """Saves what the acts behind ``after`` leave in the write side's own tables: every delta here is zero."""
        counts: dict[int, int] = {}
        balances: dict[int, int] = {1: 120_000} if after == 0 else {}
        booked = [act for act in self.acts if act[0] < len(self.log)]
        for claim, filed, decision in booked:
            key = filed.token * keys.YEARS + 2024
            counts[key] = counts.get(key, 0) + 1
            if claim > after:
                balances[filed.token] = decision.balc
        years = np.array(list(counts), np.int64)
        zeros = np.zeros((len(years), len(ACCUMULATORS)), np.int64)
        tx.save_state(years, np.array(list(counts.values()), np.int64), zeros)
        tx.save_accounts(np.array(list(balances), np.int64), np.array(list(balances.values()), np.int64))
        tx.add_reversals([(d.original, at) for at, _, d in booked if d.original and at > after])


MONEY = (
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
    "hosp_part_amt",
)


def full_book(seed: int = 1, claims: int = 40) -> Book:
    """Returns a log with every kind of event this package reads."""
    book = Book(seed)
    cause = book.command("enact")
    book.add(keys.policy_stream(DIGEST), PolicyEnacted(cause, 0, DIGEST, "made up", DOCUMENT, REGIONS, True))
    cause = book.command("register")
    opening = (("bank:260100", 5_000_000), ("equity:260100", -5_000_000))
    book.add(keys.OPENING_BALANCES, OpeningBalance(cause, 1, opening))
    book.add(keys.account_stream(1), OpeningAccount(cause, 1, 1, 120_000))
    book.job(claims)
    book.job(claims // 2, "second.csv")
    claim = next(p for p, f, d in book.acts if d.amounts[9] > 0 and f.insured_region != f.treatment_region)
    near = next(p for p, f, d in book.acts if d.amounts[9] > 0 and f.insured_region == f.treatment_region)
    book.close_and_pay(202401)
    book.claw_back("case-1", claim, (1, 2))
    book.claw_back("case-2", near, ())
    return book


def pieces(book: Book, size: int) -> list[EventBlock]:
    """Returns the book cut in transactions of at least ``size`` events, none between a claim and its decision."""
    blocks, part = [], []
    for event in book.log:
        part.append(event)
        if len(part) >= size and not isinstance(event[2], ClaimFiled):
            blocks.append(EventBlock.from_events(part))
            part = []
    return [*blocks, EventBlock.from_events(part)] if part else blocks


def append_each(opened: store.Store, blocks: Iterable[EventBlock]) -> None:
    """Appends blocks, each in a transaction of its own."""
    for block in blocks:
        with opened.begin() as tx:
            tx.append(block)


def derive_anew(opened: store.Store, model: ReadModel) -> None:
    """Empties a model's tables and folds the log into them from its beginning."""
    with opened.write() as writer:
        for table in model.tables:
            writer.execute(f"DELETE FROM {table.name}")
        writer.execute("UPDATE projection SET position = 0 WHERE name = ?", (model.name,))
    catch_up(opened, [model])
