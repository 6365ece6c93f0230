"""The command demo: a generated month from its file to signed-off figures, step by step, each step with its time."""

import csv
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cyclopts import App

import projections
from console import failures, output
from console.balances import print_kinds
from console.failures import UserError
from console.options import NOT_ASKED, Asked, without_password
from console.output import count
from console.places import regions
from console.statements import print_statement
from console.traces import print_found
from console.upkeep import create_only
from ledger.money import yuan_display as yuan
from projections.trace_tree import Claim, ClaimTrace, PaymentTrace, RowTrace

if TYPE_CHECKING:
    from ledger.service import Ledger
    from projections.reader import Projections
    from projections.statement import Statement

PERIOD = 202403
CASE = "DEMO-1"

#: The regions whose own policy ships.
OWN_POLICIES = {"qingyuan": 441800, "taian": 370900}

Kind = TypeVar("Kind")


def register(app: App) -> None:
    """Adds this family to the command line."""
    app.command(demo)


def demo(
    *, claims: int = 100_000, seed: int = 20240301, store: str = "", keep: Path | None = None, asked: Asked = NOT_ASKED
) -> int:
    """Take a generated month from its file to signed-off figures, and say what to try next.

    Parameters
    ----------
    claims
        How many claims to generate.
    seed
        The same seed gives the same month.
    store
        Where the ledger goes; it must not exist yet. A file in a new temporary folder by default.
    keep
        A folder for the generated files, which are removed otherwise.
    """
    folder = Path(tempfile.mkdtemp(prefix="settlement-demo-"))
    files = keep or folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    url = store or f"sqlite:///{folder / 'demo.db'}"
    run = Run(url, files, claims, seed, asked)
    try:
        run.all_steps()
    except BaseException:
        shutil.rmtree(folder)
        raise
    if keep is None:
        shutil.rmtree(files)
    if store:
        shutil.rmtree(folder)
    if asked.json:
        output.print_json(run.report())
    return failures.CHECK_FAILED if run.differing or run.findings else failures.OK


