"""Reads what institutions are paid for a period instead of itemised amounts, from the events that set it."""

from typing import TYPE_CHECKING

import msgspec

from ledger.institution_pay.deciding import difference
from ledger.institution_pay.setting import standing

if TYPE_CHECKING:
    from ledger.store import Reader


class InstitutionLine(msgspec.Struct, frozen=True):
    """Is one institution's claims under one rule, or one claim or package (``claim`` 0); amounts in fen."""

    region: int
    institution: str
    rule: str
    method: int
    clr_type: int
    claim: int
    group: str
    acts: int
    itemised_fen: int
    standard_fen: int
    payable_fen: int

    @property
    def difference_fen(self) -> int:
        """Returns what stands on the difference account."""
        return self.payable_fen - self.itemised_fen


class InstitutionPayments(msgspec.Struct, frozen=True):
    """Is what institutions are paid for a period, as of a log position; totals in fen."""

    period: int
    position: int
    lines: tuple[InstitutionLine, ...]
    itemised_fen: int
    standard_fen: int
    payable_fen: int
    difference_fen: int


def institution_payments(reader: "Reader", period: int, region: int | None, claims: bool) -> InstitutionPayments:
    """Returns a period's lines, by region, institution and rule; one a claim or package where ``claims``."""
    lines: dict[tuple[int, str, str, int], InstitutionLine] = {}
    for (where, code), (_, last) in sorted(standing(reader, period).items()):
        if region not in (None, where):
            continue
        for event in sorted(last.values(), key=lambda each: (each.rule, each.claim)):
            if not claims and not difference(event) and event.standard_fen == event.itemised_fen == 0:
                continue
            key = (where, code, event.rule, event.claim if claims else 0)
            have = lines.get(key)
            line = InstitutionLine(
                where, code, event.rule, event.method, event.clr_type, key[3], event.group if claims else "",
                event.acts, event.itemised_fen, event.standard_fen, event.payable_fen,
            )  # fmt: skip
            lines[key] = line if have is None else _sum(have, line)
    listed = tuple(lines.values())
    sums = (
        sum(getattr(line, name) for line in listed)
        for name in ("itemised_fen", "standard_fen", "payable_fen", "difference_fen")
    )
    return InstitutionPayments(period, reader.size, listed, *sums)


def _sum(one: InstitutionLine, other: InstitutionLine) -> InstitutionLine:
    names = ("acts", "itemised_fen", "standard_fen", "payable_fen")
    return msgspec.structs.replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})
