"""Takes in what no centre starts without: members' opening accounts and accumulators, opening balances of the books."""

import re
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ACCUMULATORS
from ledger.events import OpeningAccount, OpeningAccumulator, OpeningBalance
from ledger.keys import OPENING_BALANCES, YEARS, account_stream, person_year_stream
from ledger.mapper import decode_event
from ledger.money import fen_from_text
from ledger.postings import FUND_KINDS
from ledger.refusals import Refusal, Refused
from ledger.register_file import Headed, RegisterError, RegisterFile, Row, code

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.store.link import Ints

ACCOUNT = "an account as kind:region or kind:region:detail, such as bank:441800 or fund:441800:310100"
#: Columns of openings: amounts are yuan, stays a count. Older files name the med_type instead of the kind of care.
OPENINGS = {f"acc_{name}": at for at, name in enumerate(ACCUMULATORS)}
OPENINGS |= {
    "acc_placed_21": OPENINGS["acc_placed_inpatient"],
    "acc_placed_11": OPENINGS["acc_placed_outpatient"],
    "acc_placed_14": OPENINGS["acc_placed_chronic"],
    "acc_placed_41": OPENINGS["acc_placed_pharmacy"],
    "acc_hifp": OPENINGS["acc_hifp_pay"],
    "acc_hifob": OPENINGS["acc_hifob_pay"],
    "acc_maf": OPENINGS["acc_maf_pay"],
}


def _unsigned(text: str) -> int:
    value = fen_from_text(text)
    if value < 0:
        raise ValueError(text)
    return value


def _year(text: str) -> int:
    value = code(text)
    if not 1998 <= value <= 2199:
        raise ValueError(text)
    return value


class OpeningsOfMembers:
    """Collects opening accounts and accumulators of a member file."""

    def __init__(self, file: RegisterFile) -> None:
        self.file = file
        self.accounts: dict[int, tuple[int, int]] = {}
        self.accumulators: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self.columns = [name for name in file.header if name.startswith("acc_") and name != "acc_year"]
        unknown = [name for name in self.columns if name not in OPENINGS]
        if unknown:
            raise RegisterError(
                f"{file.path.name}: expected columns of {', '.join(OPENINGS)}, got {', '.join(unknown)}"
            )

    def read(self, number: int, row: Row, token: int) -> None:
        """Takes one row's openings; those that are zero open nothing."""
        if row.get("account_balance"):
            balance = self.file.read(number, row, "account_balance", "an amount in yuan, not below 0", _unsigned)
            if balance and self.accounts.setdefault(token, (number, balance))[1] != balance:
                raise self.file.error(number, "account_balance", "the balance of the person's other row", str(balance))
        values = [0] * len(ACCUMULATORS)
        for name in self.columns:
            at = OPENINGS[name]
            parse = code if ACCUMULATORS[at] in ("stays", "last_discharge") else _unsigned
            values[at] = self.file.read(number, row, name, "an amount in yuan, or a count of stays", parse)
        if any(values):
            if not row.get("acc_year"):
                raise RegisterError(
                    f"{self.file.path.name} row {number}, acc_year: expected the benefit year, got nothing"
                )
            year = self.file.read(number, row, "acc_year", "a benefit year from 1998 to 2199", _year)
            if self.accumulators.setdefault((token, year), (number, tuple(values)))[1] != tuple(values):
                raise self.file.error(number, "acc_year", "the accumulators of the person's other row", str(year))

    def events(self, tx: "Transaction", cause: int) -> list[Headed]:
        """Returns the openings as events and writes their state; one that contradicts the log is refused."""
        events: list[Headed] = []
        streams = [account_stream(token) for token in self.accounts]
        streams += [person_year_stream(*key) for key in self.accumulators]
        have = tx.first_events(streams)
        keys = np.array([token * YEARS + year for token, year in self.accumulators], np.int64)
        counted = set(keys[tx.load_state(keys)[0] > 0].tolist())
        accounts: dict[int, OpeningAccount] = {}
        for token, (number, balance) in self.accounts.items():
            account = OpeningAccount(cause, number, token, balance)
            if self._fresh(have, account_stream(token), account):
                accounts[token] = account
        if accounts:
            tokens = np.array(list(accounts), np.int64)
            if late := _with_claims(tx, tokens):
                raise self._late(account_stream(min(late)), accounts[min(late)])
            events += [(account_stream(token), 1, account) for token, account in accounts.items()]
            balances = np.array([account.balance_fen for account in accounts.values()], np.int64)
            tx.save_accounts(tokens, tx.load_accounts(tokens) + balances)
        states: dict[int, tuple[int, ...]] = {}
        for (token, year), (number, values) in self.accumulators.items():
            opening = OpeningAccumulator(cause, number, token, year, values)
            stream = person_year_stream(token, year)
            if stream not in have and token * YEARS + year in counted:
                raise self._late(stream, opening)
            if self._fresh(have, stream, opening):
                events.append((stream, 1, opening))
                states[token * YEARS + year] = values
        if states:
            keys = np.array(list(states), np.int64)
            tx.save_state(keys, np.ones(len(keys), np.int64), np.array(list(states.values()), np.int64))
        return events

    def _fresh(
        self, have: dict[str, tuple[int, bytes]], stream: str, event: OpeningAccount | OpeningAccumulator
    ) -> bool:
        """Returns whether an opening is new; raises Refused where the log has another one."""
        if stream not in have:
            return True
        if _content(decode_event(event.TOPIC, have[stream][1])) != _content(event):
            raise self._late(stream, event)
        return False

    def _late(self, stream: str, event: OpeningAccount | OpeningAccumulator) -> Refused:
        return Refused(
            Refusal.STREAM_EXISTS,
            f"{self.file.path.name} row {event.row}: expected a person without claims or another opening,"
            f" got one for {stream} that has begun: an opening comes before the first claim and once",
        )


