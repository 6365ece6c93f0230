"""Books a batch of claims inside one transaction: columns in, decisions as one block of events out.

The order of work is the order of DOMAIN: keys (is the row known?), persons, regions and policy, the settle
kernel, the clearing period, then events in person order so that both stores append to neighbouring keys.
``decide`` reads and computes, ``write`` appends and keeps the write-side state; nothing is written between.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core_ext.kernels import load
from core_ext.layout import ACCUMULATORS, AMOUNTS, FACT, HOW
from core_ext.text import Texts, texts_taken, to_list
from ledger.disease_limits import Limited, cut_at_disease, find_limits
from ledger.events import FLAG_ASSUMED, FLAG_LATE, FLAG_NOT_CHECKED
from ledger.key_columns import claim_streams, message_keys
from ledger.keys import YEARS
from ledger.looking_up import look_up
from ledger.originals import Originals, load_originals
from ledger.plan_rows import pools_of, resolved, with_limits
from ledger.profile import Profile
from ledger.refusals import Refusal
from ledger.registers import filing_masks
from ledger.side_columns import known_births
from ledger.source import cut_texts
from ledger.stays.booking import cut_at_refund, cut_at_stay, give_back, mark, settle_stay, to_divide
from ledger.taken_keys import KEYLESS, check_new, fallen_and_risen, find_known, find_repeats

if TYPE_CHECKING:
    from ledger.knowledge import Knowledge
    from ledger.source import ClaimColumns
    from ledger.stays.booking import Moved
    from ledger.store import Reader

Ints = npt.NDArray[np.int64]

#: A settlement outside these years is a mistyped date: it would open a clearing period nobody can close in order.
FIRST_YEAR, LAST_YEAR = 1998, 2199

#: How often a batch is decided, at most, until no row is marked for one that does not book.
ROUNDS = 3

SKIP, COMPUTE, SOURCE, REFUND, UNCHECKED = range(5)

_IDENTITIES = sum(
    1 << int(r) for r in (Refusal.IDENTITY_I1, Refusal.IDENTITY_I2, Refusal.IDENTITY_I3, Refusal.IDENTITY_I5)
)


@dataclass(slots=True)
class Batch:
    """Is a batch on its way: the source columns, what lookups added, and what the kernel decided.

    ``repeated`` are the rows with a key that an earlier one has, ``repeats`` those of them that are marked for it, each
    with the earlier rows that must book; ``lost`` are rows that nobody is marked for. ``looked_up`` says whether the
    log was asked for the keys of all rows.
    ``stream_texts`` are the claims' streams, ``message_texts`` the keys of their message ids (empty: none).
    All arrays have one row a claim; ``tail`` rows behind the claims are originals of refunds, loaded from the log.
    """

    columns: "ClaimColumns"
    stream_texts: Texts
    message_texts: Texts
    faults: Ints
    looked_up: bool = True
    repeated: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    repeats: dict[int, tuple[int, ...]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    duplicate_of: dict[int, int] = field(default_factory=dict)
    person: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    person_tokens: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    assist: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    level: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    psn_type: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    age: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    limit: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    limited: "list[Limited]" = field(default_factory=list)
    flagged: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
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
    moved: "Moved | None" = None

    @property
    def n(self) -> int:
        """Returns the number of claims."""
        return self.columns.n

    def first(self, n: int) -> "Batch":
        """Returns the first ``n`` claims with what was looked up of them; persons without a claim may remain."""
        looked_up = ("faults", "person", "assist", "level", "psn_type", "flagged", "facts")
        return replace(
            self,
            columns=self.columns.slice(0, n),
            stream_texts=cut_texts(self.stream_texts, 0, n),
            message_texts=cut_texts(self.message_texts, 0, n),
            duplicate_of={row: at for row, at in self.duplicate_of.items() if row < n},
            repeats={row: earlier for row, earlier in self.repeats.items() if row < n},
            lost={row for row in self.lost if row < n},
            **{name: getattr(self, name)[:n] for name in looked_up},
        )

    def may_book(self) -> npt.NDArray[np.bool_]:
        """Returns the rows that nothing found so far keeps from booking, identities aside."""
        may: npt.NDArray[np.bool_] = (self.faults & ~_IDENTITIES) == 0
        may[list(self.duplicate_of)] = False
        return may

    def may_stand(self) -> npt.NDArray[np.bool_]:
        """Returns the rows that others may go by: those of ``may_book`` but those lost, and claims of no identity."""
        sound = (self.faults & _IDENTITIES) == 0
        may: npt.NDArray[np.bool_] = self.may_book() & (sound | self.columns.refund.astype(np.bool_))
        may[list(self.lost)] = False
        return may

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
    """Returns a batch with its keys formed; regions come from the policies in force.

    A source leaves the regions 0. The ledger's own reversal names those of its original, whatever the map says now.
    """
    facts = columns.facts.copy()
    faults = columns.faults.copy()
    for code, region in (("insu_admdvs", "insured_region"), ("mdtrtarea_admvs", "treatment_region")):
        named = facts[:, FACT[region]]
        facts[:, FACT[region]] = np.where(named > 0, named, knowledge.policies.region_of(facts[:, FACT[code]]))
    # Money is owed to a place and to an institution: a row that names none is refused. Faulty rows read as 0 anyway.
    sound = (faults & (KEYLESS | 1 << Refusal.BAD_CODE)) == 0
    offsets = columns.texts["fixmedins_code"].offsets
    faults[sound & (facts[:, FACT["treatment_region"]] == 0)] |= 1 << Refusal.BAD_CODE
    faults[sound & (offsets[1:] == offsets[:-1])] |= 1 << Refusal.BAD_CODE
    year = facts[:, FACT["setl_time"]] // 10**10
    out_of_time = ((year < FIRST_YEAR) | (year > LAST_YEAR)) & ((faults & (KEYLESS | 1 << Refusal.BAD_DATE)) == 0)
    faults[out_of_time] |= 1 << Refusal.BAD_DATE
    return Batch(
        columns=columns,
        stream_texts=claim_streams(np.ascontiguousarray(facts[:, FACT["insured_region"]]), columns.texts["setl_id"]),
        message_texts=message_keys(columns.texts["medins_setl_id"]),
        faults=faults,
        facts=facts,
    )


def decide(
    tx: "Reader",
    columns: "ClaimColumns",
    knowledge: "Knowledge",
    profile: Profile,
    *,
    asked: Ints | None = None,
) -> Batch:
    """Returns the decision on the first rows of ``columns``, as many as can be decided together; writes nothing.

    Where ``asked`` is given, only the keys of those rows are looked up first. The log is taken to have none of the
    others: appending a row that books finds it out (``Conflict``, ``KeyTaken``), one that does not raises KeyTaken
    here.

    Rows are marked for an earlier one with their key, on the condition that this one books. Where some do not, all is
    decided again without them; where that changes what books, the rows before the first that meets another are.
    """
    lost: set[int] = set()
    for _ in range(ROUNDS):
        batch = _decide(tx, columns, knowledge, profile, asked, lost)
        fallen, risen = fallen_and_risen(batch)
        if risen or not fallen:
            break
        lost |= fallen
    if fallen or risen:
        cut = int(batch.repeated[0])
        few = asked[asked < cut] if asked is not None else None
        batch = replace(_decide(tx, columns.slice(0, cut), knowledge, profile, few, set()), repeated=batch.repeated)
        asked = few
    if asked is not None:
        check_new(tx, batch, asked)
    return batch


def _decide(
    tx: "Reader",
    columns: "ClaimColumns",
    knowledge: "Knowledge",
    profile: Profile,
    asked: Ints | None,
    lost: set[int],
) -> Batch:
    """Returns the decision of ``decide``, where no row is marked for one that is ``lost``."""
    batch = _begin(columns, knowledge)
    batch.looked_up, batch.lost = asked is None, set(lost)
    _find_persons(tx, batch, knowledge, profile)
    find_known(tx, batch, asked)
    find_repeats(batch)
    cut = batch.n
    if knowledge.policies.limits_diseases:
        cut = cut_at_disease(batch, cut)
    if knowledge.policies.divides_stays:
        cut = cut_at_stay(batch, knowledge, cut)
    if cut < batch.n:
        batch = batch.first(cut)
    batch.originals = load_originals(tx, batch, knowledge)
    if (cut := cut_at_refund(batch)) < batch.n:
        batch = batch.first(cut)
        batch.originals = load_originals(tx, batch, knowledge)
    _find_plans(tx, batch, knowledge, profile)
    _load_state(tx, batch, knowledge)
    if knowledge.policies.limits_diseases:
        find_limits(tx, batch, knowledge)
    if knowledge.policies.divides_stays and to_divide(batch, knowledge):
        settle_stay(tx, batch, knowledge, _settle)
    else:
        _settle(batch, knowledge)
        give_back(tx, batch, knowledge)
    _find_periods(batch, knowledge)
    mark(batch)
    return batch


def _find_persons(tx: "Reader", batch: Batch, knowledge: "Knowledge", profile: Profile) -> None:
    """Numbers the batch's persons and finds their tokens; an unknown one is a refusal where the profile asks for it."""
    numbers = batch.columns.texts["psn_no"]
    batch.person, first = load("index").number_texts(numbers)
    names = texts_taken(numbers, first)
    tokens = knowledge.tokens.find(names)
    missing = np.flatnonzero((tokens == 0) & (names.offsets[1:] > names.offsets[:-1]))
    # Where every token ever given is known, who has none of them is nobody in the store.
    if len(missing) and len(knowledge.tokens) < tx.tokens_given:
        asked = to_list(texts_taken(names, missing))
        found = tx.tokens(asked)
        if found:
            tokens[missing] = [found.get(name, 0) for name in asked]
            known = missing[tokens[missing] > 0]
            knowledge.remember(texts_taken(names, known), tokens[known])
    batch.person_tokens = tokens
    # The ledger's own reversal, a batch of one, knows the token: the person's number may be erased.
    if batch.n == 1 and batch.facts[0, FACT["token"]]:
        batch.person_tokens[0] = batch.facts[0, FACT["token"]]
    batch.facts[:, FACT["token"]] = batch.person_tokens[batch.person]
    look_up(tx, batch, knowledge, profile)


