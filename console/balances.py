"""The command balances: every account's balance, now or as of a position or a moment."""

from collections import defaultdict
from typing import Any

from cyclopts import App

import projections
from console import output
from console.axes import EnactedTo, ServedTo, UnderPolicy, asked
from console.failures import UserError
from console.options import NO_OPTIONS, Options
from console.output import Column, count
from ledger.money import yuan_display as yuan

#: The kinds of account (ledger.postings) in the order money moves through them, with their Chinese terms.
KINDS = {
    "expense": "基金支出",
    "account": "个人账户支出",
    "due": "应付就医地",
    "receivable": "应收参保地",
    "payable": "应付机构",
    "retention": "质量保证金",
    "offset": "抵扣",
    "surplus": "结余留用应付",
    "surplus_expense": "结余留用支出",
    "prefund": "预付金",
    "prefunded": "预收预付金",
    "working": "周转金",
    "supplied": "代付药企",
    "transit": "在途",
    "suspense": "待查",
    "bank": "银行",
    "fund": "基金期初结余",
    "income": "基金收入",
    "clawback": "追回应收",
    "owed": "应退参保地",
    "recoverable": "待退回",
    "penalty": "违约金应收",
    "penalty_income": "违约金",
    "fine": "罚款应收（财政）",
    "fine_income": "罚款（财政）",
    "reward": "举报奖励（财政）",
    "account_balance": "个人账户余额",
    "account_opening": "个人账户期初",
}


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(balances)


def balances(
    *,
    as_of: str | None = None,
    served_to: ServedTo = None,
    under_policy: UnderPolicy = None,
    enacted_to: EnactedTo = None,
    account: str = "",
    totals: bool = False,
    options: Options = NO_OPTIONS,
) -> None:
    """Print the balance of every account; debits are positive, and each book sums to zero.

    Parameters
    ----------
    as_of
        A log position, or a moment with its time zone such as 2024-02-05T18:00:00+08:00; now by default.
    account
        Only accounts that begin so, such as due:440100.
    totals
        One line for each kind of account.
    """
    with (
        projections.open(options.store) as read,
        asked(read, options, as_of, served_to, under_policy, enacted_to) as axes,
    ):
        try:
            found = read.balances(**axes.arguments)
        except ValueError as error:
            raise UserError("usage", f"--as-of: {error}") from error
    accounts = {name: amount for name, amount in found.accounts.items() if name.startswith(account)}
    if options.json:
        chosen: Any = kinds_of(accounts) if totals else accounts
        key = "totals" if totals else "accounts"
        output.print_json({"position": found.position, **axes.said(), key: chosen})
        return
    if totals:
        print_kinds(accounts)
    else:
        columns = (Column("account", "科目"), Column("balance", "余额", yuan))
        output.print_table(columns, sorted(accounts.items()), total=("total 合计", sum(accounts.values())))
    output.print_line(f"as of position {found.position:,}")
    axes.remark()


def kinds_of(accounts: dict[str, int]) -> dict[str, dict[str, int]]:
    """Returns, for each kind of account, how many there are and what they sum to."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"accounts": 0, "amount_fen": 0})
    for name, amount in accounts.items():
        kind = found[name.partition(":")[0]]
        kind["accounts"] += 1
        kind["amount_fen"] += amount
    return dict(found)


def print_kinds(accounts: dict[str, int]) -> None:
    """Prints one line for each kind of account, and that they sum to zero."""
    found = kinds_of(accounts)
    order = [*(kind for kind in KINDS if kind in found), *sorted(found.keys() - KINDS.keys())]
    columns = (Column("kind", "科目"), Column("accounts", "户数", count), Column("balance", "余额", yuan))
    output.print_table(
        columns,
        [(f"{kind} {KINDS.get(kind, '')}", found[kind]["accounts"], found[kind]["amount_fen"]) for kind in order],
        title="Balances 余额 by kind of account; debits are positive",
        total=("total 合计", len(accounts), sum(accounts.values())),
    )
