"""Draws up the sheets that name claims: details in both roles, audit deductions, and institutions' statements."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT, FUND_PARTS
from core_ext.text import to_list
from ledger.acts import Acts, act_codes, acts_of, read_acts
from ledger.events import BASIS_RESETTLED, BASIS_SOURCE, FLAG_LATE
from ledger.institution_pay.setting import standing
from projections.clearing.context import Context
from projections.clearing.sheets import Sheet, StatementError
from projections.grouping import group_sums, text_words

if TYPE_CHECKING:
    from ledger.store import Reader

#: The claims of a period that one region's residents had elsewhere, and that others' had there.
OF_INSURED = (
    "SELECT claim, basis FROM trace_act WHERE period = ? AND insured_region = ? AND insured_region <> treatment_region"
)
OF_TREATMENT = (
    "SELECT claim, basis FROM trace_act"
    " WHERE period = ? AND insured_region <> treatment_region AND treatment_region = ?"
)
#: Claims read from the log at a time.
PAGE_CLAIMS = 8_192

_FACTS = ("insured_region", "treatment_region", "insutype", "psn_type", "med_type")
_PAID = (*(AMOUNTS[at] for at in FUND_PARTS), "fund_pay_sumamt", "acct_pay", "psn_cash_pay")
DETAIL = (
    *("role", "setl_id", "medins_setl_id", "init_setl_id", "token", *_FACTS, "clr_type", "channel", "fixmedins_code"),
    *("begndate", "enddate", "setl_time", "month", "medfee_sumamt", "inscp_scp_amt", *_PAID, "due_fen", "late_acts"),
    "claim",
)


def detail_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns every off-site claim of a region's period, one sheet a role, each row with its log position."""
    if context.region is None:
        raise StatementError("expected --region REGION: details are of one region's claims")
    sheets = []
    for role, sql, zh, en in (
        ("insured", OF_INSURED, "参保地明细表", "Details: insured here, treated elsewhere"),
        ("treatment", OF_TREATMENT, "就医地明细表", "Details: treated here, insured elsewhere"),
    ):
        found = context.reader.query(sql, (context.period, context.region))
        spans = sorted((int(claim), last_position(int(claim), int(basis))) for claim, basis in found)
        wanted = [span for span in spans if span[1] <= context.position]
        rows = [row for acts in acts_at(context.reader, wanted) for row in _detail_rows(context, role, acts)]
        sheets.append(Sheet(role, zh, en, DETAIL, rows))
    return tuple(sheets)


def last_position(claim: int, basis: int) -> int:
    """Returns where an act ends: a claim at its decision, behind its ClaimFiled; a booking anew is one event."""
    return claim if basis == BASIS_RESETTLED else claim + 1


def acts_at(reader: "Reader", spans: Sequence[tuple[int, int]]) -> Iterator[Acts]:
    """Yields the acts that stand at (first position, last position), in pages."""
    for start in range(0, len(spans), PAGE_CLAIMS):
        at = [position for first, last in spans[start : start + PAGE_CLAIMS] for position in range(first, last + 1)]
        events = reader.events_at(at)
        topics = [events[position][2] for position in at]
        yield acts_of(np.array(at, np.int64), act_codes(topics), [events[position][3] for position in at])