def _find_plans(tx: "Reader", batch: Batch, knowledge: "Knowledge", profile: Profile) -> None:
    """Chooses each row's policy and kind of decision."""
    settled = batch.columns.settled.astype(bool)
    refund = batch.columns.refund.astype(bool)
    none = np.zeros(batch.n, np.int64)
    masks = filing_masks(tx, batch.facts, knowledge.policies.region_of) if knowledge.filings else none
    facts = resolved(batch.facts, batch.level, batch.psn_type)
    born = known_births(tx, batch.columns, batch.facts[:, FACT["token"]], knowledge.policies.asks_for_ages)
    batch.age = knowledge.policies.ages(batch.facts, *born)
    batch.plan, batch.policy = knowledge.policies.resolve(facts, masks, batch.assist, batch.age)
    unplanned = batch.plan < 0
    assert batch.originals is not None
    unchecked = unplanned & settled & ~refund & (profile.no_policy == "book_unchecked")
    _refuse_unplanned(batch, unplanned & ~unchecked, refund)
    kind = np.where(refund, REFUND, np.where(unchecked, UNCHECKED, np.where(settled, SOURCE, COMPUTE))).astype(np.int64)
    kind[(batch.faults & ~_IDENTITIES) != 0] = SKIP
    kind[((batch.faults & _IDENTITIES) != 0) & ~refund] = SKIP
    for row in batch.duplicate_of:
        kind[row] = SKIP
    batch.kind = kind
    batch.code = np.where(
        (kind == REFUND) & ((batch.faults >> int(Refusal.IDENTITY_I1)) & 1 == 1), int(Refusal.IDENTITY_I1), 0
    ).astype(np.int64)
    batch.code[batch.originals.clawed_back & (kind == REFUND)] = int(Refusal.REFUND_CLAWED_BACK)
    batch.code[batch.originals.other & (kind == REFUND)] = int(Refusal.REFUND_MISMATCH)


