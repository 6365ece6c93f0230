"""Takes registers in from CSV: members with what they start with, filings, opening balances, price and drug caps.

One file is one command in one transaction. A row that says what the log already knows is skipped, so the same file
registers once; a row that cannot be read refuses the whole file, naming row, column, expected and got.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ACCUMULATORS
from ledger import cap_registers
from ledger.events import (
    Event,
    FilingRegistered,
    MemberEnrolled,
    OpeningAccount,
    OpeningAccumulator,
    OpeningBalance,
)
from ledger.keys import OPENING_BALANCES, YEARS, account_stream, filing_stream, member_stream, person_year_stream
from ledger.mapper import decode_event
from ledger.money import fen_from_text
from ledger.refusals import LedgerError, Refusal, Refused
from ledger.registers import FILINGS
from ledger.reports import Registered

if TYPE_CHECKING:
    from ledger.service import Ledger
    from ledger.store import Transaction

Row = dict[str, str]
Headed = tuple[str, int, Event]

MEMBERS = ("psn_no", "psn_name", "insu_admdvs", "insutype", "psn_type", "assist_class")
FILED = ("psn_no", "type", "region", "from", "to")
BALANCES = ("account", "amount")
KINDS = {
    "members": MEMBERS,
    "filings": FILED,
    "balances": BALANCES,
    "drug caps": cap_registers.DRUG_CAPS,
    "price caps": cap_registers.PRICE_CAPS,
}

REPLACE_MEMBER = (
    "ON CONFLICT (token) DO UPDATE SET insu_admdvs = excluded.insu_admdvs, insutype = excluded.insutype,"
    " psn_type = excluded.psn_type, assist_class = excluded.assist_class"
)

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


class RegisterError(LedgerError):
    """Is a register file that cannot be taken in: file, row, column, expected, got."""


class _File:
    """Is a register file open for reading: what it holds, and where an error in it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RegisterError(f"{path.name}: expected UTF-8 text, got byte 0x{content[error.start]:02x}") from None
        self.digest = hashlib.sha256(content).digest()[:16]
        rows = list(csv.reader(text.splitlines(keepends=True)))
        if not rows:
            raise RegisterError(f"{path.name}: expected a header, got an empty file")
        self.header = rows[0]
        self.rows = rows[1:]

    @property
    def kind(self) -> str:
        """Returns what the header says the file registers."""
        for kind, columns in KINDS.items():
            if set(columns) <= set(self.header):
                return kind
        expected = "; ".join(",".join(columns) for columns in KINDS.values())
        raise RegisterError(f"{self.path.name}: expected a header with {expected}, got {','.join(self.header)}")

    def records(self) -> Iterator[tuple[int, Row]]:
        """Yields (row from 1, cells by column)."""
        for number, cells in enumerate(self.rows, 1):
            if not cells:
                continue
            if len(cells) != len(self.header):
                raise RegisterError(
                    f"{self.path.name} row {number}: expected {len(self.header)} cells, got {len(cells)}"
                )
            yield number, dict(zip(self.header, cells, strict=True))

    def read(self, number: int, row: Row, column: str, expected: str, parse: Callable[[str], int]) -> int:
        """Returns a cell parsed; raises RegisterError that says where and what was expected."""
        try:
            return parse(row[column])
        except ValueError:
            raise RegisterError(
                f"{self.path.name} row {number}, {column}: expected {expected}, got {row[column]!r}"
            ) from None


def register_file(ledger: "Ledger", path: Path, reason: str) -> Registered:
    """Registers a file; returns how many rows it had and how many were new."""
    file = _File(path)
    with ledger.transaction() as tx:
        cause, command = ledger.command(tx, "register", reason, {"kind": file.kind}, path.name, file.digest)
        make = {
            "members": _members,
            "filings": _filings,
            "balances": _balances,
            "drug caps": cap_registers.drug_caps,
            "price caps": cap_registers.price_caps,
        }[file.kind]
        events, new = make(tx, file, cause)
        if events:
            ledger.append(tx, [command, *events])
        return Registered(file.kind, len(file.rows), new, cause if events else 0)


