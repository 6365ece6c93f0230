"""Commands on policies: policy enact, list, document; those that read them are in ``console.policies``."""

from cyclopts import App

import ledger
from console import output, policies
from console.failures import UserError
from console.options import NO_OPTIONS, Options, Regions
from console.output import Column

#: How the source of a document begins that states none.
NO_SOURCE = "none"


def register(app: App) -> None:
    """Adds this family to the command line."""
    policy = App(name="policy", help="Check policies (政策), put them in force, show and compare them.")
    for command, name in ((enact, "enact"), (list_policies, "list"), (document, "document")):
        policy.command(command, name=name)
    for reading in (policies.show, policies.check, policies.diff, policies.test):
        policy.command(reading)
    app.command(policy)


def enact(policy: str, /, *, regions: Regions, assumed: bool = False, options: Options = NO_OPTIONS) -> None:
    """Put a policy document in force for regions.

    Parameters
    ----------
    policy
        A policy file (TOML), or the name of one that ships: qingyuan, taian, national-default.
    regions
        Insured regions (参保地), as six-digit codes, separated by spaces or commas.
    assumed
        The policy is an assumption: statements say how many claims and how much stand under it.
    """
    if not assumed:
        _expect_a_source(policy)
    with ledger.open(options.store, actor=options.who) as book:
        enacted = book.enact(policy, regions, assumed=assumed, reason=options.reason)
    where = ", ".join(f"{region:06d}" for region in enacted.regions)
    done = "already in force:" if enacted.already else "enacted"
    output.answer(
        options, enacted, f"{done} {enacted.name} ({enacted.digest}) for {where}{', assumed' if assumed else ''}"
    )


def _expect_a_source(policy: str) -> None:
    """Raises UserError for a document that names no source: it is an assumption as a whole, and enacted as one."""
    from ledger.policy import read_policy
    from ledger.verbs.policies import read_document

    header = read_policy(*read_document(policy)).header
    if header.source.startswith(NO_SOURCE):
        raise UserError(
            "usage",
            f"{header.name}: expected --assumed, as its source is {header.source!r}: statements then say what stands"
            " under it",
        )


def list_policies(*, options: Options = NO_OPTIONS) -> None:
    """List the policies in force: which document, for which regions."""
    with ledger.open(options.store, actor=options.who) as book:
        enacted = book.policies()
    if options.json:
        output.print_json(enacted)
        return
    columns = (
        Column("policy", "政策"),
        Column("digest", "摘要"),
        Column("assumed", "假定"),
        Column("regions", "参保地"),
    )
    output.print_table(
        columns,
        [
            (
                each.name,
                each.digest,
                "yes" if each.assumed else "",
                " ".join(f"{region:06d}" for region in each.regions),
            )
            for each in enacted
        ],
    )


def document(policy: str, /, *, options: Options = NO_OPTIONS) -> None:
    """Print an enacted policy document.

    Parameters
    ----------
    policy
        The policy's name or the first characters of its digest, as `policy list` shows them.
    """
    with ledger.open(options.store, actor=options.who) as book:
        text = book.policy(policy)
    output.answer(options, {"policy": policy, "document": text}, text.rstrip("\n"))
