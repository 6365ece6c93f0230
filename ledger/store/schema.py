"""Holds the tables of a store, the same on both databases, and the version that names their shape."""

#: The shape of the tables below; a store carries it, and a newer one is refused.
SCHEMA_VERSION = 6

# One row an event. The explicit integer key is the log position: VACUUM renumbers SQLite's implicit ones.
STORED_EVENTS = """
CREATE TABLE stored_events (
  notification_id {int} PRIMARY KEY,
  originator_id {text} NOT NULL,
  originator_version {int} NOT NULL,
  topic {text} NOT NULL,
  state {blob} NOT NULL,
  UNIQUE (originator_id, originator_version)
)"""

# The one row writers serialise on: events in the log, the last recorded time (microseconds), the last token given.
LOG_HEAD = """
CREATE TABLE log_head (
  one {int} PRIMARY KEY CHECK (one = 1),
  size {int} NOT NULL,
  recorded_at {int} NOT NULL,
  tokens {int} NOT NULL
)"""

FIRST_HEAD = "INSERT INTO log_head (one, size, recorded_at, tokens) VALUES (1, 0, 0, 0)"

SCHEMA_VERSION_TABLE = "CREATE TABLE schema_version (version {int} PRIMARY KEY)"

FIRST_VERSION = f"INSERT INTO schema_version (version) VALUES ({SCHEMA_VERSION})"

# What version 4 adds to a person's row: the salt of its seal (ledger.store.seals).
SALT = "salt {blob} NOT NULL DEFAULT {empty}"

# Identity stands here and in the three tables behind it alone: erasing somebody there leaves every event and proof as
# it was. It is written as ALTER TABLE leaves it in an older store, to the letter.
PERSON = f"""
CREATE TABLE person (
  token {{int}} PRIMARY KEY,
  psn_no {{text}} NOT NULL UNIQUE,
  psn_name {{text}} NOT NULL
, {SALT})"""

# The many persons that a batch, or a register, brought at once, from token ``first`` on (ledger.store.person_blocks):
# where each number and name ends, 4 bytes each, and the texts.
PERSON_BLOCK = """
CREATE TABLE person_block (
  first {int} PRIMARY KEY,
  number_ends {blob} NOT NULL,
  numbers {blob} NOT NULL,
  name_ends {blob} NOT NULL,
  names {blob} NOT NULL,
  salts {blob} NOT NULL
)"""

# By which the numbers in blocks are found, and the runs that are merged into it (ledger.store.text_runs).
PERSON_NUMBER = "CREATE TABLE person_number (psn_no {text} PRIMARY KEY, token {int} NOT NULL){narrow}"

# The seals of the persons whose tokens a transaction gave, 32 bytes each, from token ``first`` on; they outlive rows.
PERSON_SEAL = """
CREATE TABLE person_seal (
  first {int} PRIMARY KEY,
  seals {blob} NOT NULL
)"""

# key = token * 16384 + year; state as ledger.store.state packs the accumulators.
PERSON_YEAR = """
CREATE TABLE person_year (
  key {int} PRIMARY KEY,
  version {int} NOT NULL,
  state {blob} NOT NULL
){hot}"""

# What a batch of an intake left behind of a table, until it is merged into it (ledger.store.runs): keys in ascending
# order, from first to last, and versions, 8 bytes each, and of the numbers whose bit is set in used, width bytes each.
# A folded run has a negative number.
RUN = """
CREATE TABLE {name} (
  run {int} PRIMARY KEY,
  first {int} NOT NULL,
  last {int} NOT NULL,
  keys {blob} NOT NULL,
  versions {blob} NOT NULL,
  used {int} NOT NULL,
  width {int} NOT NULL,
  amounts {blob} NOT NULL
)"""
PERSON_YEAR_RUN, ACCOUNT_RUN = (RUN.replace("{name}", name) for name in ("person_year_run", "account_run"))

# What version 5 adds to an account: the position at which the balance stood, which tells it from those in runs.
ACCOUNT_VERSION = "version {int} NOT NULL DEFAULT 0"
ACCOUNT = f"CREATE TABLE account (token {{int}} PRIMARY KEY, balance_fen {{int}} NOT NULL, {ACCOUNT_VERSION}){{hot}}"

# A register's row holds from its begin (0: always) until the next begin of its key.
MEMBER = """
CREATE TABLE member (
  token {int} NOT NULL,
  begin {int} NOT NULL,
  insu_admdvs {int} NOT NULL,
  insutype {int} NOT NULL,
  psn_type {int} NOT NULL,
  assist_class {int} NOT NULL,
  covered_from {int} NOT NULL,
  status {int} NOT NULL,
  PRIMARY KEY (token, begin)
)"""

