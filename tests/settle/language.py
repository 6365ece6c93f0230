"""Draws policies as documents, over every switch of the policy language, and claims that meet their edges."""

import json
from random import Random
from typing import Any

import numpy as np

from core_ext.layout import ABSENT, ACCUMULATORS, AMOUNTS, FACT, FACTS
from core_ext.settling import COMPUTE, REFUND, SOURCE
from ledger.plan_rows import with_limits
from ledger.policy_terms import MED_TYPES
from ledger.registers import FILING_CLASSES
from tests.settle.claims import book_of
from tests.settle.drawn import LARGEST_YUAN_TEXT, MONEY, Batch, given_row, negated
from tests.settle.platform import inline

REGION = 441800
PLACES = (441802, 440106, 110101)
DAYS = ("2023-01-01", "2024-03-10", "2024-07-01")
FUNDS = ("hifob", "hifes", "hifmi", "cvlserv", "maf", "hifdm", "oth")
PSN_TYPES = ("11", "12", "14", "15", "16")
HEADER = """\
[policy]
name = "drawn"
title = "A drawn policy"
source = "none"
assumptions = []
clawback_order = ["oth_pay", "maf_pay", "hifdm_pay", "hifes_pay", "cvlserv_pay", "hifmi_pay", "hifob_pay", "hifp_pay"]
levels = { other = "default" }
"""


def yuan(rng: Random, most: int = 10**7) -> str:
    """Returns an amount as a document writes it: often nothing, one fen or a round sum."""
    fen = rng.choice((0, 1, 100 * rng.randrange(1000), rng.randrange(most), rng.randrange(10**4)))
    return f"{fen // 100}.{fen % 100:02}"


def limit(rng: Random) -> str:
    """Returns a cap, or none."""
    return "none" if rng.random() < 0.3 else yuan(rng)


def ratio(rng: Random) -> str:
    """Returns a ratio from 0 to 1, often one of the two."""
    return rng.choice(("0", "1", "0.5", f"0.{rng.randrange(10_000):04}", f"0.{rng.randrange(7_000, 10_000):04}"))


def some(rng: Random, names: Any) -> list[str]:
    """Returns some of the names, at times none or all."""
    chosen = rng.sample(list(names), rng.randrange(len(names) + 1))
    return [name for name in names if name in chosen]


def by_level(rng: Random, value: Any) -> dict[str, str]:
    """Returns a value for every hospital level."""
    return {level: value(rng) for level in ("1", "2", "3", "default")}


def yuan_at_level(rng: Random) -> Any:
    """Returns one amount, or one for every level."""
    return by_level(rng, yuan) if rng.random() < 0.4 else yuan(rng)


def whose(rng: Random) -> dict[str, Any]:
    """Returns the classes an exception holds for, at least one."""
    entry: dict[str, Any] = {}
    if rng.random() < 0.6:
        entry["psn_types"] = rng.sample(PSN_TYPES, rng.randrange(1, 4))
    if rng.random() < 0.3:
        entry["age_from"] = rng.choice((0, 18, 60, 70))
    if rng.random() < 0.2:
        entry["age_below"] = rng.choice((71, 80, 150))
    if rng.random() < 0.4 or not entry:
        entry["assist_classes"] = rng.sample(("1", "2", "3", "4"), rng.randrange(1, 3))
    return entry


def exceptions(rng: Random, terms: Any) -> list[dict[str, Any]]:
    """Returns up to two exceptions with the terms each holds."""
    return [whose(rng) | terms() for _ in range(rng.choice((0, 0, 1, 2)))]


def pieces(rng: Random, most: int, terms: Any) -> list[dict[str, Any]]:
    """Returns contiguous pieces from zero; the last mostly has no end."""
    edges = sorted({rng.randrange(1, 10 ** rng.randrange(3, 8)) for _ in range(rng.randrange(1, most + 1))})
    found, above = [], 0
    for at, edge in enumerate(edges):
        piece = {"above": f"{above // 100}.{above % 100:02}", **terms()}
        if at < len(edges) - 1 or rng.random() < 0.2:
            piece["up_to"] = f"{edge // 100}.{edge % 100:02}"
        found.append(piece)
        above = edge
    return found


