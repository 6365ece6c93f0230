"""Reads the terms of clearing: a TOML document of parameters, in force from a period on.

``national.toml`` beside this file ships and is the default; it is written into the log with the first draft under it,
so that what stood behind a clearing can be read for ever.
"""

import tomllib
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from ledger.clearing.events import ClearingTermsSet
from ledger.keys import CLEARING_TERMS
from ledger.mapper import decode_event
from ledger.money import fen_from_text, scaled_from_text
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader

Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
Day = Annotated[int, msgspec.Meta(ge=1, le=31)]
Months = Annotated[int, msgspec.Meta(ge=0, le=120)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is one table of the document."""


class Late(_Part, frozen=True, kw_only=True):
    """Is how far a claim may slip: periods, and the month of the next year in which a year ends."""

    periods: Months = 2
    year_end_month: Annotated[int, msgspec.Meta(ge=1, le=12)] = 3


class Calendar(_Part, frozen=True, kw_only=True):
    """Is when each step is due: days of the month after the business month, then working days."""

    reconciled_days: Days = 1
    cut_off_day: Day = 20
    draft_day: Day = 21
    check_day: Day = 23
    sign_day: Day = 25
    notice_day: Day = 31
    submit_working_days: Days = 5
    transfer_working_days: Days = 10
    record_working_days: Days = 5


class Variance(_Part, frozen=True, kw_only=True):
    """Is what counts as out of line with the mean of the periods before: share of it and yuan, both exceeded."""

    periods: Annotated[int, msgspec.Meta(ge=1, le=36)] = 3
    ratio: str = "0.30"
    amount: str = "10000.00"

    @property
    def ratio_bp(self) -> int:
        """Returns the share in basis points."""
        return scaled_from_text(self.ratio, 4)

    @property
    def amount_fen(self) -> int:
        """Returns the amount in fen."""
        return fen_from_text(self.amount)


class Institutions(_Part, frozen=True, kw_only=True):
    """Is how an institution's statement sorts its claims."""

    drg: tuple[str, ...] = ()
    maternity: tuple[int, ...] = (51, 52, 53)
    inpatient: tuple[int, ...] = (21, 22, 23, 24, 26, 27, 28)


class Channel(_Part, frozen=True, kw_only=True):
    """Is how claims without their source's amounts came: by hand, or over the city's own platform."""

    computed: Literal["manual", "direct"] = "manual"


class Advance(_Part, frozen=True, kw_only=True):
    """Is the inter-region advance (预付金): its quota in months, and the shares of it at which it warns."""

    quota_months: Months = 2
    yellow: str = "0.70"
    red: str = "0.90"

    @property
    def warnings_bp(self) -> tuple[int, int]:
        """Returns the shares (yellow, red) in basis points."""
        return scaled_from_text(self.yellow, 4), scaled_from_text(self.red, 4)


class Retention(_Part, frozen=True, kw_only=True):
    """Is what is kept back of an institution's fund payments until the yearly assessment (质量保证金)."""

    ratio: str = "0.00"

    @property
    def ratio_bp(self) -> int:
        """Returns the share in basis points."""
        return scaled_from_text(self.ratio, 4)


class WorkingCapital(_Part, frozen=True, kw_only=True):
    """Is the advance to an institution (周转金): so many times the monthly mean of the year before."""

    quota_months: Months = 1


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Is everything a clearing goes by that is no policy of benefits."""

    name: str
    late: Late = Late()
    calendar: Calendar = Calendar()
    variance: Variance = Variance()
    clearing_types: dict[str, int] = {}
    institutions: Institutions = Institutions()
    channel: Channel = Channel()
    advance: Advance = Advance()
    retention: Retention = Retention()
    working_capital: WorkingCapital = WorkingCapital()

    @cached_property
    def types(self) -> dict[int, int]:
        """Returns med_type → clr_type of the types that are not their own."""
        return {int(med): clr for med, clr in self.clearing_types.items()}

    def overdue(self, month: int, period: int) -> bool:
        """Returns whether a claim of a business month comes too late in a clearing period (both yyyymm).

        More periods late than allowed, or of a year whose clearing has ended.
        """
        years, months = period // 100 - month // 100, period % 100 - month % 100
        return 12 * years + months > self.late.periods or 100 * years + period % 100 > 100 + self.late.year_end_month


def shipped() -> str:
    """Returns the document that ships."""
    return files("ledger.clearing").joinpath("national.toml").read_text(encoding="utf-8")


def read_terms(document: str, where: str) -> Terms:
    """Returns the terms of a document; raises Refused (TERMS_INVALID) naming file, key, expected and got."""
    try:
        terms = msgspec.convert(tomllib.loads(document), Terms)
        for key in terms.clearing_types:
            if not key.isascii() or not key.isdecimal():
                raise ValueError(f"clearing_types: expected med_type codes, got {key!r}")
        for name, ratio in (("variance.ratio", terms.variance.ratio), ("advance.yellow", terms.advance.yellow),
                            ("advance.red", terms.advance.red),
                            ("retention.ratio", terms.retention.ratio)):  # fmt: skip
            if scaled_from_text(ratio, 4) < 0:
                raise ValueError(f"{name}: expected a ratio from 0, got {ratio!r}")
        if terms.retention.ratio_bp > 10_000:
            raise ValueError(f"retention.ratio: expected at most 1, got {terms.retention.ratio!r}")
        if terms.variance.amount_fen < 0:
            raise ValueError(f"variance.amount: expected an amount from 0.00, got {terms.variance.amount!r}")
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise Refused(Refusal.TERMS_INVALID, f"{where}: {error}: see ledger/clearing/national.toml") from None
    return terms


def terms_in_force(reader: "Reader", period: int, stop: int | None = None) -> tuple[Terms, str, bool]:
    """Returns (terms, document, stands in the log) of a period, as set at positions up to ``stop`` (None: the head).

    Of what was set for this period or an earlier one, the latest period's counts, and of those what was set last.
    """
    best: ClearingTermsSet | None = None
    for position, _, topic, state in reader.stream(CLEARING_TERMS):
        event = decode_event(topic, state)
        assert isinstance(event, ClearingTermsSet)
        if event.begin_period <= period and (stop is None or position <= stop):
            best = event if best is None or event.begin_period >= best.begin_period else best
    if best is None:
        return read_terms(shipped(), "national.toml"), shipped(), False
    return read_terms(best.document, best.name), best.document, True


def terms_named(reader: "Reader", digest: bytes) -> Terms | None:
    """Returns the terms that stand in the log under a digest, None where there are none."""
    for _, _, topic, state in reader.stream(CLEARING_TERMS):
        event = decode_event(topic, state)
        assert isinstance(event, ClearingTermsSet)
        if event.digest == digest:
            return read_terms(event.document, event.name)
    return None