# The days on which a filing counts: no two rows of a person and region share one.
FILING = """
CREATE TABLE filing (
  token {int} NOT NULL,
  filing {int} NOT NULL,
  region {int} NOT NULL,
  begin {int} NOT NULL,
  to_ {int} NOT NULL
)"""

ENTITLEMENT = """
CREATE TABLE entitlement (
  token {int} NOT NULL,
  disease {text} NOT NULL,
  begin {int} NOT NULL,
  to_ {int} NOT NULL,
  PRIMARY KEY (token, disease, begin)
)"""

VISIT = """
CREATE TABLE visit (
  token {int} NOT NULL,
  mdtrt_id {text} NOT NULL,
  begin {int} NOT NULL,
  PRIMARY KEY (token, mdtrt_id)
)"""

# med_types: codes in ascending order between spaces, empty for all.
INSTITUTION = """
CREATE TABLE institution (
  code {text} NOT NULL,
  begin {int} NOT NULL,
  status {int} NOT NULL,
  name {text} NOT NULL,
  region {int} NOT NULL,
  hosp_lv {int} NOT NULL,
  grade {int} NOT NULL,
  med_types {text} NOT NULL,
  bank_account {text} NOT NULL,
  PRIMARY KEY (code, begin)
)"""

ENROLMENT_RULE = """
CREATE TABLE enrolment_rule (
  region {int} NOT NULL,
  insutype {int} NOT NULL,
  begin {int} NOT NULL,
  newborn_days {int} NOT NULL,
  on_time_until {int} NOT NULL,
  late_months {int} NOT NULL,
  exempt {text} NOT NULL,
  PRIMARY KEY (region, insutype, begin)
)"""

FILING_OF_TOKEN = "CREATE INDEX filing_of_token ON filing (token)"

MESSAGE = "CREATE TABLE message (msgid {text} PRIMARY KEY, position {int} NOT NULL){narrow}"

# The same for texts (ledger.store.text_runs): their numbers in ascending order, what stands for each, and where each
# ends, 8 bytes each, and the texts.
TEXT_RUN = """
CREATE TABLE {name} (
  run {int} PRIMARY KEY,
  first {int} NOT NULL,
  last {int} NOT NULL,
  keys {blob} NOT NULL,
  {value}s {blob} NOT NULL,
  ends {blob} NOT NULL,
  {text}s {blob} NOT NULL
)"""
MESSAGE_RUN, PERSON_RUN = (
    TEXT_RUN.replace("{name}", name).replace("{value}", value).replace("{text}", text)
    for name, value, text in (("message_run", "position", "msgid"), ("person_run", "token", "psn_no"))
)

REVERSAL = "CREATE TABLE reversal (claim {int} PRIMARY KEY, by_position {int} NOT NULL)"

# The claim (position of its ClaimFiled) that holds a trace code; 0 where the code was given back.
TRACE_CODE = "CREATE TABLE trace_code (code {text} PRIMARY KEY, claim {int} NOT NULL){narrow}"

PRICE_CAP = """
CREATE TABLE price_cap (
  med_list_codg {text} NOT NULL,
  begin {int} NOT NULL,
  to_ {int} NOT NULL,
  cap {int} NOT NULL,
  position {int} PRIMARY KEY
)"""

PRICE_CAP_OF_ITEM = "CREATE INDEX price_cap_of_item ON price_cap (med_list_codg)"

# What a person may have of a drug (window 1: a quarter, 2: a year), and what each claim counted toward it.
DRUG_CAP = """
CREATE TABLE drug_cap (
  med_list_codg {text} NOT NULL,
  window_ {int} NOT NULL,
  begin {int} NOT NULL,
  to_ {int} NOT NULL,
  maximum_fen {int} NOT NULL,
  position {int} PRIMARY KEY
)"""

DRUG_CAP_OF_ITEM = "CREATE INDEX drug_cap_of_item ON drug_cap (med_list_codg)"

DRUG_USE = """
CREATE TABLE drug_use (
  token {int} NOT NULL,
  med_list_codg {text} NOT NULL,
  day {int} NOT NULL,
  claim {int} NOT NULL,
  used_fen {int} NOT NULL
)"""

DRUG_USE_OF_TOKEN = "CREATE INDEX drug_use_of_token ON drug_use (token)"

