"""A small policy document for tests, and the book it is enacted in."""

from ledger.events import PolicyEnacted
from ledger.plans import PolicyBook
from ledger.policy import digest_of

SMALL = """\
[policy]
name = "small"
title = "A small policy"
source = "none"
assumptions = ["everything"]
clawback_order = ["oth_pay", "maf_pay", "hifdm_pay", "hifes_pay", "cvlserv_pay", "hifmi_pay", "hifob_pay", "hifp_pay"]
levels = { 9 = "1" }

[employee.off_site.2023-01-01]
variant = "V1"
no_filing_needed = ["same_province"]
med_types = ["inpatient"]
same_province = { long_term = "0", no_filing_needed = "0.02" }
cross_province = { long_term = "0", referral = "0.05", emergency = "0.06", temporary = "0.07", unfiled = "0.20" }

[employee.off_site.2024-01-01]
variant = "V4"
no_filing_needed = []
med_types = ["inpatient"]
same_province = { long_term = "1", referral = "1", emergency = "1", temporary = "1.5", unfiled = "2" }
cross_province = { long_term = "1", referral = "1", emergency = "1", temporary = "1.5", unfiled = "3" }

[employee.first_selfpay_counts_toward]
2023-01-01 = ["assistance"]

[employee.deductible_exempt_classes]
2023-01-01 = ["1"]

[employee.deductible_after_ceiling]
2023-01-01 = "none"

[employee.stay_below_deductible_counts]
2023-01-01 = true

[employee.ceiling_yearly_payment]
2023-01-01 = "100000.00"
2023-07-01 = "none"

[employee.over_ceiling_amount]
2023-01-01 = "uncovered_cost"

[employee.further_funds_in_order]
2023-01-01 = ["hifob"]

[employee.hifob]
2023-01-01 = { ratio = "0.8", yearly_cap = "none" }

[employee.account_pays]
2023-01-01 = "in_scope_and_preself"

[employee.inpatient.deductible]
2023-01-01 = { kind = "by_level_and_ordinal", first_stay = { 1 = "300.00" }, less_per_later_stay = "0", floor = "0" }

[employee.inpatient.deductible_place]
2023-01-01 = "subtracted_first"

[employee.inpatient.position]
2023-01-01 = "per_claim"

[employee.inpatient.segments]
2023-01-01 = [
    { above = "0", up_to = "10000", ratio = { active = { 1 = "0.8575" }, retired = { 1 = "0.90" } } },
    { above = "10000", ratio = { active = { 1 = "0.90" }, retired = { 1 = "0.95" } } },
]
"""


def enacted(text: str, *regions: int, assumed: bool = False, name: str = "small.toml") -> PolicyEnacted:
    """Returns the event that enacts a document for regions."""
    return PolicyEnacted(0, 0, digest_of(text), name, text, regions, assumed)


def book_with(*events: PolicyEnacted) -> PolicyBook:
    """Returns a book with these enactments, in order."""
    book = PolicyBook()
    for event in events:
        book.check(event)
        book.enact(event)
    return book