def _day(text: str) -> int:
    import datetime

    return int(datetime.date.fromisoformat(text).strftime("%Y%m%d"))


def _code(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _assist(text: str) -> int:
    value = _code(text) if text else 0
    if value > 4:
        raise ValueError(text)
    return value


def _members(tx: "Transaction", file: _File, cause: int) -> tuple[list[Headed], int]:
    """Returns the enrolments and openings that are new, and writes the member register beside them."""
    rows = list(file.records())
    for number, row in rows:
        if not row["psn_no"]:
            raise RegisterError(f"{file.path.name} row {number}, psn_no: expected a person's number, got nothing")
    tokens = tx.add_persons([(row["psn_no"], row["psn_name"]) for _, row in rows])
    heads = tx.stream_heads([member_stream(token) for token in tokens.values()])
    known = _latest_members(tx, list(tokens.values()))
    events: list[Headed] = []
    members: dict[int, tuple[int, int, int, int]] = {}
    openings = _Openings(file)
    new = 0
    for number, row in rows:
        token = tokens[row["psn_no"]]
        member = (
            file.read(number, row, "insu_admdvs", "a six-digit code", _code),
            file.read(number, row, "insutype", "an insurance type", _code),
            file.read(number, row, "psn_type", "a class of persons", _code),
            file.read(number, row, "assist_class", "an assistance class from 1 to 4, or nothing", _assist),
        )
        if known.get(token) != member:
            stream = member_stream(token)
            heads[stream] = heads.get(stream, 0) + 1
            events.append((stream, heads[stream], MemberEnrolled(cause, number, token, *member)))
            known[token] = members[token] = member
            new += 1
        openings.read(number, row, token)
    events += openings.events(tx, cause)
    if members:
        columns = np.array(list(members.values()), np.int64)
        names = ("token", "insu_admdvs", "insutype", "psn_type", "assist_class")
        data = [np.array(list(members), np.int64), *(columns[:, at].copy() for at in range(4))]
        tx.put("member", names, data, REPLACE_MEMBER)
    return events, new


def _latest_members(tx: "Transaction", tokens: list[int]) -> dict[int, tuple[int, int, int, int]]:
    columns = "insu_admdvs, insutype, psn_type, assist_class"
    found = tx.lookup("member", "token", columns, np.array(tokens, np.int64))
    return {tokens[int(row[0])]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in found}


class _Openings:
    """Collects opening accounts and accumulators of a member file."""

    def __init__(self, file: _File) -> None:
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
            balance = self.file.read(number, row, "account_balance", "an amount in yuan", fen_from_text)
            if balance:
                self.accounts[token] = (number, balance)
        values = [0] * len(ACCUMULATORS)
        for name in self.columns:
            at = OPENINGS[name]
            parse = _code if ACCUMULATORS[at] == "stays" else fen_from_text
            values[at] = self.file.read(number, row, name, "an amount in yuan, or a count of stays", parse)
        if any(values):
            if not row.get("acc_year"):
                raise RegisterError(
                    f"{self.file.path.name} row {number}, acc_year: expected the benefit year, got nothing"
                )
            year = self.file.read(number, row, "acc_year", "a benefit year", _code)
            self.accumulators[token, year] = (number, tuple(values))

    def events(self, tx: "Transaction", cause: int) -> list[Headed]:
        """Returns the openings as events and writes their state; one that contradicts the log is refused."""
        events: list[Headed] = []
        streams = [account_stream(token) for token in self.accounts]
        streams += [person_year_stream(*key) for key in self.accumulators]
        have = tx.first_events(streams)
        accounts: dict[int, int] = {}
        for token, (number, balance) in self.accounts.items():
            event = OpeningAccount(cause, number, token, balance)
            if self._fresh(have, account_stream(token), event):
                events.append((account_stream(token), 1, event))
                accounts[token] = balance
        states: dict[int, tuple[int, ...]] = {}
        for (token, year), (number, values) in self.accumulators.items():
            opening = OpeningAccumulator(cause, number, token, year, values)
            if self._fresh(have, person_year_stream(token, year), opening):
                events.append((person_year_stream(token, year), 1, opening))
                states[token * YEARS + year] = values
        if accounts:
            before = tx.load_accounts(np.array(list(accounts), np.int64))
            tx.save_accounts(np.array(list(accounts), np.int64), before + np.array(list(accounts.values()), np.int64))
        if states:
            keys = np.array(list(states), np.int64)
            tx.save_state(keys, np.ones(len(keys), np.int64), np.array(list(states.values()), np.int64))
        return events

    def _fresh(
        self, have: dict[str, tuple[int, bytes]], stream: str, event: OpeningAccount | OpeningAccumulator
    ) -> bool:
        """Returns whether an opening is new; raises Refused where the stream began otherwise."""
        if stream not in have:
            return True
        began: object = None
        for topic in (OpeningAccount.TOPIC, OpeningAccumulator.TOPIC):
            if topic == event.TOPIC:
                try:
                    began = decode_event(topic, have[stream][1])
                except LedgerError:
                    began = None
        same = type(began) is type(event) and _content(began) == _content(event)
        if not same:
            raise Refused(
                Refusal.STREAM_EXISTS,
                f"{self.file.path.name} row {event.row}: expected a person without claims or openings of that kind,"
                f" got {stream}, which began otherwise: an opening comes before the first claim",
            )
        return False


def _content(event: object) -> tuple[object, ...]:
    if isinstance(event, OpeningAccount):
        return (event.token, event.balance_fen)
    if isinstance(event, OpeningAccumulator):
        return (event.token, event.year, event.values)
    return ()


def _filings(tx: "Transaction", file: _File, cause: int) -> tuple[list[Headed], int]:
    """Returns the filings that are new, and writes the filing register beside them."""
    rows = list(file.records())
    tokens = tx.tokens(sorted({row["psn_no"] for _, row in rows}))
    numbers = np.array(sorted(tokens.values()), np.int64)
    columns = "token, filing, region, begin, to_"
    found = tx.lookup("filing", "token", columns, numbers) if len(numbers) else []
    known = {tuple(int(value) for value in row[1:]) for row in found}
    heads = tx.stream_heads([filing_stream(token) for token in tokens.values()])
    events: list[Headed] = []
    fresh: list[tuple[int, ...]] = []
    for number, row in rows:
        token = tokens.get(row["psn_no"])
        if token is None:
            raise RegisterError(
                f"{file.path.name} row {number}, psn_no: expected an enrolled person, got {row['psn_no']!r}:"
                " register members first"
            )
        if row["type"] not in FILINGS:
            raise RegisterError(
                f"{file.path.name} row {number}, type: expected one of {', '.join(FILINGS)}, got {row['type']!r}"
            )
        filing = (
            token,
            FILINGS[row["type"]],
            file.read(number, row, "region", "a six-digit code", _code),
            file.read(number, row, "from", "a day as YYYY-MM-DD", _day),
            file.read(number, row, "to", "a day as YYYY-MM-DD, or nothing", lambda text: _day(text) if text else 0),
        )
        if filing in known:
            continue
        known.add(filing)
        stream = filing_stream(token)
        heads[stream] = heads.get(stream, 0) + 1
        events.append((stream, heads[stream], FilingRegistered(cause, number, *filing)))
        fresh.append(filing)
    if fresh:
        data = np.array(fresh, np.int64)
        tx.put("filing", ("token", "filing", "region", "begin", "to_"), [data[:, at].copy() for at in range(5)])
    return events, len(fresh)


def _balances(tx: "Transaction", file: _File, cause: int) -> tuple[list[Headed], int]:
    """Returns the opening of the books, refused unless it sums to zero; the books open once."""
    lines = tuple(
        (row["account"], file.read(number, row, "amount", "an amount in yuan", fen_from_text))
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