TABLES = (
    STORED_EVENTS,
    LOG_HEAD,
    FIRST_HEAD,
    PERSON,
    PERSON_BLOCK,
    PERSON_NUMBER,
    PERSON_RUN,
    PERSON_SEAL,
    PERSON_YEAR,
    PERSON_YEAR_RUN,
    ACCOUNT,
    ACCOUNT_RUN,
    MEMBER,
    FILING,
    FILING_OF_TOKEN,
    ENTITLEMENT,
    VISIT,
    INSTITUTION,
    ENROLMENT_RULE,
    MESSAGE,
    MESSAGE_RUN,
    REVERSAL,
    TRACE_CODE,
    PRICE_CAP,
    PRICE_CAP_OF_ITEM,
    DRUG_CAP,
    DRUG_CAP_OF_ITEM,
    DRUG_USE,
    DRUG_USE_OF_TOKEN,
)

LAST = (SCHEMA_VERSION_TABLE, FIRST_VERSION)

SQLITE_TYPES = {"int": "INTEGER", "text": "TEXT", "blob": "BLOB", "empty": "x''", "hot": "", "narrow": " WITHOUT ROWID"}

# Ids compare as bytes, as SQLite's do; a fill factor leaves room to rewrite a balance on its own page.
POSTGRES_TYPES = {
    "int": "bigint",
    "text": 'text COLLATE "C"',
    "blob": "bytea",
    "empty": "''",
    "hot": " WITH (fillfactor = 80)",
    "narrow": "",
}

SQLITE_REFUSE_UPDATE = """
CREATE TRIGGER stored_events_refuse_update BEFORE UPDATE ON stored_events
BEGIN SELECT RAISE(ABORT, 'stored_events is append-only: an event is never changed'); END"""

SQLITE_REFUSE_DELETE = """
CREATE TRIGGER stored_events_refuse_delete BEFORE DELETE ON stored_events
BEGIN SELECT RAISE(ABORT, 'stored_events is append-only: an event is never deleted'); END"""

POSTGRES_REFUSE = """
CREATE FUNCTION stored_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'stored_events is append-only: an event is never changed or deleted'; END$$"""

# A statement trigger also sees TRUNCATE, and INSERT … ON CONFLICT DO UPDATE.
POSTGRES_REFUSE_CHANGE = """
CREATE TRIGGER stored_events_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON stored_events
FOR EACH STATEMENT EXECUTE FUNCTION stored_events_refuse()"""

# The head only moves on, whoever writes it: positions, recorded times and tokens are never given twice.
GOES_BACK = "NEW.size < OLD.size OR NEW.recorded_at < OLD.recorded_at OR NEW.tokens < OLD.tokens"

SQLITE_HEAD_BACK = f"""
CREATE TRIGGER log_head_refuse_back BEFORE UPDATE ON log_head WHEN {GOES_BACK}
BEGIN SELECT RAISE(ABORT, 'log_head is append-only: it never goes back'); END"""

SQLITE_HEAD_DELETE = """
CREATE TRIGGER log_head_refuse_delete BEFORE DELETE ON log_head
BEGIN SELECT RAISE(ABORT, 'log_head is append-only: it is never deleted'); END"""

POSTGRES_HEAD = """
CREATE FUNCTION log_head_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'log_head is append-only: it never goes back and is never deleted'; END$$"""

POSTGRES_HEAD_BACK = f"""
CREATE TRIGGER log_head_refuse_back BEFORE UPDATE ON log_head
FOR EACH ROW WHEN ({GOES_BACK}) EXECUTE FUNCTION log_head_refuse()"""

POSTGRES_HEAD_DELETE = """
CREATE TRIGGER log_head_refuse_delete BEFORE DELETE OR TRUNCATE ON log_head
FOR EACH STATEMENT EXECUTE FUNCTION log_head_refuse()"""


def _stored_plainly(table: str, *columns: str) -> str:
    """Returns what keeps PostgreSQL from compressing columns: those of runs are read once and thrown away."""
    return f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {column} SET STORAGE EXTERNAL" for column in columns)


POSTGRES_RUN_STORAGE = (
    _stored_plainly("person_year_run", "keys", "versions", "amounts"),
    _stored_plainly("account_run", "keys", "versions", "amounts"),
    _stored_plainly("message_run", "keys", "positions", "ends", "msgids"),
)
POSTGRES_PERSON_STORAGE = (
    _stored_plainly("person_run", "keys", "tokens", "ends", "psn_nos"),
    _stored_plainly("person_block", "number_ends", "numbers", "name_ends", "names", "salts"),
)

# The runs of version 3 and 4, which did not say from which key to which they go.
OLD_RUN = """
CREATE TABLE person_year_run (
  run {int} PRIMARY KEY,
  keys {blob} NOT NULL,
  versions {blob} NOT NULL,
  used {int} NOT NULL,
  width {int} NOT NULL,
  amounts {blob} NOT NULL
)"""
KEEP_OLD_RUNS = "ALTER TABLE person_year_run RENAME TO person_year_run_before"
ADD_ACCOUNT_VERSION = f"ALTER TABLE account ADD COLUMN {ACCOUNT_VERSION}"