def off_site(rng: Random) -> dict[str, Any]:
    """Returns one of the four variants, or none."""
    variant = rng.choice(("none", "V1", "V2", "V3", "V4"))
    value = ratio if variant != "V4" else lambda rng: rng.choice(("1", "1.5", "2.25", "0.3333"))
    tables = {place: {name: value(rng) for name in FILING_CLASSES[1:]} for place in ("same_province", "cross_province")}
    return {"variant": variant, "no_filing_needed": some(rng, tables), "med_types": list(MED_TYPES)} | tables


def further_fund(rng: Random, name: str, to_date: bool) -> dict[str, Any]:
    """Returns a further fund in the general form, or in its own where it has one."""

    def tier() -> dict[str, str]:
        return {"ratio": ratio(rng)}

    if name == "hifob" and rng.random() < 0.4:
        return {"ratio": ratio(rng), "yearly_cap": limit(rng)}
    if name == "hifmi" and rng.random() < 0.4:
        tiers = pieces(rng, 6, lambda: {"ratio": ratio(rng), "ratio_poor": ratio(rng)})
        found = {"med_types": some(rng, MED_TYPES), "over_ceiling_counts": rng.random() < 0.5, "tiers": tiers}
        poor = some(rng, ("1", "2", "3", "4"))
        return found | {"threshold": yuan(rng), "threshold_poor": yuan(rng), "poor_classes": poor}
    if name == "maf" and rng.random() < 0.4:
        classes = {
            key: {"ratio": ratio(rng), "yearly_threshold": yuan(rng), "yearly_cap": limit(rng)}
            for key in some(rng, ("1", "2", "3", "4"))
        }
        return {"med_types": some(rng, MED_TYPES), "classes": classes}
    classes_ = [
        whose(rng) | {"threshold": yuan(rng), "tiers": pieces(rng, 6, tier), "yearly_cap": limit(rng)}
        for _ in range(rng.randrange(2))
    ]
    classes_.append({"tiers": pieces(rng, 6, tier)} | ({"threshold": yuan(rng)} if rng.random() < 0.3 else {}))
    base = rng.choice(("over_ceiling", "in_scope_personal", "remaining_in_scope_personal"))
    personal = base != "over_ceiling"
    return {
        "base": base, "counts": rng.choice(("claim", "year")) if to_date else "claim",
        "med_types": rng.choice((list(MED_TYPES), some(rng, MED_TYPES))), "classes": classes_,
        "over_ceiling_counts": not personal or rng.random() < 0.5,
        "first_selfpay_counts": personal and rng.random() < 0.5,
    }  # fmt: skip


def rules(rng: Random, readmissions: bool, year_of: str) -> dict[str, Any]:
    """Returns the rules of an insurance type, one value of each parameter."""
    order = rng.sample(FUNDS, rng.choice((0, 1, 2, 3, 7)))
    found: dict[str, Any] = {
        "off_site": off_site(rng),
        "first_selfpay_counts_toward": some(rng, ("catastrophic", "assistance")),
        "deductible_exempt_classes": some(rng, ("1", "2")),
        "deductible_after_ceiling": rng.choice(("none", "taken")),
        "stay_below_deductible_counts": readmissions or rng.random() < 0.5,
        "ceiling_yearly_payment": limit(rng),
        "over_ceiling_amount": rng.choice(("uncovered_cost", "cut_payment")),
        "further_funds_in_order": order,
        "account_pays": rng.choice((
            "nothing", "in_scope", "in_scope_and_preself", some(rng, ("in_scope", "preself", "overlmt", "fulamt")),
            ["in_scope_after_deductible", *some(rng, ("preself", "fulamt"))],
        )),
    }  # fmt: skip
    optional: dict[str, Any] = {
        "ceiling_yearly_cost": limit(rng),
        "deductible_exempt_psn_types": some(rng, PSN_TYPES[2:]),
        "account_med_types": some(rng, MED_TYPES),
        "family_sharing": rng.choice(("allowed", "forbidden")),
        "hospital_share": {
            "ratio": ratio(rng),
            "med_types": some(rng, MED_TYPES),
            "of": rng.choice((["in_scope"], ["overlmt", "preself"], ["in_scope_after_deductible", "fulamt"])),
        },
        "maternity_paid_from": rng.choice(("employee_pool", "maternity_fund")),
        "disease_limits": [{"disease": "M01600", "yearly_cap": limit(rng), "monthly_cap": limit(rng)}],
    }
    stated = [fund for fund in FUNDS if rng.random() < 0.1 or fund in order]
    for fund in stated:
        optional[fund] = further_fund(rng, fund, fund in ("hifmi", "maf", year_of))
    return found | {name: value for name, value in optional.items() if name in stated or rng.random() < 0.5}