def _with_claims(tx: "Transaction", tokens: "Ints") -> set[int]:
    """Returns those of persons who have claims: a year that did not begin with an opening, or has moved since."""
    keys = tx.years_of(tokens)
    streams = [person_year_stream(*divmod(key, YEARS)) for key in keys.tolist()]
    opened, versions = tx.first_events(streams), tx.load_state(keys)[0].tolist()
    years = zip(keys.tolist(), streams, versions, strict=True)
    return {key // YEARS for key, stream, version in years if version > 1 or stream not in opened}


def _content(event: object) -> tuple[object, ...]:
    if isinstance(event, OpeningAccount):
        return (event.token, event.balance_fen)
    if isinstance(event, OpeningAccumulator):
        return (event.token, event.year, event.values)
    return ()


def _account(file: RegisterFile, number: int, row: Row) -> str:
    text = row["account"]
    detail = ":[0-9]{6}" if text.partition(":")[0] in FUND_KINDS else r"(:[^\s:]+)?"
    if not re.fullmatch(rf"[a-z_]+:([0-9]{{6}}|treasury-[0-9]{{6}}|members){detail}", text):
        raise file.error(number, "account", ACCOUNT, text)
    return text


def register_balances(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the opening of the books, refused unless it sums to zero; the books open once."""
    lines = tuple(
        (
            _account(file, number, row),
            file.read(number, row, "amount", "an amount in yuan", fen_from_text),
        )
        for number, row in file.records()
    )
    have = tx.first_events([OPENING_BALANCES])
    if have:
        began = decode_event(OpeningBalance.TOPIC, have[OPENING_BALANCES][1])
        assert isinstance(began, OpeningBalance)
        if began.postings == lines:
            return [], 0
        raise Refused(Refusal.STREAM_EXISTS, f"{file.path.name}: the books are open already with other balances")
    return [(OPENING_BALANCES, 1, OpeningBalance(cause, 0, lines))], len(lines)
