"""Books a batch of claims inside one transaction: columns in, decisions as one block of events out.

The order of work is the order of DOMAIN: keys (is the row known?), persons, regions and policy, the settle
kernel, the clearing period, then events in person order so that both stores append to neighbouring keys.
``decide`` reads and computes, ``write`` appends and keeps the write-side state; nothing is written between.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, HOW
from core_ext.text import to_list
from ledger.events import FLAG_ASSUMED, FLAG_LATE, FLAG_NOT_CHECKED
from ledger.keys import YEARS, claim_stream
from ledger.originals import Originals, load_originals
from ledger.profile import Profile
from ledger.refusals import Refusal
from ledger.registers import filing_masks, load_members
from ledger.sameness import same_content

if TYPE_CHECKING:
    from ledger.knowledge import Knowledge
    from ledger.source import ClaimColumns
    from ledger.store import Transaction

Ints = npt.NDArray[np.int64]

SKIP, COMPUTE, SOURCE, REFUND, UNCHECKED = range(5)

_IDENTITIES = sum(
    1 << int(r) for r in (Refusal.IDENTITY_I1, Refusal.IDENTITY_I2, Refusal.IDENTITY_I3, Refusal.IDENTITY_I5)
)
# A row with one of these has no trustworthy key: it can neither be a duplicate nor stand in a key's way.
_KEYLESS = sum(1 << int(r) for r in (Refusal.ROW_SHAPE, Refusal.NOT_UTF8, Refusal.UNSAFE_TEXT, Refusal.BAD_KEY))


@dataclass(slots=True)
class Batch:
    """Is a batch on its way: the source columns, what lookups added, and what the kernel decided.

    All arrays have one row a claim; ``tail`` rows behind the claims are originals of refunds, loaded from the log.
    """

    columns: "ClaimColumns"
    streams: list[str]
    messages: list[str]
    persons: list[str]
    faults: Ints
    duplicate_of: dict[int, int] = field(default_factory=dict)
    person: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    person_names: list[str] = field(default_factory=list)
    person_tokens: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    assist: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    kind: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    facts: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    plan: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    policy: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    originals: Originals | None = None
    code: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    slot: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    slot_person: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    slot_keys: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    versions: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    state: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    accounts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    booked: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    computed: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    before: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    delta: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    balc: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    how: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    period: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    flags: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def n(self) -> int:
        """Returns the number of claims."""
        return self.columns.n

    def booked_rows(self) -> Ints:
        """Returns the indexes of the rows that book, in source order."""
        return np.flatnonzero((self.kind != SKIP) & (self.code == 0))

    def reasons(self) -> Ints:
        """Returns each row's Refusal: the lowest that applies; 0 for booked rows and duplicates."""
        bits = self.faults | np.where(self.code > 0, np.int64(1) << self.code, 0)
        lowest = bits & -bits
        # A power of two below 2**53 is exact as a double, so is its logarithm.
        reason = np.where(bits == 0, 0, np.log2(np.maximum(lowest, 1)).astype(np.int64))
        for row in self.duplicate_of:
            reason[row] = 0
        return np.asarray(reason, dtype=np.int64)


def _begin(columns: "ClaimColumns", knowledge: "Knowledge") -> Batch:
    """Returns a batch with its keys formed; regions come from the policies in force."""
    facts = columns.facts.copy()
    facts[:, FACT["insured_region"]] = knowledge.policies.region_of(facts[:, FACT["insu_admdvs"]])
    facts[:, FACT["treatment_region"]] = knowledge.policies.region_of(facts[:, FACT["mdtrtarea_admvs"]])
    regions = facts[:, FACT["insured_region"]].tolist()
    setl_ids = to_list(columns.texts["setl_id"])
    streams = [claim_stream(region, setl_id) for region, setl_id in zip(regions, setl_ids, strict=True)]
    return Batch(
        columns=columns,
        streams=streams,
        messages=to_list(columns.texts["medins_setl_id"]),
        persons=to_list(columns.texts["psn_no"]),
        faults=columns.faults.copy(),
        facts=facts,
    )


def cut_at_collision(batch: Batch) -> int:
    """Returns how many rows of the batch may be decided together: up to the first that meets a key of its own batch.

    Whether the earlier row books is known only once the kernel has run, so the later one waits for the next batch.
    Rows the log already knows are decided; they neither wait nor stand in the way.
    """
    messages = [message for message in batch.messages if message]
    if len(set(batch.streams)) == batch.n and len(set(messages)) == len(messages):
        return batch.n
    usable = ((batch.faults & (_KEYLESS | 1 << Refusal.SETL_ID_CONFLICT)) == 0).tolist()
    bookable = ((batch.faults & ~_IDENTITIES) == 0).tolist()
    seen_streams: set[str] = set()
    seen_messages: set[str] = set()
    for row, (stream, message) in enumerate(zip(batch.streams, batch.messages, strict=True)):
        if not usable[row] or row in batch.duplicate_of:
            continue
        if stream in seen_streams or message in seen_messages:
            return row
        if bookable[row]:
            seen_streams.add(stream)
            if message:
                seen_messages.add(message)
    return batch.n