@dataclass
class Run:
    """Is one run of the demo: its places, and what its steps found."""

    url: str
    files: Path
    claims: int
    seed: int
    asked: Asked
    durations_ms: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    differing: int = 0
    findings: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Times a step and prints its line; the body appends what it has to say."""
        begun = time.perf_counter_ns()
        said: list[str] = []
        yield said
        self.durations_ms[name] = (time.perf_counter_ns() - begun) // 1_000_000
        self.texts[name] = " ".join(said)
        if not self.asked.json:
            output.print_line(_aligned(name, self.texts[name], self.durations_ms[name]))

    def note(self, text: str) -> None:
        """Prints a line that belongs to the step before it."""
        if not self.asked.json:
            output.print_line(f"{'':<23}{text}")

    def all_steps(self) -> None:
        """Runs every step in order and prints what they show."""
        self.generate()
        with create_only(self.url, self.asked.who) as book, projections.open(self.url) as read:
            self.take_in(book)
            statement = self.settle_up(book, read)
            self.sign(book)
            paid = self.pay(book, read)
            self.after_close(book, read)
            self.check(book, read)
            if not self.asked.json:
                self.show(read, statement, paid)

    def generate(self) -> None:
        """Writes the month's files."""
        from console.generate import generate, generate_members

        with self.step("generate") as said:
            month = f"{PERIOD // 100}-{PERIOD % 100:02d}"
            try:
                made = generate(self.files / "claims.csv", self.claims, self.seed, month)
            except ValueError as error:
                raise UserError("usage", str(error)) from error
            generate_members(self.files / "members.csv", made.persons, self.seed)
            said += [
                f"{count(made.rows)} rows of {month}: {count(made.off_site)} off site, {count(made.refunds)} refunds,"
            ]
            said += [f"{count(made.late)} late, {sum(map(len, made.planted.values()))} broken"]

    def take_in(self, book: "Ledger") -> None:
        """Enacts the policies, registers the members, takes the claims in."""
        with self.step("enact") as said:
            others = sorted({place.code for place in regions()} - set(OWN_POLICIES.values()))
            for name, region in OWN_POLICIES.items():
                book.enact(name, [region], reason="demo")
            book.enact("national-default", others, assumed=True, reason="demo")
            said += [f"{', '.join(OWN_POLICIES)}; national-default --assumed for {len(others)} regions"]
        with self.step("register") as said:
            registered = book.register(self.files / "members.csv", reason="demo")
            said += [f"{count(registered.new)} {registered.kind}"]
        with self.step("intake") as said, output.progress("intake", self.claims) as done:
            report = book.intake(self.files / "claims.csv", reason="demo", progress=done)
            said += [
                f"{count(report.booked)} booked, {count(report.duplicate)} duplicate,",
                f"{count(report.quarantined)} quarantined; medfee {yuan(report.medfee_fen)}",
            ]
        faults = sorted(report.reasons.keys() - {"no_policy"})
        uncovered = report.reasons.get("no_policy", 0)
        self.note(f"{count(uncovered)} no_policy: the texts of Qingyuan and Tai'an rule few outpatients")
        self.note(f"{count(report.quarantined - uncovered)} broken: {', '.join(faults)}")

    def settle_up(self, book: "Ledger", read: "Projections") -> "Statement":
        """Derives the statement, and closes the month."""
        with self.step("catch up") as said, output.progress("catch up", None) as done:
            said += [f"every derived table is at position {count(read.catch_up(done))}"]
        with self.step("statement") as said:
            statement = read.statement(PERIOD)
            said += [f"{count(len(statement.lines))} lines, due {yuan(statement.totals.due_fen)}"]
        with self.step("close") as said:
            for period in (each.period for each in book.periods() if each.period <= PERIOD):
                closed = book.close(period, reason="demo")
                said += [f"{closed.period}: {count(closed.acts)} acts;"]
            said += [f"statement {closed.statement[:16]}…"]
        return statement

    def sign(self, book: "Ledger") -> None:
        """Draws the clearing up, checks it, and has another person sign it."""
        import ledger

        with self.step("draft") as said:
            drafted = book.draft(PERIOD, reason="demo")
            carried = sum(acts for _, acts, _ in drafted.late)
            said += [f"funds {yuan(drafted.fund_fen)}, accounts {yuan(drafted.account_fen)}; {count(carried)} carried"]
        with self.step("check") as said:
            said += [f"by {book.check(PERIOD, reason='demo').checked_by}"]
        with self.step("sign") as said, ledger.open(self.url, actor=f"{self.asked.who}'s director") as other:
            signed = other.sign(PERIOD, reason="demo")
            said += [f"by {signed.signed_by}, at position {count(signed.position)}"]

    def pay(self, book: "Ledger", read: "Projections") -> str:
        """Instructs and confirms, claws one claim back, and returns the key of the confirmed payment."""
        with self.step("pay") as said:
            payments = book.pay(PERIOD, reason="demo")
            said += [f"{count(len(payments))} payments, {yuan(sum(each.amount_fen for each in payments))}"]
        largest = max((each for each in payments if each.kind == "region"), key=lambda each: each.amount_fen)
        with self.step("confirm") as said:
            confirmed = book.confirm(largest.key, "RECEIPT-1", reason="demo")
            said += [f"{confirmed.key}: {yuan(confirmed.amount_fen)}"]
        with self.step("clawback") as said:
            claim = _clawable(read, largest.key)
            amount_fen = claim.fund_pay_sumamt // 2
            raised = book.clawback_raise(CASE, claim.key, amount_fen, "demo")
            collected = book.clawback_collect(CASE, amount_fen * 6 // 10, "RECEIPT-2", reason="demo")
            said += [f"{claim.key}: raised {yuan(raised.amount_fen)}, outstanding {yuan(collected.outstanding_fen)}"]
        with self.step("trace") as said:
            paid = trace_of(read, PaymentTrace, largest.key)
            row = trace_of(read, RowTrace, f"{claim.file.source}#{claim.file.row}")
            said += [
                f"the payment is the sum of {count(paid.claims_count)} claims;",
                f"{claim.file.source} row {count(claim.file.row)} leads back to it",
            ]
            back = row.claim.payments if row.claim else ()
            if not paid.agrees or largest.key not in {payment.stream for payment in back}:
                self.findings += 1
        return largest.key

    def after_close(self, book: "Ledger", read: "Projections") -> None:
        """Takes in a claim of the closed month, which goes to the next period and says so."""
        with self.step("late claim") as said:
            report = book.intake(late_claim(self.files), reason="demo")
            late = read.statement(report.periods[0]).totals
            said += [
                f"a claim of {PERIOD} went to {report.periods[0]}: {late.late_acts} late, {yuan(late.late_medfee_fen)}"
            ]

    def check(self, book: "Ledger", read: "Projections") -> None:
        """Replays the month and verifies the store."""
        with self.step("replay") as said, output.progress("replay", None) as done:
            report = book.replay(PERIOD, progress=done)
            self.differing = len(report.differences)
            said += [f"{count(self.differing)} of {count(report.acts)} differ"]
        with self.step("verify") as said:
            found = read.verify()
            self.findings += len(found)
            said += [f"{count(len(found))} findings", *(f"{each.kind} {each.where}" for each in found[:3])]

    def show(self, read: "Projections", statement: "Statement", paid: str) -> None:
        """Prints the statement, the payment with its first claims, the balances, and what to try next."""
        output.print_line(_aligned("total", "", sum(self.durations_ms.values())))
        output.print_line("")
        print_statement(statement, top=6)
        output.print_line("")
        for each in read.trace(paid, 5).found:
            print_found(each)
        output.print_line("")
        print_kinds(read.balances().accounts)
        output.print_line("\nWhat to try next:\n")
        output.print_line("\n".join(f"  {line}" for line in self.next_commands(paid)))

    def next_commands(self, paid: str) -> list[str]:
        """Returns commands that work on the store this run leaves behind."""
        lines = [
            f"export SETTLEMENT_STORE={shlex.quote(without_password(self.url))}",
            f"settlement statement --period {PERIOD} --top 20",
            f"settlement statement --period {PERIOD} --kind roles --region 441500",
            f"settlement statement --period {PERIOD} --kind chain --region 370900",
            f"settlement trace {paid}",
            f"settlement trace {CASE}",
            "settlement balances --totals",
            f"settlement replay --period {PERIOD}",
            f"settlement close --period {next_month(PERIOD)}",
            "settlement verify",
            "settlement --help",
        ]
        folder = Path(self.url.removeprefix("sqlite:///")).parent
        return [*lines, f"rm -r {shlex.quote(str(folder))}"] if folder.name.startswith("settlement-demo-") else lines

    def report(self) -> dict[str, Any]:
        """Returns what happened, for ``--json``."""
        return {
            "store": without_password(self.url),
            "period": PERIOD,
            "claims": self.claims,
            "seed": self.seed,
            "steps": [
                {"step": name, "text": self.texts[name], "duration_ms": taken}
                for name, taken in self.durations_ms.items()
            ],
            "differing": self.differing,
            "findings": self.findings,
        }


def next_month(period: int) -> int:
    """Returns the period after ``period`` (yyyymm)."""
    return period + 89 if period % 100 == 12 else period + 1


def late_claim(files: Path) -> Path:
    """Writes a file with one claim of the month that comes late: a plain row again under keys of its own."""
    with (files / "claims.csv").open(encoding="utf-8", newline="", errors="replace") as stream:
        rows = csv.DictReader(stream)
        row = next(row for row in rows if _is_plain(row))
        names = list(rows.fieldnames or ())
    late = row | {
        "setl_id": f"{row['setl_id']}L",
        "mdtrt_id": f"{row['mdtrt_id']}L",
        "medins_setl_id": f"{row['medins_setl_id'][:-4]}9999",
    }
    path = files / "late.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerow(late)
    return path


def _is_plain(row: dict[str, str]) -> bool:
    return (
        not row["init_setl_id"]
        and not row["fund_pay_sumamt"]
        and row["setl_time"].startswith(f"{PERIOD // 100}-{PERIOD % 100:02d}")
    )


def trace_of(read: "Projections", kind: type[Kind], key: str | int) -> Kind:
    """Returns the first thing of a kind that a key leads to; raises UserError where there is none."""
    for found in read.trace(key, 10_000).found:
        if isinstance(found, kind):
            return found
    raise UserError("unknown_key", f"expected {key} in the log, got nothing")


def _clawable(read: "Projections", payment: str) -> Claim:
    """Returns the claim of a payment whose funds paid most, refunds and refunded ones left out."""
    paid = trace_of(read, PaymentTrace, payment)
    for claim in sorted(paid.claims, key=lambda each: -each.fund_pay_sumamt):
        if not claim.refund and not trace_of(read, ClaimTrace, claim.claim).refunds:
            return claim
    raise UserError("unknown_key", f"expected a claim to claw back in {payment}, got refunds only")


def _aligned(name: str, text: str, duration_ms: int) -> str:
    return f"{duration_ms // 1000:>4}.{duration_ms % 1000 // 10:02d} s  {name:<11} {text}".rstrip()
