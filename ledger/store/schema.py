"""Holds the tables of a store, the same on both databases, and the version that names their shape."""

#: The shape of the tables below; a store carries it, and a newer one is refused.
SCHEMA_VERSION = 1

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

# The only table with identity: erasing a row here leaves every event and proof as it was.
PERSON = """
CREATE TABLE person (
  token {int} PRIMARY KEY,
  psn_no {text} NOT NULL UNIQUE,
  psn_name {text} NOT NULL
)"""

# key = token * 16384 + year; state = the accumulators as little-endian int64.
PERSON_YEAR = """
CREATE TABLE person_year (
  key {int} PRIMARY KEY,
  version {int} NOT NULL,
  state {blob} NOT NULL
){hot}"""

ACCOUNT = "CREATE TABLE account (token {int} PRIMARY KEY, balance_fen {int} NOT NULL){hot}"

MEMBER = """
CREATE TABLE member (
  token {int} PRIMARY KEY,
  insu_admdvs {int} NOT NULL,
  insutype {int} NOT NULL,
  psn_type {int} NOT NULL,
  assist_class {int} NOT NULL
)"""

FILING = """
CREATE TABLE filing (
  token {int} NOT NULL,
  filing {int} NOT NULL,
  region {int} NOT NULL,
  begin {int} NOT NULL,
  to_ {int} NOT NULL
)"""

FILING_OF_TOKEN = "CREATE INDEX filing_of_token ON filing (token)"

MESSAGE = "CREATE TABLE message (msgid {text} PRIMARY KEY, position {int} NOT NULL){narrow}"

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
    PERSON_YEAR,
    ACCOUNT,
    MEMBER,
    FILING,
    FILING_OF_TOKEN,
    MESSAGE,
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

SQLITE_TYPES = {"int": "INTEGER", "text": "TEXT", "blob": "BLOB", "hot": "", "narrow": " WITHOUT ROWID"}

# Ids compare as bytes, as SQLite's do; a fill factor leaves room to rewrite a balance on its own page.
POSTGRES_TYPES = {
    "int": "bigint",
    "text": 'text COLLATE "C"',
    "blob": "bytea",
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


def sqlite_statements() -> list[str]:
    """Returns the statements that create a store in an empty SQLite database."""
    return [
        *(statement.format(**SQLITE_TYPES) for statement in TABLES),
        SQLITE_REFUSE_UPDATE,
        SQLITE_REFUSE_DELETE,
        *(statement.format(**SQLITE_TYPES) for statement in LAST),
    ]


def postgres_statements() -> list[str]:
    """Returns the statements that create a store in an empty PostgreSQL schema, first on the search path."""
    return [
        *(statement.format(**POSTGRES_TYPES) for statement in TABLES),
        POSTGRES_REFUSE,
        POSTGRES_REFUSE_CHANGE,
        *(statement.format(**POSTGRES_TYPES) for statement in LAST),
    ]