def treatment(rng: Random, resident: bool, readmissions: bool) -> dict[str, Any]:
    """Returns the parameters of a kind of treatment, one value of each."""
    on_payment = rng.random() < 0.25
    statuses = ("resident",) if resident else ("active", "retired")
    segments = pieces(rng, 8, lambda: {
        "ratio": {status: by_level(rng, ratio) for status in statuses},
        "exceptions": exceptions(rng, lambda: {"ratio": by_level(rng, ratio)}),
    })  # fmt: skip
    ordinal = {
        "kind": "by_level_and_ordinal", "first_stay": by_level(rng, yuan), "less_per_later_stay": yuan_at_level(rng),
        "floor": yuan_at_level(rng), "yearly_cap": limit(rng),
        "exceptions": exceptions(rng, lambda: {"first_stay": by_level(rng, yuan), "floor": yuan_at_level(rng)}),
    }  # fmt: skip
    if readmissions:
        ordinal |= {"readmission_days": rng.choice((0, 1, 15)), "transfer_days": rng.choice((0, 2))}
    annual = {
        "kind": "annual_cumulative",
        "amount": yuan(rng),
        "exceptions": exceptions(rng, lambda: {"amount": yuan(rng)}),
    }
    position = rng.choice(("per_claim", "year_to_date_of_all_kinds", "per_claim" if on_payment else "year_to_date"))
    place = rng.choice(("subtracted_first", "subtracted_first" if on_payment else "inside_first_segment"))
    found = {"deductible": rng.choice(({"kind": "none"}, ordinal, ordinal, annual)), "deductible_place": place,
             "position": position, "segments": segments}  # fmt: skip
    return found | ({"segment_edges": "payment"} if on_payment else {})


def document(rng: Random) -> str:
    """Returns a policy document: every parameter from the first day, some with later values."""
    lines = [HEADER]
    for name in ("policy_date", "benefit_year_date"):
        if rng.random() < 0.4:
            lines.append(f'{name} = "{rng.choice(("begndate", "enddate", "setl_time"))}"')
    if rng.random() < 0.3:
        lines.append(f'benefit_year_starts = "{rng.choice(("01-01", "07-01", "03-10"))}"')
    readmissions = rng.random() < 0.5
    for insutype in ("employee", "resident"):
        resident = insutype == "resident"
        year_of = rng.choice(FUNDS)
        versions = [rules(rng, readmissions, year_of) for _ in range(rng.choice((1, 1, 2)))]
        dated = {f"{insutype}.{name}": {DAYS[0]: value} for name, value in versions[0].items()}
        for later in versions[1:]:
            day = rng.choice(DAYS[1:])
            for name, value in later.items():
                dated.setdefault(f"{insutype}.{name}", {})[day] = value
        for name in {"inpatient": 0} | dict.fromkeys(rng.sample(list(MED_TYPES), rng.choice((0, 1, 5)))):
            for parameter, value in treatment(rng, resident, readmissions).items():
                dated[f"{insutype}.{name}.{parameter}"] = {DAYS[0]: value}
        for path, values in dated.items():
            lines.append(f"[{path}]")
            lines += [f"{json.dumps(day)} = {inline(value)}" for day, value in values.items()]
    return "\n".join(lines) + "\n"