def decide(tx: "Transaction", columns: "ClaimColumns", knowledge: "Knowledge", profile: Profile) -> Batch:
    """Returns the decision on the first rows of ``columns``, as many as can be decided together; writes nothing."""
    batch = _begin(columns, knowledge)
    _find_persons(tx, batch, knowledge, profile)
    _find_known(tx, batch)
    cut = cut_at_collision(batch)
    if cut < batch.n:
        return decide(tx, columns.slice(0, cut), knowledge, profile)
    batch.originals = load_originals(tx, batch)
    _find_plans(tx, batch, knowledge, profile)
    _load_state(tx, batch, knowledge)
    _settle(batch, knowledge)
    _find_periods(batch, knowledge)
    return batch


def _find_known(tx: "Transaction", batch: Batch) -> None:
    """Marks rows whose key or message id is in the log: equal content is a duplicate, other content a conflict."""
    rows = np.flatnonzero((batch.faults & _KEYLESS) == 0).tolist()
    known = tx.first_events([batch.streams[row] for row in rows])
    if known:
        for row in rows:
            hit = known.get(batch.streams[row])
            if hit is None:
                continue
            if same_content(batch, row, hit[1]):
                batch.duplicate_of[row] = hit[0]
            else:
                batch.faults[row] |= 1 << Refusal.SETL_ID_CONFLICT
    messages = tx.find_messages([m for row in rows if (m := batch.messages[row])])
    if messages:
        for row in rows:
            if row not in batch.duplicate_of and batch.messages[row] in messages:
                batch.faults[row] |= 1 << Refusal.MSGID_CONFLICT


def _find_persons(tx: "Transaction", batch: Batch, knowledge: "Knowledge", profile: Profile) -> None:
    """Numbers the batch's persons and finds their tokens; an unknown one is a refusal where the profile asks for it."""
    index: dict[str, int] = {}
    given = batch.facts[:, FACT["token"]]
    if given.any():
        # The ledger's own reversal knows the token; the person's number may be erased.
        knowledge.remember({f"#{token}": token for token in given.tolist()})
        batch.persons = [f"#{token}" for token in given.tolist()]
    batch.person = np.fromiter((index.setdefault(p, len(index)) for p in batch.persons), np.int64, batch.n)
    batch.person_names = list(index)
    missing = [p for p in index if p and p not in knowledge.tokens]
    if missing:
        knowledge.remember(tx.tokens(missing))
    tokens = knowledge.tokens
    batch.person_tokens = np.fromiter((tokens.get(p, 0) for p in index), np.int64, len(index))
    enrolled, assist = load_members(tx, batch.person_tokens)
    batch.assist = assist[batch.person]
    if profile.persons == "registered":
        unknown = ~enrolled[batch.person].astype(bool)
        batch.faults[unknown] |= 1 << Refusal.UNKNOWN_PSN_NO
    batch.facts[:, FACT["token"]] = batch.person_tokens[batch.person]


def _find_plans(tx: "Transaction", batch: Batch, knowledge: "Knowledge", profile: Profile) -> None:
    """Chooses each row's policy and kind of decision."""
    settled = batch.columns.settled.astype(bool)
    refund = batch.columns.refund.astype(bool)
    masks = filing_masks(tx, batch.facts)
    batch.plan, batch.policy = knowledge.policies.resolve(batch.facts, masks, batch.assist)
    unplanned = batch.plan < 0
    assert batch.originals is not None
    unchecked = unplanned & settled & ~refund & (profile.no_policy == "book_unchecked")
    refusable = unplanned & ~unchecked & ~(refund & (batch.originals.ref[: batch.n] >= 0))
    batch.faults[refusable] |= 1 << Refusal.NO_POLICY
    kind = np.where(refund, REFUND, np.where(unchecked, UNCHECKED, np.where(settled, SOURCE, COMPUTE))).astype(np.int64)
    kind[(batch.faults & ~_IDENTITIES) != 0] = SKIP
    kind[((batch.faults & _IDENTITIES) != 0) & ~refund] = SKIP
    for row in batch.duplicate_of:
        kind[row] = SKIP
    batch.kind = kind
    batch.code = np.where(
        (kind == REFUND) & ((batch.faults >> int(Refusal.IDENTITY_I1)) & 1 == 1), int(Refusal.IDENTITY_I1), 0
    ).astype(np.int64)
    batch.code[batch.originals.other_person & (kind == REFUND)] = int(Refusal.REFUND_MISMATCH)


