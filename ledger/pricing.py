"""Answers what claims would settle to under one policy, by booking them in a store of its own that is thrown away.

So a price is what the ledger would book, to the fen: the same intake, the same kernel, in file order.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core_ext.layout import AMOUNTS, FACT, HOW
from core_ext.plan import RANGE
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.events import FLAG_DIVIDED, JobBatch
from ledger.explanation import COUNTED, Explainer, Explanation, Step
from ledger.keys import job_stream
from ledger.knowledge import Knowledge
from ledger.mapper import decode_event
from ledger.money import yuan_text
from ledger.plans import PolicyBook
from ledger.policy import digest_of, read_policy
from ledger.policy_views import iso
from ledger.profile import load_profile
from ledger.quarantine import quarantine_rows
from ledger.refusals import Refusal
from ledger.registers import FILING_CLASSES
from ledger.source import Source, open_source
from ledger.stays.booking import counted_by_claim


def price(
    policy: str | Path, claims: str | Path, *, register: str | Path | None = None, explain: bool = False
) -> Iterator[dict[str, Any]]:
    """Yields one answer a row, in file order: amounts as text in yuan, or the reason why it would not be booked.

    With ``explain`` a settled row has its ``basis`` and ``steps`` too, as ``ledger.explanation`` gives them, amounts
    as text, and under ``policy_gives`` the amounts that its source settled otherwise.
    """
    from ledger import create
    from ledger.verbs.policies import read_document

    document, where = read_document(policy)
    header = read_policy(document, where).header
    source = open_source(claims, load_profile())
    regions = _regions(claims, header.prefixes)
    with tempfile.TemporaryDirectory() as folder, create(f"sqlite:///{folder}/price.db", actor="price") as book:
        book.enact(policy, regions)
        if register is not None:
            book.register(register)
        book.intake(claims, quarantine=Path(folder) / "refused.csv")
        with book.store.read() as reader:
            answers = dict(_refusals(reader, source))
            known = Knowledge()
            known.refresh(reader)
            explainer = Explainer(known.policies, {digest_of(document): where}) if explain else None
            for acts in read_acts(reader):
                for at, row in enumerate(acts.row.tolist()):
                    answers[row] = _priced(acts, at, row)
                    if explainer is not None:
                        parts = counted_by_claim(reader, acts, at) if acts.flags[at] & FLAG_DIVIDED else ()
                        answers[row] |= _explained(explainer.explain(acts, at, parts))
    yield from (answers[row] for row in sorted(answers))


def _regions(claims: str | Path, prefixes: tuple[str, ...]) -> list[int]:
    """Returns the insured regions of a claim file: whom the policy is asked for."""
    import numpy as np

    book = PolicyBook()
    found: set[int] = set()
    for columns in open_source(claims, load_profile()).batches():
        codes = np.ascontiguousarray(columns.facts[:, FACT["insu_admdvs"]])
        found.update(book.region_of(codes).tolist())
    regions = sorted(found - {0})
    owned = [region for region in regions if f"{region:06d}".startswith(tuple(prefixes))] if prefixes else regions
    return owned[:1] if prefixes else regions


def _refusals(reader: Any, source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields (row, answer) of the rows that would not be booked, each refused one with field, expected and got."""
    refused: dict[int, tuple[int, Refusal, int]] = {}
    for _, _, topic, state in reader.stream(job_stream("intake", source.digest)):
        event = decode_event(topic, state)
        if isinstance(event, JobBatch):
            refused |= {row: (row, Refusal(reason), field) for row, reason, field in event.quarantined}
            for row, _ in event.duplicates:
                yield row, {"row": row, "outcome": "duplicate", "reason": "duplicate"}
    at = source.national.index("setl_id")
    for number, reason, field, expected, got, *cells in quarantine_rows(
        source, [refused[row] for row in sorted(refused)]
    ):
        said = {"reason": reason, "field": field, "expected": expected, "got": got}
        named = {"setl_id": cells[at]} if len(cells) == len(source.columns) else {}
        yield int(number), {"row": int(number), "outcome": "refused", **named, **said}


def _priced(acts: Any, at: int, row: int) -> dict[str, Any]:
    """Returns one settled claim: every amount, the balance left, and how it came about."""
    how = dict(zip(HOW, acts.how[at].tolist(), strict=True))
    return {
        "row": row,
        "outcome": "settled",
        "setl_id": text_at(acts.texts["setl_id"], at),
        "medfee_sumamt": yuan_text(int(acts.facts[at, FACT["medfee_sumamt"]])),
        **{name: yuan_text(fen) for name, fen in zip(AMOUNTS, acts.booked[at].tolist(), strict=True)},
        "hosp_part_amt": yuan_text(int(acts.facts[at, FACT["hosp_part_amt"]]) + how["hosp_part_amt"]),
        "balc": yuan_text(int(acts.balc[at])),
        "how": {
            "relation": ("same_city", "same_province", "cross_province")[how["relation"]],
            "filing": FILING_CLASSES[how["filing"]],
            "first_selfpay": yuan_text(how["first_selfpay"]),
            "over_ceiling": yuan_text(how["over_ceiling"]),
        },
    }


def _explained(found: Explanation) -> dict[str, Any]:
    """Returns who decided a claim, its steps, and what the policy gives where that is not what is booked."""
    differs = {name: yuan_text(fen) for name, fen in found.amounts.items() if found.booked[name] != fen}
    return {"basis": found.basis, "steps": [in_yuan(step) for step in found.steps], "policy_gives": differs}


def in_yuan(step: Step) -> dict[str, Any]:
    """Returns a step as JSON values, every amount as text in yuan, a limit that is none as ``none``."""
    return {
        "step": step.step,
        "field": step.field,
        **({"part": step.part} if step.part else {}),
        "amount": yuan_text(step.amount_fen),
        "inputs": {name: yuan_text(fen) for name, fen in step.inputs.items()},
        "rules": [
            {
                "step": rule.step or step.step,
                "rule": rule.text,
                "inputs": {name: _input(name, value) for name, value in rule.inputs.items()},
                "parameters": [each._asdict() | {"since": iso(each.since)} for each in rule.parameters],
                "products": [
                    {"amount": yuan_text(each.fen), "ratio": each.ratio, "paid": yuan_text(each.paid_fen)}
                    for each in rule.products
                ],
                "amount": "none" if rule.amount_fen > RANGE else yuan_text(rule.amount_fen),
            }
            for rule in step.rules
        ],
    }


def _input(name: str, value: int) -> str:
    """Returns an input as text: an amount in yuan, a code, a day or a count as its number."""
    return str(value) if name in COUNTED else yuan_text(value)
