"""Forms the stream names of the log: the natural key of a thing is its stream, and so its idempotency."""

#: A person-year as one integer: token * YEARS + year.
YEARS = 16_384


def claim_stream(region: int, setl_id: str) -> str:
    """Returns the stream of a claim: unique on (insured region, setl_id)."""
    return f"claim-{region:06d}-{setl_id}"


def person_year_stream(token: int, year: int) -> str:
    """Returns the stream that opens a person's accumulators of one benefit year."""
    return f"py-{year:04d}-{token:09d}"


def account_stream(token: int) -> str:
    """Returns the stream that opens a personal account."""
    return f"account-{token:09d}"


def member_stream(token: int) -> str:
    """Returns the stream of a person's enrolments."""
    return f"member-{token:09d}"


def filing_stream(token: int) -> str:
    """Returns the stream of a person's off-site filings."""
    return f"filing-{token:09d}"


def institution_stream(code: str) -> str:
    """Returns the stream of what holds of an institution, by its code."""
    return f"institution-{code}"


def entitlement_stream(token: int) -> str:
    """Returns the stream of a person's chronic entitlements."""
    return f"entitlement-{token:09d}"


def disease_stream(token: int) -> str:
    """Returns the stream of what a person's claims used of the limits of chronic diseases."""
    return f"disease-{token:09d}"


def stay_stream(token: int) -> str:
    """Returns the stream of the parts of a person's divided stays."""
    return f"stay-{token:09d}"


def grouping_stream(claim: int) -> str:
    """Returns the stream of the groupings of the claim filed at a position."""
    return f"grouping-{claim:012d}"


def institution_payment_stream(period: int, region: int, code: str) -> str:
    """Returns the stream of what a region's agency pays an institution for a period instead of itemised amounts."""
    return f"agency-payment-{period:06d}-{region:06d}-{code}"


def allowance_stream(region: int, token: int, kind: int, begin: int) -> str:
    """Returns the stream of an allowance: a region pays a person one of a kind for one day of beginning."""
    return f"allowance-{region:06d}-{token:09d}-{kind}-{begin:08d}"


def visit_stream(token: int) -> str:
    """Returns the stream of a person's noted visits."""
    return f"visit-{token:09d}"


def enrolment_stream(region: int, insutype: int) -> str:
    """Returns the stream of the enrolment rules of a region and insurance type."""
    return f"enrolment-{region:06d}-{insutype}"


def finding_stream(claim: int) -> str:
    """Returns the stream of what was found about the claim filed at a position."""
    return f"finding-{claim:012d}"


def policy_stream(digest: bytes) -> str:
    """Returns the stream of a policy document."""
    return f"policy-{digest.hex()}"


def period_stream(period: int) -> str:
    """Returns the stream of a clearing period (yyyymm)."""
    return f"period-{period:06d}"


def detached_stream(period: int) -> str:
    """Returns the stream that says whether a sealed period's events are in the log or in an archive."""
    return f"detached-{period:06d}"


def payment_stream(kind: int, period: int, payer: int, payee: str) -> str:
    """Returns the stream of one payment: a kind, period, payer and payee are paid once."""
    return f"payment-{kind}-{period:06d}-{payer:06d}-{payee}"


def receipt_stream(region: int, receipt: str) -> str:
    """Returns the stream of a bank receipt: its number is unique at a region's bank."""
    return f"receipt-{region:06d}-{receipt}"


def batch_stream(number: int) -> str:
    """Returns the stream of a bank batch file."""
    return f"bank-batch-{number:06d}"


def payee_stream(payee: str) -> str:
    """Returns the stream of a payee's bank accounts."""
    return f"payee-{payee}"


def advance_stream(scope: int, payer: int, payee: str) -> str:
    """Returns the stream of an advance: a scope, payer and payee have one quota."""
    return f"advance-{scope}-{payer:06d}-{payee}"


def retention_stream(region: int, institution: str, year: int) -> str:
    """Returns the stream of the end of a year's retention."""
    return f"retention-{region:06d}-{institution}-{year:04d}"


def guarantee_stream(region: int, institution: str) -> str:
    """Returns the stream of an institution's bank guarantees."""
    return f"guarantee-{region:06d}-{institution}"


def surplus_stream(region: int, institution: str, year: int) -> str:
    """Returns the stream of an institution's retained surplus of a year."""
    return f"surplus-{region:06d}-{institution}-{year:04d}"


def fund_stream(region: int, fund: int) -> str:
    """Returns the stream of a fund's opening and income."""
    return f"fund-{region:06d}-{fund}"


def clawback_stream(case: str) -> str:
    """Returns the stream of a clawback case."""
    return f"clawback-{case}"


def price_cap_stream(item: str) -> str:
    """Returns the stream of an item's price caps."""
    return f"price-cap-{item}"


def drug_cap_stream(item: str) -> str:
    """Returns the stream of a drug's maxima."""
    return f"drug-cap-{item}"


def rule_pack_stream(digest: bytes) -> str:
    """Returns the stream of a pack of rules."""
    return f"rule-pack-{digest.hex()}"


def described_stream(token: int) -> str:
    """Returns the stream of what rules need to know of a person."""
    return f"described-{token:09d}"


def manual_stream(claim: int) -> str:
    """Returns the stream of how the claim filed at a position was reimbursed by hand."""
    return f"manual-{claim:012d}"


def handling_terms_stream(digest: bytes) -> str:
    """Returns the stream of a clock of manual reimbursement."""
    return f"handling-terms-{digest.hex()}"


def reimbursement_stream(application: str) -> str:
    """Returns the stream of an application for manual reimbursement."""
    return f"reimbursement-{application}"


def review_stream(period: int) -> str:
    """Returns the stream of the machine reviews of a period."""
    return f"review-{period:06d}"


def violation_stream(period: int, token: int, rule: str, version: bytes, window: int) -> str:
    """Returns the stream of one violation: a period, person, version of a rule and window have one."""
    return f"violation-{period:06d}-{token:09d}-{rule}-{version.hex()}-{window}"


def case_terms_stream(digest: bytes) -> str:
    """Returns the stream of a document of limits of cases."""
    return f"case-terms-{digest.hex()}"


def docket_stream(case: str) -> str:
    """Returns the stream of a case of supervision."""
    return f"docket-{case}"


def recovery_stream(kind: int, case: str) -> str:
    """Returns the stream of what a case brings of one kind: a case raises each kind once."""
    return f"recovery-{kind}-{case}"


def command_stream(position: int) -> str:
    """Returns the stream of a command: its own position names it."""
    return f"command-{position}"


def job_stream(verb: str, digest: bytes) -> str:
    """Returns the stream of the jobs over one source."""
    return f"job-{verb}-{digest.hex()}"


def message_key(msgid: str) -> str:
    """Returns a message id as the store keys it: its time first, so that a month's ids are neighbours.

    The sender's id is 12 characters of institution, 14 of time and 4 of serial (DOMAIN section 6); one of another
    shape is its own key, and no two ids share a key.
    """
    return f"{msgid[12:26]}{msgid[:12]}{msgid[26:]}" if len(msgid) == 30 else msgid


OPENING_BALANCES = "opening-balances"

CLEARING_TERMS = "clearing-terms"


def following_month(period: int) -> int:
    """Returns the clearing period after ``period`` (yyyymm)."""
    year, month = divmod(period, 100)
    return (year + 1) * 100 + 1 if month == 12 else period + 1
