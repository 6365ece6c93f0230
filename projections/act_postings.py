"""Posts a whole page of acts at once: the vectorised twin of ``ledger.postings`` for settlements and refunds."""

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNT, FACT, FUND_PARTS, HOW
from ledger.acts import Acts
from ledger.postings import ACCOUNT_CODE, fund_codes
from projections.grouping import group_sums, text_words

Int64s = NDArray[np.int64]

_FUND = AMOUNT["fund_pay_sumamt"]
_ACCT = AMOUNT["acct_pay"]
_PAID = (*FUND_PARTS, _ACCT)


def act_postings(acts: Acts) -> dict[str, int]:
    """Returns account to fen, the sums of what ``postings`` gives for every act; accounts as they first appear.

    An account that some act posts to stands here even where the page's postings to it cancel out. Raises
    OverflowError where a sum leaves 64 bits.
    """
    sums: dict[str, int] = {}
    if not len(acts):
        return sums
    insured = acts.facts[:, FACT["insured_region"]]
    treatment = acts.facts[:, FACT["treatment_region"]]
    due = checked_sum(acts.booked[:, _FUND], acts.booked[:, _ACCT])
    _expenses(acts, insured, sums)
    away = np.flatnonzero((insured != treatment) & (due != 0))
    if len(away):
        _between_regions(insured[away], treatment[away], due[away], sums)
    moved = np.flatnonzero(due)
    if len(moved):
        _payables(acts, treatment, due, moved, sums)
    return sums


def checked_sum(a: Int64s, b: Int64s) -> Int64s:
    """Returns a + b row by row; raises OverflowError where a sum leaves 64 bits."""
    total = a + b
    # A sum wrapped around where both terms have a sign the sum has not.
    if bool((((a ^ total) & (b ^ total)) < 0).any()):
        raise OverflowError("amounts: expected sums within 64 bits of fen")
    return np.asarray(total)


def _expenses(acts: Acts, insured: Int64s, sums: dict[str, int]) -> None:
    paid = acts.booked[:, _PAID]
    pool = acts.how[:, HOW.index("pool")]
    kinds = np.where(pool > 0, pool, acts.facts[:, FACT["insutype"]])
    first, totals = group_sums(np.column_stack([insured, kinds]), np.hstack([paid, (paid != 0).astype(np.int64)]))
    for at, line in zip(first.tolist(), totals.tolist(), strict=True):
        region = f"{int(insured[at]):06d}"
        names = [f"expense:{region}:{code}" for code in fund_codes(int(kinds[at]))]
        names.append(f"account:{region}:{ACCOUNT_CODE}")
        for name, amount_fen, touched in zip(names, line[: len(_PAID)], line[len(_PAID) :], strict=True):
            if touched:
                sums[name] = sums.get(name, 0) + amount_fen


def _between_regions(insured: Int64s, treatment: Int64s, due: Int64s, sums: dict[str, int]) -> None:
    first, totals = group_sums(np.column_stack([insured, treatment]), due[:, None])
    for at, total in zip(first.tolist(), totals[:, 0].tolist(), strict=True):
        payer, payee = f"{int(insured[at]):06d}", f"{int(treatment[at]):06d}"
        sums[f"due:{payer}:{payee}"] = -total
        sums[f"receivable:{payee}:{payer}"] = total


def _payables(acts: Acts, treatment: Int64s, due: Int64s, moved: Int64s, sums: dict[str, int]) -> None:
    institutions = acts.texts["fixmedins_code"]
    keys = np.column_stack([treatment, text_words(institutions)])[moved]
    first, totals = group_sums(keys, due[moved][:, None])
    at = moved[first]
    # An account a claim, nearly: the names are cut out of one text.
    raw, starts, stops = (
        institutions.data.tobytes(),
        institutions.offsets[at].tolist(),
        institutions.offsets[at + 1].tolist(),
    )
    lines = zip(treatment[at].tolist(), starts, stops, totals[:, 0].tolist(), strict=True)
    for region, start, stop, total in lines:
        sums[f"payable:{region:06d}:{raw[start:stop].decode()}"] = -total
