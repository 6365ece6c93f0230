"""Holds what stands in one ledger against another: years, accounts, claims, sums and books, however they came about."""

from typing import Any

import numpy as np

import projections
from core_ext.layout import FACT
from core_ext.text import text_at
from ledger.acts import read_acts
from ledger.service import Ledger
from projections.state_sums import accounts_of, person_years
from tests.axes.test_axes import moved


def stands(book: Ledger, url: str) -> dict[str, Any]:
    """Returns what stands: person-years and accounts that hold something, each claim with its refund, sums, books."""
    versions: dict[int, tuple[int, tuple[int, ...]]] = {}
    claims: dict[int, Any] = {}
    names: dict[int, str] = {}
    with book.store.read() as reader:
        for keys, counts, values in person_years(reader):
            for key, version, row in zip(keys.tolist(), counts.tolist(), values.tolist(), strict=True):
                if version > versions.get(key, (0, ()))[0]:
                    versions[key] = version, tuple(row)
        # Behind the table come the runs, which these few rows never are.
        accounts = {
            token: fen
            for tokens, _, balances in accounts_of(reader)
            for token, fen in zip(tokens.tolist(), balances.tolist(), strict=True)
            if fen
        }
        for acts in read_acts(reader):
            for row in range(len(acts)):
                of = int(acts.original[row]) or int(acts.claim[row])
                names.setdefault(of, text_at(acts.texts["setl_id"], row))
                claims[of] = claims.get(of, 0) + np.append(acts.booked[row], acts.facts[row, FACT["medfee_sumamt"]])
    with projections.open(url) as read:
        lines = read.statement().lines
        books = moved(read.balances())
    return {
        "years": {key: values for key, (_, values) in versions.items() if any(values)},
        "accounts": accounts,
        "claims": {names[of]: tuple(amounts.tolist()) for of, amounts in claims.items()},
        "fund": sum(line.fund_pay_sumamt for line in lines),
        "settlements": sum(line.settlements for line in lines),
        "books": books,
    }


def sound(book: Ledger, url: str) -> None:
    """Asserts that every month comes out again and verify has nothing to find."""
    for period in book.periods():
        assert book.replay(period.period, from_log=True).differences == ()
    with projections.open(url) as read:
        assert read.verify() == []