ADD_SALT = f"ALTER TABLE person ADD COLUMN {SALT}"

SQLITE_HEAD_GUARD = (SQLITE_HEAD_BACK, SQLITE_HEAD_DELETE)
POSTGRES_HEAD_GUARD = (POSTGRES_HEAD, POSTGRES_HEAD_BACK, POSTGRES_HEAD_DELETE)

#: The triggers that keep the log append-only, by database and name.
GUARDS = {
    "sqlite": {
        "stored_events_refuse_update": SQLITE_REFUSE_UPDATE,
        "stored_events_refuse_delete": SQLITE_REFUSE_DELETE,
        "log_head_refuse_back": SQLITE_HEAD_BACK,
        "log_head_refuse_delete": SQLITE_HEAD_DELETE,
    },
    "postgres": {
        "stored_events_refuse_change": POSTGRES_REFUSE_CHANGE,
        "log_head_refuse_back": POSTGRES_HEAD_BACK,
        "log_head_refuse_delete": POSTGRES_HEAD_DELETE,
    },
}

#: What moves a store from each earlier version to the next one, by database. Steps are never changed once released.
STEPS: dict[int, dict[str, tuple[str, ...]]] = {
    # 1 had no guard on the head: an operator's mistake could give a position or a token a second time.
    1: {"sqlite": SQLITE_HEAD_GUARD, "postgres": POSTGRES_HEAD_GUARD},
    # 2 wrote a batch's person-years to their table at once, wherever each of them stands in it.
    2: {
        "sqlite": (OLD_RUN.format(**SQLITE_TYPES),),
        "postgres": (OLD_RUN.format(**POSTGRES_TYPES),),
    },
    # 3 had nothing to hold a person's number and name against. ``ledger.store.seals.seal_all`` fills both.
    3: {
        "sqlite": (ADD_SALT.format(**SQLITE_TYPES), PERSON_SEAL.format(**SQLITE_TYPES)),
        "postgres": (ADD_SALT.format(**POSTGRES_TYPES), PERSON_SEAL.format(**POSTGRES_TYPES)),
    },
    # 4 wrote accounts and messages to their tables at once. ``ledger.store.runs.bring_over`` fills the new runs.
    4: {
        "sqlite": tuple(
            step.format(**SQLITE_TYPES)
            for step in (KEEP_OLD_RUNS, PERSON_YEAR_RUN, ADD_ACCOUNT_VERSION, ACCOUNT_RUN, MESSAGE_RUN)
        ),
        "postgres": (
            *(
                step.format(**POSTGRES_TYPES)
                for step in (KEEP_OLD_RUNS, PERSON_YEAR_RUN, ADD_ACCOUNT_VERSION, ACCOUNT_RUN, MESSAGE_RUN)
            ),
            *POSTGRES_RUN_STORAGE,
        ),
    },
    # 5 wrote every person as a row of its own. Those stay.
    5: {
        "sqlite": tuple(step.format(**SQLITE_TYPES) for step in (PERSON_BLOCK, PERSON_NUMBER, PERSON_RUN)),
        "postgres": (
            *(step.format(**POSTGRES_TYPES) for step in (PERSON_BLOCK, PERSON_NUMBER, PERSON_RUN)),
            *POSTGRES_PERSON_STORAGE,
        ),
    },
}

#: The version whose store must have its persons sealed on the way up.
UNSEALED = 3

#: The version whose runs must be brought over on the way up.
UNFENCED = 4


def sqlite_statements() -> list[str]:
    """Returns the statements that create a store in an empty SQLite database."""
    return [
        *(statement.format(**SQLITE_TYPES) for statement in TABLES),
        SQLITE_REFUSE_UPDATE,
        SQLITE_REFUSE_DELETE,
        *SQLITE_HEAD_GUARD,
        *(statement.format(**SQLITE_TYPES) for statement in LAST),
    ]


def postgres_statements() -> list[str]:
    """Returns the statements that create a store in an empty PostgreSQL schema, first on the search path."""
    return [
        *(statement.format(**POSTGRES_TYPES) for statement in TABLES),
        *POSTGRES_RUN_STORAGE,
        *POSTGRES_PERSON_STORAGE,
        POSTGRES_REFUSE,
        POSTGRES_REFUSE_CHANGE,
        *POSTGRES_HEAD_GUARD,
        *(statement.format(**POSTGRES_TYPES) for statement in LAST),
    ]
