"""Reads the log's acts as columns: every decided claim with its facts, in log order, a page at a time.

An act is a ClaimFiled at position f and its decision (ClaimSettled or ClaimReversed) at f + 1. Pages hold whole
acts only; a ClaimFiled at the very end of what is read, its decision not yet in reach, belongs to no page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import Chosen
from core_ext.kernels import load
from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACTS, HOW
from core_ext.text import Texts, texts_from_list
from ledger.columnar import decode_columns
from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.refusals import StoreError
from ledger.replaying.events import ClaimResettled
from ledger.topics import TOPICS
from ledger.upcasting import PAST

if TYPE_CHECKING:
    from ledger.store import Reader

Int64s = NDArray[np.int64]
Codes = NDArray[np.uint8]
States: TypeAlias = Sequence[bytes] | Chosen

#: Events a page: long enough that a page's fixed costs vanish, short enough to stay in a few megabytes.
PAGE_EVENTS = 8_192

ACT_TEXTS = ("setl_id", "mdtrt_id", "medins_setl_id", "fixmedins_code", "init_setl_id")
ACT_TOPICS = (ClaimFiled.TOPIC, ClaimSettled.TOPIC, ClaimReversed.TOPIC, ClaimResettled.TOPIC)

PAGE = (
    "SELECT notification_id, topic, state FROM stored_events"
    " WHERE notification_id > ? AND notification_id <= ? AND topic IN (?, ?, ?, ?) ORDER BY notification_id"
)


@dataclass(frozen=True, slots=True)
class Acts:
    """Is a page of acts, one row each, in log order; tables as in ``core_ext.layout``, amounts in fen.

    ``claim`` is the position of the ClaimFiled, ``position`` of the decision, ``original`` of the ClaimFiled a
    refund refunds (0: none). ``year`` is the benefit year whose accumulators it moved. ``policy`` holds the raw
    16-byte digests (empty: not checked), ``texts`` the columns of ACT_TEXTS. ``given`` rows count where ``present``.
    """

    claim: Int64s
    position: Int64s
    reversed: NDArray[np.bool_]
    cause: Int64s
    row: Int64s
    original: Int64s
    basis: Int64s
    period: Int64s
    flags: Int64s
    year: Int64s
    balc: Int64s
    facts: Int64s
    given: Int64s
    present: Int64s
    booked: Int64s
    before: Int64s
    delta: Int64s
    how: Int64s
    policy: Texts
    texts: Mapping[str, Texts]

    def __len__(self) -> int:
        """Returns the number of acts."""
        return len(self.claim)

    @property
    def balance_before(self) -> Int64s:
        """Returns each person's account balance before the act, in fen."""
        return np.asarray(self.balc + self.booked[:, AMOUNT["acct_pay"]])

    def policies(self) -> tuple[Int64s, list[bytes]]:
        """Returns (index, digests): the policy of act i is ``digests[index[i]]``."""
        raw, offsets = self.policy.data.tobytes(), self.policy.offsets.tolist()
        seen: dict[bytes, int] = {}
        index = [seen.setdefault(raw[a:b], len(seen)) for a, b in pairwise(offsets)]
        return np.array(index, np.int64), list(seen)


def read_acts(
    reader: "Reader", after: int = 0, stop: int | None = None, page_events: int = PAGE_EVENTS
) -> Iterator[Acts]:
    """Yields the acts decided at positions above ``after`` up to ``stop`` (None: the head), at least one a page.

    An act counts where its decision stands: with ``after`` on a ClaimFiled its act still comes. Raises StoreError
    where a decision does not stand directly behind its ClaimFiled.
    """
    stop = reader.size if stop is None else stop
    low = max(0, after - 1)
    while low < stop:
        high = min(low + max(2, page_events), stop)
        rows = reader.whole(reader.query(PAGE, (low, high, *ACT_TOPICS)), 2, (low, high))
        if rows and rows[0][0] == after and rows[0][1] != ClaimFiled.TOPIC:
            rows = rows[1:]
        low = high
        if rows and rows[-1][1] == ClaimFiled.TOPIC:
            # Its decision, if there is one, opens the next page.
            cut = int(rows.pop()[0]) - 1
            low = cut if high < stop else high
        if rows:
            positions, topics, states = zip(*rows, strict=True)
            yield acts_of(np.array(positions, np.int64), act_codes(topics), states)


#: The act topics by number, and one number for every other.
FILED, SETTLED, REVERSED, RESETTLED, OTHER = range(5)


class _Codes(dict[str, int]):
    """Is the number of each topic of this version; a past topic is none of an act's."""

    def __missing__(self, topic: str) -> int:
        if topic in PAST:
            return OTHER
        raise KeyError(topic)


_CODES = _Codes({**dict.fromkeys(TOPICS, OTHER), **{topic: code for code, topic in enumerate(ACT_TOPICS)}})


def act_codes(topics: Iterable[str]) -> Codes:
    """Returns the number of each topic: FILED, SETTLED, REVERSED or OTHER; raises KeyError for an unknown topic."""
    return np.frombuffer(bytes(map(_CODES.__getitem__, topics)), np.uint8)


