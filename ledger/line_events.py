"""Defines the events of fee lines: lines filed under their claims, what they find, and what they may be paid.

The rules of ``ledger.events`` hold: positional, integers and codes, fields only appended; topics are for ever.
"""

from ledger.event import Event


class LinesFiled(Event, frozen=True):
    """Files fee lines of a claim (费用明细), in the claim's stream; lines that come later are a further event.

    ``row`` is the first line's row, ``claim`` the position of its ClaimFiled, ``lines`` how many, ``sums`` the lines'
    own amounts in the order of ``core_ext.line_cells.PARTS``, fen. ``numbers`` holds ``ledger.line_columns.NUMBERS`` of
    every line as the lines kernel packs them, ``texts`` a line of feedetl_sn, med_list_codg and drug_trac_codg each.
    """

    TOPIC = "lines-filed/1"
    cause: int
    row: int
    claim: int
    lines: int
    sums: tuple[int, ...]
    numbers: bytes
    texts: str


class LinesDiffer(Event, frozen=True):
    """Finds that a claim's lines do not sum to its split (I9), or not to what the rules split them into.

    It stands behind the LinesFiled after which it holds, over all lines of the claim so far: ``sums`` the lines' own
    amounts, ``claimed`` the claim's, ``split`` what price, count, caps and ratio give (PARTS, fen); ``differing``
    lines give an amount further from that than the source profile tolerates. A later LinesFiled settles it anew.
    """

    TOPIC = "lines-differ/1"
    cause: int
    row: int
    claim: int
    lines: int
    differing: int
    sums: tuple[int, ...]
    claimed: tuple[int, ...]
    split: tuple[int, ...]


class TraceCodeRepeated(Event, frozen=True):
    """Finds that a trace code (追溯码) on a line of ``claim`` was settled before, by the claim filed at ``first``."""

    TOPIC = "trace-code-repeated/1"
    cause: int
    row: int
    claim: int
    first: int
    code: str


class PriceCapSet(Event, frozen=True):
    """Sets the highest price paid for an item, 1e-6 yuan, both days included; ``to`` 0 has no end; the latest holds."""

    TOPIC = "price-cap-set/1"
    cause: int
    row: int
    med_list_codg: str
    begin: int
    to: int
    cap: int


class DrugCapSet(Event, frozen=True):
    """Sets what is paid in scope for a drug and a person in a quarter (``window`` 1) or a year (2), fen."""

    TOPIC = "drug-cap-set/1"
    cause: int
    row: int
    med_list_codg: str
    window: int
    begin: int
    to: int
    maximum_fen: int
