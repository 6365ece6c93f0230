"""Posts a whole page of acts at once: the vectorised twin of ``ledger.postings`` for settlements and refunds."""

from functools import lru_cache
from operator import neg

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNT, FACT, FUND_PARTS, HOW
from core_ext.text import texts_taken, to_list
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
    pool = acts.how[:, HOW.index("pool")]
    kinds = np.where(pool > 0, pool, acts.facts[:, FACT["insutype"]])
    first, totals, touched = _sums_touched(np.column_stack([insured, kinds]), acts.booked)
    amounts, posted = totals[:, _PAID].tolist(), touched[:, _PAID].tolist()
    regions = zip(insured[first].tolist(), kinds[first].tolist(), strict=True)
    for (region, kind), line, there in zip(regions, amounts, posted, strict=True):
        for name, amount_fen, one in zip(_funds_of(region, kind), line, there, strict=True):
            if one:
                sums[name] = sums.get(name, 0) + amount_fen


def _sums_touched(keys: Int64s, values: Int64s) -> tuple[Int64s, Int64s, NDArray[np.bool_]]:
    """Returns (first, sums) as ``group_sums`` does, and which sums have a term other than 0."""
    first, totals = group_sums(keys, values)
    touched = totals != 0
    # Sums of 0 are few where anything was paid at all: only a refund beside its claim cancels out.
    below = np.flatnonzero((values < 0).any(axis=1))
    if len(below):
        at, counts = group_sums(keys[below], (values[below] != 0).astype(np.int64))
        rows = {key: row for row, key in enumerate(map(tuple, keys[first].tolist()))}
        touched[[rows[key] for key in map(tuple, keys[below[at]].tolist())]] |= counts != 0
    return first, totals, touched


@lru_cache(maxsize=16_384)
def _funds_of(insured: int, insutype: int) -> tuple[str, ...]:
    """Returns the accounts of _PAID of a region and an insurance type."""
    region = f"{insured:06d}"
    expenses = (f"expense:{region}:{code}" for code in fund_codes(insutype))
    return (*expenses, f"account:{region}:{ACCOUNT_CODE}")


def _region_texts(codes: list[int]) -> list[str]:
    """Returns regions as accounts name them."""
    texts = {code: f"{code:06d}" for code in set(codes)}
    return [texts[code] for code in codes]


def _between_regions(insured: Int64s, treatment: Int64s, due: Int64s, sums: dict[str, int]) -> None:
    first, totals = group_sums(np.column_stack([insured, treatment]), due[:, None])
    payers, payees = _region_texts(insured[first].tolist()), _region_texts(treatment[first].tolist())
    fen = totals[:, 0].tolist()
    pairs = list(zip(payers, payees, strict=True))
    sums.update(zip([f"due:{payer}:{payee}" for payer, payee in pairs], map(neg, fen), strict=True))
    sums.update(zip([f"receivable:{payee}:{payer}" for payer, payee in pairs], fen, strict=True))


def _payables(acts: Acts, treatment: Int64s, due: Int64s, moved: Int64s, sums: dict[str, int]) -> None:
    institutions = acts.texts["fixmedins_code"]
    keys = np.column_stack([treatment, text_words(institutions)])[moved]
    first, totals = group_sums(keys, due[moved][:, None])
    at = moved[first]
    # An account a claim, nearly.
    regions, codes = _region_texts(treatment[at].tolist()), to_list(texts_taken(institutions, at))
    names = [f"payable:{region}:{code}" for region, code in zip(regions, codes, strict=True)]
    sums.update(zip(names, map(neg, totals[:, 0].tolist()), strict=True))