def _load_state(tx: "Transaction", batch: Batch, knowledge: "Knowledge") -> None:
    """Loads the accumulators of every (person, benefit year) the batch touches, and the accounts.

    A claim advances the year its policy puts it in, a refund the year its original advanced.
    """
    assert batch.originals is not None
    year = np.clip(knowledge.policies.benefit_years(batch.facts, batch.policy), 0, YEARS - 1)
    combined = batch.person * YEARS + year
    ref = batch.originals.ref
    here = np.flatnonzero((ref >= 0) & (ref < batch.n) & ~batch.originals.other_person)
    combined[here] = combined[ref[here]]
    logged = np.flatnonzero(batch.originals.slot_of >= 0)
    combined[logged] = batch.originals.slot_of[logged]
    unique, batch.slot = np.unique(combined, return_inverse=True)
    batch.slot_person = unique // YEARS
    tokens = batch.person_tokens[batch.slot_person]
    batch.slot_keys = tokens * YEARS + unique % YEARS
    known = tokens > 0
    batch.versions = np.zeros(len(unique), np.int64)
    batch.state = np.zeros((len(unique), len(ACCUMULATORS)), np.int64)
    if known.any():
        batch.versions[known], batch.state[known] = knowledge.person_years.load(tx, batch.slot_keys[known])
    batch.accounts = np.zeros(len(batch.person_tokens), np.int64)
    holders = batch.person_tokens > 0
    if holders.any():
        batch.accounts[holders] = tx.load_accounts(batch.person_tokens[holders])


def _settle(batch: Batch, knowledge: "Knowledge") -> None:
    """Runs the settle kernel over the batch in source order."""
    assert batch.originals is not None
    n, originals = batch.n, batch.originals
    m = len(originals.positions)
    assumed = np.asarray(knowledge.policies.assumed, dtype=np.int64)
    lenient = np.zeros(n + m, np.int64)
    if len(assumed):
        lenient[:n] = np.where(batch.policy >= 0, assumed[batch.policy], 0)
    lenient[n:] = (originals.flags & FLAG_ASSUMED) != 0
    facts = np.concatenate([batch.facts, originals.facts]) if m else batch.facts
    given = np.concatenate([batch.columns.given, originals.booked]) if m else batch.columns.given
    batch.booked = np.zeros((n + m, len(AMOUNTS)), np.int64)
    batch.booked[n:] = originals.booked
    batch.delta = np.zeros((n + m, len(ACCUMULATORS)), np.int64)
    batch.delta[n:] = originals.delta
    refunded = np.zeros(n + m, np.int64)
    refunded[n:] = originals.refunded
    batch.computed = np.zeros((n, len(AMOUNTS)), np.int64)
    batch.before = np.zeros((n, len(ACCUMULATORS)), np.int64)
    batch.balc = np.zeros(n, np.int64)
    batch.how = np.zeros((n, len(HOW)), np.int64)
    load("settle").settle(
        knowledge.policies.plans, batch.plan, facts, given, batch.kind, originals.ref, refunded, lenient,
        batch.slot, batch.state, batch.person, batch.accounts,
        batch.code, batch.booked, batch.computed, batch.before, batch.delta, batch.balc, batch.how,
    )  # fmt: skip
    batch.how[:, HOW.index("assist_class")] = np.where(batch.kind == REFUND, 0, batch.assist)


def _find_periods(batch: Batch, knowledge: "Knowledge") -> None:
    """Assigns each booked row its clearing period and its flags."""
    assert batch.originals is not None
    month = batch.facts[:, FACT["setl_time"]] // 10**8
    batch.period = month.copy()
    for value in np.unique(month).tolist():
        batch.period[month == value] = knowledge.periods.period_for(value)
    assumed = np.asarray(knowledge.policies.assumed, dtype=np.int64)
    own = np.where(batch.policy >= 0, assumed[batch.policy], 0) if len(assumed) else np.zeros(batch.n, np.int64)
    flags = own * FLAG_ASSUMED
    flags[batch.kind == UNCHECKED] = FLAG_NOT_CHECKED
    # A refund stands under what its original stood under.
    for row in np.flatnonzero(batch.kind == REFUND).tolist():
        ref = int(batch.originals.ref[row])
        if ref >= 0:
            source = int(flags[ref]) if ref < batch.n else int(batch.originals.flags[ref - batch.n])
            flags[row] = source & (FLAG_ASSUMED | FLAG_NOT_CHECKED)
    flags[batch.period != month] |= FLAG_LATE
    batch.flags = flags


def differing_rows(batch: Batch, rows: Ints) -> Ints:
    """Returns those of ``rows`` that their source settled and the policy settles otherwise."""
    source = rows[batch.kind[rows] == SOURCE]
    return np.asarray(source[(batch.booked[source] != batch.computed[source]).any(axis=1)], dtype=np.int64)


def medfee_of(batch: Batch, rows: Ints) -> int:
    """Returns the total fee of rows in fen, exact beyond 64 bits."""
    values: list[int] = batch.facts[rows, FACT["medfee_sumamt"]].tolist()
    return sum(values)


def late_count(batch: Batch, rows: Ints) -> int:
    """Returns how many of ``rows`` book into a later period than their own month."""
    return int(((batch.flags[rows] & FLAG_LATE) != 0).sum())