def acts_of(positions: Int64s, codes: Codes, states: States) -> Acts:
    """Returns the acts of events at ``positions``: ClaimFiled and decision in turn, ClaimResettled alone.

    Raises StoreError naming the position where the turn is broken.
    """
    anew = codes == RESETTLED
    if anew.any():
        again = resettled_acts(positions[anew], _kept(states, anew))
        kept = ~anew
        if not kept.any():
            return again
        return in_order(acts_of(positions[kept], codes[kept], _kept(states, kept)), again)
    check_turns(positions, codes)
    return build_acts(np.ascontiguousarray(positions[::2]), states[::2], states[1::2], codes[1::2] == REVERSED)


def _kept(states: States, mask: NDArray[np.bool_]) -> States:
    return states[mask] if isinstance(states, Chosen) else list(compress(states, mask.tolist()))


def check_turns(positions: Int64s, codes: Codes) -> None:
    """Checks that ClaimFiled and decision alternate at consecutive positions; raises StoreError where they do not."""
    if len(codes) % 2:
        raise StoreError(
            f"position {positions[-1] + 1}: expected the decision of the claim before, got none: run verify"
        )
    turn = np.arange(len(codes)) % 2
    wrong = np.flatnonzero((codes == FILED) != (turn == 0))
    if len(wrong):
        at = int(wrong[0])
        expected = "the decision of the claim before" if at % 2 else "the claim a decision stands behind"
        raise StoreError(f"position {positions[at]}: expected {expected}, got {ACT_TOPICS[codes[at]]}: run verify")
    apart = np.flatnonzero(positions[1::2] - positions[::2] != 1)
    if len(apart):
        claim = int(positions[::2][apart[0]])
        raise StoreError(f"position {claim + 1}: expected the decision of claim {claim}, got none: run verify")


def build_acts(claim: Int64s, filed: States, decided: States, reversed_: NDArray[np.bool_]) -> Acts:
    """Returns acts out of their states; ``reversed_`` says which decisions are ClaimReversed.

    ClaimSettled and ClaimReversed have the same fields, so one call decodes both. Raises ValueError where a state
    is not that of its event, StoreError where a decision names another claim than the one before it.
    """
    facts: dict[str, Any] = decode_columns(ClaimFiled, filed, {"facts": FACTS})
    decision: dict[str, Any] = decode_columns(ClaimSettled, decided)
    wrong = np.flatnonzero(decision["claim"] != claim)
    if len(wrong):
        at = int(wrong[0])
        raise StoreError(
            f"position {claim[at] + 1}: expected the decision of claim {claim[at]},"
            f" got that of claim {decision['claim'][at]}: run verify"
        )
    return Acts(
        claim=claim,
        position=claim + 1,
        reversed=reversed_,
        cause=decision["cause"],
        row=decision["row"],
        original=decision["original"],
        basis=decision["basis"],
        period=decision["period"],
        flags=decision["flags"],
        year=decision["year"],
        balc=decision["balc"],
        facts=facts["facts"],
        given=facts["given"][0],
        present=facts["given"][1],
        booked=decision["amounts"],
        before=decision["before"],
        delta=decision["delta"],
        how=decision["how"],
        policy=decision["policy"],
        texts={name: facts[name] for name in ACT_TEXTS},
    )


_HOSPITAL = HOW.index("hosp_part_amt")
_MONEY = slice(FACTS.index("medfee_sumamt"), len(FACTS))


def resettled_acts(positions: Int64s, states: States) -> Acts:
    """Returns acts out of ClaimResettled: each stands alone, its ``claim`` and ``position`` are its own.

    It books what changes: amounts and the hospital's share are those that stand now less those it reverses, and of its
    money facts nothing changes. ``original`` is the position of the ClaimFiled it books anew.
    """
    event: dict[str, Any] = decode_columns(ClaimResettled, states, {"facts": FACTS})
    facts = event["facts"].copy()
    facts[:, _MONEY] = 0
    how = event["how"].copy()
    how[:, _HOSPITAL] -= event["reversed_hospital_fen"]
    n = len(positions)
    texts = {name: event[name] for name in ACT_TEXTS} | {"medins_setl_id": texts_from_list([""] * n)}
    return Acts(
        claim=positions,
        position=positions,
        reversed=np.zeros(n, np.bool_),
        original=event["claim"],
        facts=facts,
        given=np.full((n, len(AMOUNTS)), ABSENT, np.int64),
        present=np.zeros(n, np.int64),
        booked=event["amounts"] - event["reversed"],
        how=how,
        texts=texts,
        **{name: event[name] for name in _AS_THEY_ARE},
    )


_AS_THEY_ARE = ("cause", "row", "basis", "period", "flags", "year", "balc", "before", "delta", "policy")
_ARRAYS = (
    *("claim", "position", "reversed", "cause", "row", "original", "basis", "period", "flags", "year", "balc"),
    *("facts", "given", "present", "booked", "before", "delta", "how"),
)


def in_order(one: Acts, other: Acts) -> Acts:
    """Returns two pages as one, in log order."""
    both = np.concatenate([one.position, other.position])
    order = np.argsort(both, kind="stable")
    part, index = (order >= len(one)).astype(np.int64), np.where(order >= len(one), order - len(one), order)
    gather = load("gather").gather

    def texts(a: Texts, b: Texts) -> Texts:
        return Texts(*gather((a, b), part, index))

    return Acts(
        **{name: np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in _ARRAYS},
        policy=texts(one.policy, other.policy),
        texts={name: texts(one.texts[name], other.texts[name]) for name in ACT_TEXTS},
    )


def no_acts() -> Acts:
    """Returns a page without acts."""
    return build_acts(np.zeros(0, np.int64), [], [], np.zeros(0, np.bool_))
