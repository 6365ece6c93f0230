"""Reads the shared platform set: its policies as text of the policy language, its claims as the kernel's tables."""

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACT, FACTS, HOW
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE
from ledger.events import PolicyEnacted
from ledger.plans import PolicyBook
from ledger.policy import digest_of
from ledger.policy_terms import MED_TYPES
from tests.samples import shared

MED_TYPE_NAMES = {str(code): name for name, code in MED_TYPES.items()}
FILING_BITS = {"long_term": 1, "referral": 2, "emergency": 4, "temporary": 8}

#: Reasons the kernel finds; every other one was found before it is asked.
KERNEL_REASONS = frozenset(
    {"refund_unknown", "refund_twice", "refund_mismatch", "identity_I1", "identity_I2", "identity_I3", "identity_I5"}
)

HEADER = """\
[policy]
name = "{name}"
title = "{title}"
source = "a fictitious settlement platform"
regions = ["{region}"]
prefixes = [{prefixes}]
assumptions = []
clawback_order = ["oth_pay", "maf_pay", "hifdm_pay", "hifes_pay", "cvlserv_pay", "hifmi_pay", "hifob_pay", "hifp_pay"]
"""


def policy_documents() -> dict[int, str]:
    """Returns, by region, every pooling area of policies.json as a document of the policy language."""
    tree = json.loads(shared("platform", "policies.json").read_text(encoding="utf-8"))
    prefixes = {entry["region"]: entry["prefixes"] for entry in tree["regions"]}
    return {int(area["region"]): document(area, prefixes[area["region"]]) for area in tree["areas"]}