def _detail_rows(context: Context, role: str, acts: Acts) -> Iterable[tuple[Any, ...]]:
    facts = {name: acts.facts[:, FACT[name]] for name in FACT}
    booked = {name: acts.booked[:, AMOUNT[name]] for name in _PAID}
    types = context.terms.types
    care = facts["med_type"].tolist()
    columns: list[Sequence[Any]] = [
        [role] * len(acts),
        *(to_list(acts.texts[name]) for name in ("setl_id", "medins_setl_id", "init_setl_id")),
        facts["token"].tolist(),
        *(facts[name].tolist() for name in _FACTS),
        [types.get(code, code) for code in care],
        _channels(context, acts),
        to_list(acts.texts["fixmedins_code"]),
        *(facts[name].tolist() for name in ("begndate", "enddate", "setl_time")),
        (facts["setl_time"] // 10**8).tolist(),
        *(facts[name].tolist() for name in ("medfee_sumamt", "inscp_scp_amt")),
        *(booked[name].tolist() for name in _PAID),
        (booked["fund_pay_sumamt"] + booked["acct_pay"]).tolist(),
        ((acts.flags & FLAG_LATE) != 0).astype(np.int64).tolist(),
        acts.claim.tolist(),
    ]
    return zip(*columns, strict=True)


def _channels(context: Context, acts: Acts) -> list[str]:
    """Returns each act's channel; a refund and a booking anew came as their claim did."""
    from projections.clearing.lines import basis_of

    by_hand = {owed.claim for owed in context.reimbursed}
    computed = context.terms.channel.computed
    claims = np.where(acts.original > 0, acts.original, acts.claim).tolist()
    return [
        "direct" if basis == BASIS_SOURCE else "manual" if claim in by_hand else computed
        for basis, claim in zip(basis_of(context.reader, acts).tolist(), claims, strict=True)
    ]


def deduction_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns the audit deductions of the period, one row a case, on their original claims."""
    rows = [
        (
            each.case, each.filed.setl_id, each.raised.insured_region, each.raised.treatment_region,
            each.filed.insutype, context.terms.types.get(each.filed.med_type, each.filed.med_type),
            each.raised.fixmedins_code, each.filed.setl_time // 10**8, each.filed.medfee_sumamt,
            *each.raised.funds, each.raised.amount_fen, each.raised.claim,
        )
        for each in context.deductions
    ]  # fmt: skip
    columns = (
        *("case", "setl_id", "insured_region", "treatment_region", "insutype", "clr_type", "fixmedins_code", "month"),
        *("medfee_sumamt", *(AMOUNTS[at] for at in FUND_PARTS), "deducted_fen", "claim"),
    )
    return (Sheet("deductions", "审核扣款明细表", "Audit deductions", columns, rows),)


def institution_sheets(context: Context) -> tuple[Sheet, ...]:
    """Returns what institutions of treatment had: per insurance type and kind of care, each fund, personal part."""
    sums: dict[tuple[str, int, str], list[int]] = {}
    for acts in read_acts(context.reader, after=context.state.opened, stop=context.ended):
        rows = acts.period == context.period
        if context.region is not None:
            rows = rows & (acts.facts[:, FACT["treatment_region"]] == context.region)
        _fold_institutions(context, acts, np.flatnonzero(rows), sums)
    rows_found = [(*key, line[0] - line[1], *line[2:], line[-4] + line[-3]) for key, line in sorted(sums.items())]
    columns = (
        *("fixmedins_code", "insutype", "category", "person_times", "medfee_sumamt"),
        *(*(AMOUNTS[at] for at in FUND_PARTS), "fund_pay_sumamt", "acct_pay", "psn_part_amt", "hosp_part_amt"),
        "due_fen",
    )
    return (
        Sheet("institutions", "定点医药机构清算表", "Statements of institutions", columns, rows_found),
        _differences(context),
    )


def _differences(context: Context) -> Sheet:
    """Returns what institutions are paid instead of itemised amounts (DRG, DIP, packages), up to the position."""
    rows = []
    for (region, code), (_, last) in sorted(standing(context.reader, context.period, context.position).items()):
        sums: dict[tuple[str, int], list[int]] = {}
        for event in last.values():
            line = sums.setdefault((event.rule, event.clr_type), [0, 0, 0])
            for at, fen in enumerate((event.acts, event.itemised_fen, event.payable_fen)):
                line[at] += fen
        if context.region in (None, region):
            rows += [(region, code, *key, *line, line[2] - line[1]) for key, line in sorted(sums.items())]
    columns = (
        *("treatment_region", "fixmedins_code", "rule", "clr_type", "acts", "itemised_fen", "set_fen"),
        "difference_fen",
    )
    return Sheet("differences", "按机构支付差额表", "Paid instead of itemised amounts", columns, rows)


def _fold_institutions(
    context: Context,
    acts: Acts,
    rows: "np.ndarray[Any, np.dtype[np.int64]]",
    sums: dict[tuple[str, int, str], list[int]],
) -> None:
    """Adds a page's chosen acts per (institution, insurance type, kind of care)."""
    if not len(rows):
        return
    names = to_list(acts.texts["fixmedins_code"])
    dimensions = acts.facts[:, [FACT["insutype"], FACT["med_type"], FACT["treatment_region"]]]
    keys = np.column_stack([dimensions, text_words(acts.texts["fixmedins_code"])])[rows]
    refund = acts.reversed[rows].astype(np.int64)
    settled = np.where(acts.basis[rows] == BASIS_RESETTLED, 0, 1 - refund)
    booked = acts.booked[rows]
    paid = [*FUND_PARTS, AMOUNT["fund_pay_sumamt"], AMOUNT["acct_pay"], AMOUNT["psn_part_amt"]]
    facts = acts.facts[rows]
    values = np.column_stack(
        [settled, refund, facts[:, FACT["medfee_sumamt"]], booked[:, paid], facts[:, FACT["hosp_part_amt"]]]
    )
    first, totals = group_sums(keys, values)
    for at, line in zip(first.tolist(), totals.tolist(), strict=True):
        insutype, med_type, region = (int(cell) for cell in keys[at, :3])
        name = names[int(rows[at])]
        key = (name, insutype, _category(context, name, region, insutype, med_type))
        have = sums.get(key)
        sums[key] = line if have is None else [a + b for a, b in zip(have, line, strict=True)]


def _category(context: Context, institution: str, region: int, insutype: int, med_type: int) -> str:
    """Returns the kind of care an institution's statement sorts a claim under, by the terms."""
    set_ = context.terms.institutions
    if insutype == 510 or med_type in set_.maternity:
        return "maternity"
    if med_type not in set_.inpatient:
        return "outpatient"
    by_drg = institution in set_.drg or f"{region:06d}" in set_.drg
    return "inpatient_drg" if by_drg else "inpatient_other"