def _refuse_unplanned(batch: Batch, unplanned: npt.NDArray[np.bool_], refund: npt.NDArray[np.bool_]) -> None:
    """Refuses rows without a policy but refunds, which go by their original's.

    A row of the same batch that is refused, or a refund itself, is no original: it would be none in an earlier batch.
    """
    assert batch.originals is not None
    ref = batch.originals.ref[: batch.n]
    batch.faults[unplanned & ~(refund & (ref >= 0))] |= 1 << Refusal.NO_POLICY
    here = np.flatnonzero(unplanned & refund & (ref >= 0) & (ref < batch.n))
    batch.faults[here[refund[ref[here]] | (batch.faults[ref[here]] != 0)]] |= 1 << Refusal.NO_POLICY


def _load_state(tx: "Reader", batch: Batch, knowledge: "Knowledge") -> None:
    """Loads the accumulators of every (person, benefit year) the batch touches, and the accounts.

    A claim advances the year its policy puts it in, a refund the year its original advanced.
    """
    assert batch.originals is not None
    year = np.clip(knowledge.policies.benefit_years(batch.facts, batch.policy), 0, YEARS - 1)
    combined = batch.person * YEARS + year
    ref = batch.originals.ref
    here = np.flatnonzero((ref >= 0) & (ref < batch.n) & ~batch.originals.other)
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
        batch.accounts[holders] = knowledge.accounts.load(tx, batch.person_tokens[holders])