def document(area: dict[str, Any], prefixes: list[str]) -> str:
    """Returns one area as text: every parameter of every version keyed by the day that version starts."""
    tables: dict[str, dict[str, Any]] = {}
    for version in area["versions"]:
        for code, rules in version["insutypes"].items():
            insutype = {"310": "employee", "390": "resident"}[code]
            for path, value in parameters(rules):
                tables.setdefault(f"{insutype}.{path}", {})[version["from"]] = value
    lines = [HEADER.format(
        name=area["name"], title=area["name"], region=area["region"],
        prefixes=", ".join(json.dumps(prefix) for prefix in prefixes),
    )]  # fmt: skip
    for path, values in tables.items():
        lines.append(f"[{path}]")
        lines += [f"{day} = {inline(value)}" for day, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def parameters(rules: dict[str, Any]) -> list[tuple[str, Any]]:
    """Returns (path, value) of one version's rules of an insurance type, named as the policy language names them."""
    found: list[tuple[str, Any]] = []
    for name, value in rules.items():
        if name == "account_pays_preself":
            found.append(("account_pays", "in_scope_and_preself" if value else "in_scope"))
        elif name == "benefits":
            for med_type, treatment in value.items():
                found += [(f"{MED_TYPE_NAMES[med_type]}.{parameter}", part) for parameter, part in treatment.items()]
        elif value is not None:
            found.append((name, renamed(value)))
    return found


def renamed(value: Any) -> Any:
    """Returns a value with its med_types by name."""
    if isinstance(value, dict):
        return {
            key: [MED_TYPE_NAMES[code] for code in part] if key == "med_types" else renamed(part)
            for key, part in value.items()
        }
    return value


def inline(value: Any) -> str:
    """Returns a JSON value as an inline TOML value; null entries of a table are left out."""
    if isinstance(value, dict):
        entries = (f"{json.dumps(key)} = {inline(part)}" for key, part in value.items() if part is not None)
        return "{ " + ", ".join(entries) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(inline(part) for part in value) + "]"
    return json.dumps(value)


def policy_book() -> PolicyBook:
    """Returns a book with every area's policy enacted."""
    book = PolicyBook()
    for region, text in policy_documents().items():
        event = PolicyEnacted(0, 0, digest_of(text), f"{region}.toml", text, (region,), False)
        book.check(event)
        book.enact(event)
    return book


class Platform(NamedTuple):
    """Is the platform's claims as the kernel's tables, and what is expected of each."""

    plan: Any
    policy: Any
    facts: Any
    given: Any
    kind: Any
    ref: Any
    slot: Any
    slots: int
    account: Any
    accounts: Any
    expected: list[dict[str, Any]]


def fen(text: str) -> int:
    """Returns decimal yuan as fen."""
    sign = -1 if text.startswith("-") else 1
    yuan, _, cents = text.lstrip("-").partition(".")
    return sign * (int(yuan) * 100 + int(cents.ljust(2, "0")))


def digits(text: str) -> int:
    """Returns the digits of a date or moment as an integer."""
    return int("".join(part for part in text if part.isdigit()) or 0)


def load(book: PolicyBook) -> Platform:
    """Returns claims.csv under a book; a row that an earlier stage quarantines is skipped, as it would be there."""
    folder = shared("platform")
    expected = [json.loads(line) for line in (folder / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = read_csv(folder / "claims.csv")
    members = {row["psn_no"]: (at, row) for at, row in enumerate(read_csv(folder / "members.csv"))}
    n = len(rows)
    facts, given = np.zeros((n, len(FACTS)), np.int64), np.full((n, len(AMOUNTS)), ABSENT, np.int64)
    kind, ref = np.full(n, SKIP, np.int64), np.full(n, -1, np.int64)
    slot, account, assist = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    years: dict[tuple[int, int], int] = {}
    booked: dict[tuple[int, str], int] = {}
    for at, (row, outcome) in enumerate(zip(rows, expected, strict=True)):
        if outcome["outcome"] == "duplicate" or outcome.get("reason", "identity_I1") not in KERNEL_REASONS:
            continue
        account[at], member = members[row["psn_no"]]
        facts[at] = fact_row(row, int(account[at]), book)
        assist[at] = int(member["assist_class"] or 0)
        slot[at] = years.setdefault((int(account[at]), int(row["setl_time"][:4])), len(years))
        key = int(facts[at, FACT["insured_region"]])
        for column, name in enumerate(AMOUNTS):
            if row.get(name):
                given[at, column] = fen(row[name])
        if row["init_setl_id"]:
            kind[at] = REFUND
            ref[at] = booked.get((key, row["init_setl_id"]), -1)
            slot[at] = slot[ref[at]] if ref[at] >= 0 else slot[at]
        else:
            kind[at] = SOURCE if row["fund_pay_sumamt"] else COMPUTE
        if outcome["outcome"] == "booked":
            booked[key, row["setl_id"]] = at
    plan, policy = book.resolve(facts, filing_masks(folder, rows, facts, book), assist)
    accounts = np.array([fen(row["account_balance"]) for _, row in members.values()], np.int64)
    return Platform(plan, policy, facts, given, kind, ref, slot, len(years), account, accounts, expected)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Returns a file's rows; bytes that are not UTF-8 become surrogates, as rows with them are quarantined."""
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def fact_row(row: dict[str, str], token: int, book: PolicyBook) -> list[int]:
    """Returns a claim's facts in the order of FACTS; the token is the member's place in the file."""
    values = {"token": token, "hosp_lv": int(row["hosp_lv"])}
    for name in ("insu_admdvs", "mdtrtarea_admvs", "insutype", "psn_type", "med_type"):
        values[name] = int(row[name])
    for name in ("begndate", "enddate", "setl_time"):
        values[name] = digits(row[name])
    for name in FACTS[FACT["medfee_sumamt"] :]:
        values[name] = fen(row[name])
    codes = np.array([values["insu_admdvs"], values["mdtrtarea_admvs"]], np.int64)
    values["insured_region"], values["treatment_region"] = book.region_of(codes).tolist()
    return [values[name] for name in FACTS]


def filing_masks(folder: Path, rows: list[dict[str, str]], facts: Any, book: PolicyBook) -> Any:
    """Returns the filing types that count for each claim: its person's, its treatment region's, sharing a day."""
    filings: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for row in read_csv(folder / "filings.csv"):
        span = (FILING_BITS[row["type"]], digits(row["from"]), digits(row["to"]) or 99_999_999)
        filings.setdefault((row["psn_no"], int(row["region"])), []).append(span)
    masks = np.zeros(len(rows), np.int64)
    for at, row in enumerate(rows):
        begin, end, region = (int(facts[at, FACT[name]]) for name in ("begndate", "enddate", "treatment_region"))
        for bit, first, last in filings.get((row["psn_no"], region), []):
            if first <= end and last >= begin:
                masks[at] |= bit
    return masks


class Settled(NamedTuple):
    """Is what a kernel wrote."""

    code: Any
    booked: Any
    computed: Any
    before: Any
    delta: Any
    balc: Any
    how: Any
    state: Any
    accounts: Any


def settle_all(settle: Any, book: PolicyBook, given: Platform) -> Settled:
    """Returns the whole file settled as one batch."""
    n = len(given.plan)
    out = Settled(
        np.zeros(n, np.int64),
        np.zeros((n, len(AMOUNTS)), np.int64),
        np.zeros((n, len(AMOUNTS)), np.int64),
        np.zeros((n, len(ACCUMULATORS)), np.int64),
        np.zeros((n, len(ACCUMULATORS)), np.int64),
        np.zeros(n, np.int64),
        np.zeros((n, len(HOW)), np.int64),
        np.zeros((given.slots, len(ACCUMULATORS)), np.int64),
        given.accounts.copy(),
    )
    settle(
        book.plans, given.plan, given.facts, given.given, given.kind, given.ref,
        np.zeros(n, np.int64), np.zeros(n, np.int64), given.slot, out.state, given.account, out.accounts,
        out.code, out.booked, out.computed, out.before, out.delta, out.balc, out.how,
    )  # fmt: skip
    return out
