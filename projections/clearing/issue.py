"""Issues clearing statements: the same period, position and kind give the same statement for ever."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ledger.mapper import decode_event
from projections.as_of import TIMED
from projections.clearing import details, notices, views
from projections.clearing.context import Context, context
from projections.clearing.sheets import Issued, Sheet, StatementError

if TYPE_CHECKING:
    from ledger.store import Reader
    from projections.proof import Tree

#: Every kind of statement and what draws up its sheets.
KINDS: dict[str, Callable[[Context], tuple[Sheet, ...]]] = {
    "pairs": views.pair_sheets,
    "provinces": views.province_sheets,
    "chain": views.chain_sheets,
    "summary": views.summary_sheets,
    "payable": views.payable_sheets,
    "receivable": views.receivable_sheets,
    "net": views.net_sheets,
    "roles": views.role_sheets,
    "late": views.late_sheets,
    "detail": details.detail_sheets,
    "deductions": details.deduction_sheets,
    "institutions": details.institution_sheets,
    "notices": notices.notice_sheets,
    "advances": notices.advance_sheets,
    "variance": notices.variance_sheets,
}
#: Kinds that are of one region and cannot be of all.
OF_A_REGION = ("roles", "detail")

SELECT_TIME = (
    "SELECT topic, state FROM trace_event WHERE topic IN (?, ?, ?, ?) AND position <= ? ORDER BY position DESC LIMIT 1"
)


def issue(
    reader: "Reader", tree: "Tree", kind: str, period: int, region: int | None = None, position: int | None = None
) -> Issued:
    """Returns a statement as of a position; None is where the period's clearing stands (while open: the head).

    Raises StatementError for a kind there is not, a period without claims, or a region that is missing.
    """
    if kind not in KINDS:
        raise StatementError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
    if kind in OF_A_REGION and region is None:
        raise StatementError(f"{kind}: expected --region REGION, a six-digit code, got none")
    of = context(reader, period, region, position)
    sheets = KINDS[kind](of)
    _check_total(of, kind, sheets)
    state = of.state
    return Issued(
        kind=kind,
        period=period,
        region=region,
        state=state.state.code,
        position=of.position,
        root=tree.root(of.position).hex(),
        recorded_at=_recorded_at(reader, of.position),
        terms=of.terms_digest,
        drafted_by=state.drafted.actor if state.drafted else "",
        checked_by=state.checked_by,
        signed_by=state.signed_by,
        remarks=of.remarks(),
        sheets=sheets,
    )


def _check_total(of: Context, kind: str, sheets: tuple[Sheet, ...]) -> None:
    """Checks that what is due sums to the period's own totals, another way; raises StatementError where it does not."""
    if kind not in ("pairs", "provinces") and (kind != "institutions" or of.region is not None):
        return
    sheet = sheets[0]
    wanted, at = of.totals["fund_pay_sumamt"] + of.totals["acct_pay"], sheet.columns.index("due_fen")
    got = sum(row[at] for row in sheet.rows)
    if got != wanted:
        raise StatementError(f"{kind} of {of.period}: expected {wanted} fen due in all, got {got}: run verify")


def _recorded_at(reader: "Reader", position: int) -> int:
    """Returns the recorded time of a position: that of the last transaction up to it, microseconds since 1970 UTC."""
    rows = reader.query(SELECT_TIME, (*(event.TOPIC for event in TIMED), position))
    event = decode_event(str(rows[0][0]), bytes(rows[0][1]))
    assert isinstance(event, TIMED)
    return event.recorded_at