def _settle(batch: Batch, knowledge: "Knowledge") -> None:
    """Runs the settle kernel over the batch in source order."""
    assert batch.originals is not None
    n, originals = batch.n, batch.originals
    m = len(originals.positions)
    assumed = np.asarray(knowledge.policies.assumed, dtype=np.int64)
    lenient = np.zeros(n + m, np.int64)
    if len(assumed):
        lenient[:n] = np.where((batch.policy >= 0) & (batch.kind == COMPUTE), assumed[batch.policy], 0)
    lenient[n:] = originals.assumed
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
    batch.limit = np.zeros(n, np.int64)
    for each in batch.limited:
        batch.limit[each.row] = each.left + 1 if each.left is not None else 0
    plans, plan = with_limits(knowledge.policies.plans, batch.plan, batch.limit)
    load("settle").settle(
        plans, plan, facts, given, batch.kind, originals.ref, refunded, lenient,
        batch.slot, batch.state, batch.person, batch.accounts,
        batch.code, batch.booked, batch.computed, batch.before, batch.delta, batch.balc, batch.how,
    )  # fmt: skip
    for name, values in (
        ("assist_class", batch.assist), ("hosp_lv", batch.level), ("psn_type", batch.psn_type), ("age", batch.age),
        ("limit", batch.limit), ("pool", pools_of(plans, batch.plan, batch.facts)),
    ):  # fmt: skip
        batch.how[:, HOW.index(name)] = np.where(batch.kind == REFUND, 0, values)
    # A refund gives back to the pool that paid.
    for row in np.flatnonzero((batch.kind == REFUND) & (originals.ref >= 0)).tolist():
        ref = int(originals.ref[row])
        paid_by = batch.how[ref, HOW.index("pool")] if ref < n else originals.pools[ref - n]
        batch.how[row, HOW.index("pool")] = paid_by


def _find_periods(batch: Batch, knowledge: "Knowledge") -> None:
    """Assigns each booked row its clearing period and its flags."""
    assert batch.originals is not None
    month = batch.facts[:, FACT["setl_time"]] // 10**8
    batch.period = month.copy()
    rows = batch.booked_rows()
    if len(rows) and int(month[rows].min()) <= knowledge.periods.closed_through:
        # Row by row: a claim of an open month opens it for the late claims behind it.
        opened = set(knowledge.periods.opened)
        for row in rows.tolist():
            batch.period[row] = knowledge.periods.period_for(int(month[row]), opened)
            opened.add(int(batch.period[row]))
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
