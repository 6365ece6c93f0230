"""Lists the sections of a policy document and the types of the parameters each has of its own."""

from typing import Annotated, Any

import msgspec

from ledger.payment_terms import Payment
from ledger.policy_terms import INSUTYPES, RULE_TYPES, Part

#: A number of working days.
Workdays = Annotated[int, msgspec.Meta(ge=1, le=250)]


class WorkingDays(Part, frozen=True):
    """Is how many working days clearing takes once the notices are out (DOMAIN section 2)."""

    submit: Workdays
    transfer: Workdays
    record: Workdays


#: The types of the parameters of clearing, which are the same for every insurance type.
CLEARING_TYPES: dict[str, Any] = {
    "working_days": WorkingDays,
    "institution_payment": tuple[Payment, ...],
}

#: The sections of a document beside ``[policy]``, and the types of the parameters each has of its own.
SECTIONS: dict[str, dict[str, Any]] = {**dict.fromkeys(INSUTYPES, RULE_TYPES), "clearing": CLEARING_TYPES}