def fact_row(rng: Random, treatments: list[int]) -> list[int]:
    """Returns facts that satisfy I1 of one of two persons, on days that lie close and turn the year."""
    fact = dict.fromkeys(FACTS, 0)
    begin = rng.choice((20231201, 20240101, 20240302, 20240302, 20240302, 20240601)) + rng.randrange(20)
    end = min(begin + rng.choice((0, 0, 3, 9)), begin // 100 * 100 + 31)
    settled = rng.choice((end, end, 20240110 if end < 20240101 else end))
    fact |= {
        "token": rng.choice((1, 1, 1, 2)), "insu_admdvs": PLACES[0],
        "mdtrtarea_admvs": rng.choice((PLACES[0], *PLACES)),
        "hosp_lv": rng.choice((1, 2, 2, 3, 9)), "insutype": rng.choice((310, 390)), "begndate": begin, "enddate": end,
        "psn_type": rng.choice((11, 12, 1201, 14, 15, 16)), "med_type": rng.choice((21, 21, *treatments)),
        "setl_time": settled * 10**6 + rng.randrange(24) * 10**4,
    }  # fmt: skip
    parts = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
    largest = rng.choice((2, 100, 10**5, 10**7, 10**7, 10**9, LARGEST_YUAN_TEXT // 4))
    for name in parts:
        fact[name] = rng.randrange(largest) if name == "inscp_scp_amt" or rng.random() < 0.3 else 0
    fact["medfee_sumamt"] = sum(fact[name] for name in parts)
    if rng.random() < 0.1:
        fact["hosp_part_amt"] = rng.randrange(1 + fact["medfee_sumamt"] - fact["inscp_scp_amt"])
    return [fact[name] for name in FACTS]


def world(seed: int, rows: int = 14) -> Batch:
    """Returns a drawn document's claims as a batch from empty years: computed, settled by their source, refunds."""
    rng = Random(seed)
    text = document(rng)
    book = book_of((text, REGION))
    treatments = [code for name, code in MED_TYPES.items() if f".{name}.segments]" in text]
    facts, given = np.zeros((rows, len(FACTS)), np.int64), np.full((rows, len(AMOUNTS)), ABSENT, np.int64)
    kind, ref = np.full(rows, COMPUTE, np.int64), np.full(rows, -1, np.int64)
    for row in range(rows):
        fact = fact_row(rng, treatments)
        if row and rng.random() < 0.12:
            kind[row], ref[row] = REFUND, rng.randrange(row)
            fact = facts[ref[row], : MONEY.start].tolist() + negated(facts[ref[row], MONEY.start :].tolist())
        elif rng.random() < 0.15:
            kind[row], given[row] = SOURCE, given_row(rng, fact)
        facts[row] = fact
    for column, of in (("insured_region", "insu_admdvs"), ("treatment_region", "mdtrtarea_admvs")):
        facts[:, FACT[column]] = book.region_of(np.ascontiguousarray(facts[:, FACT[of]]))
    masks = np.array([rng.randrange(16) for _ in range(rows)], np.int64)
    assist = np.array([rng.choice((0, 0, 1, 2, 3, 4)) for _ in range(rows)], np.int64)
    aged = np.array([rng.choice((0, 1, 18, 61, 70, 71, 90)) for _ in range(rows)], np.int64)
    plan, policy = book.resolve(facts, masks, assist, book.ages(facts, np.zeros(rows, np.int64), aged))
    limits = np.array([rng.choice((0, 0, 1, 1 + rng.randrange(10**6))) for _ in range(rows)], np.int64)
    plans, plan = with_limits(book.plans, plan, limits)
    years = book.benefit_years(facts, policy)
    token = facts[:, FACT["token"]]
    slots, slot = np.unique(token * 10_000 + years, return_inverse=True)
    for row in np.flatnonzero(kind == REFUND).tolist():
        slot[row] = slot[ref[row]]
    zeros = np.zeros(rows, np.int64)
    accounts = np.array([rng.choice((0, 1, rng.randrange(10**6))) for _ in range(3)], np.int64)
    return Batch(plans, plan, facts, given, kind, ref, zeros, slot.astype(np.int64),
                 np.zeros((len(slots), len(ACCUMULATORS)), np.int64), token.copy(), accounts, zeros.copy())  # fmt: skip
