"""Commands that say how an amount comes about: price and explain."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

import ledger
import projections
from console import output
from console.answers import print_answers
from console.claims import readable
from console.options import NO_OPTIONS, NOT_ASKED, Asked, Claim, Options
from console.output import Column, count, yuan_grouped
from console.terms import FIELDS, field_of
from ledger.money import yuan_display as yuan

if TYPE_CHECKING:
    from ledger.explanation import Step

#: A line of an explanation: step, what it is about, where that comes from, amount.
Line = tuple[str, str, str, str]

COLUMNS = (
    Column("step", "步骤"),
    Column("item", "项目"),
    Column("from", "依据"),
    Column("amount", "金额", yuan_grouped),
)


def register(app: App) -> None:
    """Adds this family to the command line."""
    for command in (price, explain):
        app.command(command)


def price(
    claims: Path, /, *, policy: str, register: Path | None = None, explain: bool = False, options: Asked = NOT_ASKED
) -> None:
    """Price claims under a policy without a store; with --json one object a claim, amounts as text in yuan.

    Parameters
    ----------
    claims
        A file of claims: CSV, Parquet, or JSON lines.
    policy
        A policy file (TOML), or the name of one that ships.
    register
        A CSV file of members; without it every person is what the claim says.
    explain
        Show each step: the rule, the parameters it hangs on with their key and first day, its inputs and its amount.
    """
    priced = ledger.price(policy, readable(claims), register=register and readable(register), explain=explain)
    if options.json:
        for each in priced:
            output.print_json_line(each)
    elif explain:
        for each in priced:
            print_priced(each)
    else:
        print_prices(list(priced))


def explain(claim: Claim, /, *, options: Options = NO_OPTIONS) -> None:
    """Explain a booked claim: each step from the total fee to the cash, with rule, parameters and amount.

    Then what it is on each axis - recorded time, date of service, policy version - and why the answers differ.
    """
    from ledger.policy_views import iso

    with ledger.open(options.store, actor=options.who) as book, projections.open(options.store) as read:
        found = book.explain(claim)
        answers = book.answers(found.position, read.acts_of_person(found.position))
    if options.json:
        output.print_json({**output.plain(found), "axes": output.plain(answers)})
        return
    output.print_fields(
        [
            ("claim 结算", f"{found.claim} at position {found.position:,}, decided by {found.basis}"),
            ("policy 政策", f"{found.policy or 'none: not checked'}, settled on {iso(found.day)}"),
            ("place 就医", f"{found.relation}{', ' if found.filing else ''}{found.filing}"),
        ]
    )
    if found.original:
        output.print_line(f"a refund: every amount is the negative of the claim at position {found.original:,}")
    print_steps([in_text(step) for step in found.steps])
    for name, fen in found.amounts.items():
        if fen != found.booked[name]:
            print_difference(name, yuan(fen), yuan(found.booked[name]))
    print_answers(answers)


def in_text(step: "Step") -> dict[str, Any]:
    """Returns a step with its amounts as text in yuan."""
    from ledger.pricing import in_yuan

    return in_yuan(step)


def print_prices(priced: list[dict[str, Any]]) -> None:
    """Prints what each claim settles to, one line a claim."""
    shown = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay")
    columns = (
        Column("row", "行", count),
        Column("claim", "结算单"),
        Column("outcome", "结果"),
        *(Column(name, FIELDS[name].chinese, yuan_grouped) for name in shown),
    )
    output.print_table(
        columns,
        [
            (
                each["row"],
                each.get("setl_id"),
                each.get("reason") or each["outcome"],
                *(each.get(name) for name in shown),
            )
            for each in priced
        ],
    )
    for text in filter(None, map(why_not, priced)):
        output.print_line(text)


def why_not(each: dict[str, Any]) -> str:
    """Returns why a row would not be booked, in words; nothing where it would."""
    if each["outcome"] != "refused":
        return ""
    return f"row {each['row']}: {each['reason']}: {each['field']}: expected {each['expected']}, got {each['got']!r}"


def print_priced(each: dict[str, Any]) -> None:
    """Prints one priced claim with its steps."""
    what = each.get("reason") or each["outcome"]
    output.print_line(f"row {each['row']}: {each.get('setl_id', '')} {what}".rstrip())
    if refused := why_not(each):
        output.print_line(refused)
    else:
        print_steps(each.get("steps", []))
    for name, gives in each.get("policy_gives", {}).items():
        print_difference(name, yuan_grouped(gives), yuan_grouped(each[name]))
    output.print_line("")


def print_difference(name: str, gives: str, booked: str) -> None:
    """Prints an amount that is booked otherwise than the policy gives, as its source settled it."""
    output.print_line(f"{field_of(name)}: the policy gives {gives}, booked is {booked}")


def print_steps(steps: list[dict[str, Any]]) -> None:
    """Prints steps as a table, those of a divided stay part by part; the last line says that they close."""
    named = dict.fromkeys(step.get("part", "") for step in steps)
    for part in named:
        if part:
            output.print_line(f"the part of the stay in 分段 {part}")
        _print_part([step for step in steps if step.get("part", "") == part])


def _print_part(steps: list[dict[str, Any]]) -> None:
    output.print_table(COLUMNS, [line for step in steps for line in lines_of(step)])
    parts = {step["field"]: step["amount"] for step in steps}
    names = ("fund_pay_sumamt", "hosp_part_amt", "acct_pay", "psn_cash_pay")
    summed = " + ".join(f"{field_of(name)} {yuan_grouped(parts[name])}" for name in names if name in parts)
    output.print_line(f"{field_of('medfee_sumamt')} {yuan_grouped(parts['medfee_sumamt'])} = {summed}")


def lines_of(step: dict[str, Any]) -> list[Line]:
    """Returns the lines of a step: each rule with what it read, then the amount it is for."""
    lines: list[Line] = []
    for rule in step["rules"]:
        lines.append((str(rule["step"]), f"  {rule['rule'].replace('``', '')}", "", rule["amount"]))
        lines += [("", f"    {field_of(name)}", "input 输入", fen) for name, fen in rule["inputs"].items()]
        lines += [
            ("", f"    {each['text']}", f"{each['key']}, {each['file']}, since {each['since']}", "")
            for each in rule["parameters"]
        ]
        lines += [
            ("", f"    {yuan_grouped(each['amount'])} × {each['ratio']}", "rounded half-up 四舍五入", each["paid"])
            for each in rule["products"]
        ]
    lines += [("", f"    {field_of(name)}", "input 输入", fen) for name, fen in step["inputs"].items()]
    return [*lines, (str(step["step"]), f"= {field_of(step['field'])}", "", step["amount"])]
