"""Takes registers in from CSV: members, enrolment rules, entitlements, visits, filings, institutions, balances, caps,
groupings.

What rules of supervision need to know of persons and of manual claims is registered the same way.

One file is one command in one transaction. A row that says what the log already knows is skipped, so the same file
registers once; a row that cannot be read refuses the whole file, naming row, column, expected and got. What a change
reaches back to is listed by ``ledger.touched``; no claim is priced again.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ledger.cap_registers import register_drug_caps, register_price_caps
from ledger.institution_pay.groupings import register_groupings
from ledger.openings import register_balances
from ledger.register_file import RegisterError, RegisterFile
from ledger.registering_filings import register_entitlements, register_filings, register_visits
from ledger.registering_institutions import register_institutions
from ledger.registering_members import register_members, register_rules
from ledger.reports import RefusedRow, Registered
from ledger.supervision.registers import register_manual_claims, register_persons

if TYPE_CHECKING:
    from ledger.verbs.base import Base

__all__ = ["RegisterError", "register_file"]


def register_file(ledger: "Base", path: Path, reason: str) -> Registered:
    """Registers a file; returns how many rows it had, how many were new and which filings were refused."""
    file = RegisterFile(path)
    with ledger.transaction() as tx:
        cause, command = ledger.command(tx, "register", reason, {"kind": file.kind}, path.name, file.digest)
        refused: list[RefusedRow] = []
        if file.kind == "filings":
            events, new, refused = register_filings(tx, file, cause)
        else:
            events, new = _REGISTERS[file.kind](tx, file, cause)
        if events:
            ledger.append(tx, [command, *events])
        return Registered(file.kind, len(file.rows), new, cause if events else 0, tuple(refused))


_REGISTERS = {
    "members": register_members,
    "enrolment rules": register_rules,
    "entitlements": register_entitlements,
    "visits": register_visits,
    "institutions": register_institutions,
    "balances": register_balances,
    "drug caps": register_drug_caps,
    "price caps": register_price_caps,
    "persons": register_persons,
    "manual claims": register_manual_claims,
    "groupings": register_groupings,
}
