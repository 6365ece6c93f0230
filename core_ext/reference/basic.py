"""Settles claims under the basic formula, column by column: the specification of ``core_ext._basic``.

It is no second specification of a benefit: it lays the columns out as the tables of ``core_ext.reference.settle``,
which settles them, and takes the columns out of what that wrote.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core_ext.basic import BASIC_AMOUNTS, BASIC_FACTS, BASIC_YEAR, check_columns
from core_ext.layout import ABSENT, ACCUMULATOR, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS, HOW
from core_ext.plan import NO_LIMIT, PLAN, RATIO_ONE, SEGMENTS_MAX
from core_ext.reference.benefit import PLACES, Row, further_funds, segments
from core_ext.reference.settle import settle as settle_tables
from core_ext.settling import COMPUTE, REFUND, SKIP, Table


def is_basic(plan: Row) -> bool:
    """Returns whether a plan says no more than the basic formula knows."""
    ratios = [plan["first_ratio"], *(segment.ratio for segment in segments(plan))]
    edges = [0, *(segment.up_to for segment in segments(plan))]
    return (
        not any(fund["tiers"] or fund["to_date"] for fund in further_funds(plan))
        and not (plan["stay"] and (plan["readmission"] or plan["transfer"]))
        and not (plan["on_payment"] or plan["limit"] or plan["hospital"])
        and plan["ceiling_cost"] >= NO_LIMIT
        and (
            plan["deductible_kind"] not in (1, 2)
            or (plan["deductible_factor"] == RATIO_ONE and plan["deductible_cap"] >= NO_LIMIT)
        )
        and ACCUMULATORS[plan["placed"]] in PLACES
        and all(0 <= ratio <= RATIO_ONE for ratio in ratios)
        and edges == sorted(edges)
    )


def settle(
    plans: Table, plan: Table, kind: Table, ref: Table, slot: Table, money: Sequence[Table], years: Table,
    holder: Table, accounts: Table, code: NDArray[np.uint8], booked: Sequence[Table],
) -> None:  # fmt: skip
    """Settles rows in order, what no source settled: every kind is SKIP, COMPUTE or REFUND.

    In: ``plans``, or what ``packed`` of the settle kernel made of them · ``plan`` [n] · ``kind`` [n] · ``ref`` [n] the
    earlier row a refund refunds (-1: unknown) · ``slot`` [n] the person-year · ``money``, the columns BASIC_FACTS ·
    ``holder`` [S] whose account a person-year's claims use, and who its person is.
    In and out: ``years`` [S, BASIC_YEAR] · ``accounts``. Out: ``code`` [n] 0 or the refusal · ``booked``, the columns
    BASIC_AMOUNTS, zero where a row is refused or skipped.

    Raises ValueError for columns of unequal length and for a claim whose plan is not basic, IndexError where a row
    points outside its tables; rows before that one may be settled.
    """
    check_columns(plans, plan, kind, ref, slot, money, years, holder, accounts, code, booked)
    n = len(plan)
    for row in range(n):
        _check_row(row, plans, int(plan[row]), int(kind[row]), int(ref[row]), n)
    facts, given = np.zeros((n, len(FACTS)), np.int64), np.full((n, len(AMOUNTS)), ABSENT, np.int64)
    for name, column in zip(BASIC_FACTS, money, strict=True):
        facts[:, FACT[name]] = column
    inside = (kind == SKIP) | ((slot >= 0) & (slot < len(years)))
    if not inside.all():
        raise IndexError(f"row {int(inside.argmin())}: its kind, plan, ref or slot points outside its table")
    person = np.where(kind == SKIP, 0, slot)
    account = holder[person] if len(holder) else person
    facts[:, FACT["token"]] = account
    state = np.zeros((len(years), len(ACCUMULATORS)), np.int64)
    for at, name in enumerate(BASIC_YEAR):
        state[:, ACCUMULATOR[name]] = years[:, at]
    state[:, ACCUMULATOR["fund_pay_sumamt"]] = state[:, ACCUMULATOR["hifp_pay"]]
    amounts, computed, how = (np.zeros((n, len(names)), np.int64) for names in (AMOUNTS, AMOUNTS, HOW))
    before, delta = (np.zeros((n, len(ACCUMULATORS)), np.int64) for _ in range(2))
    found = np.zeros(n, np.int64)
    settle_tables(
        plans, plan, facts, given, kind, ref, np.zeros(n, np.int64), np.zeros(n, np.int64), person, state,
        account, accounts, found, amounts, computed, before, delta, np.zeros(n, np.int64), how,
    )  # fmt: skip
    code[:] = found
    for name, column in zip(BASIC_AMOUNTS, booked, strict=True):
        column[:] = amounts[:, AMOUNT[name]]
    for at, name in enumerate(BASIC_YEAR):
        years[:, at] = state[:, ACCUMULATOR[name]]


def _check_row(row: int, plans: Table, plan: int, kind: int, ref: int, n: int) -> None:
    if kind == SKIP:
        return
    if not (-1 <= plan < len(plans) and (kind == COMPUTE or (kind == REFUND and -1 <= ref < n))):
        raise IndexError(f"row {row}: its kind, plan, ref or slot points outside its table")
    terms = dict(zip(PLAN, plans[plan].tolist(), strict=True)) if kind == COMPUTE and plan >= 0 else None
    if terms is not None and 0 <= terms["segments"] <= SEGMENTS_MAX and not is_basic(terms):
        raise ValueError(f"row {row}: its plan {plan} says more than the basic formula; settle it by `settle`")
