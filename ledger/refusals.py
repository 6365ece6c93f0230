"""Names every reason for which the ledger takes no effect, in order of precedence.

The first reason that applies to a row is the one reported; ``console`` and files show the lower-case name.
"""

from enum import IntEnum


class Refusal(IntEnum):
    """Is why a row or a command was refused; a smaller number wins over a larger one."""

    NONE = 0
    ROW_SHAPE = 1
    NOT_UTF8 = 2
    UNSAFE_TEXT = 3
    BAD_KEY = 4
    SETL_ID_CONFLICT = 5
    MSGID_CONFLICT = 6
    MISSING_PSN_NO = 7
    UNKNOWN_PSN_NO = 8
    BAD_CODE = 9
    BAD_DATE = 10
    END_BEFORE_BEGIN = 11
    UNKNOWN_INSUTYPE = 12
    NO_POLICY = 13
    AMOUNT_TEXT = 14
    AMOUNT_PRECISION = 15
    AMOUNT_RANGE = 16
    NEGATIVE_WITHOUT_INIT = 17
    REFUND_UNKNOWN = 18
    REFUND_TWICE = 19
    REFUND_MISMATCH = 20
    IDENTITY_I1 = 21
    IDENTITY_I2 = 22
    IDENTITY_I3 = 23
    IDENTITY_I5 = 24
    ARITHMETIC_OVERFLOW = 25
    REFUND_CLAWED_BACK = 38
    # registers, looked up by the claim's day; one that its source has paid is booked and flagged with the reason
    INSTITUTION_UNKNOWN = 26
    INSTITUTION_TERMINATED = 27
    INSTITUTION_SUSPENDED = 28
    INSTITUTION_INCAPABLE = 29
    MEMBER_ENDED = 33
    MEMBER_SUSPENDED = 34
    MEMBER_NOT_COVERED = 35
    ENTITLEMENT_MISSING = 36
    REFUND_FLAG = 37
    # fee lines
    LINE_CLAIM_UNKNOWN = 30
    LINE_CONFLICT = 31
    BAD_RATIO = 32
    # commands
    STREAM_EXISTS = 40
    UNKNOWN_KEY = 41
    PERIOD_CLOSED = 42
    PERIOD_NOT_CLOSED = 43
    PERIOD_OUT_OF_ORDER = 44
    PERIOD_EMPTY = 45
    JOB_UNFINISHED = 46
    ALREADY_PAID = 47
    NOT_INSTRUCTED = 48
    WRONG_AMOUNT = 49
    CLAWBACK_TOO_LARGE = 50
    OVER_COLLECTED = 51
    ALREADY_REVERSED = 52
    POSTINGS_UNBALANCED = 53
    POSTINGS_EMPTY = 54
    POLICY_ASSUMED_OVER_REAL = 55
    POLICY_INVALID = 56
    STORE_NOT_EMPTY = 57
    NOT_ALLOWED = 58
    BAD_VALUE = 59
    RETENTION = 60
    FILING_SUSPENDED = 70
    FILING_UNSETTLED = 71
    # paying institutions, allowances
    PAYMENT_INSTRUCTED = 80
    ALLOWANCE_WITHOUT_RULE = 81
    ALLOWANCE_NOT_ENTITLED = 82
    ALLOWANCE_REVOKED = 83
    # reconciliation
    BREAK_UNKNOWN = 100
    BREAK_ENDED = 101
    BREAK_CARRIED_OUT = 102
    COUNTERPART_BAD = 103
    KEYS_AMBIGUOUS = 104
    RUN_OUTDATED = 105
    # clearing
    CLEARING_NOT_DRAFTED = 110
    CLEARING_NOT_CHECKED = 111
    CLEARING_NOT_SIGNED = 112
    CLEARING_STANDS = 113
    SAME_PERSON = 114
    CLEARING_PAID = 115
    CLEARING_REFERENCE = 116
    CARRIED_TOO_LONG = 117
    CLEARING_SEALED = 118
    TERMS_INVALID = 119
    # payments, bank files, advances and funds
    RECEIPT_EXHAUSTED = 130
    RECEIPT_CONFLICT = 131
    NOT_IN_TRANSIT = 132
    NOTHING_TO_RESEND = 133
    STALE_ATTEMPT = 134
    NO_ACCOUNT = 135
    BANK_PROFILE_INVALID = 136
    NOT_IN_BATCH = 137
    GUARANTEE_EXCEEDED = 138
    NOTHING_RETAINED = 139
    OVER_PAYABLE = 140
    QUOTA_UNCHANGED = 141
    WRONG_PARTY = 142
    # supervision
    RULES_INVALID = 160
    RULES_NOT_ENACTED = 161
    RULES_OUT_OF_ORDER = 162
    # cases and what they bring
    CASE_STAGE = 170
    CASE_SAME_PERSON = 171
    CASE_AMOUNT = 172
    CASE_MIXED = 173
    CASE_TERMS_MISSING = 174
    CASE_NOT_CLOSED = 175
    CASE_EVIDENCE = 176
    CASE_LATE = 177
    CASE_OWNER = 178
    CASE_PANEL = 179
    FINE_OUT_OF_RANGE = 180
    INSTALMENTS_WRONG = 181
    CASE_TERMS_INVALID = 182
    CASE_DAY = 183
    REWARD_TOO_LARGE = 184
    REVERSED_TOO_MUCH = 185
    # sealed periods and replay
    SEGMENTS_PLACE = 150
    PERIOD_NOT_SEALED = 151
    SEGMENT_DAMAGED = 152
    SWEEP_INVALID = 155
    # manual reimbursement
    MANUAL_STAGE = 215
    MANUAL_SAME_PERSON = 216
    MANUAL_EVIDENCE = 217
    MANUAL_PERSON = 218
    MANUAL_DAY = 219
    MANUAL_TERMS = 220
    MANUAL_SOURCE_SETTLED = 221
    MANUAL_TRANSIT = 222
    MANUAL_NOT_RECOVERED = 223
    MANUAL_WAITING = 260
    # beyond one machine
    SPARK_MISSING = 205
    SPARK_FAILED = 206
    # detached months
    DETACH_PLACE = 207
    NOT_DETACHED = 208
    ARCHIVE_DAMAGED = 209

    @property
    def code(self) -> str:
        """Returns the stable lower-case name that files and ``--json`` carry."""
        return _CODES.get(self, self.name.lower())


# The identities keep the names DOMAIN section 5 gives them.
_CODES = {
    Refusal.IDENTITY_I1: "identity_I1",
    Refusal.IDENTITY_I2: "identity_I2",
    Refusal.IDENTITY_I3: "identity_I3",
    Refusal.IDENTITY_I5: "identity_I5",
}


class LedgerError(Exception):
    """Is the base of every error this package raises on purpose."""


class Refused(LedgerError):
    """Is a command refused: nothing was written. ``refusal`` is the reason, the text says what to do."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


class OutcomeUnknown(LedgerError):
    """Is a connection lost around COMMIT: the log, not a retry, tells whether the command took effect."""


class SourceError(LedgerError):
    """Is a file that cannot be read as claims at all: expected, got, where."""


class StoreError(LedgerError):
    """Is a store that cannot be opened, created or understood: expected, got, where, what to do."""
