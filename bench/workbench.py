"""Holds what every bench works with: the size, the generated files, the events of a month, and the figures so far."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path

from bench.month import LogRow, log_rows, run_month
from bench.report import Figure, rounded
from bench.sizes import Size
from bench.stores import SQLiteStores
from console.generate import SEED, generate
from ledger.events import ClaimFiled

MONTH = "2024-03"


@dataclass
class Workbench:
    """Is the bench of one run; files and events are made once, when first asked for."""

    size: Size
    folder: Path
    figures: dict[str, Figure]
    _files: dict[int, Path] = field(default_factory=dict)

    def claim_file(self, claims: int) -> Path:
        """Returns the generated file of a month of so many claims, faults and refunds among them."""
        if claims not in self._files:
            path = self.folder / f"claims-{claims}.csv"
            generate(path, claims, SEED, MONTH)
            self._files[claims] = path
        return self._files[claims]

    @cached_property
    def events(self) -> list[LogRow]:
        """Returns the first events of a month's log, as many as the appends need.

        Whether the last claim's decision is among them hangs on how many batches the month came in: without it, it is
        left out, and there is one event less.
        """
        own = self.folder / "events"
        own.mkdir()
        stores = SQLiteStores(own)
        url = stores.fresh()
        run_month(url, self.claim_file(self.size.month_claims))
        wanted = self.size.append_events * self.size.append_transactions
        with closing(log_rows(url)) as log:
            rows = list(islice(log, wanted))
        stores.clear()
        if len(rows) != wanted:
            raise RuntimeError(f"expected a log of at least {wanted} events, got {len(rows)}")
        return rows[: wanted - (rows[-1][3] == ClaimFiled.TOPIC)]

    def note(self, named: Mapping[str, Figure]) -> None:
        """Adds figures to the report, measured ones cut to what is signal."""
        for name, value in named.items():
            self.figures[name] = rounded(value) if isinstance(value, float) else value
