"""Writes docs/events.md from the event classes themselves: ``python -m console.event_table docs/events.md``."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_type_hints

from msgspec import NODEFAULT
from msgspec.structs import fields

from ledger.events import EventClass
from ledger.topics import EVENTS
from ledger.upcasting import PAST

HEAD = '''# Events

Written by `make docs` from `ledger/topics.py`; a test fails when it is not current.

A stored event is a stream, a version in it, a topic and a state. The state is the msgpack array of the fields below,
in this order. Every event but the first of a command or job carries its `cause`, the log position of that command or
job.

## How events change

1. **A topic is for ever.** Its class keeps its name, its fields, their order and their meaning.
2. **Fields are only appended, with a default** that says what events without the field meant. Old bytes decode to the
   default, new bytes carry the field; the topic stays.
3. **A change of meaning is a new topic**: `name/2`. The class of `name/1` moves to `ledger/upcasting.py` as it was,
   with one step that makes an event of the next version from it. Steps chain; whoever decodes gets the present class.
4. **Nothing stored is rewritten.** Bytes, positions, leaves and proofs of old events stay; a proof shows the bytes as
   stored.
5. A step is pure: it knows the event alone, no store and no clock. What cannot be known from the event gets a value
   that says so, never a guess.
6. `ClaimFiled`, `ClaimSettled`, `ClaimReversed` and `SettlementDiffers` are read as columns, exactly as laid out: any
   change to them, an appended field included, needs a codec that reads both layouts first.
7. SQL on the log that names topics asks `topics_of(Class)`; it includes the past ones.

### A worked example

Suppose collections had once been recorded in whole yuan, without a receipt, under `clawback-collected/0`. The class
that reads those bytes and the step to the present version are one entry (a test runs this block against a store that
holds such an event: balances, trace, proof and `verify` take it as what it meant):

```python
from ledger.events import ClawbackCollected, Event
from ledger.upcasting import PAST, Past


class ClawbackCollected0(Event, frozen=True):
    """Collects a part of a clawback, in whole yuan."""

    TOPIC = "clawback-collected/0"
    cause: int
    row: int
    amount_yuan: int


def to_fen(past: Event) -> Event:
    """Returns the collection in fen; no receipt was recorded."""
    assert isinstance(past, ClawbackCollected0)
    return ClawbackCollected(past.cause, past.row, past.amount_yuan * 100, "not recorded")


PAST[ClawbackCollected0.TOPIC] = Past(ClawbackCollected0, to_fen)
```

## Every event
'''

#: What a field counts or how it is written, by its name; the first pattern that fits counts.
UNITS: tuple[tuple[str, str], ...] = (
    (r".*_fen|medfee_sumamt|.*_amt|overlmt_selfpay|balc|computed", "fen"),
    (r"amounts|given|totals|reversed", "fen, in the order of AMOUNTS"),
    (r"before|delta|values|start|contribution", "fen and counts, in the order of ACCUMULATORS"),
    (r"days|of_days", "days"),
    (r"weight", "1/10000"),
    (r"fund|method|clr_type", "code"),
    (r"payee", "text"),
    (r"group|employer|rule", "text"),
    (r"sums|claimed|split", "fen, in the order of PARTS"),
    (r"numbers", "the columns of NUMBERS, packed"),
    (r"texts|med_list_codg", "text"),
    (r"lines|differing", "count"),
    (r"first", "log position"),
    (r"window", "code"),
    (r"layout", "version"),
    (r"cap", "1e-6 yuan"),
    (r"funds", "fen, one a fund part"),
    (r"payments", "(payment, attempt, fen, payee, name, bank, account)"),
    (r"attempt|number", "number from 1"),
    (r"failure", "log position"),
    (r"months|base_months", "months"),
    (r"postings", "(account, fen), summing to 0"),
    (r"how", "in the order of HOW"),
    (r"recorded_at", "microseconds since 1970 UTC"),
    (r"cause|command|claim|original|stood_at|closed|drafted|checked|confirmed", "log position"),
    (r"row|first_row", "row of the source file, from 1"),
    (r"period|periods|begin_period", "yyyymm"),
    (r"begndate|enddate|begin|end|to|covered_from|on_time_until|day", "yyyymmdd, 0 none"),
    (r"setl_time", "yyyymmddHHMMSS"),
    (r"year", "yyyy"),
    (r"digest|kernel|profile|policy|statement|terms", "digest"),
    (r"newborn_days", "days"),
    (r"late_months", "months"),
    (r"kept", "(yyyymmdd, yyyymmdd)"),
    (r"rows|booked|duplicate|quarantined|late|acts|person_times|late_acts|overdue_acts", "count"),
    (r"digest|kernel|profile|policy|statement|root|replay|replaced", "digest"),
    (r"newborn_days", "days"),
    (r"late_months", "months"),
    (r"kept", "(yyyymmdd, yyyymmdd)"),
    (r"first|last", "log position"),
    (r"events", "count"),
    (r"state_bytes", "bytes"),
    (
        r"rows|booked|duplicate|quarantined|late|acts|person_times|late_acts|carried|settlements|refunds|tree_size",
        "count",
    ),
    (r"duplicates", "(row, log position)"),
    (r"token", "person token"),
    (r"begin|brdy|die_date|accepted", "yyyymmdd, 0 none"),
    (r"charges", "(log position, log position or 0, line from 0, fen)"),
    (r"position", "log position"),
    (r"shares|cancelled|repaid", "fen, one a part or item"),
    (r"items", "(log position, fen)"),
    (r"parts", "(log position, region code, fund part, fund code, fen)"),
    (r"instalments", "(yyyymmdd, fen)"),
    (r"on|opened|due", "yyyymmdd, 0 none"),
    (r"evidence", "digests, SHA-256"),
    (r"multiple", "basis points"),
    (r"seed", "integer"),
    (r"stage|next|effect|outcome", "code"),
    (r"application|follows", "text"),
    (r"limit", "yyyymmdd"),
    (r"cells", "(national field name, text)"),
    (r"refund", "log position"),
    (r"case|debtor|owner|grounds|violations|members", "text"),
    (r"rules|persons|found|lifted", "count"),
    (r"version|pack|book", "digest"),
    (r".*region|regions|.*admdvs|.*admvs|payer", "region code"),
    (
        r"insutype|psn_type|assist_class|hosp_lv|med_type|filing|basis|kind|result|gend|flags|status|grade|by|med_types|exempt|rule"
        r"|role|side|scope|why|fund_pay_type",
        "code",
    ),
    (r"assumed", "yes or no"),
    (
        r"verb|actor|reason|source|arguments|name|document|payee|receipt|.*_id|fixmedins_code|disease|code|bank_account"
        r"|counterpart|owner|sender|key|payment|bank|account|behalf|supplier|invoice",
        "text",
    ),
)
#: Fields whose name means something else in one event.
OWN_UNITS = {
    ("ReconciliationRun", "ours"): "count, fen, in the order of TOTALS",
    ("ReconciliationRun", "theirs"): "count, fen, in the order of TOTALS",
    ("ReconciliationRun", "stated"): "count, fen, in the order of TOTALS",
    ("ReconciliationRun", "outcomes"): "count, in the order of OUTCOMES",
    ("ReconciliationRun", "found"): "count",
    ("ReconciliationRun", "resolved"): "count",
    ("ReconciliationRun", "refunds"): "yes or no",
    ("ReconciliationRun", "details"): "yes or no",
    ("ReconciliationRun", "own"): "region code, 0 any",
    ("BreakFound", "own"): "region code, 0 any",
    ("BreakFound", "booked_period"): "yyyymm, 0 none",
    ("BreakFound", "copies"): "count",
    ("BreakFound", "fields"): "(column, ours, theirs)",
    ("BreakFound", "texts"): "(column, ours, theirs)",
    ("BreakFound", "refund"): "yes or no",
    ("BreakCarried", "into"): "yyyymm",
    ("BreakResolved", "how"): "code",
    ("BreakResolved", "period"): "yyyymm, 0 none",
    ("JobBatch", "quarantined"): "(row, Refusal, field number)",
    ("JobBatch", "unread"): "rows",
    ("JobBatch", "quarantined_regions"): "(insured, treatment) region code",
    ("JobStarted", "retry"): "yes or no",
    ("ClaimFlagged", "reason"): "Refusal",
    ("CaseOpened", "source"): "code",
    ("CaseDecided", "by"): "text",
    ("CaseSubmitted", "by"): "text",
    ("CaseAppealed", "by"): "text",
    ("CaseClosed", "by"): "text",
    **{
        (f"Manual{step}", "by"): "text"
        for step in (
            "Accepted",
            "Archived",
            "Entered",
            "Reviewed",
            "Settled",
            "Confirmed",
            "Instructed",
            "Recovered",
            "Requested",
            "Completed",
        )
    },
    ("ManualSettled", "parts"): "(fund code, fen)",
    ("ManualRecovered", "parts"): "(fund code, fen)",
    ("ManualRequested", "missing"): "text",
    ("ManualCompleted", "paused_days"): "working days",
    ("ManualOwed", "times"): "1, -1 or 0",
    ("ManualOwed", "application"): "text",
    ("ClearingDrafted", "late"): "(yyyymm, count, fen)",
    ("AllowanceGranted", "payee"): "person token",
    ("ClawbackRaised", "pool"): "code",
    ("MemberEnrolled", "rule"): "code",
    ("MemberChanged", "rule"): "code",
    ("EnrolmentRuleSet", "exempt"): "classes of persons",
    ("BankBatchIssued", "profile"): "TOML",
    ("ViolationFound", "window"): "log position, yyyymmdd, yyyymm, yyyyq or yyyy, by kind",
    ("ViolationFound", "rule"): "text",
    ("ViolationLifted", "rule"): "text",
    ("ClaimResettled", "reversed_pool"): "code",
}


def unit_of(event: EventClass, name: str) -> str:
    """Returns the unit of a field; raises ValueError for a name that has none yet."""
    found = OWN_UNITS.get((event.__name__, name)) or next(
        (unit for pattern, unit in UNITS if re.fullmatch(pattern, name)), ""
    )
    if not found:
        raise ValueError(f"{event.__name__}.{name}: expected a unit in console.event_table.UNITS, got none: add it")
    return found


def table() -> str:
    """Returns the whole document as Markdown."""
    return HEAD + "".join(f"{line}\n" for event in EVENTS for line in _event(event)) + "".join(_past())


def _event(event: EventClass) -> Iterator[str]:
    yield ""
    yield f"### `{event.TOPIC}` {event.__name__}"
    yield ""
    yield from (line.strip() for line in (event.__doc__ or "").strip().splitlines())
    yield ""
    yield "| field | type | unit | default |"
    yield "| --- | --- | --- | --- |"
    hints = get_type_hints(event)
    for field in fields(event):
        default = "" if field.default is NODEFAULT else f"`{field.default!r}`"
        yield f"| `{field.name}` | `{_type(hints[field.name])}` | {unit_of(event, field.name)} | {default} |"


def _past() -> Iterator[str]:
    if PAST:
        yield "\n## Past versions\n\n"
        yield from (f"- `{topic}`: {(past.event.__doc__ or '').strip()}\n" for topic, past in sorted(PAST.items()))


def _type(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint).replace("|", "or")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(table(), encoding="utf-8")
